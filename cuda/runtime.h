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
    int has_while;       /* graphs may have WHILE nodes: condition_create and while_add work */
};

enum steti_cuda_direction { STETI_TO_DEVICE, STETI_TO_HOST, STETI_ON_DEVICE };

struct steti_cuda_launch {
    enum steti_cuda_kernel kernel;
    unsigned grid_x, grid_y, threads;
    size_t shared_bytes;
    const void *arg; /* the kernel's struct; read before the call returns */
    size_t arg_bytes;
};

/* A graph while it is made: a chain of work, each node after the one before. Zeroed at first. What
 * is captured or added goes to its end. */
struct steti_cuda_graph {
    void *graph; /* of the runtime */
    void *last;  /* the chain's last node; NULL: it is empty */
};

/* The value that a WHILE node asks for before each round, set by kernels (DEV_SET_CONDITION). */
typedef uint64_t steti_cuda_condition;

struct steti_cuda_runtime {
    int out_of_memory; /* the code that means it, of mem_alloc, pinned_alloc and graph functions */
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

    /* Graphs. Between capture_begin and capture_end, clears, copies and launches on the stream are
     * not done but put at the end of the graph; all other calls are failures, as are copies that
     * read or write host memory that is not pinned. A failed call spoils the capture: capture_end
     * then fails too, but must be called. What captured work points to must be there whenever the
     * graph is launched. */
    int (*graph_create)(struct steti_cuda_graph *g);
    int (*graph_free)(struct steti_cuda_graph *g); /* zeroes it; legal on a zeroed one */
    int (*capture_begin)(struct steti_cuda_graph *g, void *stream);
    int (*capture_end)(struct steti_cuda_graph *g, void *stream);
    /* Puts a copy of all of `child` at the end of g. */
    int (*graph_add)(struct steti_cuda_graph *g, const struct steti_cuda_graph *child);

    /* A condition of g with the value that it has when a launch begins, and a WHILE node at the
     * end of g: it repeats *body (empty; to be filled before g is instantiated; belongs to g and is
     * not freed) as long as the value is not 0. Kernels of g and of the body may set it. */
    int (*condition_create)(struct steti_cuda_graph *g, unsigned value, steti_cuda_condition *out);
    int (*while_add)(struct steti_cuda_graph *g, steti_cuda_condition condition,
                     struct steti_cuda_graph *body);

    /* What can be launched; does not need the graph any more. */
    int (*exec_create)(const struct steti_cuda_graph *g, void **exec);
    int (*exec_launch)(void *exec, void *stream);
    int (*exec_free)(void *exec); /* NULL is legal */

    /* Points in a stream, to measure the device's time. event_elapsed waits for `end`, which was
     * recorded after `begin`. */
    int (*event_create)(void **event);
    int (*event_destroy)(void *event);
    int (*event_record)(void *event, void *stream);
    int (*event_elapsed)(float *ms, void *begin, void *end);

    int (*device_count)(int *out);
    /* From a device's memory to another's, on a stream of the latter. */
    int (*copy_peer)(void *dst, int dst_device, const void *src, int src_device, size_t bytes,
                     void *stream);
};

/* The real one. */
const struct steti_cuda_runtime *steti_cudart(void);

#endif
