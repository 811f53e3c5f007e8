#include "vocab.h"

#include <string.h>

#include "alloc.h"
#include "key_sort.h"

int steti_vocab_has(const struct steti_vocab *v, int32_t id)
{
    return id >= 0 && (size_t)id < v->n && v->entries[id].flags != 0;
}

static stet_status grow(struct steti_vocab *v, size_t n, size_t text_len, stet_error *err)
{
    void *entries = v->entries, *text = v->text;
    stet_status st = steti_grow(&entries, &v->cap, n, sizeof *v->entries, err);
    v->entries = entries;
    STETI_TRY(st);
    st = steti_grow(&text, &v->text_cap, text_len, 1, err);
    v->text = text;
    STETI_TRY(st);
    while (v->n < n) {
        v->entries[v->n++] = (struct steti_vocab_entry){0, 0, 0};
    }
    return STET_OK;
}

stet_status steti_vocab_rename(struct steti_vocab *v, int32_t id, const char *s, size_t len,
                               stet_error *err)
{
    size_t n = (size_t)id + 1;
    if (len > UINT32_MAX - v->text_len) {
        return steti_fail(err, STET_E_MODEL, "the pieces of the vocabulary exceed 4 GiB");
    }
    STETI_TRY(grow(v, n > v->n ? n : v->n, v->text_len + len + 1, err));
    v->entries[id].off = (uint32_t)v->text_len;
    v->entries[id].len = (uint32_t)len;
    if (len > 0) {
        memcpy(v->text + v->text_len, s, len);
    }
    v->text_len += len;
    return STET_OK;
}

stet_status steti_vocab_put(struct steti_vocab *v, int32_t id, const char *s, size_t len,
                            stet_error *err)
{
    STETI_TRY(steti_vocab_rename(v, id, s, len, err));
    v->entries[id].flags = STETI_VOCAB_SET;
    v->n_set++;
    return STET_OK;
}

const char *steti_vocab_text(const struct steti_vocab *v, int32_t id, size_t *len)
{
    if (id < 0 || (size_t)id >= v->n) {
        *len = 0;
        return NULL;
    }
    *len = v->entries[id].len;
    return v->text + v->entries[id].off;
}

/* Keeps the last of equal keys. */
static size_t drop_twins(struct steti_spm_key *keys, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && steti_keys_equal(&keys[kept - 1], &keys[i])) {
            kept--;
        }
        keys[kept++] = keys[i];
    }
    return kept;
}

stet_status steti_vocab_build_tree(struct steti_spm_key *keys, size_t n, struct steti_spm_trie *out,
                                   stet_error *err)
{
    STETI_TRY(steti_keys_sort(keys, n, err));
    return steti_spm_trie_build(keys, drop_twins(keys, n), out, err);
}

stet_status steti_vocab_index(struct steti_vocab *v, stet_error *err)
{
    struct steti_spm_key *keys = steti_malloc(v->n * sizeof *keys);
    size_t n = 0;
    stet_status st;
    if (keys == NULL) {
        return steti_fail_nomem(err, "the vocabulary tree", v->n * sizeof *keys);
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct steti_vocab_entry *e = &v->entries[i];
        if (e->flags != 0 && e->len > 0) {
            keys[n++] = (struct steti_spm_key){v->text + e->off, e->len, (int32_t)i};
        }
    }
    st = steti_vocab_build_tree(keys, n, &v->trie, err);
    steti_free(keys);
    return st;
}

int32_t steti_vocab_find(const struct steti_vocab *v, const char *s, size_t len)
{
    uint32_t node;
    if (v->trie.slots == NULL || len == 0) {
        return -1;
    }
    node = steti_spm_trie_walk(&v->trie, 0, s, len);
    return node == STETI_SPM_TRIE_NONE ? -1 : v->trie.slots[node].value;
}

void steti_vocab_free(struct steti_vocab *v)
{
    steti_free(v->text);
    steti_free(v->entries);
    steti_spm_trie_free(&v->trie);
    memset(v, 0, sizeof *v);
}
