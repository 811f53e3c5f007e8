/* layers.h - the bound weights of a model, as the forward sees them. Private to models/. */
#ifndef STETI_LAYERS_H
#define STETI_LAYERS_H

#include "model.h"

struct layer_norm {
    const float *gamma, *beta;
};

struct linear {
    const struct steti_matrix *w;
    const float *bias; /* NULL when the checkpoint has none */
};

struct attention {
    struct linear q, k, v, out;
};

struct ffn {
    struct linear fc1, fc2;
};

struct enc_layer {
    struct attention self;
    struct ffn ffn;
    struct layer_norm self_norm, final_norm;
};

struct dec_layer {
    struct attention self, cross;
    struct ffn ffn;
    struct layer_norm self_norm, cross_norm, final_norm;
};

/* A packed matrix and the tensor it was made from: sets that layers share are packed once. */
struct packed {
    const void *data;
    struct steti_matrix *matrix;
};

struct steti_model {
    struct steti_spec spec;
    const struct steti_backend_ops *ops;
    struct steti_backend *backend;
    int max_positions;
    const struct steti_matrix *table; /* embedding and output layer [vocab, d] */
    const struct steti_matrix *head;  /* output layer when it is not the table */
    struct enc_layer *enc;
    struct dec_layer *dec;
    /* gamma NULL when absent */
    struct layer_norm enc_embed_norm, dec_embed_norm, enc_final, dec_final;
    float *positions_enc, *positions_dec; /* backend [max_positions, d]; the same when sinusoidal */
    const float *head_bias;               /* [vocab] or NULL */
    struct packed *packed;
    size_t n_packed, cap_packed;
    float **vectors; /* backend blocks owned */
    size_t n_vectors, cap_vectors;
};

#endif
