#include "cli_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_report.h"

const char *steti_input_shown(const char *name)
{
    return strcmp(name, "-") == 0 ? "standard input" : name;
}

void steti_input_init(struct steti_input *in, const struct steti_args *args,
                      const struct steti_sink *sink)
{
    memset(in, 0, sizeof *in);
    in->args = args;
    in->sink = sink;
    in->fd = -1;
}

static void close_file(struct steti_input *in)
{
    if (in->is_open) {
        steti_reader_free(&in->reader);
        if (in->fd != STDIN_FILENO) {
            close(in->fd);
        }
    }
    in->is_open = 0;
    in->fd = -1;
}

void steti_input_free(struct steti_input *in)
{
    close_file(in);
}

/* Why fd cannot be read; NULL if it can. */
static const char *objection(const struct steti_input *in, int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return strerror(errno);
    }
    if (S_ISDIR(st.st_mode)) {
        return "it is a folder";
    }
    return steti_sink_is(in->sink, NULL, fd) ? "it is also the output" : NULL;
}

static stet_status add_unreadable(struct steti_flight *f, const char *name, const char *why,
                                  stet_error *err)
{
    stet_error text = steti_error_init();
    steti_fail(&text, STET_E_IO, "cannot read %s: %s", steti_input_shown(name), why);
    return steti_flight_add_notice(f, text.message, err);
}

static stet_status open_file(struct steti_input *in, struct steti_flight *f, const char *name,
                             stet_error *err)
{
    int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    const char *why = objection(in, fd);
    if (why != NULL) {
        if (fd > STDIN_FILENO) {
            close(fd);
        }
        return add_unreadable(f, name, why, err);
    }
    if (isatty(fd) && isatty(STDERR_FILENO)) {
        steti_say("reading from the terminal; Ctrl-D ends the text");
    }
    steti_reader_init(&in->reader, fd, steti_input_shown(name), in->args->wrapped);
    in->fd = fd;
    in->is_open = 1;
    steti_flight_add_begin(f, name);
    return STET_OK;
}

static stet_status next_file(struct steti_input *in, struct steti_flight *f, stet_error *err)
{
    size_t i = in->next_file++;
    if (in->args->n_files == 0 && i == 0) {
        return open_file(in, f, "-", err);
    }
    if (i >= in->args->n_files) {
        in->is_ended = 1;
        return STET_OK;
    }
    return open_file(in, f, in->args->files[i], err);
}

stet_status steti_input_take(struct steti_input *in, struct steti_flight *f, stet_error *err)
{
    struct steti_unit unit;
    while (steti_flight_has_room(f) && !in->is_ended) {
        if (!in->is_open) {
            STETI_TRY(next_file(in, f, err));
        } else if (steti_reader_next(&in->reader, &unit)) {
            STETI_TRY(steti_flight_add_unit(f, &unit, err));
        } else if (in->reader.eof) {
            close_file(in);
            steti_flight_add_end(f);
        } else {
            break;
        }
    }
    return STET_OK;
}

int steti_input_fd(const struct steti_input *in, const struct steti_flight *f)
{
    return in->is_open && steti_flight_has_room(f) ? in->fd : -1;
}

stet_status steti_input_read(struct steti_input *in, struct steti_flight *f, stet_error *err)
{
    stet_status st = steti_reader_read(&in->reader, err);
    if (st != STET_E_IO) {
        return st;
    }
    /* This file is lost, not those after it. */
    close_file(in);
    STETI_TRY(steti_flight_add_notice(f, err->message, err));
    steti_flight_add_end(f);
    return STET_OK;
}
