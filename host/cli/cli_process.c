#include "cli_process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "cli_report.h"

stet_status steti_process_init(struct steti_process *p, stet_error *err)
{
    size_t n = p->args->batch_units;
    STETI_TRY(steti_batch_init(&p->batch, n, err));
    p->requests = steti_calloc(n, sizeof *p->requests);
    p->results = steti_calloc(n, sizeof(void *));
    p->statuses = steti_calloc(n, sizeof *p->statuses);
    if (p->requests == NULL || p->results == NULL || p->statuses == NULL) {
        return steti_fail_nomem(err, "a batch of requests", n * sizeof *p->requests);
    }
    return STET_OK;
}

void steti_process_free(struct steti_process *p)
{
    steti_free(p->statuses);
    steti_free(p->results);
    steti_free(p->requests);
    steti_batch_free(&p->batch);
}

/* A request for every unit that holds more than white space. Returns how many. */
static size_t make_requests(struct steti_process *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->batch.n; i++) {
        const struct steti_unit *u = &p->batch.units[i];
        if (!steti_unit_is_blank(u)) {
            stet_request *r = &p->requests[n];
            r->struct_size = sizeof *r;
            r->flags = p->args->wrapped ? STET_REQ_WRAPPED : 0;
            r->text = u->text;
            r->len = u->len;
            p->results[n] = NULL;
            p->statuses[n] = STET_OK;
            n++;
        }
    }
    return n;
}

/* How messages call a file; in data, standard input is "-". */
static const char *shown(const char *name)
{
    return strcmp(name, "-") == 0 ? "standard input" : name;
}

/* What of a batch failed. `first_message` is the library's description of the first failure. */
struct outcome {
    stet_status status;
    const char *first_message;
};

/* A unit whose correction failed: reports it and goes on where only this unit is concerned. */
static stet_status handle_failure(struct steti_process *p, const struct steti_unit *u,
                                  stet_status status, struct outcome *o, stet_error *err)
{
    const char *text = o->first_message != NULL ? o->first_message : stet_status_text(status);
    o->first_message = NULL;
    if (status != STET_E_TOO_LONG) {
        return steti_fail(err, status, "%s:%llu: %s", shown(p->writer.file),
                          (unsigned long long)u->line, text);
    }
    steti_progress_clear(&p->progress);
    steti_say("%s:%llu: %s; the line is left as it is", shown(p->writer.file),
              (unsigned long long)u->line, text);
    p->exit_code = STETI_EXIT_INPUT;
    return STET_OK;
}

static stet_status write_units(struct steti_process *p, struct outcome *o, stet_error *err)
{
    size_t request = 0;
    for (size_t i = 0; i < p->batch.n; i++) {
        const struct steti_unit *u = &p->batch.units[i];
        stet_result *result = NULL;
        if (!steti_unit_is_blank(u)) {
            result = p->results[request];
            if (result == NULL) {
                stet_status st = p->statuses[request] != STET_OK ? p->statuses[request] : o->status;
                STETI_TRY(handle_failure(p, u, st, o, err));
            }
            request++;
        }
        STETI_TRY(steti_writer_unit(&p->writer, u, result, err));
        p->counts.lines += !u->continues;
        p->counts.bytes += u->len + u->tail;
    }
    return STET_OK;
}

static stet_status process_batch(struct steti_process *p, stet_error *err)
{
    stet_error first = steti_error_init();
    struct outcome o = {STET_OK, NULL};
    size_t n = make_requests(p);
    stet_status st;
    if (n > 0) {
        o.status = stet_correct_batch(p->engine, p->requests, n, p->results, p->statuses, &first);
        o.first_message = o.status != STET_OK ? first.message : NULL;
    }
    st = write_units(p, &o, err);
    for (size_t i = 0; i < n; i++) {
        stet_result_release(p->results[i]);
    }
    /* What was corrected before a failure is written all the same. */
    stet_status flushed = steti_sink_flush(&p->sink, st == STET_OK ? err : NULL);
    steti_progress_update(&p->progress, p->counts.bytes, p->counts.lines);
    return st != STET_OK ? st : flushed;
}

static stet_status process_stream(struct steti_process *p, struct steti_reader *reader,
                                  const char *name, stet_error *err)
{
    STETI_TRY(steti_writer_begin(&p->writer, name, err));
    for (;;) {
        stet_status st = steti_reader_batch(reader, &p->batch, err);
        if (st == STET_E_IO) {
            /* This file is lost, not those after it. */
            steti_progress_clear(&p->progress);
            steti_say("%s", err->message);
            p->exit_code = STETI_EXIT_INPUT;
            break;
        }
        STETI_TRY(st);
        if (p->batch.n == 0) {
            break;
        }
        STETI_TRY(process_batch(p, err));
    }
    STETI_TRY(steti_writer_end(&p->writer, err));
    return steti_sink_flush(&p->sink, err);
}

static int unreadable(struct steti_process *p, const char *name, const char *why)
{
    steti_progress_clear(&p->progress);
    steti_say("cannot read %s: %s", shown(name), why);
    p->exit_code = STETI_EXIT_INPUT;
    return -1;
}

/* A file descriptor, or -1 after a message. */
static int open_input(struct steti_process *p, const char *name)
{
    struct stat st;
    int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return unreadable(p, name, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        if (fd != STDIN_FILENO) {
            close(fd);
        }
        return unreadable(p, name, "it is a folder");
    }
    if (steti_sink_is(&p->sink, NULL, fd)) {
        if (fd != STDIN_FILENO) {
            close(fd);
        }
        return unreadable(p, name, "it is also the output");
    }
    return fd;
}

static stet_status process_file(struct steti_process *p, const char *name, stet_error *err)
{
    struct steti_reader reader;
    stet_status st;
    int fd = open_input(p, name);
    if (fd < 0) {
        return STET_OK;
    }
    if (isatty(fd) && isatty(STDERR_FILENO)) {
        steti_say("reading from the terminal; Ctrl-D ends the text");
    }
    steti_reader_init(&reader, fd, shown(name), p->args->wrapped);
    st = process_stream(p, &reader, name, err);
    steti_reader_free(&reader);
    if (fd != STDIN_FILENO) {
        close(fd);
    }
    return st;
}

stet_status steti_process_files(struct steti_process *p, stet_error *err)
{
    if (p->args->n_files == 0) {
        return process_file(p, "-", err);
    }
    for (size_t i = 0; i < p->args->n_files; i++) {
        STETI_TRY(process_file(p, p->args->files[i], err));
    }
    return STET_OK;
}
