/* cuda_embed.cu - rows of the token table, gathered from its packed form: one block a row. */
#include "cuda_kernels.h"
#include "dev.h"

/* Element [id, k] of a packed matrix. */
DEV_FN float weight_at(const struct steti_cuda_weights *w, int id, int k)
{
    if (w->is_i8) {
        int64_t steps = (w->n_in + STETI_CUDA_STEP_I8 - 1) / STETI_CUDA_STEP_I8;
        int lane = id % 8 * 4 + k % 16 / 4;
        int word = k % 32 / 16 * 2 + id % 16 / 8;
        int64_t at = ((id / STETI_CUDA_PANEL_I8 * steps + k / 32) * 32 + lane) * 16 + word * 4;
        return (float)((const int8_t *)w->values)[at + k % 4] * w->scale[id];
    } else {
        int64_t panel = id / STETI_CUDA_PANEL_F32;
        int64_t at = (panel * w->n_in + k) * STETI_CUDA_PANEL_F32 + id % STETI_CUDA_PANEL_F32;
        return ((const float *)w->values)[at];
    }
}

DEV_KERNEL DEV_THREADS(128) steti_cuda_embed(struct steti_cuda_embed_args a)
{
    int row = dev_block_x();
    int id = a.ids[row];
    const float *pos = a.positions != 0 ? a.positions + (int64_t)a.pos[row] * a.d : 0;
    float *out = a.out + (int64_t)row * a.d;
    for (int i = dev_thread(); i < a.d; i += dev_n_threads()) {
        float v = weight_at(&a.table, id, i) * a.scale;
        out[i] = pos != 0 ? v + pos[i] : v;
    }
}
