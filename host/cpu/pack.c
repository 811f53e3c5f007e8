/* pack.c - weights into panels of 16 outputs. See README.md for the layouts. */
#include <math.h>
#include <string.h>

#include "alloc.h"
#include "bytes.h"
#include "cpu_internal.h"

static size_t round_up64(size_t n)
{
    return (n + 63) / 64 * 64;
}

static stet_status new_matrix(int n_out, int n_in, enum steti_dtype compute,
                              struct steti_matrix **out, stet_error *err)
{
    size_t n_panels = ((size_t)n_out + 15) / 16;
    size_t panel = compute == STETI_I8 ? ((size_t)n_in + 3) / 4 * 64 : (size_t)n_in * 64;
    size_t head = round_up64(sizeof(struct steti_matrix));
    size_t vectors = compute == STETI_I8 ? n_panels * 64 : 0;
    size_t total = SIZE_MAX;
    struct steti_matrix *m = NULL;
    if (steti_mul_size(n_panels, panel, &total) &&
        steti_add_size(total, head + 2 * vectors, &total)) {
        m = steti_malloc(total);
    }
    if (m == NULL) {
        return steti_fail_nomem(err, "a weight matrix", total);
    }
    memset(m, 0, head + 2 * vectors);
    m->shape.n_out = n_out;
    m->shape.n_in = n_in;
    m->compute = compute;
    m->n_panels = (int)n_panels;
    m->panel_bytes = panel;
    m->bytes = total;
    if (compute == STETI_I8) {
        m->scale = (float *)(void *)((char *)m + head);
        m->offset_fixup = (int32_t *)(void *)((char *)m + head + vectors);
    }
    m->values = (char *)m + head + 2 * vectors;
    *out = m;
    return STET_OK;
}

static int32_t sum_of_row(const int8_t *q, int n)
{
    int32_t sum = 0;
    for (int i = 0; i < n; i++) {
        sum += q[i];
    }
    return sum;
}

/* Row `row` of the matrix; `to` is where its first four bytes go. Four bytes move at once: the
 * packed form is a transposition of 32-bit words. */
static void place_row_i8(char *to, const int8_t *q, int n)
{
    int i = 0;
    for (; i + 4 <= n; i += 4, to += 64) {
        memcpy(to, q + i, 4);
    }
    if (i < n) {
        memset(to, 0, 4);
        memcpy(to, q + i, (size_t)(n - i));
    }
}

static void place_row_f32(float *to, const float *x, int n)
{
    for (int i = 0; i < n; i++) {
        to[(size_t)i * 16] = x[i];
    }
}

struct pack_job {
    const struct steti_kernels *k;
    const struct steti_tensor *src;
    const char *scale; /* of an I8 source: floats of any alignment */
    struct steti_matrix *m;
    void *rows; /* per thread: one row as float and one as int8 */
    size_t ld_rows;
    int *bad_row; /* per thread: first row that holds a NaN or an infinity, or -1 */
};

static const void *source_row(const struct steti_tensor *src, int row)
{
    return (const char *)src->data +
           (size_t)row * (size_t)src->shape[1] * steti_dtype_size(src->dtype);
}

static float source_scale(const struct pack_job *j, int row)
{
    float scale;
    memcpy(&scale, j->scale + (size_t)row * sizeof scale, sizeof scale);
    return scale;
}

static void pack_row_i8(const struct pack_job *j, int row, float *f, int8_t *q, int *bad_row)
{
    int n = j->m->shape.n_in;
    char *to =
        (char *)j->m->values + (size_t)(row / 16) * j->m->panel_bytes + (size_t)(row % 16) * 4;
    const int8_t *from = q;
    if (j->src->dtype == STETI_I8) {
        from = source_row(j->src, row);
        j->m->scale[row] = source_scale(j, row);
    } else {
        steti_to_f32(source_row(j->src, row), j->src->dtype, (size_t)n, f, NULL);
        j->k->quantize_weights(f, n, q, &j->m->scale[row]);
    }
    if (!isfinite(j->m->scale[row]) && *bad_row < 0) {
        *bad_row = row;
    }
    j->m->offset_fixup[row] = 128 * sum_of_row(from, n);
    place_row_i8(to, from, n);
}

