/* kernel_rowops.h - row operations, written once over the sixteen-float type `vf`.
 *
 * Included by each kernels_<isa>.c after its vf_<isa>.h. Because the sequence of operations is this
 * text, all instruction sets give the same bits. VF_FLIP is what quantised activations are xored
 * with (0x80 where the product instruction wants unsigned bytes).
 */
#ifndef STETI_KERNEL_ROWOPS_H
#define STETI_KERNEL_ROWOPS_H

#include "kernel_math.h"

/* Rows whose largest magnitude is below 2^-100 are taken as zeros: 127 / amax would overflow. */
#define TINY_ROW 0x1p-100f

/* Sets *inv to what values are multiplied with and returns the scale; a row with a NaN or an
 * infinity gets zeros and the scale NaN, which makes all its outputs NaN. */
VF_INLINE float row_scale_of(const float *x, int n, float *inv)
{
    vi m = vi_zero();
    int32_t bits;
    float amax;
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        m = vi_max_magnitude(m, vf_load(x + i));
    }
    if (i < n) {
        m = vi_max_magnitude(m, vf_load_n(x + i, n - i, 0.0f));
    }
    bits = vi_max_lane(m);
    memcpy(&amax, &bits, sizeof amax);
    *inv = 0.0f;
    if (bits >= 0x7f800000) {
        return NAN;
    }
    if (amax < TINY_ROW) {
        return 0.0f;
    }
    *inv = 127.0f / amax;
    return amax / 127.0f;
}

static void quantize_weights(const float *x, int n, int8_t *q, float *scale)
{
    float inv;
    int i = 0;
    *scale = row_scale_of(x, n, &inv);
    if (inv == 0.0f) {
        memset(q, 0, (size_t)n);
        return;
    }
    for (; i + 16 <= n; i += 16) {
        vf_store_i8(q + i, vf_mul(vf_load(x + i), vf_set1(inv)), 0);
    }
    if (i < n) {
        int8_t tail[16];
        vf_store_i8(tail, vf_mul(vf_load_n(x + i, n - i, 0.0f), vf_set1(inv)), 0);
        memcpy(q + i, tail, (size_t)(n - i));
    }
}

static void quantize_row(const float *x, int n, int8_t *q, float *scale)
{
    int padded = (n + 63) / 64 * 64;
    float inv;
    int i = 0;
    *scale = row_scale_of(x, n, &inv);
    if (inv == 0.0f) {
        memset(q, VF_FLIP, (size_t)padded);
        return;
    }
    for (; i + 16 <= n; i += 16) {
        vf_store_i8(q + i, vf_mul(vf_load(x + i), vf_set1(inv)), VF_FLIP);
    }
    for (; i < padded; i += 16) {
        vf_store_i8(q + i, vf_mul(vf_load_n(x + i, n - i, 0.0f), vf_set1(inv)), VF_FLIP);
    }
}

/* out = x + residual, which the later passes read; returns the sum, of squares for RMS. */
VF_INLINE float norm_first_pass(const float *x, const float *res, float *out, int d, int squares)
{
    vf sum = vf_set1(0.0f);
    for (int i = 0; i < d; i += 16) {
        int left = d - i;
        vf v = vf_load_n(x + i, left, 0.0f);
        if (res != NULL) {
            v = vf_add(v, vf_load_n(res + i, left, 0.0f));
        }
        vf_store_n(out + i, left, v);
        sum = squares ? vf_fma(v, v, sum) : vf_add(sum, v);
    }
    return vf_sum(sum);
}

VF_INLINE float norm_variance_sum(const float *t, int d, float mean)
{
    vf sum = vf_set1(0.0f);
    for (int i = 0; i < d; i += 16) {
        vf v = vf_sub(vf_load_n(t + i, d - i, 0.0f), vf_set1(mean));
        v = vf_keep_n(v, d - i);
        sum = vf_fma(v, v, sum);
    }
    return vf_sum(sum);
}

