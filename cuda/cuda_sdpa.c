/* cuda_sdpa.c - ops whose attention a library makes. See cuda_sdpa.h. */
#include "cuda_sdpa.h"

#include <string.h>

#define ALIGN 64

/* ---- Calls ----------------------------------------------------------------------------------- */

int steti_cuda_sdpa_takes(const struct steti_backend *b, const struct steti_attention_params *p)
{
    return b->sdpa != NULL && p->compute == STETI_BF16 && p->bias == NULL &&
           (b->sdpa->o.kinds >> p->kind & 1u) != 0;
}

size_t steti_cuda_sdpa_bytes(const struct steti_backend *b, size_t ld, int max_keys)
{
    size_t keys = (size_t)(max_keys < STETI_SDPA_KEYS ? max_keys : STETI_SDPA_KEYS);
    return b->sdpa != NULL ? 2 * (1 + keys) * ld * sizeof(uint16_t) + 4 * ALIGN : 0;
}

static int row_fits(const struct steti_attention_params *p, int r)
{
    return p->key_count[r] <= STETI_SDPA_KEYS && (p->tail_count == NULL || p->tail_count[r] == 0);
}

/* Rows from r on that have the keys of row r, as many as an entry takes. */
static int rows_alike(const struct steti_attention_params *p, int r)
{
    int n = 1;
    while (n < STETI_SDPA_KEYS && r + n < p->n_rows && row_fits(p, r + n) &&
           p->key_begin[r + n] == p->key_begin[r] && p->key_count[r + n] == p->key_count[r]) {
        n++;
    }
    return n;
}

/* Rows of one call of the library: n_rows from row `first` on. */
struct call_rows {
    int first, n_rows, n_keys, n_entries, most;
};

static void add_entry(struct steti_cuda_sdpa *s, struct call_rows *c, int rows, int keys,
                      int key_source, int width)
{
    int32_t *at = s->numbers + c->n_entries++;
    at[0] = rows;
    at[STETI_SDPA_SECTION] = keys;
    at[4 * STETI_SDPA_SECTION] = key_source;
    c->n_rows += rows;
    c->n_keys += keys;
    at[2 * STETI_SDPA_SECTION + 1] = c->n_rows * width;
    at[3 * STETI_SDPA_SECTION + 1] = c->n_keys * width;
    c->most = rows > c->most ? rows : c->most;
    c->most = keys > c->most ? keys : c->most;
}

/* Rows from row `first` on, which fits: as many as a call and the scratch take. */
static struct call_rows collect(struct steti_backend *b, const struct steti_attention_params *p,
                                int first)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    struct call_rows c = {.first = first};
    int width = p->n_heads * p->head_dim;
    /* Elements are counted in 31 bits. */
    size_t bytes = b->row_bytes < INT32_MAX ? b->row_bytes : INT32_MAX;
    int room = (int)((bytes - 4 * ALIGN) / ((size_t)width * sizeof(uint16_t))) / 2;
    int r = first;
    memset(s->numbers, 0, sizeof s->numbers);
    while (c.n_entries < STETI_SDPA_ENTRIES && r < p->n_rows && row_fits(p, r)) {
        int rows = rows_alike(p, r), keys = p->key_count[r];
        int left = room - c.n_rows - c.n_keys - keys;
        if (left < rows && c.n_entries > 0) {
            break;
        }
        rows = left < rows ? left : rows; /* at least one: steti_cuda_sdpa_bytes */
        add_entry(s, &c, rows, keys, p->key_begin[r], width);
        r += rows;
    }
    for (int e = c.n_entries; e <= STETI_SDPA_ENTRIES; e++) { /* empty ones, at the end */
        s->numbers[2 * STETI_SDPA_SECTION + e] = c.n_rows * width;
        s->numbers[3 * STETI_SDPA_SECTION + e] = c.n_keys * width;
    }
    return c;
}

/* Queries, results, keys and values, front to back in the scratch for rows. */
static struct steti_sdpa_call place(const struct steti_backend *b, const struct call_rows *c,
                                    const int32_t *numbers, int width, float scale)
{
    int64_t rows = ((int64_t)c->n_rows * width + ALIGN / 2 - 1) / (ALIGN / 2) * (ALIGN / 2);
    int64_t keys = ((int64_t)c->n_keys * width + ALIGN / 2 - 1) / (ALIGN / 2) * (ALIGN / 2);
    struct steti_sdpa_call call = {
        .q = b->h,
        .k = b->h + 2 * rows,
        .v = b->h + 2 * rows + keys,
        .out = b->h + rows,
        .rows = numbers,
        .keys = numbers + STETI_SDPA_SECTION,
        .row_begin = numbers + 2 * STETI_SDPA_SECTION,
        .key_begin = numbers + 3 * STETI_SDPA_SECTION,
        .scale = scale,
    };
    return call;
}

