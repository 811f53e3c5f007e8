/* op_attention.c - one job for every row and head; threads take stretches of rows times heads. */
#include "cpu_internal.h"

struct attention_job {
    struct steti_backend *b;
    const struct steti_attention_params *p;
};

static const float *bias_of(const struct steti_attention_params *p, int row, int head)
{
    if (p->bias == NULL) {
        return NULL;
    }
    return p->bias + (int64_t)head * p->ld_bias + p->bias_zero - p->query_pos[row];
}

static void attention_share(void *ctx, int part, int n_parts)
{
    const struct attention_job *a = ctx;
    const struct steti_attention_params *p = a->p;
    int begin, end;
    steti_cpu_share(p->n_rows * p->n_heads, 1, part, n_parts, &begin, &end);
    for (int i = begin; i < end; i++) {
        int row = i / p->n_heads;
        int column = i % p->n_heads * p->head_dim;
        int64_t keys = p->key_begin[row] * p->ld_kv + column;
        int n_tail = p->tail_count != NULL ? p->tail_count[row] : 0;
        int64_t tail = n_tail > 0 ? p->tail_begin[row] * p->ld_kv + column : keys;
        struct steti_attend_job j = {
            .head_dim = p->head_dim,
            .count = {p->key_count[row], n_tail},
            .scale = p->scale,
            .q = p->q + row * p->ld_q + column,
            .k = {p->k + keys, p->k + tail},
            .v = {p->v + keys, p->v + tail},
            .ld_kv = p->ld_kv,
            .bias = bias_of(p, row, i % p->n_heads),
            .scores = a->b->scores + part * a->b->ld_scores,
            .out = p->out + row * p->ld_out + column,
        };
        a->b->k->attend(&j);
    }
}

stet_status steti_cpu_attention(struct steti_backend *b, const struct steti_attention_params *p,
                                stet_error *err)
{
    struct attention_job j = {b, p};
    int64_t macs = 0;
    STETI_TRY(steti_check_attention(p, &b->limits, err));
    for (int r = 0; r < p->n_rows; r++) {
        int64_t keys = p->key_count[r] + (p->tail_count != NULL ? p->tail_count[r] : 0);
        macs += keys * p->n_heads * p->head_dim * 2;
    }
    /* Float dot products with their reductions: about eight times the cost of an int8
     * multiply-add. */
    steti_pool_run(b->pool, attention_share, &j, steti_cpu_parts(b, macs * 8));
    return STET_OK;
}
