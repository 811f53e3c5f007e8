/* cuda_internal.h - what the host files of the CUDA backend share.
 *
 * cuda_<op>.c   check the arguments, stage host arrays, fill the kernel's struct, launch
 * cuda_<op>.cu  the kernels
 *
 * README.md in this folder has the table of kernels and the numerics.
 */
#ifndef STETI_CUDA_INTERNAL_H
#define STETI_CUDA_INTERNAL_H

#include "backend.h"
#include "check.h"
#include "runtime.h"

struct steti_matrix {
    struct steti_matrix_shape shape; /* first: see check.h */
    struct steti_cuda_weights view;
    void *values; /* device */
    size_t bytes;
};

/* Host arrays on their way to the device: written at the same offset of both blocks, front to back.
 * An array that is still there with the same bytes is not copied again: all layers of a pass come
 * with the same rows. */
#define STETI_CUDA_RING_BYTES ((size_t)4 << 20)
#define STETI_CUDA_STAGED 16
struct steti_cuda_ring {
    unsigned char *host; /* pinned */
    unsigned char *device;
    size_t used;
    struct {
        size_t at, bytes;
    } staged[STETI_CUDA_STAGED]; /* the last ones, at n_staged modulo their number */
    size_t n_staged;
};

/* Results on their way back, pinned: also what argmax may leave on the device in one launch. */
#define STETI_CUDA_RESULT_BYTES ((size_t)1 << 20)
#define STETI_CUDA_TILE_BYTES ((size_t)4 << 20)

/* What the order of sums and the schedules are made of. */
struct steti_cuda_tuning {
    int chunk; /* inputs in a chunk of a sum: part of the numerics */
    /* products of up to so many rows use the chunked schedule; the bits do not depend on it */
    int chunked_rows;
};
#define STETI_CUDA_CHUNK 512
#define STETI_CUDA_CHUNKED_ROWS 64

struct steti_cuda_sdpa; /* cuda_sdpa.h */

struct steti_backend {
    const struct steti_cuda_runtime *rt;
    struct steti_cuda_tuning tuning;
    struct steti_cuda_props props;
    int device;
    void *stream;
    char broken[256]; /* the failure after which nothing works any more, or "" */
    size_t weight_bytes;
    struct steti_cuda_ring ring;
    void *result; /* pinned */
    struct steti_limits limits;
    void *scratch; /* one block of the device; the members below point into it */
    /* [max_rows, ld_q]: rows as int8 and as bfloat16, one memory: an op with parts of both types
     * does the one and then the other */
    int8_t *q;
    uint16_t *h;
    int64_t ld_q;
    size_t row_bytes;             /* of this memory */
    float *row_scale;             /* [max_rows] */
    struct steti_cuda_best *best; /* [max_rows] */
    struct steti_cuda_best *tile; /* STETI_CUDA_TILE_BYTES */
    float *logits;                /* STETI_CUDA_RESULT_BYTES */
    struct steti_cuda_sdpa *sdpa; /* attention by a library, or NULL */
};

/* Opens device number `device` of a runtime; what open does with the real one and
 * steti_cuda_default_tuning. */
stet_status steti_cuda_open_with(const struct steti_cuda_runtime *rt, int device,
                                 const struct steti_cuda_tuning *tuning, struct steti_backend **out,
                                 stet_error *err);
extern const struct steti_cuda_tuning steti_cuda_default_tuning;

typedef stet_status (*steti_cuda_open_fn)(const struct steti_backend_options *o,
                                          struct steti_backend **out, stet_error *err);
/* The table of functions around an `open`. */
struct steti_backend_ops steti_cuda_ops(steti_cuda_open_fn open);

/* ---- Calls of the runtime -------------------------------------------------------------------- */

/* STET_E_DEVICE when an earlier call failed; else makes the device the thread's own. Every function
 * of the table begins with it. */
stet_status steti_cuda_ready(struct steti_backend *b, stet_error *err);

/* STET_OK for code 0. Else STET_E_DEVICE with the call's name and the runtime's text, and the
 * context cannot be used any more. */
stet_status steti_cuda_check(struct steti_backend *b, int code, const char *call, stet_error *err);

/* Memory of the device. STET_E_NOMEM when there is too little: the context stays usable. */
stet_status steti_cuda_alloc(struct steti_backend *b, size_t bytes, const char *what, void **out,
                             stet_error *err);
stet_status steti_cuda_copy(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                            enum steti_cuda_direction way, stet_error *err);
stet_status steti_cuda_sync(struct steti_backend *b, stet_error *err);

/* A launch with what its kernel takes: l.arg points to it. */
stet_status steti_cuda_run(struct steti_backend *b, struct steti_cuda_launch l, stet_error *err);

/* ---- Staging --------------------------------------------------------------------------------- */

/* Makes room for arrays of together `bytes` (each counts steti_cuda_staged_bytes): until the next
 * call, what is staged stays where it is. STET_E_INVALID when that is more than the ring. */
stet_status steti_cuda_room(struct steti_backend *b, size_t bytes, stet_error *err);
size_t steti_cuda_staged_bytes(size_t bytes);

/* Copies a host array to the device; *out is where it is there, NULL for NULL. The array has been
 * read when the call returns. */
stet_status steti_cuda_stage(struct steti_backend *b, const void *host, size_t bytes,
                             const void **out, stet_error *err);

/* ---- Functions of the table ------------------------------------------------------------------ */

stet_status steti_cuda_pack_matrix(struct steti_backend *b, const struct steti_tensor *src,
                                   const struct steti_tensor *scale, enum steti_dtype compute,
                                   struct steti_matrix **out, stet_error *err);
void steti_cuda_free_matrix(struct steti_backend *b, struct steti_matrix *m);

stet_status steti_cuda_embed_op(struct steti_backend *b, const struct steti_embed_params *p,
                                stet_error *err);
stet_status steti_cuda_norm_op(struct steti_backend *b, const struct steti_norm_params *p,
                               stet_error *err);
stet_status steti_cuda_linear_op(struct steti_backend *b, const struct steti_linear_params *p,
                                 stet_error *err);
stet_status steti_cuda_attention_op(struct steti_backend *b, const struct steti_attention_params *p,
                                    stet_error *err);
stet_status steti_cuda_argmax_op(struct steti_backend *b, const struct steti_argmax_params *p,
                                 stet_error *err);

/* Makes what weights of `type` are multiplied with: rows as int8 in b->q with b->row_scale, or as
 * bfloat16 in b->h; nothing for float32. */
stet_status steti_cuda_prepare_rows(struct steti_backend *b, int32_t type, const float *x,
                                    int n_rows, int n_in, stet_error *err);

/* ceil(a / b) of numbers that are not negative. */
static inline int steti_cuda_blocks(int64_t a, int64_t b)
{
    return (int)((a + b - 1) / b);
}

#endif
