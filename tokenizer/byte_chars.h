/* byte_chars.h - the visible characters that byte-level vocabularies write bytes as: printable
 * Latin-1 stands for itself, the others, in order, are U+0100 and up. */
#ifndef STETI_BYTE_CHARS_H
#define STETI_BYTE_CHARS_H

#include <stddef.h>
#include <stdint.h>

uint32_t steti_byte_to_char(unsigned char byte);
int steti_char_to_byte(uint32_t cp); /* -1: no byte is written so */

/* Writes the bytes that s[0..n) stands for to out (room for n); 0 if it has other characters. */
int steti_chars_to_bytes(const char *s, size_t n, char *out, size_t *out_len);

#endif
