#include <string.h>

#include "byte_chars.h"
#include "hf_read.h"
#include "utf8.h"

stet_status steti_hf_check_bytes(const struct steti_hf *h, const struct steti_json_obj *o,
                                 stet_error *err)
{
    if (h->is_unigram || h->bytes == NULL || h->bpe.unk_id >= 0) {
        return STET_OK;
    }
    for (int byte = 0; byte < 256; byte++) {
        char c[4];
        int n = steti_utf8_encode(steti_byte_to_char((unsigned char)byte), c);
        int32_t id = steti_vocab_find(&h->vocab, c, (size_t)n);
        if (id < 0 || (h->vocab.entries[id].flags & STETI_VOCAB_SPECIAL) != 0) {
            return steti_field_fail(o, "vocab", err, "no piece for byte 0x%02X (\"%.*s\")%s",
                                    (unsigned)byte, n, c, id < 0 ? "" : " but a special token");
        }
    }
    return STET_OK;
}

static stet_status read_all(struct steti_hf *h, const struct steti_json_obj *root, stet_error *err)
{
    struct steti_json_obj model = {root->file, "model", NULL};
    STETI_TRY(steti_hf_read_model(h, root, err));
    STETI_TRY(steti_hf_read_stages(h, root, err));
    STETI_TRY(steti_hf_read_decoder(h, root, err));
    STETI_TRY(steti_hf_read_added(h, root, err));
    STETI_TRY(steti_hf_finish(h, err));
    STETI_TRY(steti_hf_check_bytes(h, &model, err));
    return steti_hf_check_rest(h, root, err);
}

stet_status steti_tokenizer_open_json(const void *data, size_t len, const char *name,
                                      struct steti_tokenizer **out, stet_error *err)
{
    struct steti_json_obj root = {name, "", NULL};
    struct steti_json *doc;
    struct steti_hf *h;
    stet_status st = STET_E_NOMEM;
    *out = NULL;
    if (len > STETI_HF_MAX_FILE) {
        return steti_fail(err, STET_E_MODEL, "%s: %zu bytes; at most %zu are supported", name, len,
                          STETI_HF_MAX_FILE);
    }
    STETI_TRY(steti_json_parse(data, len, name, &doc, err));
    root.v = doc;
    h = steti_hf_new(err);
    if (h != NULL) {
        st = read_all(h, &root, err);
    }
    steti_json_free(doc);
    if (st != STET_OK) {
        steti_hf_close(h);
        return st;
    }
    *out = &h->base;
    return STET_OK;
}
