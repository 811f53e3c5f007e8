/* engine_state.h - an engine, the requests in it, and who does its work. Private to host/api.
 *
 * A request's way: stet_submit or stet_correct_batch takes a place in the table and copies the text
 * -> inbox -> scheduler -> sentences in slots -> completion queue, or the waiting call.
 *
 * One thread at a time drives the engine: it alone touches the scheduler, the slots and the core.
 * That is the engine's own thread, or a blocking call that finds nobody driving: a single call on
 * an idle engine is done without waking another thread. All else is guarded by `lock`, which nobody
 * holds for longer than a few assignments. */
#ifndef STETI_ENGINE_STATE_H
#define STETI_ENGINE_STATE_H

#include "admission.h"
#include "api_internal.h"
#include "scheduler.h"

#define API_BYTES_PER_TOKEN 4 /* English text; only for estimates of waiting times */

struct api_batch;

struct api_request {
    uint64_t id; /* 0: this place is free */
    uint64_t generation;
    int next;     /* free list or inbox; -1: end */
    int is_added; /* the scheduler has it */
    int is_cancelled;
    stet_result *result;
    stet_cq *cq; /* or: */
    struct api_batch *batch;
    size_t index; /* in the batch */
    uint64_t deadline_ns, submit_ns;
    int priority, is_tokens;
    int has_prompt;       /* its result's prompt counts, and not the engine's */
    uint64_t tokens_left; /* as estimated, not done yet */
    struct steti_spans spans;
    size_t next_span, at; /* where its next sentence begins */
    uint32_t n_begun;
    uint64_t last_encode, last_pass; /* calls that were counted into its times */
};

struct api_slot {
    int request;
    uint32_t seq;
    size_t begin, end;          /* in the request's text */
    struct steti_piece *pieces; /* [max_input] of the sentence alone */
    size_t n_pieces;
    int32_t *ids, *out; /* [max_input], [max_output] */
    float *logprob;     /* [max_output + 1] or NULL */
    stet_error err;
    struct steti_job job;
};

/* A blocking call. */
struct api_batch {
    stet_result **results;
    stet_status *statuses;
    size_t pending, refill; /* handed in and not done; the driver returns at so many */
    stet_status first;
    stet_error *err; /* describes the first failure */
};
/* With the lock held: the end of one request of the call. Takes the result. */
void batch_take(struct api_batch *b, size_t index, stet_result *result);
void batch_fail(struct api_batch *b, size_t index, stet_status st, const char *message);

struct stet_engine {
    pthread_mutex_t lock;
    pthread_cond_t work;    /* for the engine's thread */
    pthread_cond_t changed; /* for blocking calls, drain and destroy */
    pthread_t thread;
    int has_thread;
    pid_t pid;
    struct api_options options;
    stet_model *model;
    size_t memory_bytes;   /* that it holds */
    size_t reserved_bytes; /* of memory_limit; not less */
    size_t working_bytes;  /* that the driver may use for a while; 0: no limit */
    struct api_budget *budget;

    /* Under the lock */
    struct steti_admission admission;
    struct api_request *requests; /* [queue_size] */
    int free_list, inbox_first, inbox_last;
    size_t live;    /* requests in the inbox or the scheduler */
    size_t running; /* of these, with a sentence that had its turn */
    int n_cancels;  /* since the driver last looked */
    int callers;    /* calls in progress */
    int is_driving, is_draining, is_dead;
    int is_closing; /* destroy waits for calls in progress; those that begin now are too late */
    int is_stopping;
    uint64_t driving_since;
    stet_stats totals; /* total_ns: up to then */

    /* The driver's */
    struct steti_backend *backend;
    struct steti_engine *core;
    struct steti_sched *sched;
    struct api_slot *slots; /* [batch_size] */
    void *slot_memory;
    struct steti_pieces pieces; /* of the sentence that is being read */
    char *prompt;               /* its own copy, in `joined`: */
    size_t prompt_len;
    char *joined; /* room for that, and for a prompt with the longest part of a text behind it */
    uint64_t n_encodes, n_passes;
    int device_failed;
};

/* Work of a request: what the scheduler asks for (engine_work.c). */
extern const struct steti_sched_ops engine_work_ops;
/* Whether there is another sentence, or the rest of one (sentence_source.c). */
int request_has_more(struct api_request *r);
/* Reads the request's next sentence into a slot: ids, pieces, and n_src of its job. *found 0: none
 * was left. */
stet_status request_next_sentence(stet_engine *g, struct api_request *r, struct api_slot *slot,
                                  int *found);

/* Prompts (prompt.c): bytes that an engine holds for them; room for its own, which is checked;
 * and text[0 .. n) behind the request's prompt as one string, which the next call overwrites.
 * *prompt_len is 0 when there is none: then it is the text itself. n <= PART_BYTES * max_input. */
#define PART_BYTES 16 /* bytes tokenized at once, for every token that a part may have */
size_t engine_prompt_bytes(const struct api_options *o);
stet_status engine_prompt_open(stet_engine *g, stet_error *err);
void engine_prompt_close(stet_engine *g);
const char *engine_prompt_join(const stet_engine *g, const struct api_request *r, const char *text,
                               size_t n, size_t *prompt_len);
/* How many of the pieces of a prompt of `len` bytes and a text behind it are the prompt's. White
 * space at its end goes with the word behind it where a tokenizer makes one piece of both. */
size_t engine_prompt_count(const stet_engine *g, const struct steti_pieces *p, const char *text,
                           size_t len);

/* Slots and their arrays (engine_slots.c). */
size_t engine_slots_bytes(const struct api_options *o);
stet_status engine_slots_open(stet_engine *g, stet_error *err);
void engine_slots_close(stet_engine *g);

/* Takes a request in, copied; its end goes to cq, or to element `index` of batch (cq NULL).
 * (request_intake.c) */
struct intake {
    stet_cq *cq;
    struct api_batch *batch;
    size_t index;
};
stet_status engine_accept(stet_engine *g, const stet_request *r, const struct intake *to,
                          uint64_t *id, stet_error *err);
/* The request at `index` of an array whose elements may be of an older, shorter kind. */
stet_status engine_read_request(const stet_request *list, size_t index, stet_request *out,
                                stet_error *err);

/* Driving (engine_drive.c). With the lock held, which is given up and taken again inside. Until
 * nothing is left to do, the engine stops, or `batch` (may be NULL) is done down to its refill. */
void engine_drive(stet_engine *g, const struct api_batch *batch);
/* With the lock held, by the driver: what others may see of its state. Also before a request's end
 * is told: who has all his answers finds their work in the statistics. */
void engine_publish(stet_engine *g);
void *engine_thread(void *engine);
/* With the lock held: wakes who shall drive, now that there is work or nobody drives. */
void engine_wake(stet_engine *g);

/* A call in progress, which destroy waits for. STET_E_FORKED: not in this process. */
stet_status engine_enter(stet_engine *g, stet_error *err);
void engine_leave(stet_engine *g);

#endif
