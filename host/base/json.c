#include "json.h"

#include <jansson.h>
#include <string.h>

/* struct steti_json is json_t under another name: nobody outside this file sees jansson. */
static const json_t *peek(const struct steti_json *v)
{
    return (const json_t *)(const void *)v;
}

static const struct steti_json *wrap(const json_t *v)
{
    return (const struct steti_json *)(const void *)v;
}

/* jansson allows 2048 levels; nothing that stet reads needs more than a few. Strings are skipped
 * with their escapes, so brackets inside them do not count. */
static int too_deep(const char *text, size_t len)
{
    int depth = 0, in_string = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '[' || c == '{') {
            if (++depth > STETI_JSON_MAX_DEPTH) {
                return 1;
            }
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return 0;
}

stet_status steti_json_parse(const char *text, size_t len, const char *name,
                             struct steti_json **root, stet_error *err)
{
    json_error_t je = {0}; /* jansson leaves parts of it as they were */
    json_t *v;
    *root = NULL;
    if (too_deep(text, len)) {
        return steti_fail(err, STET_E_FORMAT, "%s: nested deeper than %d levels", name,
                          STETI_JSON_MAX_DEPTH);
    }
    if (len == 0) {
        return steti_fail(err, STET_E_FORMAT, "%s: the file is empty, expected JSON", name);
    }
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s: begins with a byte order mark; save it as UTF-8 without one", name);
    }
    v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
    if (v == NULL) {
        /* Most of jansson's own failures to allocate leave no code and no text. */
        if (json_error_code(&je) == json_error_out_of_memory || je.text[0] == '\0') {
            return steti_fail_nomem(err, name, len);
        }
        return steti_fail(err, STET_E_FORMAT, "%s: not valid JSON: line %d, column %d: %s", name,
                          je.line, je.column, je.text);
    }
    if (!json_is_object(v)) {
        json_decref(v);
        return steti_fail(err, STET_E_FORMAT, "%s: the document must be a JSON object", name);
    }
    *root = (struct steti_json *)(void *)v;
    return STET_OK;
}

void steti_json_free(struct steti_json *root)
{
    json_decref((json_t *)(void *)root);
}

enum steti_json_kind steti_json_kind_of(const struct steti_json *v)
{
    switch (json_typeof(peek(v))) {
    case JSON_OBJECT:
        return STETI_JSON_OBJECT;
    case JSON_ARRAY:
        return STETI_JSON_ARRAY;
    case JSON_STRING:
        return STETI_JSON_STRING;
    case JSON_INTEGER:
        return STETI_JSON_INT;
    case JSON_REAL:
        return STETI_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return STETI_JSON_BOOL;
    case JSON_NULL:
    default:
        return STETI_JSON_NULL;
    }
}

const struct steti_json *steti_json_get(const struct steti_json *obj, const char *key)
{
    return wrap(json_object_get(peek(obj), key));
}

size_t steti_json_len(const struct steti_json *v)
{
    return json_is_array(peek(v)) ? json_array_size(peek(v)) : json_object_size(peek(v));
}

const struct steti_json *steti_json_at(const struct steti_json *array, size_t i)
{
    return wrap(json_array_get(peek(array), i));
}

stet_status steti_json_each(const struct steti_json *obj, steti_json_member_fn fn, void *ctx)
{
    /* Iteration does not change the object, but jansson's iterator takes a pointer to a mutable
     * one. */
    json_t *o = (json_t *)(uintptr_t)peek(obj);
    for (void *it = json_object_iter(o); it != NULL; it = json_object_iter_next(o, it)) {
        const char *key = json_object_iter_key(it);
        STETI_TRY(fn(ctx, key, strlen(key), wrap(json_object_iter_value(it))));
    }
    return STET_OK;
}

int64_t steti_json_int(const struct steti_json *v)
{
    return (int64_t)json_integer_value(peek(v));
}

double steti_json_real(const struct steti_json *v)
{
    return json_number_value(peek(v));
}

int steti_json_bool(const struct steti_json *v)
{
    return json_is_true(peek(v));
}

const char *steti_json_string(const struct steti_json *v, size_t *len)
{
    if (len != NULL) {
        *len = json_string_length(peek(v));
    }
    return json_string_value(peek(v));
}
