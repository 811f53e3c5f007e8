#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "hf_read.h"

struct vocab_reader {
    struct steti_vocab *vocab;
    const struct steti_json_obj *o;
    size_t n; /* members of the object */
    stet_error *err;
};

static stet_status check_piece(const struct steti_json_obj *o, const char *s, size_t len,
                               stet_error *err)
{
    if (len > STETI_HF_MAX_PIECE) {
        return steti_field_unsupported(o, "vocab", err,
                                       "a piece of %zu bytes (\"%.20s...\"); at "
                                       "most %u are supported",
                                       len, s, STETI_HF_MAX_PIECE);
    }
    return STET_OK;
}

static stet_status read_entry(void *ctx, const char *key, size_t key_len,
                              const struct steti_json *value)
{
    struct vocab_reader *r = ctx;
    int64_t id;
    STETI_TRY(check_piece(r->o, key, key_len, r->err));
    if (steti_json_kind_of(value) != STETI_JSON_INT) {
        return steti_field_fail(r->o, "vocab", r->err, "the id of \"%.60s\" must be an integer",
                                key);
    }
    id = steti_json_int(value);
    if (id < 0 || (uint64_t)id > 8 * (uint64_t)r->n + STETI_VOCAB_SPARE_IDS || id >= INT32_MAX) {
        return steti_field_fail(r->o, "vocab", r->err, "the id %lld of \"%.60s\" is out of range",
                                (long long)id, key);
    }
    if (steti_vocab_has(r->vocab, (int32_t)id)) {
        size_t len;
        const char *other = steti_vocab_text(r->vocab, (int32_t)id, &len);
        return steti_field_fail(r->o, "vocab", r->err, "\"%.60s\" and \"%.*s\" both have id %lld",
                                key, (int)(len < 60 ? len : 60), other, (long long)id);
    }
    return steti_vocab_put(r->vocab, (int32_t)id, key, key_len, r->err);
}

stet_status steti_hf_read_vocab_object(struct steti_vocab *vocab, const struct steti_json_obj *o,
                                       const struct steti_json *v, stet_error *err)
{
    struct vocab_reader r = {vocab, o, steti_json_len(v), err};
    if (r.n == 0) {
        return steti_field_fail(o, "vocab", err, "no pieces");
    }
    STETI_TRY(steti_json_each(v, read_entry, &r));
    return steti_vocab_index(vocab, err);
}

stet_status steti_hf_read_vocab_file(struct steti_vocab *vocab,
                                     const struct steti_folder_file *file, stet_error *err)
{
    struct steti_json_obj o = {file->path, "", NULL};
    struct steti_json *doc;
    stet_status st;
    STETI_TRY(steti_json_parse((const char *)file->map.data, file->map.len, file->path, &doc, err));
    o.v = doc;
    st = steti_hf_read_vocab_object(vocab, &o, doc, err);
    steti_json_free(doc);
    return st;
}

/* ---- BPE ------------------------------------------------------------------------------------- */

static stet_status refuse_text(const struct steti_json_obj *o, const char *key, stet_error *err)
{
    const struct steti_json *v;
    size_t len = 0;
    STETI_TRY(steti_field(o, key, STETI_IS(STRING) | STETI_IS_OPTIONAL, &v, err));
    if (v != NULL) {
        steti_json_string(v, &len);
    }
    return len == 0 ? STET_OK : steti_field_unsupported(o, key, err, "only \"\" is supported");
}

