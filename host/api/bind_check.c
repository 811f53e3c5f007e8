#include "bind_check.h"

#include "alloc.h"
#include "check.h"

/* ---- A backend that keeps nothing: only what opening a model calls --------------------------- */

static stet_status no_memory(struct steti_backend *b, size_t bytes, void **out, stet_error *err)
{
    (void)b;
    (void)bytes;
    (void)err;
    *out = NULL;
    return STET_OK;
}

static void no_free(struct steti_backend *b, void *p)
{
    (void)b;
    (void)p;
}

static stet_status no_upload(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                             stet_error *err)
{
    (void)b;
    (void)dst;
    (void)src;
    (void)bytes;
    (void)err;
    return STET_OK;
}

static stet_status check_only(struct steti_backend *b, const struct steti_tensor *src,
                              const struct steti_tensor *scale, enum steti_dtype compute,
                              struct steti_matrix **out, stet_error *err)
{
    (void)b;
    *out = NULL;
    return steti_check_pack(src, scale, compute, err);
}

static void no_free_matrix(struct steti_backend *b, struct steti_matrix *m)
{
    (void)b;
    (void)m;
}

static const struct steti_backend_ops nothing = {
    .api_version = STETI_BACKEND_API,
    .mem_alloc = no_memory,
    .mem_free = no_free,
    .upload = no_upload,
    .pack_matrix = check_only,
    .free_matrix = no_free_matrix,
};

static stet_status bind(const char *folder, enum steti_dtype compute, struct steti_weights *w,
                        uint8_t *uses, stet_error *err)
{
    /* Positions are read a second time where they are needed: one row is enough here. */
    struct steti_model_options o = {
        .ops = &nothing, .compute = compute, .max_positions = 1, .uses = uses};
    struct steti_spec spec;
    struct steti_model *m = NULL;
    stet_status st;
    STETI_TRY(steti_spec_read(folder, &spec, err));
    st = steti_model_open(&spec, w, folder, &o, &m, err);
    steti_model_close(m);
    return st;
}

stet_status bind_check(const char *folder, enum steti_dtype compute, struct steti_weights **out,
                       uint8_t **uses, stet_error *err)
{
    size_t n;
    stet_status st;
    *uses = NULL;
    STETI_TRY(steti_weights_open(folder, out, err));
    n = steti_weights_count(*out);
    *uses = steti_calloc(n + 1, 1);
    st = *uses != NULL ? bind(folder, compute, *out, *uses, err)
                       : steti_fail_nomem(err, "the tensor list", n + 1);
    if (st != STET_OK) {
        steti_free(*uses);
        steti_weights_close(*out);
        *uses = NULL;
        *out = NULL;
    }
    return st;
}
