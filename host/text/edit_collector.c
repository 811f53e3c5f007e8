#include "edit_collector.h"

#include <string.h>

#include "alloc.h"
#include "word_edges.h"

/* Takes equal words and equal punctuation from both ends. */
static void trim(const char *src, struct steti_replacement *r)
{
    const char *s = src + r->begin;
    size_t n = r->end - r->begin, k = 0;
    size_t most = n < r->len ? n : r->len;
    while (k < most && s[k] == r->text[k]) {
        k++;
    }
    while (k > 0 && !(steti_is_word_edge(s, n, k) && steti_is_word_edge(r->text, r->len, k))) {
        k--;
    }
    r->begin += k;
    r->text += k;
    r->len -= k;
    s += k;
    n -= k;
    most -= k;
    k = 0;
    while (k < most && s[n - 1 - k] == r->text[r->len - 1 - k]) {
        k++;
    }
    while (k > 0 &&
           !(steti_is_word_edge(s, n, n - k) && steti_is_word_edge(r->text, r->len, r->len - k))) {
        k--;
    }
    r->end -= k;
    r->len -= k;
}

/* Where the word begins that r changes at its left edge, before or after the change. */
static size_t widen_left(const struct steti_edit_collector *c, const struct steti_replacement *r,
                         size_t lo)
{
    uint32_t left = steti_cp_before(c->src, r->begin, NULL);
    uint32_t before = steti_cp_after(c->src, c->src_len, r->begin, NULL);
    uint32_t after = r->len > 0 ? steti_cp_after(r->text, r->len, 0, NULL)
                                : steti_cp_after(c->src, c->src_len, r->end, NULL);
    if (!steti_cp_joined(left, before) && !steti_cp_joined(left, after)) {
        return r->begin;
    }
    return steti_word_begin(c->src, r->begin, lo);
}

/* The same for the right edge of the open edit. */
static size_t widen_right(const struct steti_edit_collector *c, size_t hi)
{
    const struct steti_buf *text = &c->out->text;
    uint32_t right = steti_cp_after(c->src, c->src_len, c->end, NULL);
    uint32_t before = steti_cp_before(c->src, c->end, NULL);
    uint32_t after = text->len > c->text_begin ? steti_cp_before(text->data + c->text_begin,
                                                                 text->len - c->text_begin, NULL)
                                               : steti_cp_before(c->src, c->begin, NULL);
    if (!steti_cp_joined(before, right) && !steti_cp_joined(after, right)) {
        return c->end;
    }
    return steti_word_end(c->src, c->end, hi);
}

static stet_status append_source(struct steti_edit_collector *c, size_t begin, size_t end)
{
    return steti_buf_append(&c->out->text, c->src + begin, end - begin, c->err);
}

static int changes_nothing(const struct steti_edit_collector *c)
{
    const struct steti_buf *text = &c->out->text;
    size_t n = text->len - c->text_begin;
    return n == c->end - c->begin &&
           (n == 0 || memcmp(text->data + c->text_begin, c->src + c->begin, n) == 0);
}

static stet_status close_edit(struct steti_edit_collector *c, size_t end)
{
    struct steti_edits *out = c->out;
    void *p = out->data;
    stet_status st;
    c->is_open = 0;
    STETI_TRY(append_source(c, c->end, end));
    c->end = end;
    if (c->is_unknown || changes_nothing(c)) {
        out->text.len = c->text_begin;
        return STET_OK;
    }
    st = steti_grow(&p, &out->cap, out->len + 1, sizeof *out->data, c->err);
    out->data = p;
    if (st == STET_OK) {
        out->data[out->len++] = (struct steti_edit){
            c->base + c->begin, c->base + c->end, c->text_begin,
            out->text.len,      c->out_first,     c->out_last,
        };
    }
    return st;
}

static stet_status open_edit(struct steti_edit_collector *c, const struct steti_replacement *r,
                             size_t begin)
{
    c->is_open = 1;
    c->is_unknown = r->is_unknown;
    c->begin = begin;
    c->text_begin = c->out->text.len;
    c->out_first = r->out_first;
    return append_source(c, begin, r->begin);
}

stet_status steti_collect(struct steti_edit_collector *c, const struct steti_replacement *r)
{
    struct steti_replacement t = *r;
    size_t begin, end;
    /* White space at the end of the text may have been given up twice. */
    t.begin = t.begin < c->end ? c->end : t.begin;
    t.end = t.end < t.begin ? t.begin : t.end;
    trim(c->src, &t);
    if (t.begin == t.end && t.len == 0) {
        return STET_OK;
    }
    begin = widen_left(c, &t, c->is_open ? c->end : 0);
    end = c->is_open ? widen_right(c, begin) : 0;
    if (c->is_open && end >= begin) {
        c->is_unknown |= t.is_unknown;
        STETI_TRY(append_source(c, c->end, t.begin));
    } else {
        if (c->is_open) {
            STETI_TRY(close_edit(c, end));
        }
        STETI_TRY(open_edit(c, &t, begin));
    }
    c->end = t.end;
    c->out_last = t.out_last;
    return steti_buf_append(&c->out->text, t.text, t.len, c->err);
}

stet_status steti_collect_finish(struct steti_edit_collector *c)
{
    return c->is_open ? close_edit(c, widen_right(c, c->src_len)) : STET_OK;
}
