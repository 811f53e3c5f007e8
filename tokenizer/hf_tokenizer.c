#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "byte_chars.h"
#include "hf_read.h"
#include "spm_build.h"
#include "utf8.h"

static const struct steti_hf *hf_of(const struct steti_tokenizer *t)
{
    return (const struct steti_hf *)(const void *)t;
}

/* ---- Using it -------------------------------------------------------------------------------- */

/* The text with every byte outside valid UTF-8 as U+FFFD, as one segment in r->text. */
static stet_status begin_run(struct steti_hf_run *r, const char *text, size_t len)
{
    struct steti_spm_text t;
    struct steti_hf_segs segs;
    for (size_t pos = 0; pos < len;) {
        uint32_t cp;
        int k = steti_utf8_decode(text + pos, len - pos, &cp);
        if (k > 0) {
            STETI_TRY(steti_hf_put(r, text + pos, (size_t)k, (uint32_t)pos));
        } else {
            STETI_TRY(steti_hf_put(r, "\xEF\xBF\xBD", 3, (uint32_t)pos));
        }
        pos += (size_t)(k > 0 ? k : 1);
    }
    STETI_TRY(
        steti_hf_put_seg(r, (struct steti_hf_seg){0, (uint32_t)r->next.len, 0, (uint32_t)len, -1}));
    t = r->text;
    r->text = r->next;
    r->next = t;
    segs = r->segs;
    r->segs = r->next_segs;
    r->next_segs = segs;
    return STET_OK;
}

static stet_status encode_segments(const struct steti_hf *h, struct steti_hf_run *r,
                                   struct steti_pieces *out)
{
    for (size_t i = 0; i < r->segs.len; i++) {
        const struct steti_hf_seg *s = &r->segs.data[i];
        if (s->id >= 0) {
            STETI_TRY(steti_pieces_push(out, (struct steti_piece){s->id, s->src_begin, s->src_end},
                                        r->err));
        } else if (s->begin < s->end && h->is_unigram) {
            STETI_TRY(steti_hf_unigram_encode(h, r, s, out));
        } else if (s->begin < s->end) {
            STETI_TRY(steti_hf_bpe_encode(h, r, s, out));
        }
    }
    return STET_OK;
}

/* What was dropped between pieces (spaces) belongs to the piece after it, at the end to the last
 * one. */
static void close_gaps(struct steti_pieces *out, size_t first, size_t len)
{
    uint32_t at = 0;
    for (size_t i = first; i < out->len; i++) {
        struct steti_piece *p = &out->data[i];
        p->begin = at;
        p->end = p->end > at ? p->end : at;
        at = p->end;
    }
    if (out->len > first) {
        out->data[out->len - 1].end = (uint32_t)len;
    }
}

static stet_status encode(const struct steti_tokenizer *t, const char *text, size_t len,
                          struct steti_pieces *out, uint64_t *work, stet_error *err)
{
    const struct steti_hf *h = hf_of(t);
    struct steti_hf_run r = {.err = err};
    size_t first = out->len;
    stet_status st = begin_run(&r, text, len);
    if (st == STET_OK) {
        st = steti_hf_stages_run(h, 0, h->n_stages, &r);
    }
    if (st == STET_OK) {
        st = encode_segments(h, &r, out);
    }
    if (st == STET_OK) {
        close_gaps(out, first, len);
    }
    *work += r.work;
    steti_hf_run_free(&r);
    return st;
}

static stet_status decode(const struct steti_tokenizer *t, const int32_t *ids, size_t n,
                          struct steti_buf *out, uint32_t *ends, stet_error *err)
{
    return steti_hf_decode_ids(hf_of(t), ids, n, out, ends, err);
}

