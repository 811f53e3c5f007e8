/* ready_queue.h - a binary heap of requests, the one with the smallest key first; of equal keys the
 * one that was put in first. Private to host/engine. */
#ifndef STETI_READY_QUEUE_H
#define STETI_READY_QUEUE_H

#include <stdint.h>

#include "status.h"

struct ready_entry {
    int64_t key;
    uint64_t turn;
    int request;
};

struct ready_queue {
    struct ready_entry *heap; /* [cap] */
    int *place;               /* [cap] where each request stands in the heap, -1: it does not */
    int n, cap;
    uint64_t turns;
};

/* Requests are 0 .. cap - 1. */
stet_status ready_queue_init(struct ready_queue *q, int cap, stet_error *err);
void ready_queue_free(struct ready_queue *q); /* legal on a zeroed queue */
void ready_queue_put(struct ready_queue *q, int request, int64_t key);
int ready_queue_first(const struct ready_queue *q); /* -1: empty */
/* The first one goes behind all that have a smaller or the same key. */
void ready_queue_move_first(struct ready_queue *q, int64_t key);
void ready_queue_remove(struct ready_queue *q, int request); /* legal for one that is not in it */

#endif
