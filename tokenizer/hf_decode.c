/* Ids back to text, as the decoder of the file has it. Special tokens write nothing. */
#include <string.h>

#include "hf.h"
#include "utf8.h"

struct decoder {
    const struct steti_hf *h;
    struct steti_buf *out;
    size_t start; /* out->len at the call */
    uint32_t *ends;
    stet_error *err;
};

static int is_silent(const struct steti_hf *h, int32_t id)
{
    uint32_t flags = h->vocab.entries[id].flags;
    return flags == 0 || (flags & STETI_VOCAB_SPECIAL) != 0;
}

static stet_status set_end(const struct decoder *d, size_t i)
{
    return steti_set_end(d->ends, i, d->out->len - d->start, d->err);
}

/* ---- Byte-level ------------------------------------------------------------------------------ */

/* Characters that are not whole yet. */
struct tail {
    char bytes[8];
    size_t len;
};

/* Writes what is certain of the tail: everything if `last`, else all but an unfinished character.
 * A broken sequence becomes one U+FFFD. */
static stet_status flush(const struct decoder *d, struct tail *t, int last)
{
    size_t at = 0;
    while (at < t->len) {
        uint32_t cp;
        int k = steti_utf8_decode(t->bytes + at, t->len - at, &cp);
        if (k < 0 && !last && at + (size_t)-k == t->len && t->len - at < 4) {
            unsigned char lead = (unsigned char)t->bytes[at];
            if (lead >= 0xC2 && lead <= 0xF4) {
                break; /* more may come */
            }
        }
        STETI_TRY(steti_buf_append(d->out, k > 0 ? t->bytes + at : "\xEF\xBF\xBD",
                                   k > 0 ? (size_t)k : 3, d->err));
        at += (size_t)(k > 0 ? k : -k);
    }
    memmove(t->bytes, t->bytes + at, t->len - at);
    t->len -= at;
    return STET_OK;
}

/* A character belongs to the piece that has its last byte. */
static stet_status decode_bytes(const struct decoder *d, const int32_t *ids, size_t n)
{
    const struct steti_hf *h = d->h;
    struct tail t = {{0}, 0};
    for (size_t i = 0; i < n; i++) {
        uint32_t at = h->bytes_off[ids[i]], end = h->bytes_off[ids[i] + 1];
        while (!is_silent(h, ids[i]) && at < end) {
            while (at < end && t.len < sizeof t.bytes) {
                t.bytes[t.len++] = h->bytes[at++];
            }
            STETI_TRY(flush(d, &t, 0));
        }
        STETI_TRY(set_end(d, i));
    }
    STETI_TRY(flush(d, &t, 1));
    return n > 0 ? set_end(d, n - 1) : STET_OK;
}

/* ---- Marks ----------------------------------------------------------------------------------- */

/* Appends with `from` turned into `to`. */
static stet_status append_replaced(struct steti_buf *out, const char *s, size_t n,
                                   const struct steti_hf_stage *r, stet_error *err)
{
    size_t done = 0;
    for (size_t i = 0; i + r->from_len <= n;) {
        if (memcmp(s + i, r->from, r->from_len) != 0) {
            i++;
            continue;
        }
        STETI_TRY(steti_buf_append(out, s + done, i - done, err));
        STETI_TRY(steti_buf_append(out, r->to, r->to_len, err));
        i += r->from_len;
        done = i;
    }
    return steti_buf_append(out, s + done, n - done, err);
}

static stet_status decode_marks(const struct decoder *d, const int32_t *ids, size_t n)
{
    char space[] = " ";
    struct steti_hf_stage mark = {.from = d->h->decode.mark,
                                  .from_len = strlen(d->h->decode.mark),
                                  .to = space,
                                  .to_len = d->h->decode.drop_first_marks ? 0 : 1};
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *s = steti_vocab_text(&d->h->vocab, ids[i], &len);
        if (!is_silent(d->h, ids[i])) {
            STETI_TRY(append_replaced(d->out, s, len, &mark, d->err));
            mark.to_len = 1; /* only the first piece loses its marks */
        }
        STETI_TRY(set_end(d, i));
    }
    return STET_OK;
}

static stet_status decode_words(const struct decoder *d, const int32_t *ids, size_t n)
{
    int first = 1;
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *s = steti_vocab_text(&d->h->vocab, ids[i], &len);
        if (!is_silent(d->h, ids[i])) {
            STETI_TRY(steti_buf_append(d->out, " ", first ? 0 : 1, d->err));
            STETI_TRY(steti_buf_append(d->out, s, len, d->err));
            first = 0;
        }
        STETI_TRY(set_end(d, i));
    }
    return STET_OK;
}

