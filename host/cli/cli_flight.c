#include "cli_flight.h"

#include <string.h>

#include "alloc.h"
#include "cli_writer.h"
#include "clock.h"

/* Entries without work for the engine, such as empty lines, must not starve it: many more than
 * requests. */
#define ENTRIES_A_REQUEST 16
#define LEAST_ENTRIES 4096u
#define LEAST_BYTES ((size_t)1 << 20)
#define BYTES_A_REQUEST 256u
#define SPARE 4u
#define AT_ONCE 32
/* The engine may still be putting away what it told to be done, and refuses for a moment. */
#define PATIENCE_NS 1000000000u

stet_status steti_flight_init(struct steti_flight *f, stet_engine *engine, size_t max_requests,
                              stet_error *err)
{
    size_t entries = max_requests * ENTRIES_A_REQUEST;
    memset(f, 0, sizeof *f);
    f->engine = engine;
    f->max_requests = max_requests;
    f->cap = entries > LEAST_ENTRIES ? entries : LEAST_ENTRIES;
    f->max_bytes = max_requests * BYTES_A_REQUEST;
    f->max_bytes = f->max_bytes > LEAST_BYTES ? f->max_bytes : LEAST_BYTES;
    f->ring = steti_calloc(f->cap, sizeof *f->ring);
    if (f->ring == NULL) {
        return steti_fail_nomem(err, "lines in flight", f->cap * sizeof *f->ring);
    }
    return stet_cq_create(&f->cq, err);
}

static struct steti_entry *at(const struct steti_flight *f, uint64_t i)
{
    return &f->ring[i % f->cap];
}

static void clear_entry(struct steti_entry *e)
{
    stet_result_release(e->result);
    steti_free(e->text);
    steti_free(e->message);
    memset(e, 0, sizeof *e);
}

void steti_flight_free(struct steti_flight *f)
{
    for (uint64_t i = f->first; i < f->next; i++) {
        const struct steti_entry *e = at(f, i);
        if (!e->is_done) {
            stet_cancel(f->engine, e->id);
        }
    }
    while (f->in_flight > 0) {
        stet_event event;
        int64_t n = stet_cq_poll(f->cq, &event, sizeof event, 1, -1);
        if (n < 0) {
            break;
        }
        if (n > 0) {
            stet_result_release(event.result);
            f->in_flight--;
        }
    }
    for (uint64_t i = f->first; i < f->end; i++) {
        clear_entry(at(f, i));
    }
    stet_cq_destroy(f->cq);
    steti_free(f->ring);
    memset(f, 0, sizeof *f);
}

int steti_flight_has_room(const struct steti_flight *f)
{
    return f->end - f->first + SPARE <= f->cap && f->bytes < f->max_bytes && !f->is_failed;
}

int steti_flight_is_empty(const struct steti_flight *f)
{
    return f->first == f->end;
}

stet_status steti_flight_add_unit(struct steti_flight *f, const struct steti_unit *unit,
                                  stet_error *err)
{
    struct steti_entry *e = at(f, f->end);
    size_t bytes = unit->len + unit->tail;
    e->text = steti_strndup(unit->text, bytes);
    if (e->text == NULL) {
        return steti_fail_nomem(err, "a line", bytes);
    }
    e->kind = STETI_ENTRY_UNIT;
    e->unit = *unit;
    e->unit.text = e->text;
    e->is_done = steti_unit_is_blank(&e->unit);
    f->bytes += bytes;
    f->end++;
    return STET_OK;
}

static struct steti_entry *add_done(struct steti_flight *f, enum steti_entry_kind kind)
{
    struct steti_entry *e = at(f, f->end++);
    e->kind = kind;
    e->is_done = 1;
    return e;
}

void steti_flight_add_begin(struct steti_flight *f, const char *file)
{
    add_done(f, STETI_ENTRY_BEGIN)->file = file;
}

void steti_flight_add_end(struct steti_flight *f)
{
    add_done(f, STETI_ENTRY_END);
}

stet_status steti_flight_add_notice(struct steti_flight *f, const char *text, stet_error *err)
{
    char *copy = steti_strndup(text, strlen(text));
    if (copy == NULL) {
        return steti_fail_nomem(err, "a message", strlen(text));
    }
    add_done(f, STETI_ENTRY_NOTICE)->text = copy;
    return STET_OK;
}