static void piece_info(const struct steti_tokenizer *t, int32_t id, struct steti_piece_info *out)
{
    const struct steti_hf *h = hf_of(t);
    uint32_t flags = h->vocab.entries[id].flags;
    size_t len;
    const char *s = steti_vocab_text(&h->vocab, id, &len);
    if (h->bytes != NULL) {
        uint32_t at = h->bytes_off[id];
        steti_describe_piece(h->bytes + at, h->bytes_off[id + 1] - at, " ", out);
        out->stored = s;
        out->stored_len = len;
    } else {
        steti_describe_piece(s, len, h->mark, out);
    }
    out->is_control = flags == 0 || (flags & STETI_VOCAB_SPECIAL) != 0 || id == t->unk_id;
    for (int i = 0; i < 256 && h->byte_fallback && !out->is_control; i++) {
        out->is_control = h->byte_ids[i] == id;
    }
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static void free_stage(struct steti_hf_stage *s)
{
    steti_free(s->from);
    steti_free(s->to);
    steti_spm_charsmap_close(&s->charsmap);
}

void steti_hf_close(struct steti_hf *h)
{
    if (h == NULL) {
        return;
    }
    steti_vocab_free(&h->vocab);
    steti_free(h->added);
    steti_spm_trie_free(&h->match[0]);
    steti_spm_trie_free(&h->match[1]);
    for (size_t i = 0; i < h->n_stages; i++) {
        free_stage(&h->stages[i]);
    }
    for (int i = 0; i < h->decode.n_replace; i++) {
        free_stage(&h->decode.replace[i]);
    }
    steti_free(h->decode.mark);
    steti_free(h->bpe.rows);
    steti_free(h->bpe.merges);
    steti_free(h->unigram.scores);
    steti_free(h->bytes);
    steti_free(h->bytes_off);
    steti_free(h);
}

static void close_hf(struct steti_tokenizer *t)
{
    steti_hf_close((struct steti_hf *)(void *)t);
}

static const struct steti_tokenizer_ops ops = {encode, decode, piece_info, close_hf};

struct steti_hf *steti_hf_new(stet_error *err)
{
    struct steti_hf *h = steti_calloc(1, sizeof *h);
    if (h == NULL) {
        steti_fail_nomem(err, "a tokenizer", sizeof *h);
        return NULL;
    }
    h->base.ops = &ops;
    h->base.unk_id = h->base.eos_id = h->base.bos_id = h->base.pad_id = -1;
    h->bpe.unk_id = h->unigram.unk_id = -1;
    h->mark = "";
    for (int i = 0; i < 256; i++) {
        h->byte_ids[i] = -1;
    }
    return h;
}

/* The bytes that each piece stands for. Pieces with other characters (added ones) are their own. */
static stet_status fill_bytes(struct steti_hf *h, stet_error *err)
{
    size_t n = h->vocab.n, at = 0;
    h->bytes = steti_malloc(h->vocab.text_len + 1);
    h->bytes_off = steti_malloc((n + 1) * sizeof *h->bytes_off);
    if (h->bytes == NULL || h->bytes_off == NULL) {
        return steti_fail_nomem(err, "a tokenizer", h->vocab.text_len + n);
    }
    for (size_t id = 0; id < n; id++) {
        size_t len, out_len;
        const char *s = steti_vocab_text(&h->vocab, (int32_t)id, &len);
        h->bytes_off[id] = (uint32_t)at;
        if (!steti_chars_to_bytes(s, len, h->bytes + at, &out_len)) {
            memcpy(h->bytes + at, s, len);
            out_len = len;
        }
        at += out_len;
    }
    h->bytes_off[n] = (uint32_t)at;
    return STET_OK;
}

static int is_byte_level(const struct steti_hf *h)
{
    for (size_t i = 0; i < h->n_stages; i++) {
        if (h->stages[i].op == STETI_HF_BYTE_CHARS) {
            return 1;
        }
    }
    return h->decode.kind == STETI_HF_DECODE_BYTES;
}

/* The id of the special token of one of these names. */
static int32_t special_id(const struct steti_hf *h, const char *const *names)
{
    for (; *names != NULL; names++) {
        size_t len = strlen(*names);
        for (size_t i = 0; i < h->n_added; i++) {
            size_t n;
            const char *s = steti_vocab_text(&h->vocab, h->added[i].id, &n);
            if (h->added[i].special && n == len && memcmp(s, *names, n) == 0) {
                return h->added[i].id;
            }
        }
    }
    return -1;
}

/* Merges into special tokens are not made: text never becomes these. */
static void drop_special_merges(struct steti_hf *h)
{
    for (size_t i = 0; i < h->bpe.n_merges; i++) {
        struct steti_hf_merge *m = &h->bpe.merges[i];
        if ((h->vocab.entries[m->id].flags & STETI_VOCAB_SPECIAL) != 0) {
            m->id = -1;
        }
    }
}

stet_status steti_hf_finish(struct steti_hf *h, stet_error *err)
{
    static const char *const unk[] = {"<unk>", "[UNK]", NULL}, *const pad[] = {"<pad>", "[PAD]",
                                                                               NULL};
    static const char *const eos[] = {"</s>", "<|endoftext|>", "[SEP]", NULL};
    static const char *const bos[] = {"<s>", "<|endoftext|>", "[CLS]", NULL};
    STETI_TRY(steti_hf_index_added(h, err));
    drop_special_merges(h);
    if (is_byte_level(h)) {
        STETI_TRY(fill_bytes(h, err));
        h->mark = "";
    }
    h->base.vocab_size = (int32_t)h->vocab.n;
    if (h->base.unk_id < 0) {
        h->base.unk_id = special_id(h, unk);
    }
    h->base.eos_id = special_id(h, eos);
    h->base.bos_id = special_id(h, bos);
    h->base.pad_id = special_id(h, pad);
    h->base.kind = h->is_unigram      ? "tokenizer.json unigram"
                   : h->bytes != NULL ? "byte-level bpe"
                                      : "tokenizer.json bpe";
    return STET_OK;
}

stet_status steti_hf_type(const struct steti_json_obj *o, const char **type, stet_error *err)
{
    size_t len;
    return steti_field_string(o, "type", type, &len, err);
}

stet_status steti_hf_element(const struct steti_json_obj *o, const char *key,
                             const struct steti_json *list, size_t i, char where[96],
                             struct steti_json_obj *out, stet_error *err)
{
    const char *dot = o->where[0] != '\0' ? "." : "";
    snprintf(where, 96, "%.60s%s%s[%zu]", o->where, dot, key, i);
    *out = (struct steti_json_obj){o->file, where, steti_json_at(list, i)};
    return steti_json_kind_of(out->v) == STETI_JSON_OBJECT
               ? STET_OK
               : steti_fail(err, STET_E_FORMAT, "%s: %s: must be an object", o->file, where);
}
