/* t5, mt5 and umt5 as Hugging Face's transformers writes them: T5, T5 1.1, Flan-T5, ByT5, mT5,
 * umT5. */
#include <math.h>
#include <string.h>

#include "config_family.h"

/* No table bounds the positions of relative ones. */
#define ANY_POSITIONS (1 << 20)

static stet_status read_shapes(const struct config *s, struct steti_spec *m, stet_error *err)
{
    int heads = 0, d_kv = 64, inner = 0;
    STETI_TRY(config_int(s, "vocab_size", 2, 1 << 24, 1, &m->vocab_size, err));
    STETI_TRY(config_int(s, "d_model", 1, 1 << 16, 1, &m->d_model, err));
    STETI_TRY(config_int(s, "d_kv", 1, 1 << 12, 0, &d_kv, err));
    STETI_TRY(config_int(s, "d_ff", 1, 1 << 18, 1, &inner, err));
    STETI_TRY(config_int(s, "num_heads", 1, 1024, 1, &heads, err));
    STETI_TRY(config_int(s, "num_layers", 1, 1024, 1, &m->enc_layers, err));
    m->dec_layers = m->enc_layers;
    STETI_TRY(config_int(s, "num_decoder_layers", 1, 1024, 0, &m->dec_layers, err));
    m->enc_heads = m->dec_heads = heads;
    m->enc_head_dim = m->dec_head_dim = d_kv;
    m->enc_ffn = m->dec_ffn = inner;
    return STET_OK;
}

static stet_status read_ffn(const struct config *s, struct steti_spec *m, stet_error *err)
{
    /* "gated-gelu" has always meant the tanh form, unlike "gelu". */
    enum { GATED = 256 };
    static const struct config_choice forms[] = {{"relu", STETI_ACT_RELU},
                                                 {"gated-gelu", GATED + STETI_ACT_GELU_TANH},
                                                 {"gated-silu", GATED + STETI_ACT_SILU},
                                                 {"gated-swish", GATED + STETI_ACT_SILU},
                                                 {"gated-relu", GATED + STETI_ACT_RELU},
                                                 {"gated-gelu_new", GATED + STETI_ACT_GELU_TANH},
                                                 {"gelu", STETI_ACT_GELU},
                                                 {"gelu_new", STETI_ACT_GELU_TANH},
                                                 {"silu", STETI_ACT_SILU},
                                                 {"swish", STETI_ACT_SILU},
                                                 {NULL, 0}};
    int form = m->family == STETI_FAMILY_T5 ? STETI_ACT_RELU : GATED + STETI_ACT_GELU_TANH;
    STETI_TRY(config_one_of(s, "feed_forward_proj", forms, 0, &form, err));
    m->ffn_gated = form >= GATED;
    m->act = (enum steti_act)(form % GATED);
    return STET_OK;
}

/* Old files of T5 and umT5 say with tie_word_embeddings whether the output is scaled; newer ones
 * have a key of its own for that and say "tied" of every model. Whether there is an output layer
 * the tensors tell. mT5's outputs are never scaled. */
static stet_status read_head(const struct config *s, struct steti_spec *m, stet_error *err)
{
    int scaled = 1;
    STETI_TRY(config_bool(s, "tie_word_embeddings", &scaled, err));
    STETI_TRY(config_bool(s, "scale_decoder_outputs", &scaled, err));
    scaled = scaled && m->family != STETI_FAMILY_MT5;
    m->head_scale = scaled ? (float)(1.0 / sqrt((double)m->d_model)) : 1.0f;
    m->prefers_own_head = 1;
    return STET_OK;
}

stet_status config_read_t5(const struct config *s, struct steti_spec *m, stet_error *err)
{
    m->norm = STETI_NORM_RMS;
    m->norm_eps = 1e-6f;
    m->enc_pre_norm = m->dec_pre_norm = 1;
    m->unscaled_queries = 1;
    m->positions = STETI_POS_RELATIVE;
    m->max_positions = ANY_POSITIONS;
    m->rel_buckets = 32;
    m->rel_max_distance = 128;
    m->rel_every_layer = m->family == STETI_FAMILY_UMT5;
    m->pad_id = 0;
    m->eos_id = 1;
    STETI_TRY(read_shapes(s, m, err));
    STETI_TRY(read_ffn(s, m, err));
    STETI_TRY(read_head(s, m, err));
    STETI_TRY(config_real(s, "layer_norm_epsilon", 1e-12, 1.0, &m->norm_eps, err));
    STETI_TRY(config_int(s, "relative_attention_num_buckets", 4, 1 << 12, 0, &m->rel_buckets, err));
    STETI_TRY(
        config_int(s, "relative_attention_max_distance", 2, 1 << 20, 0, &m->rel_max_distance, err));
    if (m->rel_max_distance <= m->rel_buckets / 2) {
        return config_bad(s, err, "relative_attention_max_distance",
                          "must be more than half of relative_attention_num_buckets");
    }
    STETI_TRY(config_read_ids(s, m, err));
    m->start_id = m->start_id < 0 ? m->pad_id : m->start_id;
    return STET_OK;
}
