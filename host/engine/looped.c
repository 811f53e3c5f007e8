#include "looped.h"

#include <string.h>

#include "alloc.h"
#include "request.h"

/* ---- Opening --------------------------------------------------------------------------------- */

static int passes_of(const struct steti_engine_options *o)
{
    int n = o->loop_passes == 0 ? STETI_LOOP_PASSES : o->loop_passes;
    return n < STETI_LOOP_PASSES_MAX ? n : STETI_LOOP_PASSES_MAX;
}

/* The loop's way of drafting that is the policy's. */
static int draft_of(const struct steti_draft_ops *policy, enum steti_loop_draft *out)
{
    *out = policy == &steti_draft_sad    ? STETI_LOOP_SAD
           : policy == &steti_draft_edit ? STETI_LOOP_EDIT
                                         : STETI_LOOP_GREEDY;
    return policy == &steti_draft_none || *out != STETI_LOOP_GREEDY;
}

static int can_loop(const struct steti_model *m, const struct steti_engine_options *o)
{
    enum steti_loop_draft draft;
    const struct steti_backend_ops *ops = steti_model_ops(m);
    return ops->loop_run != NULL && ops->replay != NULL && passes_of(o) > 1 &&
           draft_of(o->draft, &draft) &&
           !steti_generation_has_rules(&steti_model_spec(m)->generation);
}

/* Sizes; the arrays are the caller's to set. */
static struct steti_loop_options sizes_of(const struct steti_engine_options *o)
{
    struct steti_loop_options l = {.max_seqs = o->batch_size,
                                   .max_text = o->max_src,
                                   .max_out = o->max_out,
                                   .max_passes = passes_of(o)};
    draft_of(o->draft, &l.draft);
    l.n_pieces = l.draft == STETI_LOOP_EDIT && o->pieces != NULL ? o->n_pieces : 0;
    return l;
}

static size_t seqs_bytes(const struct steti_loop_options *l)
{
    return (size_t)l->max_seqs * sizeof(struct steti_loop_seq);
}

static size_t passes_bytes(const struct steti_loop_options *l)
{
    return (size_t)l->max_seqs * (size_t)l->max_passes * sizeof(struct steti_loop_pass);
}

size_t looped_bytes(const struct steti_model *m, const struct steti_backend *backend,
                    const struct steti_engine_options *o)
{
    struct steti_loop_options l = sizes_of(o);
    if (!can_loop(m, o)) {
        return 0;
    }
    return steti_model_ops(m)->loop_bytes(backend, &l) + seqs_bytes(&l) + passes_bytes(&l);
}

static void set_tokens(struct steti_engine *e)
{
    const struct steti_spec *spec = e->spec;
    struct looped *x = &e->looped;
    x->ends[0] = spec->eos_id;
    memcpy(x->ends + 1, spec->generation.more_ends,
           (size_t)spec->generation.n_more_ends * sizeof *x->ends);
    x->options.n_ends = 1 + spec->generation.n_more_ends;
    x->options.ends = x->ends;
    x->options.n_start = e->around.start.n;
    x->options.start = e->around.start.id;
}

