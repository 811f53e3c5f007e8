#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "api_internal.h"

#define DEFAULT_LENGTH 256 /* tokens, where the model has positions for as many */

/* Sentences and outputs must fit into the position table: start or end-of-sentence token
 * included. */
static stet_status resolve_lengths(const stet_model *m, struct api_options *o, stet_error *err)
{
    int most = steti_model_max_positions(m->net) - 1;
    int usual = most < DEFAULT_LENGTH ? most : DEFAULT_LENGTH;
    o->max_input = o->max_input > 0 ? o->max_input : usual;
    o->max_output = o->max_output > 0 ? o->max_output : usual;
    if (o->max_input > most || o->max_output > most) {
        return steti_fail(err, STET_E_INVALID,
                          "option %s: the model has positions for at most %d tokens",
                          o->max_input > most ? "max_input_length" : "max_decoding_length", most);
    }
    return STET_OK;
}

static stet_status check_memory(const stet_model *m, const struct api_options *o,
                                const struct api_plan *plan, stet_error *err)
{
    struct steti_backend_caps caps;
    size_t total;
    m->ops->caps(m->backend, &caps);
    total = plan->bytes + caps.weight_bytes;
    if (plan->bytes == 0) {
        return steti_fail(
            err, STET_E_INVALID,
            "batch_size %d with these lengths needs more memory than can be addressed",
            o->batch_size);
    }
    if (o->memory_limit != 0 && total > o->memory_limit) {
        return steti_fail(err, STET_E_NOMEM,
                          "memory_limit is %zu bytes, but %zu are needed (weights %zu, engine "
                          "%zu); lower batch_size, max_input_length or max_decoding_length",
                          o->memory_limit, total, caps.weight_bytes, plan->bytes);
    }
    return STET_OK;
}

stet_status api_plan_engine(const stet_model *m, struct api_options *o,
                            const struct steti_backend *backend, struct api_plan *plan,
                            stet_error *err)
{
    memset(plan, 0, sizeof *plan);
    STETI_TRY(resolve_lengths(m, o, err));
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
                                                 .spelling = &m->pieces.spelling};
    plan->bytes = steti_engine_bytes(steti_model_spec(m->net), &plan->engine);
    if (plan->bytes != 0) { /* the outputs of a chunk of sentences, and their scores */
        plan->bytes += (size_t)API_CHUNK_SENTENCES * ((size_t)o->max_output + 1) * sizeof(float) *
                       (o->scores ? 2 : 1);
        plan->bytes += steti_engine_scratch_bytes(m->net, backend, &plan->engine);
    }
    return check_memory(m, o, plan, err);
}

static stet_status open_core(stet_engine *g, stet_error *err)
{
    struct steti_backend_options bo = {.threads = api_threads(&g->model->options)};
    struct api_plan plan;
    STETI_TRY(g->model->ops->open(&bo, &g->backend, err));
    STETI_TRY(api_plan_engine(g->model, &g->options, g->backend, &plan, err));
    g->memory_bytes = plan.bytes;
    return steti_engine_open(g->model->net, g->backend, &plan.engine, &g->core, err);
}

static void close_engine(stet_engine *g)
{
    steti_engine_close(g->core);
    g->model->ops->close(g->backend);
    stet_model_release(g->model);
    pthread_cond_destroy(&g->idle);
    pthread_mutex_destroy(&g->lock);
    steti_free(g);
}

stet_status stet_engine_create(stet_model *model, const stet_option *options, size_t n_options,
                               stet_engine **out, stet_error *err)
{
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
    if (g == NULL) {
        return steti_fail_nomem(err, "an engine", sizeof *g);
    }
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->idle, NULL);
    g->pid = getpid();
    g->model = model;
    stet_model_retain(model);
    api_options_defaults(&g->options);
    STETI_TRY_GOTO(api_options_parse(options, n_options, API_SCOPE_ENGINE, &g->options, err), st,
                   fail);
    STETI_TRY_GOTO(open_core(g, err), st, fail);
    *out = g;
    return STET_OK;
fail:
    close_engine(g);
    return st;
}

/* A call counts from before it waits for the lock, so that destroy waits for it as well. */
static void enter_engine(stet_engine *g)
{
    atomic_fetch_add(&g->callers, 1);
    pthread_mutex_lock(&g->lock);
}

static void leave_engine(stet_engine *g)
{
    if (atomic_fetch_sub(&g->callers, 1) == 1) {
        pthread_cond_broadcast(&g->idle);
    }
    pthread_mutex_unlock(&g->lock);
}

void stet_engine_destroy(stet_engine *engine)
{
    if (engine == NULL || engine->pid != getpid()) {
        return; /* a child of fork() has none of the engine's threads to join */
    }
    pthread_mutex_lock(&engine->lock);
    while (atomic_load(&engine->callers) > 0) {
        pthread_cond_wait(&engine->idle, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    close_engine(engine);
}

static stet_status check_call(const stet_engine *g, const stet_request *requests, size_t n,
                              stet_result **results, stet_error *err)
{
    if (g == NULL || (n > 0 && (requests == NULL || results == NULL))) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_correct_batch: engine, requests and results must not be NULL");
    }
    if (g->pid != getpid()) {
        return steti_fail(err, STET_E_FORKED,
                          "the engine was made before fork(); create one in this process");
    }
    return STET_OK;
}

stet_status stet_correct_batch(stet_engine *engine, const stet_request *requests, size_t n,
                               stet_result **results, stet_status *statuses, stet_error *err)
{
    stet_error local;
    stet_status st;
    err = api_error(err, &local);
    st = check_call(engine, requests, n, results, err);
    for (size_t i = 0; i < n; i++) {
        if (results != NULL) {
            results[i] = NULL;
        }
        if (statuses != NULL) {
            statuses[i] = st;
        }
    }
    STETI_TRY(st);
    enter_engine(engine);
    st = correct_requests(engine, requests, n, results, statuses, err);
    leave_engine(engine);
    return st;
}

stet_status stet_correct(stet_engine *engine, const char *text, size_t len, stet_result **out,
                         stet_error *err)
{
    stet_request r = {.struct_size = sizeof r, .text = text, .len = len};
    return stet_correct_batch(engine, &r, 1, out, NULL, err);
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
    stet_status st;
    if (engine == NULL || out == NULL) {
        return STET_E_INVALID;
    }
    if (engine->pid != getpid()) {
        /* another thread may have held the lock when the process was forked */
        return STET_E_FORKED;
    }
    enter_engine(engine);
    engine->totals.memory_bytes = engine->memory_bytes;
    st = copy_stats(&engine->totals, out);
    leave_engine(engine);
    return st;
}

stet_status stet_result_stats(const stet_result *result, stet_stats *out)
{
    return result == NULL || out == NULL ? STET_E_INVALID : copy_stats(&result->stats, out);
}
