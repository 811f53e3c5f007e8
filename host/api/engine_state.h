/* engine_state.h - an engine, the requests in it, and who does its work. Private to host/api.
 *
 * A request's way: stet_submit or stet_correct_batch takes a place in the table and copies the text
 * -> inbox of a lane -> scheduler -> sentences in slots -> completion queue, or the waiting call.
 *
 * A lane is what an engine has on one device. One thread at a time drives it: it alone touches the
 * scheduler, the slots and the core, and the requests that the scheduler has. That is the lane's
 * own thread, or, where there is one lane, a blocking call that finds nobody driving: a single call
 * on an idle engine is done without waking another thread. All else is guarded by the engine's
 * `lock`, which nobody holds for longer than a few assignments.
 *
 * A request stays in its lane (device_share.h chooses it), unless that lane's device fails: then
 * its driver hands it to another lane, where it begins anew. */
#ifndef STETI_ENGINE_STATE_H
#define STETI_ENGINE_STATE_H

#include "admission.h"
#include "api_internal.h"
#include "device_share.h"
#include "scheduler.h"

#define API_BYTES_PER_TOKEN 4 /* English text; only for estimates of waiting times */

struct api_batch;

struct api_request {
    uint64_t id; /* 0: this place is free */
    uint64_t generation;
    int next; /* free list or inbox; -1: end */
    int lane;
    int is_added; /* the lane's scheduler has it */
    int is_cancelled;
    int is_hit;   /* the lane's device failed while it had a sentence in a slot */
    int n_losses; /* devices that did so */
    stet_result *result;
    stet_cq *cq; /* or: */
    struct api_batch *batch;
    size_t index; /* in the batch */
    uint64_t deadline_ns, submit_ns;
    int priority, is_tokens;
    int has_prompt;       /* its result's prompt counts, and not the engine's */
    uint64_t tokens;      /* as estimated */
    uint64_t tokens_left; /* of these, not done yet */
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
    int is_mended;      /* ids are those of a text without the misspellings of the pieces' */
    int is_tied;        /* the first of these is in a token of the prompt */
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

struct api_lane {
    stet_engine *engine;
    int index, device_index;
    char name[sizeof((struct steti_backend_caps *)0)->name];
    const struct steti_model *net; /* the weights that this device sees */
    pthread_cond_t work;           /* for the lane's thread */
    pthread_t thread;
    int has_cond, has_thread;

    /* Under the engine's lock */
    int inbox_first, inbox_last;
    size_t live;    /* requests in the inbox or the scheduler */
    size_t running; /* of these, with a sentence that had its turn */
    int n_cancels;  /* since the driver last looked */
    int is_driving;
    struct steti_engine_times times;
    char message[sizeof((stet_device_state *)0)->message]; /* why the device is lost */

    /* The driver's */
    struct steti_backend *backend;
    struct steti_engine *core;
    struct steti_sched *sched;
    struct api_slot *slots; /* [batch_size] */
    void *slot_memory;
    struct steti_pieces pieces; /* of the sentence that is being read */
    char *joined;               /* room for a prompt with the longest part of a text behind it */
    char *mended;               /* and for that part without its misspellings; may be NULL */
    uint64_t n_encodes, n_passes;
    int device_failed;
};

struct stet_engine {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for blocking calls, drain and destroy */
    pid_t pid;
    struct api_options options;
    stet_model *model;
    size_t memory_bytes;   /* that it holds */
    size_t reserved_bytes; /* of memory_limit; not less */
    size_t working_bytes;  /* that each driver may use for a while; 0: no limit */
    struct api_budget *budget;
    struct api_lane *lanes; /* [n_lanes] */
    int n_lanes;
    char *prompt; /* its own copy */
    size_t prompt_len;

