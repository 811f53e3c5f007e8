#include "edits.h"

#include <string.h>

#include "alloc.h"
#include "edit_collector.h"
#include "id_alignment.h"
#include "utf8.h"
#include "word_edges.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* what broken bytes are decoded to */

/* Decoded text with the end of every token's part. */
struct decoded {
    struct steti_buf text;
    uint32_t *ends;
};

struct extraction {
    const struct steti_edits_input *in;
    struct steti_edits_input mapped; /* *in without ids that the tokenizer does not know */
    int32_t *own_ids;
    int32_t *src_ids;
    int32_t *match; /* of every source piece: its output token, or -1 */
    struct decoded src, out;
    struct steti_buf scratch;
    struct steti_edit_collector collector;
    stet_error *err;
};

/* Source pieces [i0, i1) became output tokens [j0, j1). */
struct hunk {
    size_t i0, i1, j0, j1;
};

void steti_edits_free(struct steti_edits *e)
{
    steti_free(e->data);
    steti_buf_free(&e->text);
    memset(e, 0, sizeof *e);
}

/* ---- Aligning -------------------------------------------------------------------------------- */

/* Signs that show nothing, such as the zero-width space: tokenizers drop them or see spaces. */
static int is_invisible(uint32_t cp)
{
    return steti_cp_is_space(cp) || cp == 0x2581 || cp == 0xAD || cp == 0xFEFF || cp == 0x2060 ||
           (cp >= 0x200B && cp <= 0x200F);
}

static size_t count_visible(const char *s, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int k = steti_utf8_decode(s + i, n - i, &cp);
        count += !is_invisible(cp);
        i += (size_t)(k < 0 ? -k : k);
    }
    return count;
}

/* 1 if piece i may hold a part of the source character after it: normalising can make several
 * characters of one, and the last piece made of them has its bytes. Such pieces change together or
 * not at all. */
static int is_tied_to_next(const struct extraction *x, size_t i)
{
    const struct steti_piece *p = &x->in->pieces[i];
    size_t shown = count_visible(x->in->src + p->begin, p->end - p->begin);
    struct steti_piece_info info;
    if (p->id == steti_tokenizer_unk_id(x->in->tokenizer)) {
        return shown == 0;
    }
    steti_tokenizer_piece_info(x->in->tokenizer, p->id, &info);
    return count_visible(info.text, info.len) > shown;
}

/* 1 if something changes between pieces i - 1 and i. */
static int changes_before(const struct extraction *x, size_t i)
{
    int32_t a = x->match[i - 1], b = x->match[i];
    return a < 0 || b < 0 || b != a + 1;
}

static void untie(struct extraction *x, size_t i)
{
    if (changes_before(x, i) && is_tied_to_next(x, i - 1)) {
        x->match[i - 1] = -1;
        x->match[i] = -1;
    }
}

static stet_status align(struct extraction *x)
{
    const struct steti_edits_input *in = x->in;
    struct steti_ids a = {x->src_ids, in->n_pieces}, b = {in->out_ids, in->n_out};
    STETI_TRY(steti_ids_align(a, b, x->match, x->err));
    for (size_t i = 1; i < in->n_pieces; i++) {
        untie(x, i);
    }
    for (size_t i = in->n_pieces; i-- > 1;) {
        untie(x, i);
    }
    return STET_OK;
}

/* ---- Decoding -------------------------------------------------------------------------------- */

/* Ids behind the tokenizer's last piece (padding of the embedding table) stand for nothing. */
static stet_status map_padding(struct extraction *x)
{
    const struct steti_edits_input *in = x->in;
    int32_t pieces = steti_tokenizer_vocab_size(in->tokenizer);
    size_t j = 0;
    while (j < in->n_out && in->out_ids[j] >= 0 && in->out_ids[j] < pieces) {
        j++;
    }
    if (j == in->n_out) {
        return STET_OK;
    }
    x->own_ids = steti_malloc(in->n_out * sizeof *x->own_ids);
    if (x->own_ids == NULL) {
        return steti_fail_nomem(x->err, "finding the edits", in->n_out * sizeof *x->own_ids);
    }
    for (j = 0; j < in->n_out; j++) {
        int32_t id = in->out_ids[j];
        x->own_ids[j] = id >= 0 && id < pieces ? id : steti_tokenizer_unk_id(in->tokenizer);
    }
    x->mapped = *in;
    x->mapped.out_ids = x->own_ids;
    x->in = &x->mapped;
    return STET_OK;
}

