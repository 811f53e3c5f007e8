/* Several hypotheses at once. After a miss the source may go on behind the place where the last
 * tokens of the output occur, at the expected position, at the other of "replaced" and "inserted",
 * or one word further on; each is a branch of the same pass. The first branch is what `edit`
 * drafts. */
#include "reentry.h"

#define SIDE_LENGTH 16 /* longer side branches cost more rows than they save passes */

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

static void add_place(struct source_draft *d, int at)
{
    if (at < 0 || at >= d->n_src || d->n_places == STETI_DRAFT_BRANCHES) {
        return;
    }
    for (int i = 0; i < d->n_places; i++) {
        if (d->places[i] == at) {
            return;
        }
    }
    d->places[d->n_places++] = at;
}

/* The hypotheses of this pass, the likeliest first. 1: the first was found again after a miss. */
static int find_places(struct source_draft *d)
{
    int match = d->n_out == 0 ? 0 : reentry_search(d);
    d->n_places = 0;
    if (d->n_out == 0) {
        add_place(d, 0);
        return 0;
    }
    add_place(d, match);
    add_place(d, d->expected);
    add_place(d, d->second);
    add_place(d, d->expected < d->n_src ? reentry_next_word(d, d->expected) : d->n_src);
    add_place(d, d->expected - 1);
    add_place(d, d->expected + 1);
    return d->n_places > 0 && match >= 0 && d->after_miss;
}

static int tree_propose(struct steti_draft *d, int branch, int budget, int32_t *out)
{
    struct source_draft *b = base_of(d);
    int found = 0, n;
    if (branch == 0) {
        found = find_places(b);
    } else if (budget > SIDE_LENGTH) {
        budget = SIDE_LENGTH;
    }
    n = source_draft_copy(b, branch, branch < b->n_places ? b->places[branch] : -1, budget, out);
    b->reentries += n > 0 && found;
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
