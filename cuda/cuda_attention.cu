/* cuda_attention.cu - softmax attention, one warp for every row and head.
 *
 * Scores stand in shared memory by key number, so that a head and a tail of keys give what one
 * stretch would: a half warp makes a dot product (element i in lane i mod 16), then all lanes the
 * exponentials, then a lane's output is one chain of multiply-adds over ascending keys.
 */
#include "cuda_kernels.h"
#include "dev.h"
#include "dev_math.h"

struct attend {
    const float *q, *k, *v; /* of this head */
    const float *bias;      /* of key number 0, or NULL */
    int64_t begin, tail;    /* first memory row of each stretch */
    int first, count;       /* keys of the first stretch, and of both */
};

DEV_FN struct attend find_keys(const struct steti_cuda_attention_args *a, int row, int head)
{
    struct attend t;
    int64_t column = (int64_t)head * a->head_dim;
    int n_tail = a->tail_count != 0 ? a->tail_count[row] : 0;
    t.q = a->q + row * a->ld_q + column;
    t.k = a->k + column;
    t.v = a->v + column;
    t.first = a->key_count[row];
    t.count = t.first + n_tail;
    t.begin = a->key_begin[row];
    t.tail = n_tail > 0 ? a->tail_begin[row] - t.first : 0;
    t.bias =
        a->bias != 0 ? a->bias + (int64_t)head * a->ld_bias + a->bias_zero - a->query_pos[row] : 0;
    return t;
}

/* Memory row of key number j. */
DEV_FN int64_t key_row(const struct attend *t, int j)
{
    return j < t->first ? t->begin + j : t->tail + j;
}

/* Key j against the query, this lane's part of it. */
DEV_FN float dot_part(const struct steti_cuda_attention_args *a, const struct attend *t, int j,
                      int lane)
{
    const float *k = t->k + key_row(t, j) * a->ld_kv;
    float sum = 0.0f;
    for (int i = lane; i < a->head_dim; i += 16) {
        sum = dev_fma(t->q[i], k[i], sum);
    }
    return sum;
}

DEV_FN void make_scores(const struct steti_cuda_attention_args *a, const struct attend *t,
                        float *scores, int lane)
{
    int half = lane / 16;
    for (int base = 0; base < t->count; base += 2) {
        int j = base + half;
        float sum = j < t->count ? dot_part(a, t, j, lane % 16) : 0.0f;
        sum = DEV_SUM16(sum);
        if (lane % 16 == 0 && j < t->count) {
            float score = sum * a->scale;
            scores[j] = t->bias != 0 ? score + t->bias[j] : score;
        }
    }
}

/* Turns scores into exp(score - largest); returns their sum. */
DEV_FN float make_weights(const struct attend *t, float *scores, int lane)
{
    float top = -dev_float(DEV_INFINITY_BITS), sum = 0.0f;
    for (int j = lane; j < t->count; j += DEV_WARP) {
        top = dev_max(scores[j], top);
    }
    top = DEV_MAX_WARP(top);
    for (int j = lane; j < t->count; j += DEV_WARP) {
        scores[j] = dev_exp(scores[j] - top);
    }
    DEV_SYNC_WARP();
    for (int j = lane % 16; j < t->count; j += 16) {
        sum = sum + scores[j];
    }
    return DEV_SUM16(sum);
}

/* Four outputs a lane at once: a pass over the keys for every 128 elements of a head. */
DEV_FN void sum_values(const struct steti_cuda_attention_args *a, const struct attend *t,
                       const float *scores, float inv, float *out, int lane)
{
    for (int base = lane; base < a->head_dim; base += 4 * DEV_WARP) {
        float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        for (int j = 0; j < t->count; j++) {
            const float *v = t->v + key_row(t, j) * a->ld_kv;
            float w = scores[j];
            DEV_UNROLL
            for (int i = 0; i < 4; i++) {
                int at = base + i * DEV_WARP;
                sum[i] = at < a->head_dim ? dev_fma(w, v[at], sum[i]) : 0.0f;
            }
        }
        DEV_UNROLL
        for (int i = 0; i < 4; i++) {
            if (base + i * DEV_WARP < a->head_dim) {
                out[base + i * DEV_WARP] = sum[i] * inv;
            }
        }
    }
}

DEV_KERNEL DEV_THREADS(128) steti_cuda_attention(struct steti_cuda_attention_args a)
{
    DEV_SHARED(float, shared);
    int warp = dev_thread() / DEV_WARP, lane = dev_thread() % DEV_WARP;
    int n_warps = dev_n_threads() / DEV_WARP;
    int64_t job = (int64_t)dev_block_x() * n_warps + warp;
    float *scores = shared + (int64_t)warp * a.ld_scores;
    if (job <
        (int64_t)dev_rows(a.live, 0, a.n_rows) * a.n_heads) { /* the same for all lanes of a warp */
        int row = (int)(job / a.n_heads), head = (int)(job % a.n_heads);
        struct attend t = find_keys(&a, row, head);
        float sum;
        make_scores(&a, &t, scores, lane);
        DEV_SYNC_WARP();
        sum = make_weights(&t, scores, lane);
        sum_values(&a, &t, scores, dev_div(1.0f, sum),
                   a.out + row * a.ld_out + (int64_t)head * a.head_dim, lane);
    }
}
