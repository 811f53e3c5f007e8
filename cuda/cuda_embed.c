/* cuda_embed.c - see cuda_embed.cu. */
#include "cuda_internal.h"

stet_status steti_cuda_embed_op(struct steti_backend *b, const struct steti_embed_params *p,
                                stet_error *err)
{
    size_t bytes = (size_t)(p->n_rows > 0 ? p->n_rows : 0) * sizeof(int32_t);
    const void *ids = NULL, *pos = NULL;
    struct steti_cuda_embed_args a = {0};
    struct steti_cuda_launch l = {STETI_CUDA_embed, 0, 1, 128, 0, &a, sizeof a};
    STETI_TRY(steti_cuda_check_embed(b, p, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    STETI_TRY(steti_cuda_ready(b, err));
    STETI_TRY(steti_cuda_room(b, 2 * steti_cuda_staged_bytes(bytes), err));
    STETI_TRY(steti_cuda_stage(b, p->ids, bytes, &ids, err));
    if (p->positions != NULL) {
        STETI_TRY(steti_cuda_stage(b, p->pos, bytes, &pos, err));
    }
    a.table = p->table->view;
    a.ids = ids;
    a.pos = pos;
    a.positions = p->positions;
    a.out = p->out;
    a.live = steti_cuda_live(b);
    a.scale = p->scale;
    a.n_rows = p->n_rows;
    a.d = p->d;
    l.grid_x = (unsigned)p->n_rows;
    return steti_cuda_run(b, l, err);
}
