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

size_t engine_slots_bytes(const struct api_options *o)
{
    return (size_t)o->batch_size * (sizeof(struct api_slot) + layout_of(o).total);
}

stet_status engine_slots_open(stet_engine *g, stet_error *err)
{
    struct layout l = layout_of(&g->options);
    size_t n = (size_t)g->options.batch_size;
    g->slots = steti_calloc(n, sizeof *g->slots);
    g->slot_memory = steti_calloc(n, l.total);
    if (g->slots == NULL || g->slot_memory == NULL) {
        return steti_fail_nomem(err, "the engine's slots", engine_slots_bytes(&g->options));
    }
    for (size_t i = 0; i < n; i++) {
        char *base = (char *)g->slot_memory + i * l.total;
        g->slots[i].pieces = (struct steti_piece *)(void *)base;
        g->slots[i].ids = (int32_t *)(void *)(base + l.ids);
        g->slots[i].out = (int32_t *)(void *)(base + l.out);
        g->slots[i].logprob = g->options.scores ? (float *)(void *)(base + l.logprob) : NULL;
        g->slots[i].err = (stet_error){.struct_size = sizeof(stet_error)};
    }
    return STET_OK;
}

void engine_slots_close(stet_engine *g)
{
    steti_pieces_free(&g->pieces);
    steti_free(g->slot_memory);
    steti_free(g->slots);
}
