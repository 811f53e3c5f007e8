#include "unicode_classes.h"

#include "unicode_table.h"
#include "utf8.h"

#define ZWJ 0x200D

unsigned steti_cp_classes(uint32_t cp)
{
    size_t lo = 0, hi = sizeof class_starts / sizeof class_starts[0];
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (class_starts[mid] >> 11 <= cp) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return class_starts[lo] & 0x7FF;
}

enum hangul { NO_HANGUL, LEAD, VOWEL, TRAIL, LEAD_VOWEL, FULL };

static enum hangul hangul_of(uint32_t cp)
{
    if ((cp >= 0x1100 && cp < 0x1160) || (cp >= 0xA960 && cp < 0xA97D)) {
        return LEAD;
    }
    if ((cp >= 0x1160 && cp < 0x11A8) || (cp >= 0xD7B0 && cp < 0xD7C7)) {
        return VOWEL;
    }
    if ((cp >= 0x11A8 && cp < 0x1200) || (cp >= 0xD7CB && cp < 0xD7FC)) {
        return TRAIL;
    }
    if (cp >= 0xAC00 && cp < 0xD7A4) {
        return (cp - 0xAC00) % 28 == 0 ? LEAD_VOWEL : FULL;
    }
    return NO_HANGUL;
}

static int is_syllable(enum hangul a, enum hangul b)
{
    switch (a) {
    case LEAD:
        return b == LEAD || b == VOWEL || b == LEAD_VOWEL || b == FULL;
    case VOWEL:
    case LEAD_VOWEL:
        return b == VOWEL || b == TRAIL;
    case TRAIL:
    case FULL:
        return b == TRAIL;
    case NO_HANGUL:
    default:
        return 0;
    }
}

static int is_flag_half(uint32_t cp)
{
    return cp >= 0x1F1E6 && cp <= 0x1F1FF;
}

/* What the rules need to know of the characters so far. */
struct cluster {
    uint32_t last;
    unsigned classes; /* of the last one */
    int picture;      /* a picture and then only Extend; 2: and then ZWJ */
    int consonant;    /* a consonant and then only Extend and linkers; 2: with a linker */
    unsigned flag_halves;
};

static void add(struct cluster *c, uint32_t cp, unsigned classes)
{
    int extends = (classes & STETI_CLASS_EXTEND) != 0;
    if ((classes & STETI_CLASS_PICTURE) != 0) {
        c->picture = 1;
    } else if (cp == ZWJ && c->picture == 1) {
        c->picture = 2;
    } else if (!extends) {
        c->picture = 0;
    }
    if ((classes & STETI_CLASS_CONSONANT) != 0) {
        c->consonant = 1;
    } else if ((classes & STETI_CLASS_LINKER) != 0) {
        c->consonant = c->consonant != 0 ? 2 : 0;
    } else if (!extends && cp != ZWJ) {
        c->consonant = 0;
    }
    c->flag_halves = is_flag_half(cp) ? c->flag_halves + 1 : 0;
    c->last = cp;
    c->classes = classes;
}

static int continues(const struct cluster *c, uint32_t cp, unsigned classes)
{
    if ((c->classes & STETI_CLASS_CONTROL) != 0 || (classes & STETI_CLASS_CONTROL) != 0) {
        return c->last == '\r' && cp == '\n';
    }
    if (cp == ZWJ || (classes & (STETI_CLASS_EXTEND | STETI_CLASS_SPACING)) != 0 ||
        (c->classes & STETI_CLASS_PREPEND) != 0) {
        return 1;
    }
    return (c->picture == 2 && (classes & STETI_CLASS_PICTURE) != 0) ||
           (c->consonant == 2 && (classes & STETI_CLASS_CONSONANT) != 0) ||
           (is_flag_half(cp) && c->flag_halves % 2 == 1) ||
           is_syllable(hangul_of(c->last), hangul_of(cp));
}

size_t steti_cluster_len(const char *s, size_t n)
{
    struct cluster c = {0, 0, 0, 0, 0};
    size_t pos = 0;
    while (pos < n) {
        uint32_t cp;
        int k = steti_utf8_decode(s + pos, n - pos, &cp);
        unsigned classes;
        if (pos > 0 && cp < 0x80 && cp != '\n' && (c.classes & STETI_CLASS_PREPEND) == 0) {
            break; /* what nearly every character comes to */
        }
        classes = steti_cp_classes(cp);
        if (pos > 0 && !continues(&c, cp, classes)) {
            break;
        }
        add(&c, cp, classes);
        pos += (size_t)(k > 0 ? k : -k);
    }
    return pos;
}
