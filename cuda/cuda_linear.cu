/* cuda_linear.cu - products of the same rows with up to eight matrices, and int8 rows.
 *
 * Two schedules of the same sums (dev_gemm.h): `serial`, where a warp makes all chunks of its
 * outputs one after the other, and `chunked`, where the warps of a block make one chunk each and
 * the block adds them in ascending order. The second has more warps for few rows. The host chooses
 * by the number of rows; the bits are the same.
 */
#include "cuda_kernels.h"
#include "dev.h"
#include "dev_gemm.h"
#include "dev_math.h"

#define TINY_ROW 0x1p-100f /* 127 / amax of a smaller one would overflow */

DEV_KERNEL DEV_THREADS(128) steti_cuda_quantize(struct steti_cuda_quantize_args a)
{
    int row = (dev_block_x() * dev_n_threads() + dev_thread()) / 16;
    int lane = dev_thread() % 16, is_there = row < dev_rows(a.live, 0, a.n_rows);
    int n = is_there ? a.n_in : 0;
    int padded = (n + 63) / 64 * 64;
    const float *x = a.x + (is_there ? (int64_t)row * a.n_in : 0);
    int8_t *q = a.q + (is_there ? row * a.ld_q : 0);
    int bits = 0;
    float amax, inv = 0.0f, scale = 0.0f;
    for (int i = lane; i < n; i += 16) {
        int b = (int)(dev_bits(x[i]) & 0x7fffffffu);
        bits = b > bits ? b : bits;
    }
    bits = DEV_MAX_INT16(bits);
    amax = dev_float((uint32_t)bits);
    if ((uint32_t)bits >= DEV_INFINITY_BITS) {
        scale = dev_float(DEV_NAN_BITS); /* makes all outputs of the row NaN */
    } else if (amax >= TINY_ROW) {
        inv = dev_div(127.0f, amax);
        scale = dev_div(amax, 127.0f);
    }
    for (int i = lane; i < padded; i += 16) {
        q[i] = i < n && inv != 0.0f ? (int8_t)dev_round(x[i] * inv) : (int8_t)0;
    }
    if (lane == 0 && is_there) {
        a.scale[row] = scale;
    }
}

/* Block x: row x. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_narrow(struct steti_cuda_narrow_args a)
{
    int row = dev_block_x();
    int padded = (a.n_in + 63) / 64 * 64;
    const float *x = a.x + (int64_t)row * a.n_in;
    int n = row < dev_rows(a.live, 0, a.n_rows) ? padded : 0;
    for (int i = dev_thread(); i < n; i += dev_n_threads()) {
        a.h[row * a.ld_h + i] = i < a.n_in ? dev_narrow(x[i]) : (uint16_t)0;
    }
}

/* The part that a panel of all parts belongs to; *panel becomes its number there. */
DEV_FN int find_part(const struct steti_cuda_linear_args *a, int *panel)
{
    int i = 0, first = 0;
    while (i + 1 < a->n_parts && *panel >= a->part[i].panel_end) {
        first = a->part[i].panel_end;
        i++;
    }
    *panel -= first;
    return i;
}

/* ---- float32 --------------------------------------------------------------------------------- */

/* Block (x, y): panel x, four warps with 8 rows each from row 32 y. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_linear_f32_serial(struct steti_cuda_linear_args a)
{
    int panel = dev_block_x();
    const struct steti_cuda_linear_part *p = &a.part[find_part(&a, &panel)];
    int warp = dev_thread() / DEV_WARP;
    int row = (dev_block_y() * 4 + warp) * DEV_ROWS_F32;
    int rows = dev_rows_of_block(a.live, 0, a.n_rows, row, DEV_ROWS_F32);
    int column = panel * STETI_CUDA_PANEL_F32 + dev_thread() % DEV_WARP;
    if (rows > 0) { /* the same for all lanes of a warp */
        float sum[DEV_ROWS_F32];
        dev_sum_f32(a.x + (int64_t)row * a.n_in, a.n_in, rows, dev_panel_f32(&p->w, panel), a.chunk,
                    sum);
        DEV_UNROLL
        for (int r = 0; r < DEV_ROWS_F32; r++) {
            if (r < rows && column < p->w.n_out) {
                dev_finish(p, row + r, column, sum[r]);
            }
        }
    }
}

/* Adds the n chunks of one round, of `size` values each, to the sums of the block. */
DEV_FN void add_chunks(const float *chunks, int n, int is_first, int size, float *sums)
{
    for (int i = dev_thread(); i < size; i += dev_n_threads()) {
        float sum = is_first ? chunks[i] : sums[i] + chunks[i];
        for (int c = 1; c < n; c++) {
            sum = sum + chunks[c * size + i];
        }
        sums[i] = sum;
    }
}

