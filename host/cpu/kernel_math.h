/* kernel_math.h - exp and the activations over `vf`, and the epilogue of products. See
 * kernel_rowops.h. */
#ifndef STETI_KERNEL_MATH_H
#define STETI_KERNEL_MATH_H

/* exp(x): x = n ln 2 + r, |r| <= ln 2 / 2, Taylor polynomial of degree 7, times 2^n. Arguments are
 * clamped to [-87, 88], where the result is normal; NaN stays NaN (the order of min's and max's
 * operands sees to it). */
VF_INLINE vf vf_exp(vf x)
{
    const vf shift = vf_set1(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    vf t, n, r, y;
    x = vf_max(vf_set1(-87.0f), vf_min(vf_set1(88.0f), x));
    t = vf_fma(x, vf_set1(1.44269504f), shift);
    n = vf_sub(t, shift);
    r = vf_fma(n, vf_set1(-0.693359375f), x); /* high part of ln 2: the product is exact */
    r = vf_fma(n, vf_set1(2.12194440e-4f), r);
    y = vf_set1(1.0f / 5040.0f);
    y = vf_fma(y, r, vf_set1(1.0f / 720.0f));
    y = vf_fma(y, r, vf_set1(1.0f / 120.0f));
    y = vf_fma(y, r, vf_set1(1.0f / 24.0f));
    y = vf_fma(y, r, vf_set1(1.0f / 6.0f));
    y = vf_fma(y, r, vf_set1(0.5f));
    y = vf_fma(y, r, vf_set1(1.0f));
    y = vf_fma(y, r, vf_set1(1.0f));
    return vf_mul(y, vf_pow2_of_shifted(t));
}

VF_INLINE float exp_scalar(float x)
{
    float y[16];
    vf_store(y, vf_exp(vf_set1(x)));
    return y[0];
}

/* x times the normal distribution function. erfc of |x| / sqrt 2 by formula 7.1.26 of Abramowitz
 * and Stegun (error below 1.5e-7); taking the tail itself for negative x loses no digits to 1 -
 * erf. */
VF_INLINE vf vf_gelu(vf x)
{
    const vf one = vf_set1(1.0f);
    vf z = vf_mul(vf_max(x, vf_sub(vf_set1(0.0f), x)), vf_set1(0.707106781f));
    vf t = vf_div(one, vf_fma(z, vf_set1(0.3275911f), one));
    vf y = vf_set1(1.061405429f);
    y = vf_fma(y, t, vf_set1(-1.453152027f));
    y = vf_fma(y, t, vf_set1(1.421413741f));
    y = vf_fma(y, t, vf_set1(-0.284496736f));
    y = vf_fma(y, t, vf_set1(0.254829592f));
    y = vf_mul(vf_mul(y, t), vf_exp(vf_mul(z, vf_sub(vf_set1(0.0f), z))));
    y = vf_if_negative(x, y, vf_sub(vf_set1(2.0f), y));
    return vf_mul(vf_mul(x, vf_set1(0.5f)), y);
}

/* x / (1 + exp(-a)): the tanh form of GELU is x * sigmoid(2 u). */
VF_INLINE vf vf_times_sigmoid(vf x, vf a)
{
    const vf one = vf_set1(1.0f);
    return vf_div(x, vf_add(one, vf_exp(vf_sub(vf_set1(0.0f), a))));
}

VF_INLINE vf vf_gelu_tanh(vf x)
{
    vf cube = vf_mul(vf_mul(x, x), x);
    vf u = vf_fma(cube, vf_set1(0.044715f), x);
    return vf_times_sigmoid(x, vf_mul(u, vf_set1(1.59576912f))); /* 2 sqrt(2 / pi) */
}

VF_INLINE vf vf_act(vf x, enum steti_act act)
{
    switch (act) {
    case STETI_ACT_RELU:
        return vf_max(vf_set1(0.0f), x);
    case STETI_ACT_GELU:
        return vf_gelu(x);
    case STETI_ACT_GELU_TANH:
        return vf_gelu_tanh(x);
    case STETI_ACT_SILU:
        return vf_times_sigmoid(x, x);
    default:
        return x;
    }
}

/* What happens to the finished sums of some rows and panels: sums[row][panel][16]. Not inlined: it
 * would stand in every tile once an accumulator, with all the activations. */
static __attribute__((noinline)) void finish_tile(const struct steti_gemm_job *j, int row,
                                                  int panel, int rows, int panels,
                                                  const float *sums)
{
    for (int r = row; r < row + rows; r++) {
        float *out = j->out + (j->row_map != NULL ? j->row_map[r] : r) * j->ld_out;
        for (int p = panel; p < panel + panels; p++, sums += 16) {
            int column = p * 16;
            int left = j->w->shape.n_out - column;
            vf v = vf_mul(vf_load(sums), vf_set1(j->alpha));
            if (j->bias != NULL) {
                v = vf_add(v, vf_load_n(j->bias + column, left, 0.0f));
            }
            if (j->act != STETI_ACT_NONE) {
                v = vf_act(v, j->act);
            }
            if (j->factor != NULL) {
                v = vf_mul(v, vf_load_n(j->factor + r * j->ld_factor + column, left, 0.0f));
            }
            if (j->residual != NULL) {
                v = vf_add(v, vf_load_n(j->residual + r * j->ld_residual + column, left, 0.0f));
            }
            vf_store_n(out + (column - j->out_column0), left, v);
        }
    }
}

#endif
