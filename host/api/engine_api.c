#include <math.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "engine_state.h"
#include "languages.h"
#include "thread.h"

#define DEFAULT_LENGTH 256 /* tokens, where the model has positions for as many */
#define WORKING_BYTES 65536u
#define WORKING_BYTES_A_TOKEN 2048u
#define LEAST_REQUEST_BYTES 65536u
/* More than headers and rounding of an engine's blocks ever were, whatever the options. */
#define BLOCKS_BYTES 65536u
#define BLOCKS_BYTES_A_THREAD 256u

/* What the folder says of the length of outputs, where it says something. Its length counts start
 * tokens, of which an engine with a target language may have one more. */
static int usual_output(const struct steti_spec *spec, const struct steti_around *a, int usual,
                        int most)
{
    int asked = spec->generation.max_out - (a->start.n - spec->start.n);
    int out = spec->generation.max_out > 0 ? asked : usual;
    most = most < API_MAX_TOKENS ? most : API_MAX_TOKENS;
    out = out > 1 + spec->forced_end ? out : 1 + spec->forced_end;
    return out < most ? out : most;
}

/* Sentences and outputs must fit into the position table, with the special tokens around them. */
static stet_status resolve_lengths(const stet_model *m, const struct steti_around *a,
                                   struct api_options *o, stet_error *err)
{
    int around = steti_around_rows(a) > a->start.n ? steti_around_rows(a) : a->start.n;
    int most = steti_model_max_positions(m->net) - around;
    int usual = most < DEFAULT_LENGTH ? most : DEFAULT_LENGTH;
    o->max_input = o->max_input > 0 ? o->max_input : usual;
    o->max_output =
        o->max_output > 0 ? o->max_output : usual_output(steti_model_spec(m->net), a, usual, most);
    if (o->max_input > most || o->max_output > most) {
        return steti_fail(err, STET_E_INVALID,
                          "option %s: the model has positions for at most %d tokens",
                          o->max_input > most ? "max_input_length" : "max_decoding_length", most);
    }
    return STET_OK;
}

/* What no option says the folder may. */
static stet_status resolve_folder(const stet_model *m, struct api_options *o, stet_error *err)
{
    if (o->task != NULL) {
        STETI_TRY(steti_folder_task(&m->settings, o->task, &o->prompt, err));
    }
    o->prompt = o->prompt != NULL ? o->prompt : m->settings.prompt;
    o->min_edit_score = isnan(o->min_edit_score) ? m->settings.min_edit_score : o->min_edit_score;
    o->scores |= o->min_edit_score > -INFINITY;
    return STET_OK;
}

/* For tokenizing and aligning one sentence at a time. */
size_t engine_working_bytes(const struct api_options *o)
{
    return WORKING_BYTES + WORKING_BYTES_A_TOKEN * ((size_t)o->max_input + (size_t)o->max_output);
}

static size_t all_working_bytes(const stet_model *m, const struct api_options *o)
{
    return engine_working_bytes(o) * (size_t)m->options.devices.n;
}

size_t api_least_memory(const stet_model *m, const struct api_options *o, size_t engine)
{
    return m->bytes + engine + all_working_bytes(m, o) + LEAST_REQUEST_BYTES;
}

static stet_status check_memory(const stet_model *m, const struct api_options *o, size_t engine,
                                stet_error *err)
{
    size_t total = api_least_memory(m, o, engine);
    if (o->memory_limit != 0 && total > o->memory_limit) {
        return steti_fail(err, STET_E_NOMEM,
                          "memory_limit is %zu bytes, but %zu are needed (model %zu, engine %zu, "
                          "requests at least %u); lower batch_size, queue_size, max_input_length "
                          "or max_decoding_length",
                          o->memory_limit, total, m->bytes, engine + all_working_bytes(m, o),
                          LEAST_REQUEST_BYTES);
    }
    return STET_OK;
}

