#include <string.h>

#include "alloc.h"
#include "engine_state.h"

/* Bytes of one slot's arrays, each aligned for its kind. */
struct layout {
    size_t ids, out, logprob, total;
};

static struct layout layout_of(const struct api_options *o)
{
    struct layout l;
    size_t in = (size_t)o->max_input, out = (size_t)o->max_output;
    l.ids = in * sizeof(struct steti_piece);
    l.out = l.ids + in * sizeof(int32_t);
    l.logprob = l.out + out * sizeof(int32_t);
    l.total = l.logprob + (o->scores ? (out + 1) * sizeof(float) : 0);
    l.total = (l.total + STETI_ALIGN - 1) / STETI_ALIGN * STETI_ALIGN;
    return l;
}

size_t lane_slots_bytes(const struct api_options *o)
{
    return (size_t)o->batch_size * (sizeof(struct api_slot) + layout_of(o).total);
}

stet_status lane_slots_open(struct api_lane *l, stet_error *err)
{
    const struct api_options *o = &l->engine->options;
    struct layout at = layout_of(o);
    size_t n = (size_t)o->batch_size;
    l->slots = steti_calloc(n, sizeof *l->slots);
    l->slot_memory = steti_calloc(n, at.total);
    if (l->slots == NULL || l->slot_memory == NULL) {
        return steti_fail_nomem(err, "the engine's slots", lane_slots_bytes(o));
    }
    for (size_t i = 0; i < n; i++) {
        char *base = (char *)l->slot_memory + i * at.total;
        l->slots[i].pieces = (struct steti_piece *)(void *)base;
        l->slots[i].ids = (int32_t *)(void *)(base + at.ids);
        l->slots[i].out = (int32_t *)(void *)(base + at.out);
        l->slots[i].logprob = o->scores ? (float *)(void *)(base + at.logprob) : NULL;
        l->slots[i].err = (stet_error){.struct_size = sizeof(stet_error)};
    }
    return STET_OK;
}

void lane_slots_close(struct api_lane *l)
{
    steti_pieces_free(&l->pieces);
    steti_free(l->slot_memory);
    steti_free(l->slots);
}
