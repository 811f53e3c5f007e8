#include "sentence_rules.h"

#include "abbreviations.h"
#include "utf8.h"

/* Farther than this nobody looks: keeps the work linear on hostile text. */
#define LONGEST_WORD 24
#define MOST_OPENERS 8

enum letter_class { LOWER, UPPER, DIGIT, COMMA, OTHER };

struct stop {
    size_t begin, end;
    int count;     /* stop characters */
    int is_period; /* all that was seen is one '.' */
    int is_cjk;    /* needs no white space after it */
};

struct next_word {
    enum letter_class kind;
    size_t begin;
};

uint32_t steti_scan_peek(const struct steti_scan *s, size_t pos, size_t *len)
{
    uint32_t cp;
    int k = steti_utf8_decode(s->text + pos, s->end - pos, &cp);
    *len = (size_t)(k < 0 ? -k : k);
    return cp;
}

size_t steti_scan_skip_space(const struct steti_scan *s, size_t pos)
{
    while (pos < s->end) {
        size_t n;
        if (!steti_cp_is_space(steti_scan_peek(s, pos, &n))) {
            break;
        }
        pos += n;
    }
    return pos;
}

/* ---- Characters ------------------------------------------------------------------------------ */

static int is_cjk_stop(uint32_t cp)
{
    return cp == 0x3002 || cp == 0xFF01 || cp == 0xFF1F || cp == 0xFF61;
}

int steti_is_stop(uint32_t cp)
{
    return cp == '.' || cp == '!' || cp == '?' || cp == 0x2026 || cp == 0x203C ||
           (cp >= 0x2047 && cp <= 0x2049) || cp == 0x203D || is_cjk_stop(cp);
}

static int is_closer(uint32_t cp)
{
    switch (cp) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case '}':
    case 0x00BB: /* right angle quotes */
    case 0x203A:
    case 0x2019: /* right quotes */
    case 0x201D:
    case 0x3009: /* CJK brackets */
    case 0x300B:
    case 0x300D:
    case 0x300F:
    case 0x3011:
    case 0xFF09:
        return 1;
    default:
        return 0;
    }
}

/* What may stand before the first word of a sentence. */
static int is_opener(uint32_t cp)
{
    switch (cp) {
    case '"':
    case '\'':
    case '`':
    case '(':
    case '[':
    case '{':
    case '-':
    case '*':
    case '_':
    case 0x00A1: /* inverted marks of Spanish */
    case 0x00BF:
    case 0x00AB: /* left angle quotes */
    case 0x2039:
    case 0x2018: /* left quotes */
    case 0x201A:
    case 0x201C:
    case 0x201E:
    case 0x2022: /* bullet */
        return 1;
    default:
        return (cp >= 0x2010 && cp <= 0x2015) || steti_is_stop(cp);
    }
}

/* Latin, Greek and Cyrillic blocks where case alternates or lies in ranges. Letters without case
 * count as capitals: they may begin a sentence. */
static enum letter_class class_beyond_ascii(uint32_t cp)
{
    if (cp < 0xC0) {
        return cp == 0xAA || cp == 0xB5 || cp == 0xBA ? LOWER : OTHER;
    }
    if (cp < 0x100) {
        return cp == 0xD7 || cp == 0xF7 ? OTHER : cp >= 0xDF ? LOWER : UPPER;
    }
    if (cp < 0x180) {
        int odd_is_capital = (cp >= 0x139 && cp <= 0x148) || cp >= 0x179;
        return (int)(cp & 1) == odd_is_capital || cp == 0x178 ? UPPER : LOWER;
    }
    if ((cp >= 0x3AC && cp <= 0x3CE) || (cp >= 0x430 && cp <= 0x45F)) {
        return LOWER;
    }
    return cp >= 0x2000 && cp < 0x2C00 ? OTHER : UPPER;
}

static enum letter_class class_of(uint32_t cp)
{
    if (cp >= 0x80) {
        return cp == 0xFFFD ? OTHER : class_beyond_ascii(cp);
    }
    if (cp >= 'a' && cp <= 'z') {
        return LOWER;
    }
    if (cp >= 'A' && cp <= 'Z') {
        return UPPER;
    }
    if (cp == ',' || cp == ';' || cp == ':') {
        return COMMA;
    }
    return cp >= '0' && cp <= '9' ? DIGIT : OTHER;
}

