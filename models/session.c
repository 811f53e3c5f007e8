#include <string.h>

#include "alloc.h"
#include "bytes.h"
#include "layers.h"
#include "recorded.h"
#include "relative_bias.h"

#define HOST_ARRAYS 11 /* row arrays of 4 bytes a row that a session keeps */

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int ffn_width(const struct steti_spec *s)
{
    return larger(s->enc_ffn, s->dec_ffn);
}

static int attention_width(const struct steti_spec *s)
{
    return larger(s->enc_heads * s->enc_head_dim, s->dec_heads * s->dec_head_dim);
}

/* Floats per row: x, y; q, k, v, attention output; and the hidden layer of the FFN. */
static size_t row_floats(const struct steti_spec *s)
{
    return 2 * (size_t)s->d_model + 4 * (size_t)attention_width(s) +
           (size_t)(s->ffn_gated ? 2 : 1) * (size_t)ffn_width(s);
}

/* Of the tables of the encoder (0) or the decoder (1). */
static size_t bias_floats(const struct steti_spec *s, const struct steti_session_limits *l,
                          int side)
{
    return s->positions == STETI_POS_RELATIVE
               ? steti_relative_floats(s, !side, side ? l->max_tgt : l->max_src)
               : 0;
}

/* Activations and tables; 0 when it overflows. */
static size_t memory_bytes(const struct steti_spec *s, const struct steti_session_limits *l)
{
    size_t rows, tables = bias_floats(s, l, 0) + bias_floats(s, l, 1), total;
    if (!steti_mul_size(row_floats(s) * sizeof(float), (size_t)l->max_rows, &rows) ||
        !steti_add_size(rows, tables * sizeof(float), &total)) {
        return 0;
    }
    return total;
}

static struct steti_kv_limits kv_limits(const struct steti_spec *s,
                                        const struct steti_session_limits *l)
{
    struct steti_kv_limits k = {l->n_slots, s->dec_layers, s->dec_heads * s->dec_head_dim,
                                l->max_src, l->max_tgt,    l->max_side};
    return k;
}

size_t steti_session_bytes(const struct steti_spec *s, const struct steti_session_limits *l)
{
    struct steti_kv_limits k = kv_limits(s, l);
    size_t kv = steti_kv_bytes(&k), memory, total;
    if (kv == 0 || l->max_rows < 1) {
        return 0;
    }
    memory = memory_bytes(s, l);
    if (memory == 0 || !steti_add_size(kv, memory, &total)) {
        return 0;
    }
    return total + STETI_PASSES * STETI_BUCKETS * sizeof(struct steti_bucket) +
           HOST_ARRAYS * (size_t)l->max_rows * sizeof(int32_t);
}

/* Of any product. */
static int widest_input(const struct steti_spec *spec)
{
    return larger(larger(ffn_width(spec), attention_width(spec)), spec->d_model);
}

size_t steti_session_scratch_bytes(const struct steti_model *m, const struct steti_backend *backend,
                                   const struct steti_session_limits *l)
{
    return steti_model_ops(m)->scratch_bytes(
        backend, l->max_rows, widest_input(steti_model_spec(m)), larger(l->max_src, l->max_tgt));
}

static void carve(struct steti_session *s, const struct steti_spec *spec)
{
    size_t rows = (size_t)s->limits.max_rows, d = (size_t)spec->d_model;
    size_t inner = (size_t)attention_width(spec), ffn = (size_t)ffn_width(spec);
    float *behind;
    s->x = s->memory;
    s->y = s->x + rows * d;
    s->qkv = s->y + rows * d;
    s->attn = s->qkv + 3 * rows * inner;
    s->hidden = s->attn + rows * inner;
    behind = s->hidden + rows * ffn;
    if (spec->ffn_gated) {
        s->gate = behind;
        behind += rows * ffn;
    }
    if (spec->positions == STETI_POS_RELATIVE) {
        s->rel_bias[0] = behind;
        s->rel_bias[1] = behind + bias_floats(spec, &s->limits, 0);
    }
    s->pos = s->host;
    s->map_row = s->host + rows;
    s->begin = s->host + 2 * rows;
    s->count = s->host + 3 * rows;
    s->cross_begin = s->host + 4 * rows;
    s->cross_count = s->host + 5 * rows;
    s->tail = s->host + 6 * rows;
    s->tail_count = s->host + 7 * rows;
    s->ids = s->host + 8 * rows;
    s->out_ids = s->host + 9 * rows;
    s->out_logprob = (float *)(void *)(s->host + 10 * rows);
}

