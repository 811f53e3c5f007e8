/* cuda_epilogue.cu - what a matrix library's sums become, and whether two results have the same
 * bits. The epilogue is the one of the own kernels (dev_math.h), element by element. */
#include "cuda_kernels.h"
#include "dev.h"
#include "dev_math.h"

#define ROWS 8   /* of a block of the epilogue */
#define WORDS 16 /* that a thread compares */

/* Block (x, y): a column for every thread, rows 8 y .. 8 y + 7. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_epilogue(struct steti_cuda_epilogue_args a)
{
    const struct steti_cuda_linear_part *p = &a.part;
    int column = dev_block_x() * dev_n_threads() + dev_thread();
    int begin = dev_block_y() * ROWS;
    int rows = dev_rows_of_block(a.live, 0, a.n_rows, begin, ROWS);
    for (int row = begin; row < begin + rows; row++) {
        if (column < p->w.n_out) {
            int64_t at = row * a.ld_raw + column;
            float v = p->w.type == STETI_CUDA_I8
                          ? dev_scale_i8(((const int32_t *)a.raw)[at], a.row_scale[row],
                                         p->w.scale[column])
                          : ((const float *)a.raw)[at];
            dev_finish(p, row, column, v);
        }
    }
}

/* Block x: words 2048 x .. 2048 x + 2047. All that find a difference write the same. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_differ(struct steti_cuda_differ_args a)
{
    int64_t at = (int64_t)dev_block_x() * dev_n_threads() * WORDS + dev_thread();
    int64_t n = (int64_t)dev_rows(a.live, 0, a.n_rows) * a.n_out;
    for (int i = 0; i < WORDS; i++, at += dev_n_threads()) {
        if (at < n && a.a[at] != a.b[at]) {
            *a.found = 1;
        }
    }
}
