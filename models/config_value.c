#include <string.h>

#include "config_value.h"

stet_status config_bad(const struct config *s, stet_error *err, const char *key, const char *what)
{
    return steti_fail(err, STET_E_MODEL, "%s/%s: %s: %s", s->folder, s->file, key, what);
}

int config_has(const struct config *s, const char *key)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    return v != NULL && steti_json_kind_of(v) != STETI_JSON_NULL;
}

stet_status config_int(const struct config *s, const char *key, int lo, int hi, int required,
                       int *out, stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    int64_t n;
    if (!config_has(s, key)) {
        return required ? config_bad(s, err, key, "is missing") : STET_OK;
    }
    if (steti_json_kind_of(v) != STETI_JSON_INT) {
        return config_bad(s, err, key, "must be a whole number");
    }
    n = steti_json_int(v);
    if (n < lo || n > hi) {
        return steti_fail(err, STET_E_MODEL, "%s/%s: %s: is %lld, expected %d to %d", s->folder,
                          s->file, key, (long long)n, lo, hi);
    }
    *out = (int)n;
    return STET_OK;
}

stet_status config_bool(const struct config *s, const char *key, int *out, stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    if (!config_has(s, key)) {
        return STET_OK;
    }
    if (steti_json_kind_of(v) != STETI_JSON_BOOL) {
        return config_bad(s, err, key, "must be true or false");
    }
    *out = steti_json_bool(v);
    return STET_OK;
}

stet_status config_real(const struct config *s, const char *key, double lo, double hi, float *out,
                        stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    double x;
    if (!config_has(s, key)) {
        return STET_OK;
    }
    if (steti_json_kind_of(v) != STETI_JSON_REAL && steti_json_kind_of(v) != STETI_JSON_INT) {
        return config_bad(s, err, key, "must be a number");
    }
    x = steti_json_real(v);
    if (!(x >= lo && x <= hi)) {
        return steti_fail(err, STET_E_MODEL, "%s/%s: %s: is %g, expected %g to %g", s->folder,
                          s->file, key, x, lo, hi);
    }
    *out = (float)x;
    return STET_OK;
}

stet_status config_token(const struct config *s, const char *key, const struct steti_json *v,
                         int size, int32_t *out, stet_error *err)
{
    int64_t id;
    if (steti_json_kind_of(v) != STETI_JSON_INT) {
        return config_bad(s, err, key, "must hold whole numbers");
    }
    id = steti_json_int(v);
    if (id < 0 || id >= size) {
        return steti_fail(err, STET_E_MODEL, "%s/%s: %s: token %lld is not in the vocabulary of %d",
                          s->folder, s->file, key, (long long)id, size);
    }
    *out = (int32_t)id;
    return STET_OK;
}

stet_status config_list(const struct config *s, const char *key, const struct steti_json **list,
                        size_t *n, stet_error *err)
{
    *list = steti_json_get(s->obj, key);
    *n = 0;
    if (!config_has(s, key)) {
        return STET_OK;
    }
    if (steti_json_kind_of(*list) != STETI_JSON_ARRAY) {
        return config_bad(s, err, key, "must be a list");
    }
    *n = steti_json_len(*list);
    return STET_OK;
}

stet_status config_one_of(const struct config *s, const char *key, const struct config_choice *list,
                          int required, int *out, stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    char known[160];
    size_t used = 0;
    const char *text;
    if (!config_has(s, key)) {
        return required ? config_bad(s, err, key, "is missing") : STET_OK;
    }
    if (steti_json_kind_of(v) != STETI_JSON_STRING) {
        return config_bad(s, err, key, "must be a string");
    }
    text = steti_json_string(v, NULL);
    known[0] = '\0';
    for (; list->name != NULL; list++) {
        size_t n = strlen(list->name);
        if (strcmp(text, list->name) == 0) {
            *out = list->value;
            return STET_OK;
        }
        if (used + n + 3 < sizeof known) {
            memcpy(known + used, used ? ", " : "", used ? 2 : 0);
            used += used ? 2 : 0;
            memcpy(known + used, list->name, n + 1);
            used += n;
        }
    }
    return steti_fail(err, STET_E_MODEL, "%s/%s: %s: \"%.80s\" is not supported, stet can run: %s",
                      s->folder, s->file, key, text, known);
}
