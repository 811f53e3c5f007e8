/* vf_avx2.h - sixteen floats in two registers. Each function equals its namesake in
 * vf_portable.h. */
#ifndef STETI_VF_AVX2_H
#define STETI_VF_AVX2_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define VF_INLINE static inline __attribute__((always_inline))

typedef struct {
    __m256 lo, hi;
} vf;
typedef struct {
    __m256i lo, hi;
} vi;

/* All bits set in the first n of 8 lanes. */
VF_INLINE __m256i vf_mask8(int n)
{
    static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    int from = n >= 8 ? 0 : n <= 0 ? 8 : 8 - n;
    return _mm256_loadu_si256((const __m256i *)(const void *)(window + from));
}
VF_INLINE vf vf_set1(float x)
{
    vf y = {_mm256_set1_ps(x), _mm256_set1_ps(x)};
    return y;
}
VF_INLINE vf vf_load(const float *p)
{
    vf y = {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
    return y;
}
VF_INLINE __m256 vf_load8_n(const float *p, int n, float fill)
{
    __m256i mask = vf_mask8(n);
    return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask),
                            _mm256_castsi256_ps(mask));
}
VF_INLINE vf vf_load_n(const float *p, int n, float fill)
{
    vf y;
    if (n >= 16) {
        return vf_load(p);
    }
    y.lo = vf_load8_n(p, n, fill);
    y.hi = n > 8 ? vf_load8_n(p + 8, n - 8, fill) : _mm256_set1_ps(fill);
    return y;
}
VF_INLINE void vf_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
VF_INLINE void vf_store_n(float *p, int n, vf a)
{
    if (n >= 16) {
        vf_store(p, a);
        return;
    }
    _mm256_maskstore_ps(p, vf_mask8(n), a.lo);
    if (n > 8) {
        _mm256_maskstore_ps(p + 8, vf_mask8(n - 8), a.hi);
    }
}
VF_INLINE vf vf_keep_n(vf a, int n)
{
    vf y = {_mm256_and_ps(a.lo, _mm256_castsi256_ps(vf_mask8(n))),
            _mm256_and_ps(a.hi, _mm256_castsi256_ps(vf_mask8(n - 8)))};
    return y;
}

#define VF_BINARY(name, op)                                                                        \
    VF_INLINE vf name(vf a, vf b)                                                                  \
    {                                                                                              \
        vf y = {op(a.lo, b.lo), op(a.hi, b.hi)};                                                   \
        return y;                                                                                  \
    }
VF_BINARY(vf_add, _mm256_add_ps)
VF_BINARY(vf_sub, _mm256_sub_ps)
VF_BINARY(vf_mul, _mm256_mul_ps)
VF_BINARY(vf_div, _mm256_div_ps)
VF_BINARY(vf_max, _mm256_max_ps)
VF_BINARY(vf_min, _mm256_min_ps)
#undef VF_BINARY

VF_INLINE vf vf_fma(vf a, vf b, vf c)
{
    vf y = {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
    return y;
}
VF_INLINE vf vf_if_negative(vf x, vf a, vf b)
{
    const __m256 zero = _mm256_setzero_ps();
    vf y = {_mm256_blendv_ps(b.lo, a.lo, _mm256_cmp_ps(x.lo, zero, _CMP_LT_OQ)),
            _mm256_blendv_ps(b.hi, a.hi, _mm256_cmp_ps(x.hi, zero, _CMP_LT_OQ))};
    return y;
}
VF_INLINE __m256 vf_pow2_of_shifted8(__m256 t)
{
    __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(127 << 23)));
}
VF_INLINE vf vf_pow2_of_shifted(vf t)
{
    vf y = {vf_pow2_of_shifted8(t.lo), vf_pow2_of_shifted8(t.hi)};
    return y;
}
VF_INLINE __m128 vf_fold_to_4(vf a)
{
    __m256 x = _mm256_add_ps(a.lo, a.hi);
    return _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
}
VF_INLINE float vf_sum(vf a)
{
    __m128 x = vf_fold_to_4(a);
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
VF_INLINE void vf_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    __m128 a4 = vf_fold_to_4(a), b4 = vf_fold_to_4(b), c4 = vf_fold_to_4(c), d4 = vf_fold_to_4(d);
    __m128 ab = _mm_add_ps(_mm_movelh_ps(a4, b4), _mm_movehl_ps(b4, a4));
    __m128 cd = _mm_add_ps(_mm_movelh_ps(c4, d4), _mm_movehl_ps(d4, c4));
    _mm_storeu_ps(out, _mm_add_ps(_mm_shuffle_ps(ab, cd, 0x88), _mm_shuffle_ps(ab, cd, 0xdd)));
}
VF_INLINE float vf_max_lane(vf a)
{
    __m256 x = _mm256_max_ps(a.lo, a.hi);
    __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
VF_INLINE unsigned vf_equal_mask(vf a, vf b)
{
    int lo = _mm256_movemask_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ));
    int hi = _mm256_movemask_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ));
    return (unsigned)lo | (unsigned)hi << 8;
}
VF_INLINE vi vi_zero(void)
{
    vi z = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    return z;
}
VF_INLINE vi vi_max_magnitude(vi m, vf a)
{
    const __m256i low31 = _mm256_set1_epi32(0x7fffffff);
    vi y = {_mm256_max_epi32(m.lo, _mm256_and_si256(_mm256_castps_si256(a.lo), low31)),
            _mm256_max_epi32(m.hi, _mm256_and_si256(_mm256_castps_si256(a.hi), low31))};
    return y;
}
VF_INLINE int32_t vi_max_lane(vi m)
{
    __m256i x = _mm256_max_epi32(m.lo, m.hi);
    __m128i y = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    y = _mm_max_epi32(y, _mm_shuffle_epi32(y, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(y, _mm_shuffle_epi32(y, 0xb1)));
}
VF_INLINE vf vf_from_i8(const int8_t *p)
{
    __m128i q = _mm_loadu_si128((const __m128i *)(const void *)p);
    vf y = {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(q, 8)))};
    return y;
}
VF_INLINE void vf_store_i8(int8_t *p, vf a, uint8_t flip)
{
    __m256i lo = _mm256_cvtps_epi32(a.lo), hi = _mm256_cvtps_epi32(a.hi);
    /* Packing works inside 128-bit lanes: lo0 hi0 lo1 hi1, put in order by the permutation. */
    __m256i w = _mm256_permute4x64_epi64(_mm256_packs_epi32(lo, hi), 0xd8);
    __m128i q = _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
    _mm_storeu_si128((__m128i *)(void *)p, _mm_xor_si128(q, _mm_set1_epi8((char)flip)));
}

#endif
