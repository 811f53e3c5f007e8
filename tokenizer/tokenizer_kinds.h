/* tokenizer_kinds.h - the kinds of tokenizers behind tokenizer.h. */
#ifndef STETI_TOKENIZER_KINDS_H
#define STETI_TOKENIZER_KINDS_H

#include "json.h"
#include "tokenizer.h"

struct steti_tokenizer_ops {
    /* As the functions of tokenizer.h; the text is short enough, and out->len is the caller's to
     * put back on failure. `work` counts steps, for tests of long texts. */
    stet_status (*encode)(const struct steti_tokenizer *t, const char *text, size_t len,
                          struct steti_pieces *out, uint64_t *work, stet_error *err);
    /* Ids are in range. */
    stet_status (*decode)(const struct steti_tokenizer *t, const int32_t *ids, size_t n,
                          struct steti_buf *out, uint32_t *ends, stet_error *err);
    /* The id is in range. */
    void (*piece_info)(const struct steti_tokenizer *t, int32_t id, struct steti_piece_info *out);
    void (*close)(struct steti_tokenizer *t);
};

/* The first member of every kind. */
struct steti_tokenizer {
    const struct steti_tokenizer_ops *ops;
    const char *kind;
    int32_t vocab_size;
    int32_t unk_id, eos_id, bos_id, pad_id; /* -1: none */
};

/* The same as steti_tokenizer_encode. `work` may be NULL; else the steps taken are added. */
stet_status steti_tokenizer_encode_counted(const struct steti_tokenizer *t, const char *text,
                                           size_t len, struct steti_pieces *out, uint64_t *work,
                                           stet_error *err);

stet_status steti_pieces_push(struct steti_pieces *out, struct steti_piece p, stet_error *err);

#define STETI_WORD_MARK "\xE2\x96\x81" /* U+2581 */

/* Fills *out for a piece that is text: not a control piece, `mark` (may be "") taken off its
 * front. */
void steti_describe_piece(const char *s, size_t len, const char *mark,
                          struct steti_piece_info *out);

/* Notes where piece i ends in a decoded text of `end` bytes; `ends` may be NULL. */
stet_status steti_set_end(uint32_t *ends, size_t i, size_t end, stet_error *err);

#endif
