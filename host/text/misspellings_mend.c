/* Where the words of a sentence are that a table of misspellings is asked for. */
#include <string.h>

#include "misspellings.h"
#include "word_edges.h"

static int is_one_of(uint32_t cp, const uint32_t *list)
{
    while (*list != 0 && *list != cp) {
        list++;
    }
    return *list != 0;
}

static int may_lead(uint32_t cp)
{
    static const uint32_t list[] = {'"', '\'', '`',    '(',    '[',  '{',
                                    '<', '*',  0x2018, 0x201C, 0xAB, 0};
    return is_one_of(cp, list);
}

static int may_trail(uint32_t cp)
{
    static const uint32_t list[] = {'"', '\'', '`', ')', ']',    '}',    '>',  '*',    ',', '.',
                                    ';', ':',  '!', '?', 0x2019, 0x201D, 0xBB, 0x2026, 0};
    return is_one_of(cp, list);
}

/* One sentence on its way to another. */
struct mending {
    const struct steti_misspellings *table;
    const char *s;
    struct steti_mended *out;
    size_t n_changed;
    int is_full;
};

static void put(struct mending *m, const char *s, size_t n)
{
    m->is_full |= n > m->out->cap - m->out->len;
    if (!m->is_full && n > 0) {
        memcpy(m->out->data + m->out->len, s, n);
        m->out->len += n;
    }
}

static int is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Puts a word in place of s[0 .. n); in place of one that had to be made small, with a capital. */
static void put_meant(struct mending *m, const char *s, size_t n, const char *word, size_t len,
                      int was_capital)
{
    char first = word[0];
    if (was_capital && is_small(first)) {
        first = (char)(first - 'a' + 'A');
    }
    m->n_changed += len != n || first != s[0] || memcmp(word + 1, s + 1, n - 1) != 0;
    put(m, &first, 1);
    put(m, word + 1, len - 1);
}

/* Puts s[begin, end), which has neither white space nor a hyphen, as it should be. */
static void put_word(struct mending *m, size_t begin, size_t end, int is_first)
{
    char small[STETI_MISSPELLING_MAX];
    size_t n = end - begin, len = 0;
    const char *s = m->s + begin, *word = NULL;
    int was_capital = 0;
    if (n <= STETI_MISSPELLING_MAX) {
        word = steti_misspellings_find(m->table, s, n, &len);
    }
    if (word == NULL && is_first && n > 0 && n <= STETI_MISSPELLING_MAX && is_capital(s[0])) {
        memcpy(small, s, n);
        small[0] = (char)(s[0] - 'A' + 'a');
        word = steti_misspellings_find(m->table, small, n, &len);
        was_capital = 1;
    }
    if (word != NULL) {
        put_meant(m, s, n, word, len, was_capital);
    } else {
        put(m, s, n);
    }
}

/* 1 if all parts between hyphens are words: else one goes on elsewhere, or it is a dash, or an
 * address of a page, a file or a person. */
static int has_whole_parts(const char *s, size_t begin, size_t end)
{
    if (begin == end || s[begin] == '-' || s[end - 1] == '-') {
        return 0;
    }
    for (const char *sign = "/@._\\"; *sign != '\0'; sign++) {
        if (memchr(s + begin, *sign, end - begin) != NULL) {
            return 0;
        }
    }
    return end - begin < 2 || memmem(s + begin, end - begin, "--", 2) == NULL;
}

/* Puts what stands between two white spaces. */
static void put_chunk(struct mending *m, size_t begin, size_t end, int is_first)
{
    size_t from = begin, to = end, n;
    while (from < to && may_lead(steti_cp_after(m->s, to, from, &n))) {
        from += n;
    }
    while (to > from && may_trail(steti_cp_before(m->s, to, &n))) {
        to -= n;
    }
    put(m, m->s + begin, from - begin);
    if (!has_whole_parts(m->s, from, to)) {
        put(m, m->s + from, end - from);
        return;
    }
    for (size_t at = from; at < to;) {
        const char *hyphen = memchr(m->s + at, '-', to - at);
        size_t stop = hyphen != NULL ? (size_t)(hyphen - m->s) : to;
        put_word(m, at, stop, is_first && at == from);
        put(m, "-", hyphen != NULL);
        at = stop + (hyphen != NULL);
    }
    put(m, m->s + to, end - to);
}

size_t steti_misspellings_mend(const struct steti_misspellings *t, const char *s, size_t n,
                               int at_start, struct steti_mended *out)
{
    struct mending m = {.table = t, .s = s, .out = out};
    int is_first = at_start;
    out->len = 0;
    if (t->n_rows == 0) {
        return 0;
    }
    for (size_t at = 0; at < n && !m.is_full;) {
        size_t begin = steti_skip_space(s, at, n), end = steti_find_space(s, begin, n);
        put(&m, s + at, begin - at);
        if (end > begin) {
            put_chunk(&m, begin, end, is_first);
            is_first = 0;
        }
        at = end;
    }
    return m.is_full ? 0 : m.n_changed;
}
