/* kernel_attend.h - attention of one row and one head over `vf`. See kernel_rowops.h.
 *
 * Scores: 16 accumulators over head_dim (element i in lane i mod 16) and the tree of vf_sum.
 * Softmax: exact maximum first, then exp, 16 accumulators over the keys. Values: one chain of
 * multiply-adds per output over ascending keys. Each key's score has the same bits wherever it
 * stands, so two stretches give what one would.
 */
#ifndef STETI_KERNEL_ATTEND_H
#define STETI_KERNEL_ATTEND_H

VF_INLINE vf dot_lanes(const float *a, const float *b, int n)
{
    vf sum = vf_set1(0.0f);
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        sum = vf_fma(vf_load(a + i), vf_load(b + i), sum);
    }
    if (i < n) {
        sum = vf_fma(vf_load_n(a + i, n - i, 0.0f), vf_load_n(b + i, n - i, 0.0f), sum);
    }
    return sum;
}

/* Scores of one stretch of keys. */
VF_INLINE void attend_scores(const struct steti_attend_job *j, int stretch, float *scores)
{
    int n = j->head_dim, key = 0;
    for (; key + 4 <= j->count[stretch]; key += 4) {
        const float *k = j->k[stretch] + key * j->ld_kv;
        vf_sum4(dot_lanes(j->q, k, n), dot_lanes(j->q, k + j->ld_kv, n),
                dot_lanes(j->q, k + 2 * j->ld_kv, n), dot_lanes(j->q, k + 3 * j->ld_kv, n),
                scores + key);
    }
    for (; key < j->count[stretch]; key++) {
        scores[key] = vf_sum(dot_lanes(j->q, j->k[stretch] + key * j->ld_kv, n));
    }
}

/* Turns scores into exp(scale * score + bias - max); returns their sum. The one place where a bias
 * comes in. */
VF_INLINE float attend_weights(const struct steti_attend_job *j)
{
    int count = j->count[0] + j->count[1];
    vf top = vf_set1(-INFINITY), sum = vf_set1(0.0f), scale = vf_set1(j->scale);
    for (int i = 0; i < count; i += 16) {
        int left = count - i;
        vf s = vf_mul(vf_load_n(j->scores + i, left, 0.0f), scale);
        if (j->bias != NULL) {
            s = vf_add(s, vf_load_n(j->bias + i, left, 0.0f));
        }
        vf_store_n(j->scores + i, left, s);
        top = vf_max(vf_load_n(j->scores + i, left, -INFINITY), top);
    }
    top = vf_set1(vf_max_lane(top));
    for (int i = 0; i < count; i += 16) {
        int left = count - i;
        vf e = vf_keep_n(vf_exp(vf_sub(vf_load_n(j->scores + i, left, 0.0f), top)), left);
        sum = vf_add(sum, e);
        vf_store_n(j->scores + i, left, e);
    }
    return vf_sum(sum);
}

/* out[d .. d + 64) */
VF_INLINE void attend_values64(const struct steti_attend_job *j, int d, vf inv)
{
    vf a = vf_set1(0.0f), b = a, c = a, e = a;
    const float *weight = j->scores;
    for (int stretch = 0; stretch < 2; stretch++) {
        const float *v = j->v[stretch] + d;
        for (int key = 0; key < j->count[stretch]; key++, v += j->ld_kv) {
            vf w = vf_set1(*weight++);
            a = vf_fma(w, vf_load(v), a);
            b = vf_fma(w, vf_load(v + 16), b);
            c = vf_fma(w, vf_load(v + 32), c);
            e = vf_fma(w, vf_load(v + 48), e);
        }
    }
    vf_store(j->out + d, vf_mul(a, inv));
    vf_store(j->out + d + 16, vf_mul(b, inv));
    vf_store(j->out + d + 32, vf_mul(c, inv));
    vf_store(j->out + d + 48, vf_mul(e, inv));
}

VF_INLINE void attend_values16(const struct steti_attend_job *j, int d, vf inv)
{
    int left = j->head_dim - d;
    vf a = vf_set1(0.0f);
    const float *weight = j->scores;
    for (int stretch = 0; stretch < 2; stretch++) {
        const float *v = j->v[stretch] + d;
        for (int key = 0; key < j->count[stretch]; key++, v += j->ld_kv) {
            a = vf_fma(vf_set1(*weight++), vf_load_n(v, left, 0.0f), a);
        }
    }
    vf_store_n(j->out + d, left, vf_mul(a, inv));
}

static void attend(const struct steti_attend_job *j)
{
    vf inv;
    int d = 0;
    attend_scores(j, 0, j->scores);
    attend_scores(j, 1, j->scores + j->count[0]);
    inv = vf_div(vf_set1(1.0f), vf_set1(attend_weights(j)));
    for (; d + 64 <= j->head_dim; d += 64) {
        attend_values64(j, d, inv);
    }
    for (; d < j->head_dim; d += 16) {
        attend_values16(j, d, inv);
    }
}

#endif
