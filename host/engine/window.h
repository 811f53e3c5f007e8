/* window.h - how many tokens to draft at once, chosen from what passes cost and what drafts are
 * worth.
 *
 * A pass over r rows takes some time, which depends on the device, the model and the load; a draft
 * of w tokens is worth its expected number of emitted tokens. Both are observed while decoding. The
 * window with the most emitted tokens per time wins: no limit where rows are nearly free, a few
 * tokens where the device is busy with other sentences already. Pure logic; nothing here changes a
 * token, only how many passes there are.
 */
#ifndef STETI_WINDOW_H
#define STETI_WINDOW_H

#include <stdint.h>

#define STETI_WINDOW_BUCKETS 24 /* of row counts: two for each power of two */
#define STETI_WINDOW_DEPTH 64   /* drafted tokens whose fate is counted one by one */

struct steti_window {
    int longest;                       /* never more */
    int tile;                          /* rows thought to cost about as much as one */
    double cost[STETI_WINDOW_BUCKETS]; /* ns of a pass; 0: not seen */
    double rows[STETI_WINDOW_BUCKETS]; /* its rows */
    /* Token i of a draft: how often the window allowed it, how often there was one; given that
     * those before it were right, how often it was looked at, how often right. */
    uint32_t allowed[STETI_WINDOW_DEPTH], drafted[STETI_WINDOW_DEPTH];
    uint32_t tried[STETI_WINDOW_DEPTH], right[STETI_WINDOW_DEPTH];
    uint32_t all_tried, all_right; /* at any depth: what is believed of depths seldom seen */
    double branching;              /* drafted rows of a pass for each one in the branch that won */
    uint32_t n_choices;
};

void steti_window_init(struct steti_window *w, int longest, int tile);

/* The window for a pass over n sentences, 0 .. longest. Now and then a neighbouring one, so that
 * its cost is known too. */
int steti_window_choose(struct steti_window *w, int n);

/* A pass had so many rows and took so long. */
void steti_window_observe_pass(struct steti_window *w, int rows, uint64_t ns);

/* What became of one sentence's draft: `best` tokens in the branch that won, `all` in all. */
struct steti_window_draft {
    int window, best, all, matched;
};
void steti_window_observe_draft(struct steti_window *w, const struct steti_window_draft *d);

#endif
