/* alloc.h - the only door to the heap.
 *
 * All memory of the library passes through these calls, so that a host program can supply its own
 * allocator (stet_set_hooks) and tests can make the Nth allocation fail. Blocks are aligned to
 * STETI_ALIGN bytes. Safe from any thread.
 */
#ifndef STETI_ALLOC_H
#define STETI_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define STETI_ALIGN 64u

/* NULL when out of memory or when size overflows. A size of 0 returns a valid block. */
void *steti_malloc(size_t size);
void *steti_calloc(size_t count, size_t size); /* zeroed; count * size is checked for overflow */
void *steti_realloc(void *p, size_t size);     /* p may be NULL; on failure p stays valid */
void steti_free(void *p);                      /* NULL is legal */

/* Grows *p (capacity *cap elements of `elem` bytes) to at least `need` elements, by doubling. */
stet_status steti_grow(void **p, size_t *cap, size_t need, size_t elem, stet_error *err);

/* Copies n bytes and adds a NUL. */
char *steti_strndup(const char *s, size_t n);

/* Installs the host's allocator. Only before the first allocation; see stet_set_hooks. */
void steti_alloc_set_hooks(void *(*mem_alloc)(void *, size_t, size_t),
                           void (*mem_free)(void *, void *, size_t), void *ctx);

/* For tests and statistics. Live and peak count the bytes asked for by callers. */
struct steti_alloc_stats {
    uint64_t calls;      /* allocations asked for so far, failed ones included */
    uint64_t live_count; /* blocks not freed yet */
    uint64_t live_bytes;
    uint64_t peak_bytes;
};
void steti_alloc_get_stats(struct steti_alloc_stats *out);

/* Bytes that this thread asked the system or the host for, headers included, less what it gave
 * back: the difference of two values is what the code between them holds. */
int64_t steti_alloc_thread_balance(void);

/* From now on, allocations of this thread fail that would bring its balance over `most`;
 * INT64_MAX: none. Returns how many bytes the first one refused since the last call was over, 0
 * when none was. */
uint64_t steti_alloc_thread_limit(int64_t most);

/* What a block of this size costs, header included. */
size_t steti_alloc_cost(size_t size);

/* Fail-the-Nth mode: the nth allocation from now (1 = the next one) and, when `sticky`, all after
 * it return NULL. 0 switches the mode off. */
void steti_alloc_fail_nth(uint64_t nth, int sticky);

#endif
