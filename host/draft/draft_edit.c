/* Position-aware re-entry. The output of a rewriting model stays near the place in the source where
 * one would expect it, so of all places where the last tokens of the output occur in the source the
 * nearest to the expected position is taken, with the longest suffix first (4 down to 1 tokens).
 * When nothing matches, the correction is taken for a substitution: the draft goes on behind the
 * source token that was replaced. */
#include "source_draft.h"

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

/* Source position after the best suffix match, or -1. */
static int edit_match(const struct source_draft *d)
{
    int longest = d->n_out < STETI_NGRAM_MAX ? d->n_out : STETI_NGRAM_MAX;
    for (int len = longest; len >= 1; len--) {
        const int32_t *ends;
        int n = steti_ngram_find(&d->index, d->out + d->n_out - len, len, &ends);
        if (n > 0) {
            return steti_ngram_nearest(ends, n, d->expected);
        }
    }
    return -1;
}

static int edit_propose(struct steti_draft *d, int budget, int32_t *out)
{
    struct source_draft *b = base_of(d);
    int match = b->n_out == 0 ? 0 : edit_match(b);
    int n = source_draft_copy(b, match >= 0 ? match : b->expected, budget, out);
    b->reentries += b->n_out > 0 && n > 0 && match >= 0 && b->after_miss;
    return n;
}

static void edit_accept(struct steti_draft *d, const int32_t *emitted, int n, int matched)
{
    source_draft_accept(base_of(d), emitted, n, matched);
}

static int edit_reentries(const struct steti_draft *d)
{
    return d->base.reentries;
}

const struct steti_draft_ops steti_draft_edit = {
    .name = "edit",
    .about = "re-enter at the match nearest to the expected position, else assume a substitution "
             "(default)",
    .open = edit_open,
    .close = edit_close,
    .begin = edit_begin,
    .propose = edit_propose,
    .accept = edit_accept,
    .reentries = edit_reentries,
};