static stet_status check_limits(const struct steti_model *m, const struct steti_session_limits *l,
                                stet_error *err)
{
    int most = steti_model_max_positions(m);
    if (l->max_rows < 1 || l->n_slots < 1 || l->max_src < 1 || l->max_tgt < 1 || l->max_side < 0) {
        return steti_fail(err, STET_E_INVALID, "session limits must be at least 1 (max_side: 0)");
    }
    if (l->max_src > most || l->max_tgt > most) {
        return steti_fail(err, STET_E_INVALID, "%d tokens are more than the model's %d positions",
                          larger(l->max_src, l->max_tgt), most);
    }
    return STET_OK;
}

static stet_status fill_bias(struct steti_session *s, int side, stet_error *err)
{
    const struct steti_spec *spec = steti_model_spec(s->model);
    size_t bytes = bias_floats(spec, &s->limits, side) * sizeof(float);
    size_t stored = (size_t)spec->rel_buckets * (size_t)(side ? spec->dec_heads : spec->enc_heads);
    int max_len = side ? s->limits.max_tgt : s->limits.max_src;
    float *host = steti_malloc(bytes);
    stet_status st;
    if (host == NULL) {
        return steti_fail_nomem(err, "the tables of relative positions", bytes);
    }
    for (int i = 0; i < steti_relative_tables(spec, !side); i++) {
        steti_relative_fill(spec, !side, max_len, s->model->rel_bias[side] + (size_t)i * stored,
                            host + steti_relative_begin(spec, !side, max_len, i));
    }
    st = s->ops->upload(s->backend, s->rel_bias[side], host, bytes, err);
    steti_free(host);
    return st;
}

static stet_status fill_tables(struct steti_session *s, stet_error *err)
{
    if (s->rel_bias[0] == NULL) {
        return STET_OK;
    }
    STETI_TRY(fill_bias(s, 0, err));
    return fill_bias(s, 1, err);
}

stet_status steti_session_open(const struct steti_model *m, struct steti_backend *backend,
                               const struct steti_session_limits *l, struct steti_session *out,
                               stet_error *err)
{
    const struct steti_spec *spec = steti_model_spec(m);
    struct steti_kv_limits k = kv_limits(spec, l);
    size_t rows = (size_t)l->max_rows;
    void *mem = NULL;
    stet_status st;
    memset(out, 0, sizeof *out);
    STETI_TRY(check_limits(m, l, err));
    out->model = m;
    out->ops = steti_model_ops(m);
    out->backend = backend;
    out->limits = *l;
    out->host = steti_calloc(HOST_ARRAYS * rows, sizeof *out->host);
    out->parts = steti_calloc(STETI_LINEAR_MAX_PARTS, sizeof *out->parts);
    if (out->ops->replay != NULL) {
        out->buckets = steti_calloc(STETI_PASSES, sizeof *out->buckets);
    }
    if (out->host == NULL || out->parts == NULL ||
        (out->ops->replay != NULL && out->buckets == NULL)) {
        st = steti_fail_nomem(err, "a session", HOST_ARRAYS * rows * sizeof *out->host);
        goto fail;
    }
    STETI_TRY_GOTO(out->ops->mem_alloc(backend, memory_bytes(spec, l), &mem, err), st, fail);
    out->memory = mem;
    carve(out, spec);
    STETI_TRY_GOTO(fill_tables(out, err), st, fail);
    STETI_TRY_GOTO(steti_kv_init(&out->kv, out->ops, backend, &k, err), st, fail);
    STETI_TRY_GOTO(out->ops->reserve(backend, l->max_rows, widest_input(spec),
                                     larger(l->max_src, l->max_tgt), err),
                   st, fail);
    return STET_OK;
fail:
    steti_session_close(out);
    return st;
}

void steti_session_close(struct steti_session *s)
{
    steti_free_recordings(s);
    if (s->memory != NULL) {
        s->ops->mem_free(s->backend, s->memory);
    }
    steti_kv_free(&s->kv);
    steti_free(s->host);
    steti_free(s->parts);
    steti_free(s->buckets);
    memset(s, 0, sizeof *s);
}
