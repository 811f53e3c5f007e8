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
static size_t working_bytes(const struct api_options *o)
{
    return WORKING_BYTES + WORKING_BYTES_A_TOKEN * ((size_t)o->max_input + (size_t)o->max_output);
}

size_t api_least_memory(const stet_model *m, const struct api_options *o, size_t engine)
{
    return m->bytes + engine + working_bytes(o) + LEAST_REQUEST_BYTES;
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
                          o->memory_limit, total, m->bytes, engine + working_bytes(o),
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
    plan->bytes += steti_engine_scratch_bytes(m->net, backend, &plan->engine);
    plan->bytes += BLOCKS_BYTES + BLOCKS_BYTES_A_THREAD * (size_t)api_threads(&m->options);
    plan->bytes += engine_slots_bytes(o) + engine_prompt_bytes(o) +
                   (size_t)o->queue_size * sizeof(struct api_request) +
                   steti_sched_bytes(o->queue_size, o->batch_size) + sizeof(stet_engine);
    return check_memory(m, o, plan->bytes, err);
}

static stet_status open_core(stet_engine *g, stet_error *err)
{
    struct steti_backend_options bo = {.threads = api_threads(&g->model->options),
                                       .device_index = g->model->options.device_index};
    struct api_plan plan;
    STETI_TRY(g->model->ops->open(&bo, &g->backend, err));
    STETI_TRY(api_plan_engine(g->model, &g->options, g->backend, &plan, err));
    g->reserved_bytes = plan.bytes;
    g->options.source_language = g->options.target_language = NULL; /* the caller's strings */
    return steti_engine_open(g->model->net, g->backend, &plan.engine, &g->core, err);
}

static stet_status open_scheduler(stet_engine *g, stet_error *err)
{
    struct steti_backend_caps caps;
    struct steti_sched_options o = {.max_requests = g->options.queue_size,
                                    .n_slots = g->options.batch_size,
                                    .encode_rows = steti_engine_encode_rows(g->core),
                                    .max_tokens = g->options.batch_tokens,
                                    .most_passes = steti_engine_most_passes(g->core),
                                    .clock = steti_clock_system(),
                                    .ops = &engine_work_ops,
                                    .ctx = g};
    g->model->ops->caps(g->backend, &caps);
    o.encode_worth = caps.row_tile;
    return steti_sched_open(&o, &g->sched, err);
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
    g->inbox_first = -1;
    g->inbox_last = -1;
    g->admission =
        (struct steti_admission){.max_requests = n,
                                 .max_tokens = (uint64_t)g->options.queue_tokens,
                                 .max_delay_ns = (uint64_t)g->options.queue_delay_ms * 1000000u,
                                 .ns_per_token = steti_sched_ns_per_token(g->sched)};
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
        g->working_bytes = working_bytes(&g->options);
        budget_set_limit(g->budget, limit - g->model->bytes - g->reserved_bytes - g->working_bytes);
    }
    return STET_OK;
}

static stet_status open_engine(stet_engine *g, int64_t balance_before, stet_error *err)
{
    int rc;
    STETI_TRY(open_core(g, err));
    STETI_TRY(open_scheduler(g, err));
    STETI_TRY(open_table(g, err));
    STETI_TRY(engine_slots_open(g, err));
    STETI_TRY(engine_prompt_open(g, err));
    STETI_TRY(open_budget(g, balance_before, err));
    rc = steti_thread_start(&g->thread, engine_thread, g);
    if (rc != 0) {
        return steti_fail(err, STET_E_NOMEM, "the engine's thread cannot be started: %s",
                          strerror(rc));
    }
    g->has_thread = 1;
    return STET_OK;
}

static void close_engine(stet_engine *g)
{
    engine_prompt_close(g);
    engine_slots_close(g);
    steti_sched_close(g->sched);
    steti_engine_close(g->core);
    g->model->ops->close(g->backend);
    stet_model_release(g->model);
    budget_release(g->budget);
    steti_free(g->requests);
    pthread_cond_destroy(&g->changed);
    pthread_cond_destroy(&g->work);
    pthread_mutex_destroy(&g->lock);
    steti_free(g);
}

static int init_locks(stet_engine *g)
{
    int rc = pthread_mutex_init(&g->lock, NULL);
    rc = rc == 0 ? steti_cond_init(&g->work) : rc;
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
    engine->is_stopping = 1;
    pthread_cond_signal(&engine->work);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    close_engine(engine);
}

/* A driver that has no request left may still have to put the last event into its queue. */
static int is_drained(const stet_engine *g)
{
    return g->admission.requests == 0 && !g->is_driving;
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

int32_t stet_engine_health(const stet_engine *engine)
{
    stet_engine *g = (stet_engine *)(uintptr_t)engine;
    int32_t health;
    if (engine == NULL) {
        return STET_E_INVALID;
    }
    if (engine->pid != getpid()) {
        return STET_E_FORKED;
    }
    pthread_mutex_lock(&g->lock);
    health = g->is_dead                        ? STET_HEALTH_DEAD
             : g->is_draining || g->is_closing ? STET_HEALTH_DRAINING
                                               : STET_HEALTH_READY;
    pthread_mutex_unlock(&g->lock);
    return health;
}

static stet_status copy_stats(const stet_stats *from, stet_stats *out)
{
    uint32_t size = out->struct_size;
    if (size < offsetof(stet_stats, requests) || size > sizeof *out) {
        return STET_E_INVALID;
    }
    memcpy(out, from, size);
    out->struct_size = size;
    return STET_OK;
}

stet_status stet_engine_stats(stet_engine *engine, stet_stats *out)
{
    stet_stats now;
    if (engine == NULL || out == NULL) {
        return STET_E_INVALID;
    }
    STETI_TRY(engine_enter(engine, NULL));
    pthread_mutex_lock(&engine->lock);
    now = engine->totals;
    now.memory_bytes = engine->memory_bytes;
    if (engine->is_driving) {
        now.total_ns += steti_now(steti_clock_system()) - engine->driving_since;
    }
    /* What was running when the driver last said so may be completed by now. */
    now.running = engine->running < engine->live ? engine->running : engine->live;
    now.waiting = engine->live - now.running;
    pthread_mutex_unlock(&engine->lock);
    engine_leave(engine);
    return copy_stats(&now, out);
}

stet_status stet_result_stats(const stet_result *result, stet_stats *out)
{
    return result == NULL || out == NULL ? STET_E_INVALID : copy_stats(&result->stats, out);
}
