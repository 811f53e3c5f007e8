#include "base64.h"

#include <stdint.h>

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int steti_base64_decode(const char *s, size_t n, void *out, size_t *out_len)
{
    unsigned char *to = out;
    size_t padding = 0, len = 0;
    if (n % 4 != 0) {
        return 0;
    }
    while (padding < 2 && padding < n && s[n - 1 - padding] == '=') {
        padding++;
    }
    for (size_t i = 0; i < n; i += 4) {
        uint32_t bits = 0;
        size_t have = i + 4 == n ? 4 - padding : 4;
        for (size_t k = 0; k < 4; k++) {
            int d = k < have ? digit(s[i + k]) : 0;
            if (d < 0) {
                return 0;
            }
            bits = bits << 6 | (uint32_t)d;
        }
        for (size_t k = 0; k + 1 < have; k++) {
            to[len++] = (unsigned char)(bits >> (16 - 8 * k));
        }
    }
    *out_len = len;
    return 1;
}
