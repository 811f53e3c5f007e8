/* binder.h - finds tensors by name, checks their shapes and hands them to the backend. Private to
 * models/. */
#ifndef STETI_BINDER_H
#define STETI_BINDER_H

#include "layers.h"
#include "tensor_names.h"

#define STETI_NAME_MAX 128

struct binder {
    struct steti_model *m;
    const struct steti_weights *weights;
    const char *folder;
    enum steti_dtype compute;
    const struct tensor_names *names;
    const char *root; /* see tensor_names.h */
    uint8_t *uses;    /* [tensors] enum steti_weight_use */
};

stet_status binder_init(struct binder *b, struct steti_model *m, const struct steti_weights *w,
                        const char *folder, enum steti_dtype compute, stet_error *err);
void binder_free(struct binder *b);

/* 1 if "<name>" or "<prefix>.weight" is in the folder. */
int binder_has_tensor(const struct binder *b, const char *name);
int binder_has(const struct binder *b, const char *prefix);

/* The tensor "<name>" with its shape checked; cols 0 = [rows]. */
stet_status bind_find(struct binder *b, const char *name, int rows, int cols,
                      struct steti_tensor *out, stet_error *err);
/* STET_E_MODEL unless the tensor is F32, F16 or BF16. */
stet_status bind_check_float(const struct binder *b, const char *name, const struct steti_tensor *t,
                             stet_error *err);
/* "<name>" [rows, cols], with "<name>_scale" [rows] when it is I8. */
stet_status bind_matrix(struct binder *b, const char *name, int rows, int cols,
                        const struct steti_matrix **out, stet_error *err);
/* "<name>" [n] as float. */
stet_status bind_vector(struct binder *b, const char *name, int n, const float **out,
                        stet_error *err);
/* "<prefix>.weight" [n_out, n_in] and, if there is one, "<prefix>.bias" [n_out]. */
stet_status bind_linear(struct binder *b, const char *prefix, int n_out, int n_in,
                        struct linear *out, stet_error *err);
/* "<prefix>.weight" and, but for RMS norms, "<prefix>.bias" [d]. */
stet_status bind_norm(struct binder *b, const char *prefix, struct layer_norm *out,
                      stet_error *err);

/* "<name>" [rows, cols] as floats in new host memory. */
stet_status bind_host_floats(struct binder *b, const char *name, int rows, int cols, float **out,
                             stet_error *err);

/* Backend memory of n floats owned by the model, filled from host memory. */
stet_status bind_upload(struct steti_model *m, const float *host, size_t n, float **out,
                        stet_error *err);

/* Marks a tensor as known without using it (aliases that converters write); absent is fine. */
void binder_ignore(struct binder *b, const char *name);
/* STET_E_MODEL naming the first tensor that the family does not know. */
stet_status binder_check_unknown(const struct binder *b, stet_error *err);

/* The two parts of binding. */
stet_status bind_layers(struct binder *b, stet_error *err);
stet_status bind_tables(struct binder *b, stet_error *err);

#endif
