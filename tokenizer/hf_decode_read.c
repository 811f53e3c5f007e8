#include <string.h>

#include "hf_read.h"
#include "utf8.h"

static stet_status read_replace(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    struct steti_hf_decode *d = &h->decode;
    struct steti_json_obj pattern = {o->file, o->where, NULL};
    struct steti_hf_stage *r;
    const char *from, *to;
    size_t from_len, to_len;
    STETI_TRY(steti_field(o, "pattern", STETI_IS(OBJECT), &pattern.v, err));
    STETI_TRY(steti_field_string(&pattern, "String", &from, &from_len, err));
    STETI_TRY(steti_field_string(o, "content", &to, &to_len, err));
    if (from_len == 0) {
        return steti_field_fail(o, "pattern", err, "empty");
    }
    if (d->n_replace == STETI_HF_MAX_REPLACEMENTS || d->byte_fallback || d->fused) {
        return steti_field_unsupported(o, NULL, err, "too many replacements, or one too late");
    }
    r = &d->replace[d->n_replace++];
    r->op = STETI_HF_REPLACE;
    STETI_TRY(steti_hf_set_text(&r->from, &r->from_len, from, from_len, err));
    return steti_hf_set_text(&r->to, &r->to_len, to, to_len, err);
}

static stet_status read_strip(struct steti_hf *h, const struct steti_json_obj *o, stet_error *err)
{
    const char *s;
    size_t len;
    int64_t stop;
    STETI_TRY(steti_field_string(o, "content", &s, &len, err));
    STETI_TRY(steti_field_int(o, "start", 0, &h->decode.n_strip, err));
    STETI_TRY(steti_field_int(o, "stop", 0, &stop, err));
    if (len != 1 || stop != 0 || h->decode.n_strip < 0) {
        return steti_field_unsupported(o, NULL, err,
                                       "only one ASCII character at the start can be stripped");
    }
    h->decode.strip = s[0];
    return STET_OK;
}

static stet_status read_metaspace(struct steti_hf *h, const struct steti_json_obj *o,
                                  stet_error *err)
{
    struct steti_hf_decode *d = &h->decode;
    const struct steti_json *v;
    const char *mark;
    size_t len;
    int prefix;
    uint32_t cp;
    STETI_TRY(steti_field_string(o, "replacement", &mark, &len, err));
    STETI_TRY(steti_field_bool(o, "add_prefix_space", 1, &prefix, err));
    STETI_TRY(steti_field(o, "prepend_scheme", STETI_IS(STRING) | STETI_IS_OPTIONAL, &v, err));
    if (len == 0 || steti_utf8_decode(mark, len, &cp) != (int)len) {
        return steti_field_fail(o, "replacement", err, "must be one character");
    }
    d->kind = STETI_HF_DECODE_MARKS;
    d->drop_first_marks = v != NULL ? strcmp(steti_json_string(v, NULL), "never") != 0 : prefix;
    return steti_hf_set_text(&d->mark, &len, mark, len, err);
}

static stet_status read_one(struct steti_hf *h, const struct steti_json_obj *o, const char *type,
                            stet_error *err)
{
    struct steti_hf_decode *d = &h->decode;
    if (strcmp(type, "ByteFallback") == 0) {
        d->byte_fallback = 1;
        return d->fused ? steti_field_unsupported(o, NULL, err, "must stand before Fuse") : STET_OK;
    }
    if (strcmp(type, "Fuse") == 0) {
        d->fused = 1;
        return d->n_strip != 0 ? steti_field_unsupported(o, NULL, err, "must stand before Strip")
                               : STET_OK;
    }
    if (strcmp(type, "Strip") == 0) {
        return read_strip(h, o, err);
    }
    if (strcmp(type, "Replace") == 0) {
        return read_replace(h, o, err);
    }
    return steti_field_unsupported(o, "type", err, "\"%.40s\" is not supported%s", type,
                                   strcmp(o->where, "decoder") != 0 ? " here" : "");
}

static stet_status read_sequence(struct steti_hf *h, const struct steti_json_obj *o,
                                 stet_error *err)
{
    const struct steti_json *list;
    STETI_TRY(steti_field(o, "decoders", STETI_IS(ARRAY), &list, err));
    for (size_t i = 0; i < steti_json_len(list); i++) {
        struct steti_json_obj inner;
        char where[96];
        const char *type;
        STETI_TRY(steti_hf_element(o, "decoders", list, i, where, &inner, err));
        STETI_TRY(steti_hf_type(&inner, &type, err));
        STETI_TRY(read_one(h, &inner, type, err));
    }
    return STET_OK;
}

stet_status steti_hf_read_decoder(struct steti_hf *h, const struct steti_json_obj *root,
                                  stet_error *err)
{
    struct steti_json_obj o = {root->file, "decoder", NULL};
    const char *type;
    STETI_TRY(steti_field(root, "decoder", STETI_IS(OBJECT) | STETI_IS_OPTIONAL, &o.v, err));
    if (o.v == NULL) {
        h->decode.kind = STETI_HF_DECODE_WORDS;
        return STET_OK;
    }
    STETI_TRY(steti_hf_type(&o, &type, err));
    if (strcmp(type, "ByteLevel") == 0) {
        h->decode.kind = STETI_HF_DECODE_BYTES;
        return STET_OK;
    }
    if (strcmp(type, "Metaspace") == 0) {
        return read_metaspace(h, &o, err);
    }
    h->decode.kind = STETI_HF_DECODE_PLAIN;
    STETI_TRY(strcmp(type, "Sequence") == 0 ? read_sequence(h, &o, err)
                                            : read_one(h, &o, type, err));
    return steti_hf_check_growth(h->decode.replace, (size_t)h->decode.n_replace, &o, NULL, err);
}
