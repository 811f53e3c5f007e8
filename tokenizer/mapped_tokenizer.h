/* mapped_tokenizer.h - a SentencePiece file and a list of pieces that says other ids. */
#ifndef STETI_MAPPED_TOKENIZER_H
#define STETI_MAPPED_TOKENIZER_H

#include "spm_model.h"
#include "tokenizer_kinds.h"
#include "vocab.h"

struct steti_mapped {
    struct steti_tokenizer base;
    struct steti_spm_model spm;    /* cuts texts */
    struct steti_spm_model target; /* Marian only: how texts are put together */
    struct steti_vocab pieces;     /* by the ids of the model */
    int32_t *ids;                  /* of every piece of spm */
    /* The pieces as a model that can only decode. */
    struct steti_spm_model out;
};

struct steti_mapped *steti_mapped_new(stet_error *err);

/* After spm and pieces have been read: the tables. `rules` says how decoding treats spaces. */
stet_status steti_mapped_finish(struct steti_mapped *m, const struct steti_spm_model *rules,
                                const char *path, stet_error *err);

#endif
