/* M2, the format of the CoNLL shared tasks and of ERRANT: for every line of text
 *
 *   S She go to school .
 *   A 1 2|||UNK|||goes|||REQUIRED|||-NONE-|||0
 *
 * Tokens are what stands between white space, so text that was tokenised stays as it was. An edit
 * covers whole tokens; edits that touch the same token are one. A line without edits has a noop
 * line. Lines without tokens are left out, as ERRANT does.
 */
#include <string.h>

#include "alloc.h"
#include "cli_report.h"
#include "cli_writer.h"
#include "utf8.h"

/* A stretch of the source, its place among the tokens, and what stands there in the output. */
struct span {
    size_t src, src_end;
    size_t out, out_end;
};

struct m2_state {
    int warned;
    struct steti_buf correction;
};

/* Readers split at what Python calls white space, which has four control characters more than
 * Unicode. */
static int splits(uint32_t cp)
{
    return steti_cp_is_space(cp) || (cp >= 0x1c && cp <= 0x1f);
}

/* Length of the white space at p, 0 if there is none. */
static size_t space_at(const char *p, size_t n)
{
    uint32_t cp;
    int len = n > 0 ? steti_utf8_decode(p, n, &cp) : 0;
    return len > 0 && splits(cp) ? (size_t)len : 0;
}

/* 1 if position i is at the beginning or after white space. */
static int starts_token(const char *p, size_t i)
{
    for (size_t back = 1; back <= 3 && back <= i; back++) {
        if (space_at(p + i - back, back) == back) {
            return 1;
        }
    }
    return i == 0;
}

/* 1 if position i is at the end or before white space. */
static int ends_token(const char *p, size_t n, size_t i)
{
    return i >= n || space_at(p + i, n - i) > 0;
}

/* The next token at or after *pos and before end; 0 if there is none. */
static int next_token(const char *p, size_t end, size_t *pos, struct span *token)
{
    size_t i = *pos, space;
    while (i < end && (space = space_at(p + i, end - i)) > 0) {
        i += space;
    }
    token->src = i;
    while (i < end && space_at(p + i, end - i) == 0) {
        uint32_t cp;
        int len = steti_utf8_decode(p + i, end - i, &cp);
        i += (size_t)(len > 0 ? len : -len);
    }
    token->src_end = i;
    *pos = i;
    return i > token->src;
}

/* Moves the left side to the beginning of a token, but not beyond `floor`, the end of the span
 * before. Returns 1 if the span before is reached inside a token: the two belong together. */
static int widen_left(const struct steti_item *item, struct span *s, size_t floor)
{
    const char *src = item->unit->text;
    if (starts_token(src, s->src) && starts_token(item->out, s->out)) {
        return 0;
    }
    if (ends_token(src, item->unit->len, s->src) && ends_token(item->out, item->out_len, s->out)) {
        return 0;
    }
    while (s->src > floor && !starts_token(src, s->src)) {
        s->src--;
        s->out--;
    }
    return s->src == floor && floor > 0;
}

static void widen_right(const struct steti_item *item, struct span *s)
{
    const char *src = item->unit->text;
    size_t len = item->unit->len;
    if (starts_token(src, s->src_end) && starts_token(item->out, s->out_end)) {
        return;
    }
    while (!ends_token(src, len, s->src_end)) {
        s->src_end++;
        s->out_end++;
    }
}

static stet_status append_tokens(struct steti_buf *b, const char *p, size_t pos, size_t end,
                                 stet_error *err)
{
    struct span t;
    int first = 1;
    while (next_token(p, end, &pos, &t)) {
        if (!first) {
            STETI_TRY(steti_buf_puts(b, " ", err));
        }
        first = 0;
        STETI_TRY(steti_buf_append(b, p + t.src, t.src_end - t.src, err));
    }
    return STET_OK;
}

/* The last token of [begin, end); 0 if there is none. */
static int last_token(const char *p, size_t begin, size_t end, struct span *token)
{
    struct span t;
    int found = 0;
    while (next_token(p, end, &begin, &t)) {
        *token = t;
        found = 1;
    }
    return found;
}

static int same_token(const struct steti_item *item, const struct span *in_source,
                      const struct span *in_output)
{
    size_t n = in_source->src_end - in_source->src;
    return n == in_output->src_end - in_output->src &&
           memcmp(item->unit->text + in_source->src, item->out + in_output->src, n) == 0;
}