static stet_status read_bpe_options(struct steti_hf *h, const struct steti_json_obj *o,
                                    stet_error *err)
{
    const struct steti_json *v;
    size_t len;
    STETI_TRY(
        steti_field(o, "dropout", STETI_IS(REAL) | STETI_IS(INT) | STETI_IS_OPTIONAL, &v, err));
    if (v != NULL && steti_json_real(v) != 0) {
        return steti_field_unsupported(o, "dropout", err, "only 0 and null are supported");
    }
    STETI_TRY(refuse_text(o, "continuing_subword_prefix", err));
    STETI_TRY(refuse_text(o, "end_of_word_suffix", err));
    STETI_TRY(steti_field_bool(o, "fuse_unk", 0, &h->bpe.fuse_unk, err));
    STETI_TRY(steti_field_bool(o, "ignore_merges", 0, &h->bpe.ignore_merges, err));
    STETI_TRY(steti_field(o, "unk_token", STETI_IS(STRING) | STETI_IS_OPTIONAL, &v, err));
    if (v != NULL && steti_json_string(v, &len)[0] != '\0') {
        const char *s = steti_json_string(v, &len);
        h->bpe.unk_id = steti_vocab_find(&h->vocab, s, len);
        if (h->bpe.unk_id < 0) {
            return steti_field_fail(o, "unk_token", err, "\"%.60s\" is not in the vocabulary", s);
        }
    }
    return STET_OK;
}

/* One merge: "left right" or ["left", "right"]. */
static stet_status read_merge(struct steti_hf_pairs *p, const struct steti_json_obj *o, size_t i,
                              const struct steti_json *v, stet_error *err)
{
    const struct steti_json *a, *b;
    struct steti_hf_pair pair;
    size_t len;
    if (steti_json_kind_of(v) == STETI_JSON_STRING) {
        const char *s = steti_json_string(v, &len);
        return steti_hf_pairs_add_line(p, s, len, err);
    }
    if (steti_json_kind_of(v) != STETI_JSON_ARRAY || steti_json_len(v) != 2) {
        return steti_field_fail(o, "merges", err, "merge %zu must be a string or a list of two", i);
    }
    a = steti_json_at(v, 0);
    b = steti_json_at(v, 1);
    if (steti_json_kind_of(a) != STETI_JSON_STRING || steti_json_kind_of(b) != STETI_JSON_STRING) {
        return steti_field_fail(o, "merges", err, "merge %zu must hold two strings", i);
    }
    pair.left = steti_json_string(a, &pair.left_len);
    pair.right = steti_json_string(b, &pair.right_len);
    return steti_hf_pairs_add(p, &pair, err);
}

static stet_status read_merges(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    const struct steti_json *list;
    struct steti_hf_pairs *pairs;
    stet_status st = STET_OK;
    size_t n;
    STETI_TRY(steti_field(o, "merges", STETI_IS(ARRAY), &list, err));
    n = steti_json_len(list);
    STETI_TRY(steti_hf_pairs_new(h, o, n, &pairs, err));
    for (size_t i = 0; i < n && st == STET_OK; i++) {
        st = read_merge(pairs, o, i, steti_json_at(list, i), err);
    }
    if (st == STET_OK) {
        st = steti_hf_pairs_finish(pairs, err);
    }
    steti_hf_pairs_free(pairs);
    return st;
}

static stet_status read_bpe(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    const struct steti_json *vocab;
    STETI_TRY(steti_field(o, "vocab", STETI_IS(OBJECT), &vocab, err));
    STETI_TRY(steti_hf_read_vocab_object(&h->vocab, o, vocab, err));
    STETI_TRY(read_bpe_options(h, o, err));
    STETI_TRY(read_merges(h, o, err));
    h->base.unk_id = h->bpe.unk_id;
    return STET_OK;
}

/* ---- Unigram --------------------------------------------------------------------------------- */

static stet_status read_scored(struct steti_hf *h, const struct steti_json_obj *o, size_t i,
                               const struct steti_json *v, stet_error *err)
{
    const struct steti_json *text, *score;
    enum steti_json_kind kind;
    const char *s;
    size_t len;
    if (steti_json_kind_of(v) != STETI_JSON_ARRAY || steti_json_len(v) != 2) {
        return steti_field_fail(o, "vocab", err, "piece %zu must be a list of text and score", i);
    }
    text = steti_json_at(v, 0);
    score = steti_json_at(v, 1);
    kind = steti_json_kind_of(score);
    if (steti_json_kind_of(text) != STETI_JSON_STRING ||
        (kind != STETI_JSON_REAL && kind != STETI_JSON_INT)) {
        return steti_field_fail(o, "vocab", err, "piece %zu must hold a string and a number", i);
    }
    s = steti_json_string(text, &len);
    STETI_TRY(check_piece(o, s, len, err));
    h->unigram.scores[i] = steti_json_real(score);
    if (!isfinite(h->unigram.scores[i])) {
        return steti_field_fail(o, "vocab", err, "the score of piece %zu is not finite", i);
    }
    if (h->unigram.scores[i] < h->unigram.min_score) {
        h->unigram.min_score = h->unigram.scores[i];
    }
    return steti_vocab_put(&h->vocab, (int32_t)i, s, len, err);
}

