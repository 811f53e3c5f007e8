/* turn_order.h - which request has its next sentence taken in. Private to host/engine.
 *
 * Small requests go by their key: the time they came less what their priority is worth, and plus
 * the work of the turns they had. After a tenth of a second of work a request is large.
 *
 * Large requests share what is left: each turn costs a request its work, and who has paid least
 * goes first. Against small ones a turn costs four times its work, so that the large ones together
 * get about a sixth of an engine that small ones alone would keep busy. Their accounts count only
 * while a small one waits: neither what they used when they were alone, nor what they did not get
 * while others were served or the device stood still, holds up or helps those who come later. */
#ifndef STETI_TURN_ORDER_H
#define STETI_TURN_ORDER_H

#include <stdint.h>

#include "ready_queue.h"

struct turn_order {
    struct ready_queue small; /* by key */
    struct ready_queue large; /* by key less `shift` */
    int64_t shift;
    int64_t *head_start; /* [cap] what a priority is worth */
    double *work;        /* [cap] of the turns a request had */
};

size_t turn_order_bytes(int cap);
stet_status turn_order_init(struct turn_order *t, int cap, stet_error *err);
void turn_order_free(struct turn_order *t); /* legal on a zeroed one */

/* Any time and priority are legal: a key is as far away as an int64_t goes. */
void turn_order_add(struct turn_order *t, int request, uint64_t arrival_ns, int64_t head_start);
int turn_order_count(const struct turn_order *t);
int turn_order_has(const struct turn_order *t, int request);
/* Whose turn it is; only while there is one. */
int turn_order_first(struct turn_order *t, uint64_t now_ns);
/* The one whose turn it is had it with so much work, and wants another. */
void turn_order_again(struct turn_order *t, int request, double work_ns);
void turn_order_remove(struct turn_order *t, int request); /* legal for one that is not there */

#endif
