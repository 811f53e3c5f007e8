/* tensor_names.h - what each family calls its tensors. Private to models/. */
#ifndef STETI_TENSOR_NAMES_H
#define STETI_TENSOR_NAMES_H

#include "spec.h"
#include "weights.h"

/* A layer's tensors are ROOT STACK layer_before NUMBER layer_after "." NAME, those of a stack ROOT
 * STACK "." NAME. STACK is encoder or decoder. Arrays of two: in the encoder, in the decoder. */
struct tensor_names {
    const char *layer_before, *layer_after;
    const char *projections[4]; /* of an attention block: query, key, value, output */
    const char *self, *self_norm;
    const char *cross, *cross_norm;
    const char *fc1[2], *gate[2], *fc2[2], *ffn_norm[2];
    const char *embed_norm, *last_norm;
    const char *relative_bias; /* in layer 0 */
};

const struct tensor_names *steti_tensor_names(const struct steti_spec *s);

/* What stands before the names of all tensors but the output layer's: "model." or "". */
const char *steti_tensor_root(const struct steti_weights *w);

/* Writes the name of the embedding table that the folder has: tables that are `tied` to the output
 * layer are stored once, under any of their names. 0: it has none, and the name is the one to
 * complain of. */
int steti_tensor_table(const struct steti_weights *w, int tied, char *name, size_t cap);

#endif
