#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "utf8.h"

void steti_buf_init(struct steti_buf *b)
{
    memset(b, 0, sizeof *b);
}

void steti_buf_free(struct steti_buf *b)
{
    steti_free(b->data);
    memset(b, 0, sizeof *b);
}

void steti_buf_clear(struct steti_buf *b)
{
    b->len = 0;
}

stet_status steti_buf_reserve(struct steti_buf *b, size_t extra, stet_error *err)
{
    void *p = b->data;
    stet_status st;
    if (extra > SIZE_MAX - b->len) {
        return steti_fail_nomem(err, "a text buffer", SIZE_MAX);
    }
    st = steti_grow(&p, &b->cap, b->len + extra, 1, err);
    b->data = p;
    return st;
}

stet_status steti_buf_append(struct steti_buf *b, const void *p, size_t n, stet_error *err)
{
    if (n == 0) {
        return STET_OK;
    }
    STETI_TRY(steti_buf_reserve(b, n, err));
    memcpy(b->data + b->len, p, n);
    b->len += n;
    return STET_OK;
}

stet_status steti_buf_puts(struct steti_buf *b, const char *s, stet_error *err)
{
    return steti_buf_append(b, s, strlen(s), err);
}

stet_status steti_buf_printf(struct steti_buf *b, stet_error *err, const char *fmt, ...)
{
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return steti_fail(err, STET_E_INVALID, "text cannot be formatted");
    }
    STETI_TRY(steti_buf_reserve(b, (size_t)n + 1, err));
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return STET_OK;
}

/* The two-character escape of an ASCII character, or 0. */
static char short_escape(uint32_t cp)
{
    switch (cp) {
    case '"':
        return '"';
    case '\\':
        return '\\';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static stet_status json_code_point(struct steti_buf *b, uint32_t cp, stet_error *err)
{
    char out[8];
    char esc = short_escape(cp);
    if (esc != 0) {
        out[0] = '\\';
        out[1] = esc;
        return steti_buf_append(b, out, 2, err);
    }
    if (cp < 0x20 || cp == 0x7f) {
        return steti_buf_printf(b, err, "\\u%04x", (unsigned)cp);
    }
    return steti_buf_append(b, out, (size_t)steti_utf8_encode(cp, out), err);
}

stet_status steti_buf_json_string(struct steti_buf *b, const char *s, size_t n, stet_error *err)
{
    STETI_TRY(steti_buf_append(b, "\"", 1, err));
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int k = steti_utf8_decode(s + i, n - i, &cp);
        STETI_TRY(json_code_point(b, cp, err));
        i += (size_t)(k < 0 ? -k : k);
    }
    return steti_buf_append(b, "\"", 1, err);
}

const char *steti_buf_cstr(struct steti_buf *b)
{
    if (steti_buf_reserve(b, 1, NULL) != STET_OK) {
        return NULL;
    }
    b->data[b->len] = '\0';
    return b->data;
}
