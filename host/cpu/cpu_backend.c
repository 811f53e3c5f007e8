#include "cpu_backend.h"

#include <stdio.h>
#include <string.h>

#ifdef STETI_X86
#include <cpuid.h>
#endif

#include "alloc.h"
#include "arena.h"
#include "cpu_internal.h"

/* ---- Sharing work ---------------------------------------------------------------------------- */

/* A hand-off to a waiting thread costs about as long as this many int8 multiply-adds on one
 * core. */
#define MACS_PER_PART (96 * 1024)

int steti_cpu_parts(const struct steti_backend *b, int64_t macs)
{
    int64_t parts = macs / MACS_PER_PART;
    return parts < 1 ? 1 : parts < b->threads ? (int)parts : b->threads;
}

void steti_cpu_share(int n, int unit, int part, int n_parts, int *begin, int *end)
{
    int64_t units = (n + unit - 1) / unit;
    int64_t from = units * part / n_parts * unit;
    int64_t to = units * (part + 1) / n_parts * unit;
    *begin = from < n ? (int)from : n;
    *end = to < n ? (int)to : n;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int always(void)
{
    return 1;
}

#ifdef STETI_X86
static int has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* The compilers' builtin does not know this feature by name yet: leaf 7, subleaf 1, EAX bit 4. */
static int has_avx2vnni(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1u);
}

static int has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}
#endif

/* Best first. */
static const struct {
    const struct steti_kernels *k;
    int (*is_supported)(void);
} instruction_sets[] = {
#ifdef STETI_X86
    {&steti_kernels_avx512, has_avx512},
    {&steti_kernels_avx2vnni, has_avx2vnni},
    {&steti_kernels_avx2, has_avx2},
#endif
    {&steti_kernels_portable, always},
};

static stet_status choose_kernels(const char *isa, const struct steti_kernels **out,
                                  stet_error *err)
{
    int is_auto = isa == NULL || strcmp(isa, "auto") == 0;
    size_t n = sizeof instruction_sets / sizeof instruction_sets[0];
    for (size_t i = 0; i < n; i++) {
        if (!is_auto && strcmp(isa, instruction_sets[i].k->isa) != 0) {
            continue;
        }
        if (instruction_sets[i].is_supported()) {
            *out = instruction_sets[i].k;
            return STET_OK;
        }
        if (!is_auto) {
            return steti_fail(err, STET_E_DEVICE, "this processor has no %s: use isa \"auto\"",
                              isa);
        }
    }
    if (strcmp(isa, "avx2") == 0 || strcmp(isa, "avx2vnni") == 0 || strcmp(isa, "avx512") == 0 ||
        strcmp(isa, "neon") == 0) {
        return steti_fail(err, STET_E_DEVICE, "this build has no %s kernels: use isa \"auto\"",
                          isa);
    }
    return steti_fail(err, STET_E_INVALID,
                      "isa \"%s\" is unknown: expected auto, portable, avx2, avx2vnni, avx512 "
                      "or neon",
                      isa);
}

stet_status steti_cpu_open_with(const struct steti_kernels *k, int threads,
                                struct steti_backend **out, stet_error *err)
{
    struct steti_backend *b;
    stet_status st;
    *out = NULL;
    b = steti_calloc(1, sizeof *b);
    if (b == NULL) {
        return steti_fail_nomem(err, "the cpu backend", sizeof *b);
    }
    b->k = k;
    b->threads = threads;
    STETI_TRY_GOTO(steti_pool_open(threads, &b->pool, err), st, fail_pool);
    *out = b;
    return STET_OK;

fail_pool:
    steti_free(b);
    return st;
}

static stet_status cpu_open(const struct steti_backend_options *o, struct steti_backend **out,
                            stet_error *err)
{
    const struct steti_kernels *k = NULL;
    *out = NULL;
    STETI_TRY(choose_kernels(o->isa, &k, err));
    return steti_cpu_open_with(k, o->threads, out, err);
}

static void cpu_close(struct steti_backend *b)
{
    if (b != NULL) {
        steti_pool_close(b->pool);
        steti_free(b->scratch);
        steti_free(b);
    }
}

static void cpu_caps(const struct steti_backend *b, struct steti_backend_caps *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "cpu (%s, %d thread%s)", b->k->text, b->threads,
             b->threads == 1 ? "" : "s");
    out->row_tile = b->k->row_tile;
    out->threads = b->threads;
    out->weight_bytes = b->weight_bytes;
    out->compute_types = 1u << STETI_F32 | 1u << STETI_I8;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static stet_status cpu_mem_alloc(struct steti_backend *b, size_t bytes, void **out, stet_error *err)
{
    (void)b;
    *out = steti_calloc(1, bytes);
    return *out != NULL ? STET_OK : steti_fail_nomem(err, "working memory", bytes);
}

