/* cuda_blas.c - the matrix library: opening it, what is known about shapes, and products. */
#include "cuda_blas.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "log.h"

#define FEW_ROWS 8 /* of a block of the epilogue */

/* ---- Opening --------------------------------------------------------------------------------- */

void steti_cuda_library_open(struct steti_backend *b)
{
    const struct steti_blas *blas = b->tuning.blas;
    stet_error why = {.struct_size = sizeof why};
    if (blas == NULL || b->tuning.blas_rows <= 0) {
        return;
    }
    if (blas->open(&b->library.handle, &why) != STET_OK) {
        b->library.handle = NULL;
        steti_log(STET_LOG_INFO, "cuda", "cuda:%d: own kernels for all products: %s", b->device,
                  why.message);
        return;
    }
    steti_cuda_cache_load(b);
}

void steti_cuda_library_close(struct steti_backend *b)
{
    while (b->library.verdicts != NULL) {
        struct steti_blas_verdict *v = b->library.verdicts;
        b->library.verdicts = v->next;
        steti_free(v);
    }
    if (b->library.handle != NULL) {
        b->tuning.blas->close(b->library.handle);
        b->library.handle = NULL;
    }
}

/* ---- Rows of a matrix ------------------------------------------------------------------------ */

size_t steti_cuda_rows_element(int32_t type)
{
    return type == STETI_CUDA_I8 ? 1 : type == STETI_CUDA_BF16 ? 2 : sizeof(float);
}

int64_t steti_cuda_rows_ld(int n_in, int32_t type)
{
    int64_t step = type == STETI_CUDA_I8     ? STETI_CUDA_STEP_I8
                   : type == STETI_CUDA_BF16 ? STETI_CUDA_STEP_BF16
                                             : 4; /* 16 bytes */
    return (n_in + step - 1) / step * step;
}

/* Inputs that a product adds up. Behind n_in, prepared rows hold zeros; float rows end there. */
static int32_t summed_inputs(int n_in, int32_t type)
{
    return type == STETI_CUDA_F32 ? n_in : (int32_t)steti_cuda_rows_ld(n_in, type);
}

/* ---- Verdicts -------------------------------------------------------------------------------- */

/* Adds those of one row count that are not there yet. */
static int add_candidates(struct steti_backend *b, const struct steti_blas_product *p,
                          struct steti_blas_algo *out, int n)
{
    struct steti_blas_algo more[STETI_CUDA_BLAS_MOST / 2];
    int found = 0;
    if (b->tuning.blas->candidates(b->library.handle, p, STETI_CUDA_BLAS_MOST / 2, more, &found) !=
        0) {
        return n;
    }
    for (int i = 0; i < found; i++) {
        int at = 0;
        while (at < n && memcmp(&out[at], &more[i], sizeof *out) != 0) {
            at++;
        }
        if (at == n) {
            out[n++] = more[i];
        }
    }
    return n;
}

/* For many rows, and for the fewest that the library gets: it may know other ways for these. */
int steti_cuda_library_candidates(struct steti_backend *b, const struct steti_blas_verdict *v,
                                  struct steti_blas_algo *out)
{
    int width = v->type == STETI_CUDA_F32 ? STETI_CUDA_PANEL_F32 : STETI_CUDA_PANEL_MMA;
    int32_t n_in = summed_inputs(v->n_in, v->type);
    struct steti_blas_product p = {.type = v->type, .n_rows = b->tuning.blas_probe_rows};
    int n;
    p.n_out = steti_cuda_blocks(v->n_out, width) * width;
    p.n_in = v->type != STETI_CUDA_I8 && n_in > b->tuning.chunk ? b->tuning.chunk : n_in;
    p.ld_a = n_in;
    p.ld_w = steti_cuda_rows_ld(v->n_in, v->type);
    p.ld_c = p.n_out;
    n = add_candidates(b, &p, out, 0);
    p.n_rows = b->tuning.blas_rows + 1;
    return add_candidates(b, &p, out, n);
}

static struct steti_blas_verdict *find_verdict(const struct steti_backend *b, int n_out, int n_in,
                                               int32_t type)
{
    struct steti_blas_verdict *v = b->library.verdicts;
    while (v != NULL && (v->n_out != n_out || v->n_in != n_in || v->type != type)) {
        v = v->next;
    }
    return v;
}

static int is_offered(struct steti_backend *b, const struct steti_blas_verdict *v)
{
    struct steti_blas_algo now[STETI_CUDA_BLAS_MOST];
    int n = steti_cuda_library_candidates(b, v, now);
    for (int i = 0; i < n; i++) {
        if (memcmp(&now[i], &v->algo, sizeof v->algo) == 0) {
            return 1;
        }
    }
    return 0;
}

