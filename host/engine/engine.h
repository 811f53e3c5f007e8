/* engine.h - decodes token sequences together: tokens in, tokens out.
 *
 * Sentences join and leave at every pass: a free slot takes the next sentence, whose encoder pass
 * runs in a micro-batch with the others that wait; each decoder pass holds the rows of all
 * sentences in flight, packed. Because a row's result does not depend on its neighbours
 * (backend.h), neither does a sentence's output.
 *
 * One thread at a time. Nothing is allocated between open and close.
 */
#ifndef STETI_ENGINE_H
#define STETI_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "draft.h"
#include "model.h"

/* The window follows what passes cost and what drafts are worth (window.h). Times decide, so counts
 * of passes differ from run to run; tokens do not. */
#define STETI_WINDOW_AUTO (-1)

#define STETI_LOOP_PASSES 8

struct steti_engine_options {
    const struct steti_draft_ops *draft;
    int draft_window; /* most tokens drafted at once; 0 = no limit, STETI_WINDOW_AUTO */
    int batch_size;   /* sentences in flight */
    int max_src;      /* longest source in tokens, without special tokens around it */
    /* most tokens of one output, end-of-sentence token included; without start tokens, be they
     * forced */
    int max_out;
    int verify; /* decode every sentence again, greedily and alone, and compare */
    int scores; /* fill logprob */
    /* Passes that the device may make by itself in one call, where it can (looped.h). 1: the host
     * plans and judges every pass; 0: STETI_LOOP_PASSES. Outputs do not depend on it, and counts
     * not with policies none and sad; the device's edit drafts no tokens that are not the
     * source's. */
    int loop_passes;
    const struct steti_clock *clock;
    const struct steti_draft_piece
        *pieces; /* for the policy; may be NULL; must outlive the engine */
    int n_pieces;
    const struct steti_draft_spelling *spelling; /* the same */
    const struct steti_around *around;           /* copied; NULL: the spec's */
};

/* Counts of one sentence or of an engine. The words are those of stet_stats. */
struct steti_counts {
    uint64_t passes, rows, drafted, accepted, reentries, verified;
};

/* One sentence. The caller fills the first part. */
struct steti_job {
    const int32_t *src; /* without the special tokens around it */
    int n_src;          /* 0 .. max_src */
    /* Leading source tokens that are an instruction to the model ("grammar: "): read by the
     * encoder, never drafted. 0 .. n_src */
    int n_prompt;
    int32_t *out; /* room for max_out tokens */
    /* room for max_out + 1 values, or NULL; entry n_out is the end-of-sentence token's */
    float *logprob;
    /* Only steti_engine_run looks at it. Asked once before each pass, the first included (while a
     * job in flight has it, the device makes no two passes by itself); NULL: never cancelled. Not
     * 0: the sentence ends with STET_E_CANCELLED before that pass, what it emitted so far stays in
     * out (the beginning of what greedy decoding gives), and its place is free for the next
     * sentence. The other sentences' outputs do not change. */
    int (*is_cancelled)(void *ctx);
    void *cancel_ctx;
    /* Filled when this sentence fails; may be NULL. */
    stet_error *err;

    int n_out;
    int finished; /* 1: ended by itself; 0: cut at max_out */
    stet_status status;
    struct steti_counts counts;
};

struct steti_engine_times {
    uint64_t encode_ns, decode_ns;
    uint64_t encoder_calls, batch_passes; /* each over all sentences that took part */
};

struct steti_engine;

/* Bytes that an engine reserves, without the backend's scratch; 0 when it overflows. */
size_t steti_engine_bytes(const struct steti_spec *spec, const struct steti_engine_options *o);
/* The backend's scratch for it. Only where steti_engine_bytes is not 0. */
size_t steti_engine_scratch_bytes(const struct steti_model *m, const struct steti_backend *backend,
                                  const struct steti_engine_options *o);

stet_status steti_engine_open(const struct steti_model *m, struct steti_backend *backend,
                              const struct steti_engine_options *o, struct steti_engine **out,
                              stet_error *err);
void steti_engine_close(struct steti_engine *e); /* NULL is legal */

/* Decodes all jobs. A job that fails has its own status and does not disturb the others: its status
 * is not STET_OK and the first such failure is described in err and returned. */
stet_status steti_engine_run(struct steti_engine *e, struct steti_job *jobs, size_t n,
                             stet_error *err);

/* What steti_engine_run is made of, for callers that decide themselves which sentence joins when
 * (scheduler.h). A slot, 0 .. batch_size - 1, is free, then begun, encoded, passed as often as it
 * takes until it is done, and ended. The two kinds of calls do not mix: while a slot is not free,
 * steti_engine_run must not be called. */

/* Takes a job into a free slot. The job, its source and its output stay in place until
 * steti_engine_end. STET_E_TOO_LONG, STET_E_INVALID: the job is not one for this engine; the slot
 * stays free. */
stet_status steti_engine_begin(struct steti_engine *e, int slot, struct steti_job *job);

/* How many tokens the encoder reads at once: of begun slots, with the special tokens that the model
 * wants around a source. A single sentence is never too long. */
int steti_engine_encode_rows(const struct steti_engine *e);
/* How many it reads of a source of n_src tokens. */
int steti_engine_source_rows(const struct steti_engine *e, int n_src);

/* Runs the encoder over slots that were begun, no matter what passes of other slots came between,
 * and one decoder pass over slots that are encoded and not done. A sentence that fails has
 * job->status and is done; the others are not disturbed. Each slot once, in any order. */
void steti_engine_encode(struct steti_engine *e, const int *slots, int n);
void steti_engine_pass(struct steti_engine *e, const int *slots, int n);

/* Up to `most` passes in place of one, where the device makes several by itself; at least one, and
 * no further one when `until_done` (>= 1) of the slots are done. Returns how many. A slot that is
 * done takes no part in the passes after. */
int steti_engine_passes(struct steti_engine *e, const int *slots, int n, int most, int until_done);
/* Most passes that make sense there: 1 where the device makes none by itself. */
int steti_engine_most_passes(const struct steti_engine *e);

int steti_engine_is_done(const struct steti_engine *e, int slot);

/* Frees a slot, whether it is done or not, and counts what it did. */
void steti_engine_end(struct steti_engine *e, int slot);

/* Option verify: decodes the sentence of an ended job again in this free slot, greedily and alone,
 * and compares every token and, where scores are on, every bit of its log probabilities. Nothing
 * else may be in an encoder or decoder pass meanwhile; other slots keep what they have. */
stet_status steti_engine_verify(struct steti_engine *e, int slot, struct steti_job *job);

void steti_engine_totals(const struct steti_engine *e, struct steti_counts *counts,
                         struct steti_engine_times *times);

#endif
