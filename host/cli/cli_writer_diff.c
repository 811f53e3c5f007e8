/* A unified diff of the lines of every file, for patch -p1.
 *
 *   lead            body                              trail
 *   up to 3 lines   changes, and what lies between    lines since the last change
 *
 * A hunk is closed after more than 2 * CONTEXT unchanged lines. Where changes never stop it is
 * closed when it has HUNK_BYTES: its context is then shorter, but as long before as after the
 * changes, because patch takes a hunk with less context at one side for one that stands at that end
 * of the file.
 */
#include <string.h>

#include "alloc.h"
#include "cli_writer.h"

#define CONTEXT 3u
#define HUNK_BYTES ((size_t)256 << 10)

struct lines {
    struct steti_buf buf;
    size_t n;
};

struct diff_state {
    int has_header;
    struct lines lead, body, minus, plus, trail;
    size_t body_old, body_new;               /* lines of either side in body */
    uint64_t old_line, new_line;             /* the next line of either side */
    uint64_t first_old_line, first_new_line; /* of the first change in the open hunk */
    struct steti_buf joined_old, joined_new; /* a line that comes in pieces */
    struct steti_buf text;                   /* corrected text with its line end */
};

static void clear(struct lines *l)
{
    steti_buf_clear(&l->buf);
    l->n = 0;
}

/* Length of the first line at p, its line end included. */
static size_t line_length(const char *p, size_t n)
{
    const char *nl = memchr(p, '\n', n);
    return nl != NULL ? (size_t)(nl - p) + 1 : n;
}

static stet_status append_line(struct lines *l, char prefix, const char *p, size_t n,
                               stet_error *err)
{
    STETI_TRY(steti_buf_append(&l->buf, &prefix, 1, err));
    STETI_TRY(steti_buf_append(&l->buf, p, n, err));
    l->n++;
    return p[n - 1] == '\n' ? STET_OK
                            : steti_buf_puts(&l->buf, "\n\\ No newline at end of file\n", err);
}

/* Only the last line of a file lacks its line end, and that one is never dropped. */
static void drop_first(struct lines *l, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += line_length(l->buf.data + bytes, l->buf.len - bytes);
    }
    if (bytes > 0) {
        memmove(l->buf.data, l->buf.data + bytes, l->buf.len - bytes);
    }
    l->buf.len -= bytes;
    l->n -= n;
}

static stet_status move_all(struct lines *from, struct lines *to, stet_error *err)
{
    STETI_TRY(steti_buf_append(&to->buf, from->buf.data, from->buf.len, err));
    to->n += from->n;
    clear(from);
    return STET_OK;
}

/* Ends a block of changed lines: all old ones, then all new ones. */
static stet_status end_block(struct diff_state *d, stet_error *err)
{
    d->body_old += d->minus.n;
    d->body_new += d->plus.n;
    STETI_TRY(move_all(&d->minus, &d->body, err));
    return move_all(&d->plus, &d->body, err);
}

static int is_open(const struct diff_state *d)
{
    return d->body.n + d->minus.n + d->plus.n > 0;
}

/* Quoted as C does where the name has characters that would break the header. */
static stet_status append_name(struct steti_buf *b, const char *side, const char *name,
                               stet_error *err)
{
    int quote = 0;
    while (*name == '/') {
        name++;
    }
    for (const char *p = name; *p != '\0'; p++) {
        quote |= (unsigned char)*p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f;
    }
    STETI_TRY(steti_buf_printf(b, err, "%s", quote ? "\"" : ""));
    STETI_TRY(steti_buf_printf(b, err, "%s/", side));
    for (const char *p = name; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (quote && (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)) {
            STETI_TRY(steti_buf_printf(b, err, "\\%03o", c));
        } else {
            STETI_TRY(steti_buf_append(b, p, 1, err));
        }
    }
    /* Without the tab, patch ends the name at a space. */
    return steti_buf_puts(b, quote ? "\"\n" : strchr(name, ' ') != NULL ? "\t\n" : "\n", err);
}

static stet_status append_header(struct steti_writer *w, struct diff_state *d, stet_error *err)
{
    if (d->has_header) {
        return STET_OK;
    }
    d->has_header = 1;
    STETI_TRY(steti_buf_puts(w->out, "--- ", err));
    STETI_TRY(append_name(w->out, "a", w->file, err));
    STETI_TRY(steti_buf_puts(w->out, "+++ ", err));
    return append_name(w->out, "b", w->file, err);
}

static stet_status append_range(struct steti_buf *b, char sign, uint64_t start, size_t n,
                                stet_error *err)
{
    unsigned long long first = n > 0 ? start : start - 1;
    if (n == 1) {
        return steti_buf_printf(b, err, "%c%llu", sign, first);
    }
    return steti_buf_printf(b, err, "%c%llu,%zu", sign, first, n);
}

