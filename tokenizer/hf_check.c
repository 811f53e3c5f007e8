/* Truncation, padding and the post-processor: the engine cuts texts and adds special tokens itself,
 * by config.json. They are checked all the same, since a file that contradicts itself is broken. */
#include <stdio.h>
#include <string.h>

#include "hf_read.h"

static stet_status check_truncation(const struct steti_json_obj *root, stet_error *err)
{
    struct steti_json_obj o = {root->file, "truncation", NULL};
    int64_t max, stride;
    STETI_TRY(steti_field(root, o.where, STETI_IS(OBJECT) | STETI_IS_OPTIONAL, &o.v, err));
    if (o.v == NULL) {
        return STET_OK;
    }
    STETI_TRY(steti_field_int(&o, "max_length", 0, &max, err));
    STETI_TRY(steti_field_int(&o, "stride", 0, &stride, err));
    if (max < 0 || stride < 0) {
        return steti_field_fail(&o, max < 0 ? "max_length" : "stride", err, "negative");
    }
    return max > 0 && stride >= max
               ? steti_field_fail(&o, "stride", err, "%lld, not less than max_length %lld",
                                  (long long)stride, (long long)max)
               : STET_OK;
}

static stet_status check_padding(const struct steti_json_obj *root, stet_error *err)
{
    struct steti_json_obj o = {root->file, "padding", NULL};
    const struct steti_json *strategy, *fixed;
    STETI_TRY(steti_field(root, o.where, STETI_IS(OBJECT) | STETI_IS_OPTIONAL, &o.v, err));
    if (o.v == NULL) {
        return STET_OK;
    }
    STETI_TRY(steti_field(&o, "strategy", STETI_IS(STRING) | STETI_IS(OBJECT) | STETI_IS_OPTIONAL,
                          &strategy, err));
    if (strategy == NULL || steti_json_kind_of(strategy) != STETI_JSON_OBJECT) {
        return STET_OK;
    }
    fixed = steti_json_get(strategy, "Fixed");
    return fixed == NULL || steti_json_kind_of(fixed) != STETI_JSON_INT || steti_json_int(fixed) < 1
               ? steti_field_fail(&o, "strategy", err, "Fixed must be a positive integer")
               : STET_OK;
}

/* Special token `s` must be in the vocabulary, with that id if it is not negative. */
static stet_status check_token(const struct steti_hf *h, const struct steti_json_obj *o,
                               const char *key, const char *s, int64_t id, stet_error *err)
{
    size_t n, len = strlen(s);
    const char *text;
    if (id < 0 || (uint64_t)id >= h->vocab.n || !steti_vocab_has(&h->vocab, (int32_t)id)) {
        return steti_field_fail(o, key, err, "\"%.60s\": there is no id %lld", s, (long long)id);
    }
    text = steti_vocab_text(&h->vocab, (int32_t)id, &n);
    return n == len && memcmp(text, s, n) == 0
               ? STET_OK
               : steti_field_fail(o, key, err, "id %lld is \"%.*s\", not \"%.60s\"", (long long)id,
                                  (int)(n < 60 ? n : 60), text, s);
}

/* ["</s>", 2] */
static stet_status check_pair(const struct steti_hf *h, const struct steti_json_obj *o,
                              const char *key, stet_error *err)
{
    const struct steti_json *v, *s, *id;
    STETI_TRY(steti_field(o, key, STETI_IS(ARRAY), &v, err));
    s = steti_json_len(v) == 2 ? steti_json_at(v, 0) : NULL;
    id = steti_json_len(v) == 2 ? steti_json_at(v, 1) : NULL;
    if (s == NULL || steti_json_kind_of(s) != STETI_JSON_STRING ||
        steti_json_kind_of(id) != STETI_JSON_INT) {
        return steti_field_fail(o, key, err, "must be a list of a token and its id");
    }
    return check_token(h, o, key, steti_json_string(s, NULL), steti_json_int(id), err);
}