static stet_status find_out(struct steti_backend *b, struct steti_blas_verdict *v, stet_error *err)
{
    stet_error why = {.struct_size = sizeof why};
    stet_status st = steti_cuda_probe(b, v, &why);
    if (st == STET_E_NOMEM) {
        v->passed = 0;
        v->is_for_now = 1;
        snprintf(v->why, sizeof v->why, "there was too little memory for the probe");
    } else if (st != STET_OK) {
        return steti_fail(err, st, "%s", why.message);
    }
    v->is_from_file = 0;
    steti_log(STET_LOG_INFO, "cuda", "cuda:%d: %s [%d, %d] by %s: %s", b->device,
              steti_cuda_type_name(v->type), v->n_out, v->n_in,
              v->passed ? b->tuning.blas->name : "the own kernels", v->why);
    return STET_OK;
}

/* Of a kept verdict. A candidate goes to the library as bytes, so it must be one that the library
 * itself would name today; and a look at one row count costs little. */
static stet_status look_again(struct steti_backend *b, struct steti_blas_verdict *v,
                              stet_error *err)
{
    const char *why = "is not among those that it offers";
    stet_error e = {.struct_size = sizeof e};
    if (is_offered(b, v)) {
        stet_status st = steti_cuda_probe_again(b, v, &e);
        if (st != STET_OK && st != STET_E_NOMEM) {
            return steti_fail(err, st, "%s", e.message);
        }
        if (st == STET_OK && v->passed) {
            return STET_OK;
        }
        why = st == STET_OK ? "is no longer right" : "could not be looked at";
    }
    steti_log(STET_LOG_INFO, "cuda",
              "cuda:%d: the kept way of %s to multiply %s [%d, %d] %s: another probe", b->device,
              b->tuning.blas->name, steti_cuda_type_name(v->type), v->n_out, v->n_in, why);
    STETI_TRY(find_out(b, v, err));
    steti_cuda_cache_save(b);
    return STET_OK;
}

static stet_status new_verdict(struct steti_backend *b, const struct steti_blas_verdict *key,
                               struct steti_blas_verdict **out, stet_error *err)
{
    struct steti_blas_verdict *v = steti_malloc(sizeof *v);
    stet_status st;
    if (v == NULL) {
        return steti_fail_nomem(err, "what is known about a matrix's shape", sizeof *v);
    }
    *v = *key;
    st = find_out(b, v, err);
    if (st != STET_OK) {
        steti_free(v);
        return st;
    }
    v->next = b->library.verdicts;
    b->library.verdicts = v;
    *out = v;
    return STET_OK;
}

stet_status steti_cuda_library_verdict(struct steti_backend *b, int n_out, int n_in, int32_t type,
                                       struct steti_blas_verdict **out, stet_error *err)
{
    struct steti_blas_verdict key = {.n_out = n_out, .n_in = n_in, .type = type};
    struct steti_blas_verdict *v = find_verdict(b, n_out, n_in, type);
    *out = NULL;
    if (b->library.handle == NULL || n_out > STETI_CUDA_BLAS_WIDEST) {
        return STET_OK;
    }
    if (v == NULL) {
        STETI_TRY(new_verdict(b, &key, &v, err));
        steti_cuda_cache_save(b);
    } else if (v->is_from_file && v->passed) {
        STETI_TRY(look_again(b, v, err));
    }
    v->is_from_file = 0;
    *out = v;
    return STET_OK;
}

void steti_cuda_use_weights(struct steti_backend *b, const struct steti_backend *from)
{
    /* Without a library of its own it must not have room for sums: see `takes`. */
    if (b->library.handle != NULL && from->library.widest > b->library.widest) {
        b->library.widest = from->library.widest;
    }
}

/* ---- Products -------------------------------------------------------------------------------- */

size_t steti_cuda_library_raw_bytes(const struct steti_backend *b, int max_rows)
{
    int most = b->tuning.blas_probe_rows;
    if (b->library.widest == 0 || max_rows <= b->tuning.blas_rows) {
        return 0;
    }
    return (size_t)(max_rows < most ? max_rows : most) * (size_t)b->library.widest * sizeof(float);
}

/* A recording has its rows as they are: what does not fit into one call stays with the own
 * kernels. The library multiplies all rows of a bucket, what stands in those that are not there
 * included; the epilogue leaves these out. */
