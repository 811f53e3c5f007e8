/* spm_decode.h - ids back to text. */
#ifndef STETI_SPM_DECODE_H
#define STETI_SPM_DECODE_H

#include "buf.h"
#include "spm_model.h"

/* See steti_tokenizer_decode. */
stet_status steti_spm_decode(const struct steti_spm_model *m, const int32_t *ids, size_t n,
                             struct steti_buf *out, uint32_t *ends, stet_error *err);

#endif