/* Block (x, y): panel x, rows 8 y .. 8 y + 7, a chunk for every warp. */
DEV_KERNEL DEV_THREADS(256) steti_cuda_linear_f32_chunked(struct steti_cuda_linear_args a)
{
    DEV_SHARED(float, shared); /* sums of the block | chunks of a round */
    int panel = dev_block_x();
    const struct steti_cuda_linear_part *p = &a.part[find_part(&a, &panel)];
    int warp = dev_thread() / DEV_WARP, n_warps = dev_n_threads() / DEV_WARP;
    int lane = dev_thread() % DEV_WARP;
    int row = dev_block_y() * DEV_ROWS_F32;
    int rows = dev_rows_of_block(a.live, 0, a.n_rows, row, DEV_ROWS_F32);
    int size = DEV_ROWS_F32 * STETI_CUDA_PANEL_F32;
    int n_chunks = (a.n_in + a.chunk - 1) / a.chunk;
    float *chunks = shared + size;
    if (rows <= 0) { /* the same for all threads of the block */
        return;
    }
    for (int c = 0; c < n_chunks; c += n_warps) {
        int begin = (c + warp) * a.chunk;
        float sum[DEV_ROWS_F32];
        if (c + warp < n_chunks) {
            dev_chunk_f32(a.x + (int64_t)row * a.n_in, a.n_in, rows, dev_panel_f32(&p->w, panel),
                          begin, dev_chunk_end(begin, a.chunk, a.n_in), sum);
            DEV_UNROLL
            for (int r = 0; r < DEV_ROWS_F32; r++) {
                chunks[warp * size + r * STETI_CUDA_PANEL_F32 + lane] = sum[r];
            }
        }
        DEV_SYNC();
        add_chunks(chunks, n_chunks - c < n_warps ? n_chunks - c : n_warps, c == 0, size, shared);
        DEV_SYNC();
    }
    for (int i = dev_thread(); i < size; i += dev_n_threads()) {
        int column = panel * STETI_CUDA_PANEL_F32 + i % STETI_CUDA_PANEL_F32;
        if (i / STETI_CUDA_PANEL_F32 < rows && column < p->w.n_out) {
            dev_finish(p, row + i / STETI_CUDA_PANEL_F32, column, shared[i]);
        }
    }
}

/* ---- int8 ------------------------------------------------------------------------------------ */

DEV_FN void finish_i8(const struct steti_cuda_linear_args *a,
                      const struct steti_cuda_linear_part *p, int row, int column, int32_t sum)
{
    if (column < p->w.n_out) {
        dev_finish(p, row, column, dev_scale_i8(sum, a->row_scale[row], p->w.scale[column]));
    }
}

/* Block (x, y): panels 4 x .. 4 x + 3, one a warp, rows 32 y .. 32 y + 31. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_linear_i8_serial(struct steti_cuda_linear_args a)
{
    int lane = dev_thread() % DEV_WARP;
    int panel = dev_block_x() * 4 + dev_thread() / DEV_WARP;
    int row = dev_block_y() * DEV_ROWS_MMA;
    int rows = dev_rows_of_block(a.live, 0, a.n_rows, row, DEV_ROWS_MMA);
    if (rows <= 0) { /* the same for all threads of the block */
        return;
    }
    if (panel < a.part[a.n_parts - 1].panel_end) { /* the same for all lanes of a warp */
        const struct steti_cuda_linear_part *p = &a.part[find_part(&a, &panel)];
        int32_t sum[DEV_TILES_MMA][4] = {};
        dev_chunk_i8(a.q + row * a.ld_q, a.ld_q, rows, dev_panel_i8(&p->w, panel), 0,
                     dev_steps_i8(&p->w), sum);
        DEV_UNROLL
        for (int i = 0; i < DEV_TILES_MMA * 4; i++) {
            int r = i / 4 * 8 + lane % 4 * 2 + i % 2;
            if (r < rows) {
                finish_i8(&a, p, row + r, panel * STETI_CUDA_PANEL_MMA + lane / 4 + i % 4 / 2 * 8,
                          sum[i / 4][i % 4]);
            }
        }
    }
}

/* Block (x, y): panel x, rows 32 y .. 32 y + 31; the warps share the steps of K. */
DEV_KERNEL DEV_THREADS(256) steti_cuda_linear_i8_chunked(struct steti_cuda_linear_args a)
{
    DEV_SHARED(int32_t, shared); /* [warp][lane][16] */
    int panel = dev_block_x();
    const struct steti_cuda_linear_part *p = &a.part[find_part(&a, &panel)];
    int warp = dev_thread() / DEV_WARP, n_warps = dev_n_threads() / DEV_WARP;
    int row = dev_block_y() * DEV_ROWS_MMA;
    int rows = dev_rows_of_block(a.live, 0, a.n_rows, row, DEV_ROWS_MMA);
    int64_t steps = dev_steps_i8(&p->w);
    int32_t sum[DEV_TILES_MMA][4] = {};
    if (rows <= 0) { /* the same for all threads of the block */
        return;
    }
    dev_chunk_i8(a.q + row * a.ld_q, a.ld_q, rows, dev_panel_i8(&p->w, panel),
                 (int)(steps * warp / n_warps), (int)(steps * (warp + 1) / n_warps), sum);
    DEV_UNROLL
    for (int i = 0; i < DEV_TILES_MMA * 4; i++) {
        shared[i * dev_n_threads() + dev_thread()] = sum[i / 4][i % 4];
    }
    DEV_SYNC();
    for (int at = dev_thread(); at < DEV_TILES_MMA * 4 * DEV_WARP; at += dev_n_threads()) {
        int i = at / DEV_WARP, lane = at % DEV_WARP;
        int r = i / 4 * 8 + lane % 4 * 2 + i % 2;
        int32_t total = 0;
        for (int w = 0; w < n_warps; w++) {
            total += shared[i * dev_n_threads() + w * DEV_WARP + lane];
        }
        if (r < rows) {
            finish_i8(&a, p, row + r, panel * STETI_CUDA_PANEL_MMA + lane / 4 + i % 4 / 2 * 8,
                      total);
        }
    }
}

