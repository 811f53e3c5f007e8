#include "alloc.h"
#include "key_sort.h"
#include "spm_build.h"

static int is_reserved(uint8_t type)
{
    return type == STETI_SPM_UNKNOWN || type == STETI_SPM_CONTROL || type == STETI_SPM_BYTE;
}

/* A unigram model may have a text once among the reserved pieces (control, unknown, byte), which
 * text never becomes, and once among the others. */
static stet_status check_twins(const struct steti_spm_model *m, const struct steti_spm_key *sorted,
                               const char *name, stet_error *err)
{
    for (int32_t i = 1; i < m->n_pieces; i++) {
        const struct steti_spm_key *p = &sorted[i - 1], *q = &sorted[i];
        if (!steti_keys_equal(p, q)) {
            continue;
        }
        if (m->kind == STETI_SPM_BPE ||
            is_reserved(m->pieces[p->value].type) == is_reserved(m->pieces[q->value].type)) {
            return steti_fail(err, STET_E_FORMAT, "%s: pieces %d and %d are both \"%.*s\"", name,
                              (int)p->value, (int)q->value, (int)(p->len < 100 ? p->len : 100),
                              p->data);
        }
    }
    return STET_OK;
}

/* Collects the keys of one tree, in sorted order. `keys` may be `sorted`. */
static size_t collect(const struct steti_spm_model *m, const struct steti_spm_key *sorted,
                      size_t n_sorted, int only_user, struct steti_spm_key *keys)
{
    size_t n = 0;
    for (size_t i = 0; i < n_sorted; i++) {
        uint8_t type = m->pieces[sorted[i].value].type;
        if (only_user ? type == STETI_SPM_USER_DEFINED : !is_reserved(type)) {
            keys[n++] = sorted[i];
        }
    }
    return n;
}

static stet_status build_tries(struct steti_spm_model *m, struct steti_spm_key *keys,
                               const char *name, stet_error *err)
{
    size_t n = collect(m, keys, (size_t)m->n_pieces, 0, keys);
    if (n == 0) {
        return steti_fail(err, STET_E_FORMAT, "%s: no piece of type NORMAL, USER_DEFINED or UNUSED",
                          name);
    }
    STETI_TRY(steti_spm_trie_build(keys, n, &m->vocab, err));
    return steti_spm_trie_build(keys, collect(m, keys, n, 1, keys), &m->user, err);
}

stet_status steti_spm_index_pieces(struct steti_spm_model *m, const char *name, stet_error *err)
{
    size_t bytes = (size_t)m->n_pieces * sizeof(struct steti_spm_key);
    struct steti_spm_key *keys = steti_malloc(bytes);
    stet_status st;
    if (keys == NULL) {
        return steti_fail_nomem(err, "the vocabulary tree", bytes);
    }
    for (int32_t i = 0; i < m->n_pieces; i++) {
        keys[i] = (struct steti_spm_key){m->text + m->pieces[i].off, m->pieces[i].len, i};
    }
    st = steti_keys_sort(keys, (size_t)m->n_pieces, err);
    if (st == STET_OK) {
        st = check_twins(m, keys, name, err);
    }
    if (st == STET_OK) {
        st = build_tries(m, keys, name, err);
    }
    steti_free(keys);
    return st;
}
