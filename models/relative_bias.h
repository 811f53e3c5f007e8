/* relative_bias.h - scores that depend on how far apart two positions are (T5: Raffel et al. 2020,
 * section 2.1). Private to models/.
 *
 * Distances fall into buckets: near ones have one each, farther ones share them on a logarithmic
 * scale, and all from max_distance on have the last. A model has one value for each bucket and
 * head; the attention op wants one for each distance and head (backend.h).
 */
#ifndef STETI_RELATIVE_BIAS_H
#define STETI_RELATIVE_BIAS_H

#include <stddef.h>

#include "spec.h"

/* Bucket of a key at `distance` = key position - query position. In the encoder half of the buckets
 * are for keys behind the query; the decoder's queries see none. */
int steti_relative_bucket(const struct steti_spec *s, int is_encoder, int distance);

/* Tables of a stack: one for each layer, or one for all. */
int steti_relative_tables(const struct steti_spec *s, int is_encoder);

/* A table of a stack for up to max_len positions: distances -(max_len - 1) .. max_len - 1, in the
 * decoder up to 0. Returns how many. */
int steti_relative_span(int is_encoder, int max_len);

/* Floats of all tables of a stack, one table after the other, each [heads, span]; and where that of
 * a layer begins. */
size_t steti_relative_floats(const struct steti_spec *s, int is_encoder, int max_len);
size_t steti_relative_begin(const struct steti_spec *s, int is_encoder, int max_len, int layer);

/* One table: table[head * span + distance + max_len - 1] = by_bucket[bucket * heads + head] */
void steti_relative_fill(const struct steti_spec *s, int is_encoder, int max_len,
                         const float *by_bucket, float *table);

#endif
