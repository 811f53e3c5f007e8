/* cuda_embed.cu - rows of the token table, gathered from its packed form: one block a row. */
#include "cuda_kernels.h"
#include "dev.h"

DEV_FN float half_at(const struct steti_cuda_weights *w, int id, int k)
{
    int64_t steps = (w->n_in + STETI_CUDA_STEP_BF16 - 1) / STETI_CUDA_STEP_BF16;
    int lane = id % 8 * 4 + k % 8 / 2;
    int word = k % 16 / 8 * 2 + id % 16 / 8;
    int64_t at = ((id / STETI_CUDA_PANEL_MMA * steps + k / 16) * 32 + lane) * 8 + word * 2;
    return dev_float((uint32_t)((const uint16_t *)w->values)[at + k % 2] << 16);
}

/* Element [id, k] of a packed matrix. */
DEV_FN float weight_at(const struct steti_cuda_weights *w, int id, int k)
{
    if (w->type == STETI_CUDA_BF16) {
        return half_at(w, id, k);
    } else if (w->type == STETI_CUDA_I8) {
        int64_t steps = (w->n_in + STETI_CUDA_STEP_I8 - 1) / STETI_CUDA_STEP_I8;
        int lane = id % 8 * 4 + k % 16 / 4;
        int word = k % 32 / 16 * 2 + id % 16 / 8;
        int64_t at = ((id / STETI_CUDA_PANEL_MMA * steps + k / 32) * 32 + lane) * 16 + word * 4;
        return (float)((const int8_t *)w->values)[at + k % 4] * w->scale[id];
    } else {
        int64_t panel = id / STETI_CUDA_PANEL_F32;
        int64_t at = (panel * w->n_in + k) * STETI_CUDA_PANEL_F32 + id % STETI_CUDA_PANEL_F32;
        return ((const float *)w->values)[at];
    }
}

DEV_KERNEL DEV_THREADS(128) steti_cuda_embed(struct steti_cuda_embed_args a)
{
    int row = dev_block_x(), id;
    const float *pos;
    float *out = a.out + (int64_t)row * a.d;
    if (row >= dev_rows(a.live, 0, a.n_rows)) { /* the same for all threads of the block */
        return;
    }
    id = a.ids[row];
    pos = a.positions != 0 ? a.positions + (int64_t)a.pos[row] * a.d : 0;
    for (int i = dev_thread(); i < a.d; i += dev_n_threads()) {
        float v = weight_at(&a.table, id, i) * a.scale;
        out[i] = pos != 0 ? v + pos[i] : v;
    }
}
