/* status.h - one way to fail: a status code, and a message in an error the caller owns.
 *
 * Every function that can fail returns stet_status and takes `stet_error *err` as its last
 * parameter. `err` may be NULL. A function that fails fills err once, at the place that knows
 * the file, key, offset or option; callers pass the status on unchanged with STETI_TRY.
 * The codes and their texts live in one table, STET_STATUS_MAP in stet.h.
 */
#ifndef STETI_STATUS_H
#define STETI_STATUS_H

#include "stet.h"

/* Fills *err (if not NULL) with code and the printf-formatted message; returns code. Long messages
 * are cut at a UTF-8 boundary; control characters and invalid bytes are replaced, so file
 * names and contents are safe to show. */
stet_status steti_fail(stet_error *err, stet_status code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the message that is already in *err; returns err's code given. */
stet_status steti_fail_context(stet_error *err, stet_status code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Out of memory, with what was asked for. */
stet_status steti_fail_nomem(stet_error *err, const char *what, size_t bytes);

/* Returns on the first failure. */
#define STETI_TRY(expr)                                                                            \
    do {                                                                                           \
        stet_status steti_try_s_ = (expr);                                                         \
        if (steti_try_s_ != STET_OK) {                                                             \
            return steti_try_s_;                                                                   \
        }                                                                                          \
    } while (0)

/* Stores the status in `st` and jumps to a cleanup label on failure. Labels stand in reverse order
 * of acquisition and are named for what failed or what they release. */
#define STETI_TRY_GOTO(expr, st, label)                                                            \
    do {                                                                                           \
        (st) = (expr);                                                                             \
        if ((st) != STET_OK) {                                                                     \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

#endif
