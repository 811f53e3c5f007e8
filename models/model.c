#include "model.h"

#include <string.h>

#include "alloc.h"
#include "binder.h"

const struct steti_spec *steti_model_spec(const struct steti_model *m)
{
    return &m->spec;
}

size_t steti_model_vector_bytes(const struct steti_model *m)
{
    return m->vector_bytes;
}

int steti_model_max_positions(const struct steti_model *m)
{
    return m->max_positions;
}

enum steti_dtype steti_model_stored_type(const struct steti_weights *w)
{
    char name[STETI_NAME_MAX];
    struct steti_tensor t;
    int found = steti_tensor_table(w, 1, name, sizeof name) && steti_weights_find(w, name, &t);
    return found ? t.dtype : STETI_F32;
}

const struct steti_backend_ops *steti_model_ops(const struct steti_model *m)
{
    return m->ops;
}

static stet_status bind_all(struct binder *b, stet_error *err)
{
    if (binder_has(b, "encoder.layers.0.q_lora.linear_u")) {
        return steti_fail(
            err, STET_E_MODEL,
            "%s: the LoRA tensors (encoder.layers.*.q_lora) are not folded into the projections; "
            "write the folder with scripts/train/export_model.py",
            b->folder);
    }
    STETI_TRY(bind_tables(b, err));
    STETI_TRY(bind_layers(b, err));
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
    m->compute = o->compute;
    m->max_positions = spec->max_positions;
    if (o->max_positions > 0 && o->max_positions < m->max_positions) {
        m->max_positions = o->max_positions;
    }
    STETI_TRY_GOTO(binder_init(&b, m, weights, folder, o->compute, err), st, fail_init);
    STETI_TRY_GOTO(alloc_layers(m, err), st, fail_bind);
    STETI_TRY_GOTO(bind_all(&b, err), st, fail_bind);
    if (o->uses != NULL) {
        memcpy(o->uses, b.uses, steti_weights_count(weights));
    }
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
        m->ops->mem_free(m->backend, m->vectors[i].data);
    }
    if (!m->is_copy) {
        steti_free(m->rel_bias[0]);
        steti_free(m->rel_bias[1]);
    }
    steti_free(m->packed);
    steti_free(m->vectors);
    steti_free(m->enc);
    steti_free(m->dec);
    steti_free(m);
}
