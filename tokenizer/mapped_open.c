/* SentencePiece files whose pieces have other ids in the model: texts are cut by the file, ids come
 * from a list of pieces beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "hf_read.h"
#include "mapped_tokenizer.h"
#include "tokenizer_files.h"

#define MAX_EXTRA_IDS 100000 /* ids behind the pieces: languages, <mask> */

static const char *const front[] = {"<s>", "<pad>", "</s>", "<unk>"}; /* ids 0 .. 3 of fairseq */
#define N_FRONT 4

static stet_status put(struct steti_mapped *m, size_t id, const char *s, size_t len,
                       stet_error *err)
{
    return steti_vocab_put(&m->pieces, (int32_t)id, s, len, err);
}

static stet_status put_front(struct steti_mapped *m, stet_error *err)
{
    for (size_t id = 0; id < N_FRONT; id++) {
        STETI_TRY(put(m, id, front[id], strlen(front[id]), err));
    }
    return STET_OK;
}

/* ---- dict.txt -------------------------------------------------------------------------------- */

/* "piece count", perhaps with a flag after it. */
static stet_status put_line(struct steti_mapped *m, const char *path, size_t line, const char *s,
                            size_t n, stet_error *err)
{
    static const char flag[] = " #fairseq:overwrite";
    size_t flag_len = sizeof flag - 1, digits = 0;
    if (n > 0 && s[n - 1] == '\r') {
        n--;
    }
    if (n > flag_len && memcmp(s + n - flag_len, flag, flag_len) == 0) {
        n -= flag_len;
    }
    while (digits < n && s[n - 1 - digits] >= '0' && s[n - 1 - digits] <= '9') {
        digits++;
    }
    if (digits == 0 || digits + 1 >= n || s[n - 1 - digits] != ' ') {
        return steti_fail(err, STET_E_FORMAT, "%s: line %zu: must be a piece, a space and a count",
                          path, line);
    }
    return put(m, m->pieces.n, s, n - digits - 1, err);
}

static stet_status read_dict(struct steti_mapped *m, const struct steti_folder_file *file,
                             stet_error *err)
{
    const char *s = (const char *)file->map.data;
    size_t len = file->map.len, line = 1;
    STETI_TRY(put_front(m, err));
    for (size_t at = 0; at < len; line++) {
        const char *nl = memchr(s + at, '\n', len - at);
        size_t n = nl != NULL ? (size_t)(nl - s) - at : len - at;
        STETI_TRY(put_line(m, file->path, line, s + at, n, err));
        at += n + 1;
    }
    return steti_vocab_index(&m->pieces, err);
}

/* ---- One id more ----------------------------------------------------------------------------- */

static stet_status shift(struct steti_mapped *m, const char *spm, stet_error *err)
{
    STETI_TRY(put_front(m, err));
    for (int32_t id = 3; id < m->spm.n_pieces; id++) {
        const struct steti_spm_piece *p = &m->spm.pieces[id];
        STETI_TRY(put(m, (size_t)id + 1, m->spm.text + p->off, p->len, err));
    }
    if (m->spm.unk_id != 0 || m->spm.bos_id != 1 || m->spm.eos_id != 2) {
        return steti_fail(err, STET_E_MODEL, "%s: <unk>, <s> and </s> must be pieces 0, 1 and 2",
                          spm);
    }
    return steti_vocab_index(&m->pieces, err);
}

/* ---- Pegasus --------------------------------------------------------------------------------- */

#define PEGASUS_OFFSET 103 /* ids that were only of use in pretraining */

