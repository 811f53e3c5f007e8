/* cuda_argmax.cu - the product with the vocabulary, looked at tile by tile and not kept.
 *
 * A block makes the values of one tile of 256 ids and some rows in shared memory, adjusts them and
 * leaves a tile's best. A second kernel merges: tiles of a segment in ascending order, then the
 * segments in ascending order, which is the CPU backend's order of sums.
 */
#include "cuda_kernels.h"
#include "dev.h"
#include "dev_gemm.h"
#include "dev_math.h"

DEV_FN float finish_value(const struct steti_cuda_argmax_args *a, int id, float v)
{
    v = v * a->scale;
    return a->bias != 0 ? v + a->bias[id] : v;
}

/* Applies row r's adjustments to the n values of ids first ... */
DEV_FN void adjust_values(const struct steti_cuda_argmax_args *a, int r, int first, int n,
                          float *values)
{
    int i = a->adjust_begin[r], end = a->adjust_begin[r + 1];
    for (int step = end - i; step > 0;) { /* the first that is not below `first` */
        int half = step / 2;
        if (a->adjust[i + half].id < first) {
            i += half + 1;
            step -= half + 1;
        } else {
            step = half;
        }
    }
    for (i += dev_thread() % DEV_WARP; i < end && a->adjust[i].id < first + n; i += DEV_WARP) {
        float *v = &values[a->adjust[i].id - first];
        float factor = a->adjust[i].factor;
        if (factor < 0.0f) {
            *v = -dev_float(DEV_INFINITY_BITS);
        } else {
            *v = *v > 0.0f ? dev_div(*v, factor) : *v * factor;
        }
    }
}

/* The best of n values of ids first ..., by one warp. */
DEV_FN struct steti_cuda_best scan_values(const float *values, int n, int first, int want_sum)
{
    struct steti_cuda_best best;
    int lane = dev_thread() % DEV_WARP, magnitude = 0, lowest = -0x7fffffff;
    float top = -dev_float(DEV_INFINITY_BITS), sum = 0.0f;
    for (int i = lane; i < n; i += DEV_WARP) {
        int bits = (int)(dev_bits(values[i]) & 0x7fffffffu);
        magnitude = bits > magnitude ? bits : magnitude;
        top = dev_max(values[i], top);
    }
    best.nan = (uint32_t)DEV_MAX_INT(magnitude) > DEV_INFINITY_BITS;
    top = DEV_MAX_WARP(top);
    for (int i = lane; i < n && lowest == -0x7fffffff; i += DEV_WARP) {
        lowest = values[i] == top ? -i : lowest;
    }
    lowest = DEV_MAX_INT(lowest);
    for (int i = lane % 16; i < n && want_sum && top > -dev_float(DEV_INFINITY_BITS); i += 16) {
        sum = sum + dev_exp(values[i] - top);
    }
    best.sum = DEV_SUM16(sum);
    best.value = top;
    best.id = lowest == -0x7fffffff ? -1 : first - lowest;
    return best;
}

/* Looks at the values [rows][256] of the block's tile; a warp takes every n_warps-th row. */
DEV_FN void scan_tile(const struct steti_cuda_argmax_args *a, int row, int rows, float *values)
{
    int tile = a->first_tile + dev_block_x();
    int first = tile * STETI_CUDA_TILE;
    int n = a->table.n_out - first < STETI_CUDA_TILE ? a->table.n_out - first : STETI_CUDA_TILE;
    int lane = dev_thread() % DEV_WARP;
    for (int r = dev_thread() / DEV_WARP; r < rows; r += dev_n_threads() / DEV_WARP) {
        float *v = values + r * STETI_CUDA_TILE;
        struct steti_cuda_best best;
        if (a->adjust != 0) {
            adjust_values(a, row + r, first, n, v);
        }
        DEV_SYNC_WARP();
        for (int i = lane; i < n && a->logits != 0; i += DEV_WARP) {
            a->logits[(row + r) * a->ld_logits + dev_block_x() * STETI_CUDA_TILE + i] = v[i];
        }
        best = scan_values(v, n, first, a->want_sum);
        if (lane == 0) {
            a->tile[(int64_t)(row + r) * a->n_tiles + tile] = best;
        }
    }
}

