#include "spm_encode.h"

#include <string.h>

#include "alloc.h"
#include "tokenizer.h"

void steti_spm_segments_free(struct steti_spm_segments *s)
{
    steti_free(s->data);
    memset(s, 0, sizeof *s);
}

size_t steti_spm_char_len(const char *s, size_t n)
{
    static const unsigned char by_lead[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t len = by_lead[(unsigned char)s[0] >> 4];
    return len < n ? len : n;
}

stet_status steti_spm_segment(const struct steti_spm_model *m, const char *s, size_t len,
                              struct steti_spm_text *text, struct steti_spm_segments *segments,
                              stet_error *err)
{
    STETI_TRY(steti_spm_normalize(m, s, len, text, err));
    if (text->len == 0) {
        return STET_OK;
    }
    return m->kind == STETI_SPM_BPE ? steti_spm_bpe(m, text->data, text->len, segments, err)
                                    : steti_spm_unigram(m, text->data, text->len, segments, err);
}

static stet_status push_piece(struct steti_pieces *out, int32_t id, uint32_t begin, uint32_t end,
                              stet_error *err)
{
    void *data = out->data;
    stet_status st = steti_grow(&data, &out->cap, out->len + 1, sizeof *out->data, err);
    out->data = data;
    STETI_TRY(st);
    out->data[out->len++] = (struct steti_piece){id, begin, end};
    return STET_OK;
}

/* An unknown character as one piece a byte; the last of them stands for the source bytes. */
static stet_status push_bytes(const struct steti_spm_model *m, const char *s, uint32_t n,
                              const uint32_t *map, struct steti_pieces *out, stet_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        STETI_TRY(push_piece(out, m->byte_ids[(unsigned char)s[i]], map[0],
                             i + 1 < n ? map[0] : map[n], err));
    }
    return STET_OK;
}

/* Neighbouring unknown characters become one unknown piece. */
static stet_status push_pieces(const struct steti_spm_model *m, const struct steti_spm_text *text,
                               const struct steti_spm_segments *segments, struct steti_pieces *out,
                               stet_error *err)
{
    size_t pos = 0;
    int after_unk = 0;
    for (size_t i = 0; i < segments->len; i++) {
        struct steti_spm_segment x = segments->data[i];
        const uint32_t *map = text->map + pos;
        int unk = x.id == m->unk_id;
        if (unk && m->byte_fallback) {
            STETI_TRY(push_bytes(m, text->data + pos, x.len, map, out, err));
        } else if (unk && after_unk) {
            out->data[out->len - 1].end = map[x.len];
        } else {
            STETI_TRY(push_piece(out, x.id, map[0], map[x.len], err));
        }
        after_unk = unk;
        pos += x.len;
    }
    return STET_OK;
}

stet_status steti_spm_encode(const struct steti_spm_model *m, const char *s, size_t len,
                             struct steti_pieces *out, stet_error *err)
{
    struct steti_spm_text text = {0};
    struct steti_spm_segments segments = {0};
    size_t first = out->len;
    stet_status st = steti_spm_segment(m, s, len, &text, &segments, err);
    if (st == STET_OK) {
        st = push_pieces(m, &text, &segments, out, err);
    }
    if (st != STET_OK) {
        out->len = first;
    } else if (out->len > first) {
        /* Spaces that were dropped at the edges belong to the pieces beside them. */
        out->data[first].begin = 0;
        out->data[out->len - 1].end = (uint32_t)len;
    }
    steti_spm_text_free(&text);
    steti_spm_segments_free(&segments);
    return st;
}
