/* client_epoll.c MODEL SENTENCES - a program with one thread and an event loop: requests are handed
 * in, cancelled and completed without the thread ever waiting inside stet. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "stet.h"

enum { N_CALLS = 1000, MAX_LINES = 256, CHUNK = 16, CANCEL_LAG = 10, TIMEOUT_S = 120 };

#define TAG_BASE UINT64_C(0xc000000000000000)
#define TAG_STEP UINT64_C(7919)

struct line {
    char *text;
    size_t len;
    stet_result *expected; /* what the blocking call makes of it */
};

struct call {
    const struct line *line;
    uint64_t id, deadline_ns;
    bool past, accepted, cancelled, finished;
};

struct client {
    stet_model *model;
    stet_engine *engine;
    stet_cq *cq;
    int epoll;
    struct line lines[MAX_LINES];
    size_t n_lines;
    struct call calls[N_CALLS];
    size_t next; /* calls below it were accepted or refused for good */
    size_t next_cancel;
    size_t finished; /* calls that have their outcome */
    size_t done, n_cancelled, expired, expired_events, busy;
};

static _Noreturn void __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("client_epoll: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void check(bool good, const char *what)
{
    if (!good) {
        fail("does not hold: %s", what);
    }
}

static void check_ok(stet_status status, const stet_error *err, const char *call)
{
    if (status != STET_OK) {
        fail("%s: %s: %s", call, stet_status_name(status), err->message);
    }
}

static void on_alarm(int signal_number)
{
    static const char message[] = "client_epoll: not ready after 120 s\n";
    (void)signal_number;
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) {
        _exit(2);
    }
    _exit(1);
}

/* ---- Preparation ----------------------------------------------------------------------------- */

static void read_lines(struct client *c, const char *path)
{
    FILE *in = fopen(path, "rb");
    size_t cap = 0;
    if (in == NULL) {
        fail("%s: %s", path, strerror(errno));
    }
    while (c->n_lines < MAX_LINES) {
        struct line *line = &c->lines[c->n_lines];
        ssize_t n = getline(&line->text, &cap, in);
        if (n <= 0) {
            break;
        }
        line->len = (size_t)n - (line->text[n - 1] == '\n');
        c->n_lines++;
        cap = 0; /* the next line gets memory of its own */
    }
    fclose(in);
    check(c->n_lines > 0, "the file has no sentences");
}

static void open_engine(struct client *c, const char *folder)
{
    static const stet_option model_options[] = {{"device", "cpu"}, {"intra_threads", "1"}};
    /* Room for 64 requests only, so that STET_E_BUSY really comes. */
    static const stet_option engine_options[] = {{"queue_size", "64"},
                                                 {"max_decoding_length", "48"}};
    stet_error err = {.struct_size = sizeof err};
    check_ok(stet_model_load(folder, model_options, 2, &c->model, &err), &err, "load");
    check_ok(stet_engine_create(c->model, engine_options, 2, &c->engine, &err), &err, "create");
    check_ok(stet_cq_create(&c->cq, &err), &err, "cq_create");
    check(stet_engine_health(c->engine) == STET_HEALTH_READY, "a new engine is ready");
    check(stet_engine_health(NULL) < 0, "no engine has no health");

    struct epoll_event interest = {.events = EPOLLIN, .data = {.ptr = c->cq}};
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c->epoll < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, stet_cq_fd(c->cq), &interest) != 0) {
        fail("epoll: %s", strerror(errno));
    }
}

static bool changes(const struct line *line)
{
    size_t len = 0;
    const char *text = stet_result_text(line->expected, &len);
    return len != line->len || memcmp(text, line->text, len) != 0;
}

static void correct_blocking(struct client *c)
{
    stet_error err = {.struct_size = sizeof err};
    stet_request requests[MAX_LINES];
    stet_result *results[MAX_LINES];
    size_t changed = 0;
    for (size_t i = 0; i < c->n_lines; i++) {
        requests[i] = (stet_request){
            .struct_size = sizeof(stet_request), .text = c->lines[i].text, .len = c->lines[i].len};
    }
    check_ok(stet_correct_batch(c->engine, requests, c->n_lines, results, NULL, &err), &err,
             "correct_batch");
    for (size_t i = 0; i < c->n_lines; i++) {
        c->lines[i].expected = results[i];
        changed += changes(&c->lines[i]);
    }
    check(changed >= 5, "the model changes too little for a comparison");
}

