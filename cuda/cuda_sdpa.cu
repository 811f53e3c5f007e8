/* cuda_sdpa.cu - float32 rows to what a library's attention takes, and its results back. */
#include "cuda_kernels.h"
#include "dev.h"
#include "dev_math.h"

DEV_FN void narrow_row(const float *from, uint16_t *to, int width)
{
    for (int i = dev_thread(); i < width; i += dev_n_threads()) {
        to[i] = dev_narrow(from[i]);
    }
}

/* Block (x, y): row x and key x of entry y. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_sdpa_pack(struct steti_cuda_sdpa_pack_args a)
{
    int j = dev_block_x(), e = dev_block_y();
    int row = a.row_begin[e] / a.width + j;
    if (j < a.rows[e] && row < dev_rows(a.live, 0, a.n_rows)) {
        narrow_row(a.q + row * a.ld_q, a.to_q + (int64_t)row * a.width, a.width);
    }
    if (j < a.keys[e]) {
        int64_t from = ((int64_t)a.key_source[e] + j) * a.ld_kv;
        int64_t to = a.key_begin[e] + (int64_t)j * a.width;
        narrow_row(a.k + from, a.to_k + to, a.width);
        narrow_row(a.v + from, a.to_v + to, a.width);
    }
}

/* Block x: row x. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_sdpa_unpack(struct steti_cuda_sdpa_unpack_args a)
{
    int row = dev_block_x();
    int n = row < dev_rows(a.live, 0, a.n_rows) ? a.width : 0;
    for (int i = dev_thread(); i < n; i += dev_n_threads()) {
        a.out[row * a.ld_out + i] = dev_float((uint32_t)a.h[(int64_t)row * a.width + i] << 16);
    }
}
