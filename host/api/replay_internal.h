/* replay_internal.h - the parts of stet_replay. Private to host/api. */
#ifndef STETI_REPLAY_INTERNAL_H
#define STETI_REPLAY_INTERNAL_H

#include "api_internal.h"
#include "replay.h"

#define REPLAY_MAX_POLICIES 8

/* Texts as tokens: those of text i are ids[begin[i] .. begin[i + 1]). */
struct replay_texts {
    int32_t *ids;
    size_t *begin; /* [n + 1] */
    size_t n, n_ids, cap_ids;
    int longest;
};

struct replay_policy {
    const struct steti_draft_ops *ops;
    struct steti_counts *counts; /* [n_answers][n_sources] */
};

struct replay {
    const stet_replay_input *in;
    struct api_options options;
    struct steti_tokenizer *tokenizer; /* NULL: none was named */
    struct piece_table table;
    struct steti_pieces pieces; /* of the text that is read */
    struct replay_texts sources;
    struct replay_texts *answers; /* [n_answers] */
    int max_out;                  /* no output is longer */
    struct replay_policy policies[REPLAY_MAX_POLICIES];
    int n_policies;
    uint64_t *ends;    /* [batch_size] for steti_replay_continuous */
    size_t *histogram; /* [max_out + 1] how many sentences took so many passes */
};

/* Fills out->ids with the tokens of texts[0 .. n_sources); `name` is used in messages. Frees
 * nothing on failure: replay_texts_free, legal on a zeroed struct. (replay_texts.c) */
stet_status replay_texts_read(struct replay *r, const stet_text *texts, const char *name,
                              struct replay_texts *out, stet_error *err);
void replay_texts_free(struct replay_texts *t);

/* Appends the report about the counts. (replay_report.c) */
stet_status replay_report(const struct replay *r, uint32_t format, struct steti_buf *b,
                          stet_error *err);

#endif
