/* Normalizers and pre-tokenizers become stages. */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "base64.h"
#include "hf_read.h"
#include "spm_build.h"
#include "utf8.h"

/* The rules of public models make of three bytes 33, and of a space a mark of three. */
#define MAX_GROWTH 8192

stet_status steti_hf_set_text(char **out, size_t *out_len, const char *s, size_t n, stet_error *err)
{
    *out = steti_strndup(s, n);
    *out_len = n;
    return *out != NULL ? STET_OK : steti_fail_nomem(err, "a tokenizer", n);
}

stet_status steti_hf_add_stage(struct steti_hf *h, const struct steti_hf_stage *stage,
                               const struct steti_json_obj *o, stet_error *err)
{
    if (h->n_stages == STETI_HF_MAX_STAGES) {
        return steti_field_unsupported(o, NULL, err, "more than %d steps", STETI_HF_MAX_STAGES);
    }
    h->stages[h->n_stages++] = *stage;
    return STET_OK;
}

/* A stage with texts, which it owns. */
static stet_status add_text_stage(struct steti_hf *h, struct steti_hf_stage stage,
                                  const struct steti_json_obj *o, stet_error *err)
{
    struct steti_hf_stage *s;
    const char *from = stage.from, *to = stage.to;
    stage.from = stage.to = NULL;
    STETI_TRY(steti_hf_add_stage(h, &stage, o, err));
    s = &h->stages[h->n_stages - 1];
    if (from != NULL) {
        STETI_TRY(steti_hf_set_text(&s->from, &s->from_len, from, stage.from_len, err));
    }
    return steti_hf_set_text(&s->to, &s->to_len, to, stage.to_len, err);
}

