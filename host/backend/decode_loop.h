/* decode_loop.h - several passes of drafted decoding without the host. Part of backend.h.
 *
 * The device judges what a pass predicted, keeps the longest stretch of each draft that agrees and
 * one token more, finds where drafting goes on, lays out the rows of the next pass, and runs a
 * recording of the decoder over them again, until it is told to stop. Every token is a prediction
 * of the recording behind the tokens before it, so what comes out is what greedy decoding gives.
 *
 * Drafts are stretches of a text that each sentence has:
 *
 *   GREEDY  none
 *   SAD     the whole text at first; later what follows the shortest of the last 1, 2, 3 tokens
 *           that the text has exactly once; where one of these is missing, nothing
 *   EDIT    the whole text at first; later what follows the longest of the last 4 .. 1 tokens that
 *           the text has, where that is nearest to the place that is expected (a single token
 *           counts up to 6 tokens from there, one inside a word up to 2); else the text from the
 *           expected place on. What is known of pieces says which place that is:
 *           host/draft/README.md has the rule. What it says there of tokens that are not the
 *           text's (a word spelled anew, the rest of a word, a full stop) is not done here.
 *
 * A draft ends before a token that ends outputs. It has at most `window` tokens, at most what the
 * output may still have less one, and at most the sentence's share of the pass: the budget less
 * what all must have, in the order of the sentences, to each an equal part of what those before it
 * left.
 */
#ifndef STETI_DECODE_LOOP_H
#define STETI_DECODE_LOOP_H

#include <stdint.h>

enum steti_loop_draft { STETI_LOOP_GREEDY, STETI_LOOP_SAD, STETI_LOOP_EDIT };

/* What is known of a token; the values are those of struct steti_draft_piece (draft.h). */
struct steti_loop_piece {
    uint8_t flags, length;
    uint16_t first;
};

#define STETI_LOOP_START_MAX 2
#define STETI_LOOP_ENDS_MAX 20
#define STETI_LOOP_PASSES_MAX 64
struct steti_loop_options { /* arrays are host memory and copied */
    enum steti_loop_draft draft;
    int max_seqs, max_text, max_out; /* of a call; tokens of a text and of an output */
    int max_passes;                  /* of a call, 1 .. STETI_LOOP_PASSES_MAX */
    int n_start;                     /* tokens before an output, 1 .. STETI_LOOP_START_MAX */
    const int32_t *start;
    int n_ends; /* tokens that end an output and do not belong to it, 1 .. STETI_LOOP_ENDS_MAX */
    const int32_t *ends;
    int n_pieces; /* by id; 0: nothing is known, every token is a word; only EDIT looks at them */
    const struct steti_loop_piece *pieces;
};

/* A pass of a sentence: how many tokens were drafted, and how many of them were right. */
struct steti_loop_pass {
    int32_t drafted, matched;
};

/* RUNNING: there is more to come. ENDED: by a token that ends outputs. FULL: most_out tokens. NAN,
 * NO_TOKEN: the row of the output's next token has a NaN, or no value above -infinity, and the
 * output stands as it was before: what argmax reports as STET_E_MODEL. Such a row behind a drafted
 * token that is wrong says nothing of the sentence. */
enum steti_loop_state {
    STETI_LOOP_RUNNING,
    STETI_LOOP_ENDED,
    STETI_LOOP_FULL,
    STETI_LOOP_NAN,
    STETI_LOOP_NO_TOKEN
};

/* A sentence. All pointers are host memory of the caller's. Ids are of the recording's vocabulary.
 * Token i of the output has position n_start + i, and its keys and values are row self_begin +
 * position of the recording's row_map. The row of the last token is computed by the next pass. */
struct steti_loop_seq {
    const int32_t *text; /* [n_text]; read by every call */
    int n_text;          /* 0 .. max_text */
    int32_t self_begin, cross_begin, cross_count;
    int most_out;   /* tokens that the output may have, 1 .. max_out */
    int32_t *out;   /* [most_out] the output so far: a call reads the last 4 and appends */
    float *logprob; /* [most_out + 1] or NULL: of each token, and of the one that ended it */
    /* Zeroed before the first call of a sentence, then passed from call to call. */
    int n_out;                                 /* less than most_out when a call begins */
    int32_t from, found, expected, after_miss; /* where drafting goes on */
    /* Written by each call, about this call. */
    enum steti_loop_state state;
    int n_passes;
    int reentries; /* drafts found by their tokens behind one that was not drafted */
    struct steti_loop_pass *passes; /* [max_passes] */
};

struct steti_loop; /* memory for loops of one kind */
struct steti_loop_params {
    /* Of a decoder pass with argmax at its end, log probabilities too where sentences want them. */
    struct steti_recording *recording;
    /* The host arrays that it was recorded with, which are not read: the device has its own. pos
     * and tail_count (all 0) only where it reads them, else NULL. */
    const int32_t *ids, *pos, *key_begin, *key_count, *row_map, *cross_begin, *cross_count;
    const int32_t *tail_count;
    int window; /* >= 0 */
    /* Rows that a pass may have: enough for every sentence's last token or, before its first, all
     * start tokens. The recording must have room for steti_loop_rows. */
    int budget;
    int max_passes; /* 1 .. the loop's */
    /* The call ends behind the pass in which the number of sentences that are not RUNNING reached
     * this; n_seqs or more: when all are. */
    int stop_done;
    int n_seqs; /* 1 .. max_seqs */
    struct steti_loop_seq *seqs;
    int n_passes; /* out: passes made */
};

/* Rows that no pass of the call has more of: what the budget and all drafts together allow. */
int steti_loop_rows(const struct steti_loop_params *p, const struct steti_loop_options *o);

#endif
