#include "cli_progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define SECOND 1000000000ull

static uint64_t size_of_inputs(char *const *files, size_t n)
{
    struct stat st;
    uint64_t total = 0;
    if (n == 0) {
        return fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (stat(files[i], &st) != 0 || !S_ISREG(st.st_mode)) {
            return 0;
        }
        total += (uint64_t)st.st_size;
    }
    return total;
}

void steti_progress_begin(struct steti_progress *p, int enabled, char *const *files, size_t n)
{
    memset(p, 0, sizeof *p);
    p->enabled = enabled;
    if (!enabled) {
        return;
    }
    p->in_place = isatty(STDERR_FILENO);
    p->total_bytes = size_of_inputs(files, n);
    p->start_ns = p->last_ns = steti_now(steti_clock_system());
}

static void show(struct steti_progress *p, uint64_t bytes, uint64_t lines, double seconds)
{
    char text[160];
    int n = snprintf(text, sizeof text, "stet: %llu lines", (unsigned long long)lines);
    if (seconds > 0) {
        n += snprintf(text + n, sizeof text - (size_t)n, ", %.1f lines/s", (double)lines / seconds);
    }
    if (p->total_bytes > 0 && bytes > 0 && bytes <= p->total_bytes) {
        double share = (double)bytes / (double)p->total_bytes;
        snprintf(text + n, sizeof text - (size_t)n, ", %.0f %% done, %.0f s left", 100 * share,
                 seconds / share - seconds);
    }
    if (p->in_place) {
        fprintf(stderr, "\r\033[K%.78s", text);
    } else {
        fprintf(stderr, "%s\n", text);
    }
    p->shown = 1;
}

void steti_progress_update(struct steti_progress *p, uint64_t bytes, uint64_t lines)
{
    uint64_t now;
    if (!p->enabled) {
        return;
    }
    now = steti_now(steti_clock_system());
    if (now - p->start_ns < SECOND || now - p->last_ns < SECOND / 2) {
        return;
    }
    p->last_ns = now;
    show(p, bytes, lines, (double)(now - p->start_ns) / SECOND);
}

void steti_progress_clear(struct steti_progress *p)
{
    if (p->enabled && p->in_place && p->shown) {
        fputs("\r\033[K", stderr);
        p->shown = 0;
    }
}

void steti_progress_end(struct steti_progress *p, uint64_t bytes, uint64_t lines)
{
    steti_progress_clear(p);
    if (p->enabled && !p->in_place) {
        show(p, bytes, lines, (double)(steti_now(steti_clock_system()) - p->start_ns) / SECOND);
    }
}
