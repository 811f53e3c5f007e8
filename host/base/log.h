/* log.h - messages go to the host's hook, or nowhere: the library never prints. */
#ifndef STETI_LOG_H
#define STETI_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "stet.h"

typedef void (*steti_log_fn)(void *ctx, int32_t level, const char *component, const char *line,
                             size_t len);

void steti_log_set_hook(steti_log_fn fn, void *ctx, uint32_t level);

/* Gives the hook to another copy of this file: a plug-in has its own. */
void steti_log_share(void (*set)(steti_log_fn fn, void *ctx, uint32_t level));

/* level: STET_LOG_ERROR .. STET_LOG_DEBUG. One line, no line end. */
void steti_log(int32_t level, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
