/* Which tensors the layers use, and which of them layers share. */
#include <stdio.h>

#include "binder.h"

static void layer_name(const struct binder *b, const char *stack, int i, char *out)
{
    snprintf(out, STETI_NAME_MAX, "%s%s%s%d%s", b->root, stack, b->names->layer_before, i,
             b->names->layer_after);
}

static void join(char *out, const char *layer, const char *name)
{
    snprintf(out, STETI_NAME_MAX, "%.80s.%s", layer, name);
}

/* One attention block of `inner` = heads * head_dim columns. A projection that `own` lacks is taken
 * from `shared` (NULL: no sharing). */
static stet_status bind_attention(struct binder *b, const char *own, const char *shared, int inner,
                                  struct attention *a, stet_error *err)
{
    struct linear *const parts[] = {&a->q, &a->k, &a->v, &a->out};
    int d = b->m->spec.d_model;
    for (int i = 0; i < 4; i++) {
        char prefix[STETI_NAME_MAX];
        join(prefix, own, b->names->projections[i]);
        if (shared != NULL && !binder_has(b, prefix)) {
            join(prefix, shared, b->names->projections[i]);
        }
        STETI_TRY(bind_linear(b, prefix, i < 3 ? inner : d, i < 3 ? d : inner, parts[i], err));
    }
    return STET_OK;
}

/* side: 0 in the encoder, 1 in the decoder. */
static stet_status bind_ffn(struct binder *b, const char *own, const char *shared, int side,
                            struct ffn *f, stet_error *err)
{
    const struct steti_spec *s = &b->m->spec;
    int width = side ? s->dec_ffn : s->enc_ffn, d = s->d_model;
    char prefix[STETI_NAME_MAX];
    const char *base = own;
    join(prefix, own, b->names->fc1[side]);
    if (shared != NULL && !binder_has(b, prefix)) {
        base = shared;
    }
    join(prefix, base, b->names->fc1[side]);
    STETI_TRY(bind_linear(b, prefix, width, d, &f->fc1, err));
    if (s->ffn_gated) {
        join(prefix, base, b->names->gate[side]);
        STETI_TRY(bind_linear(b, prefix, width, d, &f->gate, err));
    }
    join(prefix, base, b->names->fc2[side]);
    return bind_linear(b, prefix, d, width, &f->fc2, err);
}

static stet_status bind_layer_norm(struct binder *b, const char *layer, const char *name,
                                   struct layer_norm *n, stet_error *err)
{
    char prefix[STETI_NAME_MAX];
    join(prefix, layer, name);
    return bind_norm(b, prefix, n, err);
}

static stet_status bind_enc_layer(struct binder *b, int i, stet_error *err)
{
    const struct steti_spec *s = &b->m->spec;
    struct enc_layer *l = &b->m->enc[i];
    char own[STETI_NAME_MAX], layer[STETI_NAME_MAX], shared[STETI_NAME_MAX], base[STETI_NAME_MAX];
    layer_name(b, "encoder", i, layer);
    layer_name(b, "encoder", i % s->enc_attn_groups, base);
    join(own, layer, b->names->self);
    join(shared, base, b->names->self);
    STETI_TRY(bind_attention(b, own, shared, s->enc_heads * s->enc_head_dim, &l->self, err));
    layer_name(b, "encoder", i % s->enc_ffn_groups, shared);
    STETI_TRY(bind_ffn(b, layer, shared, 0, &l->ffn, err));
    STETI_TRY(bind_layer_norm(b, layer, b->names->self_norm, &l->self_norm, err));
    return bind_layer_norm(b, layer, b->names->ffn_norm[0], &l->final_norm, err);
}

/* The block `name` of decoder layer j; where it may be missing, self-attention of encoder layer
 * `lender` is used instead. */
static stet_status bind_dec_attention(struct binder *b, int j, const char *name, int lender,
                                      struct attention *a, stet_error *err)
{
    const struct steti_spec *s = &b->m->spec;
    char layer[STETI_NAME_MAX], own[STETI_NAME_MAX], shared[STETI_NAME_MAX];
    layer_name(b, "decoder", j, layer);
    join(own, layer, name);
    layer_name(b, "encoder", lender, layer);
    join(shared, layer, b->names->self);
    return bind_attention(b, own, s->dec_shares_attn ? shared : NULL,
                          s->dec_heads * s->dec_head_dim, a, err);
}

static stet_status bind_dec_layer(struct binder *b, int j, stet_error *err)
{
    struct dec_layer *l = &b->m->dec[j];
    char layer[STETI_NAME_MAX];
    layer_name(b, "decoder", j, layer);
    STETI_TRY(bind_dec_attention(b, j, b->names->self, 2 * j, &l->self, err));
    STETI_TRY(bind_dec_attention(b, j, b->names->cross, 2 * j + 1, &l->cross, err));
    STETI_TRY(bind_ffn(b, layer, NULL, 1, &l->ffn, err));
    STETI_TRY(bind_layer_norm(b, layer, b->names->self_norm, &l->self_norm, err));
    STETI_TRY(bind_layer_norm(b, layer, b->names->cross_norm, &l->cross_norm, err));
    return bind_layer_norm(b, layer, b->names->ffn_norm[1], &l->final_norm, err);
}

static stet_status bind_stack_norm(struct binder *b, const char *stack, const char *name,
                                   struct layer_norm *n, stet_error *err)
{
    char layer[STETI_NAME_MAX];
    snprintf(layer, sizeof layer, "%s%s", b->root, stack);
    return bind_layer_norm(b, layer, name, n, err);
}

static stet_status bind_stack_norms(struct binder *b, stet_error *err)
{
    struct steti_model *m = b->m;
    const struct tensor_names *n = b->names;
    if (m->spec.embed_norm) {
        STETI_TRY(bind_stack_norm(b, "encoder", n->embed_norm, &m->enc_embed_norm, err));
        STETI_TRY(bind_stack_norm(b, "decoder", n->embed_norm, &m->dec_embed_norm, err));
    }
    if (m->spec.enc_pre_norm) {
        STETI_TRY(bind_stack_norm(b, "encoder", n->last_norm, &m->enc_final, err));
    }
    return m->spec.dec_pre_norm ? bind_stack_norm(b, "decoder", n->last_norm, &m->dec_final, err)
                                : STET_OK;
}

stet_status bind_layers(struct binder *b, stet_error *err)
{
    STETI_TRY(bind_stack_norms(b, err));
    for (int i = 0; i < b->m->spec.enc_layers; i++) {
        STETI_TRY(bind_enc_layer(b, i, err));
    }
    for (int j = 0; j < b->m->spec.dec_layers; j++) {
        STETI_TRY(bind_dec_layer(b, j, err));
    }
    return STET_OK;
}
