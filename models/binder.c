#include "binder.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"

stet_status binder_init(struct binder *b, struct steti_model *m, const struct steti_weights *w,
                        const char *folder, enum steti_dtype compute, stet_error *err)
{
    memset(b, 0, sizeof *b);
    b->m = m;
    b->weights = w;
    b->folder = folder;
    b->compute = compute;
    b->names = steti_tensor_names(&m->spec);
    b->root = steti_tensor_root(w);
    b->uses = steti_calloc(steti_weights_count(w) + 1, 1);
    return b->uses != NULL ? STET_OK
                           : steti_fail_nomem(err, "the tensor list", steti_weights_count(w) + 1);
}

void binder_free(struct binder *b)
{
    steti_free(b->uses);
    b->uses = NULL;
}

/* Names are sorted; -1 when absent. */
static ptrdiff_t index_of(const struct binder *b, const char *name)
{
    size_t lo = 0, hi = steti_weights_count(b->weights);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(steti_weights_name(b->weights, mid), name);
        if (c == 0) {
            return (ptrdiff_t)mid;
        }
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return -1;
}

void binder_ignore(struct binder *b, const char *name)
{
    ptrdiff_t i = index_of(b, name);
    if (i >= 0 && b->uses[i] == STETI_USE_UNKNOWN) {
        b->uses[i] = STETI_USE_NONE;
    }
}

stet_status binder_check_unknown(const struct binder *b, stet_error *err)
{
    for (size_t i = 0; i < steti_weights_count(b->weights); i++) {
        if (b->uses[i] == STETI_USE_UNKNOWN) {
            return steti_fail(err, STET_E_MODEL,
                              "%s: tensor \"%.100s\" does not belong to the %s family as "
                              "config.json describes it",
                              b->folder, steti_weights_name(b->weights, i),
                              steti_family_name(b->m->spec.family));
        }
    }
    return STET_OK;
}

int binder_has_tensor(const struct binder *b, const char *name)
{
    return index_of(b, name) >= 0;
}

int binder_has(const struct binder *b, const char *prefix)
{
    char name[STETI_NAME_MAX];
    snprintf(name, sizeof name, "%s.weight", prefix);
    return index_of(b, name) >= 0;
}

stet_status bind_find(struct binder *b, const char *name, int rows, int cols,
                      struct steti_tensor *out, stet_error *err)
{
    char found[96], expected[48];
    ptrdiff_t i = index_of(b, name);
    int rank = cols > 0 ? 2 : 1;
    if (i < 0) {
        return steti_fail(err, STET_E_MODEL, "%s: tensor \"%s\" is missing", b->folder, name);
    }
    b->uses[i] = STETI_USE_FLOATS;
    *out = *steti_weights_at(b->weights, (size_t)i);
    if (out->rank == rank && out->shape[0] == rows && (rank == 1 || out->shape[1] == cols)) {
        return STET_OK;
    }
    snprintf(expected, sizeof expected, rank == 2 ? "[%d, %d]" : "[%d]", rows, cols);
    return steti_fail(err, STET_E_MODEL, "%s: tensor \"%s\" has shape %s, config.json asks for %s",
                      b->folder, name, steti_tensor_shape_text(out, found, sizeof found), expected);
}

stet_status bind_check_float(const struct binder *b, const char *name, const struct steti_tensor *t,
                             stet_error *err)
{
    if (t->dtype == STETI_F32 || t->dtype == STETI_F16 || t->dtype == STETI_BF16) {
        return STET_OK;
    }
    return steti_fail(err, STET_E_MODEL, "%s: tensor \"%s\" has type %s, expected F32, F16 or BF16",
                      b->folder, name, steti_dtype_name(t->dtype));
}

stet_status bind_upload(struct steti_model *m, const float *host, size_t n, float **out,
                        stet_error *err)
{
    void *list = m->vectors, *mem = NULL;
    stet_status st = steti_grow(&list, &m->cap_vectors, m->n_vectors + 1, sizeof *m->vectors, err);
    m->vectors = list;
    STETI_TRY(st);
    STETI_TRY(m->ops->mem_alloc(m->backend, n * sizeof(float), &mem, err));
    m->vector_bytes += n * sizeof(float);
    m->vectors[m->n_vectors].data = mem;
    m->vectors[m->n_vectors++].n = n;
    *out = mem;
    return m->ops->upload(m->backend, mem, host, n * sizeof(float), err);
}

