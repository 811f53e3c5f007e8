/* nccl_table.h - what the backend asks of NCCL, as a table of functions.
 *
 * nccl_real.c fills it with the real calls of libnccl.so.2, which it loads when several devices are
 * opened; no program needs the library otherwise. Tests fill it with communicators that check how
 * they are used.
 *
 * Functions that return int give 0 or an error code that error_text explains.
 */
#ifndef STETI_NCCL_TABLE_H
#define STETI_NCCL_TABLE_H

#include <stddef.h>

struct steti_nccl {
    const char *(*error_text)(int code);
    int (*version)(int *out); /* 22809 for 2.28.9 */
    /* comms[0 .. n): one for each device, whose ranks are 0 .. n - 1. All of one process. */
    int (*init_all)(void **comms, int n, const int *devices);
    int (*destroy)(void *comm);
    int (*abort)(void *comm); /* instead of destroy, after a failure */

    /* Between the two calls all ranks of a broadcast are told. group_end must follow also when one
     * of them failed. */
    int (*group_start)(void);
    int (*group_end)(void);
    /* The bytes at src on rank 0 to dst on this communicator's rank; src is read on rank 0 alone,
     * where it may be dst. Work on a stream of the rank's device. */
    int (*broadcast)(const void *src, void *dst, size_t bytes, void *comm, void *stream);
    int (*async_error)(void *comm, int *code); /* of work that was started before */
};

/* The real one, or NULL with a sentence in why (size cap) that says what is missing. Any thread;
 * the library stays loaded. */
const struct steti_nccl *steti_nccl_real(char *why, size_t cap);

#endif
