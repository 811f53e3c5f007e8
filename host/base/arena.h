/* arena.h - one block, one owner, handed out front to back.
 *
 *   base                       used              high_water        capacity
 *   |== a ==|= b =|=== c ======|.................|.................|
 *                              ^ mark / rewind
 *
 * An arena is sized before the work starts and never grows: a hot loop that allocates from it
 * cannot call the heap. All blocks are 64-byte aligned. Not thread-safe; its owner is.
 */
#ifndef STETI_ARENA_H
#define STETI_ARENA_H

#include <stddef.h>

#include "status.h"

struct steti_arena {
    unsigned char *base;
    size_t capacity;
    size_t used;
    size_t high_water;
};

/* The memory is not cleared: large blocks become resident only where they are touched. */
stet_status steti_arena_init(struct steti_arena *a, size_t capacity, stet_error *err);
void steti_arena_free(struct steti_arena *a); /* legal on a zeroed arena, and twice */

/* NULL when the capacity is used up: a sizing error of the caller. */
void *steti_arena_alloc(struct steti_arena *a, size_t size);

size_t steti_arena_mark(const struct steti_arena *a);
void steti_arena_rewind(struct steti_arena *a, size_t mark);

/* What `size` bytes cost inside an arena: rounded up to the alignment. Use it to size one. */
size_t steti_arena_cost(size_t size);

#endif
