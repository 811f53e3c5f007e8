/* hf_read.h - the parts of a tokenizer.json file, each read and checked by a function. */
#ifndef STETI_HF_READ_H
#define STETI_HF_READ_H

#include "hf.h"
#include "json_fields.h"
#include "tokenizer_files.h"

/* The pattern of GPT-2, RoBERTa and BART; others are refused. */
#define STETI_GPT2_PATTERN                                                                         \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* hf_model_read.c: the vocabulary, then what cuts words into its pieces. The tree is built. */
stet_status steti_hf_read_model(struct steti_hf *h, const struct steti_json_obj *root,
                                stet_error *err);
/* Reads {"text": id} into the vocabulary and builds the tree. */
stet_status steti_hf_read_vocab_object(struct steti_vocab *vocab, const struct steti_json_obj *o,
                                       const struct steti_json *v, stet_error *err);
/* The same from a vocab.json. */
stet_status steti_hf_read_vocab_file(struct steti_vocab *vocab,
                                     const struct steti_folder_file *file, stet_error *err);
/* hf_added_read.c. Stages must have been read: contents are normalised. */
stet_status steti_hf_read_added(struct steti_hf *h, const struct steti_json_obj *root,
                                stet_error *err);
stet_status steti_hf_index_added(struct steti_hf *h, stet_error *err);
/* hf_stage_read.c */
stet_status steti_hf_add_stage(struct steti_hf *h, const struct steti_hf_stage *stage,
                               const struct steti_json_obj *o, stet_error *err);
stet_status steti_hf_set_text(char **out, size_t *out_len, const char *s, size_t n,
                              stet_error *err);
stet_status steti_hf_read_stages(struct steti_hf *h, const struct steti_json_obj *root,
                                 stet_error *err);
/* Refuses steps that together make texts absurdly long. */
stet_status steti_hf_check_growth(const struct steti_hf_stage *stages, size_t n,
                                  const struct steti_json_obj *o, const char *key, stet_error *err);
/* hf_decode_read.c */
stet_status steti_hf_read_decoder(struct steti_hf *h, const struct steti_json_obj *root,
                                  stet_error *err);
/* hf_open.c: without <unk>, text with a byte that has no piece would vanish. */
stet_status steti_hf_check_bytes(const struct steti_hf *h, const struct steti_json_obj *o,
                                 stet_error *err);
/* hf_check.c: parts that the engine does not need, but that must not be nonsense. */
stet_status steti_hf_check_rest(const struct steti_hf *h, const struct steti_json_obj *root,
                                stet_error *err);

/* hf_bpe_read.c: merges come as texts of a pair; `where` names one in messages. */
struct steti_hf_pair {
    const char *left, *right;
    size_t left_len, right_len;
};
struct steti_hf_pairs; /* merges while they are read */
stet_status steti_hf_pairs_new(struct steti_hf *h, const struct steti_json_obj *o, size_t n,
                               struct steti_hf_pairs **out, stet_error *err);
stet_status steti_hf_pairs_add(struct steti_hf_pairs *p, const struct steti_hf_pair *pair,
                               stet_error *err);
/* "left right" */
stet_status steti_hf_pairs_add_line(struct steti_hf_pairs *p, const char *s, size_t n,
                                    stet_error *err);
stet_status steti_hf_pairs_finish(struct steti_hf_pairs *p, stet_error *err);
void steti_hf_pairs_free(struct steti_hf_pairs *p);

/* Where to look for the member `type` of an object; STET_E_FORMAT if there is none. */
stet_status steti_hf_type(const struct steti_json_obj *o, const char **type, stet_error *err);
/* The element i of a list as an object; `where` gets its name. */
stet_status steti_hf_element(const struct steti_json_obj *o, const char *key,
                             const struct steti_json *list, size_t i, char where[96],
                             struct steti_json_obj *out, stet_error *err);

#endif
