/* The words of GPT-2's pattern
 *
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * by hand: a step a character, where a general matcher could go back. */
#include <string.h>

#include "hf.h"
#include "unicode_classes.h"
#include "utf8.h"

enum class { LETTER, NUMBER, SPACE, OTHER };

static enum class class_at(const char *s, size_t n, size_t *len) {
    uint32_t cp; int k = steti_utf8_decode(s, n, &cp); unsigned classes;
    *len = (size_t)(k > 0 ? k : -k); if (steti_cp_is_space(cp)){return SPACE;}
if (cp < 0x80)
{
    return (cp | 32) >= 'a' && (cp | 32) <= 'z' ? LETTER : cp >= '0' && cp <= '9' ? NUMBER : OTHER;
}
classes = steti_cp_classes(cp);
return (classes & STETI_CLASS_LETTER) != 0   ? LETTER
       : (classes & STETI_CLASS_NUMBER) != 0 ? NUMBER
                                             : OTHER;
}

/* 's, 't, 're, 've, 'm, 'll, 'd */
static size_t short_form(const char *s, size_t n)
{
    if (n < 2 || s[0] != '\'') {
        return 0;
    }
    if (strchr("stmd", s[1]) != NULL && s[1] != '\0') {
        return 2;
    }
    return n > 2 && (memcmp(s + 1, "re", 2) == 0 || memcmp(s + 1, "ve", 2) == 0 ||
                     memcmp(s + 1, "ll", 2) == 0)
               ? 3
               : 0;
}

/* A run of white space leaves its last character to the word after it; a single one stays. */
static size_t space_len(const char *s, size_t n)
{
    size_t len = 0, last = 0, k;
    while (len < n && class_at(s + len, n - len, &k) == SPACE) {
        last = len;
        len += k;
    }
    return len < n && last > 0 ? last : len;
}

size_t steti_gpt2_word(const char *s, size_t n)
{
    size_t len = short_form(s, n), k;
    enum class kind;
    if (len > 0) {
        return len;
    }
    len = s[0] == ' ' && n > 1 ? 1 : 0;
    kind = class_at(s + len, n - len, &k);
    if (kind == SPACE) {
        return space_len(s, n);
    }
    do {
        len += k;
    } while (len < n && class_at(s + len, n - len, &k) == kind);
    return len;
}
