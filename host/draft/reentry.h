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

/* Sets d->expected and d->second after the model emitted `id` where the source has position `at`
 * (at most n_src). */
void reentry_expect(struct source_draft *d, int at, int32_t id);

/* Source position behind the best occurrence of the last 4, else 3, 2, 1 tokens of the output, or
 * -1. Nearest to the expected position; a single token must be near to count. */
int reentry_search(const struct source_draft *d);

/* The next position after `at` (>= 0) that begins a word, at most n_src. */
int reentry_next_word(const struct source_draft *d, int at);

#endif