/* The first `n` lines of the trail; all of it takes the note on a missing line end along. */
static stet_status append_trail(struct steti_writer *w, size_t n, stet_error *err)
{
    struct diff_state *d = w->state;
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += line_length(d->trail.buf.data + bytes, d->trail.buf.len - bytes);
    }
    return steti_buf_append(w->out, d->trail.buf.data, n == d->trail.n ? d->trail.buf.len : bytes,
                            err);
}

static stet_status append_hunk(struct steti_writer *w, size_t trail, stet_error *err)
{
    struct diff_state *d = w->state;
    size_t lead = d->lead.n;
    STETI_TRY(append_header(w, d, err));
    STETI_TRY(steti_buf_puts(w->out, "@@ ", err));
    STETI_TRY(append_range(w->out, '-', d->first_old_line - lead, lead + d->body_old + trail, err));
    STETI_TRY(steti_buf_puts(w->out, " ", err));
    STETI_TRY(append_range(w->out, '+', d->first_new_line - lead, lead + d->body_new + trail, err));
    STETI_TRY(steti_buf_puts(w->out, " @@\n", err));
    STETI_TRY(steti_buf_append(w->out, d->lead.buf.data, d->lead.buf.len, err));
    STETI_TRY(steti_buf_append(w->out, d->body.buf.data, d->body.buf.len, err));
    return append_trail(w, trail, err);
}

/* Writes the open hunk with at most `trail` lines after the last change. What follows becomes
 * the lead of the next one. */
static stet_status close_hunk(struct steti_writer *w, size_t trail, int at_end, stet_error *err)
{
    struct diff_state *d = w->state;
    int at_beginning = d->first_old_line == d->lead.n + 1;
    STETI_TRY(end_block(d, err));
    if (d->lead.n > trail && !(at_end && trail == d->trail.n)) {
        drop_first(&d->lead, d->lead.n - trail);
    }
    if (trail > d->lead.n && !at_beginning) {
        trail = d->lead.n;
    }
    STETI_TRY(append_hunk(w, trail, err));
    drop_first(&d->trail, trail);
    if (d->trail.n > CONTEXT) {
        drop_first(&d->trail, d->trail.n - CONTEXT);
    }
    clear(&d->lead);
    clear(&d->body);
    d->body_old = d->body_new = 0;
    return move_all(&d->trail, &d->lead, err);
}

static stet_status feed_same(struct steti_writer *w, const char *p, size_t n, stet_error *err)
{
    struct diff_state *d = w->state;
    while (n > 0) {
        size_t len = line_length(p, n);
        struct lines *to = is_open(d) ? &d->trail : &d->lead;
        STETI_TRY(end_block(d, err));
        STETI_TRY(append_line(to, ' ', p, len, err));
        d->old_line++;
        d->new_line++;
        if (to == &d->lead && to->n > CONTEXT) {
            drop_first(to, 1);
        } else if (to == &d->trail && to->n > 2 * CONTEXT) {
            STETI_TRY(close_hunk(w, CONTEXT, 0, err));
        }
        p += len;
        n -= len;
    }
    return STET_OK;
}

/* Opens a hunk, or goes on with the open one. */
static stet_status begin_change(struct steti_writer *w, stet_error *err)
{
    struct diff_state *d = w->state;
    if (is_open(d) && d->body.buf.len + d->minus.buf.len + d->plus.buf.len > HUNK_BYTES) {
        STETI_TRY(close_hunk(w, d->trail.n / 2, 0, err));
    }
    if (!is_open(d)) {
        d->first_old_line = d->old_line;
        d->first_new_line = d->new_line;
        return STET_OK;
    }
    d->body_old += d->trail.n;
    d->body_new += d->trail.n;
    return move_all(&d->trail, &d->body, err);
}

/* Some whole lines. */
struct text {
    const char *p;
    size_t n;
};

static stet_status feed_side(struct lines *to, char prefix, struct text text, uint64_t *line,
                             stet_error *err)
{
    for (size_t done = 0; done < text.n;) {
        size_t len = line_length(text.p + done, text.n - done);
        STETI_TRY(append_line(to, prefix, text.p + done, len, err));
        (*line)++;
        done += len;
    }
    return STET_OK;
}

static stet_status feed_change(struct steti_writer *w, struct text old_text, struct text new_text,
                               stet_error *err)
{
    struct diff_state *d = w->state;
    STETI_TRY(begin_change(w, err));
    STETI_TRY(feed_side(&d->minus, '-', old_text, &d->old_line, err));
    return feed_side(&d->plus, '+', new_text, &d->new_line, err);
}

/* Lines of the source that edits first .. *next - 1 touch. */
struct change {
    size_t begin, end;
};

