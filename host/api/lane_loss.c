/* What happens when one of several devices fails: its requests are decoded again on the others. */
#include <string.h>

#include "alloc.h"
#include "engine_state.h"
#include "log.h"

void lane_lose(struct api_lane *l, const char *message)
{
    stet_engine *g = l->engine;
    int n;
    if (l->device_failed) {
        return;
    }
    pthread_mutex_lock(&g->lock);
    l->device_failed = 1;
    g->shares[l->index].is_lost = 1;
    strncpy(l->message, message, sizeof l->message - 1);
    engine_publish(l);
    n = steti_share_working(g->shares, g->n_lanes);
    pthread_mutex_unlock(&g->lock);
    if (g->n_lanes > 1) {
        steti_log(n > 0 ? STET_LOG_WARN : STET_LOG_ERROR, "engine",
                  "device_index %d failed, %d of %d devices are left: %s", l->device_index, n,
                  g->n_lanes, l->message);
    }
}

/* Where a request goes from a lost device; -1: nowhere. */
static int choose_lane(stet_engine *g, const struct api_request *r)
{
    int to = -1;
    pthread_mutex_lock(&g->lock);
    if (!g->is_stopping && r->n_losses < STETI_SHARE_MOST_LOSSES) {
        to = steti_share_choose(g->shares, g->n_lanes);
    }
    pthread_mutex_unlock(&g->lock);
    return to;
}

/* As it was when it was handed in. */
static void begin_anew(struct api_request *r)
{
    int64_t before = steti_alloc_thread_balance();
    result_restart(r->result);
    result_note(r->result, before);
    r->next_span = 0;
    r->at = 0;
    r->n_begun = 0;
    r->last_encode = 0;
    r->last_pass = 0;
}

/* With the lock held. */
static void hand_over(struct api_lane *from, struct api_lane *to, int request)
{
    stet_engine *g = from->engine;
    struct api_request *r = &g->requests[request];
    steti_share_give(&g->shares[from->index], r->tokens_left);
    steti_share_take(&g->shares[to->index], r->tokens);
    steti_admission_take_tokens(&g->admission, r->tokens - r->tokens_left);
    r->tokens_left = r->tokens;
    r->is_added = 0;
    from->live--;
    g->live--; /* lane_put counts it again */
    lane_put(to, request);
    to->n_cancels += r->is_cancelled;
    engine_wake(to);
}

int lane_move(struct api_lane *l, int request)
{
    stet_engine *g = l->engine;
    struct api_request *r = &g->requests[request];
    int to, moves;
    r->n_losses += r->is_hit;
    r->is_hit = 0;
    to = choose_lane(g, r);
    if (to < 0) {
        return 0;
    }
    begin_anew(r);
    pthread_mutex_lock(&g->lock);
    moves = !g->is_stopping; /* the other lane's thread may have ended */
    if (moves) {
        hand_over(l, &g->lanes[to], request);
    }
    pthread_mutex_unlock(&g->lock);
    return moves;
}
