/* cli_progress.h - how far long work has come, on standard error. */
#ifndef STETI_CLI_PROGRESS_H
#define STETI_CLI_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct steti_progress {
    int enabled;
    int in_place;         /* a terminal: one line that is written over */
    int shown;            /* something stands on that line */
    uint64_t total_bytes; /* 0: not known */
    uint64_t start_ns, last_ns;
};

/* files: the inputs, whose sizes are added up when all of them are regular files; n = 0 is
 * standard input. */
void steti_progress_begin(struct steti_progress *p, int enabled, char *const *files, size_t n);
/* Cheap: shows something at most twice a second, and nothing in the first second. */
void steti_progress_update(struct steti_progress *p, uint64_t bytes, uint64_t lines);
/* Clears the line before other messages. */
void steti_progress_clear(struct steti_progress *p);
/* The last word; shown only where progress does not stand on a terminal. */
void steti_progress_end(struct steti_progress *p, uint64_t bytes, uint64_t lines);

#endif
