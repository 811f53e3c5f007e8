/* vf_portable.h - sixteen floats in plain C: the definition that vf_avx2.h and vf_avx512.h must
 * equal bit for bit.
 *
 * Every operation is one IEEE operation per lane, rounded to nearest even. vf_max(a, b) is a > b ?
 * a : b, so a NaN in either gives b; vf_min likewise.
 */
#ifndef STETI_VF_PORTABLE_H
#define STETI_VF_PORTABLE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Inlined and instrumented, these struct operations take compilers minutes. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VF_OUT_OF_LINE
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VF_OUT_OF_LINE
#endif

#ifdef VF_OUT_OF_LINE
#define VF_INLINE static __attribute__((noinline, unused))
#else
#define VF_INLINE static inline
#endif

typedef struct {
    float f[16];
} vf;

#define VF_EACH(expr)                                                                              \
    vf y;                                                                                          \
    for (int i = 0; i < 16; i++) {                                                                 \
        y.f[i] = (expr);                                                                           \
    }                                                                                              \
    return y

VF_INLINE vf vf_set1(float x)
{
    VF_EACH(x);
}
VF_INLINE vf vf_load(const float *p)
{
    VF_EACH(p[i]);
}
/* The first n lanes; the others are `fill`. n may be over 16. */
VF_INLINE vf vf_load_n(const float *p, int n, float fill)
{
    VF_EACH(i < n ? p[i] : fill);
}
VF_INLINE void vf_store(float *p, vf a)
{
    memcpy(p, a.f, sizeof a.f);
}
VF_INLINE void vf_store_n(float *p, int n, vf a)
{
    for (int i = 0; i < 16 && i < n; i++) {
        p[i] = a.f[i];
    }
}
VF_INLINE vf vf_keep_n(vf a, int n)
{
    VF_EACH(i < n ? a.f[i] : 0.0f);
}
VF_INLINE vf vf_add(vf a, vf b)
{
    VF_EACH(a.f[i] + b.f[i]);
}
VF_INLINE vf vf_sub(vf a, vf b)
{
    VF_EACH(a.f[i] - b.f[i]);
}
VF_INLINE vf vf_mul(vf a, vf b)
{
    VF_EACH(a.f[i] * b.f[i]);
}
VF_INLINE vf vf_div(vf a, vf b)
{
    VF_EACH(a.f[i] / b.f[i]);
}
VF_INLINE vf vf_fma(vf a, vf b, vf c)
{
    VF_EACH(fmaf(a.f[i], b.f[i], c.f[i]));
}
VF_INLINE vf vf_max(vf a, vf b)
{
    VF_EACH(a.f[i] > b.f[i] ? a.f[i] : b.f[i]);
}
VF_INLINE vf vf_min(vf a, vf b)
{
    VF_EACH(a.f[i] < b.f[i] ? a.f[i] : b.f[i]);
}
/* x < 0 ? a : b */
VF_INLINE vf vf_if_negative(vf x, vf a, vf b)
{
    VF_EACH(x.f[i] < 0.0f ? a.f[i] : b.f[i]);
}
/* 2^n of t = n + 12582912, -126 <= n <= 127: n stands in the low bits of t. */
VF_INLINE vf vf_pow2_of_shifted(vf t)
{
    vf y;
    for (int i = 0; i < 16; i++) {
        uint32_t bits;
        memcpy(&bits, &t.f[i], sizeof bits);
        bits = (bits << 23) + (127u << 23);
        memcpy(&y.f[i], &bits, sizeof bits);
    }
    return y;
}
/* Folds 16 to 8 to 4 to 2 to 1: lane i with i + 8, then i + 4, i + 2, i + 1. */
VF_INLINE float vf_sum(vf a)
{
    for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            a.f[i] += a.f[i + half];
        }
    }
    return a.f[0];
}
VF_INLINE void vf_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    out[0] = vf_sum(a);
    out[1] = vf_sum(b);
    out[2] = vf_sum(c);
    out[3] = vf_sum(d);
}
VF_INLINE float vf_max_lane(vf a)
{
    for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            a.f[i] = a.f[i] > a.f[i + half] ? a.f[i] : a.f[i + half];
        }
    }
    return a.f[0];
}
/* Bit i is set where a and b are equal. */
VF_INLINE unsigned vf_equal_mask(vf a, vf b)
{
    unsigned mask = 0;
    for (int i = 0; i < 16; i++) {
        mask |= (unsigned)(a.f[i] == b.f[i]) << i;
    }
    return mask;
}

/* Sixteen 32-bit integers. */
typedef struct {
    int32_t i[16];
} vi;

VF_INLINE vi vi_zero(void)
{
    vi z;
    memset(&z, 0, sizeof z);
    return z;
}
/* Largest magnitude as bits: over 0x7f800000 is NaN, equal is infinity. */
VF_INLINE vi vi_max_magnitude(vi m, vf a)
{
    for (int i = 0; i < 16; i++) {
        int32_t bits;
        memcpy(&bits, &a.f[i], sizeof bits);
        bits &= 0x7fffffff;
        m.i[i] = bits > m.i[i] ? bits : m.i[i];
    }
    return m;
}
VF_INLINE int32_t vi_max_lane(vi m)
{
    int32_t best = m.i[0];
    for (int i = 1; i < 16; i++) {
        best = m.i[i] > best ? m.i[i] : best;
    }
    return best;
}
VF_INLINE vf vf_from_i32(const int32_t *p)
{
    VF_EACH((float)p[i]);
}
VF_INLINE vf vf_from_i8(const int8_t *p)
{
    VF_EACH((float)p[i]);
}
/* Rounds |a| <= 127 to nearest even and stores 16 bytes, each xor flip. */
VF_INLINE void vf_store_i8(int8_t *p, vf a, uint8_t flip)
{
    for (int i = 0; i < 16; i++) {
        float rounded = (a.f[i] + 12582912.0f) - 12582912.0f;
        p[i] = (int8_t)((uint8_t)(int)rounded ^ flip);
    }
}

#endif
