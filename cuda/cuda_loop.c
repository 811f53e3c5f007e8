/* cuda_loop.c - the decode loop on the device: one launch for up to max_passes passes.
 *
 *     to the device | rows  WHILE rows are left { recorded pass | verdict | rows } | to the host
 *
 * Where the device has no WHILE nodes the body is a graph of its own, launched some times ahead of
 * what is known; what is launched behind the last pass finds no rows and does nothing. */
#include <string.h>

#include "alloc.h"
#include "cuda_loop.h"

#define PASSES_AHEAD 4

/* ---- Opening --------------------------------------------------------------------------------- */

size_t steti_cuda_loop_bytes(const struct steti_backend *b, const struct steti_loop_options *o)
{
    size_t twins = 2 * steti_cuda_loop_words(o) * sizeof(int32_t);
    (void)b;
    return sizeof(struct steti_loop) + twins + (size_t)o->n_pieces * sizeof(uint32_t);
}

void steti_cuda_loop_close(struct steti_backend *b, struct steti_loop *l)
{
    if (l == NULL) {
        return;
    }
    b->rt->bind(b->device);
    b->rt->mem_free(l->pieces);
    b->rt->mem_free(l->device);
    b->rt->pinned_free(l->pinned);
    steti_free(l);
}

/* By way of host memory that the pieces need in another form. */
static stet_status upload_pieces(struct steti_backend *b, struct steti_loop *l,
                                 const struct steti_loop_piece *pieces, stet_error *err)
{
    size_t bytes = (size_t)l->o.n_pieces * sizeof(uint32_t);
    uint32_t *words;
    void *device = NULL;
    stet_status st;
    if (bytes == 0) {
        return STET_OK;
    }
    STETI_TRY(steti_cuda_alloc(b, bytes, "what is known of pieces", &device, err));
    l->pieces = device;
    words = steti_malloc(bytes);
    if (words == NULL) {
        return steti_fail_nomem(err, "what is known of pieces", bytes);
    }
    for (int i = 0; i < l->o.n_pieces; i++) {
        words[i] =
            pieces[i].flags | (uint32_t)pieces[i].length << 8 | (uint32_t)pieces[i].first << 16;
    }
    st = steti_cuda_copy(b, l->pieces, words, bytes, STETI_TO_DEVICE, err);
    st = st == STET_OK ? steti_cuda_sync(b, err) : st;
    steti_free(words);
    return st;
}

static stet_status open_memory(struct steti_backend *b, struct steti_loop *l,
                               const struct steti_loop_piece *pieces, stet_error *err)
{
    size_t bytes = steti_cuda_loop_words(&l->o) * sizeof(int32_t);
    void *p = NULL;
    STETI_TRY(steti_cuda_alloc(b, bytes, "sentences of the decode loop", &p, err));
    l->device = p;
    STETI_TRY(steti_cuda_pinned(b, bytes, &p, err));
    l->pinned = p;
    return upload_pieces(b, l, pieces, err);
}

stet_status steti_cuda_loop_open(struct steti_backend *b, const struct steti_loop_options *o,
                                 struct steti_loop **out, stet_error *err)
{
    struct steti_loop *l;
    stet_status st;
    *out = NULL;
    STETI_TRY(steti_cuda_idle(b, err));
    STETI_TRY(steti_check_loop_options(o, err));
    if (steti_cuda_loop_words(o) > INT32_MAX) { /* places in it are numbers of words */
        return steti_fail(err, STET_E_INVALID,
                          "loop: %d sentences of %d and %d tokens are too many", o->max_seqs,
                          o->max_text, o->max_out);
    }
    l = steti_calloc(1, sizeof *l);
    if (l == NULL) {
        return steti_fail_nomem(err, "a decode loop", sizeof *l);
    }
    l->number = ++b->n_loops;
    l->o = *o;
    memcpy(l->start, o->start, (size_t)o->n_start * sizeof *l->start);
    memcpy(l->ends, o->ends, (size_t)o->n_ends * sizeof *l->ends);
    l->base = steti_cuda_loop_base(o);
    st = open_memory(b, l, o->pieces, err);
    if (st != STET_OK) {
        steti_cuda_loop_close(b, l);
        return st;
    }
    *out = l;
    return STET_OK;
}

/* ---- What a call may ask for ----------------------------------------------------------------- */

static stet_status check_ids(const struct steti_matrix_shape *table, const int32_t *ids, int n,
                             stet_error *err)
{
    for (int i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= table->n_out) {
            return steti_fail(err, STET_E_INVALID,
                              "loop: token %d at %d is not in the vocabulary of %d", (int)ids[i], i,
                              table->n_out);
        }
    }
    return STET_OK;
}

