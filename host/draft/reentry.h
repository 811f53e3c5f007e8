/* reentry.h - where in the source the output goes on after it left it. Private to host/draft.
 *
 * Two questions. Expectation: the model wrote token t where the source has token s; was s replaced,
 * was t inserted before it, or has the word only changed its ending? Search: do the last tokens of
 * the output stand in the source, near that place? */
#ifndef STETI_REENTRY_H
#define STETI_REENTRY_H

#include "source_draft.h"

/* Fills d->rest for the source that d has. Once for a sentence, so that a pass need not walk
 * through a word, which may be as long as the source. */
void reentry_read_source(struct source_draft *d);

/* Appends emitted[0..n) to the output, as far as there is room. */
void reentry_read_output(struct source_draft *d, const int32_t *emitted, int n);

/* Sets d->expected and d->second after the model emitted `id` where the source has position `at`
 * (at most n_src). */
void reentry_expect(struct source_draft *d, int at, int32_t id);

/* The same where a branch had a token of its own and would have gone on at `from`. */
void reentry_expect_own(struct source_draft *d, int from, int32_t id);

/* Fills the branches of this pass, the likeliest first, at most `most` (1 .. STETI_DRAFT_BRANCHES).
 * 1: the first begins where the last tokens of the output were found again. */
int reentry_branches(struct source_draft *d, int most);

#endif
