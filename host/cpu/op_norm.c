/* op_norm.c - layer norm and RMS norm, with the residual added first. */
#include "cpu_internal.h"

struct norm_job {
    const struct steti_kernels *k;
    const struct steti_norm_params *p;
};

static void norm_share(void *ctx, int part, int n_parts)
{
    const struct norm_job *j = ctx;
    int begin, end;
    steti_cpu_share(j->p->n_rows, 1, part, n_parts, &begin, &end);
    for (int r = begin; r < end; r++) {
        j->k->norm_row(j->p, r);
    }
}

stet_status steti_cpu_norm(struct steti_backend *b, const struct steti_norm_params *p,
                           stet_error *err)
{
    struct norm_job j = {b->k, p};
    STETI_TRY(steti_check_norm(p, err));
    steti_pool_run(b->pool, norm_share, &j, steti_cpu_parts(b, (int64_t)p->n_rows * p->d * 8));
    return STET_OK;
}
