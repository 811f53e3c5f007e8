#include "weights_convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "narrow.h"
#include "safetensors_write.h"

#define PIECE ((size_t)1 << 16) /* elements at once, but never less than a row */
#define SCALE_SUFFIX "_scale"

/* One tensor of the new file. */
struct item {
    struct steti_st_entry out;
    const char *name;               /* of the source */
    const struct steti_tensor *src; /* NULL: scales that are written with their matrix */
    const struct steti_tensor *scale;
    size_t scale_item; /* where scales that are made now go */
};

struct convert {
    const struct steti_weights *w;
    const uint8_t *uses;
    enum steti_dtype type;
    const char *folder;
    struct steti_convert_report *report;
    stet_error *err;
    struct item *items;
    size_t n;
    char *names, *next_name; /* of scales that are made now */
    struct steti_st_writer writer;
    size_t piece;         /* elements that the buffers hold */
    float *x, *row_scale; /* [piece] */
    unsigned char *y;     /* [4 * piece] */
    double noise, power;  /* sums of squares over all tensors */
};

static int is_float(enum steti_dtype t)
{
    return t == STETI_F32 || t == STETI_F16 || t == STETI_BF16;
}

/* ---- What the new file holds ----------------------------------------------------------------- */

static const struct steti_tensor *scale_of(const struct convert *c, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < steti_weights_count(c->w); i++) {
        const char *other = steti_weights_name(c->w, i);
        if (strncmp(other, name, n) == 0 && strcmp(other + n, SCALE_SUFFIX) == 0) {
            return steti_weights_at(c->w, i);
        }
    }
    return NULL;
}

static struct item *add(struct convert *c, const char *name, const struct steti_tensor *src)
{
    struct item *it = &c->items[c->n++];
    it->out.name = it->name = name;
    it->out.view = *src;
    it->src = src;
    return it;
}

/* A matrix and, beside it, the scales that come with its new form. */
static void add_quantized(struct convert *c, const char *name, const struct steti_tensor *src)
{
    struct item *it = add(c, name, src), *scales;
    size_t n = strlen(name);
    it->out.view.dtype = STETI_I8;
    scales = &c->items[c->n++];
    memcpy(c->next_name, name, n);
    memcpy(c->next_name + n, SCALE_SUFFIX, sizeof SCALE_SUFFIX);
    scales->out.name = scales->name = c->next_name;
    c->next_name += n + sizeof SCALE_SUFFIX;
    scales->out.view.dtype = STETI_F32;
    scales->out.view.rank = 1;
    scales->out.view.shape[0] = src->shape[0];
}

static void add_tensor(struct convert *c, size_t i)
{
    const char *name = steti_weights_name(c->w, i);
    const struct steti_tensor *src = steti_weights_at(c->w, i);
    int to_int8 = c->type == STETI_I8, use = c->uses[i];
    struct item *it;
    if (use == STETI_USE_SCALE ? !to_int8 : to_int8 && use == STETI_USE_NONE) {
        c->report->left_out += use == STETI_USE_NONE;
        return;
    }
    if (to_int8 && use == STETI_USE_MATRIX && src->dtype != STETI_I8) {
        add_quantized(c, name, src);
        return;
    }
    it = add(c, name, src);
    if (!to_int8 && (is_float(src->dtype) || use == STETI_USE_MATRIX)) {
        it->out.view.dtype = c->type;
        it->scale = src->dtype == STETI_I8 ? scale_of(c, name) : NULL;
    }
}

static int by_place(const void *pa, const void *pb)
{
    const struct item *a = pa, *b = pb;
    return steti_safetensors_order(&a->out, &b->out);
}

/* After sorting: which item takes a matrix's scales. */
static void find_scale_items(struct convert *c)
{
    for (size_t i = 0; i < c->n; i++) {
        size_t n = strlen(c->items[i].name);
        int makes_scales = c->items[i].src != NULL && c->items[i].out.view.dtype == STETI_I8 &&
                           c->items[i].src->dtype != STETI_I8;
        for (size_t k = 0; makes_scales && k < c->n; k++) {
            if (c->items[k].src == NULL && strncmp(c->items[k].name, c->items[i].name, n) == 0 &&
                strcmp(c->items[k].name + n, SCALE_SUFFIX) == 0) {
                c->items[i].scale_item = k;
            }
        }
    }
}

