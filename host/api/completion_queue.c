/* The descriptor is readable exactly while there is something to take, and it is written and read
 * only when this changes: two system calls for a burst of events, not for each. */
#include "completion_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "alloc.h"
#include "api_internal.h"
#include "clock.h"
#include "thread.h"

#define LONGEST_WAIT_US ((int64_t)1000000 * 3600 * 24 * 365)

struct stet_cq {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    _Atomic uint32_t refs;
    pid_t pid;
    int fd;
    int is_readable;
    int is_closed;
    uint32_t wakeups;
    stet_result *head, *tail;
};

static int init_locks(stet_cq *cq)
{
    int rc = steti_cond_init(&cq->filled);
    if (rc == 0) {
        rc = pthread_mutex_init(&cq->lock, NULL);
        if (rc != 0) {
            pthread_cond_destroy(&cq->filled);
        }
    }
    return rc;
}

stet_status stet_cq_create(stet_cq **out, stet_error *err)
{
    stet_error local;
    stet_cq *cq;
    err = api_error(err, &local);
    if (out == NULL) {
        return steti_fail(err, STET_E_INVALID, "stet_cq_create: out must not be NULL");
    }
    *out = NULL;
    api_close_hooks();
    cq = steti_calloc(1, sizeof *cq);
    if (cq == NULL) {
        return steti_fail_nomem(err, "a completion queue", sizeof *cq);
    }
    cq->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (cq->fd < 0) {
        steti_fail(err, STET_E_NOMEM, "a completion queue needs a file descriptor: %s",
                   strerror(errno));
        steti_free(cq);
        return STET_E_NOMEM;
    }
    if (init_locks(cq) != 0) {
        close(cq->fd);
        steti_free(cq);
        return steti_fail_nomem(err, "a completion queue", sizeof *cq);
    }
    atomic_store(&cq->refs, 1);
    cq->pid = getpid();
    *out = cq;
    return STET_OK;
}

stet_status cq_check(const stet_cq *cq, stet_error *err)
{
    return cq->pid == getpid()
               ? STET_OK
               : steti_fail(err, STET_E_FORKED,
                            "the queue was made before fork(); create one in this process");
}

void cq_retain(stet_cq *cq)
{
    atomic_fetch_add_explicit(&cq->refs, 1, memory_order_relaxed);
}

void cq_release(stet_cq *cq)
{
    if (atomic_fetch_sub_explicit(&cq->refs, 1, memory_order_acq_rel) == 1) {
        close(cq->fd);
        pthread_cond_destroy(&cq->filled);
        pthread_mutex_destroy(&cq->lock);
        steti_free(cq);
    }
}

/* With the lock held, after each change. An eventfd's counter cannot overflow from one, and a
 * non-blocking read of a filled one gives its value: neither fails. */
static void show_state(stet_cq *cq)
{
    int readable = cq->head != NULL || cq->wakeups > 0;
    uint64_t value = 1;
    ssize_t done;
    if (readable == cq->is_readable) {
        return;
    }
    do {
        done = readable ? write(cq->fd, &value, sizeof value) : read(cq->fd, &value, sizeof value);
    } while (done < 0 && errno == EINTR);
    cq->is_readable = readable;
}

void cq_put(stet_cq *cq, stet_result *result)
{
    int is_closed;
    result->next = NULL;
    pthread_mutex_lock(&cq->lock);
    is_closed = cq->is_closed;
    if (!is_closed) {
        if (cq->head == NULL) {
            cq->head = result;
        } else {
            cq->tail->next = result;
        }
        cq->tail = result;
        show_state(cq);
        pthread_cond_signal(&cq->filled);
    }
    pthread_mutex_unlock(&cq->lock);
    if (is_closed) {
        stet_result_release(result);
    }
    cq_release(cq);
}

void stet_cq_destroy(stet_cq *cq)
{
    stet_result *list;
    if (cq == NULL || cq->pid != getpid()) {
        return;
    }
    pthread_mutex_lock(&cq->lock);
    cq->is_closed = 1;
    list = cq->head;
    cq->head = NULL;
    pthread_mutex_unlock(&cq->lock);
    while (list != NULL) {
        stet_result *next = list->next;
        stet_result_release(list);
        list = next;
    }
    cq_release(cq);
}

int stet_cq_fd(stet_cq *cq)
{
    return cq != NULL ? cq->fd : -1;
}

void stet_cq_wakeup(stet_cq *cq)
{
    if (cq == NULL || cq->pid != getpid()) {
        return;
    }
    pthread_mutex_lock(&cq->lock);
    cq->wakeups++;
    show_state(cq);
    pthread_cond_signal(&cq->filled);
    pthread_mutex_unlock(&cq->lock);
}

/* With the lock held: until there is something to take or the time is over. */
static void wait_for_events(stet_cq *cq, int64_t timeout_us)
{
    uint64_t end = 0;
    if (timeout_us > 0) {
        timeout_us = timeout_us < LONGEST_WAIT_US ? timeout_us : LONGEST_WAIT_US;
        end = steti_now(steti_clock_system()) + (uint64_t)timeout_us * 1000;
    }
    while (cq->head == NULL && cq->wakeups == 0 && timeout_us != 0) {
        if (timeout_us < 0) {
            pthread_cond_wait(&cq->filled, &cq->lock);
        } else if (steti_cond_wait_until(&cq->filled, &cq->lock, end) == ETIMEDOUT) {
            return;
        }
    }
}

/* From the queue's link to what the caller sees; the result is his from here on. */
static void hand_over(stet_result *r, stet_event *out)
{
    memset(out, 0, sizeof *out);
    out->id = r->id;
    out->tag = r->tag;
    out->status = r->status;
    memcpy(out->message, r->message, sizeof out->message);
    result_uncharge(r);
    if (r->status == STET_OK) {
        out->result = r;
    } else {
        stet_result_release(r);
    }
}

int64_t stet_cq_poll(stet_cq *cq, stet_event *events, size_t event_size, size_t max,
                     int64_t timeout_us)
{
    stet_result *list;
    size_t n = 0;
    if (cq == NULL || events == NULL || event_size != sizeof *events || max == 0) {
        return STET_E_INVALID;
    }
    if (cq->pid != getpid()) {
        return STET_E_FORKED;
    }
    pthread_mutex_lock(&cq->lock);
    wait_for_events(cq, timeout_us);
    cq->wakeups -= cq->wakeups > 0;
    list = cq->head;
    for (; cq->head != NULL && n < max && n < INT32_MAX; n++) {
        cq->head = cq->head->next;
    }
    show_state(cq);
    if (cq->head != NULL) {
        pthread_cond_signal(&cq->filled); /* for another consumer */
    }
    pthread_mutex_unlock(&cq->lock);
    for (size_t i = 0; i < n; i++) {
        stet_result *r = list;
        list = r->next;
        hand_over(r, &events[i]);
    }
    return (int64_t)n;
}
