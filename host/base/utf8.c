#include "utf8.h"

/* Smallest and largest second byte that may follow a lead byte (Unicode 15, table 3-7). */
static void second_byte_range(unsigned char lead, unsigned char *lo, unsigned char *hi)
{
    *lo = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *hi = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
}

static int sequence_length(unsigned char lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return 2;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        return 3;
    }
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

int steti_utf8_decode(const char *s, size_t n, uint32_t *cp)
{
    unsigned char c = (unsigned char)s[0];
    int len = sequence_length(c);
    unsigned char lo, hi;
    uint32_t v;
    *cp = 0xFFFD;
    if (len == 1) {
        *cp = c;
        return 1;
    }
    if (len == 0) {
        return -1;
    }
    v = c & (0x7Fu >> len);
    second_byte_range(c, &lo, &hi);
    for (int i = 1; i < len; i++) {
        unsigned char d = (size_t)i < n ? (unsigned char)s[i] : 0;
        if (d < lo || d > hi) {
            return -i;
        }
        v = v << 6 | (d & 0x3F);
        lo = 0x80;
        hi = 0xBF;
    }
    *cp = v;
    return len;
}

int steti_utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        if (cp >= 0xD800 && cp <= 0xDFFF) {
            return 0;
        }
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    if (cp > 0x10FFFF) {
        return 0;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t steti_utf8_valid_prefix(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint32_t cp;
        int k = steti_utf8_decode(s + i, n - i, &cp);
        if (k < 0) {
            break;
        }
        i += (size_t)k;
    }
    return i;
}

static size_t count_units(const char *s, size_t n, int utf16)
{
    size_t units = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int k = steti_utf8_decode(s + i, n - i, &cp);
        units += utf16 && cp > 0xFFFF ? 2 : 1;
        i += (size_t)(k < 0 ? -k : k);
    }
    return units;
}

size_t steti_utf8_count(const char *s, size_t n)
{
    return count_units(s, n, 0);
}

size_t steti_utf8_count_utf16(const char *s, size_t n)
{
    return count_units(s, n, 1);
}

int steti_cp_is_space(uint32_t cp)
{
    if (cp <= 0x20) {
        return cp == 0x20 || (cp >= 0x09 && cp <= 0x0D);
    }
    switch (cp) {
    case 0x85:
    case 0xA0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202F:
    case 0x205F:
    case 0x3000:
        return 1;
    default:
        return cp >= 0x2000 && cp <= 0x200A;
    }
}
