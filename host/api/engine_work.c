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

static struct api_request *request_of(stet_engine *g, const struct api_slot *s)
{
    return &g->requests[s->request];
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
static size_t working(const stet_engine *g)
{
    size_t kept = g->pieces.cap > 0 ? steti_alloc_cost(g->pieces.cap * sizeof *g->pieces.data) : 0;
    return g->working_bytes > kept ? g->working_bytes - kept : 0;
}

struct work {
    stet_engine *g;
    struct api_request *r;
    struct api_slot *s;
    int found;
};

/* An accepted request can wait for no memory. */
static stet_status run_step(const struct work *w, struct result_step step, stet_error *err)
{
    stet_status st;
    step.ctx = (void *)(uintptr_t)w;
    step.working = working(w->g);
    st = result_run(w->r->result, &step, err);
    return st == STET_E_BUSY ? STET_E_NOMEM : st;
}

static stet_status read_sentence(void *ctx, stet_error *err)
{
    struct work *w = ctx;
    (void)err; /* the slot's */
    w->found = 0;
    return request_next_sentence(w->g, w->r, w->s, &w->found);
}

static stet_status next_sentence(struct work *w)
{
    static const struct result_step step = {.run = read_sentence, .is_temporary = 1};
    stet_engine *g = w->g;
    stet_status st = run_step(w, step, &w->s->err);
    /* A strange text must not take the working memory from those that come. */
    if (g->working_bytes != 0 && g->pieces.cap > PIECES_KEPT * (size_t)g->options.max_input) {
        steti_pieces_free(&g->pieces);
    }
    return st;
}

static int begin(void *ctx, int request, int slot, int *more)
{
    stet_engine *g = ctx;
    struct api_request *r = &g->requests[request];
    struct api_slot *s = &g->slots[slot];
    struct work w = {.g = g, .r = r, .s = s};
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
        st = steti_engine_begin(g->core, slot, &s->job);
    }
    r->result->stats.tokenize_ns += now() - start;
    if (st != STET_OK) {
        keep_message(r->result, s->err.message);
        return st;
    }
    *more = request_has_more(r);
    return w.found ? steti_engine_source_rows(g->core, s->job.n_src) : 0;
}

static void add_time(stet_engine *g, const int *slots, int n, int is_pass, uint64_t ns)
{
    uint64_t call = is_pass ? ++g->n_passes : ++g->n_encodes;
    for (int i = 0; i < n; i++) {
        struct api_request *r = request_of(g, &g->slots[slots[i]]);
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
    stet_engine *g = ctx;
    uint64_t start = now();
    steti_engine_encode(g->core, slots, n);
    add_time(g, slots, n, 0, now() - start);
}

static int passes(void *ctx, const int *slots, int n, int most, int until_done)
{
    stet_engine *g = ctx;
    uint64_t start = now();
    int made = steti_engine_passes(g->core, slots, n, most, until_done);
    add_time(g, slots, n, 1, now() - start);
    return made;
}

static void pass(void *ctx, const int *slots, int n)
{
    passes(ctx, slots, n, 1, 1);
}

static int is_done(void *ctx, int slot)
{
    const stet_engine *g = ctx;
    return steti_engine_is_done(g->core, slot);
}

/* The tokens of this sentence no longer stand before those who come. */
static void give_tokens(stet_engine *g, struct api_request *r, const struct api_slot *s)
{
    uint64_t n = r->is_tokens ? r->tokens_left : (s->end - s->begin) / API_BYTES_PER_TOKEN;
    n = n < r->tokens_left ? n : r->tokens_left;
    r->tokens_left -= n;
    pthread_mutex_lock(&g->lock);
    steti_admission_give_tokens(&g->admission, n);
    pthread_mutex_unlock(&g->lock);
}

static stet_status add_output(void *ctx, stet_error *err)
{
    const struct work *w = ctx;
    const struct api_slot *s = w->s;
    struct result_sentence in = {.tokenizer = w->g->model->tokenizer,
                                 .begin = s->begin,
                                 .end = s->end,
                                 .seq = s->seq,
                                 .pieces = s->pieces,
                                 .n_pieces = s->n_pieces,
                                 .job = &s->job,
                                 .min_edit_score = w->g->options.min_edit_score};
    if (w->r->is_tokens) {
        return result_set_tokens(w->r->result, &s->job, err);
    }
    return result_add_sentence(w->r->result, &in, err);
}

static stet_status take_output(stet_engine *g, struct api_request *r, struct api_slot *s)
{
    const struct work w = {.g = g, .r = r, .s = s};
    static const struct result_step step = {.run = add_output};
    return run_step(&w, step, &s->err);
}

static stet_status finish(void *ctx, int slot)
{
    stet_engine *g = ctx;
    struct api_slot *s = &g->slots[slot];
    struct api_request *r = request_of(g, s);
    stet_status st = s->job.status;
    steti_engine_end(g->core, slot);
    if (st == STET_OK && g->options.verify) {
        st = steti_engine_verify(g->core, slot, &s->job);
    }
    g->device_failed |= st == STET_E_DEVICE;
    if (st == STET_OK) {
        st = take_output(g, r, s);
    }
    if (st != STET_OK) {
        keep_message(r->result, s->err.message);
    }
    give_tokens(g, r, s);
    return st;
}

static void drop(void *ctx, int slot)
{
    stet_engine *g = ctx;
    steti_engine_end(g->core, slot);
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

static stet_status seal(stet_engine *g, struct api_request *r, stet_status st)
{
    static const struct result_step step = {.run = seal_result};
    const struct work w = {.g = g, .r = r};
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

static void complete(void *ctx, int request, stet_status st)
{
    stet_engine *g = ctx;
    struct api_request *r = &g->requests[request];
    stet_result *result = r->result;
    stet_cq *cq = r->cq;
    struct api_batch *batch = r->batch;
    size_t index = r->index;
    result->status = seal(g, r, st);
    pthread_mutex_lock(&g->lock);
    if (result->status == STET_OK) {
        add_totals(&g->totals, &result->stats);
    }
    count_end(&g->totals, result->status);
    engine_publish(g);
    steti_admission_give(&g->admission, r->tokens_left);
    r->id = 0;
    r->is_added = 0;
    r->next = g->free_list;
    g->free_list = request;
    g->live--;
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
