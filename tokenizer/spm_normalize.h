/* spm_normalize.h - text as a SentencePiece model wants to see it, and where each byte came
 * from. */
#ifndef STETI_SPM_NORMALIZE_H
#define STETI_SPM_NORMALIZE_H

#include "spm_model.h"

/* Start with {0}. map has len + 1 entries: map[i] is the source byte that text[i] was made from,
 * and map[len] the source byte after the last one used. It never decreases. */
struct steti_spm_text {
    char *data;
    uint32_t *map;
    size_t len;
    size_t cap_data, cap_map;
};
void steti_spm_text_free(struct steti_spm_text *t);

/* Replaces *out. User-defined pieces are kept as they are; every byte that is not part of a
 * valid UTF-8 sequence becomes U+FFFD. STET_E_TOO_LONG: the result would exceed 2 GiB. */
stet_status steti_spm_normalize(const struct steti_spm_model *m, const char *s, size_t len,
                                struct steti_spm_text *out, stet_error *err);

#endif
