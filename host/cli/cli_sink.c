#include "cli_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void steti_sink_stdout(struct steti_sink *s)
{
    memset(s, 0, sizeof *s);
    steti_buf_init(&s->buf);
    s->fd = STDOUT_FILENO;
    s->name = "standard output";
}

stet_status steti_sink_open(struct steti_sink *s, const char *path, stet_error *err)
{
    steti_sink_stdout(s);
    s->name = path;
    s->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (s->fd < 0) {
        return steti_fail(err, STET_E_IO, "cannot write %s: %s", path, strerror(errno));
    }
    s->owns_fd = 1;
    return STET_OK;
}

stet_status steti_sink_truncate(struct steti_sink *s, stet_error *err)
{
    struct stat st;
    if (!s->owns_fd || fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return STET_OK;
    }
    if (ftruncate(s->fd, 0) != 0) {
        return steti_fail(err, STET_E_IO, "cannot empty %s: %s", s->name, strerror(errno));
    }
    return STET_OK;
}

static stet_status write_failed(struct steti_sink *s, int error, stet_error *err)
{
    s->broken_pipe = error == EPIPE;
    return steti_fail(err, STET_E_IO, "cannot write %s: %s", s->name, strerror(error));
}

stet_status steti_sink_flush(struct steti_sink *s, stet_error *err)
{
    size_t done = 0;
    while (done < s->buf.len) {
        ssize_t n = write(s->fd, s->buf.data + done, s->buf.len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            int error = errno;
            steti_buf_clear(&s->buf); /* or closing would try, and report, the same bytes again */
            return write_failed(s, error, err);
        }
        done += (size_t)n;
    }
    steti_buf_clear(&s->buf);
    return STET_OK;
}

stet_status steti_sink_close(struct steti_sink *s, stet_error *err)
{
    stet_status st = steti_sink_flush(s, err);
    steti_buf_free(&s->buf);
    if (s->owns_fd) {
        s->owns_fd = 0;
        if (close(s->fd) != 0 && st == STET_OK) {
            st = write_failed(s, errno, err);
        }
    }
    return st;
}

int steti_sink_is(const struct steti_sink *s, const char *path, int fd)
{
    struct stat a, b;
    if (fstat(s->fd, &a) != 0 || !S_ISREG(a.st_mode)) {
        return 0;
    }
    if ((path != NULL ? stat(path, &b) : fstat(fd, &b)) != 0) {
        return 0;
    }
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
