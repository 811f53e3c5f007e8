/* narrow.h - floats to the smaller types that weights are stored in. */
#ifndef STETI_NARROW_H
#define STETI_NARROW_H

#include <stddef.h>
#include <stdint.h>

#include "tensor.h"

/* n floats to F32, F16 or BF16 at dst (any alignment), rounded to nearest, ties to even. Returns
 * the index of the first value that is or becomes a NaN or an infinity, or n. */
size_t steti_from_f32(const float *src, size_t n, enum steti_dtype dtype, void *dst);

/* One row of a weight matrix to int8, with the bits of a backend's pack_matrix: scale amax / 127,
 * values x * (127 / amax) rounded half to even. Where all magnitudes are under 2^-100 everything is
 * 0, the scale too. The values must be finite. */
void steti_quantize_row(const float *x, size_t n, int8_t *q, float *scale);

#endif
