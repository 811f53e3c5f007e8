/* The few keys of config.json that tell the type of the weights, changed in its text: whoever wrote
 * the file finds everything else as it was. The text was parsed before, so it is valid. */
#include <string.h>

#include "quantize_internal.h"

#define QUANTIZATION_KEY "quantization_config"
/* transformers refuses a method that it does not know, which is what it should do here. */
#define QUANTIZATION_METHOD "stet_int8"
#define QUANTIZATION_VALUE                                                                         \
    "{\"quant_method\": \"" QUANTIZATION_METHOD "\", \"weights\": \"per_output_row\"}"

struct member {
    size_t key, key_end;     /* without quotes */
    size_t value, value_end; /* one past its last byte */
};

static size_t skip_space(const char *s, size_t at, size_t len)
{
    while (at < len && (s[at] == ' ' || s[at] == '\n' || s[at] == '\r' || s[at] == '\t')) {
        at++;
    }
    return at;
}

/* s[at] is a quote; where the string's closing quote is. */
static size_t string_end(const char *s, size_t at, size_t len)
{
    at++;
    while (at < len && s[at] != '"') {
        at += s[at] == '\\' ? 2 : 1;
    }
    return at;
}

static size_t value_end(const char *s, size_t at, size_t len)
{
    int depth = 0;
    for (; at < len; at++) {
        if (s[at] == '"') {
            at = string_end(s, at, len);
        } else if (s[at] == '{' || s[at] == '[') {
            depth++;
        } else if ((s[at] == '}' || s[at] == ']') && depth-- == 0) {
            break;
        } else if (s[at] == ',' && depth == 0) {
            break;
        }
    }
    while (at > 0 && skip_space(s, at - 1, len) != at - 1) {
        at--; /* white space in front of the comma is not part of the value */
    }
    return at;
}

/* The member at or behind `at`, which is behind '{' or ','. 0: there is none. */
static int next_member(const char *s, size_t at, size_t len, struct member *m)
{
    at = skip_space(s, at, len);
    if (at >= len || s[at] != '"') {
        return 0;
    }
    m->key = at + 1;
    m->key_end = string_end(s, at, len);
    at = skip_space(s, m->key_end + 1, len);
    m->value = skip_space(s, at + 1, len);
    m->value_end = value_end(s, m->value, len);
    return m->value_end <= len;
}

static int has_key(const char *s, const struct member *m, const char *key)
{
    size_t n = strlen(key);
    return m->key_end - m->key == n && memcmp(s + m->key, key, n) == 0;
}

static const char *type_name(enum steti_dtype type)
{
    return type == STETI_I8     ? "int8"
           : type == STETI_BF16 ? "bfloat16"
           : type == STETI_F16  ? "float16"
                                : "float32";
}

struct editor {
    const char *text;
    size_t open; /* place of '{' */
    enum steti_dtype type;
    struct steti_buf *out;
    stet_error *err;
    size_t n;      /* members written */
    int is_marked; /* quantization_config is one of them */
};

/* A member with what stands in front of it since the last comma, or its value replaced. */
static stet_status put_member(struct editor *e, size_t from, const struct member *m)
{
    const char *s = e->text;
    int is_type = (has_key(s, m, "torch_dtype") || has_key(s, m, "dtype")) && s[m->value] == '"';
    if (has_key(s, m, QUANTIZATION_KEY)) {
        e->is_marked = e->type == STETI_I8 &&
                       memmem(s + m->value, m->value_end - m->value, QUANTIZATION_METHOD,
                              sizeof QUANTIZATION_METHOD - 1) != NULL;
        if (!e->is_marked) {
            return STET_OK;
        }
    }
    if (e->n++ > 0) {
        STETI_TRY(steti_buf_puts(e->out, ",", e->err));
    }
    if (!is_type) {
        return steti_buf_append(e->out, s + from, m->value_end - from, e->err);
    }
    STETI_TRY(steti_buf_append(e->out, s + from, m->value - from, e->err));
    return steti_buf_printf(e->out, e->err, "\"%s\"", type_name(e->type));
}

static stet_status put_quantization(struct editor *e, const char *space, size_t n)
{
    STETI_TRY(steti_buf_puts(e->out, e->n > 0 ? "," : "", e->err));
    STETI_TRY(steti_buf_append(e->out, space, n, e->err));
    return steti_buf_puts(e->out, "\"" QUANTIZATION_KEY "\": " QUANTIZATION_VALUE, e->err);
}

stet_status quantize_config(const char *text, size_t len, enum steti_dtype type,
                            struct steti_buf *out, stet_error *err)
{
    struct editor e = {.text = text, .type = type, .out = out, .err = err};
    struct member m;
    size_t at, first;
    e.open = skip_space(text, 0, len);
    at = e.open < len ? e.open + 1 : len;
    first = skip_space(text, at, len);
    STETI_TRY(steti_buf_append(out, text, at, err));
    while (next_member(text, at, len, &m)) {
        size_t before = e.n;
        STETI_TRY(put_member(&e, at, &m));
        at = skip_space(text, m.value_end, len);
        if (e.n > before && at < len && text[at] == ',') {
            STETI_TRY(steti_buf_append(out, text + m.value_end, at - m.value_end, err));
        }
        if (at < len && text[at] == ',') {
            at++;
        } else {
            at = m.value_end;
            break;
        }
    }
    if (type == STETI_I8 && !e.is_marked) {
        STETI_TRY(put_quantization(&e, text + e.open + 1, first - (e.open + 1)));
    }
    return steti_buf_append(out, text + at, len - at, err);
}
