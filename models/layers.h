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
    struct linear gate; /* w NULL when there is none */
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

/* A block of the backend's memory. */
struct vector {
    float *data;
    size_t n;
};

struct steti_model {
    struct steti_spec spec;
    const struct steti_backend_ops *ops;
    struct steti_backend *backend;
    enum steti_dtype compute; /* what matrices were packed for */
    int max_positions;
    /* embeddings [vocab, d]: of sources, and of outputs, which mostly is the same */
    const struct steti_matrix *table, *dec_table;
    const struct steti_matrix *head; /* output layer; the table when tied */
    struct enc_layer *enc;
    struct dec_layer *dec;
    /* gamma NULL when absent */
    struct layer_norm enc_embed_norm, dec_embed_norm, enc_final, dec_final;
    /* backend [max_positions, d]; the same when sinusoidal, NULL when relative */
    float *positions_enc, *positions_dec;
    /* relative positions: host [tables, buckets, heads] of the encoder and of the decoder */
    float *rel_bias[2];
    const float *head_bias; /* [vocab] or NULL; -infinity for tokens that are never chosen */
    struct packed *packed;
    size_t n_packed, cap_packed;
    struct vector *vectors; /* owned */
    size_t n_vectors, cap_vectors, vector_bytes;
    int is_copy; /* rel_bias is another model's */
};

/* The ops of a pass over n_rows rows, without sync. Host arrays that are not given are the
 * session's, filled before (by the time of the replay, where the ops are recorded). The batch's
 * slots and fork are not read, its side only says whether there are branches. */
stet_status steti_forward_encode(struct steti_session *s, const int32_t *ids, int n_rows,
                                 stet_error *err);
stet_status steti_forward_decode(struct steti_session *s, const struct steti_decode_batch *b,
                                 stet_error *err);

#endif
