/* cuda_record.c - passes written down as graphs, and replayed. struct steti_recording says what is
 * what. */
#include <string.h>

#include "alloc.h"
#include "cuda_internal.h"

/* ---- Making one ------------------------------------------------------------------------------ */

const int32_t *steti_cuda_live(const struct steti_backend *b)
{
    return b->making != NULL ? b->making->live : NULL;
}

stet_status steti_cuda_check_graph(struct steti_backend *b, int code, const char *call,
                                   stet_error *err)
{
    if (code == b->rt->out_of_memory) {
        return steti_fail(err, STET_E_NOMEM, "device cuda:%d: %s: %s", b->device, call,
                          b->rt->error_text(code));
    }
    return steti_cuda_check(b, code, call, err);
}

void steti_cuda_free_recording(struct steti_backend *b, struct steti_recording *r)
{
    if (r == NULL) {
        return;
    }
    b->rt->bind(b->device);
    if (b->pending == r) {
        b->rt->sync(b->stream);
        b->pending = NULL;
    }
    steti_cuda_drop_loop(b, r);
    b->rt->exec_free(r->exec);
    b->rt->graph_free(&r->ops);
    steti_cuda_drop_scratch(b, r->scratch);
    steti_free(r);
}

void steti_cuda_give_up_recording(struct steti_backend *b)
{
    struct steti_recording *r = b->making;
    if (r != NULL) {
        b->rt->capture_end(&r->ops, b->stream);
        b->making = NULL;
        steti_cuda_free_recording(b, r);
    }
}

static stet_status begin(struct steti_backend *b, struct steti_recording *r, stet_error *err)
{
    STETI_TRY(steti_cuda_check_graph(b, b->rt->graph_create(&r->ops), "cudaGraphCreate", err));
    return steti_cuda_check_graph(b, b->rt->capture_begin(&r->ops, b->stream),
                                  "cudaStreamBeginCaptureToGraph", err);
}

stet_status steti_cuda_record_begin(struct steti_backend *b, int max_rows, stet_error *err)
{
    struct steti_recording *r;
    stet_status st;
    STETI_TRY(steti_cuda_idle(b, err));
    if (max_rows < 1 || max_rows > b->limits.max_rows) {
        return steti_fail(err, STET_E_INVALID, "recording: %d rows, but reserved for %d", max_rows,
                          b->limits.max_rows);
    }
    r = steti_calloc(1, sizeof *r);
    if (r == NULL) {
        return steti_fail_nomem(err, "a recording", sizeof *r);
    }
    r->max_rows = max_rows;
    r->limits = b->limits;
    r->scratch = b->scratch;
    r->scratch->users++;
    r->live = (int32_t *)(void *)r->scratch->rows;
    st = begin(b, r, err);
    if (st != STET_OK) {
        steti_cuda_free_recording(b, r);
        return st;
    }
    b->making = r;
    return STET_OK;
}

/* Where array number i stands in the blocks that bring it to the device. */
static size_t array_at(const struct steti_recording *r, int i)
{
    return steti_cuda_rows_bytes(r->max_rows, i);
}

stet_status steti_cuda_record_array(struct steti_backend *b, const void *host, size_t bytes,
                                    const void **out, stet_error *err)
{
    struct steti_recording *r = b->making;
    *out = steti_cuda_find_array(r, host);
    if (*out != NULL) {
        return STET_OK;
    }
    if (bytes != (size_t)r->max_rows * sizeof(int32_t) || r->n_arrays == STETI_RECORD_ARRAYS) {
        return steti_fail(err, STET_E_INVALID,
                          "recording of %d rows: array number %d of %zu bytes; it may read %d "
                          "arrays of one number a row",
                          r->max_rows, r->n_arrays, bytes, STETI_RECORD_ARRAYS);
    }
    *out = r->scratch->rows + array_at(r, r->n_arrays);
    r->arrays[r->n_arrays].host = host;
    r->arrays[r->n_arrays].device =
        (int32_t *)(void *)(r->scratch->rows + array_at(r, r->n_arrays));
    r->n_arrays++;
    return STET_OK;
}

int32_t *steti_cuda_find_array(const struct steti_recording *r, const int32_t *host)
{
    for (int i = 0; i < r->n_arrays; i++) {
        if (r->arrays[i].host == host) {
            return r->arrays[i].device;
        }
    }
    return NULL;
}

stet_status steti_cuda_noted(struct steti_backend *b, int n_rows, stet_status st, stet_error *err)
{
    struct steti_recording *r = b->making;
    if (r != NULL && st == STET_OK && n_rows != r->max_rows) {
        st = steti_fail(err, STET_E_INVALID, "recording of %d rows: an op has %d", r->max_rows,
                        n_rows);
    }
    if (r != NULL && st != STET_OK) {
        r->failed = 1;
    }
    return st;
}

