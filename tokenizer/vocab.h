/* vocab.h - the pieces of a vocabulary by id, and ids by text. Ids may have holes. */
#ifndef STETI_VOCAB_H
#define STETI_VOCAB_H

#include "spm_trie.h"

/* Ids above eight times the number of pieces plus this are taken for a mistake: a table by id
 * would be nearly empty. */
#define STETI_VOCAB_SPARE_IDS 65536

#define STETI_VOCAB_SET 1u     /* the id has a piece */
#define STETI_VOCAB_SPECIAL 2u /* text never becomes it, and it writes nothing */

struct steti_vocab_entry {
    uint32_t off, len; /* in text */
    uint32_t flags;
};

struct steti_vocab {
    char *text;
    size_t text_len, text_cap;
    struct steti_vocab_entry *entries; /* [n] */
    size_t n, cap;
    size_t n_set;
    struct steti_spm_trie trie; /* after steti_vocab_index */
};

/* Gives id a text. The id must not be set, and not negative. */
stet_status steti_vocab_put(struct steti_vocab *v, int32_t id, const char *s, size_t len,
                            stet_error *err);
/* Gives an id that is set another text; for before or after indexing, which does not see it. */
stet_status steti_vocab_rename(struct steti_vocab *v, int32_t id, const char *s, size_t len,
                               stet_error *err);
int steti_vocab_has(const struct steti_vocab *v, int32_t id);
const char *steti_vocab_text(const struct steti_vocab *v, int32_t id, size_t *len);

/* Builds the tree. Of ids with the same text the highest is found, as in the reference library.
 * Empty pieces are never found. */
stet_status steti_vocab_index(struct steti_vocab *v, stet_error *err);

/* Sorts the keys and builds a tree; of equal keys the last one counts. */
stet_status steti_vocab_build_tree(struct steti_spm_key *keys, size_t n, struct steti_spm_trie *out,
                                   stet_error *err);

/* The id of exactly this text; -1 if there is none. */
int32_t steti_vocab_find(const struct steti_vocab *v, const char *s, size_t len);

void steti_vocab_free(struct steti_vocab *v); /* legal on a zeroed one */

#endif
