/* cuda_stage.c - calls of the runtime with their errors, and host arrays on their way to the
 * device. */
#include <stdio.h>
#include <string.h>

#include "cuda_internal.h"

#define ALIGN 64

stet_status steti_cuda_ready(struct steti_backend *b, stet_error *err)
{
    if (b->broken[0] != '\0') {
        return steti_fail(err, STET_E_DEVICE, "device cuda:%d cannot be used any more after: %s",
                          b->device, b->broken);
    }
    return steti_cuda_check(b, b->rt->bind(b->device), "cudaSetDevice", err);
}

stet_status steti_cuda_idle(struct steti_backend *b, stet_error *err)
{
    if (b->making != NULL) {
        return steti_fail(err, STET_E_INVALID,
                          "device cuda:%d: only ops may be called while a recording is made",
                          b->device);
    }
    return steti_cuda_ready(b, err);
}

stet_status steti_cuda_check(struct steti_backend *b, int code, const char *call, stet_error *err)
{
    if (code == 0) {
        return STET_OK;
    }
    if (code == b->rt->out_of_memory && b->making != NULL) {
        return steti_fail(err, STET_E_NOMEM, "device cuda:%d: %s: %s", b->device, call,
                          b->rt->error_text(code));
    }
    snprintf(b->broken, sizeof b->broken, "%s: %s (error %d)", call, b->rt->error_text(code), code);
    return steti_fail(err, STET_E_DEVICE, "device cuda:%d: %s", b->device, b->broken);
}

stet_status steti_cuda_alloc(struct steti_backend *b, size_t bytes, const char *what, void **out,
                             stet_error *err)
{
    int code = b->rt->mem_alloc(bytes > 0 ? bytes : 1, out);
    if (code == b->rt->out_of_memory) {
        *out = NULL;
        return steti_fail(err, STET_E_NOMEM,
                          "device cuda:%d: %zu bytes for %s: cudaMalloc: %s; use a smaller batch "
                          "or another device",
                          b->device, bytes, what, b->rt->error_text(code));
    }
    return steti_cuda_check(b, code, "cudaMalloc", err);
}

stet_status steti_cuda_pinned(struct steti_backend *b, size_t bytes, void **out, stet_error *err)
{
    int code = b->rt->pinned_alloc(bytes, out);
    if (code == b->rt->out_of_memory) {
        *out = NULL;
        return steti_fail_nomem(err, "pinned memory of the cuda backend", bytes);
    }
    return steti_cuda_check(b, code, "cudaMallocHost", err);
}

stet_status steti_cuda_copy(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                            enum steti_cuda_direction way, stet_error *err)
{
    if (bytes == 0) {
        return STET_OK;
    }
    return steti_cuda_check(b, b->rt->copy(dst, src, bytes, way, b->stream), "cudaMemcpyAsync",
                            err);
}

stet_status steti_cuda_sync(struct steti_backend *b, stet_error *err)
{
    return steti_cuda_check(b, b->rt->sync(b->stream), "cudaStreamSynchronize", err);
}

stet_status steti_cuda_run(struct steti_backend *b, struct steti_cuda_launch l, stet_error *err)
{
    static const char *const names[] = {
#define NAME(name, args) "launch of kernel " #name,
        STETI_CUDA_KERNEL_MAP(NAME)
#undef NAME
    };
    return steti_cuda_check(b, b->rt->launch(&l, b->stream), names[l.kernel], err);
}

/* ---- The ring -------------------------------------------------------------------------------- */

size_t steti_cuda_staged_bytes(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

stet_status steti_cuda_room(struct steti_backend *b, size_t bytes, stet_error *err)
{
    struct steti_cuda_ring *r = &b->ring;
    if (b->making != NULL) {
        return STET_OK; /* its arrays have places of their own */
    }
    if (bytes > STETI_CUDA_RING_BYTES) {
        return steti_fail(err, STET_E_INVALID,
                          "device cuda:%d: %zu bytes of row numbers and adjustments in one call, "
                          "at most %zu: use fewer rows",
                          b->device, bytes, STETI_CUDA_RING_BYTES);
    }
    if (bytes > STETI_CUDA_RING_BYTES - r->used) {
        /* Copies from the beginning of the ring may still be under way. */
        STETI_TRY(steti_cuda_sync(b, err));
        r->used = 0;
        r->n_staged = 0;
    }
    return STET_OK;
}

static const void *find_staged(const struct steti_cuda_ring *r, const void *host, size_t bytes)
{
    for (size_t i = 0; i < STETI_CUDA_STAGED && i < r->n_staged; i++) {
        if (r->staged[i].bytes == bytes && memcmp(r->host + r->staged[i].at, host, bytes) == 0) {
            return r->device + r->staged[i].at;
        }
    }
    return NULL;
}

stet_status steti_cuda_stage(struct steti_backend *b, const void *host, size_t bytes,
                             const void **out, stet_error *err)
{
    struct steti_cuda_ring *r = &b->ring;
    size_t at = r->used;
    *out = NULL;
    if (host == NULL || bytes == 0) {
        return STET_OK;
    }
    if (b->making != NULL) {
        return steti_cuda_record_array(b, host, bytes, out, err);
    }
    *out = find_staged(r, host, bytes);
    if (*out != NULL) {
        return STET_OK;
    }
    if (bytes > STETI_CUDA_RING_BYTES - at) {
        return steti_fail(err, STET_E_INVALID, "device cuda:%d: %zu bytes staged without room",
                          b->device, bytes);
    }
    memcpy(r->host + at, host, bytes);
    STETI_TRY(steti_cuda_copy(b, r->device + at, r->host + at, bytes, STETI_TO_DEVICE, err));
    r->used += steti_cuda_staged_bytes(bytes);
    r->staged[r->n_staged % STETI_CUDA_STAGED].at = at;
    r->staged[r->n_staged % STETI_CUDA_STAGED].bytes = bytes;
    r->n_staged++;
    *out = r->device + at;
    return STET_OK;
}
