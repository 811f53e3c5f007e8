/* log.h - messages go to the host's hook, or nowhere: the library never prints. */
#ifndef STETI_LOG_H
#define STETI_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "stet.h"

void steti_log_set_hook(void (*fn)(void *ctx, int32_t level, const char *component,
                                   const char *line, size_t len),
                        void *ctx, uint32_t level);

/* level: STET_LOG_ERROR .. STET_LOG_DEBUG. One line, no line end. */
void steti_log(int32_t level, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
