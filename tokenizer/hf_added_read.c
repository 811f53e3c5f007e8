#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "hf_read.h"

static stet_status read_flags(const struct steti_json_obj *o, struct steti_hf_added *a,
                              stet_error *err)
{
    STETI_TRY(steti_field_bool(o, "special", 0, &a->special, err));
    STETI_TRY(steti_field_bool(o, "single_word", 0, &a->single_word, err));
    STETI_TRY(steti_field_bool(o, "lstrip", 0, &a->lstrip, err));
    STETI_TRY(steti_field_bool(o, "rstrip", 0, &a->rstrip, err));
    return steti_field_bool(o, "normalized", !a->special, &a->normalized, err);
}

/* Gives the token its id: the one it has in the vocabulary, or one of its own. */
static stet_status place(struct steti_hf *h, const struct steti_json_obj *o, const char *s,
                         size_t len, int64_t id, stet_error *err)
{
    struct steti_vocab *v = &h->vocab;
    int32_t known = steti_vocab_find(v, s, len);
    if (known >= 0 && known != id) {
        return steti_field_fail(o, "id", err, "%lld, but the vocabulary has \"%.60s\" as %d",
                                (long long)id, s, (int)known);
    }
    if (id < 0 || (uint64_t)id > 8 * (uint64_t)v->n_set + STETI_VOCAB_SPARE_IDS) {
        return steti_field_fail(o, "id", err, "%lld is out of range", (long long)id);
    }
    if (known >= 0) {
        return STET_OK;
    }
    if (steti_vocab_has(v, (int32_t)id)) {
        size_t n;
        const char *other = steti_vocab_text(v, (int32_t)id, &n);
        if (n != len || memcmp(other, s, n) != 0) {
            return steti_field_fail(o, "id", err, "%lld is the id of \"%.*s\" already",
                                    (long long)id, (int)(n < 60 ? n : 60), other);
        }
        return STET_OK;
    }
    return steti_vocab_put(v, (int32_t)id, s, len, err);
}

static stet_status read_token(struct steti_hf *h, const struct steti_json_obj *o, size_t i,
                              stet_error *err)
{
    struct steti_hf_added a;
    const struct steti_json *v;
    const char *s;
    size_t len;
    int64_t id;
    STETI_TRY(steti_field(o, "id", STETI_IS(INT), &v, err));
    id = steti_json_int(v);
    STETI_TRY(steti_field_string(o, "content", &s, &len, err));
    if (len == 0 || len > STETI_HF_MAX_PIECE) {
        return steti_field_fail(o, "content", err, len == 0 ? "empty" : "too long");
    }
    STETI_TRY(read_flags(o, &a, err));
    STETI_TRY(place(h, o, s, len, id, err));
    a.id = (int32_t)id;
    h->added[i] = a;
    h->n_added = i + 1;
    return STET_OK;
}

stet_status steti_hf_read_added(struct steti_hf *h, const struct steti_json_obj *root,
                                stet_error *err)
{
    const struct steti_json *list;
    size_t n;
    STETI_TRY(steti_field(root, "added_tokens", STETI_IS(ARRAY) | STETI_IS_OPTIONAL, &list, err));
    n = list != NULL ? steti_json_len(list) : 0;
    h->added = steti_calloc(n, sizeof *h->added);
    if (h->added == NULL) {
        return steti_fail_nomem(err, "added tokens", n * sizeof *h->added);
    }
    for (size_t i = 0; i < n; i++) {
        struct steti_json_obj o;
        char where[96];
        STETI_TRY(steti_hf_element(root, "added_tokens", list, i, where, &o, err));
        STETI_TRY(read_token(h, &o, i, err));
    }
    for (size_t i = 0; i < n; i++) {
        h->vocab.entries[h->added[i].id].flags |= h->added[i].special ? STETI_VOCAB_SPECIAL : 0;
    }
    return STET_OK;
}

