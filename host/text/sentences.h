/* sentences.h - finds English sentences in any text. Rules, no model; linear in the text.
 *
 * Between the spans stands white space only (Unicode White_Space), and spans never begin or end
 * with it: text outside the spans is passed through untouched. Invalid UTF-8 and NUL bytes are
 * ordinary, non-space bytes.
 */
#ifndef STETI_SENTENCES_H
#define STETI_SENTENCES_H

#include <stddef.h>

#include "status.h"

struct steti_span {
    size_t begin, end; /* bytes */
};
struct steti_spans {
    struct steti_span *data;
    size_t len, cap;
};
void steti_spans_free(struct steti_spans *s);

enum steti_split {
    /* every line end (LF, CR, CRLF, U+2028, U+2029, FF, VT, NEL) ends a sentence */
    STETI_SPLIT_LINES,
    /* a single line end is white space; an empty line (white space only) ends a sentence */
    STETI_SPLIT_WRAPPED,
    STETI_SPLIT_NONE /* the whole text, trimmed, is one span */
};

/* Appends the sentences of text[0..len) to out. */
stet_status steti_sentences_split(const char *text, size_t len, enum steti_split mode,
                                  struct steti_spans *out, stet_error *err);

/* For streaming: the largest n <= len such that text[0..n) can be split on its own with the same
 * result as inside a longer text: after a line end (LINES) or an empty line (WRAPPED). 0 when there
 * is none. */
size_t steti_sentences_safe_cut(const char *text, size_t len, enum steti_split mode);

/* A place to cut a long span [0..len) near `target` bytes (target < len): after white space if
 * there is one in [target / 2, target], else at a code point boundary. Always in 1 .. len - 1 for
 * len >= 8. */
size_t steti_sentences_hard_cut(const char *text, size_t len, size_t target);

#endif
