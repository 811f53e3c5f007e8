/* op_embed.c - rows of the token table, gathered from its packed form. */
#include "cpu_internal.h"

struct embed_job {
    const struct steti_kernels *k;
    const struct steti_embed_params *p;
};

static void embed_share(void *ctx, int part, int n_parts)
{
    const struct embed_job *j = ctx;
    int begin, end;
    steti_cpu_share(j->p->n_rows, 1, part, n_parts, &begin, &end);
    for (int r = begin; r < end; r++) {
        j->k->embed_row(j->p, r);
    }
}

stet_status steti_cpu_embed(struct steti_backend *b, const struct steti_embed_params *p,
                            stet_error *err)
{
    struct embed_job j = {b->k, p};
    STETI_TRY(steti_check_embed(p, err));
    /* A gathered value costs about as much as eight multiply-adds of a product. */
    steti_pool_run(b->pool, embed_share, &j, steti_cpu_parts(b, (int64_t)p->n_rows * p->d * 8));
    return STET_OK;
}