static stet_status decode(struct extraction *x, const int32_t *ids, size_t n, struct decoded *d)
{
    d->ends = steti_calloc(n, sizeof *d->ends);
    if (d->ends == NULL) {
        return steti_fail_nomem(x->err, "finding the edits", n * sizeof *d->ends);
    }
    return steti_tokenizer_decode(x->in->tokenizer, ids, n, &d->text, d->ends, x->err);
}

static size_t token_begin(const struct decoded *d, size_t i)
{
    return i > 0 ? d->ends[i - 1] : 0;
}

static int token_leads_with_space(const struct extraction *x, size_t j)
{
    size_t begin = token_begin(&x->out, j), end = x->out.ends[j];
    return x->in->out_ids[j] != steti_tokenizer_unk_id(x->in->tokenizer) &&
           steti_skip_space(x->out.text.data, begin, end) > begin;
}

/* 1 if the output has the same normalised text as the source, only cut into other pieces. */
static int is_same_text(const struct extraction *x, const struct hunk *h)
{
    size_t a, b, n;
    if (h->i0 == h->i1 || h->j0 == h->j1) {
        return 0;
    }
    a = token_begin(&x->src, h->i0);
    b = token_begin(&x->out, h->j0);
    n = x->src.ends[h->i1 - 1] - a;
    return n == x->out.ends[h->j1 - 1] - b &&
           (n == 0 || memcmp(x->src.text.data + a, x->out.text.data + b, n) == 0);
}

/* 1 if the output cannot be written down: <unk>, or bytes that make no character. */
static int has_unknown(const struct extraction *x, const struct hunk *h)
{
    int32_t unk = steti_tokenizer_unk_id(x->in->tokenizer);
    size_t begin = token_begin(&x->out, h->j0);
    size_t end = h->j1 > h->j0 ? x->out.ends[h->j1 - 1] : begin;
    for (size_t j = h->j0; j < h->j1; j++) {
        if (x->in->out_ids[j] == unk) {
            return 1;
        }
    }
    return end > begin && memmem(x->out.text.data + begin, end - begin, REPLACEMENT, 3) != NULL;
}

/* ---- From hunks to replacements -------------------------------------------------------------- */

/* Keeps the source's white space at the end of the text. What is added there goes before it, except
 * after a space that the output has too. */
static void keep_last_space(const struct extraction *x, struct steti_replacement *r)
{
    const char *src = x->in->src;
    size_t text_end = steti_trim_space(src, 0, x->in->src_len);
    r->end = steti_trim_space(src, r->begin, r->end);
    r->len = steti_trim_space(r->text, 0, r->len);
    if (r->begin > text_end && r->len > 0) {
        size_t at = (size_t)(r->text - x->out.text.data);
        if (steti_trim_space(x->out.text.data, 0, at) == at) {
            r->begin = r->end = text_end;
        }
    }
}

/* Keeps the source's white space at the edges of the replacement where the output has some too. */
static void keep_outer_space(const struct extraction *x, const struct hunk *h,
                             struct steti_replacement *r)
{
    const char *src = x->in->src;
    size_t s = steti_skip_space(src, r->begin, r->end), t = steti_skip_space(r->text, 0, r->len);
    if (h->i0 == 0 || (s > r->begin && t > 0)) {
        r->begin = s;
        r->text += t;
        r->len -= t;
    }
    if (h->i1 == x->in->n_pieces) {
        keep_last_space(x, r);
        return;
    }
    s = steti_trim_space(src, r->begin, r->end);
    t = steti_trim_space(r->text, 0, r->len);
    if (s < r->end && t < r->len) {
        r->end = s;
        r->len = t;
    }
}

/* Spaces that part a replacement from its neighbours and that no token of it writes. */
struct added_space {
    int before, after;
};

/* The first word of a text has no space before it. When a word is put in front of it or taken away
 * there, the space that parts it from its new neighbour changes with it. */
static void fix_first_space(const struct extraction *x, const struct hunk *h,
                            struct steti_replacement *r, struct added_space *add)
{
    const char *src = x->in->src;
    const struct steti_piece *next;
    if (h->i0 > 0 || h->i1 == x->in->n_pieces || h->j1 == x->in->n_out) {
        return;
    }
    next = &x->in->pieces[h->i1];
    if (h->i1 == 0) {
        r->begin = r->end = steti_skip_space(src, next->begin, next->end);
        add->after = token_leads_with_space(x, h->j1);
    } else if (h->j1 == 0 && !token_leads_with_space(x, 0)) {
        r->end = steti_skip_space(src, r->end, next->end);
    }
}

