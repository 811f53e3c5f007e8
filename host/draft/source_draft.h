/* source_draft.h - what the policies that copy from the source share. Private to host/draft.
 *
 * State: the source with its n-gram index, the output so far, and the source position where the
 * next draft begins. */
#ifndef STETI_SOURCE_DRAFT_H
#define STETI_SOURCE_DRAFT_H

#include "draft.h"
#include "ngram_index.h"
#include "spelling.h"

/* Where a position of the source stands in its word. */
struct word_place {
    int start;      /* the position that begins the word */
    int next;       /* the next position that begins a word, or n_src */
    int length;     /* characters from this position to the end of the word */
    uint16_t first; /* the first of them, as in struct steti_draft_piece */
};

/* A draft: tokens of its own, then the source from a position on. */
struct draft_branch {
    int from, n_own;
    int32_t own[SPELLING_WORD];
};

struct source_draft {
    struct steti_ngram_index index;
    const struct steti_draft_piece *pieces;
    int n_pieces;
    const struct steti_draft_spelling *spelling; /* NULL: not known */
    int full_stop;                               /* the piece, or -1 */
    const int32_t *src;
    int n_src;
    struct word_place *rest; /* [max_src + 1] */
    int32_t *out;            /* [max_tgt + 1] output so far */
    int n_out, max_tgt;
    int out_word;    /* where the last word of the output begins */
    int source_word; /* and the source's word that it was compared with; n_src: none */
    int mark_last;   /* the last token of the output has no letter or digit */
    int expected;    /* where the output most likely goes on */
    int second;      /* the next best guess after a miss, or -1 */
    struct draft_branch branch[STETI_DRAFT_BRANCHES]; /* of this pass */
    int n_branches;
    int proposed[STETI_DRAFT_BRANCHES]; /* tokens of each that the pass asked for */
    int reentries;
    int after_miss; /* the last pass ended with a token that was not the drafted one */
};

stet_status source_draft_open(const struct steti_draft_limits *l, struct source_draft **out,
                              stet_error *err);
void source_draft_close(struct source_draft *d);
void source_draft_begin(struct source_draft *d, const int32_t *src, int n);

/* Adds a branch to this pass: own[0..n_own), then the source from `from` (>= 0) on. One that has no
 * token, or equals another one, is left out. */
void source_draft_add(struct source_draft *d, const struct draft_branch *b);
/* The same for a branch without tokens of its own; a position outside the source adds nothing. */
void source_draft_add_place(struct source_draft *d, int from);
/* Writes the branch within the budget; one that was not added proposes nothing. */
int source_draft_propose(struct source_draft *d, int branch, int budget, int32_t *out);
void source_draft_accept(struct source_draft *d, const int32_t *emitted, int n, int branch,
                         int matched);

#endif
