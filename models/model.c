#include "model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "binder.h"

const struct steti_spec *steti_model_spec(const struct steti_model *m)
{
    return &m->spec;
}

int steti_model_max_positions(const struct steti_model *m)
{
    return m->max_positions;
}

enum steti_dtype steti_model_stored_type(const struct steti_weights *w)
{
    struct steti_tensor t;
    if (steti_weights_find(w, "shared.weight", &t) ||
        steti_weights_find(w, "encoder.embed_tokens.weight", &t)) {
        return t.dtype;
    }
    return STETI_F32;
}

const struct steti_backend_ops *steti_model_ops(const struct steti_model *m)
{
    return m->ops;
}

/* One attention block. A projection that `own` lacks is taken from `shared` (NULL: no sharing). */
static stet_status bind_attention(struct binder *b, const char *own, const char *shared,
                                  struct attention *a, stet_error *err)
{
    static const char *const names[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    struct linear *const parts[] = {&a->q, &a->k, &a->v, &a->out};
    int d = b->m->spec.d_model;
    for (int i = 0; i < 4; i++) {
        char prefix[STETI_NAME_MAX];
        snprintf(prefix, sizeof prefix, "%s.%s", own, names[i]);
        if (shared != NULL && !binder_has(b, prefix)) {
            snprintf(prefix, sizeof prefix, "%s.%s", shared, names[i]);
        }
        STETI_TRY(bind_linear(b, prefix, d, d, parts[i], err));
    }
    return STET_OK;
}

static stet_status bind_ffn(struct binder *b, const char *own, const char *shared, int width,
                            struct ffn *f, stet_error *err)
{
    char prefix[STETI_NAME_MAX];
    const char *base = own;
    int d = b->m->spec.d_model;
    snprintf(prefix, sizeof prefix, "%s.fc1", own);
    if (shared != NULL && !binder_has(b, prefix)) {
        base = shared;
    }
    snprintf(prefix, sizeof prefix, "%s.fc1", base);
    STETI_TRY(bind_linear(b, prefix, width, d, &f->fc1, err));
    snprintf(prefix, sizeof prefix, "%s.fc2", base);
    return bind_linear(b, prefix, d, width, &f->fc2, err);
}

static stet_status bind_layer_norm(struct binder *b, const char *layer, const char *name,
                                   struct layer_norm *n, stet_error *err)
{
    char prefix[STETI_NAME_MAX];
    snprintf(prefix, sizeof prefix, "%s.%s", layer, name);
    return bind_norm(b, prefix, n, err);
}

static stet_status bind_enc_layer(struct binder *b, int i, stet_error *err)
{
    const struct steti_spec *s = &b->m->spec;
    struct enc_layer *l = &b->m->enc[i];
    char own[64], layer[64], shared[64];
    snprintf(layer, sizeof layer, "encoder.layers.%d", i);
    snprintf(own, sizeof own, "encoder.layers.%d.self_attn", i);
    snprintf(shared, sizeof shared, "encoder.layers.%d.self_attn", i % s->enc_attn_groups);
    STETI_TRY(bind_attention(b, own, shared, &l->self, err));
    snprintf(shared, sizeof shared, "encoder.layers.%d", i % s->enc_ffn_groups);
    STETI_TRY(bind_ffn(b, layer, shared, s->enc_ffn, &l->ffn, err));
    STETI_TRY(bind_layer_norm(b, layer, "self_attn_layer_norm", &l->self_norm, err));
    return bind_layer_norm(b, layer, "final_layer_norm", &l->final_norm, err);
}

static stet_status bind_dec_layer(struct binder *b, int j, stet_error *err)
{
    const struct steti_spec *s = &b->m->spec;
    struct dec_layer *l = &b->m->dec[j];
    char own[64], layer[64], shared[64];
    const char *fallback = s->dec_shares_attn ? shared : NULL;
    snprintf(layer, sizeof layer, "decoder.layers.%d", j);
    snprintf(own, sizeof own, "decoder.layers.%d.self_attn", j);
    snprintf(shared, sizeof shared, "encoder.layers.%d.self_attn", 2 * j);
    STETI_TRY(bind_attention(b, own, fallback, &l->self, err));
    snprintf(own, sizeof own, "decoder.layers.%d.encoder_attn", j);
    snprintf(shared, sizeof shared, "encoder.layers.%d.self_attn", 2 * j + 1);
    STETI_TRY(bind_attention(b, own, fallback, &l->cross, err));
    STETI_TRY(bind_ffn(b, layer, NULL, s->dec_ffn, &l->ffn, err));
    STETI_TRY(bind_layer_norm(b, layer, "self_attn_layer_norm", &l->self_norm, err));
    STETI_TRY(bind_layer_norm(b, layer, "encoder_attn_layer_norm", &l->cross_norm, err));
    return bind_layer_norm(b, layer, "final_layer_norm", &l->final_norm, err);
}

/* How many rows are made by rotating the one before instead of calling sin and cos; the error stays
 * far under the rounding to float. */
#define ROTATED_ROWS 32

/* fairseq's form: column i is sin(t f), column half + i is cos(t f). */
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

static void fill_sinusoid(float *out, int rows, int d, int offset)
{
    int half = d / 2;
    double step = half > 1 ? log(10000.0) / (half - 1) : 0.0;
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
    fill_sinusoid(host, m->max_positions, m->spec.d_model, m->spec.position_offset);
    st = bind_upload(m, host, n, &m->positions_enc, err);
    m->positions_dec = m->positions_enc;
    steti_free(host);
    return st;
}

/* A learned table is stored with position_offset unused rows in front. */
static stet_status bind_learned(struct binder *b, const char *name, float **out, stet_error *err)
{
    struct steti_model *m = b->m;
    size_t d = (size_t)m->spec.d_model,
           rows = (size_t)(m->spec.max_positions + m->spec.position_offset);
    struct steti_tensor t;
    float *host;
    stet_status st;
    STETI_TRY(bind_find(b, name, (int)rows, (int)d, &t, err));
    STETI_TRY(bind_check_float(b, name, &t, err));
    host = steti_malloc(rows * d * sizeof *host);
    if (host == NULL) {
        return steti_fail_nomem(err, name, rows * d * sizeof *host);
    }
    STETI_TRY_GOTO(steti_to_f32(t.data, t.dtype, rows * d, host, err), st, done);
    st = bind_upload(m, host + (size_t)m->spec.position_offset * d, (size_t)m->max_positions * d,
                     out, err);
done:
    steti_free(host);
    return st;
}

static stet_status bind_embeddings(struct binder *b, stet_error *err)
{
    struct steti_model *m = b->m;
    const char *name = binder_has(b, "shared") ? "shared.weight" : "encoder.embed_tokens.weight";
    STETI_TRY(bind_matrix(b, name, m->spec.vocab_size, m->spec.d_model, &m->table, err));
    m->head = m->table;
    binder_ignore(b, "encoder.embed_tokens.weight");
    binder_ignore(b, "decoder.embed_tokens.weight");
    binder_ignore(b, "encoder.version");
    binder_ignore(b, "decoder.version");
    binder_ignore(b, "encoder.embed_positions._float_tensor");
    binder_ignore(b, "decoder.embed_positions._float_tensor");
    if (m->spec.tied_head) {
        binder_ignore(b, "lm_head.weight");
    } else {
        STETI_TRY(
            bind_matrix(b, "lm_head.weight", m->spec.vocab_size, m->spec.d_model, &m->head, err));
    }
    if (m->spec.positions == STETI_POS_SINUSOIDAL) {
        return bind_sinusoid(b, err);
    }
    STETI_TRY(bind_learned(b, "encoder.embed_positions.weight", &m->positions_enc, err));
    return bind_learned(b, "decoder.embed_positions.weight", &m->positions_dec, err);
}

static stet_status bind_stack_norms(struct binder *b, stet_error *err)
{
    struct steti_model *m = b->m;
    if (m->spec.embed_norm) {
        STETI_TRY(bind_norm(b, "encoder.layernorm_embedding", &m->enc_embed_norm, err));
        STETI_TRY(bind_norm(b, "decoder.layernorm_embedding", &m->dec_embed_norm, err));
    }
    if (m->spec.enc_pre_norm) {
        STETI_TRY(bind_norm(b, "encoder.layer_norm", &m->enc_final, err));
    }
    return m->spec.dec_pre_norm ? bind_norm(b, "decoder.layer_norm", &m->dec_final, err) : STET_OK;
}

static stet_status bind_all(struct binder *b, stet_error *err)
{
    struct steti_model *m = b->m;
    if (binder_has(b, "encoder.layers.0.q_lora.linear_u")) {
        return steti_fail(
            err, STET_E_MODEL,
            "%s: the LoRA tensors (encoder.layers.*.q_lora) are not folded into the projections; "
            "write the folder with scripts/train/export_model.py",
            b->folder);
    }
    STETI_TRY(bind_embeddings(b, err));
    STETI_TRY(bind_stack_norms(b, err));
    for (int i = 0; i < m->spec.enc_layers; i++) {
        STETI_TRY(bind_enc_layer(b, i, err));
    }
    for (int j = 0; j < m->spec.dec_layers; j++) {
        STETI_TRY(bind_dec_layer(b, j, err));
    }
    return binder_check_unknown(b, err);
}

static stet_status alloc_layers(struct steti_model *m, stet_error *err)
{
    m->enc = steti_calloc((size_t)m->spec.enc_layers, sizeof *m->enc);
    m->dec = steti_calloc((size_t)m->spec.dec_layers, sizeof *m->dec);
    if (m->enc == NULL || m->dec == NULL) {
        return steti_fail_nomem(err, "the layer table",
                                (size_t)m->spec.enc_layers * sizeof *m->enc);
    }
    return STET_OK;
}

stet_status steti_model_open(const struct steti_spec *spec, const struct steti_weights *weights,
                             const char *folder, const struct steti_model_options *o,
                             struct steti_model **out, stet_error *err)
{
    struct steti_model *m = steti_calloc(1, sizeof *m);
    struct binder b = {0};
    stet_status st;
    *out = NULL;
    if (m == NULL) {
        return steti_fail_nomem(err, "a model", sizeof *m);
    }
    m->spec = *spec;
    m->ops = o->ops;
    m->backend = o->backend;
    m->max_positions = spec->max_positions;
    if (o->max_positions > 0 && o->max_positions < m->max_positions) {
        m->max_positions = o->max_positions;
    }
    STETI_TRY_GOTO(binder_init(&b, m, weights, folder, o->compute, err), st, fail_init);
    STETI_TRY_GOTO(alloc_layers(m, err), st, fail_bind);
    STETI_TRY_GOTO(bind_all(&b, err), st, fail_bind);
    binder_free(&b);
    *out = m;
    return STET_OK;
fail_bind:
    binder_free(&b);
fail_init:
    steti_model_close(m);
    return st;
}

void steti_model_close(struct steti_model *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->n_packed; i++) {
        m->ops->free_matrix(m->backend, m->packed[i].matrix);
    }
    for (size_t i = 0; i < m->n_vectors; i++) {
        m->ops->mem_free(m->backend, m->vectors[i]);
    }
    steti_free(m->packed);
    steti_free(m->vectors);
    steti_free(m->enc);
    steti_free(m->dec);
    steti_free(m);
}
