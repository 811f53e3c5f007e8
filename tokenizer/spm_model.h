/* spm_model.h - a SentencePiece model as read from its file: pieces, search trees, normalisation
 * rules.
 *
 * The file is a protocol-buffers message (proto2). Fields not named here are skipped; of a
 * scalar that comes twice the last one counts; a message that comes in parts is merged. All
 * counts are checked against the bytes that are really there before memory is taken for them.
 */
#ifndef STETI_SPM_MODEL_H
#define STETI_SPM_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "spm_trie.h"
#include "status.h"

/* Limits that keep time and memory linear in the text for any model file. */
#define STETI_SPM_MAX_FILE ((size_t)256 << 20)
#define STETI_SPM_MAX_PIECE 65535u   /* bytes of a piece */
#define STETI_SPM_MAX_RULE_KEY 256u  /* source bytes of a normalisation rule that are looked at */
#define STETI_SPM_MAX_RULE_TEXT 512u /* bytes a normalisation rule may write */

/* Values as in the file. */
enum steti_spm_type {
    STETI_SPM_NORMAL = 1,
    STETI_SPM_UNKNOWN = 2,
    STETI_SPM_CONTROL = 3,
    STETI_SPM_USER_DEFINED = 4,
    STETI_SPM_UNUSED = 5,
    STETI_SPM_BYTE = 6
};
enum steti_spm_kind {
    STETI_SPM_UNIGRAM = 1,
    STETI_SPM_BPE = 2,
    STETI_SPM_WORD = 3,
    STETI_SPM_CHAR = 4
};

struct steti_spm_piece {
    uint32_t off, len; /* in steti_spm_model.text */
    float score;
    uint8_t type;
    uint8_t byte; /* of a byte piece */
};

/* Rules "longest source prefix -> text": a darts-clone double array as stored in the file, and
 * the texts with a NUL after each. */
struct steti_spm_charsmap {
    uint32_t *units; /* NULL: no rules */
    size_t n_units;
    char *texts;
    size_t texts_len;
};

struct steti_spm_model {
    char *text; /* all pieces, one after the other */
    struct steti_spm_piece *pieces;
    int32_t n_pieces;
    enum steti_spm_kind kind;

    int byte_fallback;
    int treat_whitespace_as_suffix;
    int add_dummy_prefix;
    int remove_extra_whitespaces;
    int escape_whitespaces;
    char *unk_surface;
    size_t unk_surface_len;

    int32_t unk_id, bos_id, eos_id, pad_id; /* -1: none */
    int32_t byte_ids[256];
    int32_t n_unused; /* pieces of type UNUSED; their index among these is in unused_index */
    int32_t *unused_index;
    float min_score; /* of the normal pieces */

    struct steti_spm_trie vocab; /* normal, user-defined and unused pieces */
    struct steti_spm_trie user;  /* user-defined pieces */
    struct steti_spm_charsmap charsmap;
};

/* Reads and checks everything, and runs the self-test samples of the file. *out is zeroed on
 * failure. */
stet_status steti_spm_model_open(const void *data, size_t len, const char *name,
                                 struct steti_spm_model *out, stet_error *err);
void steti_spm_model_close(struct steti_spm_model *m); /* legal on a zeroed model */

/* The value of "<0x41>", or -1. */
int steti_spm_byte_of(const char *s, size_t len);

#endif
