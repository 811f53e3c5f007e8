/* cuda_norm.c - see cuda_norm.cu. */
#include "cuda_internal.h"

#define THREADS 128 /* eight rows a block */

stet_status steti_cuda_norm_op(struct steti_backend *b, const struct steti_norm_params *p,
                               stet_error *err)
{
    struct steti_cuda_norm_args a = {
        .x = p->x,
        .residual = p->residual,
        .gamma = p->gamma,
        .beta = p->beta,
        .out = p->out,
        .live = steti_cuda_live(b),
        .eps = p->eps,
        .n_rows = p->n_rows,
        .d = p->d,
        .is_rms = p->kind == STETI_NORM_RMS,
    };
    struct steti_cuda_launch l = {STETI_CUDA_norm, 0, 1, THREADS, 0, &a, sizeof a};
    STETI_TRY(steti_check_norm(p, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    STETI_TRY(steti_cuda_ready(b, err));
    l.grid_x = (unsigned)steti_cuda_blocks(p->n_rows, THREADS / 16);
    return steti_cuda_run(b, l, err);
}
