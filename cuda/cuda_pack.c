/* cuda_pack.c - weights into the layouts of struct steti_cuda_weights, and row by row where a
 * library multiplies with them too; made on the host a few panels at a time. */
#include <math.h>
#include <string.h>

#include "alloc.h"
#include "arena.h"
#include "bytes.h"
#include "cuda_blas.h"
#include "narrow.h"

#define STRIP_BYTES ((size_t)1 << 20) /* panels that are made before they are copied */

struct pack {
    struct steti_backend *b;
    const struct steti_tensor *src;
    const char *scale; /* of an I8 source: floats of any alignment */
    struct steti_matrix *m;
    int panel_rows, n_panels, panels_at_once;
    size_t panel_bytes;
    unsigned char *strip; /* [panels_at_once][panel_bytes] */
    float *scales;        /* [n_panels * panel_rows], I8 only */
    float *row;           /* [n_in] */
    int8_t *q;            /* [n_in] */
    /* the row-major copy: of a row in bytes, 0 where there is none; of the strip's panels */
    size_t row_bytes;
    unsigned char *row_strip;
    const void *made; /* the last row, in the matrix's type */
};

static const void *source_row(const struct pack *j, int row)
{
    return (const char *)j->src->data +
           (size_t)row * (size_t)j->src->shape[1] * steti_dtype_size(j->src->dtype);
}

static float source_scale(const struct pack *j, int row)
{
    float scale;
    memcpy(&scale, j->scale + (size_t)row * sizeof scale, sizeof scale);
    return scale;
}

static stet_status fail_row(const struct pack *j, int row, stet_error *err)
{
    return steti_fail(err, STET_E_MODEL,
                      "row %d of the weights [%d, %d] holds a NaN or an infinity: it cannot be "
                      "quantised",
                      row, j->m->shape.n_out, j->m->shape.n_in);
}

/* Row `row` as int8 and its scale. */
static stet_status quantised_row(struct pack *j, int row, const int8_t **q, stet_error *err)
{
    size_t n = (size_t)j->m->shape.n_in;
    if (j->src->dtype == STETI_I8) {
        *q = source_row(j, row);
        j->scales[row] = source_scale(j, row);
        return isfinite(j->scales[row]) ? STET_OK : fail_row(j, row, err);
    }
    STETI_TRY(steti_to_f32(source_row(j, row), j->src->dtype, n, j->row, err));
    for (size_t k = 0; k < n; k++) {
        if (!isfinite(j->row[k])) {
            return fail_row(j, row, err);
        }
    }
    steti_quantize_row(j->row, n, j->q, &j->scales[row]);
    *q = j->q;
    return STET_OK;
}

/* See DEV_MMA_S8: element (g, k) is byte k mod 4 of word 2 (k / 16) + g / 8 of lane 4 (g mod 8) +
 * k / 4 mod 4, for k mod 32. */
static stet_status place_row_i8(struct pack *j, int row, unsigned char *panel, stet_error *err)
{
    const int8_t *q = NULL;
    int g = row % STETI_CUDA_PANEL_MMA;
    STETI_TRY(quantised_row(j, row, &q, err));
    j->made = q;
    for (int k = 0; k < j->m->shape.n_in; k += 4) {
        int lane = g % 8 * 4 + k % 16 / 4, word = k % 32 / 16 * 2 + g / 8;
        size_t at = ((size_t)(k / 32) * 32 + (size_t)lane) * 16 + (size_t)word * 4;
        int left = j->m->shape.n_in - k;
        memcpy(panel + at, q + k, left < 4 ? (size_t)left : 4);
    }
    return STET_OK;
}

/* Row `row` as floats in j->row. */
static stet_status float_row(struct pack *j, int row, stet_error *err)
{
    int n = j->m->shape.n_in;
    if (j->src->dtype == STETI_I8) {
        const int8_t *q = source_row(j, row);
        float scale = source_scale(j, row);
        for (int k = 0; k < n; k++) {
            j->row[k] = (float)q[k] * scale;
        }
        return STET_OK;
    }
    return steti_to_f32(source_row(j, row), j->src->dtype, (size_t)n, j->row, err);
}

