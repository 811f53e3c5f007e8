/* dev_math.h - exp, the activations and the epilogue of products, with the bits of the CPU backend
 * (host/cpu/kernel_math.h has the same sequence of operations over sixteen lanes).
 */
#ifndef STETI_DEV_MATH_H
#define STETI_DEV_MATH_H

#include "cuda_kernels.h"
#include "dev.h"

/* The values of enum steti_act; cuda_linear.c checks that they are. */
#define DEV_ACT_NONE 0
#define DEV_ACT_RELU 1
#define DEV_ACT_GELU 2
#define DEV_ACT_GELU_TANH 3
#define DEV_ACT_SILU 4

/* The second where the first is a NaN. */
DEV_FN float dev_max(float a, float b)
{
    return a > b ? a : b;
}
DEV_FN float dev_min(float a, float b)
{
    return a < b ? a : b;
}

/* x = n ln 2 + r, Taylor polynomial of degree 7, times 2^n; arguments are clamped to [-87, 88]. */
DEV_FN float dev_exp(float x)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float t, n, r, y;
    x = dev_max(-87.0f, dev_min(88.0f, x));
    t = dev_fma(x, 1.44269504f, shift);
    n = t - shift;
    r = dev_fma(n, -0.693359375f, x);
    r = dev_fma(n, 2.12194440e-4f, r);
    y = 1.0f / 5040.0f;
    y = dev_fma(y, r, 1.0f / 720.0f);
    y = dev_fma(y, r, 1.0f / 120.0f);
    y = dev_fma(y, r, 1.0f / 24.0f);
    y = dev_fma(y, r, 1.0f / 6.0f);
    y = dev_fma(y, r, 0.5f);
    y = dev_fma(y, r, 1.0f);
    y = dev_fma(y, r, 1.0f);
    return y * dev_float((dev_bits(t) << 23) + (127u << 23));
}

DEV_FN float dev_gelu(float x)
{
    float z = dev_max(x, 0.0f - x) * 0.707106781f;
    float t = dev_div(1.0f, dev_fma(z, 0.3275911f, 1.0f));
    float y = 1.061405429f;
    y = dev_fma(y, t, -1.453152027f);
    y = dev_fma(y, t, 1.421413741f);
    y = dev_fma(y, t, -0.284496736f);
    y = dev_fma(y, t, 0.254829592f);
    y = (y * t) * dev_exp(z * (0.0f - z));
    y = x < 0.0f ? y : 2.0f - y;
    return (x * 0.5f) * y;
}

DEV_FN float dev_times_sigmoid(float x, float a)
{
    return dev_div(x, 1.0f + dev_exp(0.0f - a));
}

DEV_FN float dev_gelu_tanh(float x)
{
    float u = dev_fma((x * x) * x, 0.044715f, x);
    return dev_times_sigmoid(x, u * 1.59576912f); /* 2 sqrt(2 / pi) */
}

DEV_FN float dev_act(float x, int act)
{
    switch (act) {
    case DEV_ACT_RELU:
        return dev_max(0.0f, x);
    case DEV_ACT_GELU:
        return dev_gelu(x);
    case DEV_ACT_GELU_TANH:
        return dev_gelu_tanh(x);
    case DEV_ACT_SILU:
        return dev_times_sigmoid(x, x);
    default:
        return x;
    }
}

/* What an exact sum of int8 products stands for. */
DEV_FN float dev_scale_i8(int32_t sum, float row_scale, float weight_scale)
{
    return (float)sum * (row_scale * weight_scale);
}

/* What happens to a finished sum. */
DEV_FN void dev_finish(const struct steti_cuda_linear_part *p, int row, int column, float v)
{
    int64_t to = p->row_map != 0 ? p->row_map[row] : row;
    if (p->bias != 0) {
        v = v + p->bias[column];
    }
    v = dev_act(v, p->act);
    if (p->factor != 0) {
        v = v * p->factor[row * p->ld_factor + column];
    }
    if (p->residual != 0) {
        v = v + p->residual[row * p->ld_residual + column];
    }
    p->out[to * p->ld_out + column] = v;
}

/* Bits of v rounded to bfloat16, ties to even. */
DEV_FN uint16_t dev_narrow(float v)
{
    uint32_t bits = dev_bits(v);
    if ((bits & 0x7fffffffu) > DEV_INFINITY_BITS) {
        return (uint16_t)(bits >> 16 | 0x40u); /* a NaN stays one */
    }
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif
