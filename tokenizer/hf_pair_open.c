/* vocab.json and merges.txt: byte-level BPE as GPT-2, RoBERTa and BART have it, without a
 * tokenizer.json that says so. */
#include <string.h>

#include "alloc.h"
#include "hf_read.h"
#include "tokenizer_files.h"

/* No text becomes these. */
static const char *const special_names[] = {"<s>",   "<pad>",  "</s>",
                                            "<unk>", "<mask>", "<|endoftext|>"};
#define N_SPECIAL (sizeof special_names / sizeof special_names[0])

static stet_status add_lines(struct steti_hf_pairs *pairs, const char *s, size_t len,
                             stet_error *err)
{
    for (size_t at = 0; at < len;) {
        const char *nl = memchr(s + at, '\n', len - at);
        size_t n = nl != NULL ? (size_t)(nl - s) - at : len - at;
        size_t shown = n > 0 && s[at + n - 1] == '\r' ? n - 1 : n;
        int comment = shown >= 8 && memcmp(s + at, "#version", 8) == 0;
        if (!comment && shown > 0) {
            STETI_TRY(steti_hf_pairs_add_line(pairs, s + at, shown, err));
        }
        at += n + 1;
    }
    return STET_OK;
}

static stet_status read_merges(struct steti_hf *h, const struct steti_folder_file *file,
                               stet_error *err)
{
    struct steti_json_obj o = {file->path, "", NULL};
    struct steti_hf_pairs *pairs;
    stet_status st;
    STETI_TRY(steti_hf_pairs_new(h, &o, file->map.len / 4, &pairs, err));
    st = add_lines(pairs, (const char *)file->map.data, file->map.len, err);
    if (st == STET_OK) {
        st = steti_hf_pairs_finish(pairs, err);
    }
    steti_hf_pairs_free(pairs);
    return st;
}

static stet_status mark_special(struct steti_hf *h, stet_error *err)
{
    h->added = steti_calloc(N_SPECIAL, sizeof *h->added);
    if (h->added == NULL) {
        return steti_fail_nomem(err, "special tokens", N_SPECIAL * sizeof *h->added);
    }
    for (size_t i = 0; i < N_SPECIAL; i++) {
        int32_t id = steti_vocab_find(&h->vocab, special_names[i], strlen(special_names[i]));
        if (id >= 0) {
            h->vocab.entries[id].flags |= STETI_VOCAB_SPECIAL;
            h->added[h->n_added++] = (struct steti_hf_added){.id = id, .special = 1};
        }
    }
    return STET_OK;
}

static stet_status add_stages(struct steti_hf *h, int add_prefix_space, stet_error *err)
{
    struct steti_json_obj o = {"", "", NULL};
    struct steti_hf_stage stage = {.op = STETI_HF_PREFIX, .flags = STETI_HF_UNLESS_THERE};
    if (add_prefix_space) {
        STETI_TRY(steti_hf_add_stage(h, &stage, &o, err));
        STETI_TRY(steti_hf_set_text(&h->stages[0].to, &h->stages[0].to_len, " ", 1, err));
    }
    stage = (struct steti_hf_stage){.op = STETI_HF_GPT2_SPLIT};
    STETI_TRY(steti_hf_add_stage(h, &stage, &o, err));
    stage.op = STETI_HF_BYTE_CHARS;
    return steti_hf_add_stage(h, &stage, &o, err);
}

static stet_status build(struct steti_hf *h, const struct steti_tokenizer_folder *f,
                         const struct steti_folder_file *vocab,
                         const struct steti_folder_file *merges, stet_error *err)
{
    struct steti_json_obj o = {vocab->path, "", NULL};
    STETI_TRY(steti_hf_read_vocab_file(&h->vocab, vocab, err));
    STETI_TRY(read_merges(h, merges, err));
    STETI_TRY(mark_special(h, err));
    STETI_TRY(add_stages(h, f->add_prefix_space, err));
    h->decode.kind = STETI_HF_DECODE_BYTES;
    STETI_TRY(steti_hf_finish(h, err));
    return steti_hf_check_bytes(h, &o, err);
}

stet_status steti_tokenizer_open_pair(const struct steti_tokenizer_folder *f,
                                      struct steti_tokenizer **out, stet_error *err)
{
    struct steti_folder_file vocab = {0}, merges = {0};
    struct steti_hf *h = NULL;
    stet_status st = steti_folder_file_open(f, "vocab.json", &vocab, err);
    if (st == STET_OK) {
        st = steti_folder_file_open(f, "merges.txt", &merges, err);
    }
    if (st == STET_OK) {
        h = steti_hf_new(err);
        st = h == NULL ? STET_E_NOMEM : build(h, f, &vocab, &merges, err);
    }
    steti_folder_file_close(&vocab);
    steti_folder_file_close(&merges);
    if (st != STET_OK) {
        steti_hf_close(h);
        return st;
    }
    *out = &h->base;
    return STET_OK;
}