/* What a token that is looked for in normalised text looks like there, in *text (of r). */
static stet_status normalize(const struct steti_hf *h, struct steti_hf_run *r, const char *s,
                             size_t len)
{
    r->text.len = r->next.len = 0;
    r->segs.len = r->next_segs.len = 0;
    STETI_TRY(steti_hf_put(r, s, len, 0));
    STETI_TRY(steti_hf_put_seg(r, (struct steti_hf_seg){0, (uint32_t)len, 0, 0, -1}));
    {
        struct steti_spm_text text = r->text;
        struct steti_hf_segs segs = r->segs;
        r->text = r->next;
        r->next = text;
        r->segs = r->next_segs;
        r->next_segs = segs;
    }
    return steti_hf_stages_run(h, 1, 1 + h->n_normalizers, r);
}

/* The texts of one tree, one after the other; offsets because it moves as it grows. */
struct texts {
    struct steti_buf buf;
    struct steti_spm_key *keys;
    size_t *off;
    size_t n;
};

static stet_status add_text(const struct steti_hf *h, struct steti_hf_run *r, size_t i,
                            struct texts *t)
{
    const struct steti_hf_added *a = &h->added[i];
    size_t len;
    const char *s = steti_vocab_text(&h->vocab, a->id, &len);
    if (a->normalized) {
        STETI_TRY(normalize(h, r, s, len));
        s = r->segs.len > 0 ? r->text.data + r->segs.data[0].begin : "";
        len = r->segs.len > 0 ? r->segs.data[0].end - r->segs.data[0].begin : 0;
    }
    if (len == 0 || len > STETI_HF_MAX_PIECE) {
        return STET_OK;
    }
    t->off[t->n] = t->buf.len;
    t->keys[t->n++] = (struct steti_spm_key){NULL, (uint32_t)len, (int32_t)i};
    return steti_buf_append(&t->buf, s, len, r->err);
}

static stet_status collect(const struct steti_hf *h, int normalized, struct texts *t,
                           stet_error *err)
{
    struct steti_hf_run r = {.err = err};
    stet_status st = STET_OK;
    for (size_t i = 0; i < h->n_added && st == STET_OK; i++) {
        if (!h->added[i].special && h->added[i].normalized == normalized) {
            st = add_text(h, &r, i, t);
        }
    }
    steti_hf_run_free(&r);
    for (size_t i = 0; i < t->n; i++) {
        t->keys[i].data = t->buf.data + t->off[i];
    }
    return st;
}

/* The reference library writes such tokens the way it looks for them. */
static stet_status rename_normalized(struct steti_hf *h, const struct texts *t, stet_error *err)
{
    for (size_t i = 0; i < t->n; i++) {
        STETI_TRY(steti_vocab_rename(&h->vocab, h->added[t->keys[i].value].id, t->keys[i].data,
                                     t->keys[i].len, err));
    }
    return STET_OK;
}

static stet_status build_tree(struct steti_hf *h, int normalized, stet_error *err)
{
    struct texts t = {.keys = steti_calloc(h->n_added, sizeof *t.keys),
                      .off = steti_calloc(h->n_added, sizeof *t.off)};
    stet_status st;
    steti_buf_init(&t.buf);
    st = t.keys == NULL || t.off == NULL
             ? steti_fail_nomem(err, "added tokens", h->n_added * sizeof *t.keys)
             : collect(h, normalized, &t, err);
    if (st == STET_OK && normalized) {
        st = rename_normalized(h, &t, err);
    }
    if (st == STET_OK) {
        st = steti_vocab_build_tree(t.keys, t.n, &h->match[normalized], err);
    }
    steti_free(t.keys);
    steti_free(t.off);
    steti_buf_free(&t.buf);
    return st;
}

stet_status steti_hf_index_added(struct steti_hf *h, stet_error *err)
{
    STETI_TRY(build_tree(h, 0, err));
    return build_tree(h, 1, err);
}
