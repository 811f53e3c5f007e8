/* quantize_internal.h - the parts of stet_quantize. Private to host/api. */
#ifndef STETI_QUANTIZE_INTERNAL_H
#define STETI_QUANTIZE_INTERNAL_H

#include "replay_internal.h"

/* ---- config.json (quantize_config.c) ---- */

/* Appends `text`, an object that is valid JSON, with the keys torch_dtype and dtype, where they
 * are, set to the name of the type, and quantization_config set (int8) or without it. All else is
 * as it was, byte for byte. */
stet_status quantize_config(const char *text, size_t len, enum steti_dtype type,
                            struct steti_buf *out, stet_error *err);

/* ---- Files (quantize_files.c) ---- */

/* Writes all files of `from` but its weights into the folder `to`; *copied counts those that are
 * not config.json. */
stet_status quantize_files(const char *from, const char *to, enum steti_dtype type,
                           uint64_t *copied, stet_error *err);

/* ---- Comparison (quantize_compare.c) ---- */

/* What a folder makes of the texts: the tokens of text i are ids[begin[i] .. begin[i + 1]). */
struct quantize_outputs {
    int32_t *ids;
    size_t *begin; /* [n + 1] */
    size_t n, n_ids, cap_ids;
};
/* *out is to be freed in any case. Device "auto" becomes the one that was taken: the next folder is
 * for the same. */
stet_status quantize_decode(const stet_quantize_input *in, const char *folder,
                            struct api_options *o, struct quantize_outputs *out, stet_error *err);
void quantize_outputs_free(struct quantize_outputs *t); /* legal on a zeroed struct */
/* Fills in lines and tokens. */
stet_status quantize_compare(const struct quantize_outputs *before,
                             const struct quantize_outputs *after, stet_quantize_report *report,
                             stet_error *err);

#endif
