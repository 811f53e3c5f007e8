/* The one encoder-decoder forward. Families differ in their spec and in which tensors were bound,
 * not here.
 *
 * A sublayer f with norm n is, with post-norm, x = n(x + f(x)), and with pre-norm, x = x + f(n(x)).
 * Rows go through the whole stack together; only attention looks across rows, and there only at the
 * rows of the same sentence. */
#include <math.h>
#include <string.h>

#include "layers.h"
#include "relative_bias.h"

/* One call of a stack over n packed rows. */
struct pass {
    struct steti_session *s;
    int n;
    int pre_norm;
    int heads, head_dim;
    enum steti_attention_kind kind;
    int layer;
    int branches;       /* some rows have keys in side rows */
    const int32_t *pos; /* [n] positions of the rows in their sentences */
};

static stet_status run_norm(const struct pass *p, const struct layer_norm *w, const float *x,
                            const float *residual, float *out, stet_error *err)
{
    const struct steti_spec *spec = &p->s->model->spec;
    struct steti_norm_params np = {.n_rows = p->n,
                                   .d = spec->d_model,
                                   .kind = spec->norm,
                                   .eps = spec->norm_eps,
                                   .x = x,
                                   .residual = residual,
                                   .gamma = w->gamma,
                                   .beta = w->beta,
                                   .out = out};
    return p->s->ops->norm(p->s->backend, &np, err);
}

static stet_status run_linear(const struct pass *p, const float *x, int n_in, int n_parts,
                              stet_error *err)
{
    struct steti_linear_params lp = {
        .n_rows = p->n, .n_in = n_in, .x = x, .n_parts = n_parts, .parts = p->s->parts};
    return p->s->ops->linear(p->s->backend, &lp, err);
}

static void set_part(struct steti_linear_part *part, const struct linear *w, float *out, int64_t ld)
{
    memset(part, 0, sizeof *part);
    part->w = w->w;
    part->bias = w->bias;
    part->out = out;
    part->ld_out = ld;
}

/* What a sublayer reads: x itself, or its norm in y. */
static stet_status sublayer_input(const struct pass *p, const struct layer_norm *w,
                                  const float **in, stet_error *err)
{
    struct steti_session *s = p->s;
    *in = p->pre_norm ? s->y : s->x;
    return p->pre_norm ? run_norm(p, w, s->x, NULL, s->y, err) : STET_OK;
}

/* The last product of a sublayer, the residual and, with post-norm, the norm. Result: s->x. */
static stet_status sublayer_output(const struct pass *p, const struct layer_norm *w,
                                   const struct linear *last, const float *in, int n_in,
                                   stet_error *err)
{
    struct steti_session *s = p->s;
    float *old = s->x;
    int d = s->model->spec.d_model;
    set_part(&s->parts[0], last, s->y, d);
    if (p->pre_norm) {
        s->parts[0].residual = s->x;
        s->parts[0].ld_residual = d;
        STETI_TRY(run_linear(p, in, n_in, 1, err));
        s->x = s->y;
        s->y = old;
        return STET_OK;
    }
    STETI_TRY(run_linear(p, in, n_in, 1, err));
    return run_norm(p, w, s->y, s->x, s->x, err);
}

/* Columns of queries, keys and values. */
static int inner(const struct pass *p)
{
    return p->heads * p->head_dim;
}

/* Positions that show in the scores of a stack's self-attention. */
static void set_bias(const struct pass *p, struct steti_attention_params *ap)
{
    int is_encoder = p->kind == STETI_ATTN_ENCODER;
    int max_len = is_encoder ? p->s->limits.max_src : p->s->limits.max_tgt;
    size_t at = steti_relative_begin(&p->s->model->spec, is_encoder, max_len, p->layer);
    const float *all = p->kind == STETI_ATTN_CROSS ? NULL : p->s->rel_bias[!is_encoder];
    ap->bias = all != NULL ? all + at : NULL;
    ap->ld_bias = steti_relative_span(is_encoder, max_len);
    ap->bias_zero = max_len - 1;
    ap->query_pos = p->pos;
}

