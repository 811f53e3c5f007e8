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

/* "999 B", "1.2 kB" ... */
static int put_bytes(char *text, size_t cap, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t u = 0;
    while (bytes >= 999.95 && u + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000;
        u++;
    }
    return snprintf(text, cap, "%.*f %s", u > 0, bytes, units[u]);
}

static int put_time(char *text, size_t cap, double seconds)
{
    if (seconds < 120) {
        return snprintf(text, cap, "%.0f s left", seconds);
    }
    return seconds < 7200 ? snprintf(text, cap, "%.0f min left", seconds / 60)
                          : snprintf(text, cap, "%.1f h left", seconds / 3600);
}

/* What is most worth knowing comes first: a terminal may be too narrow for all. */
static void show(struct steti_progress *p, uint64_t bytes, uint64_t lines, double seconds)
{
    char text[256];
    size_t cap = sizeof text;
    int n = snprintf(text, cap, "stet: %llu lines, ", (unsigned long long)lines);
    n += put_bytes(text + n, cap - (size_t)n, (double)bytes);
    if (p->total_bytes > 0 && bytes > 0 && bytes <= p->total_bytes) {
        double share = (double)bytes / (double)p->total_bytes;
        n += snprintf(text + n, cap - (size_t)n, ", %.0f %% done, ", 100 * share);
        n += put_time(text + n, cap - (size_t)n, seconds / share - seconds);
    }
    if (seconds > 0) {
        n += snprintf(text + n, cap - (size_t)n, ", %.1f lines/s, ", (double)lines / seconds);
        n += put_bytes(text + n, cap - (size_t)n, (double)bytes / seconds);
        snprintf(text + n, cap - (size_t)n, "/s");
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
