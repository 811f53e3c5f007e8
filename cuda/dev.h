/* dev.h - the language that kernels are written in.
 *
 * Everything that CUDA adds to C stands here and nowhere else: builtins, PTX, shared memory,
 * barriers. Built by nvcc it is the device; built with STETI_CUDA_SHIM, dev_host.h runs the same
 * kernel source on the processor, every thread of a block as a fiber.
 *
 * Rules for kernels, most of which the shim checks:
 *  - C-like: no templates, no C++ library. One argument, a struct by value (cuda_kernels.h).
 *  - Warp collectives (DEV_SUM16 ... DEV_MMA_S8, DEV_SYNC_WARP) are called by all 32 lanes at the
 *    same line; DEV_SYNC by all threads of the block at the same line. Threads do not return early,
 *    unless all of the block do.
 *  - Shared memory is the dynamic block only. Nothing is assumed about what it holds at first.
 *  - Blocks do not wait for each other.
 *  - Products and sums are written one by one: nothing is fused (--fmad=false) unless dev_fma says
 *    so.
 */
#ifndef STETI_DEV_H
#define STETI_DEV_H

#include <stdint.h>

#define DEV_WARP 32
#define DEV_NAN_BITS 0x7fc00000u
#define DEV_INFINITY_BITS 0x7f800000u

#ifdef STETI_CUDA_SHIM
#include "dev_host.h"
#else

#define DEV_KERNEL extern "C" __global__ void
#define DEV_FN static __device__ __forceinline__
/* At most so many threads in a block: what the compiler may spend on registers follows from it.
 * The second form lets it spend what two blocks on a multiprocessor leave, where it spills
 * otherwise. */
#define DEV_THREADS(n) __launch_bounds__(n)
#define DEV_THREADS_OF_TWO(n) __launch_bounds__(n, 2)
#define DEV_UNROLL _Pragma("unroll")

/* Declares `name`, a pointer to the block's shared memory, aligned to 16 bytes. */
#define DEV_SHARED(type, name)                                                                     \
    extern __shared__ __align__(16) unsigned char steti_dev_shared[];                              \
    type *name = reinterpret_cast<type *>(steti_dev_shared)

#define DEV_SYNC() __syncthreads()
#define DEV_SYNC_WARP() __syncwarp()

DEV_FN int dev_thread(void)
{
    return (int)threadIdx.x;
}
DEV_FN int dev_n_threads(void)
{
    return (int)blockDim.x;
}
DEV_FN int dev_block_x(void)
{
    return (int)blockIdx.x;
}
DEV_FN int dev_block_y(void)
{
    return (int)blockIdx.y;
}

DEV_FN float dev_fma(float a, float b, float c)
{
    return __fmaf_rn(a, b, c);
}
DEV_FN float dev_div(float a, float b)
{
    return __fdiv_rn(a, b);
}
DEV_FN float dev_sqrt(float a)
{
    return __fsqrt_rn(a);
}
/* To the nearest integer, ties to even. */
DEV_FN int dev_round(float a)
{
    return __float2int_rn(a);
}
DEV_FN uint32_t dev_bits(float a)
{
    return __float_as_uint(a);
}
DEV_FN float dev_float(uint32_t bits)
{
    return __uint_as_float(bits);
}

/* The value that lane `lane ^ mask` gives. */
#define DEV_XOR_FLOAT(v, mask) __shfl_xor_sync(0xffffffffu, (v), (mask))
#define DEV_XOR_INT(v, mask) __shfl_xor_sync(0xffffffffu, (v), (mask))

/* Sum over the 16 lanes of a half warp: 16 to 8 to 4 to 2 to 1, lane i with lane i + half. */
DEV_FN float dev_sum16(float v)
{
    v = v + __shfl_xor_sync(0xffffffffu, v, 8);
    v = v + __shfl_xor_sync(0xffffffffu, v, 4);
    v = v + __shfl_xor_sync(0xffffffffu, v, 2);
    return v + __shfl_xor_sync(0xffffffffu, v, 1);
}
#define DEV_SUM16(v) dev_sum16(v)

