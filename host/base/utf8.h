/* utf8.h - strict UTF-8 (Unicode 15, RFC 3629): no overlong forms, no surrogates, nothing over
 * U+10FFFF. */
#ifndef STETI_UTF8_H
#define STETI_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at s (n > 0 bytes left). Returns its length 1..4 and sets *cp; on an
 * invalid sequence returns -k, where k >= 1 bytes form the maximal invalid subpart (to be replaced
 * by one U+FFFD), and sets *cp to 0xFFFD. */
int steti_utf8_decode(const char *s, size_t n, uint32_t *cp);

/* Writes 1..4 bytes to out; 0 for a surrogate or a value over U+10FFFF. */
int steti_utf8_encode(uint32_t cp, char out[4]);

/* Length of the longest valid prefix; equals n for valid text. */
size_t steti_utf8_valid_prefix(const char *s, size_t n);

/* Units of s: code points or UTF-16 code units. An invalid subpart counts as one unit. */
size_t steti_utf8_count(const char *s, size_t n);
size_t steti_utf8_count_utf16(const char *s, size_t n);

/* White_Space property of Unicode (U+0009..D, 20, 85, A0, 1680, 2000..200A, 2028, 2029, 202F, 205F,
 * 3000). */
int steti_cp_is_space(uint32_t cp);

#endif
