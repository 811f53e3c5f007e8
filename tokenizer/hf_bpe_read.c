#include <string.h>

#include "alloc.h"
#include "hf_read.h"

struct rule {
    int32_t left, right, id, rank;
};

struct steti_hf_pairs {
    struct steti_hf *h;
    const struct steti_json_obj *o;
    struct rule *rules;
    size_t n, cap;
};

void steti_hf_pairs_free(struct steti_hf_pairs *p)
{
    if (p != NULL) {
        steti_free(p->rules);
        steti_free(p);
    }
}

stet_status steti_hf_pairs_new(struct steti_hf *h, const struct steti_json_obj *o, size_t n,
                               struct steti_hf_pairs **out, stet_error *err)
{
    void *rules = NULL;
    stet_status st;
    *out = steti_calloc(1, sizeof **out);
    if (*out == NULL) {
        return steti_fail_nomem(err, "the merges of a tokenizer", sizeof **out);
    }
    (*out)->h = h;
    (*out)->o = o;
    st = steti_grow(&rules, &(*out)->cap, n, sizeof *(*out)->rules, err);
    (*out)->rules = rules;
    if (st != STET_OK) {
        steti_hf_pairs_free(*out);
        *out = NULL;
    }
    return st;
}

static stet_status fail_unknown(const struct steti_hf_pairs *p, const struct steti_hf_pair *pair,
                                const char *what, stet_error *err)
{
    return steti_field_fail(p->o, "merges", err,
                            "merge %zu, \"%.*s\" and \"%.*s\": %s is not in the vocabulary", p->n,
                            (int)(pair->left_len < 50 ? pair->left_len : 50), pair->left,
                            (int)(pair->right_len < 50 ? pair->right_len : 50), pair->right, what);
}

stet_status steti_hf_pairs_add(struct steti_hf_pairs *p, const struct steti_hf_pair *pair,
                               stet_error *err)
{
    const struct steti_vocab *v = &p->h->vocab;
    struct rule r = {-1, -1, -1, (int32_t)p->n};
    uint32_t node;
    void *rules = p->rules;
    stet_status st;
    if (p->n >= INT32_MAX) {
        return steti_field_unsupported(p->o, "merges", err, "too many merges");
    }
    r.left = steti_vocab_find(v, pair->left, pair->left_len);
    r.right = steti_vocab_find(v, pair->right, pair->right_len);
    if (r.left < 0 || r.right < 0) {
        return fail_unknown(p, pair, r.left < 0 ? "the first" : "the second", err);
    }
    node = steti_spm_trie_walk(&v->trie, 0, pair->left, pair->left_len);
    node = steti_spm_trie_walk(&v->trie, node, pair->right, pair->right_len);
    r.id = node == STETI_SPM_TRIE_NONE ? -1 : v->trie.slots[node].value;
    if (r.id < 0) {
        return fail_unknown(p, pair, "what they make", err);
    }
    st = steti_grow(&rules, &p->cap, p->n + 1, sizeof r, err);
    p->rules = rules;
    STETI_TRY(st);
    p->rules[p->n++] = r;
    return STET_OK;
}

stet_status steti_hf_pairs_add_line(struct steti_hf_pairs *p, const char *s, size_t n,
                                    stet_error *err)
{
    const char *space = n > 0 ? memchr(s, ' ', n) : NULL;
    struct steti_hf_pair pair;
    if (space == NULL || memchr(space + 1, ' ', n - (size_t)(space + 1 - s)) != NULL) {
        return steti_field_fail(p->o, "merges", err,
                                "merge %zu, \"%.*s\", must be two pieces and a space between them",
                                p->n, (int)(n < 60 ? n : 60), s);
    }
    pair = (struct steti_hf_pair){s, space + 1, (size_t)(space - s), n - (size_t)(space + 1 - s)};
    return steti_hf_pairs_add(p, &pair, err);
}

static int32_t key_of(const struct rule *r, int by_left)
{
    return by_left ? r->left : r->right;
}

/* A stable counting sort: linear whatever the file holds. Afterwards counts[i] is where the rules
 * of id i + 1 begin. */
static void sort_rules(const struct steti_hf_pairs *p, int by_left, struct rule *out,
                       uint32_t *counts)
{
    size_t n_ids = p->h->vocab.n;
    uint32_t at = 0;
    memset(counts, 0, (n_ids + 1) * sizeof *counts);
    for (size_t i = 0; i < p->n; i++) {
        counts[key_of(&p->rules[i], by_left)]++;
    }
    for (size_t i = 0; i <= n_ids; i++) {
        uint32_t n = counts[i];
        counts[i] = at;
        at += n;
    }
    for (size_t i = 0; i < p->n; i++) {
        out[counts[key_of(&p->rules[i], by_left)]++] = p->rules[i];
    }
}

/* Of merges of the same pair the last one counts, as in the reference library. */
static void fill_table(struct steti_hf_bpe *m, const struct rule *rules, size_t n, size_t n_ids)
{
    int32_t row = 0;
    for (size_t i = 0; i < n; i++) {
        const struct rule *r = &rules[i];
        int again = i > 0 && rules[i - 1].left == r->left && rules[i - 1].right == r->right;
        while (row <= r->left) {
            m->rows[row++] = (uint32_t)m->n_merges;
        }
        m->n_merges -= (size_t)again;
        m->merges[m->n_merges++] = (struct steti_hf_merge){r->right, r->rank, r->id};
    }
    while ((size_t)row <= n_ids) {
        m->rows[row++] = (uint32_t)m->n_merges;
    }
}

stet_status steti_hf_pairs_finish(struct steti_hf_pairs *p, stet_error *err)
{
    struct steti_hf_bpe *m = &p->h->bpe;
    size_t n_ids = p->h->vocab.n, bytes = (p->n + 1) * sizeof(struct rule);
    struct rule *sorted = steti_malloc(bytes), *t;
    m->rows = steti_malloc((n_ids + 1) * sizeof *m->rows);
    m->merges = steti_malloc((p->n + 1) * sizeof *m->merges);
    if (sorted == NULL || m->rows == NULL || m->merges == NULL) {
        steti_free(sorted);
        return steti_fail_nomem(err, "the merges of a tokenizer", bytes);
    }
    sort_rules(p, 0, sorted, m->rows);
    t = p->rules;
    p->rules = sorted;
    sort_rules(p, 1, t, m->rows);
    fill_table(m, t, p->n, n_ids);
    steti_free(t);
    return STET_OK;
}
