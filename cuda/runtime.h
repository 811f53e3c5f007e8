/* runtime.h - what the backend asks of the CUDA runtime, as a table of functions.
 *
 * runtime_cudart.c fills it with the real calls; no other host file but nccl_real.c sees a CUDA
 * header.
 * Tests fill it with a device made of fibers, which checks every pointer, and make single calls
 * fail.
 *
 * Functions that return int give 0 or an error code that error_text explains. `stream` is what
 * device_open gave. Work on a stream is done in order, and may be done after the call returned:
 * what a copy reads or writes on the host must stay as it is until sync.
 */
#ifndef STETI_RUNTIME_H
#define STETI_RUNTIME_H

#include <stddef.h>

#include "cuda_kernels.h"

struct steti_cuda_props {
    char name[64];
    int major, minor;    /* compute capability */
    size_t shared_bytes; /* of one block, without asking for more */
};

enum steti_cuda_direction { STETI_TO_DEVICE, STETI_TO_HOST, STETI_ON_DEVICE };

struct steti_cuda_launch {
    enum steti_cuda_kernel kernel;
    unsigned grid_x, grid_y, threads;
    size_t shared_bytes;
    const void *arg; /* the kernel's struct; read before the call returns */
    size_t arg_bytes;
};

struct steti_cuda_runtime {
    int out_of_memory; /* the code of mem_alloc and pinned_alloc that means it */
    const char *(*error_text)(int code);

    int (*device_open)(int device, struct steti_cuda_props *props, void **stream);
    int (*device_close)(void *stream);
    int (*bind)(int device); /* makes it the calling thread's device */

    int (*mem_alloc)(size_t bytes, void **out); /* aligned to 256 bytes */
    int (*mem_free)(void *p);
    int (*pinned_alloc)(size_t bytes, void **out);
    int (*pinned_free)(void *p);

    int (*clear)(void *dst, size_t bytes, void *stream);
    int (*copy)(void *dst, const void *src, size_t bytes, enum steti_cuda_direction way,
                void *stream);
    int (*launch)(const struct steti_cuda_launch *l, void *stream);
    int (*sync)(void *stream);

    int (*device_count)(int *out);
    /* From a device's memory to another's, on a stream of the latter. */
    int (*copy_peer)(void *dst, int dst_device, const void *src, int src_device, size_t bytes,
                     void *stream);
};

/* The real one. */
const struct steti_cuda_runtime *steti_cudart(void);

#endif
