/* sdpa_probe.c - does a row of a library's attention have the same bits in every call?
 *
 * Sentences of several lengths are computed alone first. Then they come together, whole and in
 * pieces, in several orders, in full and half empty batches, beside sentences of NaN, in every
 * plan; and every row must have the bits that it had. */
#include "cuda_sdpa.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

/* Rows and keys: one, a tile of 64 and its neighbours, several tiles; few rows on many keys. */
static const struct {
    int rows, keys;
} sentences[] = {{1, 1},   {5, 5},   {26, 26}, {27, 63},   {1, 64},
                 {64, 64}, {65, 65}, {9, 200}, {130, 130}, {STETI_SDPA_KEYS, STETI_SDPA_KEYS}};
#define N_SENTENCES ((int)(sizeof sentences / sizeof sentences[0]))
#define N_SHORT 6   /* of them fit the plans for few keys */
#define N_FILLERS 3 /* the first ones fill large batches */
#define MOST_ROWS (584 + STETI_SDPA_ENTRIES * 26)
#define MOST_KEYS (874 + STETI_SDPA_ENTRIES * 26)

/* How the entries of a call are chosen. */
struct trial {
    int plan;
    int first, step; /* sentences: the first one, then always `step` on */
    int cut;         /* rows of a piece; 0: whole sentences */
    int nan;         /* every other entry is NaN */
    int half;        /* half of the batch stays empty */
    int only;        /* not negative: this sentence, alone */
};

struct piece {
    int sentence, first, rows, is_nan;
};

struct probe {
    struct steti_backend *b;
    const struct steti_sdpa_use *use;
    int width;
    int row_at[N_SENTENCES], key_at[N_SENTENCES];
    uint16_t *q, *k, *v, *want; /* host: all sentences, one behind the other */
    uint16_t *in, *out;         /* host: of a call; `in` for q, k and v in turn */
    void *memory;               /* all of the above */
    void *device;               /* of a call: q, out, k, v, numbers */
    int n;                      /* entries of the call */
    struct piece piece[STETI_SDPA_ENTRIES];
    int32_t numbers[4 * STETI_SDPA_SECTION];
};

static float widen(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* In (-2, 2), of both signs. */
static void fill(uint16_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        float v;
        uint32_t bits;
        seed = seed * 1664525u + 1013904223u;
        v = (float)(int32_t)(seed >> 8) * 0x1p-22f - 2.0f;
        memcpy(&bits, &v, sizeof bits);
        p[i] = (uint16_t)(bits >> 16);
    }
}

static stet_status begin(struct probe *p, stet_error *err)
{
    int rows = 0, keys = 0;
    size_t width = (size_t)p->width, floats, bytes;
    uint16_t *at;
    for (int i = 0; i < N_SENTENCES; i++) {
        p->row_at[i] = rows;
        p->key_at[i] = keys;
        rows += sentences[i].rows;
        keys += sentences[i].keys;
    }
    floats = (size_t)(2 * rows + 2 * keys + 2 * MOST_KEYS + 1) * width;
    p->memory = at = steti_malloc(floats * sizeof *at);
    if (at == NULL) {
        return steti_fail_nomem(err, "trying attention", floats * sizeof *at);
    }
    p->q = at;
    p->want = p->q + (size_t)rows * width;
    p->k = p->want + (size_t)rows * width;
    p->v = p->k + (size_t)keys * width;
    p->in = p->v + (size_t)keys * width;
    p->out = p->in + MOST_KEYS * width;
    fill(p->q, (size_t)rows * width, 1);
    fill(p->k, (size_t)keys * width, 2);
    fill(p->v, (size_t)keys * width, 3);
    bytes = (size_t)(2 * MOST_ROWS + 1 + 2 * MOST_KEYS) * width * sizeof *at;
    return steti_cuda_alloc(p->b, bytes + sizeof p->numbers + 256, "trying attention", &p->device,
                            err);
}

/* ---- A call ---------------------------------------------------------------------------------- */

static void choose(struct probe *p, const struct trial *t)
{
    struct steti_sdpa_shape s = steti_sdpa_plan_shape(p->use, t->plan);
    int of = s.keys < STETI_SDPA_KEYS ? N_SHORT : N_SENTENCES;
    p->n = t->only >= 0 ? 1 : s.batch / (t->half ? 2 : 1);
    for (int e = 0; e < p->n; e++) {
        int i = e < of ? (t->first + e * t->step) % of : e % N_FILLERS;
        struct piece c = {i, 0, sentences[i].rows, t->nan && e % 2 == 1};
        if (t->only >= 0) {
            c.sentence = t->only;
            c.rows = sentences[t->only].rows;
        } else if (t->cut > 0) {
            c.first = e * 7 % c.rows;
            c.rows = c.rows - c.first < t->cut ? c.rows - c.first : t->cut;
        }
        p->piece[e] = c;
    }
}

