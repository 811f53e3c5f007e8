/* vf_avx512.h - sixteen floats in one register. Each function equals its namesake in
 * vf_portable.h. */
#ifndef STETI_VF_AVX512_H
#define STETI_VF_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define VF_INLINE static inline __attribute__((always_inline))

typedef __m512 vf;
typedef __m512i vi;

VF_INLINE __mmask16 vf_mask_n(int n)
{
    return n >= 16 ? (__mmask16)0xffff : n <= 0 ? (__mmask16)0 : (__mmask16)((1u << n) - 1);
}
VF_INLINE vf vf_set1(float x)
{
    return _mm512_set1_ps(x);
}
VF_INLINE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
VF_INLINE vf vf_load_n(const float *p, int n, float fill)
{
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), vf_mask_n(n), p);
}
VF_INLINE void vf_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}
VF_INLINE void vf_store_n(float *p, int n, vf a)
{
    _mm512_mask_storeu_ps(p, vf_mask_n(n), a);
}
VF_INLINE vf vf_keep_n(vf a, int n)
{
    return _mm512_maskz_mov_ps(vf_mask_n(n), a);
}
VF_INLINE vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
VF_INLINE vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
VF_INLINE vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
VF_INLINE vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
VF_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
VF_INLINE vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
VF_INLINE vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
VF_INLINE vf vf_if_negative(vf x, vf a, vf b)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), b, a);
}
VF_INLINE vf vf_pow2_of_shifted(vf t)
{
    __m512i bits = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(127 << 23)));
}
/* The 8 -> 4 -> 2 -> 1 part of the tree for what is left of 16 lanes after the first fold. */
VF_INLINE float vf_sum8(__m256 a)
{
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
VF_INLINE float vf_sum(vf a)
{
    return vf_sum8(_mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)));
}
/* The same tree for four at once: two folds halve the registers, two work inside 128-bit lanes. */
VF_INLINE void vf_sum4(vf a, vf b, vf c, vf d, float out[4])
{
    const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
    __m512 x =
        _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    x = _mm512_add_ps(x, _mm512_permute_ps(x, 0x4e));
    x = _mm512_add_ps(x, _mm512_permute_ps(x, 0xb1));
    _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, x)));
}
VF_INLINE float vf_max_lane(vf a)
{
    __m256 x = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
VF_INLINE unsigned vf_equal_mask(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
VF_INLINE vi vi_zero(void)
{
    return _mm512_setzero_si512();
}
VF_INLINE vi vi_max_magnitude(vi m, vf a)
{
    __m512i bits = _mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(0x7fffffff));
    return _mm512_max_epi32(m, bits);
}
VF_INLINE int32_t vi_max_lane(vi m)
{
    return _mm512_reduce_max_epi32(m);
}
VF_INLINE vf vf_from_i8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
VF_INLINE void vf_store_i8(int8_t *p, vf a, uint8_t flip)
{
    __m128i q = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a));
    _mm_storeu_si128((__m128i *)(void *)p, _mm_xor_si128(q, _mm_set1_epi8((char)flip)));
}

#endif