stet_status api_plan_engine(const stet_model *m, struct api_options *o,
                            const struct steti_backend *backend, struct api_plan *plan,
                            stet_error *err)
{
    memset(plan, 0, sizeof *plan);
    STETI_TRY(resolve_folder(m, o, err));
    STETI_TRY(language_around(m->tokenizer, steti_model_spec(m->net), o, &plan->around, err));
    STETI_TRY(resolve_lengths(m, &plan->around, o, err));
    plan->engine = (struct steti_engine_options){.draft = o->draft,
                                                 .draft_window = o->draft_window,
                                                 .batch_size = o->batch_size,
                                                 .max_src = o->max_input,
                                                 .max_out = o->max_output,
                                                 .verify = o->verify,
                                                 .scores = o->scores,
                                                 .clock = steti_clock_system(),
                                                 .pieces = m->pieces.data,
                                                 .n_pieces = m->pieces.n,
                                                 .spelling = &m->pieces.spelling,
                                                 .around = &plan->around};
    plan->bytes = steti_engine_bytes(steti_model_spec(m->net), &plan->engine);
    if (plan->bytes == 0) {
        return steti_fail(
            err, STET_E_INVALID,
            "batch_size %d with these lengths needs more memory than can be addressed",
            o->batch_size);
    }
    /* The first device has as many threads as any, so nowhere is more scratch. */
    plan->bytes += steti_engine_scratch_bytes(m->net, backend, &plan->engine);
    plan->bytes += BLOCKS_BYTES + BLOCKS_BYTES_A_THREAD * (size_t)api_device_options(m, 0).threads;
    plan->bytes += lane_slots_bytes(o) + lane_prompt_bytes(m, o) +
                   steti_sched_bytes(o->queue_size, o->batch_size) + sizeof(struct api_lane) +
                   sizeof(struct steti_share);
    plan->bytes *= (size_t)m->options.devices.n;
    plan->bytes += engine_prompt_bytes(o) + (size_t)o->queue_size * sizeof(struct api_request) +
                   sizeof(stet_engine);
    return check_memory(m, o, plan->bytes, err);
}

static stet_status open_lanes(stet_engine *g, stet_error *err)
{
    struct api_plan plan;
    STETI_TRY(engine_lanes_open(g, &plan, err));
    g->reserved_bytes = plan.bytes;
    g->options.source_language = g->options.target_language = NULL; /* the caller's strings */
    return STET_OK;
}

static stet_status open_table(stet_engine *g, stet_error *err)
{
    size_t n = (size_t)g->options.queue_size;
    g->requests = steti_calloc(n, sizeof *g->requests);
    if (g->requests == NULL) {
        return steti_fail_nomem(err, "the table of requests", n * sizeof *g->requests);
    }
    for (size_t i = 0; i < n; i++) {
        g->requests[i].next = i + 1 < n ? (int)i + 1 : -1;
    }
    g->admission =
        (struct steti_admission){.max_requests = n,
                                 .max_tokens = (uint64_t)g->options.queue_tokens,
                                 .max_delay_ns = (uint64_t)g->options.queue_delay_ms * 1000000u,
                                 .ns_per_token = steti_share_ns_per_token(g->shares, g->n_lanes)};
    return STET_OK;
}

/* What is left of memory_limit belongs to the requests. */
static stet_status open_budget(stet_engine *g, int64_t balance_before, stet_error *err)
{
    size_t limit = g->options.memory_limit;
    g->budget = budget_new();
    if (g->budget == NULL) {
        return steti_fail_nomem(err, "an engine", sizeof *g);
    }
    g->memory_bytes = (size_t)(steti_alloc_thread_balance() - balance_before);
    /* The figure that creation asked for stays the one that counts. */
    g->reserved_bytes = g->reserved_bytes > g->memory_bytes ? g->reserved_bytes : g->memory_bytes;
    STETI_TRY(check_memory(g->model, &g->options, g->reserved_bytes, err));
    if (limit != 0) {
        g->working_bytes = engine_working_bytes(&g->options);
        budget_set_limit(g->budget, limit - g->model->bytes - g->reserved_bytes -
                                        all_working_bytes(g->model, &g->options));
    }
    return STET_OK;
}

