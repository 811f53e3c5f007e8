#include "check.h"

/* Limits on single dimensions keep every product of two of them far from overflow. */
#define MAX_DIM (1 << 28)

static const struct steti_matrix_shape *shape_of(const struct steti_matrix *m)
{
    return (const struct steti_matrix_shape *)(const void *)m;
}

static stet_status check_scale(const struct steti_tensor *src, const struct steti_tensor *scale,
                               stet_error *err)
{
    if (src->dtype != STETI_I8) {
        return scale == NULL
                   ? STET_OK
                   : steti_fail(err, STET_E_INVALID, "pack_matrix: a %s source takes no scale",
                                steti_dtype_name(src->dtype));
    }
    if (scale == NULL || scale->data == NULL) {
        return steti_fail(err, STET_E_INVALID, "pack_matrix: an I8 source needs its scale");
    }
    if (scale->dtype != STETI_F32 || steti_tensor_count(scale) != src->shape[0]) {
        char text[96];
        return steti_fail(
            err, STET_E_MODEL, "pack_matrix: scale is %s %s, expected F32 with %lld elements",
            steti_dtype_name(scale->dtype), steti_tensor_shape_text(scale, text, sizeof text),
            (long long)src->shape[0]);
    }
    return STET_OK;
}

stet_status steti_check_pack(const struct steti_tensor *src, const struct steti_tensor *scale,
                             enum steti_dtype compute, stet_error *err)
{
    char text[96];
    if (src == NULL || src->data == NULL || src->rank != 2) {
        return steti_fail(err, STET_E_INVALID,
                          "pack_matrix: the source must be a matrix [n_out, n_in]");
    }
    if (src->shape[0] < 1 || src->shape[1] < 1 || src->shape[0] > MAX_DIM ||
        src->shape[1] > MAX_DIM) {
        return steti_fail(err, STET_E_MODEL, "pack_matrix: shape %s is out of range",
                          steti_tensor_shape_text(src, text, sizeof text));
    }
    if (src->dtype != STETI_F32 && src->dtype != STETI_F16 && src->dtype != STETI_BF16 &&
        src->dtype != STETI_I8) {
        return steti_fail(err, STET_E_MODEL,
                          "pack_matrix: type %s is not supported: expected F32, F16, BF16 or I8",
                          steti_dtype_name(src->dtype));
    }
    if (compute != STETI_F32 && compute != STETI_I8 && compute != STETI_BF16) {
        return steti_fail(err, STET_E_INVALID,
                          "pack_matrix: compute type %s: expected F32, I8 or BF16",
                          steti_dtype_name(compute));
    }
    if (compute == STETI_I8 && src->shape[1] > STETI_I8_MAX_IN) {
        return steti_fail(err, STET_E_MODEL,
                          "pack_matrix: rows of %lld are too long for I8: at most %d",
                          (long long)src->shape[1], STETI_I8_MAX_IN);
    }
    return check_scale(src, scale, err);
}

stet_status steti_check_reserve(int max_rows, int max_in, int max_keys, stet_error *err)
{
    if (max_rows < 0 || max_in < 0 || max_keys < 0 || max_rows > MAX_DIM || max_in > MAX_DIM ||
        max_keys > MAX_DIM) {
        return steti_fail(err, STET_E_INVALID, "reserve: %d rows, %d in, %d keys: out of range",
                          max_rows, max_in, max_keys);
    }
    return STET_OK;
}

static stet_status check_rows(const char *op, int n_rows, int d, int pointers_set, stet_error *err)
{
    if (n_rows < 0 || d < 1) {
        return steti_fail(err, STET_E_INVALID, "%s: %d rows of %d: out of range", op, n_rows, d);
    }
    if (n_rows > 0 && !pointers_set) {
        return steti_fail(err, STET_E_INVALID, "%s: an argument is missing", op);
    }
    return STET_OK;
}

static stet_status check_limit(const char *op, const char *what, int value, int limit,
                               stet_error *err)
{
    return value <= limit ? STET_OK
                          : steti_fail(err, STET_E_INVALID, "%s: %d %s, but reserved for %d", op,
                                       value, what, limit);
}

