#include "engine.h"

#include <string.h>

#include "alloc.h"
#include "request.h"

/* Rows of one call, unless one sentence is longer: so many, or so many for each slot. */
#define LEAST_ROWS 512
#define ROWS_A_SLOT 8

static int window_of(const struct steti_engine_options *o)
{
    return o->draft_window > 0 && o->draft_window < o->max_out ? o->draft_window : o->max_out;
}

static int side_window_of(const struct steti_engine_options *o)
{
    int longest = o->draft->side_length, window = window_of(o);
    return o->draft->n_side == 0 ? 0 : longest < window ? longest : window;
}

static struct steti_around around_of(const struct steti_spec *spec,
                                     const struct steti_engine_options *o)
{
    return o->around != NULL ? *o->around : steti_spec_around(spec);
}

/* A pass needs a row for every sentence and room for at least one full draft. */
static struct steti_session_limits session_limits(const struct steti_spec *spec,
                                                  const struct steti_engine_options *o)
{
    struct steti_around around = around_of(spec, o);
    int n_start = around.start.n;
    int side = o->draft->n_side * side_window_of(o), draft = window_of(o) + side;
    struct steti_session_limits l = {.n_slots = o->batch_size,
                                     .max_src = o->max_src + steti_around_rows(&around),
                                     .max_tgt = o->max_out + n_start,
                                     .max_side = side};
    long long rows = (long long)o->batch_size * (n_start + draft);
    long long most = (long long)o->batch_size * ROWS_A_SLOT;
    most = most < LEAST_ROWS ? LEAST_ROWS : most;
    rows = rows < most ? rows : most;
    if (rows < (long long)o->batch_size * n_start + draft) {
        rows = (long long)o->batch_size * n_start + draft;
    }
    if (rows < l.max_src) {
        rows = l.max_src;
    }
    l.max_rows = (int)rows;
    return l;
}

/* Where every row has a list of what rules change, a long draft must not ask for more of them than
 * many sentences do. */
static int rows_a_pass(const struct steti_spec *spec, const struct steti_engine_options *o,
                       const struct steti_session_limits *l)
{
    long long most = (long long)o->batch_size * ROWS_A_SLOT;
    most = most < LEAST_ROWS ? LEAST_ROWS : most;
    return steti_generation_has_rules(&spec->generation) && most < l->max_rows ? (int)most
                                                                               : l->max_rows;
}

size_t steti_engine_bytes(const struct steti_spec *spec, const struct steti_engine_options *o)
{
    struct steti_session_limits l = session_limits(spec, o);
    size_t session = steti_session_bytes(spec, &l), rules;
    if (session == 0 || !row_rules_bytes(spec, &l, rows_a_pass(spec, o, &l), &rules)) {
        return 0;
    }
    return session + request_bytes(o, l.max_rows) + rules;
}

size_t steti_engine_scratch_bytes(const struct steti_model *m, const struct steti_backend *backend,
                                  const struct steti_engine_options *o)
{
    struct steti_session_limits l = session_limits(steti_model_spec(m), o);
    return steti_session_scratch_bytes(m, backend, &l) + looped_bytes(m, backend, o);
}

static stet_status open_slots(struct steti_engine *e, stet_error *err)
{
    struct steti_draft_limits l = {.max_src = e->options.max_src,
                                   .max_tgt = e->options.max_out + 1,
                                   .pieces = e->options.pieces,
                                   .n_pieces = e->options.n_pieces,
                                   .spelling = e->options.spelling};
    e->slots = steti_calloc((size_t)e->options.batch_size, sizeof *e->slots);
    if (e->slots == NULL) {
        return steti_fail_nomem(err, "the engine's slots",
                                (size_t)e->options.batch_size * sizeof *e->slots);
    }
    for (int i = 0; i < e->options.batch_size; i++) {
        e->slots[i].engine = e;
        STETI_TRY(e->options.draft->open(&l, &e->slots[i].draft, err));
        e->n_open = i + 1;
    }
    return STET_OK;
}

static stet_status open_arrays(struct steti_engine *e, stet_error *err)
{
    size_t rows = (size_t)e->session.limits.max_rows, out = (size_t)e->options.max_out + 1;
    size_t slots = (size_t)e->options.batch_size, ints = 6 * rows + 3 * slots + 2 * out;
    int32_t *p = steti_calloc(ints, sizeof *p);
    e->ints = p;
    e->logprob = steti_calloc(rows + out, sizeof *e->logprob);
    if (p == NULL || e->logprob == NULL) {
        return steti_fail_nomem(err, "the engine's row arrays", ints * sizeof *p);
    }
    e->ids = p;
    e->pos = p + rows;
    e->row_slot = p + 2 * rows;
    e->predicted = p + 3 * rows;
    e->fork = p + 4 * rows;
    e->side = p + 5 * rows;
    e->lens = p + 6 * rows;
    e->seq_slot = e->lens + slots;
    e->list = e->seq_slot + slots;
    e->check_out = e->list + slots;
    e->branch_predicted = e->check_out + out;
    e->check_logprob = e->logprob + rows;
    return STET_OK;
}

static stet_status check_options(const struct steti_engine_options *o, stet_error *err)
{
    if (o->draft == NULL || o->clock == NULL || o->batch_size < 1 || o->max_src < 1 ||
        o->max_out < 1 || o->draft_window < STETI_WINDOW_AUTO || o->loop_passes < 0) {
        return steti_fail(err, STET_E_INVALID,
                          "engine options: sizes must be at least 1 and a policy must be set");
    }
    return STET_OK;
}

stet_status steti_engine_open(const struct steti_model *m, struct steti_backend *backend,
                              const struct steti_engine_options *o, struct steti_engine **out,
                              stet_error *err)
{
    struct steti_engine *e;
    struct steti_session_limits l;
    struct steti_backend_caps caps;
    stet_status st;
    *out = NULL;
    STETI_TRY(check_options(o, err));
    l = session_limits(steti_model_spec(m), o);
    e = steti_calloc(1, sizeof *e);
    if (e == NULL) {
        return steti_fail_nomem(err, "an engine", sizeof *e);
    }
    e->options = *o;
    e->around = around_of(steti_model_spec(m), o);
    e->options.around = NULL;
    e->window = window_of(o);
    e->policy = o->draft;
    steti_model_ops(m)->caps(backend, &caps);
    steti_window_init(&e->follow, e->window, caps.row_tile);
    e->side_window = side_window_of(o);
    e->spec = steti_model_spec(m);
    e->rows_a_pass = rows_a_pass(e->spec, o, &l);
    STETI_TRY_GOTO(steti_session_open(m, backend, &l, &e->session, err), st, fail);
    STETI_TRY_GOTO(open_arrays(e, err), st, fail);
    STETI_TRY_GOTO(row_rules_open(e, err), st, fail);
    STETI_TRY_GOTO(open_slots(e, err), st, fail);
    STETI_TRY_GOTO(looped_open(e, err), st, fail);
    *out = e;
    return STET_OK;
fail:
    steti_engine_close(e);
    return st;
}

void steti_engine_close(struct steti_engine *e)
{
    if (e == NULL) {
        return;
    }
    for (int i = 0; i < e->n_open; i++) {
        e->options.draft->close(e->slots[i].draft);
    }
    steti_free(e->slots);
    steti_free(e->ints);
    steti_free(e->logprob);
    row_rules_close(e);
    looped_close(e);
    steti_session_close(&e->session);
    steti_free(e);
}

void steti_engine_totals(const struct steti_engine *e, struct steti_counts *counts,
                         struct steti_engine_times *times)
{
    *counts = e->totals;
    *times = e->times;
}