static stet_status run_attention(const struct pass *p, const float *k, const float *v,
                                 stet_error *err)
{
    struct steti_session *s = p->s;
    int cross = p->kind == STETI_ATTN_CROSS, tails = p->kind == STETI_ATTN_CAUSAL && p->branches;
    int unscaled = s->model->spec.unscaled_queries;
    struct steti_attention_params ap = {.n_rows = p->n,
                                        .n_heads = p->heads,
                                        .head_dim = p->head_dim,
                                        .kind = p->kind,
                                        .scale = unscaled ? 1.0f : 1.0f / sqrtf((float)p->head_dim),
                                        .q = s->qkv,
                                        .ld_q = inner(p),
                                        .k = k,
                                        .v = v,
                                        .ld_kv = inner(p),
                                        .key_begin = cross ? s->cross_begin : s->begin,
                                        .key_count = cross ? s->cross_count : s->count,
                                        .tail_begin = tails ? s->tail : NULL,
                                        .tail_count = tails ? s->tail_count : NULL,
                                        .out = s->attn,
                                        .ld_out = inner(p),
                                        .compute = s->model->compute};
    set_bias(p, &ap);
    return s->ops->attention(s->backend, &ap, err);
}

/* Self-attention. New keys and values go to rows map[r] of k and v first (NULL: to row r). */
static stet_status self_attention(const struct pass *p, const struct attention *a,
                                  const struct layer_norm *norm, float *k, float *v,
                                  const int32_t *map, stet_error *err)
{
    struct steti_session *s = p->s;
    const float *in;
    STETI_TRY(sublayer_input(p, norm, &in, err));
    set_part(&s->parts[0], &a->q, s->qkv, inner(p));
    set_part(&s->parts[1], &a->k, k, inner(p));
    set_part(&s->parts[2], &a->v, v, inner(p));
    s->parts[1].row_map = s->parts[2].row_map = map;
    STETI_TRY(run_linear(p, in, s->model->spec.d_model, 3, err));
    STETI_TRY(run_attention(p, k, v, err));
    return sublayer_output(p, norm, &a->out, s->attn, inner(p), err);
}

static stet_status cross_attention(const struct pass *p, const struct dec_layer *l, stet_error *err)
{
    struct steti_session *s = p->s;
    const float *in, *k = steti_kv_cross_k(&s->kv, p->layer),
                     *v = steti_kv_cross_v(&s->kv, p->layer);
    STETI_TRY(sublayer_input(p, &l->cross_norm, &in, err));
    set_part(&s->parts[0], &l->cross.q, s->qkv, inner(p));
    STETI_TRY(run_linear(p, in, s->model->spec.d_model, 1, err));
    STETI_TRY(run_attention(p, k, v, err));
    return sublayer_output(p, &l->cross_norm, &l->cross.out, s->attn, inner(p), err);
}

static stet_status feed_forward(const struct pass *p, const struct ffn *f,
                                const struct layer_norm *norm, int width, stet_error *err)
{
    struct steti_session *s = p->s;
    int d = s->model->spec.d_model;
    const float *in;
    STETI_TRY(sublayer_input(p, norm, &in, err));
    if (f->gate.w != NULL) {
        set_part(&s->parts[0], &f->gate, s->gate, width);
        STETI_TRY(run_linear(p, in, d, 1, err));
    }
    set_part(&s->parts[0], &f->fc1, s->hidden, width);
    s->parts[0].act = s->model->spec.act;
    s->parts[0].factor = f->gate.w != NULL ? s->gate : NULL;
    s->parts[0].ld_factor = width;
    STETI_TRY(run_linear(p, in, d, 1, err));
    return sublayer_output(p, norm, &f->fc2, s->hidden, width, err);
}

static stet_status embed(const struct pass *p, const int32_t *ids, const float *positions,
                         const struct layer_norm *norm, stet_error *err)
{
    struct steti_session *s = p->s;
    const struct steti_model *m = s->model;
    struct steti_embed_params ep = {.n_rows = p->n,
                                    .d = m->spec.d_model,
                                    .table =
                                        p->kind == STETI_ATTN_ENCODER ? m->table : m->dec_table,
                                    .ids = ids,
                                    .pos = p->pos,
                                    .positions = positions,
                                    .scale = m->spec.embed_scale,
                                    .out = s->x};
    STETI_TRY(s->ops->embed(s->backend, &ep, err));
    return norm->gamma != NULL ? run_norm(p, norm, s->x, NULL, s->x, err) : STET_OK;
}

