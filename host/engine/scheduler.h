/* scheduler.h - continuous batching: which sentence of which request joins the decoder when.
 *
 * A request is a list of sentences; a slot decodes one sentence. Before every decoder pass the
 * scheduler ends requests that are past their deadline, fills free slots with waiting sentences,
 * lets the encoder read these, and runs the pass over all slots together. So a sentence waits for
 * a free slot and never for the slowest of a batch.
 *
 * Order. Every waiting request has a key, and the smallest goes first: the time it came, less
 * 100 ms for each step of its priority, plus, for every sentence it had its turn with, the time
 * the engine takes for so many tokens. A request that had more than 100 ms of work goes on with
 * what the others leave, or with about a sixth of the engine where they would leave less; such
 * requests share equally. So a long text does not hold up those who come later with a few
 * sentences, and no request waits for ever: every new key is greater than the time that has passed.
 *
 * Encoding. While sentences are being decoded, the encoder reads at most about as much as eight
 * passes take, so that decoding never starves. A stack of many encoder layers and few decoder
 * layers needs several passes' time for the sentences that join at one pass: with less, slots stay
 * empty. Where a device reads a few tokens at the price of one, sentences that were begun wait up
 * to four passes until that many have gathered. Without decoding all that fits the slots is read at
 * once: a single request never waits for company, and there is no timer.
 *
 * Several passes at once. A device may make some passes by itself, which nothing can come between.
 * It is asked for one where a sentence that waits could join at the next one; where all slots are
 * in use, for passes until one of them is free; with sentences of several requests, until one has
 * ended, which is told at once; else for most_passes. It is asked for no more than end before the
 * next deadline, as far as is known what a pass takes. So a request that comes, is cancelled or
 * passes its deadline meanwhile waits for up to most_passes passes and not for one.
 *
 * Pure logic: what a request and a sentence are is behind struct steti_sched_ops, and time is a
 * steti_clock, so that tests run it in simulated time. One thread at a time. Nothing is allocated
 * between open and close.
 */
#ifndef STETI_SCHEDULER_H
#define STETI_SCHEDULER_H

#include <stdint.h>

#include "clock.h"
#include "status.h"

#define STETI_PRIORITY_STEP_NS 100000000

/* Requests are numbers 0 .. max_requests - 1, slots 0 .. n_slots - 1, both given by the user of
 * this interface. None of these may call into the scheduler. */
struct steti_sched_ops {
    /* Takes the request's next sentence into a free slot. Returns its tokens (>= 1), 0 when the
     * request has no sentence left, or a negative stet_status when the request fails. *more:
     * whether it has, as far as is known, another sentence. */
    int (*begin)(void *ctx, int request, int slot, int *more);
    /* Encoder over slots begun and not encoded, which other slots' passes may have come between;
     * one decoder pass over slots encoded and not done. */
    void (*encode)(void *ctx, const int *slots, int n);
    void (*pass)(void *ctx, const int *slots, int n);
    /* (optional) Up to `most` passes in place of one, which only some devices make at less cost:
     * at least one, and no further one when `until_done` of the slots are done. Returns how many.
     * Only called with most > 1. */
    int (*passes)(void *ctx, const int *slots, int n, int most, int until_done);
    int (*is_done)(void *ctx, int slot);
    /* A sentence is done: takes its output and frees the slot. Not STET_OK: its request fails. */
    stet_status (*finish)(void *ctx, int slot);
    /* Frees a slot whose sentence is not wanted any more. */
    void (*drop)(void *ctx, int slot);
    /* The request's end, exactly once: none of its sentences is in a slot. */
    void (*complete)(void *ctx, int request, stet_status st);
};

struct steti_sched_options {
    int max_requests, n_slots;
    int encode_rows;  /* most tokens the encoder should read at once while others decode */
    int encode_worth; /* tokens that cost the encoder about as much as one */
    int max_tokens;   /* of the sentences in slots, the last one not counted; 0: no such limit */
    int most_passes;  /* of one call of `passes`; 0 or 1: it is not called */
    const struct steti_clock *clock;
    const struct steti_sched_ops *ops;
    void *ctx;
};

struct steti_sched_request {
    uint64_t arrival_ns, deadline_ns; /* by the clock; deadline 0: none */
    int priority;                     /* greater goes first */
};

struct steti_sched;

size_t steti_sched_bytes(int max_requests, int n_slots);
stet_status steti_sched_open(const struct steti_sched_options *o, struct steti_sched **out,
                             stet_error *err);
void steti_sched_close(struct steti_sched *s); /* NULL is legal; completes nothing */

/* Between steps. The number is free: never added, or completed. */
void steti_sched_add(struct steti_sched *s, int request, const struct steti_sched_request *r);
/* Between steps: completes a request with `st` at once. Its slots are free for the next pass. Legal
 * for one that is completed already. */
void steti_sched_end(struct steti_sched *s, int request, stet_status st);
/* The same for all. */
void steti_sched_end_all(struct steti_sched *s, stet_status st);

/* Deadlines, encoder, one decoder pass, and what is done. Returns 0 when no request is left. */
int steti_sched_step(struct steti_sched *s);

/* What one token costs in an engine whose slots are all in use, as far as can be told from what was
 * measured; for estimates of waiting times. */
double steti_sched_ns_per_token(const struct steti_sched *s);
/* Requests of which no sentence has begun, and the others. */
int steti_sched_waiting(const struct steti_sched *s);
int steti_sched_running(const struct steti_sched *s);

#endif