static stet_status place_row_f32(struct pack *j, int row, unsigned char *panel, stet_error *err)
{
    int n = j->m->shape.n_in;
    float *to = (float *)(void *)panel + row % STETI_CUDA_PANEL_F32;
    STETI_TRY(float_row(j, row, err));
    j->made = j->row;
    for (int k = 0; k < n; k++) {
        to[(size_t)k * STETI_CUDA_PANEL_F32] = j->row[k];
    }
    return STET_OK;
}

/* See DEV_MMA_BF16: element (g, k) is half k mod 2 of word 2 (k / 8) + g / 8 of lane 4 (g mod 8) +
 * k / 2 mod 4, for k mod 16. */
static stet_status place_row_bf16(struct pack *j, int row, unsigned char *panel, stet_error *err)
{
    size_t n = (size_t)j->m->shape.n_in, bad;
    uint16_t *half = (uint16_t *)(void *)j->row; /* narrowed where they stand */
    int g = row % STETI_CUDA_PANEL_MMA;
    STETI_TRY(float_row(j, row, err));
    j->made = half;
    bad = steti_from_f32(j->row, n, STETI_BF16, half);
    if (bad < n) {
        return steti_fail(err, STET_E_MODEL,
                          "row %d of the weights [%d, %d]: column %zu is no finite bfloat16", row,
                          j->m->shape.n_out, j->m->shape.n_in, bad);
    }
    for (size_t k = 0; k < n; k++) {
        size_t lane = (size_t)g % 8 * 4 + k % 8 / 2, word = k % 16 / 8 * 2 + (size_t)g / 8;
        size_t at = (k / 16 * 32 + lane) * 16 + word * 4 + k % 2 * 2;
        memcpy(panel + at, &half[k], sizeof half[k]);
    }
    return STET_OK;
}

static stet_status place_row(struct pack *j, int row, unsigned char *panel, stet_error *err)
{
    switch (j->m->view.type) {
    case STETI_CUDA_I8:
        return place_row_i8(j, row, panel, err);
    case STETI_CUDA_BF16:
        return place_row_bf16(j, row, panel, err);
    default:
        return place_row_f32(j, row, panel, err);
    }
}

/* Panels [first, first + n) into the strip and from there to the device. */
static stet_status pack_strip(struct pack *j, int first, int n, stet_error *err)
{
    int end = (first + n) * j->panel_rows;
    size_t bytes = (size_t)n * j->panel_bytes;
    unsigned char *to = (unsigned char *)j->m->values + (size_t)first * j->panel_bytes;
    size_t begin = (size_t)first * (size_t)j->panel_rows; /* the strip's first row */
    size_t row_bytes = (size_t)n * (size_t)j->panel_rows * j->row_bytes;
    memset(j->strip, 0, bytes + row_bytes);
    end = end < j->m->shape.n_out ? end : j->m->shape.n_out;
    for (int row = first * j->panel_rows; row < end; row++) {
        unsigned char *panel = j->strip + (size_t)(row / j->panel_rows - first) * j->panel_bytes;
        STETI_TRY(place_row(j, row, panel, err));
        if (j->row_bytes > 0) {
            size_t used = (size_t)j->m->shape.n_in * steti_cuda_rows_element(j->m->view.type);
            memcpy(j->row_strip + ((size_t)row - begin) * j->row_bytes, j->made, used);
        }
    }
    STETI_TRY(steti_cuda_copy(j->b, to, j->strip, bytes, STETI_TO_DEVICE, err));
    to = (unsigned char *)j->m->rows + begin * j->row_bytes;
    STETI_TRY(steti_cuda_copy(j->b, to, j->row_strip, row_bytes, STETI_TO_DEVICE, err));
    return steti_cuda_sync(j->b, err); /* the strip is used again */
}