/* The same at the end, for tokenizers whose words end with the mark. */
static void fix_last_space(const struct extraction *x, const struct hunk *h,
                           const struct steti_replacement *r, struct added_space *add)
{
    size_t before = token_begin(&x->out, h->j0);
    add->before = h->i0 == x->in->n_pieces && r->len > 0 && r->begin > 0 &&
                  steti_trim_space(x->in->src, 0, r->begin) == r->begin &&
                  steti_trim_space(x->out.text.data, 0, before) < before;
}

static size_t count_words(const char *s, size_t begin, size_t end)
{
    size_t n = 0;
    for (size_t i = steti_skip_space(s, begin, end); i < end; i = steti_skip_space(s, i, end)) {
        i = steti_find_space(s, i, end);
        n++;
    }
    return n;
}

/* Tokens of the hunk whose text lies in [begin, end) of the output. */
static void find_tokens(const struct extraction *x, const struct hunk *h, size_t begin, size_t end,
                        struct steti_replacement *r)
{
    size_t first = h->j0, last = h->j1;
    while (first < h->j1 && x->out.ends[first] <= begin) {
        first++;
    }
    while (last > first && token_begin(&x->out, last - 1) >= end) {
        last--;
    }
    r->out_first = (uint32_t)first;
    r->out_last = (uint32_t)last;
}

/* As many words before as after: each word is a replacement of its own, white space stays. */
static stet_status replace_words(struct extraction *x, const struct hunk *h,
                                 const struct steti_replacement *whole)
{
    const char *src = x->in->src;
    struct steti_replacement r = *whole;
    struct hunk rest = *h;
    size_t s = whole->begin, t = 0;
    while (s < whole->end) {
        size_t at = (size_t)(whole->text - x->out.text.data) + t;
        r.begin = s;
        r.end = steti_find_space(src, s, whole->end);
        r.text = whole->text + t;
        r.len = steti_find_space(whole->text, t, whole->len) - t;
        find_tokens(x, &rest, at, at + r.len, &r);
        rest.j0 = r.out_last > r.out_first ? r.out_last - 1 : r.out_first;
        STETI_TRY(steti_collect(&x->collector, &r));
        s = steti_skip_space(src, r.end, whole->end);
        t = steti_skip_space(whole->text, t + r.len, whole->len);
    }
    return STET_OK;
}

/* The n-th single space of the output becomes the n-th white space of the source. */
static stet_status replace_whole(struct extraction *x, const struct steti_replacement *whole,
                                 const struct added_space *add)
{
    const char *src = x->in->src;
    struct steti_replacement r = *whole;
    struct steti_buf *b = &x->scratch;
    size_t s = steti_skip_space(src, r.begin, r.end), t = 0;
    steti_buf_clear(b);
    if (add->before) {
        STETI_TRY(steti_buf_append(b, " ", 1, x->err));
    }
    while (t < r.len) {
        size_t gap = steti_find_space(r.text, t, r.len), next, gap_end;
        STETI_TRY(steti_buf_append(b, r.text + t, gap - t, x->err));
        next = steti_skip_space(r.text, gap, r.len);
        s = steti_find_space(src, s, r.end);
        gap_end = steti_skip_space(src, s, r.end);
        if (next - gap == 1 && gap > 0 && next < r.len && gap_end > s && gap_end < r.end) {
            STETI_TRY(steti_buf_append(b, src + s, gap_end - s, x->err));
        } else {
            STETI_TRY(steti_buf_append(b, r.text + gap, next - gap, x->err));
        }
        s = gap_end;
        t = next;
    }
    if (add->after) {
        STETI_TRY(steti_buf_append(b, " ", 1, x->err));
    }
    r.text = b->len > 0 ? b->data : "";
    r.len = b->len;
    return steti_collect(&x->collector, &r);
}

static stet_status replace_hunk(struct extraction *x, const struct hunk *h)
{
    const struct steti_edits_input *in = x->in;
    struct steti_replacement r = {.is_unknown = has_unknown(x, h)};
    size_t t = token_begin(&x->out, h->j0);
    struct added_space add = {0, 0};
    size_t words;
    if (is_same_text(x, h) && !r.is_unknown) {
        return STET_OK;
    }
    r.begin = h->i0 < in->n_pieces ? in->pieces[h->i0].begin : in->src_len;
    r.end = h->i1 > h->i0 ? in->pieces[h->i1 - 1].end : r.begin;
    r.text = x->out.text.len > 0 ? x->out.text.data + t : "";
    r.len = h->j1 > h->j0 ? x->out.ends[h->j1 - 1] - t : 0;
    r.out_first = (uint32_t)h->j0;
    r.out_last = (uint32_t)h->j1;
    keep_outer_space(x, h, &r);
    fix_first_space(x, h, &r, &add);
    fix_last_space(x, h, &r, &add);
    words = count_words(in->src, r.begin, r.end);
    if (words > 1 && !add.before && !add.after && words == count_words(r.text, 0, r.len) &&
        steti_skip_space(in->src, r.begin, r.end) == r.begin &&
        steti_trim_space(in->src, r.begin, r.end) == r.end &&
        steti_skip_space(r.text, 0, r.len) == 0 && steti_trim_space(r.text, 0, r.len) == r.len) {
        return replace_words(x, h, &r);
    }
    return replace_whole(x, &r, &add);
}

