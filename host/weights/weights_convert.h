/* weights_convert.h - a folder's tensors written to one file, in another type. */
#ifndef STETI_WEIGHTS_CONVERT_H
#define STETI_WEIGHTS_CONVERT_H

#include <stdint.h>

#include "weights.h"

#define STETI_CONVERT_NAME_MAX 128

struct steti_convert_report {
    size_t quantized; /* matrices that became I8 */
    size_t rounded;   /* tensors of another float type than before, int8 times scale included */
    size_t kept;      /* tensors whose bytes are those of the source */
    size_t left_out;  /* tensors that the model does not use */
    /* Root mean square of new - old, divided by that of old: over all tensors, and of the tensor
     * where it is largest ("" when all errors are 0; cut if the name is longer). */
    double error, worst_error;
    char worst[STETI_CONVERT_NAME_MAX];
};

/* Writes the new file `path`. uses[i] (enum steti_weight_use) is that of tensor i.
 *
 * type STETI_I8: every MATRIX as I8 with NAME_scale [rows] F32, with the bits that pack_matrix
 *   would make of it; FLOATS as they are; NONE is left out.
 * type STETI_F32, STETI_F16, STETI_BF16: every float tensor in this type, I8 matrices as value *
 *   scale; no scales; other types, which only NONE may have, as they are.
 *
 * Reads and writes piece by piece. STET_E_MODEL: a value is no finite number, or not in the new
 * type (message: tensor and element); STET_E_IO; STET_E_NOMEM. On failure the file may be there.
 * `folder` is for messages. */
stet_status steti_weights_convert(const struct steti_weights *w, const uint8_t *uses,
                                  enum steti_dtype type, const char *folder, const char *path,
                                  struct steti_convert_report *out, stet_error *err);

#endif
