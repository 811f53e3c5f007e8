#include "cli_reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK ((size_t)64 << 10)

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
static void hand_out(struct steti_reader *r, struct steti_unit *u, size_t len, size_t tail,
                     int continues)
{
    const char *p = r->data.data + r->pos;
    u->text = p;
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
}

/* The text [pos, end) ends in a line end: hands it out without that. */
static void hand_out_ended(struct steti_reader *r, struct steti_unit *u, size_t end)
{
    const char *p = r->data.data + r->pos;
    size_t len = end - r->pos, tail = 0;
    if (len > 0 && p[len - 1] == '\n') {
        tail++;
        if (len > 1 && p[len - 2] == '\r') {
            tail++;
        }
    }
    hand_out(r, u, len - tail, tail, 0);
}

/* 1 if a unit was handed out. Only the length of a line decides where it is cut, never how it
 * arrived. */
static int take_line(struct steti_reader *r, struct steti_unit *u)
{
    const char *data = r->data.data;
    size_t end = r->data.len;
    const char *nl = end > r->scan ? memchr(data + r->scan, '\n', end - r->scan) : NULL;
    size_t stop = nl != NULL ? (size_t)(nl - data) : end;
    if (stop - r->pos > STETI_UNIT_MAX) {
        hand_out(r, u, choose_cut(data + r->pos, STETI_UNIT_MAX), 0, 1);
        return 1;
    }
    if (nl != NULL) {
        hand_out_ended(r, u, stop + 1);
        return 1;
    }
    if (r->eof && end > r->pos) {
        hand_out(r, u, end - r->pos, 0, 0);
        return 1;
    }
    r->scan = end;
    return 0;
}

/* As take_line; `scan` stands at the beginning of a line. */
static int take_paragraph(struct steti_reader *r, struct steti_unit *u)
{
    for (;;) {
        const char *data = r->data.data;
        size_t end = r->data.len;
        const char *nl = end > r->scan ? memchr(data + r->scan, '\n', end - r->scan) : NULL;
        size_t stop = nl != NULL ? (size_t)(nl - data) + 1 : end;
        int whole = nl != NULL || r->eof;
        if (whole && stop > r->scan && is_blank(data + r->scan, stop - r->scan)) {
            if (r->scan > r->pos) {
                hand_out_ended(r, u, r->scan);
            } else {
                hand_out(r, u, 0, stop - r->pos, 0);
            }
            return 1;
        }
        if (stop - r->pos > STETI_UNIT_MAX) {
            hand_out(r, u, choose_cut(data + r->pos, STETI_UNIT_MAX), 0, 1);
            return 1;
        }
        if (nl == NULL) {
            if (r->eof && end > r->pos) {
                hand_out_ended(r, u, end);
                return 1;
            }
            return 0;
        }
        r->scan = stop;
    }
}

int steti_reader_next(struct steti_reader *r, struct steti_unit *u)
{
    return r->wrapped ? take_paragraph(r, u) : take_line(r, u);
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

stet_status steti_reader_read(struct steti_reader *r, stet_error *err)
{
    ssize_t n;
    drop_handed_out(r);
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
