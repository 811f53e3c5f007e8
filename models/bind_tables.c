/* The tables outside the layers: embeddings, positions, the output layer and its bias. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "binder.h"
#include "relative_bias.h"

/* How many rows are made by rotating the one before instead of calling sin and cos; the error stays
 * far under the rounding to float. */
#define ROTATED_ROWS 32

/* Column i is sin(t f), column half + i is cos(t f). */
static void fill_sinusoid_column(float *out, int rows, int d, int offset, double freq)
{
    int half = d / 2;
    double ds = sin(freq), dc = cos(freq), s = 0.0, c = 1.0;
    for (int t = 0; t < rows; t++) {
        if (t % ROTATED_ROWS == 0) {
            s = sin((double)(t + offset) * freq);
            c = cos((double)(t + offset) * freq);
        }
        out[(size_t)t * (size_t)d] = (float)s;
        out[(size_t)t * (size_t)d + (size_t)half] = (float)c;
        double next = s * dc + c * ds;
        c = c * dc - s * ds;
        s = next;
    }
}

static void fill_sinusoid(float *out, const struct steti_spec *s, int rows)
{
    int d = s->d_model, half = d / 2, offset = s->position_offset;
    int steps = s->positions == STETI_POS_SINUSOIDAL ? half - 1 : half;
    double step = steps > 0 ? log(10000.0) / steps : 0.0;
    for (int i = 0; i < half; i++) {
        fill_sinusoid_column(out + i, rows, d, offset, exp(-step * i));
    }
}

static stet_status bind_sinusoid(struct binder *b, stet_error *err)
{
    struct steti_model *m = b->m;
    size_t n = (size_t)m->max_positions * (size_t)m->spec.d_model;
    float *host = steti_malloc(n * sizeof *host);
    stet_status st;
    if (host == NULL) {
        return steti_fail_nomem(err, "the position table", n * sizeof *host);
    }
    fill_sinusoid(host, &m->spec, m->max_positions);
    st = bind_upload(m, host, n, &m->positions_enc, err);
    m->positions_dec = m->positions_enc;
    steti_free(host);
    return st;
}

static void positions_name(const struct binder *b, const char *stack, char *name)
{
    snprintf(name, STETI_NAME_MAX, "%s%s.embed_positions.weight", b->root, stack);
}

/* A learned table is stored with position_offset unused rows in front. */
static stet_status bind_learned(struct binder *b, const char *stack, float **out, stet_error *err)
{
    struct steti_model *m = b->m;
    int rows = m->spec.max_positions + m->spec.position_offset, d = m->spec.d_model;
    char name[STETI_NAME_MAX];
    float *host;
    stet_status st;
    positions_name(b, stack, name);
    STETI_TRY(bind_host_floats(b, name, rows, d, &host, err));
    st = bind_upload(m, host + (size_t)m->spec.position_offset * (size_t)d,
                     (size_t)m->max_positions * (size_t)d, out, err);
    steti_free(host);
    return st;
}

/* Stay in host memory: each session makes tables as long as it needs. */
static stet_status bind_relative(struct binder *b, int side, stet_error *err)
{
    const struct steti_spec *s = &b->m->spec;
    int heads = side ? s->dec_heads : s->enc_heads, tables = steti_relative_tables(s, !side);
    size_t n = (size_t)s->rel_buckets * (size_t)heads, bytes = (size_t)tables * n * sizeof(float);
    float *all = steti_malloc(bytes);
    b->m->rel_bias[side] = all;
    if (all == NULL) {
        return steti_fail_nomem(err, "the relative positions", bytes);
    }
    for (int i = 0; i < tables; i++) {
        char name[STETI_NAME_MAX];
        float *one;
        snprintf(name, sizeof name, "%s%s%s%d%s.%s", b->root, side ? "decoder" : "encoder",
                 b->names->layer_before, i, b->names->layer_after, b->names->relative_bias);
        STETI_TRY(bind_host_floats(b, name, s->rel_buckets, heads, &one, err));
        memcpy(all + (size_t)i * n, one, n * sizeof *one);
        steti_free(one);
    }
    return STET_OK;
}

