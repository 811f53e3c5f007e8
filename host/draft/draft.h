/* draft.h - draft policies: guesses of what the model will say next.
 *
 * A policy can cost time but never change a token: everything it proposes is checked by the model,
 * and only the model's own choices are emitted. So a policy may be as clever, or as wrong, as it
 * likes.
 *
 * Life of one object: open (all memory), then for each sentence begin, and for each decoder pass
 * propose and accept. Not thread-safe; the engine has one object per sentence in flight. Work per
 * pass is at most linear in what is proposed plus a few lookups, whatever the text repeats.
 */
#ifndef STETI_DRAFT_H
#define STETI_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* What a policy may know of a piece of the vocabulary. */
#define STETI_PIECE_WORD 1  /* begins a word */
#define STETI_PIECE_ALNUM 2 /* has a letter or digit, or any character outside ASCII */
struct steti_draft_piece {
    uint8_t flags;
    uint8_t length; /* characters, white space not counted, at most 255 */
    uint16_t first; /* the first of them, ASCII letters in lower case; 0: there is none */
};

/* How the pieces are written, without the mark of a word boundary. */
struct steti_draft_text {
    const char *data;
    int len; /* bytes; 0: a control piece, or not known */
    int32_t id;
};
struct steti_draft_spelling {
    const struct steti_draft_text *pieces; /* [n_pieces] by id */
    /* [n_inner] those that may stand inside a word, no two with the same text, in the order of
     * memcmp, a text before what it begins */
    const struct steti_draft_text *inner;
    int n_pieces, n_inner;
};

struct steti_draft_limits {
    int max_src, max_tgt; /* tokens */
    /* [n_pieces], must outlive the draft; NULL: nothing is known, guesses are worse */
    const struct steti_draft_piece *pieces;
    int n_pieces;
    /* NULL: not known; must outlive the draft */
    const struct steti_draft_spelling *spelling;
};

/* Hypotheses that one pass can look at. */
#define STETI_DRAFT_BRANCHES 4

struct steti_draft;

struct steti_draft_ops {
    const char *name;
    const char *about; /* one line for help texts */
    /* Hypotheses beside the first one, 0 .. STETI_DRAFT_BRANCHES - 1, and the longest of these. */
    int n_side, side_length;
    stet_status (*open)(const struct steti_draft_limits *l, struct steti_draft **out,
                        stet_error *err);
    void (*close)(struct steti_draft *d); /* NULL is legal */
    /* src[0..n): the source without end-of-sentence token; stays valid until the next begin. n <=
     * max_src. */
    void (*begin)(struct steti_draft *d, const int32_t *src, int n);
    /* Writes at most `budget` tokens (>= 0) to out and returns how many; may return 0. A pass asks
     * for branch 0 first, then for 1 .. n_side in this order, and may stop before the last. All
     * branches follow the last emitted token. */
    int (*propose)(struct steti_draft *d, int branch, int budget, int32_t *out);
    /* The pass emitted emitted[0..n): the first `matched` tokens of the branch and one of the
     * model's own. The branch is the one of which most tokens matched. */
    void (*accept)(struct steti_draft *d, const int32_t *emitted, int n, int branch, int matched);
    /* How often a draft was found again in the source since begin, after a token that was not
     * drafted. */
    int (*reentries)(const struct steti_draft *d);
};

/* The most that any of the policies allocates for one object, with the headers of its blocks. */
size_t steti_draft_bytes(const struct steti_draft_limits *l);

/* "none", "sad", "edit", "tree"; NULL for another name. */
const struct steti_draft_ops *steti_draft_find(const char *name);
/* All policies, ended by NULL. */
const struct steti_draft_ops *const *steti_draft_list(void);

extern const struct steti_draft_ops steti_draft_none;
extern const struct steti_draft_ops steti_draft_sad;
extern const struct steti_draft_ops steti_draft_edit;
extern const struct steti_draft_ops steti_draft_tree;

#endif