/* ---- bfloat16 -------------------------------------------------------------------------------- */

/* Element i of lane `lane` of a panel and 32 rows. */
DEV_FN void finish_bf16(const struct steti_cuda_linear_part *p, int panel, int lane, int i, int row,
                        int rows, float sum)
{
    int r = i / 4 * 8 + lane % 4 * 2 + i % 2;
    int column = panel * STETI_CUDA_PANEL_MMA + lane / 4 + i % 4 / 2 * 8;
    if (r < rows && column < p->w.n_out) {
        dev_finish(p, row + r, column, sum);
    }
}

/* As linear_i8_serial. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_linear_bf16_serial(struct steti_cuda_linear_args a)
{
    int panel = dev_block_x() * 4 + dev_thread() / DEV_WARP;
    int row = dev_block_y() * DEV_ROWS_MMA;
    int rows = dev_rows_of_block(a.live, 0, a.n_rows, row, DEV_ROWS_MMA);
    if (rows <= 0) { /* the same for all threads of the block */
        return;
    }
    if (panel < a.part[a.n_parts - 1].panel_end) { /* the same for all lanes of a warp */
        const struct steti_cuda_linear_part *p = &a.part[find_part(&a, &panel)];
        float sum[DEV_TILES_MMA][4];
        dev_sum_bf16(a.h + row * a.ld_q, a.ld_q, rows, dev_panel_bf16(&p->w, panel),
                     dev_steps_bf16(&p->w), a.chunk / STETI_CUDA_STEP_BF16, sum);
        DEV_UNROLL
        for (int i = 0; i < DEV_TILES_MMA * 4; i++) {
            finish_bf16(p, panel, dev_thread() % DEV_WARP, i, row, rows, sum[i / 4][i % 4]);
        }
    }
}

/* Block (x, y): panel x, rows 32 y .. 32 y + 31, a chunk for every warp. */
DEV_KERNEL DEV_THREADS(256) steti_cuda_linear_bf16_chunked(struct steti_cuda_linear_args a)
{
    DEV_SHARED(float, shared); /* sums of the block | chunks of a round, [16][lane] each */
    int panel = dev_block_x();
    const struct steti_cuda_linear_part *p = &a.part[find_part(&a, &panel)];
    int warp = dev_thread() / DEV_WARP, n_warps = dev_n_threads() / DEV_WARP;
    int lane = dev_thread() % DEV_WARP;
    int row = dev_block_y() * DEV_ROWS_MMA;
    int rows = dev_rows_of_block(a.live, 0, a.n_rows, row, DEV_ROWS_MMA);
    int size = DEV_TILES_MMA * 4 * DEV_WARP;
    int steps = dev_steps_bf16(&p->w), chunk = a.chunk / STETI_CUDA_STEP_BF16;
    int n_chunks = (steps + chunk - 1) / chunk;
    float *chunks = shared + size;
    if (rows <= 0) { /* the same for all threads of the block */
        return;
    }
    for (int c = 0; c < n_chunks; c += n_warps) {
        int begin = (c + warp) * chunk;
        if (c + warp < n_chunks) { /* the same for all lanes of a warp */
            float sum[DEV_TILES_MMA][4];
            dev_chunk_bf16(a.h + row * a.ld_q, a.ld_q, rows, dev_panel_bf16(&p->w, panel), begin,
                           dev_chunk_end(begin, chunk, steps), sum);
            DEV_UNROLL
            for (int i = 0; i < DEV_TILES_MMA * 4; i++) {
                chunks[warp * size + i * DEV_WARP + lane] = sum[i / 4][i % 4];
            }
        }
        DEV_SYNC();
        add_chunks(chunks, n_chunks - c < n_warps ? n_chunks - c : n_warps, c == 0, size, shared);
        DEV_SYNC();
    }
    for (int at = dev_thread(); at < size; at += dev_n_threads()) {
        finish_bf16(p, panel, at % DEV_WARP, at / DEV_WARP, row, rows, shared[at]);
    }
}
