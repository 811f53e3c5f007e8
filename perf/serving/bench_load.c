/* Open-loop load: requests come at random moments, whether or not the engine keeps up.
 *
 *   bench_load MODEL TEXT BATCH TARGET_MS CAPACITY SECONDS SHARE [SHARE ...]
 *
 * Every request must be answered TARGET_MS after it came: that is its deadline. CAPACITY: sentences
 * a second that the engine can do (0: measured first, and written). For each SHARE, in percent, of
 * it: Poisson arrivals for SECONDS, and one line of key=value pairs. goodput: answers in time, a
 * second. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "serving_common.h"

struct load {
    struct lines lines;
    stet_engine *engine;
    stet_cq *cq;
    uint64_t target_ns;
    uint64_t random;
    uint64_t *came; /* [most] when request i came, ns */
    size_t offered, accepted, busy, events, in_time, late, expired, failed;
    struct samples ms, refuse_us;
};

/* splitmix64, in (0, 1]. */
static double next_random(struct load *l)
{
    uint64_t z = l->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0 + 1e-17;
}

static void count_event(struct load *l, const stet_event *ev)
{
    double ms = (double)(stet_clock_ns() - l->came[ev->tag]) / 1e6;
    int is_in_time = ms * 1e6 <= (double)l->target_ns;
    l->events++;
    if (ev->status == STET_OK) {
        samples_add(&l->ms, ms);
        l->in_time += is_in_time;
        l->late += !is_in_time;
    } else {
        l->expired += ev->status == STET_E_DEADLINE;
        l->failed += ev->status != STET_E_DEADLINE;
    }
    stet_result_release(ev->result);
}

static void take(struct load *l, int64_t wait_us)
{
    stet_event ev[64];
    int64_t n;
    do {
        n = stet_cq_poll(l->cq, ev, sizeof ev[0], 64, wait_us);
        for (int64_t i = 0; i < n; i++) {
            count_event(l, &ev[i]);
        }
        wait_us = 0;
    } while (n == 64);
}

/* Takes events until the clock shows `until`. */
static void take_until(struct load *l, uint64_t until)
{
    for (;;) {
        uint64_t now = stet_clock_ns();
        if (now >= until) {
            return;
        }
        take(l, (int64_t)((until - now) / 1000));
    }
}

static void offer(struct load *l, uint64_t came)
{
    stet_error err = {.struct_size = sizeof err};
    stet_request r = request_of(&l->lines, l->offered, l->offered);
    uint64_t start = stet_clock_ns();
    stet_status st;
    r.deadline_ns = came + l->target_ns;
    l->came[l->offered++] = came;
    st = stet_submit(l->engine, l->cq, &r, 1, NULL, NULL, &err);
    if (st == STET_OK) {
        l->accepted++;
    } else if (st == STET_E_BUSY || st == STET_E_DEADLINE) {
        samples_add(&l->refuse_us, (double)(stet_clock_ns() - start) / 1e3);
        l->busy++;
    } else {
        exit_with("submit", &err);
    }
}

static void report(struct load *l, double share, double rate, double seconds)
{
    printf("share=%.0f rate=%.1f offered=%zu accepted=%zu busy=%zu expired=%zu late=%zu failed=%zu "
           "lost=%zu goodput=%.1f p50=%.3f p95=%.3f p99=%.3f refuse_us_p50=%.1f "
           "refuse_us_p99=%.1f\n",
           share, rate, l->offered, l->accepted, l->busy, l->expired, l->late, l->failed,
           l->accepted - l->events, (double)l->in_time / seconds, samples_percentile(&l->ms, 0.50),
           samples_percentile(&l->ms, 0.95), samples_percentile(&l->ms, 0.99),
           samples_percentile(&l->refuse_us, 0.50), samples_percentile(&l->refuse_us, 0.99));
    fflush(stdout);
}

static void run_share(struct load *l, double share, double capacity, double seconds)
{
    double rate = share / 100 * capacity;
    uint64_t start = stet_clock_ns(), end = start + (uint64_t)(seconds * 1e9);
    double at = (double)start;
    size_t most = (size_t)(2 * rate * seconds) + 1000;
    l->offered = l->accepted = l->busy = l->events = 0;
    l->in_time = l->late = l->expired = l->failed = 0;
    l->came = calloc(most, sizeof *l->came);
    for (;;) {
        at += -log(next_random(l)) / rate * 1e9;
        if (at >= (double)end || l->offered == most) {
            break;
        }
        take_until(l, (uint64_t)at);
        offer(l, (uint64_t)at);
    }
    take_until(l, end);
    while (l->events < l->accepted && stet_clock_ns() < end + 10000000000u) {
        take(l, 100000);
    }
    report(l, share, rate, seconds);
    free(l->came);
    samples_free(&l->ms);
    samples_free(&l->refuse_us);
}

/* Twice as many in flight as the engine has places, all the time; the second half counts. */
static double measure_capacity(struct load *l, size_t batch, double seconds)
{
    size_t next = 0, most = 10000000, before = 0;
    uint64_t start = stet_clock_ns(), half = start + (uint64_t)(seconds * 5e8);
    uint64_t counted = 0, end = start + (uint64_t)(seconds * 1e9);
    l->came = calloc(most, sizeof *l->came);
    while (stet_clock_ns() < end && next < most) {
        while (next - l->events < 2 * batch) {
            stet_error err = {.struct_size = sizeof err};
            stet_request r = request_of(&l->lines, next, next);
            l->came[next++] = stet_clock_ns();
            if (stet_submit(l->engine, l->cq, &r, 1, NULL, NULL, &err) != STET_OK) {
                exit_with("submit", &err);
            }
        }
        take(l, 1000000);
        if (counted == 0 && stet_clock_ns() >= half) {
            counted = stet_clock_ns();
            before = l->events;
        }
    }
    end = stet_clock_ns();
    before = l->events - before;
    while (l->events < next) {
        take(l, 1000000);
    }
    free(l->came);
    samples_free(&l->ms);
    return (double)before / ((double)(end - counted) / 1e9);
}

int main(int argc, char **argv)
{
    struct load l = {.random = 1};
    double capacity, seconds;
    stet_model *m;
    if (argc < 8) {
        fprintf(stderr, "usage: bench_load MODEL TEXT BATCH TARGET_MS CAPACITY SECONDS SHARE...\n");
        return 1;
    }
    const char *options[] = {"batch_size", argv[3], "queue_size", "65536", NULL};
    capacity = strtod(argv[5], NULL);
    seconds = strtod(argv[6], NULL);
    l.target_ns = (uint64_t)(strtod(argv[4], NULL) * 1e6);
    lines_read(&l.lines, argv[2]);
    m = model_or_exit(argv[1], "2");
    l.engine = engine_or_exit(m, options);
    l.cq = queue_or_exit();
    if (capacity <= 0) {
        capacity = measure_capacity(&l, strtoul(argv[3], NULL, 10), seconds);
        printf("capacity=%.1f\n", capacity);
    }
    for (int i = 7; i < argc; i++) {
        run_share(&l, strtod(argv[i], NULL), capacity, seconds);
    }
    stet_engine_destroy(l.engine);
    stet_cq_destroy(l.cq);
    stet_model_release(m);
    lines_free(&l.lines);
    return 0;
}