static struct change change_of(const struct steti_item *item, size_t first, size_t *next)
{
    const char *p = item->unit->text;
    size_t total = item->unit->len + item->unit->tail;
    size_t i = first;
    int is_open = total > 0 && p[total - 1] != '\n'; /* the last line has no end to stand behind */
    struct change c = {(size_t)item->edits[i].src_off, 0};
    while (c.begin > 0 && p[c.begin - 1] != '\n') {
        c.begin--;
    }
    do {
        size_t end = (size_t)(item->edits[i].src_off + item->edits[i].src_len);
        c.end = end + line_length(p + end, total - end);
        i++;
    } while (i < item->n_edits && (item->edits[i].src_off < c.end || (is_open && c.end == total)));
    *next = i;
    return c;
}

/* d->text holds the corrected unit. */
static stet_status feed_edits(struct steti_writer *w, const struct steti_item *item,
                              stet_error *err)
{
    struct diff_state *d = w->state;
    const char *source = item->unit->text;
    size_t done = 0;
    for (size_t i = 0; i < item->n_edits;) {
        size_t first = i;
        struct change c = change_of(item, first, &i);
        const stet_edit *a = &item->edits[first], *z = &item->edits[i - 1];
        size_t out = (size_t)a->out_off - ((size_t)a->src_off - c.begin);
        size_t out_end =
            (size_t)(z->out_off + z->out_len) + (c.end - (size_t)(z->src_off + z->src_len));
        STETI_TRY(feed_same(w, source + done, c.begin - done, err));
        STETI_TRY(feed_change(w, (struct text){source + c.begin, c.end - c.begin},
                              (struct text){d->text.data + out, out_end - out}, err));
        done = c.end;
    }
    return feed_same(w, source + done, item->unit->len + item->unit->tail - done, err);
}

static stet_status feed_joined(struct steti_writer *w, stet_error *err)
{
    struct diff_state *d = w->state;
    struct text before = {d->joined_old.data, d->joined_old.len};
    struct text after = {d->joined_new.data, d->joined_new.len};
    int same = before.n == after.n && memcmp(before.p, after.p, before.n) == 0;
    STETI_TRY(same ? feed_same(w, before.p, before.n, err) : feed_change(w, before, after, err));
    steti_buf_free(&d->joined_old);
    steti_buf_free(&d->joined_new);
    return STET_OK;
}

static stet_status diff_item(struct steti_writer *w, const struct steti_item *item, stet_error *err)
{
    struct diff_state *d = w->state;
    const struct steti_unit *u = item->unit;
    if (u->continues || d->joined_old.len > 0) {
        STETI_TRY(steti_buf_append(&d->joined_old, u->text, u->len + u->tail, err));
        STETI_TRY(steti_buf_append(&d->joined_new, item->out, item->out_len, err));
        STETI_TRY(steti_buf_append(&d->joined_new, u->text + u->len, u->tail, err));
        return u->continues ? STET_OK : feed_joined(w, err);
    }
    if (item->n_edits == 0) {
        return feed_same(w, u->text, u->len + u->tail, err);
    }
    steti_buf_clear(&d->text);
    STETI_TRY(steti_buf_append(&d->text, item->out, item->out_len, err));
    STETI_TRY(steti_buf_append(&d->text, u->text + u->len, u->tail, err));
    return feed_edits(w, item, err);
}

static stet_status diff_begin(struct steti_writer *w, stet_error *err)
{
    struct diff_state *d = w->state;
    (void)err;
    clear(&d->lead);
    d->has_header = 0;
    d->old_line = d->new_line = 1;
    return STET_OK;
}

static stet_status diff_end(struct steti_writer *w, stet_error *err)
{
    struct diff_state *d = w->state;
    if (d->joined_old.len > 0) {
        STETI_TRY(feed_joined(w, err));
    }
    if (is_open(d)) {
        size_t trail = d->trail.n < CONTEXT ? d->trail.n : CONTEXT;
        STETI_TRY(close_hunk(w, trail, 1, err));
    }
    return STET_OK;
}

static stet_status diff_open(struct steti_writer *w, stet_error *err)
{
    w->state = steti_calloc(1, sizeof(struct diff_state));
    return w->state != NULL ? STET_OK
                            : steti_fail_nomem(err, "the diff writer", sizeof(struct diff_state));
}

static void diff_close(struct steti_writer *w)
{
    struct diff_state *d = w->state;
    if (d == NULL) {
        return;
    }
    steti_buf_free(&d->lead.buf);
    steti_buf_free(&d->body.buf);
    steti_buf_free(&d->minus.buf);
    steti_buf_free(&d->plus.buf);
    steti_buf_free(&d->trail.buf);
    steti_buf_free(&d->joined_old);
    steti_buf_free(&d->joined_new);
    steti_buf_free(&d->text);
    steti_free(d);
}

const struct steti_writer_ops steti_writer_diff = {.open = diff_open,
                                                   .begin = diff_begin,
                                                   .item = diff_item,
                                                   .end = diff_end,
                                                   .close = diff_close};
