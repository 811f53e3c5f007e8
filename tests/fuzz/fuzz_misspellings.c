/* Parses any bytes as a table of misspellings; one that is accepted must be sorted, find each of
 * its rows, and mend parts of the input. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "misspellings.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        __builtin_trap();
    }
}

/* A row, as the header file describes it. */
struct key {
    char s[STETI_MISSPELLING_MAX];
    size_t len;
};

static int is_before(const struct key *a, const struct key *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int c = memcmp(a->s, b->s, n);
    return c < 0 || (c == 0 && a->len < b->len);
}

/* What is found is the row's word, and text. */
static void check_found(const struct steti_misspellings *t, const struct key *k, uint32_t number)
{
    size_t len = 0, begin = 0;
    const char *word = steti_misspellings_find(t, k->s, k->len, &len);
    const uint8_t *end = t->word_ends + 4 * (size_t)number;
    require(word != NULL && len > 0 && len <= STETI_MISSPELLING_MAX);
    require(steti_utf8_valid_prefix(word, len) == len);
    if (number > 0) {
        begin =
            end[-4] | (uint32_t)end[-3] << 8 | (uint32_t)end[-2] << 16 | (uint32_t)end[-1] << 24;
    }
    require(word == (const char *)t->words + begin);
    require(len ==
            (end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 | (uint32_t)end[3] << 24) -
                begin);
}

static void check_rows(const struct steti_misspellings *t)
{
    struct key now = {.len = 0}, last;
    const uint8_t *p = t->rows;
    for (uint32_t i = 0; i < t->n_rows; i++) {
        size_t shared = i % 16 == 0 ? 0 : p[0] >> 4, rest = i % 16 == 0 ? p[0] : p[0] & 15u;
        last = now;
        memcpy(now.s + shared, p + 1, rest);
        now.len = shared + rest;
        p += 1 + rest;
        require(i == 0 || is_before(&last, &now));
        check_found(t, &now, p[0] | (uint32_t)p[1] << 8);
        p += 2;
    }
    require(p == t->rows + t->rows_len);
    if (now.len < STETI_MISSPELLING_MAX) { /* what is sorted behind all of them */
        size_t unused;
        now.s[now.len] = '\0';
        require(steti_misspellings_find(t, now.s, now.len + 1, &unused) == NULL);
    }
}

/* Room for all, for less, and what is mended once more: no word may grow over its bounds. */
static void check_mending(const struct steti_misspellings *t, const char *s, size_t n)
{
    static char room[1 << 16];
    for (int at_start = 0; at_start < 2; at_start++) {
        struct steti_mended all = {.data = room, .cap = sizeof room}, none = {.data = room};
        size_t changed = steti_misspellings_mend(t, s, n, at_start, &all), len = all.len;
        struct steti_mended exact = {.data = room, .cap = len};
        require(changed <= n && len <= sizeof room);
        if (changed > 0) {
            require(len != n || memcmp(room, s, n) != 0);
            require(steti_misspellings_mend(t, s, n, at_start, &exact) == changed);
            exact.cap = len - 1;
            require(steti_misspellings_mend(t, s, n, at_start, &exact) == 0);
            require(exact.len < len);
        }
        require(steti_misspellings_mend(t, s, n, at_start, &none) == 0 && none.len == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *s = (const char *)data;
    struct steti_misspellings t = {.n_rows = 0};
    if (size > 1 << 14 || steti_misspellings_parse(data, size, "fuzz", &t, NULL) != STET_OK) {
        return 0;
    }
    check_rows(&t);
    check_mending(&t, s, size);
    check_mending(&t, (const char *)t.words, t.words_len);
    check_mending(&t, (const char *)t.rows, t.rows_len);
    for (size_t at = 0; at < size; at += 1 + size / 64) {
        size_t n;
        steti_misspellings_find(&t, s + at, size - at < 300 ? size - at : 300, &n);
        check_mending(&t, s + at, size - at < 64 ? size - at : 64);
    }
    return 0;
}
