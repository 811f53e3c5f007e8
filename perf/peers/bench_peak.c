/* What the processor's units for products can do at most: the bound of work that has all its data
 * in registers
 *
 *   bench_peak [THREADS]
 *
 * Prints the best of nine in GFLOP/s of float32 and GOP/s of 8-bit integers (a multiply-add counts
 * as two), with the widest instructions that the processor has of those stet uses. "0" where there
 * are none on this kind of processor. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "stet.h"

enum { REPEATS = 9, THREADS_MAX = 64, CHAINS = 12, STEPS = 2000000 };

/* A loop of STEPS steps; returns the number of operations done. */
typedef double (*work_fn)(void);

#if defined(__x86_64__)
/* Each step is CHAINS instructions that do not wait for each other, more than the units' latency
 * times their number. Assembly, so that no compiler makes fewer of them. */
#define CHAIN(op, reg)                                                                             \
    op " %%" reg "12, %%" reg "13, %%" reg "0\n" op " %%" reg "12, %%" reg "13, %%" reg "1\n" op   \
       " %%" reg "12, %%" reg "13, %%" reg "2\n" op " %%" reg "12, %%" reg "13, %%" reg "3\n" op   \
       " %%" reg "12, %%" reg "13, %%" reg "4\n" op " %%" reg "12, %%" reg "13, %%" reg "5\n" op   \
       " %%" reg "12, %%" reg "13, %%" reg "6\n" op " %%" reg "12, %%" reg "13, %%" reg "7\n" op   \
       " %%" reg "12, %%" reg "13, %%" reg "8\n" op " %%" reg "12, %%" reg "13, %%" reg "9\n" op   \
       " %%" reg "12, %%" reg "13, %%" reg "10\n" op " %%" reg "12, %%" reg "13, %%" reg "11\n"
#define CLOBBERED                                                                                  \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13"
#define WORK(name, body, per_step)                                                                 \
    static double name(void)                                                                       \
    {                                                                                              \
        for (int i = 0; i < STEPS; i++) {                                                          \
            __asm__ volatile(body ::: CLOBBERED);                                                  \
        }                                                                                          \
        __asm__ volatile("vzeroall" ::: CLOBBERED);                                                \
        return (double)STEPS * CHAINS * (per_step);                                                \
    }

WORK(float_avx2, CHAIN("vfmadd231ps", "ymm"), 16)
WORK(float_avx512, CHAIN("vfmadd231ps", "zmm"), 32)
WORK(int_avx512, CHAIN("vpdpbusd", "zmm"), 128)
WORK(int_avx2vnni, CHAIN("%{vex%} vpdpbusd", "ymm"), 64)

/* Without VNNI: bytes to pairs of 16 bits, pairs to 32 bits, and an addition. */
WORK(int_avx2, CHAIN("vpmaddubsw", "ymm") CHAIN("vpmaddwd", "ymm") CHAIN("vpaddd", "ymm"), 64)

static work_fn best_float(void)
{
    return __builtin_cpu_supports("avx512f") ? float_avx512
           : __builtin_cpu_supports("fma")   ? float_avx2
                                             : NULL;
}

static int has_avx2vnni(void)
{
    uint32_t a = 7, b = 0, c = 1, d = 0;
    __asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
    return (a >> 4 & 1) != 0;
}

static work_fn best_int(void)
{
    if (__builtin_cpu_supports("avx512vnni")) {
        return int_avx512;
    }
    if (!__builtin_cpu_supports("avx2")) {
        return NULL;
    }
    return has_avx2vnni() ? int_avx2vnni : int_avx2;
}
#else
static work_fn best_float(void)
{
    return NULL;
}
static work_fn best_int(void)
{
    return NULL;
}
#endif

struct job {
    work_fn work;
    double ops;
};

static void *do_job(void *p)
{
    struct job *job = p;
    job->ops = job->work();
    return NULL;
}

static double rate_once(work_fn work, size_t threads)
{
    pthread_t id[THREADS_MAX];
    struct job jobs[THREADS_MAX];
    uint64_t start = stet_clock_ns();
    double ops = 0;
    for (size_t t = 0; t < threads; t++) {
        jobs[t] = (struct job){work, 0};
        if (pthread_create(&id[t], NULL, do_job, &jobs[t]) != 0) {
            fprintf(stderr, "bench_peak: cannot start a thread\n");
            exit(1);
        }
    }
    for (size_t t = 0; t < threads; t++) {
        pthread_join(id[t], NULL);
        ops += jobs[t].ops;
    }
    return ops / (double)(stet_clock_ns() - start);
}

/* 1e9 operations a second. */
static double rate(work_fn work, size_t threads)
{
    double best = 0;
    for (int i = 0; i < REPEATS && work != NULL; i++) {
        double now = rate_once(work, threads);
        best = now > best ? now : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    size_t threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 2;
    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "bench_peak: 1 to %d threads\n", THREADS_MAX);
        return 1;
    }
    printf("threads=%zu float32=%.1f int8=%.1f\n", threads, rate(best_float(), threads),
           rate(best_int(), threads));
    return 0;
}
