/* cuda_attention.c - see cuda_attention.cu. */
#include "cuda_internal.h"
#include "cuda_sdpa.h"

#define MOST_WARPS 4

/* Keys of the row that has most, or that any row of a replay may have. */
static int most_keys(const struct steti_backend *b, const struct steti_attention_params *p)
{
    int most = b->making != NULL ? b->limits.max_keys : 0;
    for (int r = 0; b->making == NULL && r < p->n_rows; r++) {
        int n = p->key_count[r] + (p->tail_count != NULL ? p->tail_count[r] : 0);
        most = n > most ? n : most;
    }
    return most;
}

static stet_status stage_rows(struct steti_backend *b, const struct steti_attention_params *p,
                              struct steti_cuda_attention_args *a, stet_error *err)
{
    size_t bytes = (size_t)p->n_rows * sizeof(int32_t);
    const void *at[5] = {NULL, NULL, NULL, NULL, NULL};
    STETI_TRY(steti_cuda_room(b, 5 * steti_cuda_staged_bytes(bytes), err));
    STETI_TRY(steti_cuda_stage(b, p->key_begin, bytes, &at[0], err));
    STETI_TRY(steti_cuda_stage(b, p->key_count, bytes, &at[1], err));
    STETI_TRY(steti_cuda_stage(b, p->tail_begin, bytes, &at[2], err));
    STETI_TRY(steti_cuda_stage(b, p->tail_count, bytes, &at[3], err));
    if (p->bias != NULL) {
        STETI_TRY(steti_cuda_stage(b, p->query_pos, bytes, &at[4], err));
    }
    a->key_begin = at[0];
    a->key_count = at[1];
    a->tail_begin = at[2];
    a->tail_count = at[3];
    a->query_pos = at[4];
    return STET_OK;
}

stet_status steti_cuda_own_attention(struct steti_backend *b,
                                     const struct steti_attention_params *p, stet_error *err)
{
    struct steti_cuda_attention_args a = {
        .q = p->q,
        .k = p->k,
        .v = p->v,
        .bias = p->bias,
        .out = p->out,
        .live = steti_cuda_live(b),
        .ld_q = p->ld_q,
        .ld_kv = p->ld_kv,
        .ld_out = p->ld_out,
        .scale = p->scale,
        .n_rows = p->n_rows,
        .n_heads = p->n_heads,
        .head_dim = p->head_dim,
        .ld_bias = p->ld_bias,
        .bias_zero = p->bias_zero,
    };
    struct steti_cuda_launch l = {STETI_CUDA_attention, 0, 1, 0, 0, &a, sizeof a};
    size_t warps, warp_bytes;
    STETI_TRY(stage_rows(b, p, &a, err));
    a.ld_scores = most_keys(b, p);
    warp_bytes = (size_t)a.ld_scores * sizeof(float);
    warps = b->props.shared_bytes / warp_bytes; /* at least one: reserve checked it */
    warps = warps < MOST_WARPS ? warps : MOST_WARPS;
    l.threads = (unsigned)warps * 32;
    l.shared_bytes = warps * warp_bytes;
    l.grid_x = (unsigned)steti_cuda_blocks((int64_t)p->n_rows * p->n_heads, (int64_t)warps);
    return steti_cuda_run(b, l, err);
}

stet_status steti_cuda_attention_op(struct steti_backend *b, const struct steti_attention_params *p,
                                    stet_error *err)
{
    STETI_TRY(steti_cuda_check_attention(b, p, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    STETI_TRY(steti_cuda_ready(b, err));
    return steti_cuda_sdpa_takes(b, p) ? steti_cuda_sdpa_op(b, p, err)
                                       : steti_cuda_own_attention(b, p, err);
}
