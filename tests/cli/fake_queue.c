/* Completion queues of the stand-in library. */
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "fake_stet.h"

#define DELAY_NS 30000u
#define BUSY_EVERY 13u
#define SLOW_ROUNDS 60
#define NEVER (-1)

struct held {
    stet_event event;
    stet_engine *engine;
    int rounds; /* to sit out */
};

/* 0 .. n_ready: to be taken, the oldest first; from there to n: not done. */
struct stet_cq {
    int fd;
    struct held *list;
    size_t n, n_ready, cap;
    uint64_t due_ns;
    uint32_t random;
};

stet_status stet_cq_create(stet_cq **out, stet_error *err)
{
    *out = steti_calloc(1, sizeof **out);
    if (*out == NULL) {
        return steti_fail_nomem(err, "a completion queue", sizeof **out);
    }
    (*out)->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    (*out)->random = 1;
    return STET_OK;
}

void stet_cq_destroy(stet_cq *cq)
{
    if (cq == NULL) {
        return;
    }
    for (size_t i = 0; i < cq->n; i++) {
        stet_result_release(cq->list[i].event.result);
    }
    close(cq->fd);
    steti_free(cq->list);
    steti_free(cq);
}

int stet_cq_fd(stet_cq *cq)
{
    return cq->fd;
}

static uint64_t now(void)
{
    return steti_now(steti_clock_system());
}

/* Readable at once where something is ready, at due_ns where something is held, else never. */
static void arm(stet_cq *cq)
{
    struct itimerspec t;
    uint64_t when = cq->n_ready > 0 ? 1 : cq->n > 0 ? cq->due_ns : 0;
    memset(&t, 0, sizeof t);
    t.it_value.tv_sec = (time_t)(when / 1000000000u);
    t.it_value.tv_nsec = (long)(when % 1000000000u);
    timerfd_settime(cq->fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static uint32_t draw(stet_cq *cq)
{
    cq->random = cq->random * 1664525u + 1013904223u;
    return cq->random >> 16;
}

static void make_ready(stet_cq *cq, size_t i)
{
    struct held h = cq->list[i];
    cq->list[i] = cq->list[cq->n_ready];
    cq->list[cq->n_ready++] = h;
}

/* About half of what is held, from anywhere. */
static void complete_some(stet_cq *cq)
{
    size_t first = cq->n_ready;
    for (size_t i = first; i < cq->n; i++) {
        cq->list[i].rounds -= cq->list[i].rounds > 0;
    }
    for (size_t tries = (cq->n - first + 1) / 2; tries > 0 && cq->n_ready < cq->n; tries--) {
        size_t i = cq->n_ready + draw(cq) % (cq->n - cq->n_ready);
        if (cq->list[i].rounds == 0) {
            make_ready(cq, i);
        }
    }
    cq->due_ns = now() + DELAY_NS;
}

static void wait_until(uint64_t when)
{
    struct timespec t = {.tv_sec = (time_t)(when / 1000000000u),
                         .tv_nsec = (long)(when % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int64_t stet_cq_poll(stet_cq *cq, stet_event *events, size_t event_size, size_t max,
                     int64_t timeout_us)
{
    size_t n = 0;
    if (event_size != sizeof *events || (timeout_us != 0 && timeout_us != -1)) {
        return STET_E_INVALID;
    }
    do {
        if (timeout_us < 0 && cq->n_ready == 0) {
            wait_until(cq->due_ns);
        }
        if (cq->n > cq->n_ready && now() >= cq->due_ns) {
            complete_some(cq);
        }
    } while (timeout_us < 0 && cq->n_ready == 0);
    while (n < max && n < cq->n_ready) {
        events[n] = cq->list[n].event;
        if (events[n].status == STET_OK) {
            fake_count(cq->list[n].engine, events[n].result);
        }
        n++;
    }
    if (n > 0) {
        memmove(cq->list, cq->list + n, (cq->n - n) * sizeof *cq->list);
    }
    cq->n -= n;
    cq->n_ready -= n;
    arm(cq);
    return (int64_t)n;
}

static stet_status hold(stet_engine *engine, stet_cq *cq, const stet_request *q, stet_error *err)
{
    stet_error why = {.struct_size = sizeof why};
    void *p = cq->list;
    struct held *h;
    STETI_TRY(steti_grow(&p, &cq->cap, cq->n + 1, sizeof *cq->list, err));
    cq->list = p;
    h = &cq->list[cq->n];
    memset(h, 0, sizeof *h);
    h->engine = engine;
    h->event.id = ++engine->last_id;
    h->event.tag = q->tag;
    h->event.status = fake_correct(engine, q, &h->event.result, &why);
    memcpy(h->event.message, why.message, sizeof h->event.message - 1);
    h->rounds = fake_holds(q, "!never") ? NEVER : fake_holds(q, "!slow") ? SLOW_ROUNDS : 0;
    engine->cq = cq;
    if (cq->n == cq->n_ready) {
        cq->due_ns = now() + DELAY_NS;
    }
    cq->n++;
    return STET_OK;
}

static stet_status refuse(stet_error *err)
{
    stet_status st = steti_fail(err, STET_E_BUSY, "the queue is full");
    err->retry_after_ms = 1;
    return st;
}

stet_status stet_submit(stet_engine *engine, stet_cq *cq, const stet_request *requests, size_t n,
                        uint64_t *ids, size_t *accepted, stet_error *err)
{
    stet_status st = STET_OK;
    *accepted = 0;
    for (size_t i = 0; i < n && st == STET_OK; i++) {
        if (fake_holds(&requests[i], "!dead")) {
            st = steti_fail(err, STET_E_DEVICE, "the device failed");
        } else if (++engine->asked % BUSY_EVERY == 0 || fake_holds(&requests[i], "!full")) {
            st = refuse(err);
        } else {
            st = hold(engine, cq, &requests[i], err);
        }
        if (st == STET_OK) {
            ids[i] = engine->last_id;
            *accepted = i + 1;
        }
    }
    arm(cq);
    return st;
}

stet_status stet_cancel(stet_engine *engine, uint64_t id)
{
    stet_cq *cq = engine->cq;
    for (size_t i = cq->n_ready; i < cq->n; i++) {
        struct held *h = &cq->list[i];
        if (h->event.id == id) {
            stet_result_release(h->event.result);
            h->event.result = NULL;
            h->event.status = STET_E_CANCELLED;
            make_ready(cq, i);
            return STET_OK;
        }
    }
    return id > 0 && id <= engine->last_id ? STET_OK : STET_E_INVALID;
}
