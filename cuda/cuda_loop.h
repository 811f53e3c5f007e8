/* cuda_loop.h - the decode loop on the device. Private to cuda/.
 *
 *   cuda_loop.c        opening, the graph of a recording, running it
 *   cuda_stage_loop.c  sentences into the block that goes to the device, and back out of it
 *   cuda_verdict.c     launches of the two kernels
 */
#ifndef STETI_CUDA_LOOP_H
#define STETI_CUDA_LOOP_H

#include "cuda_internal.h"

/* loop_args.h says what stands in the block. Its base is where it is for every call, so that graphs
 * can know it. */
struct steti_loop {
    uint64_t number; /* no other loop of the context has it */
    struct steti_loop_options o;
    int32_t start[STETI_LOOP_START_MAX], ends[STETI_LOOP_ENDS_MAX]; /* o's */
    int32_t *device, *pinned;                                       /* twins */
    size_t base;      /* words before it in each of them */
    uint32_t *pieces; /* device; NULL: nothing is known */
};

/* Words of each twin. */
size_t steti_cuda_loop_words(const struct steti_loop_options *o);
/* Words before the base. */
size_t steti_cuda_loop_base(const struct steti_loop_options *o);

/* A stretch of the twins, in words. */
struct steti_cuda_stretch {
    size_t at, n;
};

/* Fills the pinned twin with the sentences of a call. *in: what goes to the device; *out: what
 * comes back. */
void steti_cuda_loop_fill(struct steti_loop *l, const struct steti_loop_params *p,
                          struct steti_cuda_stretch *in, struct steti_cuda_stretch *out);
/* Whether there is another pass; of a pinned twin that came back. */
int steti_cuda_loop_goes_on(const struct steti_loop *l);
/* Gives the sentences what became of them. */
void steti_cuda_loop_read(const struct steti_loop *l, struct steti_loop_params *p);

stet_status steti_cuda_run_verdict(struct steti_backend *b, const struct steti_loop *l,
                                   const struct steti_recording *r, stet_error *err);
stet_status steti_cuda_run_rows(struct steti_backend *b, const struct steti_loop *l,
                                const struct steti_cuda_rows_args *a, stet_error *err);

#endif
