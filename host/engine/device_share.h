/* device_share.h - which of several devices decodes a request.
 *
 * A request goes to the device with the least expected work in flight, counted in the source
 * tokens that admission.h counts; of equal ones to the first. It stays there: its sentences join
 * the passes of one device. When a device fails, its requests go to the others and are decoded
 * again from their beginning, which gives the same tokens. A request that was being decoded on two
 * devices when they failed may be what made them fail, and is not given a third.
 *
 * Pure logic; whoever uses it sees to its locks.
 */
#ifndef STETI_DEVICE_SHARE_H
#define STETI_DEVICE_SHARE_H

#include <stdint.h>

/* Devices that failed under a request: with so many it fails as well. */
#define STETI_SHARE_MOST_LOSSES 2

struct steti_share {
    uint64_t tokens;     /* expected work in flight */
    double ns_per_token; /* as of steti_sched_ns_per_token */
    int is_lost;         /* failed: takes nothing any more */
};

/* 0 .. n - 1, or -1: all are lost. */
int steti_share_choose(const struct steti_share *list, int n);
/* How many are not lost. */
int steti_share_working(const struct steti_share *list, int n);
/* What a token costs where all that are not lost work side by side; of one device, its own. */
double steti_share_ns_per_token(const struct steti_share *list, int n);

void steti_share_take(struct steti_share *s, uint64_t tokens);
void steti_share_give(struct steti_share *s, uint64_t tokens);

#endif
