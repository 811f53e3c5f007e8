#include "arena.h"

#include <stdint.h>
#include <string.h>

#include "alloc.h"

size_t steti_arena_cost(size_t size)
{
    return size > SIZE_MAX - STETI_ALIGN ? SIZE_MAX
                                         : (size + STETI_ALIGN - 1) / STETI_ALIGN * STETI_ALIGN;
}

stet_status steti_arena_init(struct steti_arena *a, size_t capacity, stet_error *err)
{
    memset(a, 0, sizeof *a);
    a->base = steti_malloc(capacity);
    if (a->base == NULL) {
        return steti_fail_nomem(err, "working memory", capacity);
    }
    a->capacity = capacity;
    return STET_OK;
}

void steti_arena_free(struct steti_arena *a)
{
    steti_free(a->base);
    memset(a, 0, sizeof *a);
}

void *steti_arena_alloc(struct steti_arena *a, size_t size)
{
    size_t cost = steti_arena_cost(size);
    void *p;
    if (cost > a->capacity - a->used) {
        return NULL;
    }
    p = a->base + a->used;
    a->used += cost;
    if (a->used > a->high_water) {
        a->high_water = a->used;
    }
    return p;
}

size_t steti_arena_mark(const struct steti_arena *a)
{
    return a->used;
}

void steti_arena_rewind(struct steti_arena *a, size_t mark)
{
    if (mark <= a->used) {
        a->used = mark;
    }
}