stet_status bind_host_floats(struct binder *b, const char *name, int rows, int cols, float **out,
                             stet_error *err)
{
    size_t n = (size_t)rows * (size_t)(cols > 0 ? cols : 1);
    struct steti_tensor t;
    stet_status st;
    *out = NULL;
    STETI_TRY(bind_find(b, name, rows, cols, &t, err));
    STETI_TRY(bind_check_float(b, name, &t, err));
    *out = steti_malloc(n * sizeof **out);
    if (*out == NULL) {
        return steti_fail_nomem(err, name, n * sizeof **out);
    }
    st = steti_to_f32(t.data, t.dtype, n, *out, err);
    if (st != STET_OK) {
        steti_free(*out);
        *out = NULL;
    }
    return st;
}

stet_status bind_vector(struct binder *b, const char *name, int n, const float **out,
                        stet_error *err)
{
    float *host, *dev = NULL;
    stet_status st;
    STETI_TRY(bind_host_floats(b, name, n, 0, &host, err));
    st = bind_upload(b->m, host, (size_t)n, &dev, err);
    *out = dev;
    steti_free(host);
    return st;
}

static const struct steti_matrix *already_packed(const struct steti_model *m, const void *data)
{
    for (size_t i = 0; i < m->n_packed; i++) {
        if (m->packed[i].data == data) {
            return m->packed[i].matrix;
        }
    }
    return NULL;
}

static stet_status pack(struct binder *b, const char *name, const struct steti_tensor *t,
                        const struct steti_tensor *scale, const struct steti_matrix **out,
                        stet_error *err)
{
    struct steti_model *m = b->m;
    struct steti_matrix *matrix = NULL;
    void *list = m->packed;
    stet_status st = steti_grow(&list, &m->cap_packed, m->n_packed + 1, sizeof *m->packed, err);
    m->packed = list;
    STETI_TRY(st);
    st = m->ops->pack_matrix(m->backend, t, scale, b->compute, &matrix, err);
    if (st != STET_OK) {
        return steti_fail_context(err, st, "%s: tensor \"%s\"", b->folder, name);
    }
    m->packed[m->n_packed].data = t->data;
    m->packed[m->n_packed++].matrix = matrix;
    steti_weights_drop(b->weights, t);
    *out = matrix;
    return STET_OK;
}

static void note_use(const struct binder *b, const char *name, enum steti_weight_use use)
{
    b->uses[index_of(b, name)] = (uint8_t)use;
}

stet_status bind_matrix(struct binder *b, const char *name, int rows, int cols,
                        const struct steti_matrix **out, stet_error *err)
{
    char scale_name[STETI_NAME_MAX];
    struct steti_tensor t, scale;
    STETI_TRY(bind_find(b, name, rows, cols, &t, err));
    note_use(b, name, STETI_USE_MATRIX);
    snprintf(scale_name, sizeof scale_name, "%s_scale", name);
    if (t.dtype == STETI_I8) {
        STETI_TRY(bind_find(b, scale_name, rows, 0, &scale, err));
        note_use(b, scale_name, STETI_USE_SCALE);
        if (scale.dtype != STETI_F32) {
            return steti_fail(err, STET_E_MODEL, "%s: tensor \"%s\" has type %s, expected F32",
                              b->folder, scale_name, steti_dtype_name(scale.dtype));
        }
    } else {
        STETI_TRY(bind_check_float(b, name, &t, err));
    }
    *out = already_packed(b->m, t.data);
    return *out != NULL ? STET_OK
                        : pack(b, name, &t, t.dtype == STETI_I8 ? &scale : NULL, out, err);
}

stet_status bind_linear(struct binder *b, const char *prefix, int n_out, int n_in,
                        struct linear *out, stet_error *err)
{
    char name[STETI_NAME_MAX];
    snprintf(name, sizeof name, "%s.weight", prefix);
    STETI_TRY(bind_matrix(b, name, n_out, n_in, &out->w, err));
    snprintf(name, sizeof name, "%s.bias", prefix);
    return index_of(b, name) >= 0 ? bind_vector(b, name, n_out, &out->bias, err) : STET_OK;
}

stet_status bind_norm(struct binder *b, const char *prefix, struct layer_norm *out, stet_error *err)
{
    char name[STETI_NAME_MAX];
    int d = b->m->spec.d_model;
    snprintf(name, sizeof name, "%s.weight", prefix);
    STETI_TRY(bind_vector(b, name, d, &out->gamma, err));
    if (b->m->spec.norm == STETI_NORM_RMS) {
        return STET_OK;
    }
    snprintf(name, sizeof name, "%s.bias", prefix);
    return bind_vector(b, name, d, &out->beta, err);
}