static int takes(const struct steti_backend *b, const struct steti_linear_params *p,
                 const struct steti_matrix *m)
{
    if (b->making != NULL && p->n_rows > b->tuning.blas_probe_rows) {
        return 0;
    }
    return m->rows != NULL && m->verdict->passed && !b->library.has_failed &&
           p->n_rows > b->tuning.blas_rows && m->filled_out <= b->raw_width &&
           (uintptr_t)p->x % 16 == 0;
}

int steti_cuda_library_takes_any(const struct steti_backend *b, const struct steti_linear_params *p)
{
    for (int i = 0; i < p->n_parts; i++) {
        if (takes(b, p, p->parts[i].w)) {
            return 1;
        }
    }
    return 0;
}

/* The sums into b->raw, chunks as the own kernels have them: each from 0, added in ascending order.
 * Integer sums are exact and need none. */
static int sum_chunks(struct steti_backend *b, const struct steti_linear_params *p,
                      const struct steti_matrix *m)
{
    int32_t type = m->view.type, n_in = summed_inputs(p->n_in, type);
    int32_t step = type == STETI_CUDA_I8 ? n_in : b->tuning.chunk;
    size_t element = steti_cuda_rows_element(type);
    const char *a = type == STETI_CUDA_I8     ? (const char *)b->q
                    : type == STETI_CUDA_BF16 ? (const char *)b->h
                                              : (const char *)p->x;
    struct steti_blas_product c = {.type = type, .n_rows = p->n_rows, .n_out = m->filled_out};
    c.c = b->raw;
    c.ld_a = type == STETI_CUDA_F32 ? p->n_in : b->ld_q;
    c.ld_w = m->ld_rows;
    c.ld_c = m->filled_out;
    for (int32_t k = 0; k < n_in; k += step) {
        int code;
        c.a = a + (size_t)k * element;
        c.w = (const char *)m->rows + (size_t)k * element;
        c.n_in = n_in - k < step ? n_in - k : step;
        c.add = k > 0;
        code = b->tuning.blas->run(b->library.handle, &c, &m->verdict->algo, b->stream);
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

stet_status steti_cuda_library_part(struct steti_backend *b, const struct steti_linear_params *p,
                                    const struct steti_linear_part *part, int *code,
                                    stet_error *err)
{
    struct steti_cuda_epilogue_args a = {.raw = b->raw, .row_scale = b->row_scale};
    struct steti_cuda_launch l = {STETI_CUDA_epilogue, 0, 0, 128, 0, &a, sizeof a};
    a.live = steti_cuda_live(b);
    a.ld_raw = part->w->filled_out;
    a.n_rows = p->n_rows;
    l.grid_x = (unsigned)steti_cuda_blocks(part->w->shape.n_out, 128);
    l.grid_y = (unsigned)steti_cuda_blocks(p->n_rows, FEW_ROWS);
    *code = sum_chunks(b, p, part->w);
    if (*code != 0) {
        return STET_OK;
    }
    STETI_TRY(
        steti_cuda_room(b, steti_cuda_staged_bytes((size_t)p->n_rows * sizeof(int32_t)), err));
    STETI_TRY(steti_cuda_fill_part(b, part, p->n_rows, &a.part, err));
    return steti_cuda_run(b, l, err);
}

/* The verdict is the model's, and contexts of other threads read it: it stays. */
static void give_up(struct steti_backend *b, const struct steti_blas_verdict *v, int code)
{
    b->library.has_failed = 1;
    steti_log(STET_LOG_WARN, "cuda",
              "cuda:%d: all products by the own kernels from now on: %s: a product failed: %s [%d, "
              "%d]: %.80s (error %d)",
              b->device, b->tuning.blas->name, steti_cuda_type_name(v->type), v->n_out, v->n_in,
              b->tuning.blas->error_text(code), code);
}

/* What made the product fail may have spoilt the capture. */
static stet_status call_off(const struct steti_backend *b, stet_error *err)
{
    return b->making == NULL
               ? STET_OK
               : steti_fail(err, STET_E_CANCELLED, "recording: a product of %s failed in it",
                            b->tuning.blas->name);
}

stet_status steti_cuda_library_parts(struct steti_backend *b, const struct steti_linear_params *p,
                                     int32_t type, uint64_t *done, stet_error *err)
{
    *done = 0;
    for (int i = 0; i < p->n_parts; i++) {
        const struct steti_matrix *m = p->parts[i].w;
        if (m->view.type == type && takes(b, p, m)) {
            int code;
            STETI_TRY(steti_cuda_library_part(b, p, &p->parts[i], &code, err));
            if (code == 0) {
                *done |= (uint64_t)1 << i;
            } else {
                give_up(b, m->verdict, code);
                STETI_TRY(call_off(b, err));
            }
        }
    }
    return STET_OK;
}
