/* loop_args.h - what the kernels of the loop on the device work on.
 *
 * One block of memory on the device has all of it, and a pinned twin on the host the same at the
 * same places. Places inside it are numbers of words from `base`, which is in the middle, so that a
 * call brings one stretch to the device and one back:
 *
 *     texts of all sentences | head | sentences | passes | new tokens | their sums
 *     ------- to the device -------------------|
 *                            |--------------- to the host -----------------------|
 *                            ^ base
 */
#ifndef STETI_LOOP_ARGS_H
#define STETI_LOOP_ARGS_H

#include <stdint.h>

/* Written by `rows` as the number of rows when there is no further pass in this call. */
#define STETI_CUDA_LOOP_OVER 0

/* 32 words. */
#define STETI_CUDA_LOOP_START 2
#define STETI_CUDA_LOOP_ENDS 20
struct steti_cuda_loop_head {
    int32_t n_seqs;
    int32_t max_passes, stop_done; /* as in struct steti_loop_params */
    int32_t window, budget;
    int32_t n_passes; /* made in this call */
    int32_t n_rows;   /* of the pass at hand, STETI_CUDA_LOOP_OVER: there is none */
    int32_t policy;   /* enum steti_cuda_loop_policy */
    int32_t n_start, start[STETI_CUDA_LOOP_START];
    int32_t n_ends, ends[STETI_CUDA_LOOP_ENDS];
};

/* One pass of one sentence. */
struct steti_cuda_loop_pass {
    int32_t drafted, matched;
};

#define STETI_CUDA_LOOP_TAIL 4
/* What changes of a sentence. */
struct steti_cuda_loop_now {
    int32_t state;        /* enum steti_cuda_loop_state */
    int32_t n_out, n_new; /* tokens of the output, and those of this call among them */
    int32_t n_passes, reentries;
    int32_t tail[STETI_CUDA_LOOP_TAIL]; /* the last tokens of the output, the last one first */
    int32_t expected, after_miss;       /* as in host/draft/source_draft.h */
    int32_t from;                       /* where the next draft begins in the text; -1: nowhere */
    int32_t found;                      /* the output's last tokens stand before it */
    int32_t draftable;                  /* tokens from there to the text's end or to an end token */
    /* Of the pass at hand: the row of the last token, drafted rows behind it, and how many the
     * policy would have drafted were it not for an end token. */
    int32_t row, drafted, proposed;
};

/* One sentence: 32 words. */
struct steti_cuda_loop_seq {
    int32_t text, n_text; /* what is drafted from */
    int32_t has_ends;     /* the text holds tokens that end outputs */
    int32_t pass, out, sum;
    int32_t self_begin, cross_begin, cross_count;
    int32_t most_out;
    int32_t zero[5];
    struct steti_cuda_loop_now now;
};

/* enum steti_loop_state and enum steti_loop_draft of backend.h, which kernels do not see. */
enum steti_cuda_loop_state {
    STETI_CUDA_LOOP_RUNNING,
    STETI_CUDA_LOOP_ENDED,
    STETI_CUDA_LOOP_FULL,
    STETI_CUDA_LOOP_NAN,
    STETI_CUDA_LOOP_NO_TOKEN
};
enum steti_cuda_loop_policy { STETI_CUDA_LOOP_GREEDY, STETI_CUDA_LOOP_SAD, STETI_CUDA_LOOP_EDIT };

struct steti_cuda_verdict_args {
    int32_t *base;
    const struct steti_cuda_best *best; /* of every row of the pass */
    /* [n_pieces]: flags | length << 8 | first << 16 of struct steti_loop_piece; or NULL */
    const uint32_t *pieces;
    int32_t n_pieces, zero;
};

struct steti_cuda_rows_args {
    int32_t *base;
    int32_t *live;
    int32_t *ids; /* [rows] and so are all others */
    int32_t *key_begin, *key_count, *map_row, *cross_begin, *cross_count;
    int32_t *pos, *tail_count; /* or NULL */
    uint64_t condition;        /* of the WHILE node; only where has_condition */
    int32_t has_condition, zero;
};

#endif
