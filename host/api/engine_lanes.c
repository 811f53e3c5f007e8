/* Lanes: what an engine has on each of its model's devices. */
#include <string.h>

#include "alloc.h"
#include "engine_state.h"
#include "thread.h"

static stet_status open_context(struct api_lane *l, int device, stet_error *err)
{
    const stet_model *m = l->engine->model;
    struct steti_backend_caps caps;
    STETI_TRY(api_context_open(m, device, &l->backend, err));
    m->ops->caps(l->backend, &caps);
    memcpy(l->name, caps.name, sizeof l->name);
    l->device_index = m->options.devices.index[device];
    l->net = api_model_net(m, device);
    return STET_OK;
}

static stet_status open_scheduler(struct api_lane *l, stet_error *err)
{
    const struct api_options *g = &l->engine->options;
    struct steti_backend_caps caps;
    struct steti_sched_options o = {.max_requests = g->queue_size,
                                    .n_slots = g->batch_size,
                                    .encode_rows = steti_engine_encode_rows(l->core),
                                    .max_tokens = g->batch_tokens,
                                    .most_passes = steti_engine_most_passes(l->core),
                                    .clock = steti_clock_system(),
                                    .ops = &engine_work_ops,
                                    .ctx = l};
    l->engine->model->ops->caps(l->backend, &caps);
    o.encode_worth = caps.row_tile;
    return steti_sched_open(&o, &l->sched, err);
}

static stet_status open_lane(struct api_lane *l, const struct api_plan *plan, stet_error *err)
{
    stet_engine *g = l->engine;
    if (steti_cond_init(&l->work) != 0) {
        return steti_fail_nomem(err, "an engine", sizeof *l);
    }
    l->has_cond = 1;
    l->inbox_first = -1;
    l->inbox_last = -1;
    STETI_TRY(steti_engine_open(l->net, l->backend, &plan->engine, &l->core, err));
    STETI_TRY(open_scheduler(l, err));
    STETI_TRY(lane_slots_open(l, err));
    STETI_TRY(lane_prompt_open(l, err));
    g->shares[l->index].ns_per_token = steti_sched_ns_per_token(l->sched);
    return STET_OK;
}

stet_status engine_lanes_open(stet_engine *g, struct api_plan *plan, stet_error *err)
{
    int n = g->model->options.devices.n;
    g->lanes = steti_calloc((size_t)n, sizeof *g->lanes);
    g->shares = steti_calloc((size_t)n, sizeof *g->shares);
    if (g->lanes == NULL || g->shares == NULL) {
        return steti_fail_nomem(err, "an engine", (size_t)n * sizeof *g->lanes);
    }
    g->n_lanes = n;
    for (int i = 0; i < n; i++) {
        g->lanes[i].engine = g;
        g->lanes[i].index = i;
        STETI_TRY(open_context(&g->lanes[i], i, err));
        if (i == 0) {
            STETI_TRY(api_plan_engine(g->model, &g->options, g->lanes[0].backend, plan, err));
        }
        STETI_TRY(open_lane(&g->lanes[i], plan, err));
    }
    return STET_OK;
}

stet_status engine_lanes_start(stet_engine *g, stet_error *err)
{
    for (int i = 0; i < g->n_lanes; i++) {
        struct api_lane *l = &g->lanes[i];
        int rc = steti_thread_start(&l->thread, engine_thread, l);
        if (rc != 0) {
            return steti_fail(err, STET_E_NOMEM, "the engine's thread cannot be started: %s",
                              strerror(rc));
        }
        l->has_thread = 1;
    }
    return STET_OK;
}

void engine_lanes_stop(stet_engine *g)
{
    pthread_mutex_lock(&g->lock);
    g->is_stopping = 1;
    for (int i = 0; i < g->n_lanes; i++) {
        if (g->lanes[i].has_cond) {
            pthread_cond_signal(&g->lanes[i].work);
        }
    }
    pthread_mutex_unlock(&g->lock);
    for (int i = 0; i < g->n_lanes; i++) {
        if (g->lanes[i].has_thread) {
            pthread_join(g->lanes[i].thread, NULL);
        }
    }
}

void engine_lanes_close(stet_engine *g)
{
    for (int i = g->n_lanes - 1; i >= 0; i--) {
        struct api_lane *l = &g->lanes[i];
        steti_free(l->mended);
        steti_free(l->joined);
        lane_slots_close(l);
        steti_sched_close(l->sched);
        steti_engine_close(l->core);
        g->model->ops->close(l->backend);
        if (l->has_cond) {
            pthread_cond_destroy(&l->work);
        }
    }
    steti_free(g->shares);
    steti_free(g->lanes);
}
