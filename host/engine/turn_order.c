#include "turn_order.h"

#include <string.h>

#include "alloc.h"

#define PRICE 4.0    /* of a turn of a large request, in times of its work */
#define SMALL_NS 1e8 /* work of turns that a small request has: as much as a step of priority */

size_t turn_order_bytes(int cap)
{
    return (size_t)cap *
           (2 * (sizeof(struct ready_entry) + sizeof(int)) + sizeof(int64_t) + sizeof(double));
}

stet_status turn_order_init(struct turn_order *t, int cap, stet_error *err)
{
    memset(t, 0, sizeof *t);
    t->head_start = steti_calloc((size_t)cap, sizeof *t->head_start);
    t->work = steti_calloc((size_t)cap, sizeof *t->work);
    if (t->head_start == NULL || t->work == NULL) {
        return steti_fail_nomem(err, "an order of requests", (size_t)cap * sizeof *t->head_start);
    }
    STETI_TRY(ready_queue_init(&t->small, cap, err));
    return ready_queue_init(&t->large, cap, err);
}

void turn_order_free(struct turn_order *t)
{
    ready_queue_free(&t->large);
    ready_queue_free(&t->small);
    steti_free(t->work);
    steti_free(t->head_start);
    memset(t, 0, sizeof *t);
}

static int64_t sum(int64_t a, int64_t b)
{
    int64_t c;
    return !__builtin_add_overflow(a, b, &c) ? c : b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t difference(int64_t a, int64_t b)
{
    int64_t c;
    return !__builtin_sub_overflow(a, b, &c) ? c : b < 0 ? INT64_MAX : INT64_MIN;
}

static int64_t as_key(uint64_t ns)
{
    return ns < INT64_MAX ? (int64_t)ns : INT64_MAX;
}

void turn_order_add(struct turn_order *t, int request, uint64_t arrival_ns, int64_t head_start)
{
    t->head_start[request] = head_start;
    t->work[request] = 0;
    ready_queue_put(&t->small, request, difference(as_key(arrival_ns), head_start));
}

int turn_order_count(const struct turn_order *t)
{
    return t->small.n + t->large.n;
}

int turn_order_has(const struct turn_order *t, int request)
{
    return t->small.place[request] >= 0 || t->large.place[request] >= 0;
}

int turn_order_first(struct turn_order *t, uint64_t now_ns)
{
    int large = ready_queue_first(&t->large);
    int64_t key, small_key;
    if (large < 0) {
        return ready_queue_first(&t->small);
    }
    key = t->large.heap[0].key;
    if (t->small.n == 0) {
        t->shift = difference(difference(as_key(now_ns), t->head_start[large]), key);
        return large;
    }
    small_key = t->small.heap[0].key;
    if (small_key <= sum(key, t->shift)) {
        return ready_queue_first(&t->small);
    }
    t->shift = difference(small_key, key); /* one turn before this one, not all that were missed */
    return large;
}

static int64_t later(int64_t key, double ns)
{
    return sum(key, ns < 1e18 ? (int64_t)ns : (int64_t)1e18);
}

void turn_order_again(struct turn_order *t, int request, double work_ns)
{
    int at = t->small.place[request];
    int64_t key;
    if (at < 0) {
        ready_queue_move_first(&t->large, later(t->large.heap[0].key, PRICE * work_ns));
        return;
    }
    t->work[request] += work_ns;
    key = later(t->small.heap[0].key, work_ns);
    if (t->work[request] <= SMALL_NS) {
        ready_queue_move_first(&t->small, key);
        return;
    }
    ready_queue_remove(&t->small, request);
    ready_queue_put(&t->large, request, difference(key, t->shift));
}

void turn_order_remove(struct turn_order *t, int request)
{
    ready_queue_remove(&t->small, request);
    ready_queue_remove(&t->large, request);
}