static stet_status list_items(struct convert *c)
{
    size_t n = steti_weights_count(c->w), name_bytes = 1;
    for (size_t i = 0; i < n; i++) {
        name_bytes += strlen(steti_weights_name(c->w, i)) + sizeof SCALE_SUFFIX;
    }
    c->items = steti_calloc(2 * n + 1, sizeof *c->items);
    c->names = c->next_name = steti_malloc(name_bytes);
    if (c->items == NULL || c->names == NULL) {
        return steti_fail_nomem(c->err, "a list of tensors",
                                (2 * n + 1) * sizeof *c->items + name_bytes);
    }
    for (size_t i = 0; i < n; i++) {
        add_tensor(c, i);
    }
    qsort(c->items, c->n, sizeof *c->items, by_place);
    find_scale_items(c);
    return STET_OK;
}

/* ---- One tensor ------------------------------------------------------------------------------ */

static size_t row_length(const struct steti_tensor *t)
{
    return t->rank == 2 ? (size_t)t->shape[1] : 1;
}

static stet_status bad_value(const struct convert *c, const struct item *it, size_t at, float value)
{
    if (!isfinite(value)) {
        return steti_fail(c->err, STET_E_MODEL,
                          "%s: tensor \"%.120s\": element %zu is %s; a model with such a value is "
                          "not written",
                          c->folder, it->name, at, isnan(value) ? "NaN" : "an infinity");
    }
    return steti_fail(c->err, STET_E_MODEL,
                      "%s: tensor \"%.120s\": element %zu is %g, which is too large for %s; use "
                      "bfloat16 or float32",
                      c->folder, it->name, at, (double)value, steti_dtype_name(c->type));
}

/* Values [at, at + n) of a tensor as floats; of an I8 matrix whole rows. */
static void read_values(const struct convert *c, const struct item *it, size_t at, size_t n)
{
    const char *data = (const char *)it->src->data + at * steti_dtype_size(it->src->dtype);
    size_t cols = row_length(it->src);
    if (it->src->dtype != STETI_I8) {
        steti_to_f32(data, it->src->dtype, n, c->x, NULL);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float scale;
        memcpy(&scale, (const char *)it->scale->data + (at + i) / cols * sizeof scale,
               sizeof scale);
        c->x[i] = (float)((const signed char *)data)[i] * scale;
    }
}

