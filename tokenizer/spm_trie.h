/* spm_trie.h - a set of byte strings, each with a number, walked one byte at a time.
 *
 * A double array: the child of node s by byte c, if there is one, is slot base[s] ^ c, and says
 * so by check == s. One array access a byte, 12 bytes a slot, built in linear time from sorted
 * keys.
 *
 *   slot:    0          1 .. 255        256 ..
 *          root     |   blocks of 256: all children of a node lie in one block   |
 */
#ifndef STETI_SPM_TRIE_H
#define STETI_SPM_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define STETI_SPM_TRIE_NONE UINT32_MAX

struct steti_spm_trie_slot {
    uint32_t base;
    uint32_t check; /* parent slot; STETI_SPM_TRIE_NONE if free */
    int32_t value;  /* of the key that ends here; -1 if none does */
};

struct steti_spm_trie {
    struct steti_spm_trie_slot *slots; /* NULL: no keys */
    size_t n_slots;                    /* a multiple of 256 */
};

struct steti_spm_key {
    const char *data;
    uint32_t len;  /* at least 1 */
    int32_t value; /* not negative */
};

/* Keys must be sorted by their bytes (as unsigned) and differ. With no keys the trie matches
 * nothing. */
stet_status steti_spm_trie_build(const struct steti_spm_key *keys, size_t n,
                                 struct steti_spm_trie *out, stet_error *err);
void steti_spm_trie_free(struct steti_spm_trie *t); /* legal on a zeroed trie */

/* The child of `node` (0 = root) by byte c, or STETI_SPM_TRIE_NONE. The trie must have slots. */
static inline uint32_t steti_spm_trie_step(const struct steti_spm_trie *t, uint32_t node,
                                           unsigned char c)
{
    uint32_t next = t->slots[node].base ^ c;
    return t->slots[next].check == node ? next : STETI_SPM_TRIE_NONE;
}

/* Follows n bytes from `node`; STETI_SPM_TRIE_NONE when there is no such path or node is that
 * already. */
uint32_t steti_spm_trie_walk(const struct steti_spm_trie *t, uint32_t node, const char *s,
                             size_t n);

/* Length of the longest key that s[0..n) begins with, and its value; 0 when there is none. */
size_t steti_spm_trie_longest(const struct steti_spm_trie *t, const char *s, size_t n,
                              int32_t *value);

#endif
