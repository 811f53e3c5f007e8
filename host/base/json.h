/* json.h - JSON documents, read with jansson behind this one file.
 *
 * Strict: duplicate keys (after unescaping), trailing bytes, NaN, Infinity, NUL in strings and
 * nesting over STETI_JSON_MAX_DEPTH levels are errors with line and column.
 */
#ifndef STETI_JSON_H
#define STETI_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define STETI_JSON_MAX_DEPTH 64

struct steti_json; /* a value inside a document, or the root; owned by the root */

/* Parses text[0..len). `name` (a path) is used in messages. The root must be an object. */
stet_status steti_json_parse(const char *text, size_t len, const char *name,
                             struct steti_json **root, stet_error *err);
void steti_json_free(struct steti_json *root); /* NULL is legal */

enum steti_json_kind {
    STETI_JSON_NULL,
    STETI_JSON_BOOL,
    STETI_JSON_INT,
    STETI_JSON_REAL,
    STETI_JSON_STRING,
    STETI_JSON_ARRAY,
    STETI_JSON_OBJECT
};
enum steti_json_kind steti_json_kind_of(const struct steti_json *v);

/* Object members; NULL when absent. */
const struct steti_json *steti_json_get(const struct steti_json *obj, const char *key);
/* members of an object or elements of an array */
size_t steti_json_len(const struct steti_json *v);
const struct steti_json *steti_json_at(const struct steti_json *array, size_t i);

/* Calls fn for every member, in file order; stops at the first status that is not STET_OK and
 * returns it. */
typedef stet_status (*steti_json_member_fn)(void *ctx, const char *key, size_t key_len,
                                            const struct steti_json *value);
stet_status steti_json_each(const struct steti_json *obj, steti_json_member_fn fn, void *ctx);

/* Values. The kind must fit; int values out of int64 are refused by the parser. */
int64_t steti_json_int(const struct steti_json *v);
double steti_json_real(const struct steti_json *v); /* INT is converted */
int steti_json_bool(const struct steti_json *v);
const char *steti_json_string(const struct steti_json *v, size_t *len);

#endif
