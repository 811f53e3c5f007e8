/* kernels_avx2.c - AVX2 and FMA, for processors without VNNI.
 *
 * int8: vpmaddubsw wants one unsigned operand, so the sign of the weight moves to the activation: w
 * * q = |w| * (q with w's sign). |w| <= 128 and |q| <= 127, so a pair of products is at most 32512
 * and cannot saturate 16 bits: exact, and half the instructions of widening to 16 bits first.
 */
#include "cpu_internal.h"

#include "vf_avx2.h"
#define VF_FLIP 0
#include "kernel_rowops.h"

#include "kernel_attend.h"
#include "kernel_gemm.h"

#include "gemm_f32_avx2.h"

#define MAX_ROWS 4

VF_INLINE __m256i dot4(__m256i acc, __m256i magnitude, __m256i w, __m256i q)
{
    __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(q, w));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
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
            __m256i m0 = _mm256_abs_epi8(w0), m1 = _mm256_abs_epi8(w1);
            UNROLL for (int r = 0; r < rows; r++)
            {
                __m256i a = _mm256_set1_epi32(load_4_bytes(q + (size_t)r * ld_q + at / 16));
                lo[r * panels + p] = dot4(lo[r * panels + p], m0, w0, a);
                hi[r * panels + p] = dot4(hi[r * panels + p], m1, w1, a);
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int p = 0; p < panels; p++)
        {
            vf v = {_mm256_cvtepi32_ps(lo[r * panels + p]), _mm256_cvtepi32_ps(hi[r * panels + p])};
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
TILE(tile_i8, 1, 4)

static void gemm_i8(const struct steti_gemm_job *j)
{
    static const tile_fn tiles[MAX_ROWS] = {tile_i8_1x1, tile_i8_2x1, tile_i8_3x1, tile_i8_4x1};
    int panel = j->panel_begin;
    for (; j->n_rows == 1 && panel + 4 <= j->panel_end; panel += 4) {
        tile_i8_1x4(j, 0, panel);
    }
    for (; panel < j->panel_end; panel++) {
        run_rows(j, panel, tiles, MAX_ROWS);
    }
}

const struct steti_kernels steti_kernels_avx2 = {
    .isa = "avx2",
    .text = "avx2",
    /* Bound by multiplications from the second row on; a full tile at least reads the weights
     * once. */
    .row_tile = 4,
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