static stet_status pack(struct steti_backend *b, const struct steti_attention_params *p,
                        const struct call_rows *c, const struct steti_sdpa_call *call,
                        stet_error *err)
{
    struct steti_cuda_sdpa_pack_args a = {
        .q = p->q + c->first * p->ld_q,
        .k = p->k,
        .v = p->v,
        .to_q = b->h + (call->q - b->h),
        .to_k = b->h + (call->k - b->h),
        .to_v = b->h + (call->v - b->h),
        .rows = call->rows,
        .keys = call->keys,
        .row_begin = call->row_begin,
        .key_begin = call->key_begin,
        .key_source = call->rows + 4 * STETI_SDPA_SECTION,
        .ld_q = p->ld_q,
        .live = steti_cuda_live(b),
        .ld_kv = p->ld_kv,
        .n_rows = c->n_rows,
        .width = p->n_heads * p->head_dim,
    };
    struct steti_cuda_launch l = {STETI_CUDA_sdpa_pack, 0, 0, 128, 0, &a, sizeof a};
    l.grid_x = (unsigned)c->most;
    l.grid_y = (unsigned)c->n_entries;
    return steti_cuda_run(b, l, err);
}

static stet_status run_rows(struct steti_backend *b, const struct steti_attention_params *p,
                            const struct steti_sdpa_use *use, const struct call_rows *c,
                            stet_error *err)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    int width = p->n_heads * p->head_dim, code;
    const void *numbers = NULL;
    struct steti_sdpa_call call;
    struct steti_cuda_sdpa_unpack_args a = {
        .out = p->out + c->first * p->ld_out,
        .live = steti_cuda_live(b),
        .ld_out = p->ld_out,
        .n_rows = c->n_rows,
        .width = width,
    };
    struct steti_cuda_launch l = {
        STETI_CUDA_sdpa_unpack, (unsigned)c->n_rows, 1, 128, 0, &a, sizeof a};
    STETI_TRY(steti_cuda_room(b, steti_cuda_staged_bytes(sizeof s->numbers), err));
    STETI_TRY(steti_cuda_stage(b, s->numbers, sizeof s->numbers, &numbers, err));
    call = place(b, c, numbers, width, p->scale);
    STETI_TRY(pack(b, p, c, &call, err));
    code = s->o.library->run(s->library, use->plan[steti_sdpa_plan_for(c->n_entries, c->most)],
                             &call, b->stream);
    if (code != 0) {
        return steti_sdpa_failed(b, code, "running a plan", err);
    }
    a.h = call.out;
    return steti_cuda_run(b, l, err);
}

/* The rows from `first` on that do not fit a plan, by the kernel; *n: how many. */
static stet_status run_others(struct steti_backend *b, const struct steti_attention_params *p,
                              int first, int *n, stet_error *err)
{
    struct steti_attention_params part = *p;
    int end = first;
    while (end < p->n_rows && !row_fits(p, end)) {
        end++;
    }
    *n = end - first;
    part.n_rows = *n;
    part.q += first * p->ld_q;
    part.out += first * p->ld_out;
    part.key_begin += first;
    part.key_count += first;
    if (p->tail_count != NULL) {
        part.tail_begin += first;
        part.tail_count += first;
    }
    return steti_cuda_own_attention(b, &part, err);
}

stet_status steti_cuda_sdpa_op(struct steti_backend *b, const struct steti_attention_params *p,
                               stet_error *err)
{
    const struct steti_sdpa_use *use = steti_sdpa_decided(b, p);
    int n;
    if (b->making != NULL && (use == NULL || use->accepted)) {
        return steti_fail(err, STET_E_CANCELLED,
                          "recording: attention of %d heads of %d may not be part of one",
                          p->n_heads, p->head_dim);
    }
    if (use == NULL) {
        STETI_TRY(steti_sdpa_decide(b, p, &use, err));
    }
    if (!use->accepted) {
        return steti_cuda_own_attention(b, p, err);
    }
    for (int r = 0; r < p->n_rows; r += n) {
        if (row_fits(p, r)) {
            struct call_rows c = collect(b, p, r);
            STETI_TRY(run_rows(b, p, use, &c, err));
            n = c.n_rows;
        } else {
            STETI_TRY(run_others(b, p, r, &n, err));
        }
    }
    return STET_OK;
}