static stet_status replace_all(struct extraction *x)
{
    const struct steti_edits_input *in = x->in;
    size_t i = 0, j = 0;
    while (i < in->n_pieces || j < in->n_out) {
        struct hunk h = {i, i, j, j};
        if (i < in->n_pieces && x->match[i] == (int32_t)j) {
            i++;
            j++;
            continue;
        }
        while (h.i1 < in->n_pieces && x->match[h.i1] < 0) {
            h.i1++;
        }
        h.j1 = h.i1 < in->n_pieces ? (size_t)x->match[h.i1] : in->n_out;
        STETI_TRY(replace_hunk(x, &h));
        i = h.i1;
        j = h.j1;
    }
    return steti_collect_finish(&x->collector);
}

/* ---- The public part ------------------------------------------------------------------------- */

static int ids_are_equal(const struct steti_edits_input *in)
{
    size_t i = 0;
    if (in->n_out != in->n_pieces) {
        return 0;
    }
    while (i < in->n_out && in->out_ids[i] == in->pieces[i].id) {
        i++;
    }
    return i == in->n_out;
}

static stet_status extract(struct extraction *x)
{
    const struct steti_edits_input *in;
    STETI_TRY(map_padding(x));
    in = x->in;
    x->src_ids = steti_calloc(in->n_pieces, sizeof *x->src_ids);
    x->match = steti_calloc(in->n_pieces, sizeof *x->match);
    if (x->src_ids == NULL || x->match == NULL) {
        return steti_fail_nomem(x->err, "finding the edits", 2 * in->n_pieces * sizeof *x->match);
    }
    for (size_t i = 0; i < in->n_pieces; i++) {
        x->src_ids[i] = in->pieces[i].id;
    }
    STETI_TRY(align(x));
    STETI_TRY(decode(x, x->src_ids, in->n_pieces, &x->src));
    STETI_TRY(decode(x, in->out_ids, in->n_out, &x->out));
    return replace_all(x);
}

stet_status steti_edits_extract(const struct steti_edits_input *in, struct steti_edits *out,
                                stet_error *err)
{
    struct extraction x = {
        .in = in,
        .collector = {in->src, in->src_len, in->base, out, err, 0, 0, 0, 0, 0, 0, 0},
        .err = err};
    size_t len = out->len, text_len = out->text.len;
    stet_status st;
    if (ids_are_equal(in)) {
        return STET_OK;
    }
    st = extract(&x);
    steti_free(x.own_ids);
    steti_free(x.src_ids);
    steti_free(x.match);
    steti_free(x.src.ends);
    steti_free(x.out.ends);
    steti_buf_free(&x.src.text);
    steti_buf_free(&x.out.text);
    steti_buf_free(&x.scratch);
    if (st != STET_OK) {
        out->len = len;
        out->text.len = text_len;
    }
    return st;
}

stet_status steti_edits_apply(const char *src, size_t len, const struct steti_edits *list,
                              size_t first, struct steti_buf *out, stet_error *err)
{
    size_t pos = 0, before = out->len;
    stet_status st = STET_OK;
    for (size_t i = first; i < list->len; i++) {
        const struct steti_edit *e = &list->data[i];
        if (e->src_begin < pos || e->src_end < e->src_begin || e->src_end > len) {
            st =
                steti_fail(err, STET_E_INVALID, "edit %zu, bytes %zu to %zu, does not fit the text",
                           i, e->src_begin, e->src_end);
            goto fail;
        }
        STETI_TRY_GOTO(steti_buf_append(out, src + pos, e->src_begin - pos, err), st, fail);
        STETI_TRY_GOTO(steti_buf_append(out, list->text.data + e->text_begin,
                                        e->text_end - e->text_begin, err),
                       st, fail);
        pos = e->src_end;
    }
    STETI_TRY_GOTO(steti_buf_append(out, src + pos, len - pos, err), st, fail);
    return STET_OK;
fail:
    out->len = before;
    return st;
}