/* Casts away const for the fields of a stage that add_text_stage copies. */
static char *borrow(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* ---- Normalizers ----------------------------------------------------------------------------- */

static stet_status read_charsmap(struct steti_hf *h, const struct steti_json_obj *o,
                                 stet_error *err)
{
    struct steti_hf_stage stage = {.op = STETI_HF_CHARSMAP};
    const struct steti_json *v;
    struct steti_spm_view blob = {0};
    const char *s;
    char *bytes;
    size_t len;
    stet_status st;
    STETI_TRY(
        steti_field(o, "precompiled_charsmap", STETI_IS(STRING) | STETI_IS_OPTIONAL, &v, err));
    s = v != NULL ? steti_json_string(v, &len) : "";
    len = v != NULL ? len : 0;
    bytes = steti_malloc(len);
    if (bytes == NULL) {
        return steti_fail_nomem(err, "normalisation rules", len);
    }
    if (!steti_base64_decode(s, len, bytes, &blob.len)) {
        steti_free(bytes);
        return steti_field_fail(o, "precompiled_charsmap", err, "not base64");
    }
    blob.data = bytes;
    blob.set = 1;
    st = steti_spm_charsmap_open(&blob, o->file, &stage.charsmap, err);
    steti_free(bytes);
    if (st == STET_OK) {
        st = steti_hf_add_stage(h, &stage, o, err);
    }
    if (st != STET_OK) {
        steti_spm_charsmap_close(&stage.charsmap);
    }
    return st;
}

static stet_status read_replace(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    struct steti_hf_stage stage = {.op = STETI_HF_REPLACE};
    struct steti_json_obj pattern = {o->file, o->where, NULL};
    const struct steti_json *v;
    const char *s, *to;
    size_t len;
    STETI_TRY(steti_field_string(o, "content", &to, &stage.to_len, err));
    STETI_TRY(steti_field(o, "pattern", STETI_IS(OBJECT), &pattern.v, err));
    stage.to = borrow(to);
    v = steti_json_get(pattern.v, "Regex");
    if (v != NULL && steti_json_kind_of(v) == STETI_JSON_STRING) {
        s = steti_json_string(v, &len);
        if (strcmp(s, " {2,}") != 0) {
            return steti_field_unsupported(o, "pattern", err,
                                           "the regular expression \"%.60s\" is not supported; "
                                           "\" {2,}\" is",
                                           s);
        }
        stage.op = STETI_HF_SQUEEZE;
        return add_text_stage(h, stage, o, err);
    }
    STETI_TRY(steti_field_string(&pattern, "String", &s, &stage.from_len, err));
    if (stage.from_len == 0) {
        return steti_field_fail(o, "pattern", err, "empty");
    }
    stage.from = borrow(s);
    STETI_TRY(add_text_stage(h, stage, o, err));
    if (strcmp(s, " ") == 0) {
        h->mark = h->stages[h->n_stages - 1].to;
    }
    return STET_OK;
}

static stet_status read_strip(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    struct steti_hf_stage stage = {.op = STETI_HF_STRIP};
    int left, right;
    STETI_TRY(steti_field_bool(o, "strip_left", 0, &left, err));
    STETI_TRY(steti_field_bool(o, "strip_right", 0, &right, err));
    stage.flags = (left ? STETI_HF_LEFT : 0) | (right ? STETI_HF_RIGHT : 0);
    return steti_hf_add_stage(h, &stage, o, err);
}

static stet_status read_prepend(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    struct steti_hf_stage stage = {.op = STETI_HF_PREFIX};
    const char *s;
    STETI_TRY(steti_field_string(o, "prepend", &s, &stage.to_len, err));
    stage.to = borrow(s);
    return add_text_stage(h, stage, o, err);
}

/* ---- Pre-tokenizers -------------------------------------------------------------------------- */

static stet_status add_simple(struct steti_hf *h, enum steti_hf_op op,
                              const struct steti_json_obj *o, stet_error *err)
{
    struct steti_hf_stage stage = {.op = op};
    return steti_hf_add_stage(h, &stage, o, err);
}

static stet_status read_scheme(const struct steti_json_obj *o, const char **scheme, stet_error *err)
{
    const struct steti_json *v;
    int legacy;
    STETI_TRY(steti_field_bool(o, "add_prefix_space", 1, &legacy, err));
    STETI_TRY(steti_field(o, "prepend_scheme", STETI_IS(STRING) | STETI_IS_OPTIONAL, &v, err));
    *scheme = v != NULL ? steti_json_string(v, NULL) : legacy ? "always" : "never";
    if (strcmp(*scheme, "always") != 0 && strcmp(*scheme, "first") != 0 &&
        strcmp(*scheme, "never") != 0) {
        return steti_field_fail(o, "prepend_scheme", err, "\"%.40s\" is not always, first or never",
                                *scheme);
    }
    if (!legacy && strcmp(*scheme, "never") != 0) {
        return steti_field_fail(o, "add_prefix_space", err, "contradicts prepend_scheme");
    }
    return STET_OK;
}

static stet_status read_mark(const struct steti_json_obj *o, const char **mark, size_t *len,
                             stet_error *err)
{
    uint32_t cp;
    STETI_TRY(steti_field_string(o, "replacement", mark, len, err));
    return *len > 0 && steti_utf8_decode(*mark, *len, &cp) == (int)*len
               ? STET_OK
               : steti_field_fail(o, "replacement", err, "must be one character");
}

static stet_status read_metaspace(struct steti_hf *h, const struct steti_json_obj *o,
                                  stet_error *err)
{
    struct steti_hf_stage stage = {.op = STETI_HF_REPLACE, .from = borrow(" "), .from_len = 1};
    const char *scheme, *mark;
    int split;
    STETI_TRY(read_mark(o, &mark, &stage.to_len, err));
    STETI_TRY(read_scheme(o, &scheme, err));
    STETI_TRY(steti_field_bool(o, "split", 1, &split, err));
    stage.to = borrow(mark);
    STETI_TRY(add_text_stage(h, stage, o, err));
    h->mark = h->stages[h->n_stages - 1].to;
    stage.from = NULL;
    stage.from_len = 0;
    if (strcmp(scheme, "never") != 0) {
        stage.op = STETI_HF_PREFIX;
        stage.flags =
            STETI_HF_UNLESS_THERE | (strcmp(scheme, "first") == 0 ? STETI_HF_FIRST_ONLY : 0);
        STETI_TRY(add_text_stage(h, stage, o, err));
    }
    stage.op = STETI_HF_MARK_SPLIT;
    stage.flags = 0;
    return split ? add_text_stage(h, stage, o, err) : STET_OK;
}

static stet_status read_byte_level(struct steti_hf *h, const struct steti_json_obj *o,
                                   stet_error *err)
{
    struct steti_hf_stage prefix = {
        .op = STETI_HF_PREFIX, .flags = STETI_HF_UNLESS_THERE, .to = borrow(" "), .to_len = 1};
    int add_prefix, pattern;
    STETI_TRY(steti_field_bool(o, "add_prefix_space", 1, &add_prefix, err));
    STETI_TRY(steti_field_bool(o, "use_regex", 1, &pattern, err));
    if (add_prefix) {
        STETI_TRY(add_text_stage(h, prefix, o, err));
    }
    if (pattern) {
        STETI_TRY(add_simple(h, STETI_HF_GPT2_SPLIT, o, err));
    }
    return add_simple(h, STETI_HF_BYTE_CHARS, o, err);
}

static stet_status read_split(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    struct steti_json_obj pattern = {o->file, o->where, NULL};
    const char *s, *behavior;
    size_t len;
    int invert;
    STETI_TRY(steti_field(o, "pattern", STETI_IS(OBJECT), &pattern.v, err));
    STETI_TRY(steti_field_string(o, "behavior", &behavior, &len, err));
    STETI_TRY(steti_field_bool(o, "invert", 0, &invert, err));
    STETI_TRY(steti_field_string(&pattern, "Regex", &s, &len, err));
    if (strcmp(s, STETI_GPT2_PATTERN) != 0) {
        return steti_field_unsupported(o, "pattern", err,
                                       "the regular expression \"%.100s\" is not supported; that "
                                       "of GPT-2 is",
                                       s);
    }
    if (strcmp(behavior, "Isolated") != 0 && strcmp(behavior, "Removed") != 0) {
        return steti_field_unsupported(o, "behavior", err, "\"%.40s\" is not supported", behavior);
    }
    if ((strcmp(behavior, "Removed") == 0) != (invert != 0)) {
        return steti_field_unsupported(o, "behavior", err,
                                       "only Isolated, or Removed with invert, is supported");
    }
    return add_simple(h, STETI_HF_GPT2_SPLIT, o, err);
}

/* ---- The two lists --------------------------------------------------------------------------- */

typedef stet_status (*read_fn)(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err);

static stet_status read_space_split(struct steti_hf *h, const struct steti_json_obj *o,
                                    stet_error *err)
{
    return add_simple(h, STETI_HF_SPACE_SPLIT, o, err);
}

static const struct kind {
    const char *type;
    read_fn read;
} normalizers[] = {{"Precompiled", read_charsmap},
                   {"Replace", read_replace},
                   {"Strip", read_strip},
                   {"Prepend", read_prepend},
                   {NULL, NULL}},
  pre_tokenizers[] = {{"ByteLevel", read_byte_level},
                      {"Metaspace", read_metaspace},
                      {"WhitespaceSplit", read_space_split},
                      {"Split", read_split},
                      {NULL, NULL}};

/* One step or a Sequence of them; nesting is limited by that of the JSON text. */
static stet_status read_step(struct steti_hf *h, const struct steti_json_obj *o,
                             const struct kind *kinds, const char *list_key, stet_error *err)
{
    const struct steti_json *list;
    const char *type;
    STETI_TRY(steti_hf_type(o, &type, err));
    for (; kinds->type != NULL && strcmp(type, "Sequence") != 0; kinds++) {
        if (strcmp(kinds->type, type) == 0) {
            return kinds->read(h, o, err);
        }
    }
    if (kinds->type == NULL) {
        return steti_field_unsupported(o, "type", err, "\"%.40s\" is not supported", type);
    }
    STETI_TRY(steti_field(o, list_key, STETI_IS(ARRAY), &list, err));
    for (size_t i = 0; i < steti_json_len(list); i++) {
        struct steti_json_obj inner;
        char where[96];
        STETI_TRY(steti_hf_element(o, list_key, list, i, where, &inner, err));
        STETI_TRY(read_step(h, &inner, kinds, list_key, err));
    }
    return STET_OK;
}

/* How many times as long a text can become; at least 1. */
static size_t growth_of(const struct steti_hf_stage *s)
{
    const struct steti_spm_charsmap *c = &s->charsmap;
    size_t most = 1;
    switch (s->op) {
    case STETI_HF_CHARSMAP:
        for (size_t at = 0; at < c->texts_len; at += strlen(c->texts + at) + 1) {
            size_t n = strlen(c->texts + at);
            most = n > most ? n : most;
        }
        return most;
    case STETI_HF_REPLACE:
        return s->to_len / s->from_len + 1;
    case STETI_HF_SQUEEZE:
    case STETI_HF_PREFIX:
        return s->to_len + 1;
    case STETI_HF_BYTE_CHARS:
        return 2;
    default:
        return 1;
    }
}

stet_status steti_hf_check_growth(const struct steti_hf_stage *stages, size_t n,
                                  const struct steti_json_obj *o, const char *key, stet_error *err)
{
    size_t growth = 1;
    for (size_t i = 0; i < n; i++) {
        size_t g = growth_of(&stages[i]);
        if (g > MAX_GROWTH || growth * g > MAX_GROWTH) {
            return steti_field_unsupported(
                o, key, err, "a text could become more than %d times as long", MAX_GROWTH);
        }
        growth *= g;
    }
    return STET_OK;
}

stet_status steti_hf_read_stages(struct steti_hf *h, const struct steti_json_obj *root,
                                 stet_error *err)
{
    struct steti_json_obj o = {root->file, "normalizer", NULL};
    struct steti_hf_stage added = {.op = STETI_HF_ADDED, .flags = 0};
    STETI_TRY(steti_hf_add_stage(h, &added, root, err));
    STETI_TRY(steti_field(root, o.where, STETI_IS(OBJECT) | STETI_IS_OPTIONAL, &o.v, err));
    if (o.v != NULL) {
        STETI_TRY(read_step(h, &o, normalizers, "normalizers", err));
    }
    h->n_normalizers = h->n_stages - 1;
    added.flags = 1;
    STETI_TRY(steti_hf_add_stage(h, &added, root, err));
    o.where = "pre_tokenizer";
    STETI_TRY(steti_field(root, o.where, STETI_IS(OBJECT) | STETI_IS_OPTIONAL, &o.v, err));
    if (o.v != NULL) {
        STETI_TRY(read_step(h, &o, pre_tokenizers, "pretokenizers", err));
    }
    return steti_hf_check_growth(h->stages, h->n_stages, root, "normalizer", err);
}
