#include "spm_decode.h"

#include <string.h>

#include "utf8.h"

struct decoder {
    const struct steti_spm_model *m;
    const int32_t *ids;
    struct steti_buf *out;
    size_t start; /* out->len at the call */
    uint32_t *ends;
    int at_start;  /* a word-boundary mark here is the inserted one */
    int mark_seen; /* and it has been dropped */
};

static stet_status set_end(struct decoder *d, size_t i, stet_error *err)
{
    size_t end = d->out->len - d->start;
    if (end > UINT32_MAX) {
        return steti_fail(err, STET_E_TOO_LONG, "the decoded text exceeds 4 GiB");
    }
    if (d->ends != NULL) {
        d->ends[i] = (uint32_t)end;
    }
    return STET_OK;
}

static int starts_with_mark(const char *s, size_t n)
{
    return n >= 3 && memcmp(s, "\xE2\x96\x81", 3) == 0;
}

/* Appends with every mark turned into a space. */
static stet_status append_text(struct steti_buf *out, const char *s, size_t n, stet_error *err)
{
    size_t from = 0;
    for (size_t i = 0; i < n;) {
        if (!starts_with_mark(s + i, n - i)) {
            i++;
            continue;
        }
        STETI_TRY(steti_buf_append(out, s + from, i - from, err));
        STETI_TRY(steti_buf_append(out, " ", 1, err));
        i += 3;
        from = i;
    }
    return steti_buf_append(out, s + from, n - from, err);
}

static stet_status decode_piece(struct decoder *d, const struct steti_spm_piece *p, stet_error *err)
{
    const struct steti_spm_model *m = d->m;
    const char *s = m->text + p->off;
    size_t n = p->len;
    if (d->mark_seen || d->out->len > d->start) {
        d->at_start = 0;
    }
    d->mark_seen = 0;
    if (p->type == STETI_SPM_CONTROL) {
        return STET_OK;
    }
    if (p->type == STETI_SPM_UNKNOWN) {
        return steti_buf_append(d->out, m->unk_surface, m->unk_surface_len, err);
    }
    if (d->at_start && (m->add_dummy_prefix || m->remove_extra_whitespaces) &&
        starts_with_mark(s, n)) {
        s += 3;
        n -= 3;
        d->mark_seen = !m->remove_extra_whitespaces; /* else each leading mark is dropped */
    }
    return append_text(d->out, s, n, err);
}

/* Up to four byte pieces from ids[i] on, as far as the run goes. */
static size_t gather_bytes(const struct decoder *d, size_t i, size_t n, char out[4])
{
    size_t k = 0;
    while (k < 4 && i + k < n && d->m->pieces[d->ids[i + k]].type == STETI_SPM_BYTE) {
        const struct steti_spm_piece *p = &d->m->pieces[d->ids[i + k]];
        out[k++] = (char)p->byte;
    }
    return k;
}

/* Writes the character that starts with byte piece i; its bytes belong to its last piece. A byte
 * that starts no character becomes U+FFFD. Sets *used to the pieces taken. */
static stet_status decode_bytes(struct decoder *d, size_t i, size_t n, size_t *used,
                                stet_error *err)
{
    char bytes[4];
    uint32_t cp;
    size_t have = gather_bytes(d, i, n, bytes);
    int k = steti_utf8_decode(bytes, have, &cp);
    *used = k > 0 ? (size_t)k : 1;
    for (size_t j = 0; j + 1 < *used; j++) {
        STETI_TRY(set_end(d, i + j, err));
    }
    STETI_TRY(steti_buf_append(d->out, k > 0 ? bytes : "\xEF\xBF\xBD", k > 0 ? *used : 3, err));
    return set_end(d, i + *used - 1, err);
}

static stet_status decode_all(struct decoder *d, size_t n, stet_error *err)
{
    for (size_t i = 0; i < n;) {
        const struct steti_spm_piece *p = &d->m->pieces[d->ids[i]];
        size_t used = 1;
        if (p->type == STETI_SPM_BYTE) {
            STETI_TRY(decode_bytes(d, i, n, &used, err));
        } else {
            STETI_TRY(decode_piece(d, p, err));
            STETI_TRY(set_end(d, i, err));
        }
        i += used;
    }
    return STET_OK;
}

stet_status steti_spm_decode(const struct steti_spm_model *m, const int32_t *ids, size_t n,
                             struct steti_buf *out, uint32_t *ends, stet_error *err)
{
    struct decoder d = {m, ids, out, out->len, ends, 1, 0};
    stet_status st;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= m->n_pieces) {
            return steti_fail(err, STET_E_INVALID,
                              "token id %d at position %zu; the vocabulary has ids 0 .. %d",
                              (int)ids[i], i, (int)m->n_pieces - 1);
        }
    }
    st = decode_all(&d, n, err);
    if (st != STET_OK) {
        out->len = d.start;
    }
    return st;
}
