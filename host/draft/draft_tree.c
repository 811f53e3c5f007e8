/* Several hypotheses at once. After a miss the source may go on behind the place where the last
 * tokens of the output occur, with the rest of the word at hand, at the expected position, at the
 * other of "replaced" and "inserted", or one or two words further on; each is a branch of the same
 * pass. The first branch is what `edit` drafts. */
#include "reentry.h"

#define SIDE_LENGTH 48 /* of the first side branch */

struct steti_draft {
    struct source_draft base;
};

static struct source_draft *base_of(struct steti_draft *d)
{
    return &d->base;
}

static stet_status tree_open(const struct steti_draft_limits *l, struct steti_draft **out,
                             stet_error *err)
{
    struct source_draft *d = NULL;
    stet_status st = source_draft_open(l, &d, err);
    *out = (struct steti_draft *)d;
    return st;
}

static void tree_close(struct steti_draft *d)
{
    source_draft_close(d != NULL ? base_of(d) : NULL);
}

static void tree_begin(struct steti_draft *d, const int32_t *src, int n)
{
    source_draft_begin(base_of(d), src, n);
}

/* The likelier a branch is, the more of it is worth its rows. */
static int longest_of(int branch, int budget)
{
    static const int longest[STETI_DRAFT_BRANCHES] = {0, SIDE_LENGTH, 16, 8};
    return branch == 0 || budget < longest[branch] ? budget : longest[branch];
}

static int tree_propose(struct steti_draft *d, int branch, int budget, int32_t *out)
{
    struct source_draft *b = base_of(d);
    int found = branch == 0 && reentry_branches(b, STETI_DRAFT_BRANCHES);
    int n = source_draft_propose(b, branch, longest_of(branch, budget), out);
    b->reentries += n > 0 && found && b->after_miss;
    return n;
}

static void tree_accept(struct steti_draft *d, const int32_t *emitted, int n, int branch,
                        int matched)
{
    source_draft_accept(base_of(d), emitted, n, branch, matched);
}

static int tree_reentries(const struct steti_draft *d)
{
    return d->base.reentries;
}

const struct steti_draft_ops steti_draft_tree = {
    .name = "tree",
    .about = "up to four places to go on at once: fewest passes, more rows in each",
    .n_side = STETI_DRAFT_BRANCHES - 1,
    .side_length = SIDE_LENGTH,
    .open = tree_open,
    .close = tree_close,
    .begin = tree_begin,
    .propose = tree_propose,
    .accept = tree_accept,
    .reentries = tree_reentries,
};
