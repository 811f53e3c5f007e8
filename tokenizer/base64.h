/* base64.h - RFC 4648, with padding, without line ends. */
#ifndef STETI_BASE64_H
#define STETI_BASE64_H

#include <stddef.h>

/* Writes at most n bytes to out. 0 if s[0..n) is not base64. */
int steti_base64_decode(const char *s, size_t n, void *out, size_t *out_len);

#endif