    /* Under the lock */
    struct steti_share *shares; /* [n_lanes] */
    struct steti_admission admission;
    struct api_request *requests; /* [queue_size] */
    int free_list;
    size_t live;            /* requests in lanes */
    int callers;            /* calls in progress */
    int n_driving;          /* lanes that are driven */
    uint64_t driving_since; /* that any is */
    int is_draining;
    int is_closing; /* destroy waits for calls in progress; those that begin now are too late */
    int is_stopping;
    stet_stats totals; /* total_ns: up to then; no times of passes and of the encoder */
};

/* Work of a request: what the scheduler asks for (engine_work.c). */
extern const struct steti_sched_ops engine_work_ops;
/* Whether there is another sentence, or the rest of one (sentence_source.c). */
int request_has_more(struct api_request *r);
/* Reads the request's next sentence into a slot: ids, pieces, and n_src of its job. *found 0: none
 * was left. */
stet_status request_next_sentence(struct api_lane *l, struct api_request *r, struct api_slot *slot,
                                  int *found);

/* Prompts (prompt.c): bytes that an engine and each of its lanes hold for them; the engine's own,
 * which is checked; the lane's room for joining; and text[0 .. n) behind the request's prompt as
 * one string, which the next call overwrites.
 * *prompt_len is 0 when there is none: then it is the text itself. n <= PART_BYTES * max_input. A
 * lane also has room for a text of that length without its misspellings, where a model knows any.
 */
#define PART_BYTES 16 /* bytes tokenized at once, for every token that a part may have */
size_t engine_prompt_bytes(const struct api_options *o);
size_t lane_prompt_bytes(const stet_model *m, const struct api_options *o);
stet_status engine_prompt_open(stet_engine *g, stet_error *err);
stet_status lane_prompt_open(struct api_lane *l, stet_error *err);
const char *engine_prompt_join(const struct api_lane *l, const struct api_request *r,
                               const char *text, size_t n, size_t *prompt_len);
/* How many of the pieces of a prompt of `len` bytes and a text behind it are the prompt's. White
 * space at its end goes with the word behind it where a tokenizer makes one piece of both. */
size_t engine_prompt_count(const stet_engine *g, const struct steti_pieces *p, const char *text,
                           size_t len);

/* Slots and their arrays (engine_slots.c). */
size_t lane_slots_bytes(const struct api_options *o);
stet_status lane_slots_open(struct api_lane *l, stet_error *err);
void lane_slots_close(struct api_lane *l);

/* What the driver of a lane may use of memory for a while. */
size_t engine_working_bytes(const struct api_options *o);

/* Lanes (engine_lanes.c): opens one for each of the model's devices, and the engine's plan with the
 * first of them; starts and stops their threads; closes them. All are legal after any of them
 * failed. */
stet_status engine_lanes_open(stet_engine *g, struct api_plan *plan, stet_error *err);
stet_status engine_lanes_start(stet_engine *g, stet_error *err);
void engine_lanes_stop(stet_engine *g);
void engine_lanes_close(stet_engine *g);
/* With the lock held: requests at the end of a lane's inbox. */
void lane_put(struct api_lane *l, int request);

/* A lane's device failed for good (lane_loss.c); by its driver, without the lock. */
void lane_lose(struct api_lane *l, const char *message);
/* Hands a request that the lane's failed device cannot end to another lane. 0: it ends here. By the
 * driver, without the lock, and none of its sentences in a slot. */
int lane_move(struct api_lane *l, int request);

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
void engine_drive(struct api_lane *l, const struct api_batch *batch);
/* With the lock held, by the driver: what others may see of its state. Also before a request's end
 * is told: who has all his answers finds their work in the statistics. */
void engine_publish(struct api_lane *l);
void *engine_thread(void *lane);
/* With the lock held: wakes who shall drive, now that there is work or nobody drives. */
void engine_wake(struct api_lane *l);
/* With the lock held: whether a blocking call may drive. */
int engine_is_free(const stet_engine *g);

/* A call in progress, which destroy waits for. STET_E_FORKED: not in this process. */
stet_status engine_enter(stet_engine *g, stet_error *err);
void engine_leave(stet_engine *g);

#endif
