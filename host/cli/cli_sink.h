/* cli_sink.h - where data goes: standard output or a file, written in large pieces, errors never
 * lost. */
#ifndef STETI_CLI_SINK_H
#define STETI_CLI_SINK_H

#include "buf.h"

struct steti_sink {
    struct steti_buf buf; /* append here with steti_buf_... */
    int fd;
    const char *name; /* for messages */
    int owns_fd;
    int broken_pipe; /* the reader went away: end without a message */
};

void steti_sink_stdout(struct steti_sink *s);

/* Opens or makes `path` without emptying it; steti_sink_truncate does that once the inputs are
 * known to be other files. */
stet_status steti_sink_open(struct steti_sink *s, const char *path, stet_error *err);
stet_status steti_sink_truncate(struct steti_sink *s, stet_error *err);

/* Writes what the buffer holds. */
stet_status steti_sink_flush(struct steti_sink *s, stet_error *err);

/* Flushes and closes; an error of either is reported. Legal on a zeroed sink, and twice. */
stet_status steti_sink_close(struct steti_sink *s, stet_error *err);

/* 1 if path (or, with path NULL, fd) is the same regular file as the sink. */
int steti_sink_is(const struct steti_sink *s, const char *path, int fd);

#endif