static void pack_row_f32(const struct pack_job *j, int row, float *f)
{
    int n = j->m->shape.n_in;
    char *panel = (char *)j->m->values + (size_t)(row / 16) * j->m->panel_bytes;
    if (j->src->dtype == STETI_I8) {
        const int8_t *q = source_row(j->src, row);
        float scale = source_scale(j, row);
        for (int i = 0; i < n; i++) {
            f[i] = (float)q[i] * scale;
        }
    } else {
        steti_to_f32(source_row(j->src, row), j->src->dtype, (size_t)n, f, NULL);
    }
    place_row_f32((float *)(void *)panel + row % 16, f, n);
}

static void pack_share(void *ctx, int part, int n_parts)
{
    struct pack_job *j = ctx;
    struct steti_matrix *m = j->m;
    char *rows = (char *)j->rows + (size_t)part * j->ld_rows;
    float *f = (float *)(void *)rows;
    int8_t *q = (int8_t *)(rows + round_up64((size_t)m->shape.n_in * 4));
    int begin, end;
    steti_cpu_share(m->shape.n_out, 16, part, n_parts, &begin, &end);
    j->bad_row[part] = -1;
    if (end == m->shape.n_out && m->shape.n_out % 16 != 0 && begin < end) {
        memset((char *)m->values + (size_t)(m->n_panels - 1) * m->panel_bytes, 0, m->panel_bytes);
    }
    for (int row = begin; row < end; row++) {
        if (m->compute == STETI_I8) {
            pack_row_i8(j, row, f, q, &j->bad_row[part]);
        } else {
            pack_row_f32(j, row, f);
        }
    }
}

static stet_status run_pack(struct steti_backend *b, struct pack_job *j, stet_error *err)
{
    int n_in = j->m->shape.n_in;
    int parts = steti_cpu_parts(b, (int64_t)n_in * j->m->shape.n_out);
    j->ld_rows = round_up64((size_t)n_in * 4) + round_up64((size_t)n_in);
    j->rows = steti_malloc((size_t)parts * (j->ld_rows + sizeof *j->bad_row));
    if (j->rows == NULL) {
        return steti_fail_nomem(err, "packing a weight matrix", (size_t)parts * j->ld_rows);
    }
    j->bad_row = (int *)(void *)((char *)j->rows + (size_t)parts * j->ld_rows);
    steti_pool_run(b->pool, pack_share, j, parts);
    for (int i = 0; i < parts; i++) {
        if (j->bad_row[i] >= 0) {
            int row = j->bad_row[i];
            steti_free(j->rows);
            return steti_fail(
                err, STET_E_MODEL,
                "row %d of the weights [%d, %d] holds a NaN or an infinity: it cannot be "
                "quantised",
                row, j->m->shape.n_out, n_in);
        }
    }
    steti_free(j->rows);
    return STET_OK;
}

stet_status steti_cpu_pack_matrix(struct steti_backend *b, const struct steti_tensor *src,
                                  const struct steti_tensor *scale, enum steti_dtype compute,
                                  struct steti_matrix **out, stet_error *err)
{
    struct pack_job j = {.k = b->k, .src = src};
    stet_status st;
    *out = NULL;
    STETI_TRY(steti_check_pack(src, scale, compute, err));
    if (compute == STETI_BF16) {
        return steti_fail(err, STET_E_INVALID,
                          "pack_matrix: the processor does not compute in BF16: use F32 or I8");
    }
    j.scale = scale != NULL ? scale->data : NULL;
    STETI_TRY(new_matrix((int)src->shape[0], (int)src->shape[1], compute, &j.m, err));
    st = run_pack(b, &j, err);
    if (st != STET_OK) {
        steti_free(j.m);
        return st;
    }
    b->weight_bytes += j.m->bytes;
    *out = j.m;
    return STET_OK;
}

void steti_cpu_free_matrix(struct steti_backend *b, struct steti_matrix *m)
{
    if (m != NULL) {
        b->weight_bytes -= m->bytes;
        steti_free(m);
    }
}
