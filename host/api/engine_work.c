/* What the scheduler asks for: sentences of texts through the decoding core, and each request's
 * end. Everything here runs on the thread that drives the engine. */
#include <string.h>

#include "alloc.h"
#include "completion_queue.h"
#include "engine_state.h"

#define PIECES_KEPT 32 /* for every token that a sentence may have */

static uint64_t now(void)
{
    return steti_now(steti_clock_system());
}

static struct api_request *request_of(const struct api_lane *l, const struct api_slot *s)
{
    return &l->engine->requests[s->request];
}

/* A request's first failure is the one that is told. */
static void keep_message(stet_result *r, const char *text)
{
    if (r->message[0] == '\0') {
        stet_error e = {.struct_size = sizeof e};
        steti_fail(&e, STET_E_INVALID, "%.*s", (int)sizeof r->message - 1, text);
        memcpy(r->message, e.message, sizeof r->message - 1);
    }
}

/* Working memory is the driver's; the list of pieces stays in it. */
static size_t working(const struct api_lane *l)
{
    size_t kept = l->pieces.cap > 0 ? steti_alloc_cost(l->pieces.cap * sizeof *l->pieces.data) : 0;
    size_t most = l->engine->working_bytes;
    return most > kept ? most - kept : 0;
}

struct work {
    struct api_lane *l;
    struct api_request *r;
    struct api_slot *s;
    int found;
};

/* An accepted request can wait for no memory. */
static stet_status run_step(const struct work *w, struct result_step step, stet_error *err)
{
    stet_status st;
    step.ctx = (void *)(uintptr_t)w;
    step.working = working(w->l);
    st = result_run(w->r->result, &step, err);
    return st == STET_E_BUSY ? STET_E_NOMEM : st;
}

static stet_status read_sentence(void *ctx, stet_error *err)
{
    struct work *w = ctx;
    (void)err; /* the slot's */
    w->found = 0;
    return request_next_sentence(w->l, w->r, w->s, &w->found);
}

static stet_status next_sentence(struct work *w)
{
    static const struct result_step step = {.run = read_sentence, .is_temporary = 1};
    const stet_engine *g = w->l->engine;
    stet_status st = run_step(w, step, &w->s->err);
    /* A strange text must not take the working memory from those that come. */
    if (g->working_bytes != 0 && w->l->pieces.cap > PIECES_KEPT * (size_t)g->options.max_input) {
        steti_pieces_free(&w->l->pieces);
    }
    return st;
}

static int begin(void *ctx, int request, int slot, int *more)
{
    struct api_lane *l = ctx;
    struct api_request *r = &l->engine->requests[request];
    struct api_slot *s = &l->slots[slot];
    struct work w = {.l = l, .r = r, .s = s};
    uint64_t start = now();
    stet_status st;
    s->request = request;
    s->err.message[0] = '\0';
    if (r->n_begun == 0) {
        r->result->stats.queue_ns = start - r->submit_ns;
    }
    st = next_sentence(&w);
    if (st == STET_OK && w.found) {
        s->job = (struct steti_job){.src = s->ids,
                                    .n_src = s->job.n_src,
                                    .n_prompt = s->job.n_prompt,
                                    .out = s->out,
                                    .logprob = s->logprob,
                                    .err = &s->err};
        st = steti_engine_begin(l->core, slot, &s->job);
    }
    r->result->stats.tokenize_ns += now() - start;
    if (st != STET_OK) {
        keep_message(r->result, s->err.message);
        return st;
    }
    *more = request_has_more(r);
    return w.found ? steti_engine_source_rows(l->core, s->job.n_src) : 0;
}

