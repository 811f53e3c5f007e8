/* respell.h - how a word goes on that the output has begun to write in another way than the source.
 * Private to host/draft.
 *
 * The two words are compared letter by letter, whatever their pieces are: a slip changes one place
 * of a word, and behind it both words are the same again. */
#ifndef STETI_RESPELL_H
#define STETI_RESPELL_H

#include "source_draft.h"

/* Fills b with the rest of the source's word, spelled anew, and then what follows the word. 0: the
 * output's word does not look like the source's. */
int respell(const struct source_draft *d, struct draft_branch *b);

/* The letters of the source's word word[0..n_word) that the begun word said[0..n_said) stands for,
 * or -1. All in lower case. mark_last: what was said last is a mark, not a letter or digit. */
int respell_align(const char *word, int n_word, const char *said, int n_said, int mark_last);

#endif
