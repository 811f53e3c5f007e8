#include "cli_process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "cli_report.h"

#define FLUSH_BYTES ((size_t)256 << 10)
#define LONGEST_RETRY_MS 100u

stet_status steti_process_init(struct steti_process *p, stet_error *err)
{
    steti_input_init(&p->input, p->args, &p->sink);
    STETI_TRY(steti_flight_init(&p->flight, p->engine, p->args->max_requests, err));
    p->flight.request_flags = p->args->wrapped ? STET_REQ_WRAPPED : 0;
    return STET_OK;
}

void steti_process_free(struct steti_process *p)
{
    steti_flight_free(&p->flight);
    steti_input_free(&p->input);
}

static void report(struct steti_process *p, const char *text)
{
    steti_progress_clear(&p->progress);
    steti_say("%s", text);
    p->exit_code = STETI_EXIT_INPUT;
}

/* A unit whose correction failed: reports it and goes on where only this unit is concerned. */
static stet_status handle_failure(struct steti_process *p, const struct steti_entry *e,
                                  stet_error *err)
{
    const char *text = e->message != NULL ? e->message : stet_status_text(e->status);
    const char *file = steti_input_shown(p->writer.file);
    unsigned long long line = e->unit.line;
    stet_error note = steti_error_init();
    if (e->status != STET_E_TOO_LONG) {
        return steti_fail(err, e->status, "%s:%llu: %s", file, line, text);
    }
    steti_fail(&note, e->status, "%s:%llu: %s; the line is left as it is", file, line, text);
    report(p, note.message);
    return STET_OK;
}

static stet_status write_unit(struct steti_process *p, const struct steti_entry *e, stet_error *err)
{
    if (e->status != STET_OK) {
        STETI_TRY(handle_failure(p, e, err));
    }
    STETI_TRY(steti_writer_unit(&p->writer, &e->unit, e->result, err));
    p->counts.lines += !e->unit.continues;
    p->counts.bytes += e->unit.len + e->unit.tail;
    return STET_OK;
}

static stet_status write_entry(struct steti_process *p, struct steti_entry *e, stet_error *err)
{
    switch (e->kind) {
    case STETI_ENTRY_BEGIN:
        return steti_writer_begin(&p->writer, e->file, err);
    case STETI_ENTRY_END:
        return steti_writer_end(&p->writer, err);
    case STETI_ENTRY_NOTICE:
        /* After what was before it, where both go to one terminal. */
        STETI_TRY(steti_sink_flush(&p->sink, err));
        report(p, e->text);
        return STET_OK;
    default:
        return write_unit(p, e, err);
    }
}

static stet_status write_entries(struct steti_process *p, stet_error *err)
{
    struct steti_entry *e;
    while ((e = steti_flight_front(&p->flight)) != NULL) {
        STETI_TRY(write_entry(p, e, err));
        steti_flight_pop(&p->flight);
        if (p->sink.buf.len > FLUSH_BYTES) {
            STETI_TRY(steti_sink_flush(&p->sink, err));
        }
    }
    return STET_OK;
}

static stet_status write_done(struct steti_process *p, stet_error *err)
{
    stet_status st = write_entries(p, err);
    /* What was corrected before a failure is written all the same. */
    stet_status flushed = steti_sink_flush(&p->sink, st == STET_OK ? err : NULL);
    steti_progress_update(&p->progress, p->counts.bytes, p->counts.lines);
    return st != STET_OK ? st : flushed;
}

/* Until there is something to read or to write. *readable: whether the input can be read. */
static stet_status wait_for_work(struct steti_process *p, int *readable, stet_error *err)
{
    const struct steti_flight *f = &p->flight;
    struct pollfd fds[2] = {{.fd = steti_flight_fd(f), .events = POLLIN},
                            {.fd = steti_input_fd(&p->input, f), .events = POLLIN}};
    uint32_t retry = f->retry_ms < LONGEST_RETRY_MS ? f->retry_ms : LONGEST_RETRY_MS;
    int timeout = steti_flight_front(&p->flight) != NULL ? 0 : f->refused_ns != 0 ? (int)retry : -1;
    int n;
    do {
        n = poll(fds, 2, timeout);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return steti_fail(err, STET_E_IO, "cannot wait for input: %s", strerror(errno));
    }
    *readable = fds[1].revents != 0; /* reading also tells what is wrong with it */
    return STET_OK;
}

static int is_finished(const struct steti_process *p)
{
    return p->input.is_ended && steti_flight_is_empty(&p->flight);
}

static stet_status work(struct steti_process *p, stet_error *err)
{
    int readable = 0;
    STETI_TRY(steti_input_take(&p->input, &p->flight, err));
    if (is_finished(p)) {
        return STET_OK;
    }
    steti_flight_submit(&p->flight);
    STETI_TRY(wait_for_work(p, &readable, err));
    if (readable) {
        STETI_TRY(steti_input_read(&p->input, &p->flight, err));
    }
    return steti_flight_collect(&p->flight, err);
}

stet_status steti_process_files(struct steti_process *p, stet_error *err)
{
    while (!is_finished(p)) {
        stet_status st = work(p, err);
        if (st != STET_OK) {
            /* What is done comes out before the reason why the rest does not. */
            write_done(p, NULL);
            return st;
        }
        STETI_TRY(write_done(p, err));
    }
    return STET_OK;
}
