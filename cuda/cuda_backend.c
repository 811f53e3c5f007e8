/* cuda_backend.c - opening, memory and the table of functions. */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "cuda_blas.h"
#include "cuda_internal.h"
#include "cuda_sdpa.h"

const struct steti_cuda_tuning steti_cuda_default_tuning = {
    .chunk = STETI_CUDA_CHUNK,
    .chunked_rows = STETI_CUDA_CHUNKED_ROWS,
    .blas_rows = STETI_CUDA_BLAS_ROWS,
    .blas_probe_rows = STETI_CUDA_BLAS_PROBE_ROWS,
};

/* ---- Opening --------------------------------------------------------------------------------- */

static void cuda_close(struct steti_backend *b)
{
    if (b == NULL) {
        return;
    }
    /* Failures have no place to be reported, and what is broken is freed as far as it goes. */
    b->rt->bind(b->device);
    steti_cuda_give_up_recording(b);
    if (b->stream != NULL) {
        b->rt->sync(b->stream);
    }
    steti_cuda_library_close(b);
    steti_cuda_free_sdpa(b);
    steti_cuda_drop_scratch(b, b->scratch);
    b->rt->mem_free(b->ring.device);
    b->rt->pinned_free(b->ring.host);
    b->rt->pinned_free(b->result);
    if (b->stream != NULL) {
        b->rt->device_close(b->stream);
    }
    steti_free(b);
}

static stet_status open_device(struct steti_backend *b, stet_error *err)
{
    void *ring = NULL;
    STETI_TRY(steti_cuda_check(b, b->rt->device_open(b->device, &b->props, &b->stream),
                               "opening the device", err));
    STETI_TRY(steti_cuda_ready(b, err));
    STETI_TRY(steti_cuda_pinned(b, STETI_CUDA_RESULT_BYTES, &b->result, err));
    STETI_TRY(steti_cuda_pinned(b, STETI_CUDA_RING_BYTES, &ring, err));
    b->ring.host = ring;
    STETI_TRY(steti_cuda_alloc(b, STETI_CUDA_RING_BYTES, "row numbers", &ring, err));
    b->ring.device = ring;
    return STET_OK;
}

stet_status steti_cuda_open_with(const struct steti_cuda_runtime *rt, int device,
                                 const struct steti_cuda_tuning *tuning, struct steti_backend **out,
                                 stet_error *err)
{
    struct steti_backend *b = steti_calloc(1, sizeof *b);
    stet_status st;
    *out = NULL;
    if (b == NULL) {
        return steti_fail_nomem(err, "the cuda backend", sizeof *b);
    }
    b->rt = rt;
    b->device = device;
    b->tuning = *tuning;
    b->tile_bytes = STETI_CUDA_TILE_BYTES;
    st = open_device(b, err);
    if (st != STET_OK) {
        cuda_close(b);
        return st;
    }
    steti_cuda_library_open(b);
    *out = b;
    return STET_OK;
}

static void cuda_caps(const struct steti_backend *b, struct steti_backend_caps *out)
{
    const struct steti_blas *blas = b->library.handle != NULL ? b->tuning.blas : NULL;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "cuda (%.30s, sm_%d%d%s%.12s)", b->props.name,
             b->props.major, b->props.minor, blas != NULL ? ", " : "",
             blas != NULL ? blas->name : "");
    /* The rows of one block of the int8 products: the weights are read once for all of them. */
    out->row_tile = 32;
    out->threads = 1;
    out->weight_bytes = b->weight_bytes;
    out->compute_types = 1u << STETI_F32 | 1u << STETI_I8 | 1u << STETI_BF16;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static stet_status cuda_mem_alloc(struct steti_backend *b, size_t bytes, void **out,
                                  stet_error *err)
{
    stet_status st;
    *out = NULL;
    STETI_TRY(steti_cuda_idle(b, err));
    STETI_TRY(steti_cuda_alloc(b, bytes, "working memory", out, err));
    st = steti_cuda_check(b, b->rt->clear(*out, bytes, b->stream), "cudaMemsetAsync", err);
    if (st != STET_OK) {
        b->rt->mem_free(*out);
        *out = NULL;
    }
    return st;
}