/* Largest value of all lanes; a NaN counts only where all lanes have one. */
DEV_FN float dev_max_warp(float v)
{
    for (int mask = 16; mask > 0; mask /= 2) {
        float other = __shfl_xor_sync(0xffffffffu, v, mask);
        v = v > other || other != other ? v : other;
    }
    return v;
}
#define DEV_MAX_WARP(v) dev_max_warp(v)

DEV_FN int dev_max_int(int v)
{
    for (int mask = 16; mask > 0; mask /= 2) {
        int other = __shfl_xor_sync(0xffffffffu, v, mask);
        v = v > other ? v : other;
    }
    return v;
}
/* Largest of all lanes. */
#define DEV_MAX_INT(v) dev_max_int(v)

DEV_FN int dev_max_int16(int v)
{
    for (int mask = 8; mask > 0; mask /= 2) {
        int other = __shfl_xor_sync(0xffffffffu, v, mask);
        v = v > other ? v : other;
    }
    return v;
}
/* Largest of the half warp. */
#define DEV_MAX_INT16(v) dev_max_int16(v)

/* c[16 outputs, 8 rows] += a[16, 32] b[32, 8], signed bytes, exact 32-bit sums, in the fragment
 * layout of PTX mma.m16n8k32. With g = lane / 4 and t = lane % 4:
 *   a[0..3]: bytes k = 4 t .. 4 t + 3 of output g, g + 8, and k + 16 of output g, g + 8
 *   b[0..1]: bytes k = 4 t .. 4 t + 3 of row g, and k + 16
 *   c[0..3]: output g of rows 2 t, 2 t + 1, and output g + 8 of the same rows */
DEV_FN void dev_mma_s8(int32_t *c, const uint32_t *a, const uint32_t *b)
{
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#define DEV_MMA_S8(c, a, b) dev_mma_s8(c, a, b)

/* The same for bfloat16 with float32 sums, k of 16, in the layout of PTX mma.m16n8k16: a[0..3] and
 * b[0..1] hold two values each, k = 2 t, 2 t + 1, and k + 8. */
DEV_FN void dev_mma_bf16(float *c, const uint32_t *a, const uint32_t *b)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#define DEV_MMA_BF16(c, a, b) dev_mma_bf16(c, a, b)

/* Sets a condition that a WHILE node of the graph asks for (runtime.h). By one thread of one kernel
 * between two questions. */
#define DEV_SET_CONDITION(condition, value) cudaGraphSetConditional((condition), (value))

/* Four words from an address aligned to 16 bytes. */
DEV_FN void dev_load_16(uint32_t *to, const void *from)
{
    uint4 v = *reinterpret_cast<const uint4 *>(from);
    to[0] = v.x;
    to[1] = v.y;
    to[2] = v.z;
    to[3] = v.w;
}

#endif

/* How many of the n rows from number `first` on there are: what stands at `live`, the number of
 * rows of the whole pass, or all. 0 or less: none. Every kernel asks this before it looks at a row:
 * a grid may have been made for more rows, whose numbers and positions are anything. */
DEV_FN int dev_rows(const int32_t *live, int first, int n)
{
    int there = live != 0 ? *live - first : n;
    return there < n ? there : n;
}

/* How many of the rows row .. row + most - 1 of a block there are, of n rows in all. */
DEV_FN int dev_rows_of_block(const int32_t *live, int first, int n, int row, int most)
{
    int there = dev_rows(live, first, n) - row;
    return there < most ? there : most;
}

/* One word from an address aligned to 4 bytes. */
DEV_FN uint32_t dev_load_4(const void *from)
{
    return *reinterpret_cast<const uint32_t *>(from);
}

#endif