/* Block (x, y): tile first_tile + x, rows 8 y .. 8 y + 7; a panel of 32 ids for each of 8 warps. */
DEV_KERNEL DEV_THREADS(256) steti_cuda_argmax_f32(struct steti_cuda_argmax_args a)
{
    DEV_SHARED(float, values); /* [8][256] */
    int warp = dev_thread() / DEV_WARP, lane = dev_thread() % DEV_WARP;
    int row = dev_block_y() * DEV_ROWS_F32;
    int rows = dev_rows_of_block(a.live, a.first_row, a.n_rows, row, DEV_ROWS_F32);
    int panel = (a.first_tile + dev_block_x()) * (STETI_CUDA_TILE / STETI_CUDA_PANEL_F32) + warp;
    int id = panel * STETI_CUDA_PANEL_F32 + lane;
    if (rows <= 0) { /* the same for all threads of the block */
        return;
    }
    if (panel * STETI_CUDA_PANEL_F32 < a.table.n_out) {
        float sum[DEV_ROWS_F32];
        dev_sum_f32(a.x + (int64_t)row * a.table.n_in, a.table.n_in, rows,
                    dev_panel_f32(&a.table, panel), a.chunk, sum);
        DEV_UNROLL
        for (int r = 0; r < DEV_ROWS_F32; r++) {
            if (id < a.table.n_out) {
                values[r * STETI_CUDA_TILE + dev_thread()] = finish_value(&a, id, sum[r]);
            }
        }
    }
    DEV_SYNC();
    scan_tile(&a, row, rows, values);
}

DEV_FN void put_value_i8(const struct steti_cuda_argmax_args *a, int row, int rows, int id,
                         int32_t sum, float *values)
{
    if (row < rows && id < a->table.n_out) {
        int global_row = dev_block_y() * DEV_ROWS_MMA + row;
        float v = (float)sum * (a->row_scale[global_row] * a->table.scale[id]);
        values[row * STETI_CUDA_TILE + id % STETI_CUDA_TILE] = finish_value(a, id, v);
    }
}

/* Block (x, y): tile first_tile + x, rows 32 y .. 32 y + 31; two panels of 16 ids a warp. */
DEV_KERNEL DEV_THREADS(256) steti_cuda_argmax_i8(struct steti_cuda_argmax_args a)
{
    DEV_SHARED(float, values); /* [32][256] */
    int warp = dev_thread() / DEV_WARP, lane = dev_thread() % DEV_WARP;
    int row = dev_block_y() * DEV_ROWS_MMA;
    int rows = dev_rows_of_block(a.live, a.first_row, a.n_rows, row, DEV_ROWS_MMA);
    int panel = (a.first_tile + dev_block_x()) * (STETI_CUDA_TILE / STETI_CUDA_PANEL_MMA) + warp;
    if (rows <= 0) { /* the same for all threads of the block */
        return;
    }
    for (int i = 0; i < 2; i++, panel += 8) {
        if (panel * STETI_CUDA_PANEL_MMA < a.table.n_out) { /* the same for all lanes of a warp */
            int32_t sum[DEV_TILES_MMA][4] = {};
            dev_chunk_i8(a.q + row * a.ld_q, a.ld_q, rows, dev_panel_i8(&a.table, panel), 0,
                         dev_steps_i8(&a.table), sum);
            DEV_UNROLL
            for (int e = 0; e < DEV_TILES_MMA * 4; e++) {
                put_value_i8(&a, e / 4 * 8 + lane % 4 * 2 + e % 2, rows,
                             panel * STETI_CUDA_PANEL_MMA + lane / 4 + e % 4 / 2 * 8,
                             sum[e / 4][e % 4], values);
            }
        }
    }
    DEV_SYNC();
    scan_tile(&a, row, rows, values);
}

