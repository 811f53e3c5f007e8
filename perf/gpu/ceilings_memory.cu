/* Bytes: copies in device memory, and reads of what fits into the L2 cache. */
#include "ceilings.h"

#include <stdio.h>

enum { COPIES = 4 };

struct copies {
    void *block[2 * COPIES];
    size_t bytes;
};

/* Another pair of blocks every time. */
static int copy_once(void *ctx, int run)
{
    const struct copies *c = (const struct copies *)ctx;
    int i = run % COPIES;
    return cudaMemcpyAsync(c->block[2 * i + 1], c->block[2 * i], c->bytes, cudaMemcpyDeviceToDevice,
                           0);
}

int measure_copy(void)
{
    struct copies c = {{NULL}, (size_t)1 << 30};
    double us = 0;
    for (int i = 0; i < 2 * COPIES; i++) {
        TRY(random_memory(c.bytes, (uint32_t)i, 0, &c.block[i]));
    }
    TRY(time_us(copy_once, &c, 20, &us));
    report("copy", 2 * (double)c.bytes / us / 1e3, "GB/s",
           "\"counts\": \"bytes read and written\", ");
    for (int i = 0; i < 2 * COPIES; i++) {
        TRY(cudaFree(c.block[i]));
    }
    return 0;
}

/* The blocks together read all of it, `passes` times. */
static __global__ void read_all(const uint4 *data, size_t n, int passes, uint32_t *out)
{
    size_t threads = (size_t)gridDim.x * blockDim.x;
    size_t at = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    uint32_t sum = 0;
    for (int pass = 0; pass < passes; pass++) {
#pragma unroll 4
        for (size_t i = at; i < n; i += threads) {
            uint4 v;
            /* .cg: from L2, not from the multiprocessor's own cache */
            asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                         : "l"(data + i));
            sum += v.x ^ v.y ^ v.z ^ v.w;
        }
    }
    out[at] = sum;
}

struct reads {
    const uint4 *data;
    size_t n;
    int blocks, passes;
    uint32_t *out;
};

static int read_once(void *ctx, int run)
{
    const struct reads *r = (const struct reads *)ctx;
    (void)run;
    read_all<<<r->blocks, 512>>>(r->data, r->n, r->passes, r->out);
    return cudaGetLastError();
}

/* 9, 25 and 40 MB: the decoder of a small model, its encoder, most of the cache. */
int measure_cached_reads(void)
{
    static const int megabytes[] = {9, 25, 40};
    cudaDeviceProp p;
    TRY(cudaGetDeviceProperties(&p, 0));
    for (size_t i = 0; i < sizeof megabytes / sizeof megabytes[0]; i++) {
        size_t bytes = (size_t)megabytes[i] * 1000000 / 16 * 16;
        struct reads r = {NULL, bytes / 16, 2 * p.multiProcessorCount, 64, NULL};
        void *data, *out;
        double us = 0;
        char name[32];
        TRY(random_memory(bytes, 9, 0, &data));
        TRY(cudaMalloc(&out, sizeof(uint32_t) * 512 * (size_t)r.blocks));
        r.data = (const uint4 *)data;
        r.out = (uint32_t *)out;
        TRY(time_us(read_once, &r, 10, &us));
        snprintf(name, sizeof name, "l2_read_%d_mb", megabytes[i]);
        report(name, (double)bytes * r.passes / us / 1e3, "GB/s", "");
        TRY(cudaFree(data));
        TRY(cudaFree(out));
    }
    return 0;
}
