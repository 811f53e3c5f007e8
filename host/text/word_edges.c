#include "word_edges.h"

#include "utf8.h"

static int is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

uint32_t steti_cp_before(const char *s, size_t pos, size_t *n)
{
    size_t len = 0;
    uint32_t cp = 0;
    for (size_t k = 1; k <= 4 && k <= pos && len == 0; k++) {
        if (!is_continuation(s[pos - k])) {
            len = steti_utf8_decode(s + pos - k, k, &cp) == (int)k ? k : 0;
            break;
        }
    }
    if (n != NULL) {
        *n = len;
    }
    return len > 0 ? cp : 0;
}

uint32_t steti_cp_after(const char *s, size_t len, size_t pos, size_t *n)
{
    uint32_t cp = 0;
    int k = pos < len ? steti_utf8_decode(s + pos, len - pos, &cp) : 0;
    if (n != NULL) {
        *n = k > 0 ? (size_t)k : 0;
    }
    return k > 0 ? cp : 0;
}

static int is_apostrophe(uint32_t cp)
{
    return cp == '\'' || cp == 0x2019;
}

static int is_ascii_word(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') || (cp >= 'a' && cp <= 'z');
}

static int is_word(uint32_t cp)
{
    if (cp < 0xC0) {
        return is_ascii_word(cp) || cp == 0xAA || cp == 0xB5 || cp == 0xBA;
    }
    if (cp == 0xD7 || cp == 0xF7 || (cp >= 0x2000 && cp <= 0x2BFF)) {
        return 0; /* signs, punctuation, symbols */
    }
    if (cp >= 0x2E00 && cp <= 0xABFF) {
        return 0; /* Chinese and Japanese, and what stands between */
    }
    return cp < 0xF900 || (cp >= 0xFB00 && cp < 0xFE00);
}

int steti_cp_joined(uint32_t left, uint32_t right)
{
    return (is_word(left) && (is_word(right) || is_apostrophe(right))) ||
           (is_apostrophe(left) && is_word(right));
}

int steti_is_word_edge(const char *s, size_t len, size_t pos)
{
    if (pos == 0 || pos >= len) {
        return 1;
    }
    return !is_continuation(s[pos]) &&
           !steti_cp_joined(steti_cp_before(s, pos, NULL), steti_cp_after(s, len, pos, NULL));
}

size_t steti_word_begin(const char *s, size_t pos, size_t lo)
{
    while (pos > lo) {
        size_t n, unused;
        uint32_t cp = steti_cp_before(s, pos, &n);
        if (n == 0 || n > pos - lo ||
            !(is_word(cp) ||
              (is_apostrophe(cp) && is_word(steti_cp_before(s, pos - n, &unused))))) {
            break;
        }
        pos -= n;
    }
    return pos;
}

size_t steti_word_end(const char *s, size_t pos, size_t hi)
{
    while (pos < hi) {
        size_t n;
        uint32_t cp = steti_cp_after(s, hi, pos, &n);
        if (n == 0 || !(is_word(cp) ||
                        (is_apostrophe(cp) && is_word(steti_cp_after(s, hi, pos + n, NULL))))) {
            break;
        }
        pos += n;
    }
    return pos;
}

size_t steti_skip_space(const char *s, size_t pos, size_t end)
{
    while (pos < end) {
        size_t n;
        if (!steti_cp_is_space(steti_cp_after(s, end, pos, &n)) || n == 0) {
            break;
        }
        pos += n;
    }
    return pos;
}

size_t steti_trim_space(const char *s, size_t begin, size_t pos)
{
    while (pos > begin) {
        size_t n;
        if (!steti_cp_is_space(steti_cp_before(s, pos, &n)) || n == 0 || n > pos - begin) {
            break;
        }
        pos -= n;
    }
    return pos;
}

size_t steti_find_space(const char *s, size_t pos, size_t end)
{
    while (pos < end) {
        size_t n;
        if (steti_cp_is_space(steti_cp_after(s, end, pos, &n)) && n > 0) {
            break;
        }
        pos += n > 0 ? n : 1;
    }
    return pos;
}