static double squares(const float *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

/* Rows of x to I8 and scales; returns the sum of squared errors. */
static double quantize_rows(const struct convert *c, size_t cols, size_t n)
{
    int8_t *q = (int8_t *)c->y;
    double noise = 0.0;
    for (size_t r = 0; r * cols < n; r++) {
        const float *x = c->x + r * cols;
        steti_quantize_row(x, cols, q + r * cols, &c->row_scale[r]);
        for (size_t k = 0; k < cols; k++) {
            double e = (double)q[r * cols + k] * (double)c->row_scale[r] - (double)x[k];
            noise += e * e;
        }
    }
    return noise;
}

static size_t first_not_finite(const float *x, size_t n)
{
    size_t i = 0;
    while (i < n && isfinite(x[i])) {
        i++;
    }
    return i;
}

/* x to y in the new type; the sum of squared errors goes to *noise. */
static stet_status narrow(const struct convert *c, const struct item *it, size_t at, size_t n,
                          double *noise)
{
    enum steti_dtype type = it->out.view.dtype;
    size_t bad = steti_from_f32(c->x, n, type, c->y);
    if (bad < n) {
        return bad_value(c, it, at + bad, c->x[bad]);
    }
    for (size_t i = 0; type != STETI_F32 && i < n; i++) {
        float back;
        double e;
        steti_to_f32(c->y + 2 * i, type, 1, &back, NULL);
        e = (double)back - (double)c->x[i];
        *noise += e * e;
    }
    return STET_OK;
}

static stet_status put_piece(struct convert *c, size_t index, size_t at, size_t n, double *noise)
{
    const struct item *it = &c->items[index];
    size_t size = steti_dtype_size(it->out.view.dtype), cols = row_length(it->src);
    read_values(c, it, at, n);
    if (it->out.view.dtype != STETI_I8) {
        STETI_TRY(narrow(c, it, at, n, noise));
    } else {
        size_t bad = first_not_finite(c->x, n);
        if (bad < n) {
            return bad_value(c, it, at + bad, c->x[bad]);
        }
        *noise += quantize_rows(c, cols, n);
        STETI_TRY(steti_st_writer_put(&c->writer, it->scale_item, at / cols * sizeof(float),
                                      c->row_scale, n / cols * sizeof(float), c->err));
    }
    return steti_st_writer_put(&c->writer, index, at * size, c->y, n * size, c->err);
}

static stet_status check_finite(struct convert *c, const struct item *it, size_t count)
{
    for (size_t at = 0; at < count; at += PIECE) {
        size_t n = count - at < PIECE ? count - at : PIECE, bad;
        read_values(c, it, at, n);
        bad = first_not_finite(c->x, n);
        if (bad < n) {
            return bad_value(c, it, at + bad, c->x[bad]);
        }
    }
    return STET_OK;
}

static stet_status keep_tensor(struct convert *c, size_t index)
{
    const struct item *it = &c->items[index];
    if (is_float(it->src->dtype)) {
        STETI_TRY(check_finite(c, it, (size_t)steti_tensor_count(it->src)));
    }
    c->report->kept++;
    return steti_st_writer_put(&c->writer, index, 0, it->src->data, steti_tensor_bytes(it->src),
                               c->err);
}

static void note_error(struct convert *c, const char *name, double noise, double power)
{
    double error = power > 0.0 ? sqrt(noise / power) : 0.0;
    c->noise += noise;
    c->power += power;
    if (error > c->report->worst_error) {
        c->report->worst_error = error;
        snprintf(c->report->worst, sizeof c->report->worst, "%s", name);
    }
}

static stet_status put_tensor(struct convert *c, size_t index)
{
    const struct item *it = &c->items[index];
    size_t count = (size_t)steti_tensor_count(it->src), cols = row_length(it->src);
    size_t step = cols > 0 ? c->piece / cols * cols : c->piece;
    double noise = 0.0, power = 0.0;
    if (it->src->dtype == it->out.view.dtype) {
        return keep_tensor(c, index);
    }
    for (size_t at = 0; at < count; at += step) {
        size_t n = count - at < step ? count - at : step;
        STETI_TRY(put_piece(c, index, at, n, &noise));
        power += squares(c->x, n);
    }
    note_error(c, it->name, noise, power);
    c->report->quantized += it->out.view.dtype == STETI_I8;
    c->report->rounded += it->out.view.dtype != STETI_I8;
    return STET_OK;
}

/* ---- All ------------------------------------------------------------------------------------- */

static stet_status reserve(struct convert *c)
{
    c->piece = PIECE;
    for (size_t i = 0; i < c->n; i++) {
        size_t cols = c->items[i].src != NULL ? row_length(c->items[i].src) : 0;
        c->piece = cols > c->piece ? cols : c->piece;
    }
    c->x = steti_malloc(c->piece * sizeof *c->x);
    c->row_scale = steti_malloc(c->piece * sizeof *c->row_scale);
    c->y = steti_malloc(c->piece * sizeof(float));
    return c->x != NULL && c->row_scale != NULL && c->y != NULL
               ? STET_OK
               : steti_fail_nomem(c->err, "converting weights", 3 * c->piece * sizeof(float));
}

static stet_status open_writer(struct convert *c, const char *path)
{
    struct steti_st_entry *entries = steti_calloc(c->n + 1, sizeof *entries);
    stet_status st;
    if (entries == NULL) {
        return steti_fail_nomem(c->err, "a list of tensors", (c->n + 1) * sizeof *entries);
    }
    for (size_t i = 0; i < c->n; i++) {
        entries[i] = c->items[i].out;
    }
    st = steti_st_writer_open(&c->writer, path, entries, c->n, c->err);
    steti_free(entries);
    return st;
}

static stet_status run(struct convert *c, const char *path)
{
    STETI_TRY(list_items(c));
    STETI_TRY(reserve(c));
    STETI_TRY(open_writer(c, path));
    for (size_t i = 0; i < c->n; i++) {
        if (c->items[i].src != NULL) {
            STETI_TRY(put_tensor(c, i));
            steti_weights_drop(c->w, c->items[i].src);
        }
    }
    c->report->error = c->power > 0.0 ? sqrt(c->noise / c->power) : 0.0;
    return steti_st_writer_close(&c->writer, c->err);
}

stet_status steti_weights_convert(const struct steti_weights *w, const uint8_t *uses,
                                  enum steti_dtype type, const char *folder, const char *path,
                                  struct steti_convert_report *out, stet_error *err)
{
    struct convert c = {
        .w = w, .uses = uses, .type = type, .folder = folder, .report = out, .err = err};
    stet_status st;
    memset(out, 0, sizeof *out);
    st = run(&c, path);
    steti_st_writer_drop(&c.writer);
    steti_free(c.items);
    steti_free(c.names);
    steti_free(c.x);
    steti_free(c.row_scale);
    steti_free(c.y);
    return st;
}
