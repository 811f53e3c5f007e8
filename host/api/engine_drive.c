/* Who does the engine's work, and the loop that does it. */
#include <string.h>

#include "engine_state.h"

static uint64_t now(void)
{
    return steti_now(steti_clock_system());
}

/* With the lock held: new requests from the inbox to the scheduler. */
static void empty_inbox(stet_engine *g)
{
    for (int i = g->inbox_first; i >= 0; i = g->requests[i].next) {
        struct api_request *r = &g->requests[i];
        struct steti_sched_request in = {
            .arrival_ns = r->submit_ns, .deadline_ns = r->deadline_ns, .priority = r->priority};
        r->is_added = 1;
        steti_sched_add(g->sched, i, &in);
    }
    g->inbox_first = -1;
    g->inbox_last = -1;
}

/* With the lock held, which is given up for each request that is ended: its end takes it. */
static void end_cancelled(stet_engine *g)
{
    g->n_cancels = 0;
    for (int i = 0; i < g->options.queue_size; i++) {
        struct api_request *r = &g->requests[i];
        if (r->is_added && r->is_cancelled) {
            pthread_mutex_unlock(&g->lock);
            steti_sched_end(g->sched, i, STET_E_CANCELLED);
            pthread_mutex_lock(&g->lock);
        }
    }
}

void engine_publish(stet_engine *g)
{
    struct steti_engine_times times;
    struct steti_counts counts;
    steti_engine_totals(g->core, &counts, &times);
    g->totals.encode_ns = times.encode_ns;
    g->totals.decode_ns = times.decode_ns;
    g->totals.encoder_calls = times.encoder_calls;
    g->totals.batch_passes = times.batch_passes;
    g->running = (size_t)steti_sched_running(g->sched);
    g->admission.ns_per_token = steti_sched_ns_per_token(g->sched);
    g->is_dead |= g->device_failed;
}

static void step(stet_engine *g)
{
    int is_dead = g->is_dead;
    empty_inbox(g);
    if (g->n_cancels > 0) {
        end_cancelled(g);
    }
    pthread_mutex_unlock(&g->lock);
    if (is_dead) {
        steti_sched_end_all(g->sched, STET_E_DEVICE);
    } else {
        steti_sched_step(g->sched);
    }
    pthread_mutex_lock(&g->lock);
    engine_publish(g);
}

static int must_go_on(const stet_engine *g, const struct api_batch *batch)
{
    return g->live > 0 && !g->is_stopping && (batch == NULL || batch->pending > batch->refill);
}

void engine_drive(stet_engine *g, const struct api_batch *batch)
{
    g->driving_since = now();
    g->is_driving = 1;
    do {
        step(g);
    } while (must_go_on(g, batch));
    g->is_driving = 0;
    g->totals.total_ns += now() - g->driving_since;
    pthread_cond_broadcast(&g->changed);
    engine_wake(g);
}

void engine_wake(stet_engine *g)
{
    if (!g->is_driving && g->live > 0) {
        pthread_cond_signal(&g->work);
    }
}

void *engine_thread(void *engine)
{
    stet_engine *g = engine;
    pthread_mutex_lock(&g->lock);
    while (!g->is_stopping) {
        if (g->is_driving || g->live == 0) {
            pthread_cond_wait(&g->work, &g->lock);
        } else {
            engine_drive(g, NULL);
        }
    }
    /* Nobody else is in the engine: destroy has waited for all calls. */
    empty_inbox(g);
    pthread_mutex_unlock(&g->lock);
    steti_sched_end_all(g->sched, STET_E_SHUTDOWN);
    return NULL;
}
