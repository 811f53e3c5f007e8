/* sdpa.h - fused attention of a library, as a table of functions.
 *
 * sdpa_cudnn.c fills it with cuDNN and is one of the two host files that see headers of CUDA's
 * libraries. Tests fill it with a computation of their own. cuda_sdpa.c is what uses it.
 *
 * What is computed: entry e of a batch has rows[e] rows of queries and keys[e] keys; row r and head
 * h give out = softmax(scale * q[r, h] . k[j, h]) v[j, h], the sum over the entry's keys. Queries,
 * keys, values and results are bfloat16, of all entries one behind the other, [rows, heads *
 * head_dim], and begin where row_begin and key_begin say.
 *
 * Functions that return int give 0 or a code that error_text explains. One thread at a time for a
 * context and the plans of it.
 */
#ifndef STETI_SDPA_H
#define STETI_SDPA_H

#include <stddef.h>
#include <stdint.h>

/* What a plan is made for. Everything is part of the numerics until a probe has shown that it is
 * not; the last two choose the kernel, where the library would else choose by shape. */
struct steti_sdpa_shape {
    int32_t heads, head_dim;
    int32_t batch;      /* entries, exactly */
    int32_t rows, keys; /* most of one entry */
    int32_t ragged;     /* 0: entries stand at multiples of `rows` and `keys`, nothing is read of
                           row_begin and key_begin */
    int32_t engine, kernel;
};

/* Pointers are device pointers, of 16 bytes alignment. */
struct steti_sdpa_call {
    const uint16_t *q, *k, *v;
    uint16_t *out;
    const int32_t *rows, *keys;           /* [batch] */
    const int32_t *row_begin, *key_begin; /* [batch + 1] in elements, ascending */
    float scale;
    void *workspace; /* as many bytes as `workspace` said, or NULL for 0 */
};

struct steti_sdpa_plan; /* opaque; freed with plan_free */
struct steti_sdpa_context;

struct steti_sdpa {
    const char *name; /* "cuDNN" */
    /* Codes that mean: this shape cannot be had; there is too little memory. All others are
     * faults of the device or of the library. */
    int (*is_unsupported)(int code);
    int (*is_out_of_memory)(int code);
    /* Of the code that a function for this context gave last; c may be NULL. Valid until the next
     * call. */
    const char *(*error_text)(struct steti_sdpa_context *c, int code);

    /* Loads the library and opens it on the calling thread's device. `device` NULL; or the
     * properties of a device as JSON text, which need not be there: then plans can be made, saved
     * and restored, and nothing runs. After a failure *out serves error_text and close; it is NULL
     * when there was no memory for it. */
    int (*open)(const char *device, struct steti_sdpa_context **out);
    void (*close)(struct steti_sdpa_context *c); /* NULL is legal; after all its plans */
    /* Such as "9.19.0". Plans of another version are of no use. */
    const char *(*version)(const struct steti_sdpa_context *c);

    /* Takes a second: kernels are compiled. */
    int (*plan)(struct steti_sdpa_context *c, const struct steti_sdpa_shape *shape,
                struct steti_sdpa_plan **out);
    void (*plan_free)(struct steti_sdpa_plan *p); /* NULL is legal */
    size_t (*workspace)(const struct steti_sdpa_plan *p);

    /* The plan as text in new memory of host/base/alloc.h; *bytes of it. */
    int (*save)(struct steti_sdpa_context *c, const struct steti_sdpa_plan *p, char **text,
                size_t *bytes);
    /* A plan from such text, which must have been saved by this version for this device and this
     * shape. */
    int (*restore)(struct steti_sdpa_context *c, const struct steti_sdpa_shape *shape,
                   const char *text, size_t bytes, struct steti_sdpa_plan **out);

    /* On a stream of the runtime; reads the call before it returns. */
    int (*run)(struct steti_sdpa_context *c, const struct steti_sdpa_plan *p,
               const struct steti_sdpa_call *call, void *stream);
};

/* cuDNN 9, looked for when it is opened: the plug-in needs none of its libraries to be loaded. */
const struct steti_sdpa *steti_sdpa_cudnn(void);

#endif
