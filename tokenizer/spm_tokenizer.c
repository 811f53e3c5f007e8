/* SentencePiece files behind tokenizer.h. */
#include <string.h>

#include "alloc.h"
#include "spm_decode.h"
#include "spm_encode.h"
#include "spm_model.h"
#include "tokenizer_kinds.h"

struct spm_tokenizer {
    struct steti_tokenizer base;
    struct steti_spm_model spm;
};

static const struct steti_spm_model *model_of(const struct steti_tokenizer *t)
{
    return &((const struct spm_tokenizer *)(const void *)t)->spm;
}

static stet_status encode(const struct steti_tokenizer *t, const char *text, size_t len,
                          struct steti_pieces *out, uint64_t *work, stet_error *err)
{
    *work += len;
    return steti_spm_encode(model_of(t), text, len, out, err);
}

static stet_status decode(const struct steti_tokenizer *t, const int32_t *ids, size_t n,
                          struct steti_buf *out, uint32_t *ends, stet_error *err)
{
    return steti_spm_decode(model_of(t), ids, n, out, ends, err);
}

static void piece_info(const struct steti_tokenizer *t, int32_t id, struct steti_piece_info *out)
{
    const struct steti_spm_model *m = model_of(t);
    const struct steti_spm_piece *p = &m->pieces[id];
    steti_describe_piece(m->text + p->off, p->len, STETI_WORD_MARK, out);
    out->is_control =
        p->type == STETI_SPM_CONTROL || p->type == STETI_SPM_UNKNOWN || p->type == STETI_SPM_BYTE;
}

static void close_spm(struct steti_tokenizer *t)
{
    steti_spm_model_close(&((struct spm_tokenizer *)(void *)t)->spm);
    steti_free(t);
}

static const struct steti_tokenizer_ops ops = {encode, decode, piece_info, close_spm};

stet_status steti_tokenizer_open_spm(const void *data, size_t len, const char *name,
                                     struct steti_tokenizer **out, stet_error *err)
{
    struct spm_tokenizer *t = steti_calloc(1, sizeof *t);
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
    t->base = (struct steti_tokenizer){
        .ops = &ops,
        .kind = t->spm.kind == STETI_SPM_BPE ? "sentencepiece bpe" : "sentencepiece unigram",
        .vocab_size = t->spm.n_pieces,
        .unk_id = t->spm.unk_id,
        .eos_id = t->spm.eos_id,
        .bos_id = t->spm.bos_id,
        .pad_id = t->spm.pad_id};
    *out = &t->base;
    return STET_OK;
}
