/* key_sort.h - sorting texts by their bytes. */
#ifndef STETI_KEY_SORT_H
#define STETI_KEY_SORT_H

#include "spm_trie.h"

/* In the order that steti_spm_trie_build wants. Stable. */
stet_status steti_keys_sort(struct steti_spm_key *keys, size_t n, stet_error *err);

int steti_keys_equal(const struct steti_spm_key *a, const struct steti_spm_key *b);

#endif
