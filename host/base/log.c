#include "log.h"

#include <stdarg.h>
#include <stdio.h>

/* Set once before threads start (stet_set_hooks), read-only afterwards. */
static struct {
    steti_log_fn fn;
    void *ctx;
    uint32_t level;
} hook;

void steti_log_set_hook(steti_log_fn fn, void *ctx, uint32_t level)
{
    hook.fn = fn;
    hook.ctx = ctx;
    hook.level = level;
}

void steti_log_share(void (*set)(steti_log_fn fn, void *ctx, uint32_t level))
{
    set(hook.fn, hook.ctx, hook.level);
}

void steti_log(int32_t level, const char *component, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n;
    if (hook.fn == NULL || level > (int32_t)hook.level) {
        return;
    }
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n >= 0) {
        hook.fn(hook.ctx, level, component, line,
                (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    }
}