/* The same pieces as the backend calls them; what is only wanted while the loop is opened. */
static stet_status open_loop(struct steti_engine *e, stet_error *err)
{
    struct looped *x = &e->looped;
    size_t n = (size_t)x->options.n_pieces;
    struct steti_loop_piece *pieces = NULL;
    stet_status st;
    if (n > 0) {
        pieces = steti_malloc(n * sizeof *pieces);
        if (pieces == NULL) {
            return steti_fail_nomem(err, "pieces for the decode loop", n * sizeof *pieces);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct steti_draft_piece *p = &e->options.pieces[i];
        pieces[i] = (struct steti_loop_piece){p->flags, p->length, p->first};
    }
    x->options.pieces = pieces;
    st = e->session.ops->loop_open(e->session.backend, &x->options, &x->loop, err);
    x->options.pieces = NULL;
    steti_free(pieces);
    return st;
}

stet_status looped_open(struct steti_engine *e, stet_error *err)
{
    struct looped *x = &e->looped;
    stet_status st;
    if (!can_loop(e->session.model, &e->options)) {
        return STET_OK;
    }
    x->options = sizes_of(&e->options);
    set_tokens(e);
    x->seqs = steti_calloc(1, seqs_bytes(&x->options));
    x->passes = steti_calloc(1, passes_bytes(&x->options));
    if (x->seqs == NULL || x->passes == NULL) {
        return steti_fail_nomem(err, "sentences of the decode loop", passes_bytes(&x->options));
    }
    st = open_loop(e, err);
    return st == STET_E_DEVICE ? st : STET_OK;
}

void looped_close(struct steti_engine *e)
{
    struct looped *x = &e->looped;
    if (x->loop != NULL) {
        e->session.ops->loop_close(e->session.backend, x->loop);
    }
    steti_free(x->seqs);
    steti_free(x->passes);
    memset(x, 0, sizeof *x);
}

/* No sentence in flight has a draft on the host: those that have begun get one. */
static void leave(struct steti_engine *e)
{
    e->session.ops->loop_close(e->session.backend, e->looped.loop);
    e->looped.loop = NULL;
    for (int i = 0; i < e->options.batch_size; i++) {
        const struct steti_job *job = e->slots[i].job;
        if (job != NULL) {
            slot_begin_draft(e, &e->slots[i]);
        }
        if (job != NULL && job->n_out > 0) {
            e->policy->accept(e->slots[i].draft, job->out, job->n_out, 0, 0);
        }
    }
}

/* ---- A call ---------------------------------------------------------------------------------- */

static void fill_seq(const struct steti_engine *e, const struct slot *s, struct steti_loop_seq *to)
{
    const struct steti_job *job = s->job;
    *to = s->looped; /* where drafting goes on */
    to->n_text = job->n_src - job->n_prompt;
    to->text = to->n_text > 0 ? job->src + job->n_prompt : NULL;
    to->most_out = slot_most_out(e);
    to->out = job->out;
    to->logprob = e->options.scores ? job->logprob : NULL;
    to->n_out = job->n_out;
    steti_session_place(&e->session, s->kv, to);
}

static void count_passes(struct steti_engine *e, struct slot *s, const struct steti_loop_seq *seq)
{
    struct steti_counts *c = &s->job->counts;
    c->rows += c->passes == 0 && seq->n_passes > 0 ? (uint64_t)e->around.start.n - 1 : 0;
    c->passes += (uint64_t)seq->n_passes;
    c->reentries += (uint64_t)seq->reentries;
    for (int i = 0; i < seq->n_passes; i++) {
        const struct steti_loop_pass *p = &seq->passes[i];
        struct steti_window_draft d = {e->window, p->drafted, p->drafted, p->matched};
        c->rows += 1 + (uint64_t)p->drafted;
        c->drafted += (uint64_t)p->drafted;
        c->accepted += (uint64_t)p->matched;
        if (follows_load(e)) {
            steti_window_observe_draft(&e->follow, &d);
        }
    }
}

static stet_status fail_state(const struct slot *s, enum steti_loop_state state)
{
    const char *why = state == STETI_LOOP_NAN
                          ? "a logit is NaN; the weights or the input of this sentence are broken"
                          : "no token has a logit above -infinity; the model's generation settings "
                            "forbid all of them, or its weights are broken";
    return steti_fail(s->job->err, STET_E_MODEL, "token %d of the output: %s", s->job->n_out, why);
}

static void take_seq(struct steti_engine *e, struct slot *s, const struct steti_loop_seq *seq)
{
    struct steti_job *job = s->job;
    count_passes(e, s, seq);
    s->looped = *seq;
    job->n_out = seq->n_out;
    job->finished = seq->state == STETI_LOOP_ENDED;
    s->done = seq->state != STETI_LOOP_RUNNING;
    if (seq->state == STETI_LOOP_NAN || seq->state == STETI_LOOP_NO_TOKEN) {
        job->status = fail_state(s, seq->state);
    }
    slot_set_len(e, s);
}

static uint64_t rows_so_far(const struct steti_engine *e, const int *slots, int n)
{
    uint64_t rows = 0;
    for (int i = 0; i < n; i++) {
        rows += e->slots[slots[i]].job->counts.rows;
    }
    return rows;
}

static stet_status run_loop(struct steti_engine *e, const int *slots, struct steti_loop_params *p)
{
    struct looped *x = &e->looped;
    int done = 0;
    for (int i = 0; i < p->n_seqs; i++) {
        fill_seq(e, &e->slots[slots[i]], &x->seqs[i]);
        x->seqs[i].passes = x->passes + (size_t)i * (size_t)x->options.max_passes;
    }
    /* The message is not used: the same passes one by one tell each sentence's own. */
    STETI_TRY(
        steti_model_loop(&e->session, x->loop, steti_loop_rows(p, &x->options), p, &done, NULL));
    return done ? STET_OK : STET_E_NOMEM;
}

int looped_passes(struct steti_engine *e, const int *slots, int n, int most, int until_done)
{
    struct looped *x = &e->looped;
    uint64_t start = steti_now(e->options.clock), rows, ns;
    stet_status st;
    struct steti_loop_params p = {.window = e->window,
                                  .budget = e->rows_a_pass,
                                  .max_passes =
                                      most < x->options.max_passes ? most : x->options.max_passes,
                                  .stop_done = until_done,
                                  .n_seqs = n,
                                  .seqs = x->seqs};
    st = run_loop(e, slots, &p);
    if (st != STET_OK) {
        if (st != STET_E_CANCELLED) {
            leave(e);
        }
        return 0;
    }
    ns = steti_now(e->options.clock) - start;
    rows = rows_so_far(e, slots, n);
    for (int i = 0; i < n; i++) {
        take_seq(e, &e->slots[slots[i]], &x->seqs[i]);
    }
    rows = rows_so_far(e, slots, n) - rows;
    if (follows_load(e)) {
        uint64_t passes = (uint64_t)p.n_passes;
        steti_window_observe_pass(&e->follow, (int)(rows / passes), ns / passes);
    }
    return p.n_passes;
}
