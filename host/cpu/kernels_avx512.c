/* kernels_avx512.c - AVX-512 with VNNI.
 *
 * Tiles of up to 6 rows by 4 panels (64 outputs): 24 accumulators, 4 weight registers and one for
 * the row's value. One row alone takes 8 panels, so that there are enough independent chains to
 * hide the latency. vpdpbusd multiplies unsigned by signed bytes: activations are stored as q + 128
 * and 128 times the sum of the weights is taken off the integer sum, which is exact.
 */
#include "cpu_internal.h"

#include "vf_avx512.h"
#define VF_FLIP 0x80
#include "kernel_rowops.h"

#include "kernel_attend.h"
#include "kernel_gemm.h"

#define MAX_ROWS 6

/* Written as assembly because gcc copies the accumulators of some tile sizes once more in every
 * step when it sees the intrinsic; tied operands leave it no choice. */
VF_INLINE __m512i dot4(__m512i acc, __m512i q, __m512i w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(q), "v"(w));
    return acc;
}

VF_INLINE void tile_f32(const struct steti_gemm_job *j, int row, int panel, const int rows,
                        const int panels)
{
    const char *w = panel_at(j, panel);
    const size_t next = j->w->panel_bytes;
    const float *x = j->x + (size_t)row * (size_t)j->n_in;
    const int n = j->n_in;
    __m512 acc[24];
    float sums[24 * 16];
    int k = 0;
    UNROLL for (int i = 0; i < rows * panels; i++)
    {
        acc[i] = _mm512_setzero_ps();
    }
    do {
        UNROLL for (int p = 0; p < panels; p++)
        {
            __m512 v = _mm512_load_ps(w + (size_t)p * next + (size_t)k * 64);
            UNROLL for (int r = 0; r < rows; r++)
            {
                acc[r * panels + p] = _mm512_fmadd_ps(
                    _mm512_set1_ps(x[(size_t)r * (size_t)n + (size_t)k]), v, acc[r * panels + p]);
            }
        }
    } while (++k < n);
    UNROLL for (int i = 0; i < rows * panels; i++)
    {
        vf_store(sums + i * 16, acc[i]);
    }
    finish_tile(j, row, panel, rows, panels, sums);
}

VF_INLINE vf value_of_sum(const struct steti_gemm_job *j, int row, int panel, __m512i acc)
{
    const int32_t *fixup = j->w->offset_fixup + (size_t)panel * 16;
    __m512 scale = _mm512_load_ps(j->w->scale + (size_t)panel * 16);
    __m512i sum = _mm512_sub_epi32(acc, _mm512_load_si512((const void *)fixup));
    return vf_mul(_mm512_cvtepi32_ps(sum), vf_mul(vf_set1(j->row_scale[row]), scale));
}

VF_INLINE void tile_i8(const struct steti_gemm_job *j, int row, int panel, const int rows,
                       const int panels)
{
    const char *w = panel_at(j, panel);
    const size_t next = j->w->panel_bytes;
    const int8_t *q = j->q + row * j->ld_q;
    const size_t ld_q = (size_t)j->ld_q;
    float sums[24 * 16];
    __m512i acc[24];
    size_t at = 0;
    UNROLL for (int i = 0; i < rows * panels; i++)
    {
        acc[i] = _mm512_setzero_si512();
    }
    do {
        __m512i v[8];
        UNROLL for (int p = 0; p < panels; p++)
        {
            v[p] = _mm512_load_si512((const void *)(w + (size_t)p * next + at));
        }
        UNROLL for (int r = 0; r < rows; r++)
        {
            __m512i a = _mm512_set1_epi32(load_4_bytes(q + (size_t)r * ld_q + at / 16));
            UNROLL for (int p = 0; p < panels; p++)
            {
                acc[r * panels + p] = dot4(acc[r * panels + p], a, v[p]);
            }
        }
        at += 64;
    } while (at < next);
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int p = 0; p < panels; p++)
        {
            int i = r * panels + p;
            vf_store(sums + i * 16, value_of_sum(j, row + r, panel + p, acc[i]));
        }
    }
    finish_tile(j, row, panel, rows, panels, sums);
}

#define ALL_ROWS(name, panels)                                                                     \
    TILE(name, 1, panels)                                                                          \
    TILE(name, 2, panels)                                                                          \
    TILE(name, 3, panels)                                                                          \
    TILE(name, 4, panels)                                                                          \
    TILE(name, 5, panels)                                                                          \
    TILE(name, 6, panels)                                                                          \
    static const tile_fn name##_by_##panels[MAX_ROWS] = {name##_1x##panels, name##_2x##panels,     \
                                                         name##_3x##panels, name##_4x##panels,     \
                                                         name##_5x##panels, name##_6x##panels}

ALL_ROWS(tile_f32, 4);
ALL_ROWS(tile_f32, 1);
ALL_ROWS(tile_i8, 4);
ALL_ROWS(tile_i8, 1);
TILE(tile_f32, 1, 8)
TILE(tile_i8, 1, 8)

VF_INLINE void run_gemm(const struct steti_gemm_job *j, tile_fn one_row, const tile_fn *by4,
                        const tile_fn *by1)
{
    int panel = j->panel_begin;
    for (; j->n_rows == 1 && panel + 8 <= j->panel_end; panel += 8) {
        one_row(j, 0, panel);
    }
    for (; panel + 4 <= j->panel_end; panel += 4) {
        run_rows(j, panel, by4, MAX_ROWS);
    }
    for (; panel < j->panel_end; panel++) {
        run_rows(j, panel, by1, MAX_ROWS);
    }
}

static void gemm_f32(const struct steti_gemm_job *j)
{
    run_gemm(j, tile_f32_1x8, tile_f32_by_4, tile_f32_by_1);
}

static void gemm_i8(const struct steti_gemm_job *j)
{
    run_gemm(j, tile_i8_1x8, tile_i8_by_4, tile_i8_by_1);
}

const struct steti_kernels steti_kernels_avx512 = {
    .isa = "avx512",
    .text = "avx512-vnni",
    /* Measured, 512 to 2048, int8: 2 rows cost 1.1 times one row, 4 rows 1.6, 6 rows 2.3, and the
     * 7th starts a second tile (3.0). */
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