/* {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}} */
static stet_status check_special(const struct steti_hf *h, const struct steti_json_obj *o,
                                 const struct steti_json *v, stet_error *err)
{
    struct steti_json_obj special = {o->file, "post_processor.special_tokens", v};
    const struct steti_json *ids, *tokens;
    if (steti_json_kind_of(v) != STETI_JSON_OBJECT) {
        return steti_field_fail(&special, NULL, err, "must hold objects");
    }
    STETI_TRY(steti_field(&special, "ids", STETI_IS(ARRAY), &ids, err));
    STETI_TRY(steti_field(&special, "tokens", STETI_IS(ARRAY), &tokens, err));
    if (steti_json_len(ids) != steti_json_len(tokens) || steti_json_len(ids) == 0) {
        return steti_field_fail(&special, "ids", err, "as many as tokens are needed");
    }
    for (size_t i = 0; i < steti_json_len(ids); i++) {
        const struct steti_json *id = steti_json_at(ids, i), *s = steti_json_at(tokens, i);
        if (steti_json_kind_of(id) != STETI_JSON_INT ||
            steti_json_kind_of(s) != STETI_JSON_STRING) {
            return steti_field_fail(&special, "ids", err, "must be integers, and tokens strings");
        }
        STETI_TRY(
            check_token(h, &special, "ids", steti_json_string(s, NULL), steti_json_int(id), err));
    }
    return STET_OK;
}

/* A template adds special tokens around the text, which must stand in it once. */
static stet_status check_template(const struct steti_hf *h, const struct steti_json_obj *o,
                                  stet_error *err)
{
    const struct steti_json *list, *specials;
    int texts = 0;
    STETI_TRY(steti_field(o, "single", STETI_IS(ARRAY), &list, err));
    STETI_TRY(steti_field(o, "special_tokens", STETI_IS(OBJECT), &specials, err));
    for (size_t i = 0; i < steti_json_len(list); i++) {
        struct steti_json_obj e, token = {o->file, "post_processor.single", NULL};
        char where[96];
        const char *name;
        size_t len;
        STETI_TRY(steti_hf_element(o, "single", list, i, where, &e, err));
        STETI_TRY(
            steti_field(&e, "SpecialToken", STETI_IS(OBJECT) | STETI_IS_OPTIONAL, &token.v, err));
        if (token.v == NULL) {
            texts++;
            continue;
        }
        STETI_TRY(steti_field_string(&token, "id", &name, &len, err));
        if (steti_json_get(specials, name) == NULL) {
            return steti_field_fail(&token, "id", err, "\"%.60s\" is not among special_tokens",
                                    name);
        }
        STETI_TRY(check_special(h, o, steti_json_get(specials, name), err));
    }
    return texts == 1 ? STET_OK
                      : steti_field_unsupported(o, "single", err, "must hold the text once");
}

static stet_status check_post(const struct steti_hf *h, const struct steti_json_obj *o,
                              stet_error *err)
{
    const struct steti_json *list;
    const char *type;
    STETI_TRY(steti_hf_type(o, &type, err));
    if (strcmp(type, "ByteLevel") == 0) {
        return STET_OK;
    }
    if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) {
        STETI_TRY(check_pair(h, o, "sep", err));
        return check_pair(h, o, "cls", err);
    }
    if (strcmp(type, "TemplateProcessing") == 0) {
        return check_template(h, o, err);
    }
    if (strcmp(type, "Sequence") != 0) {
        return steti_field_unsupported(o, "type", err, "\"%.40s\" is not supported", type);
    }
    STETI_TRY(steti_field(o, "processors", STETI_IS(ARRAY), &list, err));
    for (size_t i = 0; i < steti_json_len(list); i++) {
        struct steti_json_obj inner;
        char where[96];
        STETI_TRY(steti_hf_element(o, "processors", list, i, where, &inner, err));
        STETI_TRY(check_post(h, &inner, err));
    }
    return STET_OK;
}

stet_status steti_hf_check_rest(const struct steti_hf *h, const struct steti_json_obj *root,
                                stet_error *err)
{
    struct steti_json_obj o = {root->file, "post_processor", NULL};
    STETI_TRY(check_truncation(root, err));
    STETI_TRY(check_padding(root, err));
    STETI_TRY(steti_field(root, o.where, STETI_IS(OBJECT) | STETI_IS_OPTIONAL, &o.v, err));
    return o.v == NULL ? STET_OK : check_post(h, &o, err);
}
