/* ByT5: a token a byte. Ids: 0 <pad>, 1 </s>, 2 <unk>, then the bytes, then as many ids without a
 * meaning as the model has. */
#include <string.h>

#include "alloc.h"
#include "tokenizer_files.h"
#include "utf8.h"

#define FIRST_BYTE 3
#define N_IDS 384 /* with the 125 sentinels of the published models */
#define MAX_IDS 1000000

struct byte_tokenizer {
    struct steti_tokenizer base;
    char bytes[256];
};

static stet_status push_bytes(struct steti_pieces *out, const char *s, size_t n, size_t begin,
                              size_t end, stet_error *err)
{
    for (size_t i = 0; i < n; i++) {
        /* A character's bytes belong together: its last piece stands for all of them. */
        struct steti_piece p = {FIRST_BYTE + (unsigned char)s[i], (uint32_t)begin,
                                (uint32_t)(i + 1 < n ? begin : end)};
        STETI_TRY(steti_pieces_push(out, p, err));
    }
    return STET_OK;
}

static stet_status encode(const struct steti_tokenizer *t, const char *text, size_t len,
                          struct steti_pieces *out, uint64_t *work, stet_error *err)
{
    (void)t;
    *work += len;
    for (size_t pos = 0; pos < len;) {
        uint32_t cp;
        int k = steti_utf8_decode(text + pos, len - pos, &cp);
        const char *s = k > 0 ? text + pos : "\xEF\xBF\xBD";
        size_t used = k > 0 ? (size_t)k : 1;
        STETI_TRY(push_bytes(out, s, k > 0 ? used : 3, pos, pos + used, err));
        pos += used;
    }
    return STET_OK;
}

static int is_byte(int32_t id)
{
    return id >= FIRST_BYTE && id < FIRST_BYTE + 256;
}

static stet_status decode(const struct steti_tokenizer *t, const int32_t *ids, size_t n,
                          struct steti_buf *out, uint32_t *ends, stet_error *err)
{
    size_t start = out->len;
    (void)t;
    for (size_t i = 0; i < n;) {
        char bytes[4];
        size_t have = 0, used = 1;
        uint32_t cp;
        while (have < 4 && i + have < n && is_byte(ids[i + have])) {
            bytes[have] = (char)(ids[i + have] - FIRST_BYTE);
            have++;
        }
        if (have > 0) {
            int k = steti_utf8_decode(bytes, have, &cp);
            used = (size_t)(k > 0 ? k : -k);
            for (size_t j = 0; j + 1 < used; j++) {
                STETI_TRY(steti_set_end(ends, i + j, out->len - start, err));
            }
            STETI_TRY(steti_buf_append(out, k > 0 ? bytes : "\xEF\xBF\xBD", k > 0 ? used : 3, err));
        }
        STETI_TRY(steti_set_end(ends, i + used - 1, out->len - start, err));
        i += used;
    }
    return STET_OK;
}

static void piece_info(const struct steti_tokenizer *t, int32_t id, struct steti_piece_info *out)
{
    static const char *const names[FIRST_BYTE] = {"<pad>", "</s>", "<unk>"};
    const struct byte_tokenizer *b = (const struct byte_tokenizer *)(const void *)t;
    if (is_byte(id)) {
        steti_describe_piece(b->bytes + (id - FIRST_BYTE), 1, "", out);
        return;
    }
    steti_describe_piece(id < FIRST_BYTE ? names[id] : "", id < FIRST_BYTE ? strlen(names[id]) : 0,
                         "", out);
    out->is_control = 1;
}

static void close_bytes(struct steti_tokenizer *t)
{
    steti_free(t);
}

static const struct steti_tokenizer_ops ops = {encode, decode, piece_info, close_bytes};

stet_status steti_tokenizer_open_bytes(const struct steti_tokenizer_folder *f,
                                       struct steti_tokenizer **out, stet_error *err)
{
    struct byte_tokenizer *b = steti_calloc(1, sizeof *b);
    int64_t n = f->vocab_size;
    if (b == NULL) {
        return steti_fail_nomem(err, "a tokenizer", sizeof *b);
    }
    for (int i = 0; i < 256; i++) {
        b->bytes[i] = (char)i;
    }
    b->base = (struct steti_tokenizer){
        .ops = &ops,
        .kind = "bytes",
        .vocab_size = n >= FIRST_BYTE + 256 && n < MAX_IDS ? (int32_t)n : N_IDS,
        .unk_id = 2,
        .eos_id = 1,
        .bos_id = -1,
        .pad_id = 0};
    *out = &b->base;
    return STET_OK;
}
