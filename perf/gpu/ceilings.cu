/* What the card can do at most, and what it takes to get it to do anything: the limits that the
 * figures of perf/gpu are compared with. No part of stet is in it.
 *
 *   gpu_ceilings            all measurements, about 20 seconds; lines of JSON (ceilings.h)
 *   gpu_ceilings NAME...    some: copy cached_reads products launches while round_trips mailbox
 *
 * Ends with 1 when a measurement failed; the others are there all the same. */
#include "ceilings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char failed_call[200]; /* without what JSON would need escapes for */
static int failed_code;

void note_failure(const char *call, int code)
{
    size_t n = 0;
    for (; call[n] != '\0' && n + 1 < sizeof failed_call; n++) {
        failed_call[n] = call[n] == '"' || call[n] == '\\' ? '\'' : call[n];
    }
    failed_call[n] = '\0';
    failed_code = code;
}

void report(const char *name, double value, const char *unit, const char *detail)
{
    printf("{\"record\": \"ceiling\", %s\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n",
           detail, name, value, unit);
    fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void report_samples(const char *name, double *samples, int n, const char *unit)
{
    char label[64];
    qsort(samples, (size_t)n, sizeof *samples, by_value);
    report(name, samples[n / 2], unit, "");
    snprintf(label, sizeof label, "%s_p99", name);
    report(label, samples[n * 99 / 100], unit, "");
    snprintf(label, sizeof label, "%s_min", name);
    report(label, samples[0], unit, "");
}

double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int time_once(int (*work)(void *ctx, int run), void *ctx, int run, double *us)
{
    cudaEvent_t begin, end;
    float ms = 0;
    TRY(cudaEventCreate(&begin));
    TRY(cudaEventCreate(&end));
    TRY(cudaEventRecord(begin, 0));
    TRY(work(ctx, run));
    TRY(cudaEventRecord(end, 0));
    TRY(cudaEventSynchronize(end));
    TRY(cudaEventElapsedTime(&ms, begin, end));
    TRY(cudaEventDestroy(begin));
    TRY(cudaEventDestroy(end));
    *us = (double)ms * 1e3;
    return 0;
}

int time_us(int (*work)(void *ctx, int run), void *ctx, int repeats, double *median)
{
    enum { WARM = 2, MOST = 64 };
    double us[MOST], ignored;
    repeats = repeats < MOST ? repeats : MOST;
    for (int i = 0; i < WARM; i++) {
        TRY(time_once(work, ctx, i, &ignored));
    }
    for (int i = 0; i < repeats; i++) {
        TRY(time_once(work, ctx, WARM + i, &us[i]));
    }
    qsort(us, (size_t)repeats, sizeof us[0], by_value);
    *median = us[repeats / 2];
    return 0;
}

/* keep, set: of the random bits the exponents of bf16 numbers are set to what they must be. */
static __global__ void fill_random(uint32_t *out, size_t n, uint32_t seed, uint32_t keep,
                                   uint32_t set)
{
    size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        uint32_t x = (uint32_t)i * 2654435761u + seed;
        x = (x ^ x >> 16) * 0x85ebca6bu;
        x = (x ^ x >> 13) * 0xc2b2ae35u;
        x ^= x >> 16;
        out[i] = (x & keep) | set;
    }
}

int random_memory(size_t bytes, uint32_t seed, int as_bf16, void **out)
{
    TRY(cudaMalloc(out, bytes));
    fill_random<<<1024, 256>>>((uint32_t *)*out, bytes / 4, seed, as_bf16 ? 0x83ff83ffu : ~0u,
                               as_bf16 ? 0x3c003c00u : 0u);
    TRY(cudaGetLastError());
    return cudaDeviceSynchronize();
}

static const struct {
    const char *name;
    int (*run)(void);
} measurements[] = {{"copy", measure_copy},
                    {"cached_reads", measure_cached_reads},
                    {"launches", measure_launches},
                    {"while", measure_while},
                    {"round_trips", measure_round_trips},
                    {"mailbox", measure_mailbox},
                    {"products", measure_products}};

static int is_wanted(const char *name, int argc, char **argv)
{
    int wanted = argc < 2;
    for (int i = 1; i < argc; i++) {
        wanted |= strcmp(argv[i], name) == 0;
    }
    return wanted;
}

static int print_device(void)
{
    cudaDeviceProp p;
    int driver = 0, runtime = 0;
    TRY(cudaGetDeviceProperties(&p, 0));
    TRY(cudaDriverGetVersion(&driver));
    TRY(cudaRuntimeGetVersion(&runtime));
    printf("{\"record\": \"card\", \"name\": \"%s\", \"compute_capability\": \"%d.%d\", "
           "\"multiprocessors\": %d, \"l2_bytes\": %d, \"memory_bytes\": %zu, "
           "\"cuda_driver\": %d, \"cuda_runtime\": %d}\n",
           p.name, p.major, p.minor, p.multiProcessorCount, p.l2CacheSize, p.totalGlobalMem, driver,
           runtime);
    return 0;
}

int main(int argc, char **argv)
{
    int failures = 0;
    if (print_device() != 0) {
        fprintf(stderr, "gpu_ceilings: %s gave %d: %s\n", failed_call, failed_code,
                cudaGetErrorString((cudaError_t)failed_code));
        return 1;
    }
    for (size_t i = 0; i < sizeof measurements / sizeof measurements[0]; i++) {
        if (!is_wanted(measurements[i].name, argc, argv) || measurements[i].run() == 0) {
            continue;
        }
        failures++;
        printf("{\"record\": \"ceiling\", \"name\": \"%s\", \"error\": \"%s gave %d\"}\n",
               measurements[i].name, failed_call, failed_code);
        fflush(stdout);
        cudaGetLastError();
    }
    return failures > 0;
}