/* ---- Handing in ------------------------------------------------------------------------------ */

static stet_request make_request(struct client *c, size_t i)
{
    struct call *call = &c->calls[i];
    if (call->line == NULL) { /* not one that was refused before */
        call->line = &c->lines[i % c->n_lines];
        call->past = i % 10 == 3;
        if (call->past) {
            call->deadline_ns = stet_clock_ns() - 1;
        } else if (i % 10 == 8) {
            call->deadline_ns = stet_clock_ns() + 300000;
        }
    }
    return (stet_request){.struct_size = sizeof(stet_request),
                          .text = call->line->text,
                          .len = call->line->len,
                          .tag = TAG_BASE + i * TAG_STEP,
                          .deadline_ns = call->deadline_ns};
}

static void cancel_some(struct client *c)
{
    for (; c->next_cancel + CANCEL_LAG <= c->next; c->next_cancel++) {
        struct call *call = &c->calls[c->next_cancel];
        if (c->next_cancel % 7 == 6 && call->accepted) {
            call->cancelled = true;
            check(stet_cancel(c->engine, call->id) == STET_OK, "cancelling is always legal");
        }
    }
}

/* Hands in one array. Returns how many milliseconds to wait before the next; 0 = none. */
static int submit_chunk(struct client *c)
{
    stet_error err = {.struct_size = sizeof err};
    stet_request requests[CHUNK];
    uint64_t ids[CHUNK];
    size_t n = 0, accepted = 0;
    while (n < CHUNK && c->next + n < N_CALLS) {
        requests[n] = make_request(c, c->next + n);
        n++;
    }
    stet_status status = stet_submit(c->engine, c->cq, requests, n, ids, &accepted, &err);
    check(accepted <= n && (status == STET_OK) == (accepted == n), "accepted fits the status");
    for (size_t i = 0; i < accepted; i++) {
        struct call *call = &c->calls[c->next++];
        call->accepted = true;
        call->id = ids[i];
    }
    if (status == STET_OK) {
        return 0;
    }
    check(err.code == status && err.message[0] != '\0', "an error says what is wrong");
    if (status == STET_E_BUSY) {
        c->busy++;
        return err.retry_after_ms > 0 ? (int)err.retry_after_ms : 1;
    }
    if (status != STET_E_DEADLINE || c->calls[c->next].deadline_ns == 0) {
        fail("submit of %zu: %s: %s", c->next, stet_status_name(status), err.message);
    }
    c->calls[c->next++].finished = true;
    c->expired++;
    c->finished++;
    return 0;
}

/* ---- Completion ------------------------------------------------------------------------------ */

static void take_event(struct client *c, const stet_event *event)
{
    uint64_t i = (event->tag - TAG_BASE) / TAG_STEP;
    size_t len = 0, expected_len = 0;
    check(i < N_CALLS && event->tag == TAG_BASE + i * TAG_STEP, "the tag is one of ours");
    struct call *call = &c->calls[i];
    check(call->accepted && call->id == event->id, "tag and id belong together");
    check(!call->finished, "one event for each request");
    check((event->status == STET_OK) == (event->result != NULL), "a result comes with success");
    check((event->status == STET_OK) == (event->message[0] == '\0'), "a message comes with errors");
    call->finished = true;
    c->finished++;
    if (event->status == STET_OK) {
        const char *text = stet_result_text(event->result, &len);
        const char *expected = stet_result_text(call->line->expected, &expected_len);
        check(!call->past, "what is too late is not done");
        check(len == expected_len && memcmp(text, expected, len) == 0, "same as the blocking call");
        c->done++;
    } else if (event->status == STET_E_CANCELLED) {
        check(call->cancelled, "only what was cancelled");
        c->n_cancelled++;
    } else if (event->status == STET_E_DEADLINE) {
        check(call->deadline_ns != 0, "only what has a deadline");
        c->expired++;
        c->expired_events++;
    } else {
        fail("event: %s: %s", stet_status_name(event->status), event->message);
    }
    stet_result_release(event->result);
}

