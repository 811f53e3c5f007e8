#include "tensor_names.h"

#include <stdio.h>
#include <string.h>

/* fairseq's, which BART, mBART, Marian, M2M-100 and Pegasus kept. */
static const struct tensor_names fairseq = {
    .layer_before = ".layers.",
    .layer_after = "",
    .projections = {"q_proj", "k_proj", "v_proj", "out_proj"},
    .self = "self_attn",
    .self_norm = "self_attn_layer_norm",
    .cross = "encoder_attn",
    .cross_norm = "encoder_attn_layer_norm",
    .fc1 = {"fc1", "fc1"},
    .fc2 = {"fc2", "fc2"},
    .ffn_norm = {"final_layer_norm", "final_layer_norm"},
    .embed_norm = "layernorm_embedding",
    .last_norm = "layer_norm",
};

#define T5_NAMES                                                                                   \
    .layer_before = ".block.", .layer_after = ".layer", .projections = {"q", "k", "v", "o"},       \
    .self = "0.SelfAttention", .self_norm = "0.layer_norm", .cross = "1.EncDecAttention",          \
    .cross_norm = "1.layer_norm", .fc2 = {"1.DenseReluDense.wo", "2.DenseReluDense.wo"},           \
    .ffn_norm = {"1.layer_norm", "2.layer_norm"}, .last_norm = "final_layer_norm",                 \
    .relative_bias = "0.SelfAttention.relative_attention_bias.weight"

static const struct tensor_names t5 = {
    T5_NAMES,
    .fc1 = {"1.DenseReluDense.wi", "2.DenseReluDense.wi"},
};

static const struct tensor_names t5_gated = {
    T5_NAMES,
    .fc1 = {"1.DenseReluDense.wi_0", "2.DenseReluDense.wi_0"},
    .gate = {"1.DenseReluDense.wi_1", "2.DenseReluDense.wi_1"},
};

const struct tensor_names *steti_tensor_names(const struct steti_spec *s)
{
    switch (s->family) {
    case STETI_FAMILY_T5:
    case STETI_FAMILY_MT5:
    case STETI_FAMILY_UMT5:
        return s->ffn_gated ? &t5_gated : &t5;
    default:
        return &fairseq;
    }
}

const char *steti_tensor_root(const struct steti_weights *w)
{
    static const char root[] = "model.";
    for (size_t i = 0; i < steti_weights_count(w); i++) {
        if (strncmp(steti_weights_name(w, i), root, sizeof root - 1) == 0) {
            return root;
        }
    }
    return "";
}

int steti_tensor_table(const struct steti_weights *w, int tied, char *name, size_t cap)
{
    static const char *const places[] = {"shared.weight", "encoder.embed_tokens.weight",
                                         "decoder.embed_tokens.weight"};
    const char *root = steti_tensor_root(w);
    struct steti_tensor t;
    for (int i = 0; i < 3; i++) {
        snprintf(name, cap, "%s%s", root, places[i]);
        if (steti_weights_find(w, name, &t)) {
            return 1;
        }
    }
    snprintf(name, cap, "lm_head.weight");
    if (tied && steti_weights_find(w, name, &t)) {
        return 1;
    }
    snprintf(name, cap, "%s%s", root, places[1]);
    return 0;
}
