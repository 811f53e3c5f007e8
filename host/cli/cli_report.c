#include "cli_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int steti_exit_of(stet_status st, int from_options)
{
    switch (st) {
    case STET_OK:
        return STETI_EXIT_OK;
    case STET_E_INVALID:
        return from_options ? STETI_EXIT_USAGE : STETI_EXIT_INPUT;
    case STET_E_VERIFY:
        return STETI_EXIT_VERIFY;
    case STET_E_DEVICE:
        return STETI_EXIT_DEVICE;
    default:
        return STETI_EXIT_INPUT;
    }
}

/* The whole line goes out in one call: other processes may write to the same terminal or log. */
void steti_say(const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "stet: %s\n", line);
}

static void log_line(void *ctx, int32_t level, const char *component, const char *line, size_t len)
{
    const char *kind = level <= STET_LOG_ERROR ? "error" : "warning";
    (void)ctx;
    steti_say("%s: %s: %.*s", kind, component, (int)(len < 1024 ? len : 1024), line);
}

stet_status steti_report_install(stet_error *err)
{
    stet_hooks hooks;
    memset(&hooks, 0, sizeof hooks);
    hooks.struct_size = sizeof hooks;
    hooks.log_level = STET_LOG_WARN;
    hooks.log = log_line;
    return stet_set_hooks(&hooks, err);
}

stet_error steti_error_init(void)
{
    stet_error err;
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    return err;
}
