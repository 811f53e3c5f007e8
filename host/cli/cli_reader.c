#include "cli_reader.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"

#define BLOCK ((size_t)64 << 10)

stet_status steti_batch_init(struct steti_batch *b, size_t cap, stet_error *err)
{
    memset(b, 0, sizeof *b);
    b->units = steti_calloc(cap, sizeof *b->units);
    if (b->units == NULL) {
        return steti_fail_nomem(err, "a batch of lines", cap * sizeof *b->units);
    }
    b->cap = cap;
    b->bytes_wanted = cap * 256;
    return STET_OK;
}

void steti_batch_free(struct steti_batch *b)
{
    steti_free(b->units);
    memset(b, 0, sizeof *b);
}

void steti_reader_init(struct steti_reader *r, int fd, const char *name, int wrapped)
{
    memset(r, 0, sizeof *r);
    r->fd = fd;
    r->name = name;
    r->wrapped = wrapped;
    r->line = 1;
    steti_buf_init(&r->data);
}

void steti_reader_free(struct steti_reader *r)
{
    steti_buf_free(&r->data);
}

static int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int is_blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_space(p[i])) {
            return 0;
        }
    }
    return 1;
}

/* Where to cut a text that is longer than n bytes: 1 .. n. */
static size_t choose_cut(const char *p, size_t n)
{
    size_t cut = n;
    for (size_t i = n; i > n / 2; i--) {
        if (is_space(p[i - 1]) && strchr(".!?", p[i - 2]) != NULL && p[i - 2] != '\0') {
            return i;
        }
    }
    for (size_t i = n; i > n / 2; i--) {
        if (is_space(p[i - 1])) {
            return i;
        }
    }
    while (cut > n - 3 && ((unsigned char)p[cut] & 0xc0) == 0x80) {
        cut--;
    }
    return cut;
}

/* Takes `len` bytes of text and `tail` bytes after it off the front. */
static void hand_out(struct steti_reader *r, struct steti_batch *b, size_t len, size_t tail,
                     int continues)
{
    struct steti_unit *u = &b->units[b->n++];
    const char *p = r->data.data + r->pos;
    u->text = NULL; /* set when the batch is complete: reading more may move the buffer */
    u->len = len;
    u->tail = tail;
    u->line = r->line;
    u->byte_offset = r->byte_offset;
    u->continues = continues;
    for (const char *q = p; (q = memchr(q, '\n', (size_t)(p + len + tail - q))) != NULL; q++) {
        r->line++;
    }
    r->pos += len + tail;
    r->byte_offset += len + tail;
    r->scan = r->pos;
    b->bytes += len + tail;
}

/* The text [pos, end) ends in a line end: hands it out without that. */
static void hand_out_ended(struct steti_reader *r, struct steti_batch *b, size_t end)
{
    const char *p = r->data.data + r->pos;
    size_t len = end - r->pos, tail = 0;
    if (len > 0 && p[len - 1] == '\n') {
        tail++;
        if (len > 1 && p[len - 2] == '\r') {
            tail++;
        }
    }
    hand_out(r, b, len - tail, tail, 0);
}

/* 1 if a unit was handed out. Only the length of a line decides where it is cut, never how it
 * arrived. */
static int take_line(struct steti_reader *r, struct steti_batch *b)
{
    const char *data = r->data.data;
    size_t end = r->data.len;
    const char *nl = end > r->scan ? memchr(data + r->scan, '\n', end - r->scan) : NULL;
    size_t stop = nl != NULL ? (size_t)(nl - data) : end;
    if (stop - r->pos > STETI_UNIT_MAX) {
        hand_out(r, b, choose_cut(data + r->pos, STETI_UNIT_MAX), 0, 1);
        return 1;
    }
    if (nl != NULL) {
        hand_out_ended(r, b, stop + 1);
        return 1;
    }
    if (r->eof && end > r->pos) {
        hand_out(r, b, end - r->pos, 0, 0);
        return 1;
    }
    r->scan = end;
    return 0;
}

/* As take_line; `scan` stands at the beginning of a line. */
static int take_paragraph(struct steti_reader *r, struct steti_batch *b)
{
    for (;;) {
        const char *data = r->data.data;
        size_t end = r->data.len;
        const char *nl = end > r->scan ? memchr(data + r->scan, '\n', end - r->scan) : NULL;
        size_t stop = nl != NULL ? (size_t)(nl - data) + 1 : end;
        int whole = nl != NULL || r->eof;
        if (whole && stop > r->scan && is_blank(data + r->scan, stop - r->scan)) {
            if (r->scan > r->pos) {
                hand_out_ended(r, b, r->scan);
            } else {
                hand_out(r, b, 0, stop - r->pos, 0);
            }
            return 1;
        }
        if (stop - r->pos > STETI_UNIT_MAX) {
            hand_out(r, b, choose_cut(data + r->pos, STETI_UNIT_MAX), 0, 1);
            return 1;
        }
        if (nl == NULL) {
            if (r->eof && end > r->pos) {
                hand_out_ended(r, b, end);
                return 1;
            }
            return 0;
        }
        r->scan = stop;
    }
}

static int would_block(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN, .revents = 0};
    return poll(&p, 1, 0) == 0;
}

static stet_status read_block(struct steti_reader *r, stet_error *err)
{
    ssize_t n;
    STETI_TRY(steti_buf_reserve(&r->data, BLOCK, err));
    do {
        n = read(r->fd, r->data.data + r->data.len, BLOCK);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return steti_fail(err, STET_E_IO, "cannot read %s: %s", r->name, strerror(errno));
    }
    r->eof = n == 0;
    r->data.len += (size_t)n;
    return STET_OK;
}

static void drop_handed_out(struct steti_reader *r)
{
    size_t left = r->data.len - r->pos;
    if (r->pos == 0) {
        return;
    }
    memmove(r->data.data, r->data.data + r->pos, left);
    r->data.len = left;
    r->scan -= r->pos;
    r->pos = 0;
}

/* Collects units until the batch is full, the input ends or more input would have to be waited
 * for. */
static stet_status collect(struct steti_reader *r, struct steti_batch *b, stet_error *err)
{
    for (;;) {
        while (b->n < b->cap && b->bytes < b->bytes_wanted) {
            if (!(r->wrapped ? take_paragraph(r, b) : take_line(r, b))) {
                break;
            }
        }
        if (b->n == b->cap || b->bytes >= b->bytes_wanted || r->eof) {
            return STET_OK;
        }
        if (b->n > 0 && would_block(r->fd)) {
            return STET_OK;
        }
        STETI_TRY(read_block(r, err));
    }
}

stet_status steti_reader_batch(struct steti_reader *r, struct steti_batch *b, stet_error *err)
{
    const char *p;
    b->n = 0;
    b->bytes = 0;
    drop_handed_out(r);
    STETI_TRY(collect(r, b, err));
    p = r->data.data;
    for (size_t i = 0; i < b->n; i++) {
        b->units[i].text = p;
        p += b->units[i].len + b->units[i].tail;
    }
    return STET_OK;
}
