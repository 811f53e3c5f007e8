/* bench_linear.c - the linear op by rows, type, instruction set and threads.
 *
 *   bench_linear [n_in n_out [isa [threads]]]
 *
 * Prints one line a case: microseconds a call (median, and fastest) and GOP/s (a multiply-add
 * counts as two). Weights are hot: the figures say what the kernels do, not what memory does. On a
 * shared machine compare the fastest column.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "cpu_backend.h"

#define REPEATS 41

struct bench {
    const struct steti_backend_ops *ops;
    struct steti_backend *b;
    const char *isa;
    int threads, n_in, n_out, max_rows;
    struct steti_matrix *w;
    float *x, *out;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static float noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) * 0x1p-23f - 1.0f;
}

static void fill(float *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = noise(&seed);
    }
}

static int bench_rows(struct bench *t, int rows, const char *type)
{
    struct steti_linear_part part = {.w = t->w, .out = t->out, .ld_out = t->n_out};
    struct steti_linear_params p = {rows, t->n_in, t->x, 1, &part};
    stet_error err = {.struct_size = sizeof err};
    double gop = 2e-9 * rows * t->n_in * t->n_out;
    int calls = (int)(2e-3 / (gop / 300.0)) / 4 + 1;
    uint64_t ns[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        uint64_t start = steti_now(steti_clock_system());
        for (int c = 0; c < calls; c++) {
            if (t->ops->linear(t->b, &p, &err) != STET_OK) {
                fprintf(stderr, "%s\n", err.message);
                return 1;
            }
        }
        ns[i] = (steti_now(steti_clock_system()) - start) / (uint64_t)calls;
    }
    qsort(ns, REPEATS, sizeof ns[0], by_value);
    printf("%-9s %-5s %7d %5d %5d %5d %10.1f %8.0f %10.1f %8.0f\n", t->isa, type, t->threads,
           t->n_in, t->n_out, rows, (double)ns[REPEATS / 2] / 1e3,
           gop / ((double)ns[REPEATS / 2] * 1e-9), (double)ns[0] / 1e3,
           gop / ((double)ns[0] * 1e-9));
    return 0;
}

static int bench_type(struct bench *t, enum steti_dtype type, const float *weights)
{
    static const int rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 26, 32, 64, 128, 200};
    struct steti_tensor src = {weights, STETI_F32, 2, {t->n_out, t->n_in}};
    stet_error err = {.struct_size = sizeof err};
    int bad = 0;
    if (t->ops->pack_matrix(t->b, &src, NULL, type, &t->w, &err) != STET_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !bad; i++) {
        bad = bench_rows(t, rows[i], steti_dtype_name(type));
    }
    t->ops->free_matrix(t->b, t->w);
    return bad;
}

static int bench_isa(struct bench *t, const float *weights)
{
    struct steti_backend_options o = {t->threads, t->isa, 0};
    stet_error err = {.struct_size = sizeof err};
    int bad;
    if (t->ops->open(&o, &t->b, &err) != STET_OK) {
        fprintf(stderr, "%s: %s\n", t->isa, err.message);
        return 0;
    }
    bad = t->ops->reserve(t->b, t->max_rows, t->n_in, 1, &err) != STET_OK ||
          bench_type(t, STETI_I8, weights) || bench_type(t, STETI_F32, weights);
    t->ops->close(t->b);
    return bad;
}

int main(int argc, char **argv)
{
    static const char *const all[] = {"avx512", "avx2vnni", "avx2"};
    struct bench t = {.ops = steti_cpu_backend(), .n_in = 512, .n_out = 2048, .max_rows = 200};
    const char *only = argc > 3 ? argv[3] : NULL;
    int only_threads = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 0;
    float *weights;
    int bad = 0;
    if (argc > 2) {
        t.n_in = (int)strtol(argv[1], NULL, 10);
        t.n_out = (int)strtol(argv[2], NULL, 10);
    }
    weights = steti_malloc((size_t)t.n_in * (size_t)t.n_out * sizeof(float));
    t.x = steti_malloc((size_t)t.max_rows * (size_t)t.n_in * sizeof(float));
    t.out = steti_malloc((size_t)t.max_rows * (size_t)t.n_out * sizeof(float));
    if (weights == NULL || t.x == NULL || t.out == NULL) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    fill(weights, (size_t)t.n_in * (size_t)t.n_out, 1);
    fill(t.x, (size_t)t.max_rows * (size_t)t.n_in, 2);
    printf("%-9s %-5s %7s %5s %5s %5s %10s %8s %10s %8s\n", "isa", "type", "threads", "n_in",
           "n_out", "rows", "median us", "GOP/s", "best us", "GOP/s");
    for (t.threads = 1; t.threads <= 2 && !bad; t.threads++) {
        for (size_t i = 0; i < sizeof all / sizeof all[0] && !bad; i++) {
            t.isa = only != NULL ? only : all[i];
            if (only_threads == 0 || only_threads == t.threads) {
                bad = bench_isa(&t, weights);
            }
            i += only != NULL ? 99 : 0;
        }
    }
    steti_free(weights);
    steti_free(t.x);
    steti_free(t.out);
    return bad;
}
