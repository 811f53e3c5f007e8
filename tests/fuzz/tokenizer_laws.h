/* tokenizer_laws.h - what must hold for any tokenizer and any text; traps if it does not. */
#ifndef TOKENIZER_LAWS_H
#define TOKENIZER_LAWS_H

#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"

static void must(int condition)
{
    if (!condition) {
        __builtin_trap();
    }
}

static void check_pieces(const struct steti_tokenizer *t, const struct steti_pieces *p, size_t len)
{
    uint32_t at = 0;
    for (size_t i = 0; i < p->len; i++) {
        int32_t id = p->data[i].id;
        must(p->data[i].begin == at && p->data[i].end >= at);
        must(id >= 0 && id < steti_tokenizer_vocab_size(t));
        /* A file may name a special token as its <unk>. */
        must(id != steti_tokenizer_eos_id(t) || id == steti_tokenizer_unk_id(t));
        must(id != steti_tokenizer_pad_id(t) || id == steti_tokenizer_unk_id(t));
        at = p->data[i].end;
    }
    must(p->len == 0 || at == len);
}

static void check_decoding(const struct steti_tokenizer *t, const struct steti_pieces *p)
{
    struct steti_buf out;
    int32_t *ids = malloc((p->len + 1) * sizeof *ids);
    uint32_t *ends = malloc((p->len + 1) * sizeof *ends);
    steti_buf_init(&out);
    must(ids != NULL && ends != NULL);
    for (size_t i = 0; i < p->len; i++) {
        ids[i] = p->data[i].id;
    }
    must(steti_tokenizer_decode(t, ids, p->len, &out, ends, NULL) == STET_OK);
    for (size_t i = 1; i < p->len; i++) {
        must(ends[i - 1] <= ends[i]);
    }
    must(p->len == 0 || ends[p->len - 1] == out.len);
    free(ids);
    free(ends);
    steti_buf_free(&out);
}

static void check_text(const struct steti_tokenizer *t, const char *text, size_t len)
{
    struct steti_pieces p = {NULL, 0, 0};
    must(steti_tokenizer_encode(t, text, len, &p, NULL) == STET_OK);
    check_pieces(t, &p, len);
    check_decoding(t, &p);
    steti_pieces_free(&p);
}

/* A few texts through a tokenizer that was opened from any bytes, and all of its pieces. */
static inline void check_tokenizer(const struct steti_tokenizer *t)
{
    static const struct {
        const char *text;
        size_t len;
    } texts[] = {
        {"", 0},
        {"She go to school every days.", 28},
        {"  a\t b\xC2\xA0 ", 8},
        {"\xFF\xE2\x96\x81\xE2\x96\x80\xF0\x9F\x98", 10},
        {"a\0b</s><0x41>", 13},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 40},
    };
    struct steti_piece_info info;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_text(t, texts[i].text, texts[i].len);
    }
    for (int32_t id = 0; id < steti_tokenizer_vocab_size(t) && id < 1000; id++) {
        steti_tokenizer_piece_info(t, id, &info);
        must(info.text != NULL && info.stored != NULL && info.len <= info.stored_len);
    }
}

#endif