/* The cross keys and values of all decoder layers, straight into their slots. */
static stet_status store_cross(const struct pass *p, stet_error *err)
{
    struct steti_session *s = p->s;
    const struct steti_spec *spec = &s->model->spec;
    int n_parts = 0;
    for (int j = 0; j < spec->dec_layers; j++) {
        const struct attention *a = &s->model->dec[j].cross;
        set_part(&s->parts[n_parts], &a->k, steti_kv_cross_k(&s->kv, j), s->kv.limits.d);
        set_part(&s->parts[n_parts + 1], &a->v, steti_kv_cross_v(&s->kv, j), s->kv.limits.d);
        s->parts[n_parts].row_map = s->map_row;
        s->parts[n_parts + 1].row_map = s->map_row;
        n_parts += 2;
        if (n_parts == STETI_LINEAR_MAX_PARTS || j + 1 == spec->dec_layers) {
            STETI_TRY(run_linear(p, s->x, spec->d_model, n_parts, err));
            n_parts = 0;
        }
    }
    return STET_OK;
}

stet_status steti_forward_encode(struct steti_session *s, const int32_t *ids, int n_rows,
                                 stet_error *err)
{
    const struct steti_model *m = s->model;
    struct pass p = {.s = s,
                     .n = n_rows,
                     .pre_norm = m->spec.enc_pre_norm,
                     .heads = m->spec.enc_heads,
                     .head_dim = m->spec.enc_head_dim,
                     .kind = STETI_ATTN_ENCODER,
                     .pos = s->pos};
    size_t kv_floats = (size_t)s->limits.max_rows * (size_t)inner(&p);
    float *k = s->qkv + kv_floats, *v = k + kv_floats;
    STETI_TRY(embed(&p, ids, m->positions_enc, &m->enc_embed_norm, err));
    for (p.layer = 0; p.layer < m->spec.enc_layers; p.layer++) {
        const struct enc_layer *l = &m->enc[p.layer];
        STETI_TRY(self_attention(&p, &l->self, &l->self_norm, k, v, NULL, err));
        STETI_TRY(feed_forward(&p, &l->ffn, &l->final_norm, m->spec.enc_ffn, err));
    }
    if (m->enc_final.gamma != NULL) {
        STETI_TRY(run_norm(&p, &m->enc_final, s->x, NULL, s->x, err));
    }
    return store_cross(&p, err);
}

static stet_status decode_layer(struct pass *p, stet_error *err)
{
    struct steti_session *s = p->s;
    const struct steti_spec *spec = &s->model->spec;
    const struct dec_layer *l = &s->model->dec[p->layer];
    float *k = steti_kv_self_k(&s->kv, p->layer), *v = steti_kv_self_v(&s->kv, p->layer);
    p->kind = STETI_ATTN_CAUSAL;
    STETI_TRY(self_attention(p, &l->self, &l->self_norm, k, v, s->map_row, err));
    if (spec->dec_ffn_twice) {
        STETI_TRY(feed_forward(p, &l->ffn, &l->final_norm, spec->dec_ffn, err));
    }
    p->kind = STETI_ATTN_CROSS;
    STETI_TRY(cross_attention(p, l, err));
    return feed_forward(p, &l->ffn, &l->final_norm, spec->dec_ffn, err);
}

stet_status steti_forward_decode(struct steti_session *s, const struct steti_decode_batch *b,
                                 stet_error *err)
{
    const struct steti_model *m = s->model;
    struct pass p = {.s = s,
                     .n = b->n_rows,
                     .pre_norm = m->spec.dec_pre_norm,
                     .heads = m->spec.dec_heads,
                     .head_dim = m->spec.dec_head_dim,
                     .kind = STETI_ATTN_CAUSAL,
                     .branches = b->side != NULL,
                     .pos = b->pos};
    struct steti_argmax_params ap = {.n_rows = b->n_rows,
                                     .d = m->spec.d_model,
                                     .table = m->head,
                                     .bias = m->head_bias,
                                     .scale = m->spec.head_scale,
                                     .adjust = b->adjust,
                                     .adjust_begin = b->adjust_begin,
                                     .id = b->out_ids,
                                     .logprob = b->out_logprob,
                                     .logits = b->out_logits};
    STETI_TRY(embed(&p, b->ids, m->positions_dec, &m->dec_embed_norm, err));
    for (; p.layer < m->spec.dec_layers; p.layer++) {
        STETI_TRY(decode_layer(&p, err));
    }
    if (m->dec_final.gamma != NULL) {
        STETI_TRY(run_norm(&p, &m->dec_final, s->x, NULL, s->x, err));
    }
    ap.x = s->x;
    return s->ops->argmax(s->backend, &ap, err);
}
