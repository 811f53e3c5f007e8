/* Position-aware re-entry. The output of a rewriting model stays near the place in the source where
 * one would expect it, so of all places where the last tokens of the output occur in the source the
 * nearest to the expected position is taken, with the longest suffix first (4 down to 1 tokens).
 * When nothing matches, the word at hand may go on as the source's word does, else the draft goes
 * on at the expected position itself (reentry.h). */
#include "reentry.h"

struct steti_draft {
    struct source_draft base;
};

static struct source_draft *base_of(struct steti_draft *d)
{
    return &d->base;
}

static stet_status edit_open(const struct steti_draft_limits *l, struct steti_draft **out,
                             stet_error *err)
{
    struct source_draft *d = NULL;
    stet_status st = source_draft_open(l, &d, err);
    *out = (struct steti_draft *)d;
    return st;
}

static void edit_close(struct steti_draft *d)
{
    source_draft_close(d != NULL ? base_of(d) : NULL);
}

static void edit_begin(struct steti_draft *d, const int32_t *src, int n)
{
    source_draft_begin(base_of(d), src, n);
}

static int edit_propose(struct steti_draft *d, int branch, int budget, int32_t *out)
{
    struct source_draft *b = base_of(d);
    int found = reentry_branches(b, 1);
    int n = source_draft_propose(b, branch, budget, out);
    b->reentries += n > 0 && found && b->after_miss;
    return n;
}

static void edit_accept(struct steti_draft *d, const int32_t *emitted, int n, int branch,
                        int matched)
{
    source_draft_accept(base_of(d), emitted, n, branch, matched);
}

static int edit_reentries(const struct steti_draft *d)
{
    return d->base.reentries;
}

const struct steti_draft_ops steti_draft_edit = {
    .name = "edit",
    .about = "re-enter at the match nearest to where the output should go on, else there (default)",
    .open = edit_open,
    .close = edit_close,
    .begin = edit_begin,
    .propose = edit_propose,
    .accept = edit_accept,
    .reentries = edit_reentries,
};