static void cpu_mem_free(struct steti_backend *b, void *p)
{
    (void)b;
    steti_free(p);
}

static stet_status cpu_copy(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                            stet_error *err)
{
    (void)b;
    (void)err;
    if (bytes > 0) {
        memcpy(dst, src, bytes);
    }
    return STET_OK;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Scratch, front to back: quantised rows | their scales | scores | tiles of logits | best
 * values. */
struct scratch {
    size_t rows, ld_q, ld_scores, tiles; /* floats of tiles; bytes of a quantised row */
    size_t bytes;
};

static struct scratch plan_scratch(const struct steti_backend *b, const struct steti_limits *l)
{
    size_t threads = (size_t)b->threads;
    struct scratch s = {.rows = (size_t)l->max_rows,
                        .ld_q = ((size_t)l->max_in + 63) / 64 * 64,
                        .ld_scores = ((size_t)l->max_keys + 15) / 16 * 16,
                        .tiles = threads * STETI_TILE_ROWS * STETI_TILE_COLUMNS};
    s.bytes = steti_arena_cost(s.rows * s.ld_q) + steti_arena_cost(s.rows * sizeof(float)) +
              steti_arena_cost(threads * s.ld_scores * sizeof(float)) +
              steti_arena_cost(s.tiles * sizeof(float)) +
              steti_arena_cost(s.rows * STETI_SEGMENTS * sizeof(struct steti_best));
    return s;
}

static size_t cpu_scratch_bytes(const struct steti_backend *b, int max_rows, int max_in,
                                int max_keys)
{
    struct steti_limits l = {.max_rows = max_rows, .max_in = max_in, .max_keys = max_keys};
    return plan_scratch(b, &l).bytes;
}

static stet_status cpu_reserve(struct steti_backend *b, int max_rows, int max_in, int max_keys,
                               stet_error *err)
{
    struct steti_limits l;
    struct steti_arena a;
    struct scratch s;
    STETI_TRY(steti_check_reserve(max_rows, max_in, max_keys, err));
    l.max_rows = larger(max_rows, b->limits.max_rows);
    l.max_in = larger(max_in, b->limits.max_in);
    l.max_keys = larger(max_keys, b->limits.max_keys);
    s = plan_scratch(b, &l);
    STETI_TRY(steti_arena_init(&a, s.bytes, err));
    steti_free(b->scratch);
    b->scratch = a.base;
    b->limits = l;
    b->ld_q = (int64_t)s.ld_q;
    b->ld_scores = (int64_t)s.ld_scores;
    b->q = steti_arena_alloc(&a, s.rows * s.ld_q);
    b->row_scale = steti_arena_alloc(&a, s.rows * sizeof(float));
    b->scores = steti_arena_alloc(&a, (size_t)b->threads * s.ld_scores * sizeof(float));
    b->tiles = steti_arena_alloc(&a, s.tiles * sizeof(float));
    b->best = steti_arena_alloc(&a, s.rows * STETI_SEGMENTS * sizeof(struct steti_best));
    return STET_OK;
}

static stet_status cpu_sync(struct steti_backend *b, stet_error *err)
{
    (void)b;
    (void)err;
    return STET_OK; /* ops are done when they return */
}

static stet_status cpu_count(int *out, stet_error *err)
{
    (void)err;
    *out = 1;
    return STET_OK;
}

const struct steti_backend_ops *steti_cpu_backend(void)
{
    static const struct steti_backend_ops ops = {
        .api_version = STETI_BACKEND_API,
        .open = cpu_open,
        .close = cpu_close,
        .caps = cpu_caps,
        .mem_alloc = cpu_mem_alloc,
        .mem_free = cpu_mem_free,
        .upload = cpu_copy,
        .download = cpu_copy,
        .copy = cpu_copy,
        .pack_matrix = steti_cpu_pack_matrix,
        .free_matrix = steti_cpu_free_matrix,
        .reserve = cpu_reserve,
        .scratch_bytes = cpu_scratch_bytes,
        .embed = steti_cpu_embed,
        .norm = steti_cpu_norm,
        .linear = steti_cpu_linear,
        .attention = steti_cpu_attention,
        .argmax = steti_cpu_argmax,
        .sync = cpu_sync,
        .count_devices = cpu_count,
    };
    return &ops;
}