/* The row of a sentence that sees most. */
static stet_status check_keys(const struct steti_recording *r, const struct steti_cuda_row_check *c,
                              const struct steti_loop *l, const struct steti_loop_seq *s,
                              stet_error *err)
{
    struct steti_attention_params keys = c->keys;
    int32_t pos = l->o.n_start + (s->most_out > 1 ? s->most_out - 2 : 0), count = pos + 1;
    int is_cross = keys.kind == STETI_ATTN_CROSS;
    keys.n_rows = 1;
    keys.key_begin = is_cross ? &s->cross_begin : &s->self_begin;
    keys.key_count = is_cross ? &s->cross_count : &count;
    keys.tail_begin = keys.tail_count = NULL;
    keys.query_pos = &pos;
    return steti_check_attention_rows(&keys, &r->limits, err);
}

static stet_status check_seq(const struct steti_recording *r, const struct steti_loop *l,
                             const struct steti_loop_params *p, const struct steti_loop_seq *s,
                             stet_error *err)
{
    int n_tail = s->n_out < STETI_CUDA_LOOP_TAIL ? s->n_out : STETI_CUDA_LOOP_TAIL;
    if (s->logprob != NULL && r->logprob == NULL) {
        return steti_fail(err, STET_E_INVALID, "loop: the recording has no log probabilities");
    }
    for (int i = 0; i < r->n_checks; i++) {
        const struct steti_cuda_row_check *c = &r->checks[i];
        if (c->kind == STETI_CHECK_IDS && c->ids.ids == p->ids) {
            const struct steti_matrix_shape *table = &c->ids.table->shape;
            STETI_TRY(check_ids(table, s->text, s->n_text, err));
            STETI_TRY(check_ids(table, s->out + s->n_out - n_tail, n_tail, err));
            STETI_TRY(check_ids(table, l->start, l->o.n_start, err));
        } else if (c->kind == STETI_CHECK_KEYS) {
            STETI_TRY(check_keys(r, c, l, s, err));
        }
    }
    return STET_OK;
}

static stet_status check_call(const struct steti_loop *l, const struct steti_loop_params *p,
                              stet_error *err)
{
    const struct steti_recording *r = p->recording;
    STETI_TRY(steti_check_loop(p, &l->o, err));
    if (r == NULL || r->best == NULL || steti_loop_rows(p, &l->o) > r->max_rows) {
        return steti_fail(err, STET_E_INVALID,
                          "loop: up to %d rows and a recording of %d, which must have argmax",
                          steti_loop_rows(p, &l->o), r != NULL ? r->max_rows : 0);
    }
    for (int i = 0; i < p->n_seqs; i++) {
        STETI_TRY(check_seq(r, l, p, &p->seqs[i], err));
    }
    return STET_OK;
}

/* ---- The graph ------------------------------------------------------------------------------- */

static stet_status find_arrays(const struct steti_loop *l, const struct steti_loop_params *p,
                               struct steti_cuda_rows_args *a, stet_error *err)
{
    const struct steti_recording *r = p->recording;
    struct {
        const int32_t *host;
        int32_t **device;
    } arrays[] = {{p->ids, &a->ids},
                  {p->key_begin, &a->key_begin},
                  {p->key_count, &a->key_count},
                  {p->row_map, &a->map_row},
                  {p->cross_begin, &a->cross_begin},
                  {p->cross_count, &a->cross_count},
                  {p->pos, &a->pos},
                  {p->tail_count, &a->tail_count}};
    memset(a, 0, sizeof *a);
    a->base = l->device + l->base;
    a->live = r->live;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i].device =
            arrays[i].host != NULL ? steti_cuda_find_array(r, arrays[i].host) : NULL;
        if (*arrays[i].device == NULL && (i < 6 || arrays[i].host != NULL)) {
            return steti_fail(err, STET_E_INVALID,
                              "loop: the recording does not read row array number %d", (int)i);
        }
    }
    return STET_OK;
}

/* verdict, unless it is the beginning, and rows. */
static stet_status capture(struct steti_backend *b, const struct steti_loop *l,
                           const struct steti_recording *judged,
                           const struct steti_cuda_rows_args *a, struct steti_cuda_graph *g,
                           stet_error *err)
{
    stet_status st = STET_OK;
    int ended;
    STETI_TRY(steti_cuda_check_graph(b, b->rt->capture_begin(g, b->stream),
                                     "cudaStreamBeginCaptureToGraph", err));
    if (judged != NULL) {
        st = steti_cuda_run_verdict(b, l, judged, err);
    }
    st = st == STET_OK ? steti_cuda_run_rows(b, l, a, err) : st;
    ended = b->rt->capture_end(g, b->stream); /* whatever happened */
    return st != STET_OK ? st : steti_cuda_check_graph(b, ended, "cudaStreamEndCapture", err);
}

static stet_status fill_body(struct steti_backend *b, const struct steti_loop *l,
                             const struct steti_recording *r, const struct steti_cuda_rows_args *a,
                             struct steti_cuda_graph *body, stet_error *err)
{
    STETI_TRY(steti_cuda_add_recording(b, r, body, err));
    return capture(b, l, r, a, body, err);
}

