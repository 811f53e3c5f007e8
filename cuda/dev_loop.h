/* dev_loop.h - what the kernels of the loop share. */
#ifndef STETI_DEV_LOOP_H
#define STETI_DEV_LOOP_H

#include "dev.h"
#include "loop_args.h"

DEV_FN struct steti_cuda_loop_head *dev_loop_head(int32_t *base)
{
    return (struct steti_cuda_loop_head *)(void *)base;
}

DEV_FN struct steti_cuda_loop_seq *dev_loop_seqs(int32_t *base)
{
    return (struct steti_cuda_loop_seq *)(void *)(base + sizeof(struct steti_cuda_loop_head) / 4);
}

DEV_FN int dev_least(int a, int b)
{
    return a < b ? a : b;
}

#endif
