/* clock.h - the only source of time. Tests install their own. */
#ifndef STETI_CLOCK_H
#define STETI_CLOCK_H

#include <stdint.h>

struct steti_clock {
    uint64_t (*now_ns)(void *ctx); /* monotonic nanoseconds */
    void *ctx;
};

/* CLOCK_MONOTONIC. */
const struct steti_clock *steti_clock_system(void);

static inline uint64_t steti_now(const struct steti_clock *c)
{
    return c->now_ns(c->ctx);
}

#endif
