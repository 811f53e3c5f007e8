/* weights.h - the tensors of a model folder, read in place from the mapped files.
 *
 * Reads model.safetensors, or the shards named by model.safetensors.index.json; with both there,
 * the single file. Nothing in a header is trusted: every rule of the format is checked before a
 * tensor can be looked up (see safetensors.h). Of shards, the tensors that the index lists are
 * visible; it is an error when a listed one is not in its file, or when any name is in two files.
 */
#ifndef STETI_WEIGHTS_H
#define STETI_WEIGHTS_H

#include <stddef.h>

#include "status.h"
#include "tensor.h"

struct steti_weights;

/* STET_E_IO: no weights file, or unreadable.
 * STET_E_FORMAT: broken (message: path, and tensor or offset). */
stet_status steti_weights_open(const char *folder, struct steti_weights **out, stet_error *err);
void steti_weights_close(struct steti_weights *w); /* NULL is legal; views become invalid */

/* View of a tensor, or STET_E_MODEL naming it when it is absent. Data may be unaligned. */
stet_status steti_weights_get(const struct steti_weights *w, const char *name,
                              struct steti_tensor *out, stet_error *err);
/* 1 and a view, or 0. */
int steti_weights_find(const struct steti_weights *w, const char *name, struct steti_tensor *out);

/* All tensors, sorted by name. */
size_t steti_weights_count(const struct steti_weights *w);
const char *steti_weights_name(const struct steti_weights *w, size_t i);
const struct steti_tensor *steti_weights_at(const struct steti_weights *w, size_t i);
size_t steti_weights_file_bytes(const struct steti_weights *w); /* of all files */
size_t steti_weights_file_count(const struct steti_weights *w);

/* What a model does with a tensor of its folder. */
enum steti_weight_use {
    STETI_USE_UNKNOWN, /* the family has no such tensor */
    STETI_USE_NONE,    /* a name that files have besides: an alias, or a table that is computed */
    STETI_USE_FLOATS,  /* norms, biases, positions */
    STETI_USE_MATRIX,  /* may be quantised; an I8 one has NAME_scale beside it */
    STETI_USE_SCALE    /* of an I8 matrix */
};

/* The tensor's pages may leave memory: called after its contents were packed elsewhere. */
void steti_weights_drop(const struct steti_weights *w, const struct steti_tensor *t);

/* STET_E_MODEL if a float of any tensor is NaN or infinite; the message names file and element.
 * Reads all of the files. */
stet_status steti_weights_check_finite(const struct steti_weights *w, stet_error *err);

#endif
