#include "relative_bias.h"

#include <math.h>

/* Bucket of a distance >= 0 when there are n. In float32, step by step as models were trained: a
 * result that is rounded otherwise falls into another bucket. */
static int bucket_of(int n, int max_distance, int distance)
{
    int exact = n / 2, bucket;
    float x;
    if (distance < exact) {
        return distance;
    }
    x = (float)log((double)((float)distance / (float)exact));
    x = x / (float)log((double)max_distance / exact);
    x = x * (float)(n - exact);
    bucket = exact + (int)x;
    return bucket < n - 1 ? bucket : n - 1;
}

int steti_relative_bucket(const struct steti_spec *s, int is_encoder, int distance)
{
    int half = s->rel_buckets / 2;
    if (!is_encoder) {
        return bucket_of(s->rel_buckets, s->rel_max_distance, distance < 0 ? -distance : 0);
    }
    return distance > 0 ? half + bucket_of(half, s->rel_max_distance, distance)
                        : bucket_of(half, s->rel_max_distance, -distance);
}

int steti_relative_tables(const struct steti_spec *s, int is_encoder)
{
    int layers = is_encoder ? s->enc_layers : s->dec_layers;
    return s->rel_every_layer ? layers : 1;
}

size_t steti_relative_begin(const struct steti_spec *s, int is_encoder, int max_len, int layer)
{
    size_t heads = (size_t)(is_encoder ? s->enc_heads : s->dec_heads);
    size_t span = (size_t)steti_relative_span(is_encoder, max_len);
    return s->rel_every_layer ? (size_t)layer * heads * span : 0;
}

size_t steti_relative_floats(const struct steti_spec *s, int is_encoder, int max_len)
{
    size_t heads = (size_t)(is_encoder ? s->enc_heads : s->dec_heads);
    size_t tables = (size_t)steti_relative_tables(s, is_encoder);
    return tables * heads * (size_t)steti_relative_span(is_encoder, max_len);
}

int steti_relative_span(int is_encoder, int max_len)
{
    return is_encoder ? 2 * max_len - 1 : max_len;
}

void steti_relative_fill(const struct steti_spec *s, int is_encoder, int max_len,
                         const float *by_bucket, float *table)
{
    int heads = is_encoder ? s->enc_heads : s->dec_heads;
    int span = steti_relative_span(is_encoder, max_len);
    for (int i = 0; i < span; i++) {
        int bucket = steti_relative_bucket(s, is_encoder, i - (max_len - 1));
        for (int h = 0; h < heads; h++) {
            table[(size_t)h * (size_t)span + (size_t)i] =
                by_bucket[(size_t)bucket * (size_t)heads + (size_t)h];
        }
    }
}
