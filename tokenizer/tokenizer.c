#include "tokenizer.h"

#include <string.h>

#include "alloc.h"
#include "file_map.h"
#include "spm_decode.h"
#include "spm_encode.h"
#include "spm_model.h"

#define MAX_TEXT ((size_t)1 << 30)

struct steti_tokenizer {
    struct steti_spm_model spm;
};

/* In the order they are looked for. */
static const char *const file_names[] = {"spiece.model", "sentencepiece.bpe.model",
                                         "tokenizer.model"};

void steti_pieces_free(struct steti_pieces *p)
{
    steti_free(p->data);
    memset(p, 0, sizeof *p);
}

static stet_status open_path(const char *path, struct steti_tokenizer **out, stet_error *err)
{
    struct steti_file_map map;
    stet_status st;
    STETI_TRY(steti_file_map_open(path, STETI_SPM_MAX_FILE, &map, err));
    st = steti_tokenizer_open_spm(map.data, map.len, path, out, err);
    steti_file_map_close(&map);
    return st;
}

stet_status steti_tokenizer_open(const char *folder, struct steti_tokenizer **out, stet_error *err)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof file_names / sizeof file_names[0]; i++) {
        char *path = steti_path_join(folder, file_names[i]);
        stet_status st;
        if (path == NULL) {
            return steti_fail_nomem(err, "a path", strlen(folder));
        }
        if (!steti_file_exists(path)) {
            steti_free(path);
            continue;
        }
        st = open_path(path, out, err);
        steti_free(path);
        return st;
    }
    return steti_fail(err, STET_E_IO, "%s: no tokenizer; one of %s, %s, %s is needed", folder,
                      file_names[0], file_names[1], file_names[2]);
}

stet_status steti_tokenizer_open_spm(const void *data, size_t len, const char *name,
                                     struct steti_tokenizer **out, stet_error *err)
{
    struct steti_tokenizer *t = steti_malloc(sizeof *t);
    stet_status st;
    *out = NULL;
    if (t == NULL) {
        return steti_fail_nomem(err, "a tokenizer", sizeof *t);
    }
    st = steti_spm_model_open(data, len, name, &t->spm, err);
    if (st != STET_OK) {
        steti_free(t);
        return st;
    }
    *out = t;
    return STET_OK;
}

void steti_tokenizer_close(struct steti_tokenizer *t)
{
    if (t != NULL) {
        steti_spm_model_close(&t->spm);
        steti_free(t);
    }
}

stet_status steti_tokenizer_encode(const struct steti_tokenizer *t, const char *text, size_t len,
                                   struct steti_pieces *out, stet_error *err)
{
    if (len > MAX_TEXT) {
        return steti_fail(err, STET_E_TOO_LONG, "text of %zu bytes; at most %zu are supported", len,
                          MAX_TEXT);
    }
    return steti_spm_encode(&t->spm, text, len, out, err);
}

stet_status steti_tokenizer_decode(const struct steti_tokenizer *t, const int32_t *ids, size_t n,
                                   struct steti_buf *out, uint32_t *ends, stet_error *err)
{
    return steti_spm_decode(&t->spm, ids, n, out, ends, err);
}

int32_t steti_tokenizer_vocab_size(const struct steti_tokenizer *t)
{
    return t->spm.n_pieces;
}

int32_t steti_tokenizer_unk_id(const struct steti_tokenizer *t)
{
    return t->spm.unk_id;
}

int32_t steti_tokenizer_eos_id(const struct steti_tokenizer *t)
{
    return t->spm.eos_id;
}

int32_t steti_tokenizer_bos_id(const struct steti_tokenizer *t)
{
    return t->spm.bos_id;
}

int32_t steti_tokenizer_pad_id(const struct steti_tokenizer *t)
{
    return t->spm.pad_id;
}

const char *steti_tokenizer_piece(const struct steti_tokenizer *t, int32_t id, size_t *len)
{
    if (id < 0 || id >= t->spm.n_pieces) {
        *len = 0;
        return NULL;
    }
    *len = t->spm.pieces[id].len;
    return t->spm.text + t->spm.pieces[id].off;
}

const char *steti_tokenizer_kind(const struct steti_tokenizer *t)
{
    return t->spm.kind == STETI_SPM_BPE ? "sentencepiece bpe" : "sentencepiece unigram";
}