static stet_status fill_graph(struct steti_backend *b, const struct steti_loop *l,
                              const struct steti_recording *r, struct steti_cuda_graph *g,
                              stet_error *err)
{
    struct steti_cuda_rows_args a = r->loop_rows;
    struct steti_cuda_graph body = {NULL, NULL};
    STETI_TRY(steti_cuda_check_graph(b, b->rt->graph_create(g), "cudaGraphCreate", err));
    if (!b->props.has_while) {
        return fill_body(b, l, r, &a, g, err);
    }
    STETI_TRY(steti_cuda_check_graph(b, b->rt->condition_create(g, 0, &a.condition),
                                     "cudaGraphConditionalHandleCreate", err));
    a.has_condition = 1;
    STETI_TRY(capture(b, l, NULL, &a, g, err));
    STETI_TRY(steti_cuda_check_graph(b, b->rt->while_add(g, a.condition, &body), "cudaGraphAddNode",
                                     err));
    return fill_body(b, l, r, &a, &body, err);
}

void steti_cuda_drop_loop(struct steti_backend *b, struct steti_recording *r)
{
    b->rt->exec_free(r->loop_exec);
    r->loop_exec = NULL;
}

/* The graph of this loop, these arrays and their recording. */
static stet_status make_graph(struct steti_backend *b, const struct steti_loop *l,
                              const struct steti_loop_params *p, stet_error *err)
{
    struct steti_recording *r = p->recording;
    struct steti_cuda_graph g = {NULL, NULL};
    struct steti_cuda_rows_args rows;
    stet_status st;
    STETI_TRY(find_arrays(l, p, &rows, err));
    if (r->loop_exec != NULL && r->loop_number == l->number &&
        memcmp(&r->loop_rows, &rows, sizeof rows) == 0) {
        return STET_OK;
    }
    steti_cuda_drop_loop(b, r);
    r->loop_rows = rows;
    r->loop_number = l->number;
    st = fill_graph(b, l, r, &g, err);
    if (st == STET_OK) {
        st = steti_cuda_check_graph(b, b->rt->exec_create(&g, &r->loop_exec),
                                    "cudaGraphInstantiate", err);
    }
    b->rt->graph_free(&g);
    return st;
}

/* ---- Running --------------------------------------------------------------------------------- */

static stet_status move(struct steti_backend *b, const struct steti_loop *l,
                        const struct steti_cuda_stretch *s, enum steti_cuda_direction way,
                        stet_error *err)
{
    int32_t *device = l->device + s->at, *pinned = l->pinned + s->at;
    int is_in = way == STETI_TO_DEVICE;
    return steti_cuda_copy(b, is_in ? device : pinned, is_in ? pinned : device,
                           s->n * sizeof(int32_t), way, err);
}

static stet_status launch_some(struct steti_backend *b, const struct steti_recording *r, int n,
                               stet_error *err)
{
    for (int i = 0; i < n; i++) {
        STETI_TRY(steti_cuda_check(b, b->rt->exec_launch(r->loop_exec, b->stream),
                                   "cudaGraphLaunch", err));
    }
    return STET_OK;
}

/* Until there is nothing left to do; with WHILE nodes that is after one launch. */
static stet_status run(struct steti_backend *b, const struct steti_loop *l,
                       const struct steti_loop_params *p, const struct steti_cuda_stretch *out,
                       stet_error *err)
{
    int n = b->props.has_while ? 1 : p->max_passes < PASSES_AHEAD ? p->max_passes : PASSES_AHEAD;
    if (!b->props.has_while) {
        STETI_TRY(steti_cuda_run_rows(b, l, &p->recording->loop_rows, err));
    }
    do {
        STETI_TRY(launch_some(b, p->recording, n, err));
        STETI_TRY(move(b, l, out, STETI_TO_HOST, err));
        STETI_TRY(steti_cuda_sync(b, err));
    } while (steti_cuda_loop_goes_on(l));
    return STET_OK;
}

stet_status steti_cuda_loop_run(struct steti_backend *b, struct steti_loop *l,
                                struct steti_loop_params *p, stet_error *err)
{
    struct steti_cuda_stretch in, out;
    p->n_passes = 0;
    STETI_TRY(steti_cuda_idle(b, err));
    STETI_TRY(check_call(l, p, err));
    if (b->pending != NULL) {
        STETI_TRY(steti_cuda_settle(b, err));
    }
    STETI_TRY(make_graph(b, l, p, err));
    steti_cuda_loop_fill(l, p, &in, &out);
    STETI_TRY(move(b, l, &in, STETI_TO_DEVICE, err));
    STETI_TRY(run(b, l, p, &out, err));
    steti_cuda_loop_read(l, p);
    return STET_OK;
}
