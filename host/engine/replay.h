/* replay.h - what a draft policy costs on a given answer, counted without a model.
 *
 * The answer and the end-of-sentence token stand in for the model: every pass drafts, is checked by
 * the accept rule and goes on exactly as a sentence alone in the engine does, so the counts are
 * those of an engine whose model gives this answer.
 *
 * One thread at a time. Nothing is allocated between open and close.
 */
#ifndef STETI_REPLAY_H
#define STETI_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "engine.h"

struct steti_replay_options {
    const struct steti_draft_ops *draft;
    int draft_window; /* most tokens drafted at once; 0 = no limit */
    int max_src;      /* longest source in tokens, without end-of-sentence token */
    /* Most tokens of one output, end-of-sentence token included: a longer answer is cut there, and
     * drafts never reach behind it, as in the engine. max_src + longest answer + 2 limits nothing.
     */
    int max_out;
    int32_t eos; /* -1 where sources and answers hold no such token */
    /* For the policy; may be NULL; must outlive the replay. */
    const struct steti_draft_piece *pieces;
    int n_pieces;
    const struct steti_draft_spelling *spelling; /* the same */
};

/* Tokens without end-of-sentence token. */
struct steti_replay_pair {
    const int32_t *src;
    int n_src; /* 0 .. max_src */
    const int32_t *answer;
    int n_answer;
};

struct steti_replay;

stet_status steti_replay_open(const struct steti_replay_options *o, struct steti_replay **out,
                              stet_error *err);
void steti_replay_close(struct steti_replay *r); /* NULL is legal */

/* Counts of one sentence. STET_E_TOO_LONG: its source is longer than max_src. */
stet_status steti_replay_run(struct steti_replay *r, const struct steti_replay_pair *pair,
                             struct steti_counts *out, stet_error *err);

/* Decoder passes of whole batches, from the passes of each sentence, in this order. */

/* Sentences 0 .. size - 1 are a batch, the next `size` another: each waits for its slowest. */
uint64_t steti_replay_lock_step(const struct steti_counts *sentences, size_t n, size_t size);

/* `size` slots; a sentence that has ended leaves its slot to the next one, which begins at the next
 * pass. ends[size]: memory to work in. Never more than in lock step. */
uint64_t steti_replay_continuous(const struct steti_counts *sentences, size_t n, size_t size,
                                 uint64_t *ends);

#endif
