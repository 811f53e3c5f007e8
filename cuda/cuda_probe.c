/* cuda_probe.c - does a library multiply with the own kernels' bits, and is it faster? */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "arena.h"
#include "cuda_blas.h"

#define REPEATS 3           /* of a measurement; the shortest counts */
#define COMPARED_BLOCK 2048 /* words of a block of the kernel */

/* One row, one and two tiles of eight, both sides of edges at which a library may change its ways,
 * and batches. */
static const int row_counts[] = {1, 7, 8, 9, 26, 64, 65, 200, 1024, 4096};

struct probe {
    struct steti_backend *b;
    struct steti_blas_verdict *v;
    struct steti_matrix *m; /* of random weights */
    int rows;
    /* device, in one block: inputs; outputs of the own kernels and of the library; what b->raw is
     * filled with before every product; was a difference found? */
    unsigned char *block;
    float *x, *own, *got;
    unsigned char *poison;
    size_t raw_bytes;
    int32_t *found;
    void *begin, *end; /* events */
    const struct steti_blas_algo *all;
    int n; /* candidates; 0: only v->algo, and only whether its bits are right */
    int same;
};

/* ---- Random numbers -------------------------------------------------------------------------- */

/* The same everywhere (splitmix64). */
static uint64_t next_bits(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* -1 .. 1, never 0: a product with 0 tells nothing about an order of sums. */
static float next_float(uint64_t *state)
{
    return ((float)(next_bits(state) >> 40) + 0.5f) * 0x1p-23f - 1.0f;
}

/* Every thirteenth row has products below the smallest normal number, which must not be taken for
 * zeros, and every eleventh has values of very different sizes. */
static void fill_rows(float *x, int n_rows, int n, uint64_t seed)
{
    for (int r = 0; r < n_rows; r++) {
        for (int i = 0; i < n; i++) {
            float v = next_float(&seed);
            if (r % 13 == 5) {
                v *= 0x1p-130f;
            } else if (r % 11 == 3 && i % 3 != 0) {
                v *= 0x1p-12f;
            }
            x[(size_t)r * (size_t)n + (size_t)i] = v;
        }
    }
}

/* ---- What is needed -------------------------------------------------------------------------- */

static stet_status pack_random(struct probe *j, stet_error *err)
{
    int n_out = j->v->n_out, n_in = j->v->n_in;
    size_t n = (size_t)n_out * (size_t)n_in;
    float *w = steti_malloc(n * sizeof *w);
    struct steti_tensor src = {w, STETI_F32, 2, {n_out, n_in}};
    uint64_t seed = 1;
    stet_status st;
    if (w == NULL) {
        return steti_fail_nomem(err, "random weights for a probe", n * sizeof *w);
    }
    for (size_t i = 0; i < n; i++) {
        w[i] = next_float(&seed);
    }
    st = steti_cuda_pack_as(j->b, &src, NULL, j->v, j->v->type, &j->m, err);
    steti_free(w);
    return st;
}

/* Also takes the place of the context's scratch. */
static stet_status make_block(struct probe *j, stet_error *err)
{
    struct steti_backend *b = j->b;
    size_t rows = (size_t)j->rows, n_in = (size_t)j->v->n_in;
    size_t x = steti_arena_cost(rows * n_in * sizeof(float));
    size_t out = steti_arena_cost(rows * (size_t)j->v->n_out * sizeof(float));
    size_t ld_q = (n_in + 63) / 64 * 64, q = rows * ld_q * sizeof(uint16_t);
    size_t scales = steti_arena_cost(rows * sizeof(float));
    void *p = NULL;
    j->raw_bytes = rows * (size_t)j->m->filled_out * sizeof(float);
    STETI_TRY(steti_cuda_alloc(b, x + 2 * out + q + scales + 2 * j->raw_bytes + sizeof(int32_t),
                               "a probe of the matrix library", &p, err));
    j->block = p;
    j->x = (float *)p;
    j->own = (float *)(void *)(j->block + x);
    j->got = (float *)(void *)(j->block + x + out);
    b->q = (int8_t *)(j->block + x + 2 * out);
    b->h = (uint16_t *)(void *)b->q;
    b->ld_q = (int64_t)ld_q;
    b->row_scale = (float *)(void *)((unsigned char *)b->q + q);
    b->raw = (unsigned char *)b->row_scale + scales;
    b->raw_width = j->m->filled_out;
    j->poison = (unsigned char *)b->raw + j->raw_bytes;
    j->found = (int32_t *)(void *)(j->poison + j->raw_bytes);
    b->limits = (struct steti_limits){j->rows, j->v->n_in, 1};
    return STET_OK;
}

/* Random rows, and the poison: NaN, or -1 as an integer. */
static stet_status fill_block(struct probe *j, stet_error *err)
{
    size_t bytes = (size_t)j->rows * (size_t)j->v->n_in * sizeof(float);
    size_t total = bytes > j->raw_bytes ? bytes : j->raw_bytes;
    float *x = steti_malloc(total);
    stet_status st;
    if (x == NULL) {
        return steti_fail_nomem(err, "random rows for a probe", total);
    }
    fill_rows(x, j->rows, j->v->n_in, 2);
    st = steti_cuda_copy(j->b, j->x, x, bytes, STETI_TO_DEVICE, err);
    st = st == STET_OK ? steti_cuda_sync(j->b, err) : st;
    if (st == STET_OK) {
        memset(x, 0xff, j->raw_bytes);
        st = steti_cuda_copy(j->b, j->poison, x, j->raw_bytes, STETI_TO_DEVICE, err);
        st = st == STET_OK ? steti_cuda_sync(j->b, err) : st;
    }
    steti_free(x);
    return st;
}

/* ---- Bits ------------------------------------------------------------------------------------ */

static struct steti_linear_part part_to(const struct probe *j, float *out)
{
    return (struct steti_linear_part){.w = j->m, .out = out, .ld_out = j->v->n_out};
}

/* The own kernels: the verdict says that the library is not to be used. */
static stet_status run_own(struct probe *j, stet_error *err)
{
    struct steti_linear_part part = part_to(j, j->own);
    struct steti_linear_params p = {j->rows, j->v->n_in, j->x, 1, &part};
    j->v->passed = 0;
    return steti_cuda_linear_op(j->b, &p, err);
}

/* The library, by v->algo. */
static stet_status run_library(struct probe *j, int rows, int *code, stet_error *err)
{
    struct steti_linear_part part = part_to(j, j->got);
    struct steti_linear_params p = {rows, j->v->n_in, j->x, 1, &part};
    STETI_TRY(steti_cuda_prepare_rows(j->b, j->v->type, j->x, rows, j->v->n_in, err));
    return steti_cuda_library_part(j->b, &p, &part, code, err);
}

/* *same: are the library's bits of so many rows the own kernels'? */
static stet_status compare(struct probe *j, int rows, int *same, stet_error *err)
{
    struct steti_backend *b = j->b;
    struct steti_cuda_differ_args a = {.found = j->found, .n_rows = rows, .n_out = j->v->n_out};
    struct steti_cuda_launch l = {STETI_CUDA_differ, 0, 1, 128, 0, &a, sizeof a};
    int32_t *found = b->result; /* where no results are on their way between ops */
    int code = 0;
    *same = 0;
    a.a = (const uint32_t *)(const void *)j->own;
    a.b = (const uint32_t *)(const void *)j->got;
    l.grid_x = (unsigned)steti_cuda_blocks((int64_t)rows * j->v->n_out, COMPARED_BLOCK);
    /* or what the product before it left would be taken for its own work */
    STETI_TRY(steti_cuda_copy(b, b->raw, j->poison, j->raw_bytes, STETI_ON_DEVICE, err));
    STETI_TRY(run_library(j, rows, &code, err));
    if (code != 0) {
        return steti_cuda_sync(b, err);
    }
    STETI_TRY(steti_cuda_check(b, b->rt->clear(j->found, sizeof *found, b->stream),
                               "cudaMemsetAsync", err));
    STETI_TRY(steti_cuda_run(b, l, err));
    STETI_TRY(steti_cuda_copy(b, found, j->found, sizeof *found, STETI_TO_HOST, err));
    STETI_TRY(steti_cuda_sync(b, err));
    *same = *found == 0;
    return STET_OK;
}

/* *differs_at: the first row count at which the bits differ or the library refuses, 0: none. */
static stet_status check_candidate(struct probe *j, int *differs_at, stet_error *err)
{
    size_t n = sizeof row_counts / sizeof *row_counts;
    int same = 1, rows = 0;
    for (size_t i = 0; i <= n && same; i++) {
        if (i < n && row_counts[i] >= j->rows) {
            i = n; /* the last comparison has all rows */
        }
        rows = i < n ? row_counts[i] : j->rows;
        STETI_TRY(compare(j, rows, &same, err));
    }
    *differs_at = same ? 0 : rows;
    return STET_OK;
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* Milliseconds that all rows take, by the library or by the own kernels. */
static stet_status measure(struct probe *j, int by_library, float *best, stet_error *err)
{
    struct steti_backend *b = j->b;
    for (int i = 0; i < REPEATS; i++) {
        float ms = 0.0f;
        int code = 0;
        STETI_TRY(
            steti_cuda_check(b, b->rt->event_record(j->begin, b->stream), "cudaEventRecord", err));
        STETI_TRY(by_library ? run_library(j, j->rows, &code, err) : run_own(j, err));
        STETI_TRY(
            steti_cuda_check(b, b->rt->event_record(j->end, b->stream), "cudaEventRecord", err));
        STETI_TRY(steti_cuda_check(b, b->rt->event_elapsed(&ms, j->begin, j->end),
                                   "cudaEventElapsedTime", err));
        if (code != 0) {
            *best = FLT_MAX;
            return STET_OK;
        }
        *best = i == 0 || ms < *best ? ms : *best;
    }
    return STET_OK;
}

/* Goes through the candidates; the first of the fastest wins. */
static stet_status choose(struct probe *j, stet_error *err)
{
    float own_ms = 0.0f, best_ms = 0.0f, ms = 0.0f;
    int best = -1, n_passed = 0, longest = -1, differs_at;
    STETI_TRY(run_own(j, err));
    STETI_TRY(measure(j, 0, &own_ms, err));
    for (int i = 0; i < j->n; i++) {
        j->v->algo = j->all[i];
        STETI_TRY(check_candidate(j, &differs_at, err));
        longest = differs_at > longest ? differs_at : longest;
        if (differs_at == 0) {
            n_passed++;
            STETI_TRY(measure(j, 1, &ms, err));
            if (ms < (best >= 0 ? best_ms : own_ms)) {
                best = i;
                best_ms = ms;
            }
        }
    }
    j->v->passed = best >= 0;
    if (best >= 0) {
        j->v->algo = j->all[best];
        snprintf(j->v->why, sizeof j->v->why,
                 "candidate %d of %d, %d with the same bits; %d rows in %.4f ms instead of %.4f",
                 best + 1, j->n, n_passed, j->rows, (double)best_ms, (double)own_ms);
    } else if (n_passed > 0) {
        snprintf(j->v->why, sizeof j->v->why,
                 "%d of %d candidates have the same bits, but none is faster", n_passed, j->n);
    } else {
        snprintf(
            j->v->why, sizeof j->v->why,
            "none of %d candidates has the same bits; the best one differs or fails at %d rows",
            j->n, longest);
    }
    return STET_OK;
}

/* ---- The probe ------------------------------------------------------------------------------- */

static stet_status run_probe(struct probe *j, stet_error *err)
{
    struct steti_backend *b = j->b;
    STETI_TRY(pack_random(j, err));
    STETI_TRY(make_block(j, err));
    STETI_TRY(fill_block(j, err));
    if (j->n == 0) {
        STETI_TRY(run_own(j, err));
        return compare(j, j->rows, &j->same, err);
    }
    STETI_TRY(steti_cuda_check(b, b->rt->event_create(&j->begin), "cudaEventCreate", err));
    STETI_TRY(steti_cuda_check(b, b->rt->event_create(&j->end), "cudaEventCreate", err));
    return choose(j, err);
}

static void destroy_event(struct steti_backend *b, void *event)
{
    if (event != NULL) {
        b->rt->event_destroy(event);
    }
}

/* With the context's scratch put aside. */
static stet_status probe_beside(struct probe *j, stet_error *err)
{
    struct steti_backend *b = j->b;
    struct steti_backend before = *b;
    stet_status st;
    b->library.is_probing = 1;
    st = run_probe(j, err);
    b->library.is_probing = 0;
    b->rt->sync(b->stream); /* after a failure there may be work on what is freed now */
    destroy_event(b, j->begin);
    destroy_event(b, j->end);
    b->rt->mem_free(j->block);
    steti_cuda_free_matrix(b, j->m);
    b->q = before.q;
    b->h = before.h;
    b->ld_q = before.ld_q;
    b->row_scale = before.row_scale;
    b->raw = before.raw;
    b->raw_width = before.raw_width;
    b->limits = before.limits;
    return st;
}

stet_status steti_cuda_probe(struct steti_backend *b, struct steti_blas_verdict *v, stet_error *err)
{
    struct steti_blas_algo all[STETI_CUDA_BLAS_MOST];
    struct probe j = {.b = b, .v = v, .rows = b->tuning.blas_probe_rows, .all = all};
    j.n = steti_cuda_library_candidates(b, v, all);
    v->passed = 0;
    if (j.n == 0) {
        v->is_for_now = 1;
        snprintf(v->why, sizeof v->why, "the library offers nothing for it");
        return STET_OK;
    }
    if (b->tuning.blas_unproven) {
        v->passed = v->is_for_now = 1;
        v->algo = all[0];
        snprintf(v->why, sizeof v->why, "taken without a probe");
        return STET_OK;
    }
    return probe_beside(&j, err);
}

stet_status steti_cuda_probe_again(struct steti_backend *b, struct steti_blas_verdict *v,
                                   stet_error *err)
{
    struct probe j = {.b = b, .v = v, .rows = b->tuning.blas_rows + 1};
    STETI_TRY(probe_beside(&j, err));
    v->passed = j.same;
    return STET_OK;
}