/* Takes tokens that did not change off both ends of the span; counts those taken off the front. */
static size_t trim(const struct steti_item *item, struct span *s)
{
    const char *src = item->unit->text;
    size_t n = 0, a = s->src, b = s->out;
    struct span x, y;
    while (next_token(src, s->src_end, &a, &x) && next_token(item->out, s->out_end, &b, &y) &&
           same_token(item, &x, &y)) {
        s->src = a;
        s->out = b;
        n++;
    }
    while (last_token(src, s->src, s->src_end, &x) &&
           last_token(item->out, s->out, s->out_end, &y) && same_token(item, &x, &y)) {
        s->src_end = x.src;
        s->out_end = y.src;
    }
    return n;
}

static size_t count_tokens(const char *p, size_t pos, size_t end)
{
    struct span t;
    size_t n = 0;
    while (next_token(p, end, &pos, &t)) {
        n++;
    }
    return n;
}

static int holds_bar(const struct steti_buf *b)
{
    return memmem(b->data, b->len, "|||", 3) != NULL;
}

/* `token` is the number of tokens before the span. */
static stet_status append_span(struct steti_writer *w, const struct steti_item *item, struct span s,
                               size_t token, stet_error *err)
{
    struct m2_state *state = w->state;
    struct steti_buf *c = &state->correction;
    size_t first = token + trim(item, &s);
    size_t n = count_tokens(item->unit->text, s.src, s.src_end);
    steti_buf_clear(c);
    STETI_TRY(append_tokens(c, item->out, s.out, s.out_end, err));
    if (n == 0 && c->len == 0) {
        return STET_OK; /* only white space changed */
    }
    if (c->len >= 3 && holds_bar(c)) {
        if (!state->warned) {
            steti_say(
                "%s:%llu: a correction holds \"|||\", which M2 cannot express; it is left out",
                w->file, (unsigned long long)item->unit->line);
        }
        state->warned = 1;
        return STET_OK;
    }
    STETI_TRY(steti_buf_printf(w->out, err, "A %zu %zu|||UNK|||", first, first + n));
    STETI_TRY(steti_buf_append(w->out, c->data, c->len, err));
    return steti_buf_puts(w->out, "|||REQUIRED|||-NONE-|||0\n", err);
}

/* The span of edit i and of all edits after it that share a token with it; *next is the first
 * other edit. */
static struct span gather(const struct steti_item *item, size_t i, size_t *next)
{
    const stet_edit *e = &item->edits[i];
    struct span s = {(size_t)e->src_off, (size_t)(e->src_off + e->src_len), (size_t)e->out_off,
                     (size_t)(e->out_off + e->out_len)};
    widen_left(item, &s, 0);
    for (;;) {
        struct span other;
        widen_right(item, &s);
        if (++i == item->n_edits) {
            break;
        }
        e = &item->edits[i];
        other = (struct span){(size_t)e->src_off, (size_t)(e->src_off + e->src_len),
                              (size_t)e->out_off, (size_t)(e->out_off + e->out_len)};
        if (other.src >= s.src_end && !widen_left(item, &other, s.src_end)) {
            break;
        }
        s.src_end = other.src_end;
        s.out_end = other.out_end;
    }
    *next = i;
    return s;
}

static stet_status m2_item(struct steti_writer *w, const struct steti_item *item, stet_error *err)
{
    const char *text = item->unit->text;
    size_t before, token = 0, pos = 0;
    if (count_tokens(text, 0, item->unit->len) == 0) {
        return STET_OK;
    }
    STETI_TRY(steti_buf_puts(w->out, "S ", err));
    STETI_TRY(append_tokens(w->out, text, 0, item->unit->len, err));
    STETI_TRY(steti_buf_puts(w->out, "\n", err));
    before = w->out->len;
    for (size_t i = 0; i < item->n_edits;) {
        struct span s = gather(item, i, &i);
        token += count_tokens(text, pos, s.src);
        pos = s.src;
        STETI_TRY(append_span(w, item, s, token, err));
    }
    if (w->out->len == before) {
        STETI_TRY(steti_buf_puts(w->out, "A -1 -1|||noop|||-NONE-|||REQUIRED|||-NONE-|||0\n", err));
    }
    return steti_buf_puts(w->out, "\n", err);
}

static stet_status m2_open(struct steti_writer *w, stet_error *err)
{
    w->state = steti_calloc(1, sizeof(struct m2_state));
    return w->state != NULL ? STET_OK
                            : steti_fail_nomem(err, "the M2 writer", sizeof(struct m2_state));
}

static void m2_close(struct steti_writer *w)
{
    struct m2_state *state = w->state;
    if (state != NULL) {
        steti_buf_free(&state->correction);
        steti_free(state);
    }
}

const struct steti_writer_ops steti_writer_m2 = {
    .open = m2_open, .item = m2_item, .close = m2_close};
