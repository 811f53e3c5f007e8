#include "tensor.h"

#include <stdio.h>
#include <string.h>

struct dtype_info {
    const char *name;
    size_t size;
};

static const struct dtype_info dtypes[STETI_DTYPE_COUNT] = {
#define DTYPE_INFO(name, text, bits) {text, (bits) / 8},
    STETI_DTYPE_MAP(DTYPE_INFO)
#undef DTYPE_INFO
};

static int is_known(enum steti_dtype t)
{
    return (unsigned)t < STETI_DTYPE_COUNT;
}

const char *steti_dtype_name(enum steti_dtype t)
{
    return is_known(t) ? dtypes[t].name : "?";
}

size_t steti_dtype_size(enum steti_dtype t)
{
    return is_known(t) ? dtypes[t].size : 0;
}

int steti_dtype_parse(const char *name, size_t len, enum steti_dtype *out)
{
    for (int i = 0; i < STETI_DTYPE_COUNT; i++) {
        if (strlen(dtypes[i].name) == len && memcmp(dtypes[i].name, name, len) == 0) {
            *out = (enum steti_dtype)i;
            return 1;
        }
    }
    return 0;
}

int64_t steti_tensor_count(const struct steti_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) {
        n *= t->shape[i];
    }
    return n;
}

size_t steti_tensor_bytes(const struct steti_tensor *t)
{
    return (size_t)steti_tensor_count(t) * steti_dtype_size(t->dtype);
}

const char *steti_tensor_shape_text(const struct steti_tensor *t, char *buf, size_t cap)
{
    size_t used = 0;
    if (cap == 0) {
        return buf;
    }
    buf[0] = '\0';
    for (int i = 0; i <= t->rank && i <= STETI_MAX_RANK && used < cap; i++) {
        const char *lead = i == 0 ? "[" : ", ";
        int n = i == t->rank
                    ? snprintf(buf + used, cap - used, "%s", t->rank == 0 ? "[]" : "]")
                    : snprintf(buf + used, cap - used, "%s%lld", lead, (long long)t->shape[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return buf;
}

/* ---- Numbers that are none ------------------------------------------------------------------- */

/* Floats are not finite when all bits of the exponent are set. Without a way out of the loop, so
 * that it is done for many elements at once. */
static int any_wide(const unsigned char *p, size_t n, uint32_t exponent)
{
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x;
        memcpy(&x, p + 4 * i, sizeof x);
        bad |= (x & exponent) == exponent;
    }
    return bad;
}

static int any_narrow(const unsigned char *p, size_t n, uint16_t exponent)
{
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t x;
        memcpy(&x, p + 2 * i, sizeof x);
        bad |= (x & exponent) == exponent;
    }
    return bad;
}

static int any_not_finite(const unsigned char *p, size_t n, enum steti_dtype type)
{
    return type == STETI_F32   ? any_wide(p, n, 0x7f800000u)
           : type == STETI_F16 ? any_narrow(p, n, 0x7c00u)
                               : any_narrow(p, n, 0x7f80u);
}

int64_t steti_tensor_not_finite(const struct steti_tensor *t)
{
    const size_t block = 4096, n = (size_t)steti_tensor_count(t), size = steti_dtype_size(t->dtype);
    const unsigned char *p = t->data;
    if (t->dtype != STETI_F32 && t->dtype != STETI_F16 && t->dtype != STETI_BF16) {
        return -1;
    }
    for (size_t i = 0; i < n; i += block) {
        size_t end = n - i < block ? n : i + block;
        if (any_not_finite(p + i * size, end - i, t->dtype)) {
            while (!any_not_finite(p + i * size, 1, t->dtype)) {
                i++;
            }
            return (int64_t)i;
        }
    }
    return -1;
}

/* ---- To float -------------------------------------------------------------------------------- */

static float float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Moving the 15 low bits under a float's sign leaves a value that is 2^-112 of the half, denormals
 * included, so one exact product gives it back. Infinities and NaN need their exponent put in. */
static float float_of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t low = (uint32_t)(h & 0x7fffu) << 13;
    float f;
    uint32_t bits;
    if ((h & 0x7c00u) == 0x7c00u) {
        return float_of_bits(sign | low | 0x7f800000u);
    }
    f = float_of_bits(low) * 0x1p112f;
    memcpy(&bits, &f, sizeof bits);
    return float_of_bits(bits | sign);
}

static void halves_to_f32(const unsigned char *src, size_t n, float *dst)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, src + 2 * i, sizeof h);
        dst[i] = float_of_half(h);
    }
}

static void bf16_to_f32(const unsigned char *src, size_t n, float *dst)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, src + 2 * i, sizeof h);
        dst[i] = float_of_bits((uint32_t)h << 16);
    }
}

stet_status steti_to_f32(const void *src, enum steti_dtype dtype, size_t n, float *dst,
                         stet_error *err)
{
    if (n == 0) {
        return STET_OK;
    }
    switch (dtype) {
    case STETI_F32:
        memcpy(dst, src, n * sizeof *dst);
        return STET_OK;
    case STETI_F16:
        halves_to_f32(src, n, dst);
        return STET_OK;
    case STETI_BF16:
        bf16_to_f32(src, n, dst);
        return STET_OK;
    default:
        return steti_fail(err, STET_E_MODEL,
                          "type %s cannot be read as float: expected F32, F16 or BF16",
                          steti_dtype_name(dtype));
    }
}
