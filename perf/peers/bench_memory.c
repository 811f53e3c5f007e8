/* How fast all threads together read memory: the bound of work that reads every weight once
 *
 *   bench_memory [THREADS [MEGABYTES]]
 *
 * Each thread sums its own part of MEGABYTES, which must be much more than the caches hold. Prints
 * the best of nine in GB/s (1e9 bytes). */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stet.h"

enum { REPEATS = 9, THREADS_MAX = 64 };

struct part {
    const uint64_t *data;
    size_t n;
    uint64_t sum;
};

static void *read_part(void *p)
{
    struct part *part = p;
    uint64_t sum[8] = {0};
    for (size_t i = 0; i + 8 <= part->n; i += 8) {
        for (size_t k = 0; k < 8; k++) {
            sum[k] += part->data[i + k];
        }
    }
    for (size_t k = 0; k < 8; k++) {
        part->sum += sum[k];
    }
    return NULL;
}

/* Seconds for all parts, each in a thread of its own. */
static double read_all(struct part *parts, size_t threads)
{
    pthread_t id[THREADS_MAX];
    uint64_t start = stet_clock_ns();
    for (size_t t = 0; t < threads; t++) {
        if (pthread_create(&id[t], NULL, read_part, &parts[t]) != 0) {
            fprintf(stderr, "bench_memory: cannot start a thread\n");
            exit(1);
        }
    }
    for (size_t t = 0; t < threads; t++) {
        pthread_join(id[t], NULL);
    }
    return (double)(stet_clock_ns() - start) / 1e9;
}

int main(int argc, char **argv)
{
    size_t threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 2;
    size_t bytes = (argc > 2 ? strtoul(argv[2], NULL, 10) : 512) << 20;
    struct part parts[THREADS_MAX] = {0};
    double best = 0;
    uint64_t *data = malloc(bytes), sum = 0;
    if (threads < 1 || threads > THREADS_MAX || data == NULL) {
        fprintf(stderr, "bench_memory: 1 to %d threads, and memory that is there\n", THREADS_MAX);
        free(data);
        return 1;
    }
    memset(data, 1, bytes);
    for (size_t t = 0; t < threads; t++) {
        parts[t].n = bytes / sizeof *data / threads;
        parts[t].data = data + t * parts[t].n;
    }
    for (int i = 0; i < REPEATS; i++) {
        double rate =
            (double)(parts[0].n * threads * sizeof *data) / read_all(parts, threads) / 1e9;
        best = rate > best ? rate : best;
    }
    for (size_t t = 0; t < threads; t++) {
        sum += parts[t].sum;
    }
    printf("threads=%zu megabytes=%zu gb_per_second=%.2f sum=%llu\n", threads, bytes >> 20, best,
           (unsigned long long)sum);
    free(data);
    return 0;
}
