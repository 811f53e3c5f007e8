/* tensor.h - element types and views. A view owns nothing. */
#ifndef STETI_TENSOR_H
#define STETI_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define STETI_MAX_RANK 8

/* name, safetensors name, bits per element */
#define STETI_DTYPE_MAP(XX)                                                                        \
    XX(F32, "F32", 32)                                                                             \
    XX(F16, "F16", 16)                                                                             \
    XX(BF16, "BF16", 16)                                                                           \
    XX(I8, "I8", 8)                                                                                \
    XX(U8, "U8", 8)                                                                                \
    XX(I32, "I32", 32)                                                                             \
    XX(I64, "I64", 64)                                                                             \
    XX(F64, "F64", 64)                                                                             \
    XX(BOOL, "BOOL", 8)                                                                            \
    XX(I16, "I16", 16)                                                                             \
    XX(U16, "U16", 16)                                                                             \
    XX(U32, "U32", 32)                                                                             \
    XX(U64, "U64", 64)                                                                             \
    XX(F8_E5M2, "F8_E5M2", 8)                                                                      \
    XX(F8_E4M3, "F8_E4M3", 8)

enum steti_dtype {
#define STETI_DTYPE_ENUM(name, text, bits) STETI_##name,
    STETI_DTYPE_MAP(STETI_DTYPE_ENUM)
#undef STETI_DTYPE_ENUM
        STETI_DTYPE_COUNT
};

const char *steti_dtype_name(enum steti_dtype t);
size_t steti_dtype_size(enum steti_dtype t); /* bytes per element */
/* 0 when the name is not one of the table's. */
int steti_dtype_parse(const char *name, size_t len, enum steti_dtype *out);

/* Row-major. `data` has no alignment beyond what its owner promises. */
struct steti_tensor {
    const void *data;
    enum steti_dtype dtype;
    int rank;
    int64_t shape[STETI_MAX_RANK];
};

int64_t steti_tensor_count(const struct steti_tensor *t);
size_t steti_tensor_bytes(const struct steti_tensor *t);
/* Index of the first NaN or infinity of a tensor of floats, -1 if there is none; 8-byte floats and
 * integers are not looked at. */
int64_t steti_tensor_not_finite(const struct steti_tensor *t);
/* "[512, 2048]" into buf; returns buf. */
const char *steti_tensor_shape_text(const struct steti_tensor *t, char *buf, size_t cap);

/* Converts n elements of F32, F16 or BF16 at src (any alignment) to float. */
stet_status steti_to_f32(const void *src, enum steti_dtype dtype, size_t n, float *dst,
                         stet_error *err);

#endif
