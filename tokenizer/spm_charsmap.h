/* spm_charsmap.h - the precompiled normalisation rules of a SentencePiece model. */
#ifndef STETI_SPM_CHARSMAP_H
#define STETI_SPM_CHARSMAP_H

#include "spm_model.h"

/* The longest rule whose source s[0..n) begins with: returns its length and sets *text
 * (NUL-terminated); 0 if there is none. Any contents of the rules are safe: the walk never
 * leaves the array, and it ends after STETI_SPM_MAX_RULE_KEY bytes, so that a rule tree with a
 * cycle costs no more than that. */
size_t steti_spm_charsmap_match(const struct steti_spm_charsmap *c, const char *s, size_t n,
                                const char **text);

/* The shortest such rule: what tokenizer.json files make of the same rules. It ends at a NUL. */
size_t steti_spm_charsmap_first(const struct steti_spm_charsmap *c, const char *s, size_t n,
                                const char **text);

#endif
