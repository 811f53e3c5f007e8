#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

const char *stet_status_name(stet_status s)
{
    switch (s) {
#define STET_STATUS_NAME(name, value, text)                                                        \
    case value:                                                                                    \
        return "STET_" #name;
        STET_STATUS_MAP(STET_STATUS_NAME)
#undef STET_STATUS_NAME
    default:
        return "STET_E_UNKNOWN";
    }
}

const char *stet_status_text(stet_status s)
{
    switch (s) {
#define STET_STATUS_TEXT(name, value, text)                                                        \
    case value:                                                                                    \
        return text;
        STET_STATUS_MAP(STET_STATUS_TEXT)
#undef STET_STATUS_TEXT
    default:
        return "unknown status";
    }
}

/* A caller compiled against an older header may have a shorter struct. */
static size_t message_cap(const stet_error *err)
{
    size_t head = offsetof(stet_error, message);
    size_t size = err->struct_size != 0 ? err->struct_size : sizeof *err;
    if (size > sizeof *err) {
        size = sizeof *err;
    }
    return size > head ? size - head : 0;
}

/* Copies one unit of the text: what is no printable UTF-8 becomes question marks of the same
 * length. */
static void copy_unit(char *to, const char *from, size_t n, int is_valid)
{
    unsigned char c = (unsigned char)from[0];
    if (is_valid && c >= 0x20 && c != 0x7f) {
        memcpy(to, from, n);
    } else {
        memset(to, '?', n);
    }
}

static void store_message(stet_error *err, const char *text)
{
    size_t cap = message_cap(err);
    size_t n = strlen(text), i = 0;
    if (cap == 0) {
        return;
    }
    if (n >= cap) {
        n = cap - 1;
    }
    while (i < n) {
        uint32_t cp;
        int k = steti_utf8_decode(text + i, n - i, &cp);
        size_t used = (size_t)(k < 0 ? -k : k);
        if (k < 0 && i + used == n && (unsigned char)text[i] >= 0xC2 &&
            (unsigned char)text[i] <= 0xF4) {
            break; /* a character that the limit has cut */
        }
        copy_unit(err->message + i, text + i, used, k > 0);
        i += used;
    }
    err->message[i] = '\0';
}

stet_status steti_fail(stet_error *err, stet_status code, const char *fmt, ...)
{
    char text[sizeof err->message];
    va_list ap;
    if (err == NULL) {
        return code;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err->code = code;
    err->retry_after_ms = 0;
    store_message(err, text);
    return code;
}

stet_status steti_fail_context(stet_error *err, stet_status code, const char *fmt, ...)
{
    char text[2 * sizeof err->message];
    va_list ap;
    int n;
    if (err == NULL) {
        return code;
    }
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof err->message, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return code;
    }
    size_t used = (size_t)n < sizeof err->message ? (size_t)n : sizeof err->message - 1;
    snprintf(text + used, sizeof text - used, ": %.*s", (int)message_cap(err), err->message);
    err->code = code;
    store_message(err, text);
    return code;
}

stet_status steti_fail_nomem(stet_error *err, const char *what, size_t bytes)
{
    return steti_fail(err, STET_E_NOMEM, "out of memory: %s needs %zu bytes", what, bytes);
}
