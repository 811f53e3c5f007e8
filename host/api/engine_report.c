/* What an engine tells about itself: health, devices, counts and times. */
#include <string.h>
#include <unistd.h>

#include "engine_state.h"

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
    health = steti_share_working(g->shares, g->n_lanes) == 0 ? STET_HEALTH_DEAD
             : g->is_draining || g->is_closing               ? STET_HEALTH_DRAINING
                                                             : STET_HEALTH_READY;
    pthread_mutex_unlock(&g->lock);
    return health;
}

/* Structs begin with their size, and an older caller's is smaller. */
static stet_status copy_struct(const void *from, size_t least, size_t most, void *out)
{
    uint32_t size;
    memcpy(&size, out, sizeof size);
    if (size < least || size > most) {
        return STET_E_INVALID;
    }
    memcpy((char *)out + sizeof size, (const char *)from + sizeof size, size - sizeof size);
    return STET_OK;
}

static stet_status copy_stats(const stet_stats *from, stet_stats *out)
{
    return copy_struct(from, offsetof(stet_stats, requests), sizeof *out, out);
}

stet_status stet_engine_device(const stet_engine *engine, size_t i, stet_device_state *out)
{
    stet_engine *g = (stet_engine *)(uintptr_t)engine;
    const struct api_lane *l;
    stet_device_state s = {.struct_size = sizeof s};
    if (engine == NULL || out == NULL) {
        return STET_E_INVALID;
    }
    if (engine->pid != getpid()) {
        return STET_E_FORKED;
    }
    if (i >= (size_t)g->n_lanes) {
        return STET_E_INVALID;
    }
    l = &g->lanes[i];
    memcpy(s.name, l->name, sizeof s.name);
    s.device_index = (uint32_t)l->device_index;
    pthread_mutex_lock(&g->lock);
    s.health = g->shares[i].is_lost ? STET_HEALTH_DEAD : STET_HEALTH_READY;
    s.requests = l->live;
    s.tokens = g->shares[i].tokens;
    s.encoder_calls = l->times.encoder_calls;
    s.batch_passes = l->times.batch_passes;
    memcpy(s.message, l->message, sizeof s.message);
    pthread_mutex_unlock(&g->lock);
    return copy_struct(&s, offsetof(stet_device_state, name), sizeof s, out);
}

/* With the lock held. */
static void add_lane(stet_stats *t, const struct api_lane *l)
{
    /* What was running when the driver last said so may be completed by now. */
    size_t running = l->running < l->live ? l->running : l->live;
    t->running += running;
    t->waiting += l->live - running;
    t->encode_ns += l->times.encode_ns;
    t->decode_ns += l->times.decode_ns;
    t->encoder_calls += l->times.encoder_calls;
    t->batch_passes += l->times.batch_passes;
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
    if (engine->n_driving > 0) {
        now.total_ns += steti_now(steti_clock_system()) - engine->driving_since;
    }
    for (int i = 0; i < engine->n_lanes; i++) {
        add_lane(&now, &engine->lanes[i]);
    }
    pthread_mutex_unlock(&engine->lock);
    engine_leave(engine);
    return copy_stats(&now, out);
}

stet_status stet_result_stats(const stet_result *result, stet_stats *out)
{
    return result == NULL || out == NULL ? STET_E_INVALID : copy_stats(&result->stats, out);
}
