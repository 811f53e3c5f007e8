/* The families whose keys are stet's own: edgeformer and transformer. */
#include <math.h>

#include "config_family.h"

const struct config_choice config_activations[] = {
    {"relu", STETI_ACT_RELU}, {"gelu", STETI_ACT_GELU},  {"gelu_new", STETI_ACT_GELU_TANH},
    {"silu", STETI_ACT_SILU}, {"swish", STETI_ACT_SILU}, {NULL, 0}};
static const struct config_choice position_kinds[] = {
    {"sinusoidal", STETI_POS_SINUSOIDAL}, {"learned", STETI_POS_LEARNED}, {NULL, 0}};

static stet_status check_heads(const struct config *s, const char *key, int heads, int d_model,
                               stet_error *err)
{
    return d_model % heads == 0
               ? STET_OK
               : steti_fail(err, STET_E_MODEL, "%s/%s: %s: %d heads do not divide d_model %d",
                            s->folder, s->file, key, heads, d_model);
}

stet_status config_read_shapes(const struct config *s, struct steti_spec *m, stet_error *err)
{
    STETI_TRY(config_int(s, "vocab_size", 2, 1 << 24, 1, &m->vocab_size, err));
    STETI_TRY(config_int(s, "d_model", 1, 1 << 16, 1, &m->d_model, err));
    STETI_TRY(config_int(s, "encoder_layers", 1, 1024, 1, &m->enc_layers, err));
    STETI_TRY(config_int(s, "decoder_layers", 1, 1024, 1, &m->dec_layers, err));
    STETI_TRY(config_int(s, "encoder_attention_heads", 1, 1024, 1, &m->enc_heads, err));
    STETI_TRY(config_int(s, "decoder_attention_heads", 1, 1024, 1, &m->dec_heads, err));
    STETI_TRY(config_int(s, "encoder_ffn_dim", 1, 1 << 18, 1, &m->enc_ffn, err));
    STETI_TRY(config_int(s, "decoder_ffn_dim", 1, 1 << 18, 1, &m->dec_ffn, err));
    STETI_TRY(check_heads(s, "encoder_attention_heads", m->enc_heads, m->d_model, err));
    STETI_TRY(check_heads(s, "decoder_attention_heads", m->dec_heads, m->d_model, err));
    m->enc_head_dim = m->d_model / m->enc_heads;
    m->dec_head_dim = m->d_model / m->dec_heads;
    return STET_OK;
}

static stet_status read_sharing(const struct config *s, struct steti_spec *m, stet_error *err)
{
    m->enc_attn_groups = m->enc_layers;
    m->enc_ffn_groups = m->enc_layers;
    if (m->family != STETI_FAMILY_EDGEFORMER) {
        return STET_OK;
    }
    m->dec_ffn_twice = 1;
    STETI_TRY(
        config_int(s, "encoder_attention_groups", 1, m->enc_layers, 0, &m->enc_attn_groups, err));
    STETI_TRY(config_int(s, "encoder_ffn_groups", 1, m->enc_layers, 0, &m->enc_ffn_groups, err));
    STETI_TRY(config_bool(s, "decoder_shares_attention", &m->dec_shares_attn, err));
    if (m->dec_shares_attn && 2 * m->dec_layers > m->enc_attn_groups) {
        return config_bad(s, err, "decoder_shares_attention",
                          "needs two encoder_attention_groups for every decoder layer");
    }
    if (m->dec_shares_attn && m->dec_heads != m->enc_heads) {
        return config_bad(s, err, "decoder_attention_heads",
                          "must equal encoder_attention_heads when attention is shared");
    }
    return STET_OK;
}

static stet_status read_switches(const struct config *s, struct steti_spec *m, stet_error *err)
{
    int act = STETI_ACT_RELU, positions = STETI_POS_SINUSOIDAL, scale = 1;
    STETI_TRY(config_one_of(s, "activation_function", config_activations, 0, &act, err));
    STETI_TRY(config_one_of(s, "position_embedding_type", position_kinds, 0, &positions, err));
    STETI_TRY(config_real(s, "layer_norm_eps", 1e-12, 1.0, &m->norm_eps, err));
    STETI_TRY(config_bool(s, "scale_embedding", &scale, err));
    STETI_TRY(config_bool(s, "tie_word_embeddings", &m->tied_head, err));
    STETI_TRY(config_int(s, "position_offset", 0, 1 << 16, 0, &m->position_offset, err));
    STETI_TRY(config_int(s, "max_position_embeddings", 2, 1 << 20, 0, &m->max_positions, err));
    if (m->family == STETI_FAMILY_TRANSFORMER) {
        STETI_TRY(config_bool(s, "encoder_normalize_before", &m->enc_pre_norm, err));
        STETI_TRY(config_bool(s, "decoder_normalize_before", &m->dec_pre_norm, err));
        STETI_TRY(config_bool(s, "normalize_embedding", &m->embed_norm, err));
    }
    m->act = (enum steti_act)act;
    m->positions = (enum steti_positions)positions;
    if (m->positions == STETI_POS_SINUSOIDAL && m->d_model % 2 != 0) {
        return config_bad(s, err, "d_model", "must be even with sinusoidal positions");
    }
    m->embed_scale = scale ? sqrtf((float)m->d_model) : 1.0f;
    return STET_OK;
}

stet_status config_read_fairseq(const struct config *s, struct steti_spec *m, stet_error *err)
{
    STETI_TRY(config_read_shapes(s, m, err));
    STETI_TRY(read_sharing(s, m, err));
    STETI_TRY(read_switches(s, m, err));
    return config_read_ids(s, m, err);
}
