/* spm_encode.h - cutting normalised text into pieces. */
#ifndef STETI_SPM_ENCODE_H
#define STETI_SPM_ENCODE_H

#include "spm_model.h"
#include "spm_normalize.h"

struct steti_pieces;

struct steti_spm_segment {
    uint32_t len; /* bytes of normalised text; at least 1 */
    int32_t id;
};

/* Start with {0}. */
struct steti_spm_segments {
    struct steti_spm_segment *data;
    size_t len, cap;
};
void steti_spm_segments_free(struct steti_spm_segments *s);

/* Bytes of the character at s[0..n), n > 0, going by its first byte alone: normalised text may
 * hold anything if a rule or a user-defined piece does. */
size_t steti_spm_char_len(const char *s, size_t n);

/* Append the segments of s[0..n) to out; their lengths add up to n. */
stet_status steti_spm_unigram(const struct steti_spm_model *m, const char *s, size_t n,
                              struct steti_spm_segments *out, stet_error *err);
stet_status steti_spm_bpe(const struct steti_spm_model *m, const char *s, size_t n,
                          struct steti_spm_segments *out, stet_error *err);

/* Unigram: the score of a piece where it is chosen, `len` bytes long. User-defined pieces get a
 * bonus that makes them win. */
float steti_spm_piece_score(const struct steti_spm_model *m, int32_t id, size_t len);
float steti_spm_unk_score(const struct steti_spm_model *m);

/* Normalises text, cuts it, and keeps both: the segments of `segments` cover `text`. */
stet_status steti_spm_segment(const struct steti_spm_model *m, const char *s, size_t len,
                              struct steti_spm_text *text, struct steti_spm_segments *segments,
                              stet_error *err);

/* The whole way, appending to out; see steti_tokenizer_encode. */
stet_status steti_spm_encode(const struct steti_spm_model *m, const char *s, size_t len,
                             struct steti_pieces *out, stet_error *err);

#endif
