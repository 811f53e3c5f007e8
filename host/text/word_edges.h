/* word_edges.h - where words begin and end, for edits that a reader sees. */
#ifndef STETI_WORD_EDGES_H
#define STETI_WORD_EDGES_H

#include <stddef.h>
#include <stdint.h>

/* Code point that ends at pos or begins at pos; 0 at the edge of the text and for invalid bytes.
 * *n (may be NULL) is its length. */
uint32_t steti_cp_before(const char *s, size_t pos, size_t *n);
uint32_t steti_cp_after(const char *s, size_t len, size_t pos, size_t *n);

/* 1 if the two code points, side by side, are inside one word: letters and digits, and apostrophes
 * next to them. Scripts written without spaces have no words in this sense. */
int steti_cp_joined(uint32_t left, uint32_t right);

/* 1 if s can be cut at pos without cutting a code point or a word. */
int steti_is_word_edge(const char *s, size_t len, size_t pos);

/* The word around pos, as far as it goes without passing lo or hi. An apostrophe belongs to a word
 * only between letters. */
size_t steti_word_begin(const char *s, size_t pos, size_t lo);
size_t steti_word_end(const char *s, size_t pos, size_t hi);

/* First byte at or after pos that is not white space; byte after the last one before pos. */
size_t steti_skip_space(const char *s, size_t pos, size_t end);
size_t steti_trim_space(const char *s, size_t begin, size_t pos);
/* First white space at or after pos, or end. */
size_t steti_find_space(const char *s, size_t pos, size_t end);

#endif
