#include "ready_queue.h"

#include <string.h>

#include "alloc.h"

stet_status ready_queue_init(struct ready_queue *q, int cap, stet_error *err)
{
    size_t n = (size_t)cap;
    memset(q, 0, sizeof *q);
    q->heap = steti_calloc(n, sizeof *q->heap);
    q->place = steti_calloc(n, sizeof *q->place);
    if (q->heap == NULL || q->place == NULL) {
        ready_queue_free(q);
        return steti_fail_nomem(err, "a queue of requests", n * sizeof *q->heap);
    }
    q->cap = cap;
    for (int i = 0; i < cap; i++) {
        q->place[i] = -1;
    }
    return STET_OK;
}

void ready_queue_free(struct ready_queue *q)
{
    steti_free(q->heap);
    steti_free(q->place);
    memset(q, 0, sizeof *q);
}

static int is_before(const struct ready_entry *a, const struct ready_entry *b)
{
    return a->key != b->key ? a->key < b->key : a->turn < b->turn;
}

static void set(struct ready_queue *q, int at, struct ready_entry e)
{
    q->heap[at] = e;
    q->place[e.request] = at;
}

static void sift_up(struct ready_queue *q, int at)
{
    struct ready_entry e = q->heap[at];
    while (at > 0 && is_before(&e, &q->heap[(at - 1) / 2])) {
        set(q, at, q->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    set(q, at, e);
}

static void sift_down(struct ready_queue *q, int at)
{
    struct ready_entry e = q->heap[at];
    for (;;) {
        int child = 2 * at + 1;
        if (child + 1 < q->n && is_before(&q->heap[child + 1], &q->heap[child])) {
            child++;
        }
        if (child >= q->n || !is_before(&q->heap[child], &e)) {
            break;
        }
        set(q, at, q->heap[child]);
        at = child;
    }
    set(q, at, e);
}

void ready_queue_put(struct ready_queue *q, int request, int64_t key)
{
    set(q, q->n, (struct ready_entry){key, q->turns++, request});
    sift_up(q, q->n++);
}

int ready_queue_first(const struct ready_queue *q)
{
    return q->n > 0 ? q->heap[0].request : -1;
}

void ready_queue_move_first(struct ready_queue *q, int64_t key)
{
    q->heap[0].key = key;
    q->heap[0].turn = q->turns++;
    sift_down(q, 0);
}

void ready_queue_remove(struct ready_queue *q, int request)
{
    int at = q->place[request];
    if (at < 0) {
        return;
    }
    q->place[request] = -1;
    if (at == --q->n) {
        return;
    }
    set(q, at, q->heap[q->n]);
    sift_up(q, at);
    sift_down(q, at); /* where it went up, its parent came down and stays */
}
