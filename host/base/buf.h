/* buf.h - a growing byte buffer for text that is built piece by piece. */
#ifndef STETI_BUF_H
#define STETI_BUF_H

#include <stddef.h>

#include "status.h"

struct steti_buf {
    char *data; /* not NUL-terminated unless steti_buf_cstr was called */
    size_t len;
    size_t cap;
};

void steti_buf_init(struct steti_buf *b); /* allocates nothing */
void steti_buf_free(struct steti_buf *b);
void steti_buf_clear(struct steti_buf *b); /* keeps the memory */

stet_status steti_buf_reserve(struct steti_buf *b, size_t extra, stet_error *err);
stet_status steti_buf_append(struct steti_buf *b, const void *p, size_t n, stet_error *err);
stet_status steti_buf_puts(struct steti_buf *b, const char *s, stet_error *err);
stet_status steti_buf_printf(struct steti_buf *b, stet_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends s as a quoted JSON string. Invalid UTF-8 becomes U+FFFD; control characters are
 * escaped. */
stet_status steti_buf_json_string(struct steti_buf *b, const char *s, size_t n, stet_error *err);

/* Terminates with a NUL that does not count in len; NULL when out of memory. */
const char *steti_buf_cstr(struct steti_buf *b);

#endif