stet_status steti_check_embed_shape(const struct steti_embed_params *p, stet_error *err)
{
    int set = p->table != NULL && p->ids != NULL && p->out != NULL &&
              (p->positions == NULL || p->pos != NULL);
    const struct steti_matrix_shape *table = shape_of(p->table);
    STETI_TRY(check_rows("embed", p->n_rows, p->d, set, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    if (table->n_in != p->d) {
        return steti_fail(err, STET_E_INVALID, "embed: table has rows of %d, expected %d",
                          table->n_in, p->d);
    }
    return STET_OK;
}

stet_status steti_check_embed_rows(const struct steti_embed_params *p, stet_error *err)
{
    const struct steti_matrix_shape *table = shape_of(p->table);
    for (int r = 0; r < p->n_rows; r++) {
        if (p->ids[r] < 0 || p->ids[r] >= table->n_out) {
            return steti_fail(err, STET_E_INVALID, "embed: row %d: token %d is not in 0 .. %d", r,
                              (int)p->ids[r], table->n_out - 1);
        }
        if (p->positions != NULL && p->pos[r] < 0) {
            return steti_fail(err, STET_E_INVALID, "embed: row %d: position %d is negative", r,
                              (int)p->pos[r]);
        }
    }
    return STET_OK;
}

stet_status steti_check_embed(const struct steti_embed_params *p, stet_error *err)
{
    STETI_TRY(steti_check_embed_shape(p, err));
    return steti_check_embed_rows(p, err);
}

stet_status steti_check_norm(const struct steti_norm_params *p, stet_error *err)
{
    int set = p->x != NULL && p->gamma != NULL && p->out != NULL;
    if (p->kind != STETI_NORM_LAYER && p->kind != STETI_NORM_RMS) {
        return steti_fail(err, STET_E_INVALID, "norm: unknown kind %d", (int)p->kind);
    }
    return check_rows("norm", p->n_rows, p->d, set, err);
}

static stet_status check_part(const struct steti_linear_params *p, int i, stet_error *err)
{
    const struct steti_linear_part *part = &p->parts[i];
    int n_out = part->w != NULL ? shape_of(part->w)->n_out : 0;
    if (part->w == NULL || part->out == NULL) {
        return steti_fail(err, STET_E_INVALID, "linear: part %d: an argument is missing", i);
    }
    if (shape_of(part->w)->n_in != p->n_in) {
        return steti_fail(err, STET_E_INVALID, "linear: part %d: matrix takes rows of %d, given %d",
                          i, shape_of(part->w)->n_in, p->n_in);
    }
    if (part->factor != NULL && part->ld_factor < n_out) {
        return steti_fail(err, STET_E_INVALID,
                          "linear: part %d: the factor's stride %lld is less than %d columns", i,
                          (long long)part->ld_factor, n_out);
    }
    if (part->ld_out < n_out || (part->residual != NULL && part->ld_residual < n_out)) {
        return steti_fail(
            err, STET_E_INVALID, "linear: part %d: stride %lld is less than %d columns", i,
            (long long)(part->ld_out < n_out ? part->ld_out : part->ld_residual), n_out);
    }
    if ((unsigned)part->act > STETI_ACT_SILU) {
        return steti_fail(err, STET_E_INVALID, "linear: part %d: unknown activation %d", i,
                          (int)part->act);
    }
    return STET_OK;
}

stet_status steti_check_row_map(const int32_t *map, int n_rows, int part, stet_error *err)
{
    for (int r = 0; map != NULL && r < n_rows; r++) {
        if (map[r] < 0) {
            return steti_fail(err, STET_E_INVALID, "linear: part %d: row %d maps to %d", part, r,
                              (int)map[r]);
        }
    }
    return STET_OK;
}

stet_status steti_check_linear_shape(const struct steti_linear_params *p,
                                     const struct steti_limits *l, stet_error *err)
{
    STETI_TRY(check_rows("linear", p->n_rows, p->n_in, p->x != NULL && p->parts != NULL, err));
    STETI_TRY(check_limit("linear", "rows", p->n_rows, l->max_rows, err));
    if (p->n_parts < 1 || p->n_parts > STETI_LINEAR_MAX_PARTS) {
        return steti_fail(err, STET_E_INVALID, "linear: %d parts: expected 1 to %d", p->n_parts,
                          STETI_LINEAR_MAX_PARTS);
    }
    if (p->n_rows == 0) {
        return STET_OK;
    }
    STETI_TRY(check_limit("linear", "inputs", p->n_in, l->max_in, err));
    for (int i = 0; i < p->n_parts; i++) {
        STETI_TRY(check_part(p, i, err));
    }
    return STET_OK;
}

stet_status steti_check_linear(const struct steti_linear_params *p, const struct steti_limits *l,
                               stet_error *err)
{
    STETI_TRY(steti_check_linear_shape(p, l, err));
    for (int i = 0; p->n_rows > 0 && i < p->n_parts; i++) {
        STETI_TRY(steti_check_row_map(p->parts[i].row_map, p->n_rows, i, err));
    }
    return STET_OK;
}

/* The biases of all keys of a row are in the table. */
static stet_status check_bias(const struct steti_attention_params *p, int r, int keys,
                              stet_error *err)
{
    int64_t first = (int64_t)p->bias_zero - p->query_pos[r];
    if (first < 0 || first + keys > p->ld_bias) {
        return steti_fail(err, STET_E_INVALID,
                          "attention: row %d: %d keys for position %d: bias of %lld to %lld of %d",
                          r, keys, (int)p->query_pos[r], (long long)first,
                          (long long)(first + keys - 1), p->ld_bias);
    }
    return STET_OK;
}

stet_status steti_check_attention_rows(const struct steti_attention_params *p,
                                       const struct steti_limits *l, stet_error *err)
{
    for (int r = 0; r < p->n_rows; r++) {
        int tail = p->tail_count != NULL ? p->tail_count[r] : 0;
        if (p->key_begin[r] < 0 || p->key_count[r] < 1 || p->key_count[r] > MAX_DIM) {
            return steti_fail(err, STET_E_INVALID, "attention: row %d: %d keys from %d", r,
                              (int)p->key_count[r], (int)p->key_begin[r]);
        }
        if (tail < 0 || tail > MAX_DIM || (tail > 0 && p->tail_begin[r] < 0)) {
            return steti_fail(err, STET_E_INVALID, "attention: row %d: a tail of %d keys", r, tail);
        }
        STETI_TRY(check_limit("attention", "keys", p->key_count[r] + tail, l->max_keys, err));
        if (p->bias != NULL) {
            STETI_TRY(check_bias(p, r, p->key_count[r] + tail, err));
        }
    }
    return STET_OK;
}

stet_status steti_check_attention_shape(const struct steti_attention_params *p,
                                        const struct steti_limits *l, stet_error *err)
{
    int set = p->q != NULL && p->k != NULL && p->v != NULL && p->key_begin != NULL &&
              p->key_count != NULL && p->out != NULL &&
              (p->tail_begin != NULL) == (p->tail_count != NULL) &&
              (p->bias == NULL || p->query_pos != NULL);
    int64_t d = (int64_t)p->n_heads * p->head_dim;
    if (p->n_heads < 1 || p->head_dim < 1 || d > MAX_DIM) {
        return steti_fail(err, STET_E_INVALID, "attention: %d heads of %d: out of range",
                          p->n_heads, p->head_dim);
    }
    STETI_TRY(check_rows("attention", p->n_rows, p->head_dim, set, err));
    STETI_TRY(check_limit("attention", "rows", p->n_rows, l->max_rows, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    if (p->ld_q < d || p->ld_kv < d || p->ld_out < d) {
        return steti_fail(err, STET_E_INVALID, "attention: a stride is less than %lld columns",
                          (long long)d);
    }
    return STET_OK;
}

stet_status steti_check_attention(const struct steti_attention_params *p,
                                  const struct steti_limits *l, stet_error *err)
{
    STETI_TRY(steti_check_attention_shape(p, l, err));
    return steti_check_attention_rows(p, l, err);
}

static stet_status check_adjust(const struct steti_argmax_params *p, stet_error *err)
{
    int vocab = shape_of(p->table)->n_out;
    if ((p->adjust == NULL) != (p->adjust_begin == NULL)) {
        return steti_fail(err, STET_E_INVALID, "argmax: adjust and adjust_begin go together");
    }
    for (int r = 0; p->adjust != NULL && r < p->n_rows; r++) {
        int32_t below = -1;
        for (int i = p->adjust_begin[r]; i < p->adjust_begin[r + 1]; i++) {
            if (p->adjust[i].id <= below || p->adjust[i].id >= vocab) {
                return steti_fail(err, STET_E_INVALID,
                                  "argmax: row %d: adjusted ids must ascend within 0 .. %d", r,
                                  vocab - 1);
            }
            below = p->adjust[i].id;
        }
    }
    return STET_OK;
}

stet_status steti_check_argmax(const struct steti_argmax_params *p, const struct steti_limits *l,
                               stet_error *err)
{
    int set = p->x != NULL && p->table != NULL && p->id != NULL;
    STETI_TRY(check_rows("argmax", p->n_rows, p->d, set, err));
    STETI_TRY(check_limit("argmax", "rows", p->n_rows, l->max_rows, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    STETI_TRY(check_limit("argmax", "inputs", p->d, l->max_in, err));
    if (shape_of(p->table)->n_in != p->d) {
        return steti_fail(err, STET_E_INVALID, "argmax: table has rows of %d, expected %d",
                          shape_of(p->table)->n_in, p->d);
    }
    return check_adjust(p, err);
}
