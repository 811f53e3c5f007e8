/* kernels_portable.c - the reference in plain C: the other instruction sets must equal it bit for
 * bit.
 *
 * Built a second time for tests only, with STET_NEGATIVE_CONTROL: there the order of the sums
 * depends on the number of rows, and the tests of row invariance must notice.
 */
#include "cpu_internal.h"

#include "vf_portable.h"
#define VF_FLIP 0
#include "kernel_rowops.h"

#include "kernel_attend.h"

static void sum_f32(const float *x, const float *w, int begin, int end, float acc[16])
{
    for (int k = begin; k < end; k++) {
        for (int l = 0; l < 16; l++) {
            acc[l] = fmaf(x[k], w[(size_t)k * 16 + (size_t)l], acc[l]);
        }
    }
}

static void gemm_f32(const struct steti_gemm_job *j)
{
    for (int panel = j->panel_begin; panel < j->panel_end; panel++) {
        const void *values = (const char *)j->w->values + (size_t)panel * j->w->panel_bytes;
        for (int r = 0; r < j->n_rows; r++) {
            const float *x = j->x + (size_t)r * (size_t)j->n_in;
            float acc[16] = {0.0f};
#ifdef STET_NEGATIVE_CONTROL
            int half = j->n_rows > 1 ? j->n_in / 2 : 0;
            float rest[16] = {0.0f};
            sum_f32(x, values, 0, half, rest);
            sum_f32(x, values, half, j->n_in, acc);
            for (int l = 0; l < 16; l++) {
                acc[l] += rest[l];
            }
#else
            sum_f32(x, values, 0, j->n_in, acc);
#endif
            finish_tile(j, r, panel, 1, 1, acc);
        }
    }
}

static void sum_i8(const int8_t *q, const int8_t *w, int groups, int32_t acc[16])
{
    for (int g = 0; g < groups; g++, q += 4, w += 64) {
        for (int l = 0; l < 16; l++) {
            acc[l] +=
                q[0] * w[4 * l] + q[1] * w[4 * l + 1] + q[2] * w[4 * l + 2] + q[3] * w[4 * l + 3];
        }
    }
}

static void gemm_i8(const struct steti_gemm_job *j)
{
    int groups = (j->n_in + 3) / 4;
    for (int panel = j->panel_begin; panel < j->panel_end; panel++) {
        const void *values = (const char *)j->w->values + (size_t)panel * j->w->panel_bytes;
        vf scale = vf_load(j->w->scale + (size_t)panel * 16);
        for (int r = 0; r < j->n_rows; r++) {
            int32_t acc[16] = {0};
            float sums[16];
            sum_i8(j->q + r * j->ld_q, values, groups, acc);
            vf_store(sums, vf_mul(vf_from_i32(acc), vf_mul(vf_set1(j->row_scale[r]), scale)));
            finish_tile(j, r, panel, 1, 1, sums);
        }
    }
}

#ifdef STET_NEGATIVE_CONTROL
#define TABLE steti_kernels_control
extern const struct steti_kernels TABLE;
#else
#define TABLE steti_kernels_portable
#endif

const struct steti_kernels TABLE = {
    .isa = "portable",
    .text = "portable",
    .row_tile = 1, /* no reuse of weights between rows: every row costs the same */
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
