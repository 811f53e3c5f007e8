#include "ngram_index.h"

#include <string.h>

#include "alloc.h"

static int table_size_for(int capacity)
{
    int size = 16;
    while (size < 2 * capacity) {
        size *= 2;
    }
    return size;
}

static size_t ints_per_order(int capacity)
{
    return (size_t)table_size_for(capacity) + 4 * (size_t)capacity + 1;
}

size_t steti_ngram_bytes(int capacity)
{
    return STETI_NGRAM_MAX * ints_per_order(capacity) * sizeof(int32_t);
}

stet_status steti_ngram_init(struct steti_ngram_index *x, int capacity, stet_error *err)
{
    size_t cap = (size_t)capacity, table;
    int32_t *p;
    memset(x, 0, sizeof *x);
    x->capacity = capacity;
    x->table_size = table_size_for(capacity);
    table = (size_t)x->table_size;
    x->memory = steti_malloc(steti_ngram_bytes(capacity));
    if (x->memory == NULL) {
        return steti_fail_nomem(err, "the n-gram index of a draft", steti_ngram_bytes(capacity));
    }
    p = x->memory;
    for (int k = 0; k < STETI_NGRAM_MAX; k++) {
        struct steti_ngram_order *o = &x->order[k];
        o->table = p;
        o->group_of = o->table + table;
        o->first_end = o->group_of + cap;
        o->start = o->first_end + cap;
        o->ends = o->start + cap + 1;
        p = o->ends + cap;
    }
    return STET_OK;
}

void steti_ngram_free(struct steti_ngram_index *x)
{
    steti_free(x->memory);
    memset(x, 0, sizeof *x);
}

static uint32_t hash_of(const int32_t *gram, int len)
{
    uint64_t h = 0x9E3779B97F4A7C15u;
    for (int i = 0; i < len; i++) {
        h = (h ^ (uint32_t)gram[i]) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    return (uint32_t)h;
}

/* The table cell that holds the gram's group, or the empty cell where it belongs. */
static uint32_t cell_of(const struct steti_ngram_index *x, const struct steti_ngram_order *o,
                        const int32_t *gram, int len)
{
    uint32_t mask = (uint32_t)x->table_size - 1;
    uint32_t c = hash_of(gram, len) & mask;
    while (o->table[c] != 0) {
        const int32_t *have = x->ids + o->first_end[o->table[c] - 1] - len;
        if (memcmp(have, gram, (size_t)len * sizeof *gram) == 0) {
            break;
        }
        c = (c + 1) & mask;
    }
    return c;
}

static void build_order(struct steti_ngram_index *x, int len)
{
    struct steti_ngram_order *o = &x->order[len - 1];
    int total = 0;
    memset(o->table, 0, (size_t)x->table_size * sizeof *o->table);
    memset(o->start, 0, ((size_t)x->n + 1) * sizeof *o->start);
    o->n_groups = 0;
    for (int end = len; end <= x->n; end++) {
        uint32_t c = cell_of(x, o, x->ids + end - len, len);
        if (o->table[c] == 0) {
            o->first_end[o->n_groups++] = end;
            o->table[c] = o->n_groups;
        }
        o->group_of[end - 1] = o->table[c] - 1;
        o->start[o->table[c] - 1]++;
    }
    for (int g = 0; g <= o->n_groups && g <= x->n; g++) {
        int count = o->start[g];
        o->start[g] = total;
        total += count;
    }
    for (int end = len; end <= x->n; end++) {
        o->ends[o->start[o->group_of[end - 1]]++] = end;
    }
    /* Filling moved every start to the next group's: move them back. */
    for (int g = o->n_groups; g > 0; g--) {
        o->start[g] = o->start[g - 1];
    }
    o->start[0] = 0;
}

void steti_ngram_build(struct steti_ngram_index *x, const int32_t *ids, int n)
{
    x->ids = ids;
    x->n = n < x->capacity ? n : x->capacity;
    for (int len = 1; len <= STETI_NGRAM_MAX; len++) {
        build_order(x, len);
    }
}

int steti_ngram_find(const struct steti_ngram_index *x, const int32_t *gram, int len,
                     const int32_t **ends)
{
    const struct steti_ngram_order *o = &x->order[len - 1];
    uint32_t c = cell_of(x, o, gram, len);
    int g = o->table[c] - 1;
    if (g < 0) {
        return 0;
    }
    *ends = o->ends + o->start[g];
    return o->start[g + 1] - o->start[g];
}

int32_t steti_ngram_nearest(const int32_t *ends, int n, int32_t at)
{
    int lo = 0, hi = n;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (ends[mid] < at) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == n) {
        return ends[n - 1];
    }
    return lo > 0 && at - ends[lo - 1] < ends[lo] - at ? ends[lo - 1] : ends[lo];
}
