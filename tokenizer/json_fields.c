#include "json_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *kind_names[] = {"null",     "true or false", "an integer", "a number",
                                   "a string", "a list",        "an object"};

static stet_status fail(const struct steti_json_obj *o, const char *key, stet_status code,
                        const char *text, stet_error *err)
{
    const char *dot = o->where[0] != '\0' && key != NULL ? "." : "";
    return steti_fail(err, code, "%s: %s%s%s: %s", o->file, o->where, dot, key != NULL ? key : "",
                      text);
}

stet_status steti_field_fail(const struct steti_json_obj *o, const char *key, stet_error *err,
                             const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return fail(o, key, STET_E_FORMAT, text, err);
}

stet_status steti_field_unsupported(const struct steti_json_obj *o, const char *key,
                                    stet_error *err, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return fail(o, key, STET_E_MODEL, text, err);
}

/* "a string or null" */
static void name_kinds(unsigned kinds, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned k = 0; k < sizeof kind_names / sizeof kind_names[0]; k++) {
        if ((kinds & 1u << k) != 0 && at < size) {
            at +=
                (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? " or " : "", kind_names[k]);
        }
    }
}

stet_status steti_field(const struct steti_json_obj *o, const char *key, unsigned kinds,
                        const struct steti_json **out, stet_error *err)
{
    const struct steti_json *v = steti_json_get(o->v, key);
    unsigned kind = v == NULL ? 0 : 1u << steti_json_kind_of(v);
    char wanted[100];
    *out = NULL;
    if ((kinds & STETI_IS_OPTIONAL) != 0 && (v == NULL || kind == STETI_IS(NULL))) {
        return STET_OK;
    }
    if (v == NULL) {
        return steti_field_fail(o, key, err, "missing");
    }
    if ((kinds & kind) == 0) {
        name_kinds(kinds & ~STETI_IS_OPTIONAL, wanted, sizeof wanted);
        return steti_field_fail(o, key, err, "must be %s", wanted);
    }
    *out = v;
    return STET_OK;
}

stet_status steti_field_bool(const struct steti_json_obj *o, const char *key, int if_absent,
                             int *out, stet_error *err)
{
    const struct steti_json *v;
    STETI_TRY(steti_field(o, key, STETI_IS(BOOL) | STETI_IS_OPTIONAL, &v, err));
    *out = v != NULL ? steti_json_bool(v) : if_absent;
    return STET_OK;
}

stet_status steti_field_int(const struct steti_json_obj *o, const char *key, int64_t if_absent,
                            int64_t *out, stet_error *err)
{
    const struct steti_json *v;
    STETI_TRY(steti_field(o, key, STETI_IS(INT) | STETI_IS_OPTIONAL, &v, err));
    *out = v != NULL ? steti_json_int(v) : if_absent;
    return STET_OK;
}

stet_status steti_field_string(const struct steti_json_obj *o, const char *key, const char **out,
                               size_t *len, stet_error *err)
{
    const struct steti_json *v;
    STETI_TRY(steti_field(o, key, STETI_IS(STRING), &v, err));
    *out = steti_json_string(v, len);
    return STET_OK;
}
