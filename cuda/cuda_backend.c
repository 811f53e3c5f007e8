/* cuda_backend.c - opening, memory, scratch and the table of functions. */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "arena.h"
#include "bytes.h"
#include "cuda_internal.h"

const struct steti_cuda_tuning steti_cuda_default_tuning = {STETI_CUDA_CHUNK,
                                                            STETI_CUDA_CHUNKED_ROWS};

/* ---- Opening --------------------------------------------------------------------------------- */

static void cuda_close(struct steti_backend *b)
{
    if (b == NULL) {
        return;
    }
    /* Failures have no place to be reported, and what is broken is freed as far as it goes. */
    b->rt->bind(b->device);
    if (b->stream != NULL) {
        b->rt->sync(b->stream);
    }
    b->rt->mem_free(b->scratch);
    b->rt->mem_free(b->ring.device);
    b->rt->pinned_free(b->ring.host);
    b->rt->pinned_free(b->result);
    if (b->stream != NULL) {
        b->rt->device_close(b->stream);
    }
    steti_free(b);
}

static stet_status pinned(struct steti_backend *b, size_t bytes, void **out, stet_error *err)
{
    int code = b->rt->pinned_alloc(bytes, out);
    if (code == b->rt->out_of_memory) {
        *out = NULL;
        return steti_fail_nomem(err, "pinned memory of the cuda backend", bytes);
    }
    return steti_cuda_check(b, code, "cudaMallocHost", err);
}

static stet_status open_device(struct steti_backend *b, stet_error *err)
{
    void *ring = NULL;
    STETI_TRY(steti_cuda_check(b, b->rt->device_open(b->device, &b->props, &b->stream),
                               "opening the device", err));
    STETI_TRY(steti_cuda_ready(b, err));
    STETI_TRY(pinned(b, STETI_CUDA_RESULT_BYTES, &b->result, err));
    STETI_TRY(pinned(b, STETI_CUDA_RING_BYTES, &ring, err));
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
    st = open_device(b, err);
    if (st != STET_OK) {
        cuda_close(b);
        return st;
    }
    *out = b;
    return STET_OK;
}

static void cuda_caps(const struct steti_backend *b, struct steti_backend_caps *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "cuda (%.40s, sm_%d%d)", b->props.name, b->props.major,
             b->props.minor);
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
    STETI_TRY(steti_cuda_ready(b, err));
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
    STETI_TRY(steti_cuda_ready(b, err));
    STETI_TRY(steti_cuda_copy(b, dst, src, bytes, STETI_TO_DEVICE, err));
    return steti_cuda_sync(b, err);
}

static stet_status cuda_download(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                                 stet_error *err)
{
    STETI_TRY(steti_cuda_ready(b, err));
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
    STETI_TRY(steti_cuda_ready(b, err));
    return steti_cuda_sync(b, err);
}

/* ---- Scratch --------------------------------------------------------------------------------- */

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Scratch, front to back: quantised or narrowed rows | scales | best values | bests of tiles |
 * logits. */
struct scratch {
    size_t ld_q, q, row_scale, best, tile, logits; /* bytes */
    size_t bytes;
};

static struct scratch plan_scratch(const struct steti_limits *l)
{
    size_t rows = (size_t)l->max_rows;
    struct scratch s = {.ld_q = ((size_t)l->max_in + 63) / 64 * 64};
    s.q = steti_arena_cost(rows * s.ld_q * sizeof(uint16_t));
    s.row_scale = steti_arena_cost(rows * sizeof(float));
    s.best = steti_arena_cost(rows * sizeof(struct steti_cuda_best));
    s.tile = STETI_CUDA_TILE_BYTES;
    s.logits = STETI_CUDA_RESULT_BYTES;
    s.bytes = s.q + s.row_scale + s.best + s.tile + s.logits;
    return s;
}

static size_t cuda_scratch_bytes(const struct steti_backend *b, int max_rows, int max_in,
                                 int max_keys)
{
    struct steti_limits l = {.max_rows = max_rows, .max_in = max_in, .max_keys = max_keys};
    (void)b;
    return plan_scratch(&l).bytes;
}

static stet_status check_device_limits(const struct steti_backend *b, int max_rows, int max_keys,
                                       stet_error *err)
{
    int most_keys = (int)(b->props.shared_bytes / sizeof(float));
    if (max_keys > most_keys) {
        return steti_fail(err, STET_E_INVALID, "reserve: %d keys: device cuda:%d takes at most %d",
                          max_keys, b->device, most_keys);
    }
    if (max_rows > 65535 * 8) { /* the second dimension of a grid, 8 rows a block */
        return steti_fail(err, STET_E_INVALID, "reserve: %d rows: device cuda:%d takes at most %d",
                          max_rows, b->device, 65535 * 8);
    }
    return STET_OK;
}

static void place_scratch(struct steti_backend *b, const struct scratch *s, unsigned char *p)
{
    b->scratch = p;
    b->q = (int8_t *)p;
    b->h = (uint16_t *)(void *)p;
    b->ld_q = (int64_t)s->ld_q;
    p += s->q;
    b->row_scale = (float *)(void *)p;
    p += s->row_scale;
    b->best = (struct steti_cuda_best *)(void *)p;
    p += s->best;
    b->tile = (struct steti_cuda_best *)(void *)p;
    p += s->tile;
    b->logits = (float *)(void *)p;
}

static stet_status cuda_reserve(struct steti_backend *b, int max_rows, int max_in, int max_keys,
                                stet_error *err)
{
    struct steti_limits l;
    struct scratch s;
    void *p = NULL;
    STETI_TRY(steti_check_reserve(max_rows, max_in, max_keys, err));
    STETI_TRY(check_device_limits(b, max_rows, max_keys, err));
    STETI_TRY(steti_cuda_ready(b, err));
    l.max_rows = larger(max_rows, b->limits.max_rows);
    l.max_in = larger(max_in, b->limits.max_in);
    l.max_keys = larger(max_keys, b->limits.max_keys);
    s = plan_scratch(&l);
    STETI_TRY(steti_cuda_alloc(b, s.bytes, "scratch", &p, err));
    b->rt->mem_free(b->scratch); /* waits for the ops that use it */
    place_scratch(b, &s, p);
    b->limits = l;
    return STET_OK;
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
        .copy = cuda_copy,
        .pack_matrix = steti_cuda_pack_matrix,
        .free_matrix = steti_cuda_free_matrix,
        .reserve = cuda_reserve,
        .scratch_bytes = cuda_scratch_bytes,
        .embed = steti_cuda_embed_op,
        .norm = steti_cuda_norm_op,
        .linear = steti_cuda_linear_op,
        .attention = steti_cuda_attention_op,
        .argmax = steti_cuda_argmax_op,
        .sync = cuda_sync,
    };
    return ops;
}
