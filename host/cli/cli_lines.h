/* cli_lines.h - all lines of a file at once, for commands that compare files line by line. */
#ifndef STETI_CLI_LINES_H
#define STETI_CLI_LINES_H

#include "buf.h"

/* Longest file. */
#define STETI_LINES_MAX ((size_t)1 << 30)

struct steti_lines {
    struct steti_buf data;
    stet_text *line; /* without line ends; they point into data */
    size_t n, cap;
};

/* Reads a file, a pipe or, for "-", standard input. A line ends with LF or CR LF; the last one need
 * not end. STET_E_IO, STET_E_TOO_LONG, STET_E_NOMEM; *out is to be freed in any case. */
stet_status steti_lines_read(struct steti_lines *out, const char *path, stet_error *err);
void steti_lines_free(struct steti_lines *l); /* legal on a zeroed struct */

#endif
