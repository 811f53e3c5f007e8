/* kernels_avx2vnni.c - AVX2 with the VEX form of VNNI: client processors without AVX-512.
 *
 * As kernels_avx512.c in half-width registers: tiles of up to 6 rows by one panel, activations
 * stored as q + 128, the surplus taken off the exact integer sum.
 */
#include "cpu_internal.h"

#include "vf_avx2.h"
#define VF_FLIP 0x80
#include "kernel_rowops.h"

#include "kernel_attend.h"
#include "kernel_gemm.h"

#include "gemm_f32_avx2.h"

#define MAX_ROWS 6

/* Assembly for the reason given in kernels_avx512.c; without {vex} the assembler takes the AVX-512
 * form. */
VF_INLINE __m256i dot4(__m256i acc, __m256i q, __m256i w)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(q), "x"(w));
    return acc;
}

VF_INLINE __m256 surplus_off(__m256i acc, const int32_t *fixup)
{
    const __m256i *f = (const __m256i *)(const void *)fixup;
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(acc, _mm256_load_si256(f)));
}

VF_INLINE void tile_i8(const struct steti_gemm_job *j, int row, int panel, const int rows,
                       const int panels)
{
    const char *w = panel_at(j, panel);
    const size_t next = j->w->panel_bytes;
    const int8_t *q = j->q + row * j->ld_q;
    const size_t ld_q = (size_t)j->ld_q;
    __m256i lo[MAX_ROWS], hi[MAX_ROWS];
    float sums[MAX_ROWS * 16];
    UNROLL for (int i = 0; i < rows * panels; i++)
    {
        lo[i] = hi[i] = _mm256_setzero_si256();
    }
    for (size_t at = 0; at < next; at += 64) {
        UNROLL for (int p = 0; p < panels; p++)
        {
            const __m256i *v = (const __m256i *)(const void *)(w + (size_t)p * next + at);
            __m256i w0 = _mm256_load_si256(v), w1 = _mm256_load_si256(v + 1);
            UNROLL for (int r = 0; r < rows; r++)
            {
                __m256i a = _mm256_set1_epi32(load_4_bytes(q + (size_t)r * ld_q + at / 16));
                lo[r * panels + p] = dot4(lo[r * panels + p], a, w0);
                hi[r * panels + p] = dot4(hi[r * panels + p], a, w1);
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int p = 0; p < panels; p++)
        {
            const int32_t *fixup = j->w->offset_fixup + (size_t)(panel + p) * 16;
            vf v = {surplus_off(lo[r * panels + p], fixup),
                    surplus_off(hi[r * panels + p], fixup + 8)};
            vf scale = vf_load(j->w->scale + (size_t)(panel + p) * 16);
            vf_store(sums + (r * panels + p) * 16,
                     vf_mul(v, vf_mul(vf_set1(j->row_scale[row + r]), scale)));
        }
    }
    finish_tile(j, row, panel, rows, panels, sums);
}

TILE(tile_i8, 1, 1)
TILE(tile_i8, 2, 1)
TILE(tile_i8, 3, 1)
TILE(tile_i8, 4, 1)
TILE(tile_i8, 5, 1)
TILE(tile_i8, 6, 1)
TILE(tile_i8, 1, 4)

static void gemm_i8(const struct steti_gemm_job *j)
{
    static const tile_fn tiles[MAX_ROWS] = {tile_i8_1x1, tile_i8_2x1, tile_i8_3x1,
                                            tile_i8_4x1, tile_i8_5x1, tile_i8_6x1};
    int panel = j->panel_begin;
    for (; j->n_rows == 1 && panel + 4 <= j->panel_end; panel += 4) {
        tile_i8_1x4(j, 0, panel);
    }
    for (; panel < j->panel_end; panel++) {
        run_rows(j, panel, tiles, MAX_ROWS);
    }
}

const struct steti_kernels steti_kernels_avx2vnni = {
    .isa = "avx2vnni",
    .text = "avx2-vnni",
    /* Measured: the cost of a row falls until the tile is full; the 7th row starts a second one. */
    .row_tile = 6,
    .quantize_row = quantize_row,
    .quantize_weights = quantize_weights,
    .gemm_f32 = gemm_f32,
    .gemm_i8 = gemm_i8,
    .norm_row = norm_row,
    .embed_row = embed_row,
    .attend = attend,
    .scan = scan_values,
    .merge = merge_best,
};
