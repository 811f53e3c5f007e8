/* cuda_scratch.c - what reserve makes: one block of the device and one of the host. */
#include "alloc.h"
#include "arena.h"
#include "cuda_blas.h"
#include "cuda_internal.h"
#include "cuda_sdpa.h"

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Scratch, front to back: quantised or narrowed rows | scales | best values | bests of tiles |
 * logits | row arrays of recordings | sums from a library. */
struct layout {
    size_t ld_q, q, row_scale, best, tile, logits, rows, raw; /* bytes */
    size_t bytes;
};

static struct layout plan_scratch(const struct steti_backend *b, const struct steti_limits *l)
{
    size_t rows = (size_t)l->max_rows, least;
    struct layout s = {.ld_q = ((size_t)l->max_in + 63) / 64 * 64};
    least = steti_cuda_sdpa_bytes(b, s.ld_q, l->max_keys);
    s.q = rows * s.ld_q * sizeof(uint16_t);
    s.q = steti_arena_cost(s.q > least ? s.q : least);
    s.row_scale = steti_arena_cost(rows * sizeof(float));
    s.best = steti_arena_cost(rows * sizeof(struct steti_cuda_best));
    s.tile = STETI_CUDA_TILE_BYTES;
    s.logits = STETI_CUDA_RESULT_BYTES;
    s.rows = steti_cuda_rows_bytes(l->max_rows, STETI_RECORD_ARRAYS);
    s.raw = steti_cuda_library_raw_bytes(b, l->max_rows);
    s.bytes = s.q + s.row_scale + s.best + s.tile + s.logits + s.rows + s.raw;
    return s;
}

/* Pinned: row arrays on their way in, best values on their way out. */
static size_t twin_bytes(const struct layout *l)
{
    return l->rows + l->best;
}

size_t steti_cuda_scratch_bytes(const struct steti_backend *b, int max_rows, int max_in,
                                int max_keys)
{
    struct steti_limits l = {.max_rows = max_rows, .max_in = max_in, .max_keys = max_keys};
    struct layout s = plan_scratch(b, &l);
    return s.bytes + twin_bytes(&s) + 2 * STETI_CUDA_RING_BYTES + STETI_CUDA_RESULT_BYTES;
}

void steti_cuda_drop_scratch(struct steti_backend *b, struct steti_cuda_scratch *s)
{
    if (s != NULL && --s->users == 0) {
        b->rt->mem_free(s->device); /* waits for the ops that use it */
        b->rt->pinned_free(s->pinned);
        steti_free(s);
    }
}

static stet_status make_scratch(struct steti_backend *b, const struct layout *l,
                                struct steti_cuda_scratch **out, stet_error *err)
{
    struct steti_cuda_scratch *s = steti_calloc(1, sizeof *s);
    void *pinned = NULL;
    stet_status st;
    *out = NULL;
    if (s == NULL) {
        return steti_fail_nomem(err, "the cuda backend", sizeof *s);
    }
    s->users = 1;
    STETI_TRY_GOTO(steti_cuda_alloc(b, l->bytes, "scratch", &s->device, err), st, fail);
    STETI_TRY_GOTO(steti_cuda_pinned(b, twin_bytes(l), &pinned, err), st, fail);
    s->pinned = pinned;
    s->pinned_results = s->pinned + l->rows;
    *out = s;
    return STET_OK;
fail:
    steti_cuda_drop_scratch(b, s);
    return st;
}

static stet_status check_device_limits(const struct steti_backend *b, int max_rows, int max_keys,
                                       stet_error *err)
{
    int most_keys = (int)(b->props.shared_bytes / sizeof(float));
    if (max_keys > most_keys) {
        return steti_fail(err, STET_E_INVALID, "reserve: %d keys: device cuda:%d takes at most %d",
                          max_keys, b->device, most_keys);
    }
    if (max_rows > 65535 * 8) { /* the second dimension of a grid, 8 rows a block */
        return steti_fail(err, STET_E_INVALID, "reserve: %d rows: device cuda:%d takes at most %d",
                          max_rows, b->device, 65535 * 8);
    }
    return STET_OK;
}

static void place_scratch(struct steti_backend *b, const struct layout *l)
{
    unsigned char *p = b->scratch->device;
    b->q = (int8_t *)p;
    b->h = (uint16_t *)(void *)p;
    b->ld_q = (int64_t)l->ld_q;
    b->row_bytes = l->q;
    p += l->q;
    b->row_scale = (float *)(void *)p;
    p += l->row_scale;
    b->best = (struct steti_cuda_best *)(void *)p;
    p += l->best;
    b->tile = (struct steti_cuda_best *)(void *)p;
    p += l->tile;
    b->logits = (float *)(void *)p;
    p += l->logits;
    b->scratch->rows = p;
    p += l->rows;
    b->raw = l->raw > 0 ? p : NULL;
    b->raw_width = l->raw > 0 ? b->library.widest : 0;
}

stet_status steti_cuda_reserve(struct steti_backend *b, int max_rows, int max_in, int max_keys,
                               stet_error *err)
{
    struct steti_limits l;
    struct layout s;
    struct steti_cuda_scratch *made = NULL;
    STETI_TRY(steti_check_reserve(max_rows, max_in, max_keys, err));
    STETI_TRY(check_device_limits(b, max_rows, max_keys, err));
    STETI_TRY(steti_cuda_idle(b, err));
    l.max_rows = larger(max_rows, b->limits.max_rows);
    l.max_in = larger(max_in, b->limits.max_in);
    l.max_keys = larger(max_keys, b->limits.max_keys);
    s = plan_scratch(b, &l);
    STETI_TRY(make_scratch(b, &s, &made, err));
    steti_cuda_drop_scratch(b, b->scratch);
    b->scratch = made;
    place_scratch(b, &s);
    b->limits = l;
    return STET_OK;
}