static stet_status capture_copy(struct steti_backend *b, struct steti_cuda_graph *g,
                                const struct steti_cuda_move *m, stet_error *err)
{
    int copied, ended;
    STETI_TRY(steti_cuda_check_graph(b, b->rt->capture_begin(g, b->stream),
                                     "cudaStreamBeginCaptureToGraph", err));
    copied = b->rt->copy(m->dst, m->src, m->bytes, m->way, b->stream);
    ended = b->rt->capture_end(g, b->stream);
    STETI_TRY(steti_cuda_check_graph(b, copied, "cudaMemcpyAsync", err));
    return steti_cuda_check_graph(b, ended, "cudaStreamEndCapture", err);
}

stet_status steti_cuda_add_recording(struct steti_backend *b, const struct steti_recording *r,
                                     struct steti_cuda_graph *g, stet_error *err)
{
    return steti_cuda_check_graph(b, b->rt->graph_add(g, &r->ops), "cudaGraphAddChildGraphNode",
                                  err);
}

/* Arrays to the device, the ops, bests to the host. */
static stet_status fill_whole(struct steti_backend *b, struct steti_recording *r,
                              struct steti_cuda_graph *whole, stet_error *err)
{
    struct steti_cuda_move in = {r->scratch->rows, r->scratch->pinned, array_at(r, r->n_arrays),
                                 STETI_TO_DEVICE};
    struct steti_cuda_move out = {r->scratch->pinned_results, r->best,
                                  (size_t)r->max_rows * sizeof *r->best, STETI_TO_HOST};
    STETI_TRY(steti_cuda_check_graph(b, b->rt->graph_create(whole), "cudaGraphCreate", err));
    STETI_TRY(capture_copy(b, whole, &in, err));
    STETI_TRY(steti_cuda_add_recording(b, r, whole, err));
    if (r->best != NULL) {
        STETI_TRY(capture_copy(b, whole, &out, err));
    }
    return steti_cuda_check_graph(b, b->rt->exec_create(whole, &r->exec), "cudaGraphInstantiate",
                                  err);
}

static stet_status finish(struct steti_backend *b, struct steti_recording *r, int ended,
                          stet_error *err)
{
    struct steti_cuda_graph whole = {NULL, NULL};
    stet_status st;
    STETI_TRY(steti_cuda_ready(b, err));
    if (r->failed) {
        return steti_fail(err, STET_E_INVALID, "recording: one of its ops failed");
    }
    STETI_TRY(steti_cuda_check_graph(b, ended, "cudaStreamEndCapture", err));
    st = fill_whole(b, r, &whole, err);
    b->rt->graph_free(&whole);
    return st;
}

stet_status steti_cuda_record_end(struct steti_backend *b, struct steti_recording **out,
                                  stet_error *err)
{
    struct steti_recording *r = b->making;
    stet_status st;
    int ended;
    *out = NULL;
    if (r == NULL) {
        return steti_fail(err, STET_E_INVALID, "recording: none was begun");
    }
    b->making = NULL;
    b->rt->bind(b->device);
    ended = b->rt->capture_end(&r->ops, b->stream);
    st = finish(b, r, ended, err);
    if (st != STET_OK) {
        steti_cuda_free_recording(b, r);
        return st;
    }
    *out = r;
    return STET_OK;
}

/* ---- What host arrays hold ------------------------------------------------------------------- */

static int is_same_check(const struct steti_cuda_row_check *a, const struct steti_cuda_row_check *b)
{
    const struct steti_attention_params *k = &a->keys, *l = &b->keys;
    if (a->kind != b->kind) {
        return 0;
    }
    switch (a->kind) {
    case STETI_CHECK_MAP:
        return a->map == b->map;
    case STETI_CHECK_KEYS:
        return k->key_begin == l->key_begin && k->key_count == l->key_count &&
               k->tail_begin == l->tail_begin && k->tail_count == l->tail_count &&
               (k->bias == NULL) == (l->bias == NULL) && k->query_pos == l->query_pos &&
               k->ld_bias == l->ld_bias && k->bias_zero == l->bias_zero;
    default:
        return a->ids.ids == b->ids.ids && a->ids.table == b->ids.table &&
               a->ids.pos == b->ids.pos && (a->ids.positions == NULL) == (b->ids.positions == NULL);
    }
}