/* Marian's and Pegasus's sinusoids count as they are stored: a float16 file has them rounded. */
static int has_stored_positions(const struct binder *b)
{
    char name[STETI_NAME_MAX];
    positions_name(b, "encoder", name);
    return b->m->spec.positions == STETI_POS_LEARNED ||
           (b->m->spec.positions == STETI_POS_SINUSOIDAL_2I && binder_has_tensor(b, name));
}

static stet_status bind_positions(struct binder *b, stet_error *err)
{
    struct steti_model *m = b->m;
    if (m->spec.positions == STETI_POS_RELATIVE) {
        STETI_TRY(bind_relative(b, 0, err));
        return bind_relative(b, 1, err);
    }
    if (!has_stored_positions(b)) {
        return bind_sinusoid(b, err);
    }
    STETI_TRY(bind_learned(b, "encoder", &m->positions_enc, err));
    return bind_learned(b, "decoder", &m->positions_dec, err);
}

/* Names that files have besides: aliases of a table that is bound, and tables that are computed. */
static void ignore_aliases(struct binder *b)
{
    static const char *const names[] = {
        "shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight",
        "encoder.version", "decoder.version", "encoder.embed_positions._float_tensor",
        "decoder.embed_positions._float_tensor", "encoder.embed_positions.weights",
        "decoder.embed_positions.weights",
        /* T5's files have it, its models never used it */
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"};
    char name[STETI_NAME_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "%s%s", b->root, names[i]);
        binder_ignore(b, name);
    }
}

/* Where nothing is tied the stacks may have tables of their own beside the shared one. */
static stet_status bind_own_table(struct binder *b, const char *stack,
                                  const struct steti_matrix **table, stet_error *err)
{
    const struct steti_spec *s = &b->m->spec;
    char name[STETI_NAME_MAX];
    snprintf(name, sizeof name, "%s%s.embed_tokens.weight", b->root, stack);
    return binder_has_tensor(b, name) ? bind_matrix(b, name, s->vocab_size, s->d_model, table, err)
                                      : STET_OK;
}

static stet_status bind_embeddings(struct binder *b, stet_error *err)
{
    struct steti_model *m = b->m;
    const struct steti_spec *s = &m->spec;
    char name[STETI_NAME_MAX];
    int is_own = !s->tied_head || (s->prefers_own_head && binder_has(b, "lm_head"));
    steti_tensor_table(b->weights, s->tied_head, name, sizeof name);
    STETI_TRY(bind_matrix(b, name, s->vocab_size, s->d_model, &m->table, err));
    m->head = m->dec_table = m->table;
    if (!s->tied_head) {
        STETI_TRY(bind_own_table(b, "encoder", &m->table, err));
        STETI_TRY(bind_own_table(b, "decoder", &m->dec_table, err));
    }
    ignore_aliases(b);
    if (!is_own) {
        binder_ignore(b, "lm_head.weight");
        return STET_OK;
    }
    return bind_matrix(b, "lm_head.weight", s->vocab_size, s->d_model, &m->head, err);
}

/* What is added to the logits. A token that must never be chosen gets -infinity. */
static stet_status bind_head_bias(struct binder *b, stet_error *err)
{
    static const char name[] = "final_logits_bias";
    struct steti_model *m = b->m;
    size_t n = (size_t)m->spec.vocab_size;
    float *host = NULL, *dev = NULL;
    stet_status st;
    if (binder_has_tensor(b, name)) {
        STETI_TRY(bind_host_floats(b, name, 1, m->spec.vocab_size, &host, err));
    } else if (m->spec.n_banned > 0) {
        host = steti_calloc(n, sizeof *host);
    } else {
        return STET_OK;
    }
    if (host == NULL) {
        return steti_fail_nomem(err, name, n * sizeof *host);
    }
    for (int i = 0; i < m->spec.n_banned; i++) {
        host[m->spec.banned[i]] = -INFINITY;
    }
    st = bind_upload(m, host, n, &dev, err);
    m->head_bias = dev;
    steti_free(host);
    return st;
}

stet_status bind_tables(struct binder *b, stet_error *err)
{
    STETI_TRY(bind_embeddings(b, err));
    STETI_TRY(bind_positions(b, err));
    return bind_head_bias(b, err);
}