static void add_time(struct api_lane *l, const int *slots, int n, int is_pass, uint64_t ns)
{
    uint64_t call = is_pass ? ++l->n_passes : ++l->n_encodes;
    for (int i = 0; i < n; i++) {
        struct api_request *r = request_of(l, &l->slots[slots[i]]);
        uint64_t *last = is_pass ? &r->last_pass : &r->last_encode;
        stet_stats *t = &r->result->stats;
        if (*last != call) {
            *last = call;
            *(is_pass ? &t->decode_ns : &t->encode_ns) += ns;
        }
    }
}

static void encode(void *ctx, const int *slots, int n)
{
    struct api_lane *l = ctx;
    uint64_t start = now();
    steti_engine_encode(l->core, slots, n);
    add_time(l, slots, n, 0, now() - start);
}

static int passes(void *ctx, const int *slots, int n, int most, int until_done)
{
    struct api_lane *l = ctx;
    uint64_t start = now();
    int made = steti_engine_passes(l->core, slots, n, most, until_done);
    add_time(l, slots, n, 1, now() - start);
    return made;
}

static void pass(void *ctx, const int *slots, int n)
{
    passes(ctx, slots, n, 1, 1);
}

static int is_done(void *ctx, int slot)
{
    const struct api_lane *l = ctx;
    return steti_engine_is_done(l->core, slot);
}

/* The tokens of this sentence no longer stand before those who come. */
static void give_tokens(struct api_lane *l, struct api_request *r, const struct api_slot *s)
{
    stet_engine *g = l->engine;
    uint64_t n = r->is_tokens ? r->tokens_left : (s->end - s->begin) / API_BYTES_PER_TOKEN;
    n = n < r->tokens_left ? n : r->tokens_left;
    r->tokens_left -= n;
    pthread_mutex_lock(&g->lock);
    steti_admission_give_tokens(&g->admission, n);
    steti_share_give(&g->shares[l->index], n);
    pthread_mutex_unlock(&g->lock);
}

static stet_status add_output(void *ctx, stet_error *err)
{
    const struct work *w = ctx;
    const struct api_slot *s = w->s;
    struct result_sentence in = {.tokenizer = w->l->engine->model->tokenizer,
                                 .begin = s->begin,
                                 .end = s->end,
                                 .seq = s->seq,
                                 .pieces = s->pieces,
                                 .n_pieces = s->n_pieces,
                                 .is_mended = s->is_mended,
                                 .mended = s->is_tied ? NULL : s->ids + s->job.n_prompt,
                                 .n_mended = (size_t)(s->job.n_src - s->job.n_prompt),
                                 .job = &s->job,
                                 .min_edit_score = w->l->engine->options.min_edit_score};
    if (w->r->is_tokens) {
        return result_set_tokens(w->r->result, &s->job, err);
    }
    return result_add_sentence(w->r->result, &in, err);
}

static stet_status take_output(struct api_lane *l, struct api_request *r, struct api_slot *s)
{
    const struct work w = {.l = l, .r = r, .s = s};
    static const struct result_step step = {.run = add_output};
    return run_step(&w, step, &s->err);
}

static stet_status finish(void *ctx, int slot)
{
    struct api_lane *l = ctx;
    struct api_slot *s = &l->slots[slot];
    struct api_request *r = request_of(l, s);
    stet_status st = s->job.status;
    steti_engine_end(l->core, slot);
    if (st == STET_OK && l->engine->options.verify) {
        st = steti_engine_verify(l->core, slot, &s->job);
    }
    if (st == STET_E_DEVICE) {
        r->is_hit = 1;
        lane_lose(l, s->err.message);
    }
    if (st == STET_OK) {
        st = take_output(l, r, s);
    }
    if (st != STET_OK) {
        keep_message(r->result, s->err.message);
    }
    give_tokens(l, r, s);
    return st;
}

static void drop(void *ctx, int slot)
{
    struct api_lane *l = ctx;
    request_of(l, &l->slots[slot])->is_hit |= l->device_failed;
    steti_engine_end(l->core, slot);
}