static stet_status shift_pegasus(struct steti_mapped *m, const struct steti_tokenizer_folder *f,
                                 const char *spm, stet_error *err)
{
    int64_t offset = f->offset >= 0 ? f->offset : PEGASUS_OFFSET;
    if (offset > MAX_EXTRA_IDS) {
        return steti_fail(err, STET_E_MODEL, "%s: offset of tokenizer_config.json is over %d", spm,
                          MAX_EXTRA_IDS);
    }
    if (m->spm.n_pieces < 3 || m->spm.pad_id != 0 || m->spm.eos_id != 1 || m->spm.unk_id != 2) {
        return steti_fail(err, STET_E_MODEL, "%s: <pad>, </s> and <unk> must be pieces 0, 1 and 2",
                          spm);
    }
    for (int32_t id = 0; id < m->spm.n_pieces; id++) {
        const struct steti_spm_piece *p = &m->spm.pieces[id];
        size_t shifted = (size_t)id + (id < 2 ? 0 : (size_t)offset);
        STETI_TRY(put(m, shifted, m->spm.text + p->off, p->len, err));
    }
    return steti_vocab_index(&m->pieces, err);
}

/* ---- All ------------------------------------------------------------------------------------- */

/* Ids that the model has and no file names: languages and the like. Text never becomes them. */
static stet_status add_unnamed(struct steti_mapped *m, int64_t vocab_size, stet_error *err)
{
    int64_t n = (int64_t)m->pieces.n;
    if (vocab_size > n && vocab_size - n <= MAX_EXTRA_IDS) {
        STETI_TRY(put(m, (size_t)vocab_size - 1, "", 0, err));
    }
    return STET_OK;
}

static stet_status open_spm(const struct steti_tokenizer_folder *f, const char *name,
                            struct steti_spm_model *out, stet_error *err)
{
    struct steti_folder_file file;
    stet_status st = steti_folder_file_open(f, name, &file, err);
    if (st == STET_OK) {
        st = steti_spm_model_open(file.map.data, file.map.len, file.path, out, err);
    }
    steti_folder_file_close(&file);
    return st;
}

static stet_status read_pieces(struct steti_mapped *m, const struct steti_tokenizer_folder *f,
                               const char *spm, enum steti_id_map map, stet_error *err)
{
    const char *name = map == STETI_IDS_DICT ? "dict.txt" : "vocab.json";
    struct steti_folder_file file;
    stet_status st;
    if (map == STETI_IDS_FAIRSEQ) {
        return shift(m, spm, err);
    }
    if (map == STETI_IDS_PEGASUS) {
        return shift_pegasus(m, f, spm, err);
    }
    st = steti_folder_file_open(f, name, &file, err);
    if (st == STET_OK) {
        st = map == STETI_IDS_DICT ? read_dict(m, &file, err)
                                   : steti_hf_read_vocab_file(&m->pieces, &file, err);
    }
    steti_folder_file_close(&file);
    return st;
}

static stet_status build(struct steti_mapped *m, const struct steti_tokenizer_folder *f,
                         const char *spm, enum steti_id_map map, stet_error *err)
{
    static const char *const kinds[] = {"marian", "sentencepiece with dict.txt",
                                        "sentencepiece with vocab.json", "sentencepiece of fairseq",
                                        "sentencepiece of pegasus"};
    STETI_TRY(open_spm(f, spm, &m->spm, err));
    STETI_TRY(read_pieces(m, f, spm, map, err));
    STETI_TRY(add_unnamed(m, f->vocab_size, err));
    m->base.kind = kinds[map];
    if (map != STETI_IDS_MARIAN) {
        return steti_mapped_finish(m, &m->spm, f->path, err);
    }
    STETI_TRY(open_spm(f, "target.spm", &m->target, err));
    return steti_mapped_finish(m, &m->target, f->path, err);
}

stet_status steti_tokenizer_open_mapped(const struct steti_tokenizer_folder *f, const char *spm,
                                        enum steti_id_map map, struct steti_tokenizer **out,
                                        stet_error *err)
{
    struct steti_mapped *m = steti_mapped_new(err);
    stet_status st;
    if (m == NULL) {
        return STET_E_NOMEM;
    }
    st = build(m, f, spm, map, err);
    if (st != STET_OK) {
        m->base.ops->close(&m->base);
        return st;
    }
    *out = &m->base;
    return STET_OK;
}
