#include "cli_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"

#define BLOCK ((size_t)64 << 10)

static stet_status read_all(struct steti_buf *b, int fd, const char *name, stet_error *err)
{
    for (;;) {
        ssize_t n;
        STETI_TRY(steti_buf_reserve(b, BLOCK, err));
        n = read(fd, b->data + b->len, BLOCK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return steti_fail(err, STET_E_IO, "%s: %s", name, strerror(errno));
        }
        if (n == 0) {
            return STET_OK;
        }
        b->len += (size_t)n;
        if (b->len > STETI_LINES_MAX) {
            return steti_fail(err, STET_E_TOO_LONG, "%s: more than %zu bytes; split the file", name,
                              STETI_LINES_MAX);
        }
    }
}

static stet_status add_line(struct steti_lines *l, const char *p, size_t len, stet_error *err)
{
    void *grown = l->line;
    stet_status st = steti_grow(&grown, &l->cap, l->n + 1, sizeof *l->line, err);
    l->line = grown;
    STETI_TRY(st);
    l->line[l->n++] = (stet_text){p, len};
    return STET_OK;
}

static stet_status split(struct steti_lines *l, stet_error *err)
{
    const char *p = l->data.data;
    size_t left = l->data.len;
    while (left > 0) {
        const char *end = memchr(p, '\n', left);
        size_t whole = end != NULL ? (size_t)(end - p) + 1 : left;
        size_t len = end != NULL ? whole - 1 : whole;
        len -= end != NULL && len > 0 && p[len - 1] == '\r';
        STETI_TRY(add_line(l, p, len, err));
        p += whole;
        left -= whole;
    }
    return STET_OK;
}

stet_status steti_lines_read(struct steti_lines *out, const char *path, stet_error *err)
{
    int is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    stet_status st;
    memset(out, 0, sizeof *out);
    if (fd < 0) {
        return steti_fail(err, STET_E_IO, "%s: %s", name, strerror(errno));
    }
    st = read_all(&out->data, fd, name, err);
    if (!is_stdin) {
        close(fd);
    }
    STETI_TRY(st);
    return split(out, err);
}

void steti_lines_free(struct steti_lines *l)
{
    steti_buf_free(&l->data);
    steti_free(l->line);
    memset(l, 0, sizeof *l);
}