/* ---- Where the stop ends --------------------------------------------------------------------- */

/* White space or the end at pos. */
static int at_gap(const struct steti_scan *s, size_t pos)
{
    size_t n;
    return pos >= s->end || steti_cp_is_space(steti_scan_peek(s, pos, &n));
}

/* 1 if the stops at pos stand alone, as in tokenised text: ". . ." but not ".NET". */
static int is_lone_stop(const struct steti_scan *s, size_t pos)
{
    size_t n = 0;
    uint32_t cp = 0;
    while (pos < s->end && steti_is_stop(cp = steti_scan_peek(s, pos, &n))) {
        pos += n;
    }
    return at_gap(s, pos) || is_closer(cp);
}

/* 1 if what stands alone at pos closes: a bracket, '' or a quote that is open. */
static int is_lone_closer(const struct steti_scan *s, size_t pos)
{
    size_t n;
    uint32_t cp = steti_scan_peek(s, pos, &n);
    if (cp == '\'') {
        return pos + 1 < s->end && s->text[pos + 1] == '\'' && at_gap(s, pos + 2);
    }
    if (cp == '"') {
        return s->quote_is_open && at_gap(s, pos + n);
    }
    return is_closer(cp) && cp != 0x2019 && at_gap(s, pos + n);
}

static void read_stop_end(struct steti_scan *s, struct stop *stop)
{
    size_t pos = stop->begin;
    while (pos < s->end) {
        size_t n;
        uint32_t cp = steti_scan_peek(s, pos, &n);
        if (steti_is_stop(cp)) {
            stop->count++;
            stop->is_period = stop->count == 1 && cp == '.';
            stop->is_cjk = is_cjk_stop(cp);
            pos += n;
        } else if (is_closer(cp)) {
            s->quote_is_open ^= cp == '"';
            pos += n;
        } else {
            size_t q = steti_scan_skip_space(s, pos);
            if (q == pos || q >= s->end) {
                break;
            }
            if (!is_lone_closer(s, q) &&
                !(steti_is_stop(steti_scan_peek(s, q, &n)) && is_lone_stop(s, q))) {
                break;
            }
            pos = q;
        }
    }
    stop->end = pos;
}

/* ---- Does it end the sentence? --------------------------------------------------------------- */

static struct next_word find_next_word(const struct steti_scan *s, size_t pos)
{
    struct next_word w = {OTHER, pos};
    for (int i = 0; i < MOST_OPENERS && w.begin < s->end; i++) {
        size_t n;
        uint32_t cp = steti_scan_peek(s, w.begin, &n);
        if (!is_opener(cp)) {
            w.kind = class_of(cp);
            break;
        }
        w.begin = steti_scan_skip_space(s, w.begin + n);
    }
    return w;
}

static int is_word_byte(char c)
{
    return (unsigned char)c < 0x80 && class_of((unsigned char)c) <= DIGIT;
}

/* First byte of the word of ASCII letters, digits and inner stops before `dot`; `dot` when there is
 * none, or when it is part of a compound or of a word with other letters. */
static size_t find_word_begin(const struct steti_scan *s, size_t dot)
{
    size_t w = dot;
    while (w > s->begin && (is_word_byte(s->text[w - 1]) || s->text[w - 1] == '.')) {
        if (dot - --w > LONGEST_WORD) {
            return dot;
        }
    }
    if (w >= s->begin + 2 &&
        (s->text[w - 1] == '-' || s->text[w - 1] == '&' || s->text[w - 1] == '/')) {
        return is_word_byte(s->text[w - 2]) ? dot : w; /* "Q&A", "I/O", "op-ed" */
    }
    if (w > s->begin && ((unsigned char)s->text[w - 1] & 0x80) != 0) {
        const unsigned char *p = (const unsigned char *)s->text + w;
        int is_nbsp = w >= 2 && p[-2] == 0xC2 && p[-1] == 0xA0;
        int is_punctuation = w >= 3 && p[-3] == 0xE2 && p[-2] == 0x80;
        return is_nbsp || is_punctuation ? w : dot;
    }
    return w;
}

