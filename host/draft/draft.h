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

#include <stdint.h>

#include "status.h"

struct steti_draft_limits {
    int max_src, max_tgt; /* tokens */
};

struct steti_draft;

struct steti_draft_ops {
    const char *name;
    const char *about; /* one line for help texts */
    stet_status (*open)(const struct steti_draft_limits *l, struct steti_draft **out,
                        stet_error *err);
    void (*close)(struct steti_draft *d); /* NULL is legal */
    /* src[0..n): the source without end-of-sentence token; stays valid until the next begin. n <=
     * max_src. */
    void (*begin)(struct steti_draft *d, const int32_t *src, int n);
    /* Writes at most `budget` tokens (>= 0) to out and returns how many. Never proposes what
     * `begin` was not given as a whole token sequence; may return 0. */
    int (*propose)(struct steti_draft *d, int budget, int32_t *out);
    /* The pass emitted emitted[0..n): the first `matched` of the proposed tokens and one of the
     * model's own. */
    void (*accept)(struct steti_draft *d, const int32_t *emitted, int n, int matched);
    /* How often a draft was found again in the source since begin, after a token that was not
     * drafted. */
    int (*reentries)(const struct steti_draft *d);
};

/* "none", "sad", "edit"; NULL for another name. */
const struct steti_draft_ops *steti_draft_find(const char *name);
/* All policies, ended by NULL. */
const struct steti_draft_ops *const *steti_draft_list(void);

extern const struct steti_draft_ops steti_draft_none;
extern const struct steti_draft_ops steti_draft_sad;
extern const struct steti_draft_ops steti_draft_edit;

#endif
