#include "tokenizer.h"

#include <string.h>

#include "alloc.h"
#include "tokenizer_kinds.h"

#define MAX_TEXT ((size_t)1 << 30)

void steti_pieces_free(struct steti_pieces *p)
{
    steti_free(p->data);
    memset(p, 0, sizeof *p);
}

stet_status steti_pieces_push(struct steti_pieces *out, struct steti_piece p, stet_error *err)
{
    void *data = out->data;
    stet_status st = steti_grow(&data, &out->cap, out->len + 1, sizeof *out->data, err);
    out->data = data;
    STETI_TRY(st);
    out->data[out->len++] = p;
    return STET_OK;
}

stet_status steti_set_end(uint32_t *ends, size_t i, size_t end, stet_error *err)
{
    if (end > UINT32_MAX) {
        return steti_fail(err, STET_E_TOO_LONG, "the decoded text exceeds 4 GiB");
    }
    if (ends != NULL) {
        ends[i] = (uint32_t)end;
    }
    return STET_OK;
}

void steti_describe_piece(const char *s, size_t len, const char *mark, struct steti_piece_info *out)
{
    size_t n = strlen(mark);
    int marked = n > 0 && len >= n && memcmp(s, mark, n) == 0;
    size_t skipped = marked ? n : 0;
    *out = (struct steti_piece_info){s + skipped, len - skipped, s, len, marked, 0};
}

void steti_tokenizer_close(struct steti_tokenizer *t)
{
    if (t != NULL) {
        t->ops->close(t);
    }
}

stet_status steti_tokenizer_encode_counted(const struct steti_tokenizer *t, const char *text,
                                           size_t len, struct steti_pieces *out, uint64_t *work,
                                           stet_error *err)
{
    uint64_t unused = 0;
    size_t before = out->len;
    stet_status st;
    if (len > MAX_TEXT) {
        return steti_fail(err, STET_E_TOO_LONG, "text of %zu bytes; at most %zu are supported", len,
                          MAX_TEXT);
    }
    st = t->ops->encode(t, text, len, out, work != NULL ? work : &unused, err);
    if (st != STET_OK) {
        out->len = before;
    }
    return st;
}

stet_status steti_tokenizer_encode(const struct steti_tokenizer *t, const char *text, size_t len,
                                   struct steti_pieces *out, stet_error *err)
{
    return steti_tokenizer_encode_counted(t, text, len, out, NULL, err);
}

stet_status steti_tokenizer_decode(const struct steti_tokenizer *t, const int32_t *ids, size_t n,
                                   struct steti_buf *out, uint32_t *ends, stet_error *err)
{
    size_t before = out->len;
    stet_status st;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= t->vocab_size) {
            return steti_fail(err, STET_E_INVALID,
                              "token id %d at position %zu; the vocabulary has ids 0 .. %d",
                              (int)ids[i], i, (int)t->vocab_size - 1);
        }
    }
    st = t->ops->decode(t, ids, n, out, ends, err);
    if (st != STET_OK) {
        out->len = before;
    }
    return st;
}

int32_t steti_tokenizer_vocab_size(const struct steti_tokenizer *t)
{
    return t->vocab_size;
}

int32_t steti_tokenizer_unk_id(const struct steti_tokenizer *t)
{
    return t->unk_id;
}

int32_t steti_tokenizer_eos_id(const struct steti_tokenizer *t)
{
    return t->eos_id;
}

int32_t steti_tokenizer_bos_id(const struct steti_tokenizer *t)
{
    return t->bos_id;
}

int32_t steti_tokenizer_pad_id(const struct steti_tokenizer *t)
{
    return t->pad_id;
}

void steti_tokenizer_piece_info(const struct steti_tokenizer *t, int32_t id,
                                struct steti_piece_info *out)
{
    *out = (struct steti_piece_info){"", 0, "", 0, 0, 1};
    if (id >= 0 && id < t->vocab_size) {
        t->ops->piece_info(t, id, out);
    }
}

const char *steti_tokenizer_piece(const struct steti_tokenizer *t, int32_t id, size_t *len)
{
    struct steti_piece_info info;
    *len = 0;
    if (id < 0 || id >= t->vocab_size) {
        return NULL;
    }
    steti_tokenizer_piece_info(t, id, &info);
    *len = info.stored_len;
    return info.stored;
}

const char *steti_tokenizer_kind(const struct steti_tokenizer *t)
{
    return t->kind;
}
