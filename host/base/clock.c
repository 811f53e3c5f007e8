#include "clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t system_now(void *ctx)
{
    struct timespec ts;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

const struct steti_clock *steti_clock_system(void)
{
    static const struct steti_clock clock = {system_now, NULL};
    return &clock;
}