static stet_status pack_all(struct pack *j, stet_error *err)
{
    size_t at = (size_t)j->n_panels * j->panel_bytes;
    size_t bytes = (size_t)j->n_panels * (size_t)j->panel_rows * sizeof(float);
    for (int p = 0; p < j->n_panels; p += j->panels_at_once) {
        int n = j->n_panels - p < j->panels_at_once ? j->n_panels - p : j->panels_at_once;
        STETI_TRY(pack_strip(j, p, n, err));
    }
    if (j->m->view.type != STETI_CUDA_I8) {
        return STET_OK;
    }
    STETI_TRY(steti_cuda_copy(j->b, (unsigned char *)j->m->values + at, j->scales, bytes,
                              STETI_TO_DEVICE, err));
    return steti_cuda_sync(j->b, err);
}

/* One block of the host: strip, panels and rows | scales | a row as float | a row as int8. */
static stet_status with_buffers(struct pack *j, stet_error *err)
{
    size_t n_in = (size_t)j->m->shape.n_in;
    size_t panels = (size_t)j->panels_at_once * j->panel_bytes;
    size_t rows = (size_t)j->panels_at_once * (size_t)j->panel_rows * j->row_bytes;
    size_t strip = steti_arena_cost(panels + rows);
    size_t scales = j->m->view.type == STETI_CUDA_I8
                        ? (size_t)j->n_panels * (size_t)j->panel_rows * sizeof(float)
                        : 0;
    size_t total = strip + steti_arena_cost(scales) + steti_arena_cost(n_in * sizeof(float)) + n_in;
    unsigned char *p = steti_malloc(total);
    stet_status st;
    if (p == NULL) {
        return steti_fail_nomem(err, "packing a weight matrix", total);
    }
    j->strip = p;
    j->row_strip = p + panels;
    j->scales = (float *)(void *)(p + strip);
    j->row = (float *)(void *)(p + strip + steti_arena_cost(scales));
    j->q = (int8_t *)(p + total - n_in);
    memset(j->scales, 0, scales);
    st = pack_all(j, err);
    steti_free(p);
    return st;
}

static size_t panel_bytes(int n_in, int32_t type)
{
    switch (type) {
    case STETI_CUDA_I8:
        return (size_t)steti_cuda_blocks(n_in, STETI_CUDA_STEP_I8) * STETI_CUDA_STEP_BYTES;
    case STETI_CUDA_BF16:
        return (size_t)steti_cuda_blocks(n_in, STETI_CUDA_STEP_BF16) * STETI_CUDA_STEP_BYTES;
    default:
        return (size_t)n_in * STETI_CUDA_PANEL_F32 * sizeof(float);
    }
}

/* Says how the matrix is cut. */
static void plan(struct pack *j, int32_t type)
{
    int n_out = (int)j->src->shape[0], n_in = (int)j->src->shape[1];
    j->panel_rows = type == STETI_CUDA_F32 ? STETI_CUDA_PANEL_F32 : STETI_CUDA_PANEL_MMA;
    j->n_panels = steti_cuda_blocks(n_out, j->panel_rows);
    j->panel_bytes = panel_bytes(n_in, type);
    j->panels_at_once = j->panel_bytes < STRIP_BYTES ? (int)(STRIP_BYTES / j->panel_bytes) : 1;
    j->panels_at_once = j->panels_at_once < j->n_panels ? j->panels_at_once : j->n_panels;
}

/* The panels, and behind them the scales: *at is where these begin. SIZE_MAX: no memory is as
 * large. */
static size_t packed_bytes(const struct pack *j, int32_t type, size_t *at)
{
    if (!steti_mul_size((size_t)j->n_panels, j->panel_bytes, at)) {
        return SIZE_MAX;
    }
    return *at + (type == STETI_CUDA_I8
                      ? (size_t)j->n_panels * (size_t)j->panel_rows * sizeof(float)
                      : 0);
}

