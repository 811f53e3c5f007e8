/* edits.h - from two token sequences to edits of the original bytes.
 *
 * The model sees normalised pieces, the user wants the original bytes back. So edits are found by
 * aligning token ids: pieces that the output shares with the source keep the source's bytes,
 * whatever the tokenizer normalised there (double spaces, tabs, full-width forms, invalid bytes);
 * only pieces that differ become edits.
 */
#ifndef STETI_EDITS_H
#define STETI_EDITS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"
#include "tokenizer.h"

/* Source bytes [src_begin, src_end) are replaced by text [text_begin, text_end) of the list's text
 * buffer. */
struct steti_edit {
    size_t src_begin, src_end;
    size_t text_begin, text_end;
    uint32_t out_first, out_last; /* output tokens [first, last) that made it; for scores */
};
struct steti_edits {
    struct steti_edit *data;
    size_t len, cap;
    struct steti_buf text;
};
void steti_edits_free(struct steti_edits *e);

struct steti_edits_input {
    const struct steti_tokenizer *tokenizer;
    const char *src; /* one sentence */
    size_t src_len;
    const struct steti_piece *pieces; /* of src; offsets inside src */
    size_t n_pieces;
    const int32_t *out_ids; /* the model's output, without end-of-sentence token */
    size_t n_out;
    size_t base; /* added to every src offset: where the sentence stands in the text */
};

/* Appends the edits, sorted, not overlapping, not touching, none empty, none replacing bytes by
 * equal bytes. Edits are widened to whole words (white-space or punctuation bounded), so that
 * "go" -> "goes" is one replacement and not an insertion of "es". White space of the source that
 * the model only saw normalised is kept. Bytes of invalid UTF-8 are never inside a replaced range
 * that the model did not choose to change. An edit whose text the model could not write (<unk>
 * with no partner in the source, bytes that make no character) is left out. */
stet_status steti_edits_extract(const struct steti_edits_input *in, struct steti_edits *out,
                                stet_error *err);

/* Appends src with edits [first, list->len) applied to out; edit offsets count from src. */
stet_status steti_edits_apply(const char *src, size_t len, const struct steti_edits *list,
                              size_t first, struct steti_buf *out, stet_error *err);

#endif
