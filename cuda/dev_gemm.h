/* dev_gemm.h - what one warp does of a matrix product: a chunk of K for a panel of outputs.
 *
 * THE ORDER OF SUMS. Inputs are cut into chunks of fixed length. A chunk's sum is one chain of
 * fused multiply-adds over ascending k, from 0; the chunks' sums are added in ascending order,
 * beginning with the first one as it is. Which warp makes which chunk does not show. Integer sums
 * are exact and need no order. With bfloat16 a chunk is a chain of mma over ascending steps of 16
 * inputs, from 0; inside a step the hardware has an order of its own, which is the same for all
 * rows.
 */
#ifndef STETI_DEV_GEMM_H
#define STETI_DEV_GEMM_H

#include "cuda_kernels.h"
#include "dev.h"

/* Rows that a warp does at once. */
#define DEV_ROWS_F32 8
#define DEV_TILES_MMA 4 /* of 8 rows */
#define DEV_ROWS_MMA 32

/* The last chunk may be shorter. */
DEV_FN int dev_chunk_end(int begin, int chunk, int n)
{
    return begin + chunk < n ? begin + chunk : n;
}

/* sum[r] of the output of this lane, rows x[0 .. rows), k in [begin, end). Rows that are not there
 * have the sum 0. */
DEV_FN void dev_chunk_f32(const float *x, int n_in, int rows, const float *panel, int begin,
                          int end, float *sum)
{
    const float *w = panel + (int64_t)begin * STETI_CUDA_PANEL_F32 + dev_thread() % DEV_WARP;
    const float *from[DEV_ROWS_F32];
    DEV_UNROLL
    for (int r = 0; r < DEV_ROWS_F32; r++) {
        from[r] = x + (int64_t)r * n_in;
        sum[r] = 0.0f;
    }
    for (int k = begin; k < end; k++, w += STETI_CUDA_PANEL_F32) {
        DEV_UNROLL
        for (int r = 0; r < DEV_ROWS_F32; r++) {
            if (r < rows) { /* the same for all lanes */
                sum[r] = dev_fma(from[r][k], *w, sum[r]);
            }
        }
    }
}

/* All chunks of one panel, in order. */
DEV_FN void dev_sum_f32(const float *x, int n_in, int rows, const float *panel, int chunk,
                        float *sum)
{
    dev_chunk_f32(x, n_in, rows, panel, 0, dev_chunk_end(0, chunk, n_in), sum);
    for (int k = chunk; k < n_in; k += chunk) {
        float next[DEV_ROWS_F32];
        dev_chunk_f32(x, n_in, rows, panel, k, dev_chunk_end(k, chunk, n_in), next);
        DEV_UNROLL
        for (int r = 0; r < DEV_ROWS_F32; r++) {
            sum[r] = sum[r] + next[r];
        }
    }
}

/* sum[tile][4] += the products of steps [begin, end) of a panel with rows q[0 .. rows), in the
 * layout of DEV_MMA_S8: element i of tile j is output g + i / 2 * 8 of row 8 j + 2 t + i % 2. Rows
 * that are not there count as zeros. */
DEV_FN void dev_chunk_i8(const int8_t *q, int64_t ld_q, int rows, const int8_t *panel, int begin,
                         int end, int32_t sum[DEV_TILES_MMA][4])
{
    int lane = dev_thread() % DEV_WARP;
    int tiles = (rows + 7) / 8;
    for (int step = begin; step < end; step++) {
        uint32_t a[4];
        dev_load_16(a, panel + ((int64_t)step * DEV_WARP + lane) * 16);
        DEV_UNROLL
        for (int j = 0; j < DEV_TILES_MMA; j++) {
            if (j < tiles) { /* the same for all lanes */
                int row = j * 8 + lane / 4;
                const int8_t *from = q + row * ld_q + step * STETI_CUDA_STEP_I8 + lane % 4 * 4;
                uint32_t b[2] = {0, 0};
                if (row < rows) {
                    b[0] = dev_load_4(from);
                    b[1] = dev_load_4(from + 16);
                }
                DEV_MMA_S8(sum[j], a, b);
            }
        }
    }
}

/* sum[tile][4] = the products of steps [begin, end), from 0, in the layout of dev_chunk_i8. */
DEV_FN void dev_chunk_bf16(const uint16_t *h, int64_t ld_h, int rows, const uint16_t *panel,
                           int begin, int end, float sum[DEV_TILES_MMA][4])
{
    int lane = dev_thread() % DEV_WARP;
    int tiles = (rows + 7) / 8;
    DEV_UNROLL
    for (int i = 0; i < DEV_TILES_MMA * 4; i++) {
        sum[i / 4][i % 4] = 0.0f;
    }
    for (int step = begin; step < end; step++) {
        uint32_t a[4];
        dev_load_16(a, panel + ((int64_t)step * DEV_WARP + lane) * 8);
        DEV_UNROLL
        for (int j = 0; j < DEV_TILES_MMA; j++) {
            if (j < tiles) { /* the same for all lanes */
                int row = j * 8 + lane / 4;
                const uint16_t *from = h + row * ld_h + step * STETI_CUDA_STEP_BF16 + lane % 4 * 2;
                uint32_t b[2] = {0, 0};
                if (row < rows) {
                    b[0] = dev_load_4(from);
                    b[1] = dev_load_4(from + 8);
                }
                DEV_MMA_BF16(sum[j], a, b);
            }
        }
    }
}

/* All chunks of one panel, in order; n and chunk count steps. */
DEV_FN void dev_sum_bf16(const uint16_t *h, int64_t ld_h, int rows, const uint16_t *panel, int n,
                         int chunk, float sum[DEV_TILES_MMA][4])
{
    dev_chunk_bf16(h, ld_h, rows, panel, 0, dev_chunk_end(0, chunk, n), sum);
    for (int step = chunk; step < n; step += chunk) {
        float next[DEV_TILES_MMA][4];
        dev_chunk_bf16(h, ld_h, rows, panel, step, dev_chunk_end(step, chunk, n), next);
        DEV_UNROLL
        for (int i = 0; i < DEV_TILES_MMA * 4; i++) {
            sum[i / 4][i % 4] = sum[i / 4][i % 4] + next[i / 4][i % 4];
        }
    }
}

DEV_FN const float *dev_panel_f32(const struct steti_cuda_weights *w, int panel)
{
    return (const float *)w->values + (int64_t)panel * w->n_in * STETI_CUDA_PANEL_F32;
}

DEV_FN int dev_steps_i8(const struct steti_cuda_weights *w)
{
    return (w->n_in + STETI_CUDA_STEP_I8 - 1) / STETI_CUDA_STEP_I8;
}

DEV_FN int dev_steps_bf16(const struct steti_cuda_weights *w)
{
    return (w->n_in + STETI_CUDA_STEP_BF16 - 1) / STETI_CUDA_STEP_BF16;
}

DEV_FN const uint16_t *dev_panel_bf16(const struct steti_cuda_weights *w, int panel)
{
    return (const uint16_t *)w->values +
           (int64_t)panel * dev_steps_bf16(w) * (STETI_CUDA_STEP_BYTES / 2);
}

DEV_FN const int8_t *dev_panel_i8(const struct steti_cuda_weights *w, int panel)
{
    return (const int8_t *)w->values + (int64_t)panel * dev_steps_i8(w) * STETI_CUDA_STEP_BYTES;
}

#endif
