#include "byte_chars.h"

#include "utf8.h"

/* Bytes that do not stand for themselves: 0 .. 32, 127 .. 160, 173. */
uint32_t steti_byte_to_char(unsigned char byte)
{
    if (byte <= 32) {
        return 0x100u + byte;
    }
    if (byte >= 127 && byte <= 160) {
        return 0x100u + 33 + (byte - 127u);
    }
    return byte == 173 ? 0x100u + 67 : byte;
}

int steti_char_to_byte(uint32_t cp)
{
    if (cp < 0x100) {
        return steti_byte_to_char((unsigned char)cp) == cp ? (int)cp : -1;
    }
    if (cp <= 0x100 + 32) {
        return (int)(cp - 0x100);
    }
    if (cp < 0x100 + 67) {
        return (int)(cp - 0x100 - 33 + 127);
    }
    return cp == 0x100 + 67 ? 173 : -1;
}

int steti_chars_to_bytes(const char *s, size_t n, char *out, size_t *out_len)
{
    size_t len = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int k = steti_utf8_decode(s + i, n - i, &cp);
        int byte = k > 0 ? steti_char_to_byte(cp) : -1;
        if (byte < 0) {
            return 0;
        }
        out[len++] = (char)byte;
        i += (size_t)k;
    }
    *out_len = len;
    return 1;
}