/* Returns the elements of all rows. */
static size_t number(struct probe *p)
{
    int32_t *rows = p->numbers, *keys = rows + STETI_SDPA_SECTION;
    int32_t *row_begin = keys + STETI_SDPA_SECTION, *key_begin = row_begin + STETI_SDPA_SECTION;
    memset(p->numbers, 0, sizeof p->numbers);
    for (int e = 0; e < STETI_SDPA_ENTRIES; e++) {
        rows[e] = e < p->n ? p->piece[e].rows : 0;
        keys[e] = e < p->n ? sentences[p->piece[e].sentence].keys : 0;
        row_begin[e + 1] = row_begin[e] + rows[e] * p->width;
        key_begin[e + 1] = key_begin[e] + keys[e] * p->width;
    }
    return (size_t)row_begin[STETI_SDPA_ENTRIES];
}

/* One of q (begin: row_at), k and v (key_at) of all entries, to the device. */
static stet_status send(struct probe *p, const uint16_t *from, int are_keys, uint16_t *to,
                        stet_error *err)
{
    size_t width = (size_t)p->width, n = 0;
    for (int e = 0; e < p->n; e++) {
        const struct piece *c = &p->piece[e];
        int rows = are_keys ? sentences[c->sentence].keys : c->rows;
        int at = are_keys ? p->key_at[c->sentence] : p->row_at[c->sentence] + c->first;
        size_t count = (size_t)rows * width;
        memcpy(p->in + n, from + (size_t)at * width, count * sizeof *from);
        for (size_t i = 0; i < count && c->is_nan; i++) {
            p->in[n + i] = 0x7fc0;
        }
        n += count;
    }
    STETI_TRY(steti_cuda_copy(p->b, to, p->in, n * sizeof *to, STETI_TO_DEVICE, err));
    return steti_cuda_sync(p->b, err);
}

/* Results in p->out. The row behind them must stay as it is. */
static stet_status call(struct probe *p, const struct trial *t, char why[STETI_SDPA_WHY],
                        stet_error *err)
{
    struct steti_backend *b = p->b;
    const struct steti_sdpa *table = b->sdpa->o.library;
    size_t width = (size_t)p->width, n = number(p) + width;
    int32_t *numbers = p->device;
    uint16_t *q = (uint16_t *)(void *)(numbers + 4 * STETI_SDPA_SECTION);
    uint16_t *out = q + MOST_ROWS * width, *k = out + (MOST_ROWS + 1) * width;
    uint16_t *v = k + MOST_KEYS * width;
    struct steti_sdpa_call c = {.q = q, .k = k, .v = v, .out = out, .rows = numbers};
    int code;
    c.keys = c.rows + STETI_SDPA_SECTION;
    c.row_begin = c.keys + STETI_SDPA_SECTION;
    c.key_begin = c.row_begin + STETI_SDPA_SECTION;
    c.scale = 1.0f / sqrtf((float)p->use->head_dim);
    STETI_TRY(send(p, p->q, 0, q, err));
    STETI_TRY(send(p, p->k, 1, k, err));
    STETI_TRY(send(p, p->v, 1, v, err));
    STETI_TRY(steti_cuda_copy(b, numbers, p->numbers, sizeof p->numbers, STETI_TO_DEVICE, err));
    STETI_TRY(
        steti_cuda_check(b, b->rt->clear(out, n * sizeof *out, b->stream), "cudaMemsetAsync", err));
    code = table->run(b->sdpa->library, p->use->plan[t->plan], &c, b->stream);
    if (table->is_unsupported(code)) {
        snprintf(why, STETI_SDPA_WHY, "%.190s", table->error_text(b->sdpa->library, code));
        return STET_OK;
    }
    if (code != 0) {
        return steti_sdpa_failed(b, code, "trying a plan", err);
    }
    STETI_TRY(steti_cuda_copy(b, p->out, out, n * sizeof *out, STETI_TO_HOST, err));
    STETI_TRY(steti_cuda_sync(b, err));
    for (size_t i = n - width; i < n; i++) {
        if (p->out[i] != 0) {
            snprintf(why, STETI_SDPA_WHY, "it writes behind the last row");
        }
    }
    return STET_OK;
}

/* ---- Verdicts -------------------------------------------------------------------------------- */

/* Of one row and head: what plain sums in double give, and how far the library's result may be
 * away: weights and results have 8 bits. */