/* As argmax_i8. */
DEV_KERNEL DEV_THREADS_OF_TWO(256) steti_cuda_argmax_bf16(struct steti_cuda_argmax_args a)
{
    DEV_SHARED(float, values); /* [32][256] */
    int warp = dev_thread() / DEV_WARP, lane = dev_thread() % DEV_WARP;
    int row = dev_block_y() * DEV_ROWS_MMA;
    int rows = dev_rows_of_block(a.live, a.first_row, a.n_rows, row, DEV_ROWS_MMA);
    int panel = (a.first_tile + dev_block_x()) * (STETI_CUDA_TILE / STETI_CUDA_PANEL_MMA) + warp;
    if (rows <= 0) { /* the same for all threads of the block */
        return;
    }
    for (int i = 0; i < 2; i++, panel += 8) {
        if (panel * STETI_CUDA_PANEL_MMA < a.table.n_out) { /* the same for all lanes of a warp */
            float sum[DEV_TILES_MMA][4];
            dev_sum_bf16(a.h + row * a.ld_q, a.ld_q, rows, dev_panel_bf16(&a.table, panel),
                         dev_steps_bf16(&a.table), a.chunk / STETI_CUDA_STEP_BF16, sum);
            DEV_UNROLL
            for (int e = 0; e < DEV_TILES_MMA * 4; e++) {
                int r = e / 4 * 8 + lane % 4 * 2 + e % 2;
                int id = panel * STETI_CUDA_PANEL_MMA + lane / 4 + e % 4 / 2 * 8;
                if (r < rows && id < a.table.n_out) {
                    values[r * STETI_CUDA_TILE + id % STETI_CUDA_TILE] =
                        finish_value(&a, id, sum[e / 4][e % 4]);
                }
            }
        }
    }
    DEV_SYNC();
    scan_tile(&a, row, rows, values);
}

/* *a becomes the best of both; b stands later in the vocabulary. */
DEV_FN void merge_best(struct steti_cuda_best *a, const struct steti_cuda_best *b)
{
    int32_t nan = a->nan | b->nan;
    if (a->id < 0 && b->id >= 0) {
        *a = *b;
    } else if (b->id >= 0 && b->value > a->value) {
        a->sum = dev_fma(a->sum, dev_exp(a->value - b->value), b->sum);
        a->value = b->value;
        a->id = b->id;
    } else if (b->id >= 0 && b->sum > 0.0f) {
        a->sum = dev_fma(b->sum, dev_exp(b->value - a->value), a->sum);
    }
    a->nan = nan;
}

/* Block x: row x; a segment for every thread. */
DEV_KERNEL DEV_THREADS(STETI_CUDA_SEGMENTS) steti_cuda_argmax_merge(struct steti_cuda_argmax_args a)
{
    DEV_SHARED(struct steti_cuda_best, segment);
    int i = dev_thread();
    const struct steti_cuda_best *tiles = a.tile + (int64_t)dev_block_x() * a.n_tiles;
    struct steti_cuda_best best = {-dev_float(DEV_INFINITY_BITS), 0.0f, -1, 0};
    if (dev_block_x() >= dev_rows(a.live, a.first_row, a.n_rows)) { /* the same for the block */
        return;
    }
    for (int t = i * a.tiles_per_segment; t < a.n_tiles && t < (i + 1) * a.tiles_per_segment; t++) {
        merge_best(&best, &tiles[t]);
    }
    segment[i] = best;
    DEV_SYNC();
    if (i == 0) {
        for (int s = 1; s < STETI_CUDA_SEGMENTS; s++) {
            merge_best(&best, &segment[s]);
        }
        a.best[dev_block_x()] = best;
    }
}