static stet_status open_engine(stet_engine *g, int64_t balance_before, stet_error *err)
{
    STETI_TRY(open_lanes(g, err));
    STETI_TRY(open_table(g, err));
    STETI_TRY(engine_prompt_open(g, err));
    STETI_TRY(open_budget(g, balance_before, err));
    return engine_lanes_start(g, err);
}

static void close_engine(stet_engine *g)
{
    engine_lanes_stop(g);
    engine_lanes_close(g);
    steti_free(g->prompt);
    stet_model_release(g->model);
    budget_release(g->budget);
    steti_free(g->requests);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    steti_free(g);
}

static int init_locks(stet_engine *g)
{
    int rc = pthread_mutex_init(&g->lock, NULL);
    return rc == 0 ? steti_cond_init(&g->changed) : rc;
}

stet_status stet_engine_create(stet_model *model, const stet_option *options, size_t n_options,
                               stet_engine **out, stet_error *err)
{
    int64_t before = steti_alloc_thread_balance();
    stet_engine *g;
    stet_error local;
    stet_status st;
    err = api_error(err, &local);
    if (out != NULL) {
        *out = NULL;
    }
    if (model == NULL || out == NULL) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_engine_create: model and out must not be NULL");
    }
    g = steti_calloc(1, sizeof *g);
    if (g == NULL || init_locks(g) != 0) {
        steti_free(g);
        return steti_fail_nomem(err, "an engine", sizeof *g);
    }
    g->pid = getpid();
    g->model = model;
    stet_model_retain(model);
    api_options_defaults(&g->options);
    STETI_TRY_GOTO(api_options_parse(options, n_options, API_SCOPE_ENGINE, &g->options, err), st,
                   fail);
    STETI_TRY_GOTO(open_engine(g, before, err), st, fail);
    *out = g;
    return STET_OK;
fail:
    close_engine(g);
    return st;
}

stet_status engine_enter(stet_engine *g, stet_error *err)
{
    if (g->pid != getpid()) {
        /* another thread may have held the lock when the process was forked */
        return steti_fail(err, STET_E_FORKED,
                          "the engine was made before fork(); create one in this process");
    }
    pthread_mutex_lock(&g->lock);
    g->callers++;
    pthread_mutex_unlock(&g->lock);
    return STET_OK;
}

void engine_leave(stet_engine *g)
{
    pthread_mutex_lock(&g->lock);
    if (--g->callers == 0) {
        pthread_cond_broadcast(&g->changed);
    }
    pthread_mutex_unlock(&g->lock);
}

void stet_engine_destroy(stet_engine *engine)
{
    if (engine == NULL || engine->pid != getpid()) {
        return; /* a child of fork() has none of the engine's threads to join */
    }
    pthread_mutex_lock(&engine->lock);
    engine->is_closing = 1;
    while (engine->callers > 0) {
        pthread_cond_wait(&engine->changed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    close_engine(engine);
}

/* A driver that has no request left may still have to put the last event into its queue. */
static int is_drained(const stet_engine *g)
{
    return g->admission.requests == 0 && g->n_driving == 0;
}

stet_status stet_engine_drain(stet_engine *engine, uint64_t deadline_ns, stet_error *err)
{
    stet_error local;
    uint64_t left;
    int done;
    err = api_error(err, &local);
    if (engine == NULL) {
        return steti_fail(err, STET_E_INVALID, "stet_engine_drain: engine must not be NULL");
    }
    STETI_TRY(engine_enter(engine, err));
    pthread_mutex_lock(&engine->lock);
    engine->is_draining = 1;
    while (!is_drained(engine)) {
        if (deadline_ns == 0) {
            pthread_cond_wait(&engine->changed, &engine->lock);
        } else if (steti_cond_wait_until(&engine->changed, &engine->lock, deadline_ns) != 0) {
            break;
        }
    }
    done = is_drained(engine);
    left = engine->admission.requests;
    pthread_mutex_unlock(&engine->lock);
    engine_leave(engine);
    return done ? STET_OK
                : steti_fail(err, STET_E_DEADLINE, "%llu requests are still in flight",
                             (unsigned long long)left);
}