static int near_plain(const struct probe *p, int i, int row, int head)
{
    int d = p->use->head_dim;
    size_t at = (size_t)(p->row_at[i] + row) * (size_t)p->width + (size_t)head * (size_t)d;
    size_t key = (size_t)p->key_at[i] * (size_t)p->width + (size_t)head * (size_t)d;
    double weight[64], sum = 0;
    for (int j = 0; j < sentences[i].keys; j++) {
        double s = 0;
        for (int e = 0; e < d; e++) {
            s += (double)widen(p->q[at + (size_t)e]) *
                 widen(p->k[key + (size_t)j * (size_t)p->width + (size_t)e]);
        }
        weight[j] = exp(s / sqrt((double)d));
        sum += weight[j];
    }
    for (int e = 0; e < d; e++) {
        double want = 0;
        for (int j = 0; j < sentences[i].keys; j++) {
            want += weight[j] / sum * widen(p->v[key + (size_t)j * (size_t)p->width + (size_t)e]);
        }
        if (!(fabs(widen(p->want[at + (size_t)e]) - want) < 0x1p-5)) { /* a NaN is not near */
            return 0;
        }
    }
    return 1;
}

static void check_values(const struct probe *p, char why[STETI_SDPA_WHY])
{
    for (int i = 0; i < N_SHORT; i++) {
        for (int r = 0; r < sentences[i].rows; r++) {
            for (int h = 0; h < p->use->heads; h++) {
                if (!near_plain(p, i, r, h)) {
                    snprintf(why, STETI_SDPA_WHY,
                             "row %d of a sentence of %d keys is not what plain sums give", r,
                             sentences[i].keys);
                    return;
                }
            }
        }
    }
}

static void check_bits(const struct probe *p, const struct trial *t, char why[STETI_SDPA_WHY])
{
    struct steti_sdpa_shape s = steti_sdpa_plan_shape(p->use, t->plan);
    size_t width = (size_t)p->width;
    const uint16_t *out = p->out;
    for (int e = 0; e < p->n; e++) {
        const struct piece *c = &p->piece[e];
        for (int r = 0; r < c->rows; r++, out += width) {
            const uint16_t *want =
                p->want + (size_t)(p->row_at[c->sentence] + c->first + r) * width;
            if (!c->is_nan && memcmp(out, want, width * sizeof *out) != 0) {
                snprintf(why, STETI_SDPA_WHY,
                         "the bits of a row depend on its call: row %d of a sentence of %d keys, "
                         "entry %d of %d, plan for %d x %d%s",
                         c->first + r, sentences[c->sentence].keys, e, p->n, s.batch, s.keys,
                         t->nan ? ", beside NaN" : "");
                return;
            }
        }
    }
}

/* Sentence i as it is alone. */
static stet_status make_wanted(struct probe *p, int i, char why[STETI_SDPA_WHY], stet_error *err)
{
    struct trial t = {.only = i};
    size_t width = (size_t)p->width;
    t.plan = steti_sdpa_plan_for(1, sentences[i].keys);
    choose(p, &t);
    STETI_TRY(call(p, &t, why, err));
    memcpy(p->want + (size_t)p->row_at[i] * width, p->out,
           (size_t)sentences[i].rows * width * sizeof *p->want);
    return STET_OK;
}

static stet_status try_all(struct probe *p, char why[STETI_SDPA_WHY], stet_error *err)
{
    static const struct trial trials[] = {
        {.first = 0, .step = 1, .only = -1},
        {.first = 5, .step = N_SENTENCES * N_SHORT - 1, .only = -1}, /* backwards */
        {.first = 3, .step = 1, .cut = 1, .only = -1},
        {.first = 4, .step = 1, .cut = 5, .half = 1, .only = -1},
        {.first = 2, .step = 1, .nan = 1, .only = -1},
    };
    for (int i = 0; i < N_SENTENCES && why[0] == '\0'; i++) {
        STETI_TRY(make_wanted(p, i, why, err));
    }
    if (why[0] == '\0') {
        check_values(p, why);
    }
    for (int i = 0; i < STETI_SDPA_PLANS; i++) {
        for (size_t j = 0; j < sizeof trials / sizeof trials[0] && why[0] == '\0'; j++) {
            struct trial t = trials[j];
            t.plan = i;
            choose(p, &t);
            STETI_TRY(call(p, &t, why, err));
            if (why[0] == '\0') {
                check_bits(p, &t, why);
            }
        }
    }
    return STET_OK;
}

stet_status steti_sdpa_probe(struct steti_backend *b, const struct steti_sdpa_use *use,
                             char why[STETI_SDPA_WHY], stet_error *err)
{
    struct probe *p = steti_calloc(1, sizeof *p);
    stet_status st;
    if (p == NULL) {
        return steti_fail_nomem(err, "trying attention", sizeof *p);
    }
    p->b = b;
    p->use = use;
    p->width = use->heads * use->head_dim;
    st = begin(p, err);
    if (st == STET_OK) {
        st = try_all(p, why, err);
    }
    if (p->device != NULL) {
        b->rt->mem_free(p->device);
    }
    steti_free(p->memory);
    steti_free(p);
    return st;
}