/* "U.S", "a.m": single letters with stops between them. */
static int is_acronym(const char *w, size_t n)
{
    if (n < 3 || n % 2 == 0) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        enum letter_class c = class_of((unsigned char)w[i]);
        if (i % 2 == 0 ? c != LOWER && c != UPPER : w[i] != '.') {
            return 0;
        }
    }
    return 1;
}

/* "1", "12", "2.3", "a", "B", "iv": what numbers the points of a list. */
static int is_list_mark(const char *w, size_t n)
{
    size_t digits = 0, dots = 0, roman = 0;
    for (size_t i = 0; i < n; i++) {
        digits += class_of((unsigned char)w[i]) == DIGIT;
        dots += w[i] == '.';
        roman += w[i] == 'i' || w[i] == 'v' || w[i] == 'x';
    }
    if (digits + dots == n) {
        return dots > 0 || n <= 3;
    }
    return n == 1 || roman == n;
}

/* The pronoun ends a clause in "so do I."; the initial in "Thomas I." does not. */
static int is_pronoun_i(const struct steti_scan *s, size_t w)
{
    size_t before;
    if (s->text[w] != 'I' || w < s->begin + 2 || s->text[w - 1] != ' ') {
        return 0;
    }
    for (before = w - 1; before > s->begin && w - before <= LONGEST_WORD; before--) {
        if (!is_word_byte(s->text[before - 1])) {
            break;
        }
    }
    return class_of((unsigned char)s->text[before]) == LOWER;
}

static enum steti_abbreviation abbreviation_before(const struct steti_scan *s, size_t dot)
{
    size_t w = find_word_begin(s, dot), n = dot - w;
    const char *word = s->text + w;
    enum steti_abbreviation kind;
    if (n == 0) {
        return STETI_ABBR_NONE;
    }
    if (w == s->begin && is_list_mark(word, n)) {
        return STETI_ABBR_NEVER;
    }
    if (n == 1 && class_of((unsigned char)word[0]) == UPPER) {
        return is_pronoun_i(s, w) ? STETI_ABBR_NONE : STETI_ABBR_STARTER;
    }
    kind = steti_abbreviation_find(word, n);
    return kind == STETI_ABBR_NONE && is_acronym(word, n) ? STETI_ABBR_STARTER : kind;
}

static int begins_with_starter(const struct steti_scan *s, size_t pos)
{
    size_t e = pos;
    while (e < s->end && e - pos <= LONGEST_WORD && is_word_byte(s->text[e])) {
        e++;
    }
    if (e < s->end && s->text[e] == '.' && e - pos == 1) {
        return 0; /* an initial: "A." */
    }
    return steti_is_starter(s->text + pos, e - pos);
}

static int period_ends(const struct steti_scan *s, size_t dot, const struct next_word *next)
{
    switch (abbreviation_before(s, dot)) {
    case STETI_ABBR_NEVER:
        return 0;
    case STETI_ABBR_NUMBER:
        return next->kind != DIGIT;
    case STETI_ABBR_STARTER:
        return next->kind != UPPER || begins_with_starter(s, next->begin);
    case STETI_ABBR_DATE:
        return next->kind == UPPER && begins_with_starter(s, next->begin);
    case STETI_ABBR_NONE:
    default:
        return 1;
    }
}

/* A period between spaces is no part of an abbreviation; learners often go on in lower case. */
static int is_lone_period(const struct steti_scan *s, const struct stop *stop)
{
    return stop->is_period && stop->end == stop->begin + 1 && stop->begin > s->begin &&
           s->text[stop->begin - 1] == ' ';
}

static int stop_ends(const struct steti_scan *s, const struct stop *stop)
{
    size_t q = steti_scan_skip_space(s, stop->end);
    struct next_word next;
    if (q == stop->end || q >= s->end) {
        return q >= s->end || stop->is_cjk;
    }
    if (stop->is_cjk) {
        return 1;
    }
    next = find_next_word(s, q);
    if (next.kind == COMMA) {
        return 0;
    }
    if (next.kind == LOWER) {
        return is_lone_period(s, stop);
    }
    return !stop->is_period || period_ends(s, stop->begin, &next);
}

size_t steti_stop_read(struct steti_scan *s, size_t pos, int *ends)
{
    struct stop stop = {.begin = pos};
    read_stop_end(s, &stop);
    *ends = stop_ends(s, &stop);
    return stop.end;
}
