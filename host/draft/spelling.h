/* spelling.h - words as text: from pieces to characters and back. Private to host/draft. */
#ifndef STETI_SPELLING_H
#define STETI_SPELLING_H

#include "draft.h"

#define SPELLING_WORD 32 /* bytes of the longest word that is looked at */

/* Writes the text of ids[0..n) to out[0..SPELLING_WORD), ASCII letters as they are, and returns its
 * length; -1 when it is longer, or when the text of a piece is not known. At most SPELLING_WORD
 * pieces are read. */
int spelling_read(const struct steti_draft_spelling *s, const int32_t *ids, int n, char *out);

/* Cuts text[0..len), the rest of a word, into pieces, at each place the longest that there is, and
 * returns how many; -1 when it cannot be done. out has room for len ids. */
int spelling_cut(const struct steti_draft_spelling *s, const char *text, int len, int32_t *out);

#endif
