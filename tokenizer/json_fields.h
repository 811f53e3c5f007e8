/* json_fields.h - members of JSON objects with their types checked; messages name file and key. */
#ifndef STETI_JSON_FIELDS_H
#define STETI_JSON_FIELDS_H

#include "json.h"

/* What a member may be: bits by steti_json_kind. */
#define STETI_IS(kind) (1u << STETI_JSON_##kind)
#define STETI_IS_OPTIONAL (1u << 31) /* may be absent or null */

/* An object in a document. */
struct steti_json_obj {
    const char *file;
    const char *where; /* "model", "added_tokens[3]"; "" is the root */
    const struct steti_json *v;
};

/* Sets *out to the member, or to NULL if it is absent or null and may be. */
stet_status steti_field(const struct steti_json_obj *o, const char *key, unsigned kinds,
                        const struct steti_json **out, stet_error *err);

/* The same for single types. Absent and null give the default. */
stet_status steti_field_bool(const struct steti_json_obj *o, const char *key, int if_absent,
                             int *out, stet_error *err);
stet_status steti_field_int(const struct steti_json_obj *o, const char *key, int64_t if_absent,
                            int64_t *out, stet_error *err);
/* Required. */
stet_status steti_field_string(const struct steti_json_obj *o, const char *key, const char **out,
                               size_t *len, stet_error *err);

/* STET_E_FORMAT: file, where and key, then what is wrong. `key` may be NULL. */
stet_status steti_field_fail(const struct steti_json_obj *o, const char *key, stet_error *err,
                             const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same with STET_E_MODEL: right as it may be, it is not supported. */
stet_status steti_field_unsupported(const struct steti_json_obj *o, const char *key,
                                    stet_error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