static void cuda_mem_free(struct steti_backend *b, void *p)
{
    if (p != NULL) {
        b->rt->bind(b->device);
        b->rt->mem_free(p);
    }
}

static stet_status cuda_upload(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                               stet_error *err)
{
    STETI_TRY(steti_cuda_idle(b, err));
    STETI_TRY(steti_cuda_copy(b, dst, src, bytes, STETI_TO_DEVICE, err));
    return steti_cuda_sync(b, err);
}

static stet_status cuda_download(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                                 stet_error *err)
{
    STETI_TRY(steti_cuda_idle(b, err));
    STETI_TRY(steti_cuda_copy(b, dst, src, bytes, STETI_TO_HOST, err));
    return steti_cuda_sync(b, err);
}

static stet_status cuda_copy(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                             stet_error *err)
{
    STETI_TRY(steti_cuda_ready(b, err));
    return steti_cuda_copy(b, dst, src, bytes, STETI_ON_DEVICE, err);
}

static stet_status cuda_sync(struct steti_backend *b, stet_error *err)
{
    STETI_TRY(steti_cuda_idle(b, err));
    return steti_cuda_settle(b, err);
}

/* ---- Ops, as a recording sees them ----------------------------------------------------------- */

static stet_status embed_op(struct steti_backend *b, const struct steti_embed_params *p,
                            stet_error *err)
{
    return steti_cuda_noted(b, p->n_rows, steti_cuda_embed_op(b, p, err), err);
}

static stet_status norm_op(struct steti_backend *b, const struct steti_norm_params *p,
                           stet_error *err)
{
    return steti_cuda_noted(b, p->n_rows, steti_cuda_norm_op(b, p, err), err);
}

static stet_status linear_op(struct steti_backend *b, const struct steti_linear_params *p,
                             stet_error *err)
{
    return steti_cuda_noted(b, p->n_rows, steti_cuda_linear_op(b, p, err), err);
}

static stet_status attention_op(struct steti_backend *b, const struct steti_attention_params *p,
                                stet_error *err)
{
    return steti_cuda_noted(b, p->n_rows, steti_cuda_attention_op(b, p, err), err);
}

static stet_status argmax_op(struct steti_backend *b, const struct steti_argmax_params *p,
                             stet_error *err)
{
    return steti_cuda_noted(b, p->n_rows, steti_cuda_argmax_op(b, p, err), err);
}

static stet_status copy_op(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                           stet_error *err)
{
    int rows = b->making != NULL ? b->making->max_rows : 0; /* it has none of its own */
    return steti_cuda_noted(b, rows, cuda_copy(b, dst, src, bytes, err), err);
}

struct steti_backend_ops steti_cuda_ops(steti_cuda_open_fn open)
{
    struct steti_backend_ops ops = {
        .api_version = STETI_BACKEND_API,
        .open = open,
        .close = cuda_close,
        .caps = cuda_caps,
        .mem_alloc = cuda_mem_alloc,
        .mem_free = cuda_mem_free,
        .upload = cuda_upload,
        .download = cuda_download,
        .copy = copy_op,
        .pack_matrix = steti_cuda_pack_matrix,
        .free_matrix = steti_cuda_free_matrix,
        .reserve = steti_cuda_reserve,
        .scratch_bytes = steti_cuda_scratch_bytes,
        .use_weights = steti_cuda_use_weights,
        .embed = embed_op,
        .norm = norm_op,
        .linear = linear_op,
        .attention = attention_op,
        .argmax = argmax_op,
        .sync = cuda_sync,
        .record_begin = steti_cuda_record_begin,
        .record_end = steti_cuda_record_end,
        .free_recording = steti_cuda_free_recording,
        .replay = steti_cuda_replay,
        .loop_open = steti_cuda_loop_open,
        .loop_close = steti_cuda_loop_close,
        .loop_run = steti_cuda_loop_run,
        .loop_bytes = steti_cuda_loop_bytes,
    };
    return ops;
}
