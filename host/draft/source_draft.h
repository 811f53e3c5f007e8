/* source_draft.h - what the policies that copy from the source share. Private to host/draft.
 *
 * State: the source with its n-gram index, the output so far, and the source position where the
 * next draft begins. */
#ifndef STETI_SOURCE_DRAFT_H
#define STETI_SOURCE_DRAFT_H

#include "draft.h"
#include "ngram_index.h"

/* What is left of a word of the source from one of its pieces on. */
struct word_rest {
    int next;       /* the next position behind the piece that begins a word, or n_src */
    int length;     /* characters */
    uint16_t first; /* the first of them, as in struct steti_draft_piece */
};

struct source_draft {
    struct steti_ngram_index index;
    const struct steti_draft_piece *pieces;
    int n_pieces;
    const int32_t *src;
    int n_src;
    struct word_rest *rest; /* [max_src] */
    int32_t *out;           /* [max_tgt + 1] output so far */
    int n_out, max_tgt;
    int from[STETI_DRAFT_BRANCHES]; /* source position of each branch of the last pass; -1: none */
    int expected;                   /* where the output most likely goes on */
    int second;                     /* the next best guess after a miss, or -1 */
    int places[STETI_DRAFT_BRANCHES]; /* tree: where this pass's branches begin */
    int n_places;
    int n_proposed; /* by branch 0 of the last pass */
    int reentries;
    int after_miss; /* the last pass ended with a token that was not the drafted one */
};

stet_status source_draft_open(const struct steti_draft_limits *l, struct source_draft **out,
                              stet_error *err);
void source_draft_close(struct source_draft *d);
void source_draft_begin(struct source_draft *d, const int32_t *src, int n);
/* Copies src[from ..] within the budget; from = -1 proposes nothing. */
int source_draft_copy(struct source_draft *d, int branch, int from, int budget, int32_t *out);
void source_draft_accept(struct source_draft *d, const int32_t *emitted, int n, int branch,
                         int matched);

#endif