/* Waits in epoll, where a server has its sockets as well, and takes what is ready. */
static void turn_loop(struct client *c, int timeout_ms)
{
    struct epoll_event ready[4];
    stet_event events[16];
    int n = epoll_wait(c->epoll, ready, 4, timeout_ms);
    if (n < 0 && errno != EINTR) {
        fail("epoll_wait: %s", strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        check(ready[i].data.ptr == c->cq, "only the queue is ready");
        int64_t taken = stet_cq_poll(c->cq, events, sizeof events[0], 16, 0);
        check(taken >= 0 && taken <= 16, "stet_cq_poll");
        for (int64_t k = 0; k < taken; k++) {
            take_event(c, &events[k]);
        }
    }
}

/* ---- The end --------------------------------------------------------------------------------- */

/* A deadline that is past already: draining begins, and the loop need not wait for its end. */
static void begin_drain(struct client *c)
{
    stet_error err = {.struct_size = sizeof err};
    size_t accepted = 1;
    stet_status status = stet_engine_drain(c->engine, 1, &err);
    check(status == STET_OK || status == STET_E_DEADLINE, "drain without waiting");
    check(stet_engine_health(c->engine) == STET_HEALTH_DRAINING, "the engine is draining");
    stet_request late = {.struct_size = sizeof late, .text = "Bace.", .len = 5};
    status = stet_submit(c->engine, c->cq, &late, 1, NULL, &accepted, &err);
    check(status == STET_E_SHUTDOWN && accepted == 0, "a draining engine accepts nothing");
}

static void check_end(struct client *c)
{
    stet_error err = {.struct_size = sizeof err};
    stet_stats stats = {.struct_size = sizeof stats};
    stet_event event;
    struct epoll_event ready;
    check_ok(stet_engine_drain(c->engine, 0, &err), &err, "drain");
    check(stet_cq_poll(c->cq, &event, sizeof event, 1, 0) == 0, "no event is left");
    check(epoll_wait(c->epoll, &ready, 1, 0) == 0, "nothing to read in an empty queue");
    check(stet_cancel(c->engine, c->calls[0].id) == STET_OK, "cancelling what is completed");
    check(stet_cancel(c->engine, UINT64_MAX) == STET_E_INVALID, "cancelling an unknown id");
    check(stet_engine_stats(c->engine, &stats) == STET_OK, "stats");
    check(stats.waiting == 0 && stats.running == 0, "nothing in flight after draining");
    check(stats.cancelled_requests == c->n_cancelled, "count of cancelled requests");
    check(stats.expired_requests == c->expired_events, "count of expired requests");
    check(stats.failed_requests == 0, "count of failed requests");
    check(c->done + c->n_cancelled + c->expired == N_CALLS, "every request has one outcome");
    check(c->done > 0 && c->n_cancelled > 0 && c->expired > 0 && c->busy > 0, "all cases came up");
}

static void close_all(struct client *c)
{
    stet_event event;
    close(c->epoll); /* before the queue closes the descriptor that it watches */
    stet_engine_destroy(c->engine);
    check(stet_cq_poll(c->cq, &event, sizeof event, 1, 0) == 0, "no event from destroying");
    stet_cq_destroy(c->cq);
    stet_model_release(c->model);
    for (size_t i = 0; i < c->n_lines; i++) {
        stet_result_release(c->lines[i].expected);
    }
    for (size_t i = 0; i < MAX_LINES; i++) {
        free(c->lines[i].text);
    }
}

int main(int argc, char **argv)
{
    static struct client client;
    struct client *c = &client;
    bool draining = false;
    if (argc != 3) {
        fail("usage: client_epoll MODEL SENTENCES");
    }
    signal(SIGALRM, on_alarm);
    alarm(TIMEOUT_S);
    read_lines(c, argv[2]);
    open_engine(c, argv[1]);
    correct_blocking(c);
    while (c->finished < N_CALLS) {
        int wait_ms = c->next < N_CALLS ? submit_chunk(c) : -1;
        cancel_some(c);
        if (c->next == N_CALLS && !draining) {
            begin_drain(c);
            draining = true;
            wait_ms = c->finished < N_CALLS ? wait_ms : 0;
        }
        turn_loop(c, wait_ms);
    }
    check_end(c);
    close_all(c);
    printf("ok: %zu done, %zu cancelled, %zu deadline, %zu busy\n", c->done, c->n_cancelled,
           c->expired, c->busy);
    return 0;
}
