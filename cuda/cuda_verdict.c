/* cuda_verdict.c - see cuda_verdict.cu and cuda_rows.cu. Grids are those of a full call: a graph is
 * launched with any number of sentences, and warps without one do nothing. */
#include "cuda_loop.h"

#define WARPS 4
#define WARP_BYTES (32 * 2 * sizeof(int32_t)) /* what each sentence of 32 asks for */

_Static_assert(STETI_LOOP_PASSES_MAX > 0 && STETI_CUDA_LOOP_ENDS >= STETI_LOOP_ENDS_MAX &&
                   STETI_CUDA_LOOP_START == STETI_LOOP_START_MAX,
               "the head has room for what a loop may have");
_Static_assert((int)STETI_CUDA_LOOP_RUNNING == (int)STETI_LOOP_RUNNING &&
                   (int)STETI_CUDA_LOOP_ENDED == (int)STETI_LOOP_ENDED &&
                   (int)STETI_CUDA_LOOP_FULL == (int)STETI_LOOP_FULL &&
                   (int)STETI_CUDA_LOOP_NAN == (int)STETI_LOOP_NAN &&
                   (int)STETI_CUDA_LOOP_NO_TOKEN == (int)STETI_LOOP_NO_TOKEN &&
                   (int)STETI_CUDA_LOOP_GREEDY == (int)STETI_LOOP_GREEDY &&
                   (int)STETI_CUDA_LOOP_SAD == (int)STETI_LOOP_SAD &&
                   (int)STETI_CUDA_LOOP_EDIT == (int)STETI_LOOP_EDIT,
               "kernels and hosts mean the same");

static unsigned blocks_of(const struct steti_loop *l)
{
    return (unsigned)steti_cuda_blocks(l->o.max_seqs, WARPS);
}

stet_status steti_cuda_run_verdict(struct steti_backend *b, const struct steti_loop *l,
                                   const struct steti_recording *r, stet_error *err)
{
    struct steti_cuda_verdict_args a = {
        .base = l->device + l->base,
        .best = r->best,
        .pieces = l->pieces,
        .n_pieces = l->o.n_pieces,
    };
    struct steti_cuda_launch launch = {
        STETI_CUDA_verdict, blocks_of(l), 1, WARPS * 32, 0, &a, sizeof a};
    return steti_cuda_run(b, launch, err);
}

stet_status steti_cuda_run_rows(struct steti_backend *b, const struct steti_loop *l,
                                const struct steti_cuda_rows_args *a, stet_error *err)
{
    struct steti_cuda_launch launch = {
        STETI_CUDA_rows, blocks_of(l), 1, WARPS * 32, WARPS * WARP_BYTES, a, sizeof *a};
    return steti_cuda_run(b, launch, err);
}
