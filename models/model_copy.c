/* A bound model in other contexts: every matrix and vector copied once, and all that points to them
 * pointing to the copies. */
#include <string.h>

#include "alloc.h"
#include "layers.h"

/* move_all goes through these as lists of pointers. */
_Static_assert(sizeof(struct enc_layer) % sizeof(void *) == 0 &&
                   sizeof(struct dec_layer) % sizeof(void *) == 0 &&
                   sizeof(struct layer_norm) == 2 * sizeof(void *),
               "their members are pointers");

static const void *moved(const struct steti_model *from, const struct steti_model *to,
                         const void *p)
{
    for (size_t i = 0; p != NULL && i < to->n_packed; i++) {
        if (from->packed[i].matrix == p) {
            return to->packed[i].matrix;
        }
    }
    for (size_t i = 0; p != NULL && i < to->n_vectors; i++) {
        if (from->vectors[i].data == p) {
            return to->vectors[i].data;
        }
    }
    return NULL;
}

/* Pointers to matrices and vectors, and nothing else, from `src` to `dst`. */
static void move_all(const struct steti_model *from, const struct steti_model *to, const void *src,
                     void *dst, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += sizeof(void *)) {
        const void *p;
        memcpy(&p, (const char *)src + at, sizeof p);
        p = moved(from, to, p);
        memcpy((char *)dst + at, &p, sizeof p);
    }
}

static void move_pointers(const struct steti_model *from, struct steti_model *to)
{
    size_t norm = sizeof(struct layer_norm);
    move_all(from, to, from->enc, to->enc, (size_t)to->spec.enc_layers * sizeof *to->enc);
    move_all(from, to, from->dec, to->dec, (size_t)to->spec.dec_layers * sizeof *to->dec);
    move_all(from, to, &from->enc_embed_norm, &to->enc_embed_norm, norm);
    move_all(from, to, &from->dec_embed_norm, &to->dec_embed_norm, norm);
    move_all(from, to, &from->enc_final, &to->enc_final, norm);
    move_all(from, to, &from->dec_final, &to->dec_final, norm);
    move_all(from, to, &from->table, &to->table, sizeof from->table);
    move_all(from, to, &from->dec_table, &to->dec_table, sizeof from->dec_table);
    move_all(from, to, &from->head, &to->head, sizeof from->head);
    move_all(from, to, &from->positions_enc, &to->positions_enc, sizeof from->positions_enc);
    move_all(from, to, &from->positions_dec, &to->positions_dec, sizeof from->positions_dec);
    move_all(from, to, &from->head_bias, &to->head_bias, sizeof from->head_bias);
}

/* A model without weights. */
static stet_status new_copy(const struct steti_model *from, struct steti_backend *backend,
                            struct steti_model **out, stet_error *err)
{
    struct steti_model *m = steti_calloc(1, sizeof *m);
    *out = m;
    if (m == NULL) {
        return steti_fail_nomem(err, "a model", sizeof *m);
    }
    *m = *from; /* what points to weights is set by move_pointers */
    m->backend = backend;
    m->is_copy = 1;
    m->n_packed = m->cap_packed = 0;
    m->n_vectors = m->cap_vectors = 0;
    m->enc = steti_calloc((size_t)m->spec.enc_layers, sizeof *m->enc);
    m->dec = steti_calloc((size_t)m->spec.dec_layers, sizeof *m->dec);
    m->packed = steti_calloc(from->n_packed + 1, sizeof *m->packed);
    m->vectors = steti_calloc(from->n_vectors + 1, sizeof *m->vectors);
    return m->enc != NULL && m->dec != NULL && m->packed != NULL && m->vectors != NULL
               ? STET_OK
               : steti_fail_nomem(err, "the layer table", from->n_packed * sizeof *m->packed);
}

static stet_status copy_matrices(const struct steti_model *from,
                                 const struct steti_model_copies *to, struct steti_model **out,
                                 stet_error *err)
{
    for (size_t i = 0; i < from->n_packed; i++) {
        struct steti_matrix *copies[STETI_MODEL_MAX_COPIES];
        STETI_TRY(from->ops->peers_matrix(to->peers, from->packed[i].matrix, copies, err));
        for (int k = 0; k < to->n; k++) {
            out[k]->packed[i].data = from->packed[i].data;
            out[k]->packed[i].matrix = copies[k];
            out[k]->n_packed++;
        }
    }
    return STET_OK;
}

static stet_status copy_vectors(const struct steti_model *from, const struct steti_model_copies *to,
                                struct steti_model **out, stet_error *err)
{
    for (size_t i = 0; i < from->n_vectors; i++) {
        size_t n = from->vectors[i].n;
        void *copies[STETI_MODEL_MAX_COPIES];
        STETI_TRY(from->ops->peers_memory(to->peers, from->vectors[i].data, n * sizeof(float),
                                          copies, err));
        for (int k = 0; k < to->n; k++) {
            out[k]->vectors[i].data = copies[k];
            out[k]->vectors[i].n = n;
            out[k]->n_vectors++;
        }
    }
    return STET_OK;
}

static stet_status copy_all(const struct steti_model *from, const struct steti_model_copies *to,
                            struct steti_model **out, stet_error *err)
{
    for (int k = 0; k < to->n; k++) {
        STETI_TRY(new_copy(from, to->backends[k], &out[k], err));
    }
    STETI_TRY(copy_matrices(from, to, out, err));
    STETI_TRY(copy_vectors(from, to, out, err));
    STETI_TRY(from->ops->peers_finish(to->peers, err));
    for (int k = 0; k < to->n; k++) {
        move_pointers(from, out[k]);
    }
    return STET_OK;
}

stet_status steti_model_copy(const struct steti_model *m, const struct steti_model_copies *to,
                             struct steti_model **out, stet_error *err)
{
    stet_status st;
    for (int k = 0; k < to->n; k++) {
        out[k] = NULL;
    }
    st = copy_all(m, to, out, err);
    for (int k = 0; st != STET_OK && k < to->n; k++) {
        steti_model_close(out[k]);
        out[k] = NULL;
    }
    return st;
}