static stet_status read_unk_id(struct steti_hf *h, const struct steti_json_obj *o, size_t n,
                               stet_error *err)
{
    int64_t unk;
    STETI_TRY(steti_field_int(o, "unk_id", -1, &unk, err));
    if (unk == -1) {
        return steti_field_fail(o, "unk_id", err,
                                "missing: characters that no piece covers have "
                                "nothing to become");
    }
    if (unk < 0 || (uint64_t)unk >= n) {
        return steti_field_fail(o, "unk_id", err, "%lld; the vocabulary has ids 0 .. %zu",
                                (long long)unk, n - 1);
    }
    h->unigram.unk_id = h->base.unk_id = (int32_t)unk;
    return STET_OK;
}

static stet_status read_unigram(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    const struct steti_json *vocab;
    size_t n;
    STETI_TRY(steti_field(o, "vocab", STETI_IS(ARRAY), &vocab, err));
    n = steti_json_len(vocab);
    if (n == 0 || n >= INT32_MAX) {
        return steti_field_fail(o, "vocab", err, n == 0 ? "no pieces" : "too many pieces");
    }
    STETI_TRY(read_unk_id(h, o, n, err));
    h->unigram.scores = steti_malloc(n * sizeof *h->unigram.scores);
    if (h->unigram.scores == NULL) {
        return steti_fail_nomem(err, "the scores of a vocabulary", n * sizeof(double));
    }
    h->unigram.min_score = DBL_MAX;
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(read_scored(h, o, i, steti_json_at(vocab, i), err));
    }
    STETI_TRY(steti_vocab_index(&h->vocab, err));
    return h->vocab.trie.slots != NULL ? STET_OK
                                       : steti_field_fail(o, "vocab", err, "all pieces are empty");
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void find_byte_pieces(struct steti_hf *h)
{
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        h->byte_ids[i] = steti_vocab_find(&h->vocab, name, 6);
    }
}

/* Old files do not name the type. */
static const char *guess_type(const struct steti_json_obj *o)
{
    const struct steti_json *vocab = steti_json_get(o->v, "vocab");
    if (steti_json_get(o->v, "merges") != NULL) {
        return "BPE";
    }
    return vocab != NULL && steti_json_kind_of(vocab) == STETI_JSON_ARRAY ? "Unigram" : NULL;
}

stet_status steti_hf_read_model(struct steti_hf *h, const struct steti_json_obj *root,
                                stet_error *err)
{
    struct steti_json_obj o = {root->file, "model", NULL};
    const char *type;
    STETI_TRY(steti_field(root, "model", STETI_IS(OBJECT), &o.v, err));
    type = steti_json_get(o.v, "type") == NULL ? guess_type(&o) : NULL;
    if (type == NULL) {
        STETI_TRY(steti_hf_type(&o, &type, err));
    }
    STETI_TRY(steti_field_bool(&o, "byte_fallback", 0, &h->byte_fallback, err));
    if (strcmp(type, "BPE") == 0) {
        STETI_TRY(read_bpe(h, &o, err));
    } else if (strcmp(type, "Unigram") == 0) {
        h->is_unigram = 1;
        STETI_TRY(read_unigram(h, &o, err));
    } else {
        return steti_field_unsupported(&o, "type", err,
                                       "\"%.40s\" is not supported; BPE and Unigram are", type);
    }
    find_byte_pieces(h);
    return STET_OK;
}
