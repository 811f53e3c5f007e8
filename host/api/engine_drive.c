/* Who does the engine's work, and the loop that does it. */
#include <string.h>

#include "engine_state.h"

static uint64_t now(void)
{
    return steti_now(steti_clock_system());
}

/* With the lock held: new requests from the inbox to the scheduler. */
static void empty_inbox(struct api_lane *l)
{
    stet_engine *g = l->engine;
    for (int i = l->inbox_first; i >= 0; i = g->requests[i].next) {
        struct api_request *r = &g->requests[i];
        struct steti_sched_request in = {
            .arrival_ns = r->submit_ns, .deadline_ns = r->deadline_ns, .priority = r->priority};
        r->is_added = 1;
        steti_sched_add(l->sched, i, &in);
    }
    l->inbox_first = -1;
    l->inbox_last = -1;
}

/* With the lock held, which is given up for each request that is ended: its end takes it. */
static void end_cancelled(struct api_lane *l)
{
    stet_engine *g = l->engine;
    l->n_cancels = 0;
    for (int i = 0; i < g->options.queue_size; i++) {
        struct api_request *r = &g->requests[i];
        if (r->is_added && r->is_cancelled && r->lane == l->index) {
            pthread_mutex_unlock(&g->lock);
            steti_sched_end(l->sched, i, STET_E_CANCELLED);
            pthread_mutex_lock(&g->lock);
        }
    }
}

void engine_publish(struct api_lane *l)
{
    stet_engine *g = l->engine;
    struct steti_counts counts;
    steti_engine_totals(l->core, &counts, &l->times);
    l->running = (size_t)steti_sched_running(l->sched);
    g->shares[l->index].ns_per_token = steti_sched_ns_per_token(l->sched);
    g->admission.ns_per_token = steti_share_ns_per_token(g->shares, g->n_lanes);
}

static void step(struct api_lane *l)
{
    stet_engine *g = l->engine;
    empty_inbox(l);
    if (l->n_cancels > 0) {
        end_cancelled(l);
    }
    pthread_mutex_unlock(&g->lock);
    if (l->device_failed) {
        steti_sched_end_all(l->sched, STET_E_DEVICE);
    } else {
        steti_sched_step(l->sched);
    }
    pthread_mutex_lock(&g->lock);
    engine_publish(l);
}

static int must_go_on(const struct api_lane *l, const struct api_batch *batch)
{
    return l->live > 0 && !l->engine->is_stopping &&
           (batch == NULL || batch->pending > batch->refill);
}

void engine_drive(struct api_lane *l, const struct api_batch *batch)
{
    stet_engine *g = l->engine;
    if (g->n_driving++ == 0) {
        g->driving_since = now();
    }
    l->is_driving = 1;
    do {
        step(l);
    } while (must_go_on(l, batch));
    l->is_driving = 0;
    if (--g->n_driving == 0) {
        g->totals.total_ns += now() - g->driving_since;
    }
    pthread_cond_broadcast(&g->changed);
    engine_wake(l);
}

void engine_wake(struct api_lane *l)
{
    if (!l->is_driving && l->live > 0) {
        pthread_cond_signal(&l->work);
    }
}

/* With several lanes a call that drove one would leave the others' work to their threads anyway,
 * and be held up in its lane by work of others while its own is done elsewhere. */
int engine_is_free(const stet_engine *g)
{
    return g->n_lanes == 1 && !g->lanes[0].is_driving;
}

void *engine_thread(void *lane)
{
    struct api_lane *l = lane;
    stet_engine *g = l->engine;
    pthread_mutex_lock(&g->lock);
    while (!g->is_stopping) {
        if (l->is_driving || l->live == 0) {
            pthread_cond_wait(&l->work, &g->lock);
        } else {
            engine_drive(l, NULL);
        }
    }
    /* Nobody else is in the engine: destroy has waited for all calls, and no lane hands requests to
     * another any more. */
    empty_inbox(l);
    pthread_mutex_unlock(&g->lock);
    steti_sched_end_all(l->sched, STET_E_SHUTDOWN);
    return NULL;
}