static void norm_row(const struct steti_norm_params *p, int row)
{
    size_t at = (size_t)row * (size_t)p->d;
    const float *res = p->residual != NULL ? p->residual + at : NULL;
    int is_rms = p->kind == STETI_NORM_RMS;
    float *out = p->out + at;
    float n = (float)p->d;
    float sum = norm_first_pass(p->x + at, res, out, p->d, is_rms);
    float mean = is_rms ? 0.0f : sum / n;
    float variance = (is_rms ? sum : norm_variance_sum(out, p->d, mean)) / n;
    vf inv = vf_set1(1.0f / sqrtf(variance + p->eps));
    for (int i = 0; i < p->d; i += 16) {
        int left = p->d - i;
        vf v = vf_sub(vf_load_n(out + i, left, 0.0f), vf_set1(mean));
        v = vf_mul(vf_mul(v, inv), vf_load_n(p->gamma + i, left, 0.0f));
        if (p->beta != NULL && !is_rms) {
            v = vf_add(v, vf_load_n(p->beta + i, left, 0.0f));
        }
        vf_store_n(out + i, left, v);
    }
}

/* 16 values of an embedding row from the packed matrix, first k a multiple of 16. */
VF_INLINE vf embed_values(const struct steti_matrix *m, int id, int k)
{
    const char *panel = (const char *)m->values + (size_t)(id / 16) * m->panel_bytes;
    int left = m->shape.n_in - k;
    if (m->compute == STETI_I8) {
        int8_t q[16] = {0};
        for (int g = 0; g < 4 && 4 * g < left; g++) {
            memcpy(q + 4 * g, panel + (size_t)(k / 4 + g) * 64 + (size_t)(id % 16) * 4, 4);
        }
        return vf_mul(vf_from_i8(q), vf_set1(m->scale[id]));
    } else {
        const float *column = (const float *)(const void *)panel + id % 16;
        float f[16] = {0.0f};
        for (int i = 0; i < 16 && i < left; i++) {
            f[i] = column[(size_t)(k + i) * 16];
        }
        return vf_load(f);
    }
}

static void embed_row(const struct steti_embed_params *p, int row)
{
    const float *pos =
        p->positions != NULL ? p->positions + (size_t)p->pos[row] * (size_t)p->d : NULL;
    float *out = p->out + (size_t)row * (size_t)p->d;
    for (int i = 0; i < p->d; i += 16) {
        vf v = vf_mul(embed_values(p->table, p->ids[row], i), vf_set1(p->scale));
        if (pos != NULL) {
            v = vf_add(v, vf_load_n(pos + i, p->d - i, 0.0f));
        }
        vf_store_n(out + i, p->d - i, v);
    }
}

static void merge_best(struct steti_best *a, const struct steti_best *b)
{
    int32_t nan = a->nan | b->nan;
    if (b->id < 0) {
        a->nan = nan;
        return;
    }
    if (a->id < 0) {
        *a = *b;
    } else if (b->value > a->value) {
        a->sum = fmaf(a->sum, exp_scalar(a->value - b->value), b->sum);
        a->value = b->value;
        a->id = b->id;
    } else if (b->sum > 0.0f) {
        a->sum = fmaf(b->sum, exp_scalar(b->value - a->value), a->sum);
    }
    a->nan = nan;
}

static void scan_values(float *values, int n, int32_t first_id, int want_sum,
                        struct steti_best *best)
{
    struct steti_best tile = {-INFINITY, 0.0f, -1, 0};
    vf top = vf_set1(-INFINITY), sum = vf_set1(0.0f);
    vi magnitude = vi_zero();
    int padded = (n + 15) / 16 * 16;
    for (int i = n; i < padded; i++) {
        values[i] = -INFINITY;
    }
    for (int i = 0; i < padded; i += 16) {
        vf v = vf_load(values + i);
        top = vf_max(v, top);
        magnitude = vi_max_magnitude(magnitude, v);
    }
    tile.value = vf_max_lane(top);
    tile.nan = vi_max_lane(magnitude) > 0x7f800000;
    for (int i = 0; i < padded && tile.id < 0; i += 16) {
        unsigned mask = vf_equal_mask(vf_load(values + i), vf_set1(tile.value));
        tile.id = mask != 0 ? first_id + i + __builtin_ctz(mask) : -1;
    }
    if (want_sum && tile.value > -INFINITY) {
        for (int i = 0; i < padded; i += 16) {
            vf e = vf_exp(vf_sub(vf_load(values + i), vf_set1(tile.value)));
            sum = vf_add(sum, vf_keep_n(e, n - i));
        }
        tile.sum = vf_sum(sum);
    }
    merge_best(best, &tile);
}

#endif
