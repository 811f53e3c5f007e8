#include "narrow.h"

#include <math.h>
#include <string.h>

#define TINY_ROW 0x1p-100f     /* 127 / amax would overflow */
#define ROUND_TO_INT 0x1.8p23f /* added and taken away again: no fraction is left */

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Keeps what is above the low `drop` bits, rounded; a carry into the exponent is right. */
static uint32_t shift_rounded(uint32_t v, unsigned drop)
{
    uint32_t half = (uint32_t)1 << (drop - 1), kept = v >> drop;
    uint32_t rest = v & ((half << 1) - 1);
    return kept + (rest > half || (rest == half && (kept & 1) != 0));
}

static uint16_t bf16_of(float f)
{
    return (uint16_t)shift_rounded(bits_of(f), 16);
}

/* Under 2^-14 a half counts in steps of 2^-24, which adding 0.5 leaves of a float's fraction. */
static uint16_t half_of(float f)
{
    uint32_t bits = bits_of(f), sign = bits >> 16 & 0x8000u, mag = bits & 0x7fffffffu;
    if (mag >= 0x47800000u) { /* 65536 and more */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (mag < 0x38800000u) {
        return (uint16_t)(sign | (bits_of(fabsf(f) + 0.5f) - 0x3f000000u));
    }
    return (uint16_t)(sign | shift_rounded(mag - 0x38000000u, 13));
}

static size_t halves(const float *src, size_t n, int is_bf16, unsigned char *dst)
{
    const uint16_t exponent = is_bf16 ? 0x7f80u : 0x7c00u;
    for (size_t i = 0; i < n; i++) {
        uint16_t h = is_bf16 ? bf16_of(src[i]) : half_of(src[i]);
        if (!isfinite(src[i]) || (h & exponent) == exponent) {
            return i;
        }
        memcpy(dst + 2 * i, &h, sizeof h);
    }
    return n;
}

size_t steti_from_f32(const float *src, size_t n, enum steti_dtype dtype, void *dst)
{
    if (n == 0) {
        return 0;
    }
    if (dtype == STETI_F16 || dtype == STETI_BF16) {
        return halves(src, n, dtype == STETI_BF16, dst);
    }
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(src[i])) {
            return i;
        }
    }
    memcpy(dst, src, n * sizeof *src);
    return n;
}

void steti_quantize_row(const float *x, size_t n, int8_t *q, float *scale)
{
    float amax = 0.0f, inv;
    for (size_t i = 0; i < n; i++) {
        amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
    }
    inv = amax < TINY_ROW ? 0.0f : 127.0f / amax;
    *scale = amax < TINY_ROW ? 0.0f : amax / 127.0f;
    for (size_t i = 0; i < n; i++) {
        float product = x[i] * inv;
        q[i] = (int8_t)((product + ROUND_TO_INT) - ROUND_TO_INT);
    }
}
