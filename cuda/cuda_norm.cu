/* cuda_norm.cu - layer norm and RMS norm, with the residual added first.
 *
 * A half warp a row: element i belongs to lane i mod 16, which is the CPU backend's order, and its
 * lane alone reads and writes it, so `out` may be an input.
 */
#include "cuda_kernels.h"
#include "dev.h"

DEV_FN float value_at(const float *x, const float *residual, int i)
{
    return residual != 0 ? x[i] + residual[i] : x[i];
}

DEV_KERNEL DEV_THREADS(128) steti_cuda_norm(struct steti_cuda_norm_args a)
{
    int row = (dev_block_x() * dev_n_threads() + dev_thread()) / 16;
    int lane = dev_thread() % 16, is_there = row < dev_rows(a.live, 0, a.n_rows);
    int d = is_there ? a.d : 0; /* half warps without a row take part in the sums */
    int64_t at = is_there ? (int64_t)row * a.d : 0;
    const float *x = a.x + at;
    const float *residual = a.residual != 0 ? a.residual + at : 0;
    float n = (float)a.d, sum = 0.0f, mean = 0.0f, squares = 0.0f, inv;
    for (int i = lane; i < d && !a.is_rms; i += 16) {
        sum = sum + value_at(x, residual, i);
    }
    sum = DEV_SUM16(sum);
    mean = a.is_rms ? 0.0f : dev_div(sum, n);
    for (int i = lane; i < d; i += 16) {
        float v = value_at(x, residual, i);
        v = a.is_rms ? v : v - mean;
        squares = dev_fma(v, v, squares);
    }
    squares = DEV_SUM16(squares);
    inv = dev_div(1.0f, dev_sqrt(dev_div(squares, n) + a.eps));
    for (int i = lane; i < d; i += 16) {
        float v = ((value_at(x, residual, i) - mean) * inv) * a.gamma[i];
        a.out[at + i] = a.beta != 0 && !a.is_rms ? v + a.beta[i] : v;
    }
}
