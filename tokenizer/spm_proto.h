/* spm_proto.h - the fields of a SentencePiece file, before anything is built from them. */
#ifndef STETI_SPM_PROTO_H
#define STETI_SPM_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "spm_model.h"

/* Bytes inside the file. */
struct steti_spm_view {
    const char *data;
    size_t len;
    int set;
};

struct steti_spm_proto {
    const char *name; /* for messages */
    struct steti_bytes file;

    size_t n_pieces, piece_bytes, n_samples;

    int64_t model_kind;
    int byte_fallback, treat_whitespace_as_suffix;
    struct steti_spm_view bos_piece, eos_piece, pad_piece, unk_surface;

    int add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
    struct steti_spm_view charsmap, denormalizer_charsmap;
};

struct steti_spm_proto_piece {
    struct steti_spm_view text;
    float score;
    int64_t type;
};

struct steti_spm_proto_sample {
    struct steti_spm_view input, expected;
};

/* Reads every field once and counts the repeated ones. The views point into data. */
stet_status steti_spm_proto_read(const void *data, size_t len, const char *name,
                                 struct steti_spm_proto *out, stet_error *err);

/* Calls fn for every piece, in order; stops at the first failure. */
typedef stet_status (*steti_spm_piece_fn)(void *ctx, const struct steti_spm_proto_piece *piece,
                                          stet_error *err);
stet_status steti_spm_proto_pieces(const struct steti_spm_proto *p, steti_spm_piece_fn fn,
                                   void *ctx, stet_error *err);

/* The same for the self-test samples. */
typedef stet_status (*steti_spm_sample_fn)(void *ctx, const struct steti_spm_proto_sample *sample,
                                           stet_error *err);
stet_status steti_spm_proto_samples(const struct steti_spm_proto *p, steti_spm_sample_fn fn,
                                    void *ctx, stet_error *err);

#endif
