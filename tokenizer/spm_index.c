#include <string.h>

#include "alloc.h"
#include "spm_build.h"

/* A piece in sorting order. The first eight bytes decide nearly every comparison. */
struct entry {
    uint64_t head;
    int32_t id;
};

static int is_reserved(uint8_t type)
{
    return type == STETI_SPM_UNKNOWN || type == STETI_SPM_CONTROL || type == STETI_SPM_BYTE;
}

static uint64_t head_of(const char *s, uint32_t len)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < 8; i++) {
        h = h << 8 | (i < len ? (unsigned char)s[i] : 0);
    }
    return h;
}

static int compare_text(const struct steti_spm_model *m, int32_t a, int32_t b)
{
    const struct steti_spm_piece *p = &m->pieces[a], *q = &m->pieces[b];
    int c = memcmp(m->text + p->off, m->text + q->off, p->len < q->len ? p->len : q->len);
    return c != 0 ? c : (p->len > q->len) - (p->len < q->len);
}

/* Not greater: equal texts keep their order, which makes the sort stable. */
static int in_order(const struct steti_spm_model *m, const struct entry *a, const struct entry *b)
{
    return a->head != b->head ? a->head < b->head : compare_text(m, a->id, b->id) <= 0;
}

static void merge_runs(const struct steti_spm_model *m, const struct entry *src, struct entry *dst,
                       size_t n, size_t width)
{
    for (size_t begin = 0; begin < n; begin += 2 * width) {
        size_t mid = n - begin > width ? begin + width : n;
        size_t end = n - mid > width ? mid + width : n;
        size_t i = begin, j = mid;
        for (size_t k = begin; k < end; k++) {
            int left = j == end || (i < mid && in_order(m, &src[i], &src[j]));
            dst[k] = left ? src[i++] : src[j++];
        }
    }
}

/* Merge sort: a worst case without recursion, and no libc sort that might take memory behind our
 * back. Returns whichever of the two arrays holds the result. */
static struct entry *sort_pieces(const struct steti_spm_model *m, struct entry *a,
                                 struct entry *tmp)
{
    size_t n = (size_t)m->n_pieces;
    for (size_t i = 0; i < n; i++) {
        const struct steti_spm_piece *p = &m->pieces[i];
        a[i] = (struct entry){head_of(m->text + p->off, p->len), (int32_t)i};
    }
    for (size_t width = 1; width < n; width *= 2) {
        struct entry *t = a;
        merge_runs(m, a, tmp, n, width);
        a = tmp;
        tmp = t;
    }
    return a;
}

/* A unigram model may have a text once among the reserved pieces (control, unknown, byte), which
 * text never becomes, and once among the others. */
static stet_status check_twins(const struct steti_spm_model *m, const struct entry *sorted,
                               const char *name, stet_error *err)
{
    for (int32_t i = 1; i < m->n_pieces; i++) {
        const struct steti_spm_piece *p = &m->pieces[sorted[i - 1].id],
                                     *q = &m->pieces[sorted[i].id];
        if (sorted[i - 1].head != sorted[i].head ||
            compare_text(m, sorted[i - 1].id, sorted[i].id) != 0) {
            continue;
        }
        if (m->kind == STETI_SPM_BPE || is_reserved(p->type) == is_reserved(q->type)) {
            return steti_fail(err, STET_E_FORMAT, "%s: pieces %d and %d are both \"%.*s\"", name,
                              (int)sorted[i - 1].id, (int)sorted[i].id,
                              (int)(p->len < 100 ? p->len : 100), m->text + p->off);
        }
    }
    return STET_OK;
}

/* Collects the keys of one tree, in sorted order. */
static size_t collect(const struct steti_spm_model *m, const struct entry *sorted, int only_user,
                      struct steti_spm_key *keys)
{
    size_t n = 0;
    for (int32_t i = 0; i < m->n_pieces; i++) {
        const struct steti_spm_piece *p = &m->pieces[sorted[i].id];
        if (only_user ? p->type == STETI_SPM_USER_DEFINED : !is_reserved(p->type)) {
            keys[n++] = (struct steti_spm_key){m->text + p->off, p->len, sorted[i].id};
        }
    }
    return n;
}

static stet_status build_tries(struct steti_spm_model *m, const struct entry *sorted,
                               const char *name, stet_error *err)
{
    size_t bytes = (size_t)m->n_pieces * sizeof(struct steti_spm_key);
    struct steti_spm_key *keys = steti_malloc(bytes);
    size_t n;
    stet_status st;
    if (keys == NULL) {
        return steti_fail_nomem(err, "the vocabulary tree", bytes);
    }
    n = collect(m, sorted, 0, keys);
    if (n == 0) {
        st = steti_fail(err, STET_E_FORMAT, "%s: no piece of type NORMAL, USER_DEFINED or UNUSED",
                        name);
    } else {
        st = steti_spm_trie_build(keys, n, &m->vocab, err);
    }
    if (st == STET_OK) {
        st = steti_spm_trie_build(keys, collect(m, sorted, 1, keys), &m->user, err);
    }
    steti_free(keys);
    return st;
}

stet_status steti_spm_index_pieces(struct steti_spm_model *m, const char *name, stet_error *err)
{
    size_t bytes = (size_t)m->n_pieces * sizeof(struct entry);
    struct entry *a = steti_malloc(2 * bytes), *sorted;
    stet_status st;
    if (a == NULL) {
        return steti_fail_nomem(err, "the vocabulary tree", 2 * bytes);
    }
    sorted = sort_pieces(m, a, a + m->n_pieces);
    st = check_twins(m, sorted, name, err);
    if (st == STET_OK) {
        st = build_tries(m, sorted, name, err);
    }
    steti_free(a);
    return st;
}
