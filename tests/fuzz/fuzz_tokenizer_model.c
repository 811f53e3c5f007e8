/* Any bytes as a SentencePiece model; if it opens, a few texts through it. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void must(int condition)
{
    if (!condition) {
        __builtin_trap();
    }
}

static void check_laws(const struct steti_tokenizer *t, const struct steti_pieces *p, size_t len)
{
    uint32_t at = 0;
    for (size_t i = 0; i < p->len; i++) {
        must(p->data[i].begin == at && p->data[i].end >= at);
        must(p->data[i].id >= 0 && p->data[i].id < steti_tokenizer_vocab_size(t));
        must(p->data[i].id != steti_tokenizer_eos_id(t));
        at = p->data[i].end;
    }
    must(p->len == 0 || at == len);
}

static void check_text(const struct steti_tokenizer *t, const char *text, size_t len)
{
    struct steti_pieces p = {NULL, 0, 0};
    struct steti_buf out;
    int32_t ids[256];
    uint32_t ends[256];
    size_t n;
    steti_buf_init(&out);
    if (steti_tokenizer_encode(t, text, len, &p, NULL) == STET_OK) {
        check_laws(t, &p, len);
        n = p.len < 256 ? p.len : 256;
        for (size_t i = 0; i < n; i++) {
            ids[i] = p.data[i].id;
        }
        must(steti_tokenizer_decode(t, ids, n, &out, ends, NULL) == STET_OK);
        must(n == 0 || ends[n - 1] == out.len);
    }
    steti_buf_free(&out);
    steti_pieces_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steti_tokenizer *t;
    stet_error err;
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    if (steti_tokenizer_open_spm(data, size, "fuzz", &t, &err) != STET_OK) {
        must(t == NULL && err.code != STET_OK && err.message[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_text(t, texts[i].text, texts[i].len);
    }
    steti_tokenizer_close(t);
    return 0;
}