/* Layers come with the same arrays, which need one look. */
static stet_status add_check(struct steti_recording *r, const struct steti_cuda_row_check *c,
                             stet_error *err)
{
    for (int i = 0; i < r->n_checks; i++) {
        if (is_same_check(&r->checks[i], c)) {
            return STET_OK;
        }
    }
    if (r->n_checks == STETI_CUDA_ROW_CHECKS) {
        return steti_fail(err, STET_E_INVALID, "recording: host arrays in more than %d ways",
                          STETI_CUDA_ROW_CHECKS);
    }
    r->checks[r->n_checks++] = *c;
    return STET_OK;
}

static stet_status run_check(const struct steti_recording *r, const struct steti_cuda_row_check *c,
                             int n_rows, stet_error *err)
{
    struct steti_embed_params ids = c->ids;
    struct steti_attention_params keys = c->keys;
    ids.n_rows = keys.n_rows = n_rows;
    switch (c->kind) {
    case STETI_CHECK_MAP:
        return steti_check_row_map(c->map, n_rows, c->part, err);
    case STETI_CHECK_KEYS:
        return steti_check_attention_rows(&keys, &r->limits, err);
    default:
        return steti_check_embed_rows(&ids, err);
    }
}

stet_status steti_cuda_check_embed(struct steti_backend *b, const struct steti_embed_params *p,
                                   stet_error *err)
{
    struct steti_cuda_row_check c = {.kind = STETI_CHECK_IDS, .ids = *p};
    STETI_TRY(steti_check_embed_shape(p, err));
    return b->making != NULL ? add_check(b->making, &c, err) : steti_check_embed_rows(p, err);
}

stet_status steti_cuda_check_linear(struct steti_backend *b, const struct steti_linear_params *p,
                                    stet_error *err)
{
    if (b->making == NULL) {
        return steti_check_linear(p, &b->limits, err);
    }
    STETI_TRY(steti_check_linear_shape(p, &b->limits, err));
    for (int i = 0; i < p->n_parts; i++) {
        struct steti_cuda_row_check c = {
            .kind = STETI_CHECK_MAP, .map = p->parts[i].row_map, .part = i};
        if (c.map != NULL) {
            STETI_TRY(add_check(b->making, &c, err));
        }
    }
    return STET_OK;
}

stet_status steti_cuda_check_attention(struct steti_backend *b,
                                       const struct steti_attention_params *p, stet_error *err)
{
    struct steti_cuda_row_check c = {.kind = STETI_CHECK_KEYS, .keys = *p};
    STETI_TRY(steti_check_attention_shape(p, &b->limits, err));
    return b->making != NULL ? add_check(b->making, &c, err)
                             : steti_check_attention_rows(p, &b->limits, err);
}

/* ---- Replaying one --------------------------------------------------------------------------- */

stet_status steti_cuda_settle(struct steti_backend *b, stet_error *err)
{
    const struct steti_recording *r = b->pending;
    struct steti_argmax_params p = {0};
    STETI_TRY(steti_cuda_sync(b, err));
    b->pending = NULL;
    if (r == NULL || r->best == NULL) {
        return STET_OK;
    }
    p.n_rows = r->n_live;
    p.id = r->id;
    p.logprob = r->logprob;
    return steti_cuda_read_bests(
        &p, (const struct steti_cuda_best *)(const void *)r->scratch->pinned_results, err);
}

static void fill_pinned(const struct steti_recording *r, int n_rows)
{
    int32_t live = n_rows;
    memcpy(r->scratch->pinned, &live, sizeof live);
    for (int i = 0; i < r->n_arrays; i++) {
        memcpy(r->scratch->pinned + array_at(r, i), r->arrays[i].host,
               (size_t)n_rows * sizeof(int32_t));
    }
}

stet_status steti_cuda_replay(struct steti_backend *b, struct steti_recording *r, int n_rows,
                              stet_error *err)
{
    STETI_TRY(steti_cuda_idle(b, err));
    if (n_rows < 0 || n_rows > r->max_rows) {
        return steti_fail(err, STET_E_INVALID, "replay: %d rows of a recording of %d", n_rows,
                          r->max_rows);
    }
    for (int i = 0; i < r->n_checks; i++) {
        STETI_TRY(run_check(r, &r->checks[i], n_rows, err));
    }
    if (b->pending != NULL) { /* it may still read its arrays */
        STETI_TRY(steti_cuda_settle(b, err));
    }
    if (n_rows == 0) {
        return STET_OK;
    }
    fill_pinned(r, n_rows);
    STETI_TRY(steti_cuda_check(b, b->rt->exec_launch(r->exec, b->stream), "cudaGraphLaunch", err));
    r->n_live = n_rows;
    b->pending = r;
    return STET_OK;
}