/* ---- The steps one by one -------------------------------------------------------------------- */

struct plain {
    struct steti_buf a, b; /* a piece, before and after a step */
    int64_t left;          /* characters that may still be stripped */
};

static stet_status replace_piece(const struct decoder *d, struct plain *p, int32_t id)
{
    size_t len;
    const char *s = steti_vocab_text(&d->h->vocab, id, &len);
    steti_buf_clear(&p->a);
    STETI_TRY(steti_buf_append(&p->a, s, len, d->err));
    for (int k = 0; k < d->h->decode.n_replace; k++) {
        struct steti_buf t;
        steti_buf_clear(&p->b);
        STETI_TRY(append_replaced(&p->b, p->a.len > 0 ? p->a.data : "", p->a.len,
                                  &d->h->decode.replace[k], d->err));
        t = p->a;
        p->a = p->b;
        p->b = t;
    }
    return STET_OK;
}

static stet_status append_stripped(const struct decoder *d, struct plain *p, const char *s,
                                   size_t n)
{
    size_t at = 0;
    if (!d->h->decode.fused) {
        p->left = d->h->decode.n_strip;
    }
    while (at < n && p->left > 0 && s[at] == d->h->decode.strip) {
        at++;
        p->left--;
    }
    if (at < n) {
        p->left = 0;
    }
    return steti_buf_append(d->out, s + at, n - at, d->err);
}

static int byte_of(const struct steti_hf *h, const struct steti_buf *piece)
{
    int32_t id = h->decode.byte_fallback && piece->len == 6
                     ? steti_vocab_find(&h->vocab, piece->data, piece->len)
                     : -1;
    for (int i = 0; id >= 0 && i < 256; i++) {
        if (h->byte_ids[i] == id) {
            return i;
        }
    }
    return -1;
}

/* A run of byte pieces is text if all of it is, else one U+FFFD a piece. */
static stet_status flush_run(const struct decoder *d, struct plain *p, struct steti_buf *run)
{
    size_t n = run->len;
    const char *s = n > 0 ? run->data : "";
    if (steti_utf8_valid_prefix(s, n) == n) {
        STETI_TRY(append_stripped(d, p, s, n));
    } else {
        for (size_t i = 0; i < n; i++) {
            STETI_TRY(append_stripped(d, p, "\xEF\xBF\xBD", 3));
        }
    }
    steti_buf_clear(run);
    return STET_OK;
}

static stet_status decode_steps(const struct decoder *d, struct plain *p, struct steti_buf *run,
                                const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int byte;
        char c;
        if (is_silent(d->h, ids[i])) {
            STETI_TRY(set_end(d, i));
            continue;
        }
        STETI_TRY(replace_piece(d, p, ids[i]));
        byte = byte_of(d->h, &p->a);
        c = (char)byte;
        if (byte >= 0) {
            STETI_TRY(steti_buf_append(run, &c, 1, d->err));
        } else {
            size_t before = i > 0 ? i - 1 : 0;
            if (run->len > 0) {
                STETI_TRY(flush_run(d, p, run));
                STETI_TRY(set_end(d, before));
            }
            STETI_TRY(append_stripped(d, p, p->a.len > 0 ? p->a.data : "", p->a.len));
        }
        STETI_TRY(set_end(d, i));
    }
    STETI_TRY(flush_run(d, p, run));
    return n > 0 ? set_end(d, n - 1) : STET_OK;
}

static stet_status decode_plain(const struct decoder *d, const int32_t *ids, size_t n)
{
    struct plain p = {.left = d->h->decode.n_strip};
    struct steti_buf run;
    stet_status st;
    steti_buf_init(&p.a);
    steti_buf_init(&p.b);
    steti_buf_init(&run);
    st = decode_steps(d, &p, &run, ids, n);
    steti_buf_free(&p.a);
    steti_buf_free(&p.b);
    steti_buf_free(&run);
    return st;
}

stet_status steti_hf_decode_ids(const struct steti_hf *h, const int32_t *ids, size_t n,
                                struct steti_buf *out, uint32_t *ends, stet_error *err)
{
    struct decoder d = {h, out, out->len, ends, err};
    switch (h->decode.kind) {
    case STETI_HF_DECODE_BYTES:
        return decode_bytes(&d, ids, n);
    case STETI_HF_DECODE_MARKS:
        return decode_marks(&d, ids, n);
    case STETI_HF_DECODE_PLAIN:
        return decode_plain(&d, ids, n);
    case STETI_HF_DECODE_WORDS:
    default:
        return decode_words(&d, ids, n);
    }
}
