/* tokenizer_files.h - the files of a model folder that tokenizers are made of. */
#ifndef STETI_TOKENIZER_FILES_H
#define STETI_TOKENIZER_FILES_H

#include "file_map.h"
#include "json_fields.h"
#include "tokenizer_kinds.h"

/* What the folder says of itself; "" and -1 where it says nothing. */
struct steti_tokenizer_folder {
    const char *path;
    char model_type[64];      /* config.json */
    char tokenizer_class[64]; /* tokenizer_config.json */
    int64_t vocab_size;       /* config.json */
    int add_prefix_space;     /* tokenizer_config.json */
    int64_t offset;           /* tokenizer_config.json: how many ids more, for Pegasus */
};

/* A file of the folder in memory. */
struct steti_folder_file {
    char *path;
    struct steti_file_map map;
};
stet_status steti_folder_file_open(const struct steti_tokenizer_folder *f, const char *name,
                                   struct steti_folder_file *out, stet_error *err);
void steti_folder_file_close(struct steti_folder_file *f); /* legal on a zeroed one */

/* *there: 1 if the folder has a regular file of this name. */
stet_status steti_folder_has(const struct steti_tokenizer_folder *f, const char *name, int *there,
                             stet_error *err);

/* hf_pair_open.c: vocab.json and merges.txt. */
stet_status steti_tokenizer_open_pair(const struct steti_tokenizer_folder *f,
                                      struct steti_tokenizer **out, stet_error *err);
/* byte_tokenizer.c: no files at all. */
stet_status steti_tokenizer_open_bytes(const struct steti_tokenizer_folder *f,
                                       struct steti_tokenizer **out, stet_error *err);

/* mapped_open.c: SentencePiece files whose pieces have other ids in the model. */
enum steti_id_map {
    STETI_IDS_MARIAN,  /* source.spm, target.spm, vocab.json */
    STETI_IDS_DICT,    /* dict.txt */
    STETI_IDS_VOCAB,   /* vocab.json */
    STETI_IDS_FAIRSEQ, /* one id more than in the file */
    STETI_IDS_PEGASUS, /* many ids more than in the file, but for <pad> and </s> */
};
/* `spm` is the name of the file that texts are cut with. */
stet_status steti_tokenizer_open_mapped(const struct steti_tokenizer_folder *f, const char *spm,
                                        enum steti_id_map map, struct steti_tokenizer **out,
                                        stet_error *err);

#endif