static const char *why(stet_status st)
{
    switch (st) {
    case STET_E_DEADLINE:
        return "the deadline passed before the answer was there";
    case STET_E_CANCELLED:
        return "the request was cancelled";
    case STET_E_SHUTDOWN:
        return "the engine was destroyed before the answer was there";
    case STET_E_DEVICE:
        return "the device failed; destroy the engine and create another";
    default:
        return stet_status_text(st);
    }
}

/* The engine's totals are the sums of what its good results say. */
static void add_totals(stet_stats *t, const stet_stats *s)
{
    t->requests += s->requests;
    t->sentences += s->sentences;
    t->source_tokens += s->source_tokens;
    t->output_tokens += s->output_tokens;
    t->passes += s->passes;
    t->rows += s->rows;
    t->drafted += s->drafted;
    t->accepted += s->accepted;
    t->rejected += s->rejected;
    t->reentries += s->reentries;
    t->verified += s->verified;
    t->unfinished += s->unfinished;
    t->tokenize_ns += s->tokenize_ns;
    t->queue_ns += s->queue_ns;
}

static void count_end(stet_stats *t, stet_status st)
{
    t->cancelled_requests += st == STET_E_CANCELLED;
    t->expired_requests += st == STET_E_DEADLINE;
    t->failed_requests += st != STET_OK && st != STET_E_CANCELLED && st != STET_E_DEADLINE;
}

static stet_status seal_result(void *ctx, stet_error *err)
{
    const struct work *w = ctx;
    return result_seal(w->r->result, err);
}

/* What only a request in flight needs. */
static void free_request_parts(struct api_request *r)
{
    int64_t before = steti_alloc_thread_balance();
    steti_spans_free(&r->spans);
    steti_buf_free(&r->result->prompt);
    result_note(r->result, before);
}

static stet_status seal(struct api_lane *l, struct api_request *r, stet_status st)
{
    static const struct result_step step = {.run = seal_result};
    const struct work w = {.l = l, .r = r};
    stet_error e = {.struct_size = sizeof e};
    stet_result *result = r->result;
    result->stats.total_ns = now() - r->submit_ns;
    free_request_parts(r);
    if (st == STET_OK && !r->is_tokens) {
        st = run_step(&w, step, &e);
        if (st != STET_OK) {
            keep_message(result, e.message);
        }
    }
    if (st != STET_OK) {
        keep_message(result, why(st));
        result_strip(result);
    }
    result_settle(result);
    return st;
}

/* With the lock held: the request leaves the lane and the table. */
static void leave(struct api_lane *l, int request)
{
    stet_engine *g = l->engine;
    struct api_request *r = &g->requests[request];
    steti_admission_give(&g->admission, r->tokens_left);
    steti_share_give(&g->shares[l->index], r->tokens_left);
    r->id = 0;
    r->is_added = 0;
    r->next = g->free_list;
    g->free_list = request;
    g->live--;
    l->live--;
}

static void complete(void *ctx, int request, stet_status st)
{
    struct api_lane *l = ctx;
    stet_engine *g = l->engine;
    struct api_request *r = &g->requests[request];
    stet_result *result = r->result;
    stet_cq *cq = r->cq;
    struct api_batch *batch = r->batch;
    size_t index = r->index;
    if (st == STET_E_DEVICE && lane_move(l, request)) {
        return;
    }
    result->status = seal(l, r, st);
    pthread_mutex_lock(&g->lock);
    if (result->status == STET_OK) {
        add_totals(&g->totals, &result->stats);
    }
    count_end(&g->totals, result->status);
    engine_publish(l);
    leave(l, request);
    if (batch != NULL) {
        batch_take(batch, index, result);
    }
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
    if (cq != NULL) {
        cq_put(cq, result);
    }
}

const struct steti_sched_ops engine_work_ops = {.begin = begin,
                                                .encode = encode,
                                                .pass = pass,
                                                .passes = passes,
                                                .is_done = is_done,
                                                .finish = finish,
                                                .drop = drop,
                                                .complete = complete};
