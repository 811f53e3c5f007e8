#include "sentences.h"

#include <string.h>

#include "alloc.h"
#include "sentence_rules.h"
#include "utf8.h"

void steti_spans_free(struct steti_spans *s)
{
    steti_free(s->data);
    memset(s, 0, sizeof *s);
}

static stet_status add_span(struct steti_spans *out, size_t begin, size_t end, stet_error *err)
{
    void *p = out->data;
    stet_status st = steti_grow(&p, &out->cap, out->len + 1, sizeof *out->data, err);
    out->data = p;
    if (st == STET_OK) {
        out->data[out->len++] = (struct steti_span){begin, end};
    }
    return st;
}

/* Code point at pos and its length in *n. */
static uint32_t peek(const char *text, size_t len, size_t pos, size_t *n)
{
    const struct steti_scan s = {.text = text, .end = len};
    return steti_scan_peek(&s, pos, n);
}

static int is_line_end(uint32_t cp)
{
    return (cp >= 0x0A && cp <= 0x0D) || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

/* Length of the line end at pos (CR LF is one), or 0. */
static size_t line_end_at(const char *text, size_t len, size_t pos)
{
    size_t n;
    uint32_t cp = peek(text, len, pos, &n);
    if (!is_line_end(cp)) {
        return 0;
    }
    return cp == '\r' && pos + 1 < len && text[pos + 1] == '\n' ? 2 : n;
}

/* Splits [begin, end), which begins and ends with something else than white space. */
static stet_status split_segment(const char *text, size_t begin, size_t end,
                                 struct steti_spans *out, stet_error *err)
{
    struct steti_scan s = {.text = text, .end = end, .begin = begin};
    size_t pos = begin;
    while (pos < end) {
        size_t n;
        int ends;
        uint32_t cp = steti_scan_peek(&s, pos, &n);
        if (!steti_is_stop(cp)) {
            s.quote_is_open ^= cp == '"';
            pos += n;
            continue;
        }
        pos = steti_stop_read(&s, pos, &ends);
        if (ends && pos < end) {
            STETI_TRY(add_span(out, s.begin, pos, err));
            pos = steti_scan_skip_space(&s, pos);
            s.begin = pos;
            s.quote_is_open = 0;
        }
    }
    return add_span(out, s.begin, end, err);
}

/* Reads lines and hands over trimmed segments: lines, or paragraphs between empty lines. */
static stet_status split_lines(const char *text, size_t len, enum steti_split mode,
                               struct steti_spans *out, stet_error *err)
{
    size_t begin = 0, end = 0; /* the segment so far; empty when begin == end */
    int line_is_empty = 1;
    for (size_t pos = 0; pos < len;) {
        size_t n;
        uint32_t cp = peek(text, len, pos, &n);
        if (is_line_end(cp)) {
            n = line_end_at(text, len, pos);
            if (begin < end && (mode == STETI_SPLIT_LINES || line_is_empty)) {
                STETI_TRY(split_segment(text, begin, end, out, err));
                begin = end;
            }
            line_is_empty = 1;
        } else if (!steti_cp_is_space(cp)) {
            begin = begin == end ? pos : begin;
            end = pos + n;
            line_is_empty = 0;
        }
        pos += n;
    }
    return begin < end ? split_segment(text, begin, end, out, err) : STET_OK;
}

static stet_status split_none(const char *text, size_t len, struct steti_spans *out,
                              stet_error *err)
{
    size_t begin = 0, end = 0;
    for (size_t pos = 0; pos < len;) {
        size_t n;
        if (!steti_cp_is_space(peek(text, len, pos, &n))) {
            begin = begin == end ? pos : begin;
            end = pos + n;
        }
        pos += n;
    }
    return begin < end ? add_span(out, begin, end, err) : STET_OK;
}

stet_status steti_sentences_split(const char *text, size_t len, enum steti_split mode,
                                  struct steti_spans *out, stet_error *err)
{
    size_t before = out->len;
    stet_status st = mode == STETI_SPLIT_NONE ? split_none(text, len, out, err)
                                              : split_lines(text, len, mode, out, err);
    if (st != STET_OK) {
        out->len = before;
    }
    return st;
}

size_t steti_sentences_safe_cut(const char *text, size_t len, enum steti_split mode)
{
    size_t cut = 0;
    int line_is_empty = 1;
    if (mode == STETI_SPLIT_NONE) {
        return 0;
    }
    for (size_t pos = 0; pos < len;) {
        size_t n;
        uint32_t cp = peek(text, len, pos, &n);
        if (is_line_end(cp)) {
            n = line_end_at(text, len, pos);
            if (mode == STETI_SPLIT_LINES || line_is_empty) {
                cut = pos + n;
            }
            line_is_empty = 1;
        } else if (!steti_cp_is_space(cp)) {
            line_is_empty = 0;
        }
        pos += n;
    }
    return cut;
}

/* 1 if a white-space character ends at pos (> 0). White space is one, two or three bytes long. */
static int space_ends_at(const char *text, size_t pos)
{
    for (size_t k = 1; k <= 3 && k <= pos; k++) {
        uint32_t cp;
        if (steti_utf8_decode(text + pos - k, k, &cp) == (int)k) {
            return steti_cp_is_space(cp);
        }
    }
    return 0;
}

/* Start of the code point or invalid subpart that pos lies inside of, or pos, and its length. */
static size_t unit_start(const char *text, size_t len, size_t pos, size_t *n)
{
    for (size_t k = 1; k <= 3 && k <= pos; k++) {
        peek(text, len, pos - k, n);
        if (*n > k) {
            return pos - k;
        }
    }
    *n = 0;
    return pos;
}

size_t steti_sentences_hard_cut(const char *text, size_t len, size_t target)
{
    size_t start, n;
    for (size_t pos = target; pos > 0 && pos >= target / 2; pos--) {
        if (space_ends_at(text, pos)) {
            return pos;
        }
    }
    start = unit_start(text, len, target, &n);
    if (start > 0) {
        return start;
    }
    if (n == 0 && len > 0) {
        peek(text, len, 0, &n); /* target 0: the first code point must go somewhere */
    }
    return n;
}