/* The row-major copy. */
static stet_status add_rows(struct pack *j, struct steti_blas_verdict *verdict, stet_error *err)
{
    struct steti_matrix *m = j->m;
    int32_t type = m->view.type;
    size_t bytes;
    m->filled_out = j->n_panels * j->panel_rows;
    m->ld_rows = steti_cuda_rows_ld(m->shape.n_in, type);
    bytes = (size_t)m->filled_out * (size_t)m->ld_rows * steti_cuda_rows_element(type);
    STETI_TRY(steti_cuda_alloc(j->b, bytes, "the rows of a weight matrix", &m->rows, err));
    j->row_bytes = (size_t)m->ld_rows * steti_cuda_rows_element(type);
    m->bytes += bytes;
    m->verdict = verdict;
    if (!j->b->library.is_probing && m->filled_out > j->b->library.widest) {
        j->b->library.widest = m->filled_out;
    }
    return STET_OK;
}

static stet_status new_matrix(struct pack *j, int32_t type, stet_error *err)
{
    size_t at = 0, total = packed_bytes(j, type, &at);
    struct steti_matrix *m = steti_calloc(1, sizeof *m);
    stet_status st;
    if (m == NULL) {
        return steti_fail_nomem(err, "a weight matrix", sizeof *m);
    }
    st = steti_cuda_alloc(j->b, total, "a weight matrix", &m->values, err);
    if (st != STET_OK) {
        steti_free(m);
        return st;
    }
    m->shape.n_out = m->view.n_out = (int)j->src->shape[0];
    m->shape.n_in = m->view.n_in = (int)j->src->shape[1];
    m->view.type = type;
    m->view.values = m->values;
    m->view.scale =
        type == STETI_CUDA_I8 ? (const float *)(const void *)((char *)m->values + at) : NULL;
    m->bytes = total;
    j->m = m;
    return STET_OK;
}

stet_status steti_cuda_pack_as(struct steti_backend *b, const struct steti_tensor *src,
                               const char *scale, struct steti_blas_verdict *verdict, int32_t type,
                               struct steti_matrix **out, stet_error *err)
{
    struct pack j = {.b = b, .src = src, .scale = scale};
    stet_status st = STET_OK;
    *out = NULL;
    plan(&j, type);
    STETI_TRY(new_matrix(&j, type, err));
    if (verdict != NULL) {
        st = add_rows(&j, verdict, err);
    }
    st = st == STET_OK ? with_buffers(&j, err) : st;
    b->weight_bytes += j.m->bytes;
    if (st != STET_OK) {
        steti_cuda_free_matrix(b, j.m);
        return st;
    }
    *out = j.m;
    return STET_OK;
}

stet_status steti_cuda_pack_matrix(struct steti_backend *b, const struct steti_tensor *src,
                                   const struct steti_tensor *scale, enum steti_dtype compute,
                                   struct steti_matrix **out, stet_error *err)
{
    const char *scales = scale != NULL ? scale->data : NULL;
    struct steti_blas_verdict *v = NULL;
    int32_t type = compute == STETI_I8     ? STETI_CUDA_I8
                   : compute == STETI_BF16 ? STETI_CUDA_BF16
                                           : STETI_CUDA_F32;
    *out = NULL;
    STETI_TRY(steti_check_pack(src, scale, compute, err));
    STETI_TRY(steti_cuda_idle(b, err));
    STETI_TRY(steti_cuda_library_verdict(b, (int)src->shape[0], (int)src->shape[1], type, &v, err));
    if (v != NULL && v->passed) { /* and without the memory for a second copy, as if it had not */
        stet_status st = steti_cuda_pack_as(b, src, scales, v, type, out, err);
        if (st != STET_E_NOMEM) {
            return st;
        }
    }
    return steti_cuda_pack_as(b, src, scales, NULL, type, out, err);
}

void steti_cuda_free_matrix(struct steti_backend *b, struct steti_matrix *m)
{
    if (m != NULL) {
        b->weight_bytes -= m->bytes;
        b->rt->bind(b->device);
        b->rt->mem_free(m->rows);
        b->rt->mem_free(m->values);
        steti_free(m);
    }
}
