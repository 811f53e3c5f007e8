/* tokenizer.h - text to token ids and back, with the source bytes of every token.
 *
 * A tokenizer is immutable after opening and may be used from any thread.
 *
 * Offset laws, for the n pieces of a text of len bytes (tests check them on hostile text):
 *   0 <= begin[i] <= end[i] <= len;  begin[0] == 0;  end[n - 1] == len (if n > 0);
 *   end[i] == begin[i + 1]: the pieces cover the text without gaps. A piece may be empty (an
 *   inserted word-boundary mark, or one of several pieces made from one source character).
 */
#ifndef STETI_TOKENIZER_H
#define STETI_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"

struct steti_tokenizer;

struct steti_piece {
    int32_t id;
    uint32_t begin, end; /* source bytes */
};

/* A growing list of pieces; start with {0}. */
struct steti_pieces {
    struct steti_piece *data;
    size_t len;
    size_t cap;
};
void steti_pieces_free(struct steti_pieces *p);

/* Opens the tokenizer of a model folder; README.md has the table of files and their order.
 * STET_E_IO: none of them is there or it cannot be read (message lists the names tried).
 * STET_E_FORMAT: the file is broken (message: path and offset or field).
 * STET_E_MODEL: the file asks for something that is not supported (message: what). */
stet_status steti_tokenizer_open(const char *folder, struct steti_tokenizer **out, stet_error *err);

/* The same from memory; `name` is used in messages. The bytes are not needed after the call. */
stet_status steti_tokenizer_open_spm(const void *data, size_t len, const char *name,
                                     struct steti_tokenizer **out, stet_error *err);
/* The same for the text of a tokenizer.json. */
stet_status steti_tokenizer_open_json(const void *data, size_t len, const char *name,
                                      struct steti_tokenizer **out, stet_error *err);
void steti_tokenizer_close(struct steti_tokenizer *t); /* NULL is legal */

/* Appends the pieces of text[0..len) to out (out->len grows; without end-of-sentence token). Any
 * bytes are legal; each byte outside a valid UTF-8 sequence is treated as one U+FFFD, as the
 * reference library does. Literal "</s>" and the like in the text never become control ids. len
 * <= 1 GiB, else STET_E_TOO_LONG. On failure out->len is unchanged. Linear in len (times log)
 * for any text. */
stet_status steti_tokenizer_encode(const struct steti_tokenizer *t, const char *text, size_t len,
                                   struct steti_pieces *out, stet_error *err);

/* Appends the text of ids[0..n) to out, as the reference library's decode does. If ends is not
 * NULL, ends[i] is set to out->len after piece i, counted from out->len at the call: piece i
 * wrote [ends[i - 1], ends[i]). Control ids write nothing. Ids out of range: STET_E_INVALID. */
stet_status steti_tokenizer_decode(const struct steti_tokenizer *t, const int32_t *ids, size_t n,
                                   struct steti_buf *out, uint32_t *ends, stet_error *err);

int32_t steti_tokenizer_vocab_size(const struct steti_tokenizer *t);
/* -1 when the model has none. */
int32_t steti_tokenizer_unk_id(const struct steti_tokenizer *t);
int32_t steti_tokenizer_eos_id(const struct steti_tokenizer *t);
int32_t steti_tokenizer_bos_id(const struct steti_tokenizer *t);
int32_t steti_tokenizer_pad_id(const struct steti_tokenizer *t);

/* The piece as stored (the mark of a word boundary is U+2581 or another sign, as the file has it),
 * its length in *len; NULL for an id out of range. */
const char *steti_tokenizer_piece(const struct steti_tokenizer *t, int32_t id, size_t *len);

/* A piece as text, whatever the kind of the tokenizer. */
struct steti_piece_info {
    const char *text; /* in the tokenizer's memory; without the mark in front. Pieces of bytes may
                           hold a part of a character. Marks inside are as stored. */
    size_t len;
    const char *stored; /* as steti_tokenizer_piece */
    size_t stored_len;
    int begins_word; /* a mark of a word boundary (a space) stood in front */
    int is_control;  /* text never becomes it, or its text is a name: control, unknown, <0x41> */
};
/* Legal for every id in [0, vocab_size); an id without a piece is an empty control piece. */
void steti_tokenizer_piece_info(const struct steti_tokenizer *t, int32_t id,
                                struct steti_piece_info *out);

/* "sentencepiece unigram", "sentencepiece bpe", "byte-level bpe", ...; static storage. */
const char *steti_tokenizer_kind(const struct steti_tokenizer *t);

#endif