static void end_entry(struct steti_flight *f, struct steti_entry *e, stet_status status,
                      const char *message)
{
    e->is_done = 1;
    e->status = status;
    if (status != STET_OK) {
        e->message = steti_strndup(message, strlen(message));
        f->is_failed |= status != STET_E_TOO_LONG;
    }
}

/* Requests for the entries from `next` on. Passes over entries that need none as long as nothing
 * stands before them. */
static size_t make_requests(struct steti_flight *f, stet_request *requests)
{
    size_t n = 0;
    for (uint64_t i = f->next; i < f->end && n < AT_ONCE; i++) {
        const struct steti_entry *e = at(f, i);
        if (e->is_done) {
            f->next += n == 0;
            continue;
        }
        if (f->in_flight + n >= f->max_requests) {
            break;
        }
        requests[n++] = (stet_request){.struct_size = sizeof requests[0],
                                       .flags = f->request_flags,
                                       .text = e->unit.text,
                                       .len = e->unit.len,
                                       .tag = i};
    }
    return n;
}

/* Nothing is in flight, so no completion will show that there is room. */
static void wait_or_give_up(struct steti_flight *f, struct steti_entry *e, const stet_error *err)
{
    uint64_t now = steti_now(steti_clock_system());
    if (f->refused_ns == 0) {
        f->refused_ns = now;
    }
    f->retry_ms = err->retry_after_ms > 0 ? err->retry_after_ms : 1;
    if (now - f->refused_ns > PATIENCE_NS) {
        f->next++;
        end_entry(f, e, STET_E_NOMEM, err->message);
    }
}

/* 1 if there may be more to hand in. */
static int submit_some(struct steti_flight *f)
{
    stet_request requests[AT_ONCE];
    uint64_t ids[AT_ONCE];
    size_t n = make_requests(f, requests), accepted = 0;
    stet_error err = {.struct_size = sizeof err};
    stet_status st;
    if (n == 0) {
        return 0;
    }
    st = stet_submit(f->engine, f->cq, requests, n, ids, &accepted, &err);
    for (size_t i = 0; i < accepted; i++) {
        at(f, requests[i].tag)->id = ids[i];
        f->next = requests[i].tag + 1;
    }
    f->in_flight += accepted;
    if (accepted > 0) {
        f->refused_ns = 0;
    }
    if (st == STET_E_BUSY) {
        if (f->in_flight == 0) {
            wait_or_give_up(f, at(f, requests[accepted].tag), &err);
        }
        return 0;
    }
    if (st != STET_OK) {
        f->next = requests[accepted].tag + 1;
        end_entry(f, at(f, requests[accepted].tag), st, err.message);
    }
    return 1;
}

void steti_flight_submit(struct steti_flight *f)
{
    while (!f->is_failed && submit_some(f)) {
    }
}

stet_status steti_flight_collect(struct steti_flight *f, stet_error *err)
{
    stet_event events[AT_ONCE / 2];
    int64_t n;
    do {
        n = stet_cq_poll(f->cq, events, sizeof events[0], AT_ONCE / 2, 0);
        if (n < 0) {
            return steti_fail(err, (stet_status)n, "completed work cannot be taken: %s",
                              stet_status_text((stet_status)n));
        }
        for (int64_t i = 0; i < n; i++) {
            struct steti_entry *e = at(f, events[i].tag);
            e->result = events[i].result;
            end_entry(f, e, events[i].status, events[i].message);
        }
        f->in_flight -= (size_t)n;
    } while (n > 0);
    return STET_OK;
}

int steti_flight_fd(const struct steti_flight *f)
{
    return f->in_flight > 0 ? stet_cq_fd(f->cq) : -1;
}

struct steti_entry *steti_flight_front(struct steti_flight *f)
{
    struct steti_entry *e = at(f, f->first);
    return f->first < f->end && e->is_done ? e : NULL;
}

void steti_flight_pop(struct steti_flight *f)
{
    struct steti_entry *e = at(f, f->first);
    f->bytes -= e->kind == STETI_ENTRY_UNIT ? e->unit.len + e->unit.tail : 0;
    clear_entry(e);
    f->first++;
    if (f->next < f->first) {
        f->next = f->first;
    }
}
