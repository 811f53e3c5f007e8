/* The published rule of shallow aggressive decoding (Sun et al. 2021, arXiv 2106.04970; the
 * decoding loop of AutoTemp/Shallow-Aggressive-Decoding): the first draft is the whole source.
 * Afterwards the last 1, 2, then 3 output tokens are looked up in the source; at the first length
 * whose n-gram occurs exactly once, the draft is what follows it. A length that does not occur, or
 * none that is unique up to 3, means no draft. */
#include "source_draft.h"

#define SAD_MAX_GRAM 3

struct steti_draft {
    struct source_draft base;
};

static struct source_draft *base_of(struct steti_draft *d)
{
    return &d->base;
}

static stet_status sad_open(const struct steti_draft_limits *l, struct steti_draft **out,
                            stet_error *err)
{
    struct source_draft *d = NULL;
    stet_status st = source_draft_open(l, &d, err);
    *out = (struct steti_draft *)d;
    return st;
}

static void sad_close(struct steti_draft *d)
{
    source_draft_close(d != NULL ? base_of(d) : NULL);
}

static void sad_begin(struct steti_draft *d, const int32_t *src, int n)
{
    source_draft_begin(base_of(d), src, n);
}

/* Source position after the unique suffix match, or -1. */
static int sad_match(const struct source_draft *d)
{
    for (int len = 1; len <= SAD_MAX_GRAM && len <= d->n_out; len++) {
        const int32_t *ends;
        int n = steti_ngram_find(&d->index, d->out + d->n_out - len, len, &ends);
        if (n == 0) {
            return -1;
        }
        if (n == 1) {
            return ends[0];
        }
    }
    return -1;
}

static int sad_propose(struct steti_draft *d, int branch, int budget, int32_t *out)
{
    struct source_draft *b = base_of(d);
    int from = b->n_out == 0 ? 0 : sad_match(b);
    int n;
    b->n_branches = 0;
    source_draft_add_place(b, from);
    n = source_draft_propose(b, branch, budget, out);
    b->reentries += b->n_out > 0 && n > 0 && b->after_miss;
    return n;
}

static void sad_accept(struct steti_draft *d, const int32_t *emitted, int n, int branch,
                       int matched)
{
    source_draft_accept(base_of(d), emitted, n, branch, matched);
}

static int sad_reentries(const struct steti_draft *d)
{
    return d->base.reentries;
}

const struct steti_draft_ops steti_draft_sad = {
    .name = "sad",
    .about = "published rule: re-enter the source at the shortest unique suffix of 1 to 3 tokens",
    .open = sad_open,
    .close = sad_close,
    .begin = sad_begin,
    .propose = sad_propose,
    .accept = sad_accept,
    .reentries = sad_reentries,
};
