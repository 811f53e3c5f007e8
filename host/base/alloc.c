#include "alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Every block is preceded by one aligned header that remembers its size: the host's mem_free wants
 * it back. */
struct header {
    size_t size;
};

static struct {
    void *(*mem_alloc)(void *, size_t, size_t);
    void (*mem_free)(void *, void *, size_t);
    void *ctx;
} hooks;

static _Atomic uint64_t stat_calls, stat_live_count, stat_live_bytes, stat_peak_bytes;
static _Thread_local int64_t thread_balance, thread_most = INT64_MAX;
static _Thread_local uint64_t thread_lacks;
static _Atomic uint64_t fail_at; /* call number that fails; 0 = never */
static _Atomic int fail_sticky;

void steti_alloc_set_hooks(void *(*mem_alloc)(void *, size_t, size_t),
                           void (*mem_free)(void *, void *, size_t), void *ctx)
{
    hooks.mem_alloc = mem_alloc;
    hooks.mem_free = mem_free;
    hooks.ctx = ctx;
}

static int must_fail(uint64_t call)
{
    uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (at == 0 || call < at) {
        return 0;
    }
    return call == at || atomic_load_explicit(&fail_sticky, memory_order_relaxed);
}

static void count_block(size_t size)
{
    uint64_t live = atomic_fetch_add(&stat_live_bytes, size) + size;
    uint64_t peak = atomic_load(&stat_peak_bytes);
    atomic_fetch_add(&stat_live_count, 1);
    while (live > peak && !atomic_compare_exchange_weak(&stat_peak_bytes, &peak, live)) {
    }
}

size_t steti_alloc_cost(size_t size)
{
    return STETI_ALIGN + (size + STETI_ALIGN - 1) / STETI_ALIGN * STETI_ALIGN;
}

static int is_over_limit(size_t total)
{
    int64_t over;
    if (thread_most == INT64_MAX || (int64_t)total <= thread_most - thread_balance) {
        return 0;
    }
    over = (int64_t)total - (thread_most - thread_balance);
    thread_lacks = thread_lacks != 0 ? thread_lacks : (uint64_t)over;
    return 1;
}

uint64_t steti_alloc_thread_limit(int64_t most)
{
    uint64_t lacks = thread_lacks;
    thread_most = most;
    thread_lacks = 0;
    return lacks;
}

void *steti_malloc(size_t size)
{
    uint64_t call = atomic_fetch_add(&stat_calls, 1) + 1;
    size_t total;
    char *block;
    if (must_fail(call) || size > SIZE_MAX / 2 - 2 * STETI_ALIGN) {
        return NULL;
    }
    total = steti_alloc_cost(size);
    if (is_over_limit(total)) {
        return NULL;
    }
    block = hooks.mem_alloc != NULL ? hooks.mem_alloc(hooks.ctx, total, STETI_ALIGN)
                                    : aligned_alloc(STETI_ALIGN, total);
    if (block == NULL) {
        return NULL;
    }
    ((struct header *)(void *)block)->size = size;
    count_block(size);
    thread_balance += (int64_t)total;
    return block + STETI_ALIGN;
}

static struct header *header_of(void *p)
{
    return (struct header *)(void *)((char *)p - STETI_ALIGN);
}

void steti_free(void *p)
{
    struct header *h;
    size_t size;
    if (p == NULL) {
        return;
    }
    h = header_of(p);
    size = h->size;
    atomic_fetch_sub(&stat_live_bytes, size);
    atomic_fetch_sub(&stat_live_count, 1);
    thread_balance -= (int64_t)steti_alloc_cost(size);
    if (hooks.mem_free != NULL) {
        hooks.mem_free(hooks.ctx, h, steti_alloc_cost(size));
    } else {
        free(h);
    }
}

void *steti_calloc(size_t count, size_t size)
{
    void *p;
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    p = steti_malloc(count * size);
    if (p != NULL) {
        memset(p, 0, count * size);
    }
    return p;
}

void *steti_realloc(void *p, size_t size)
{
    void *q = steti_malloc(size);
    if (q != NULL && p != NULL) {
        size_t old = header_of(p)->size;
        memcpy(q, p, old < size ? old : size);
        steti_free(p);
    }
    return q;
}

stet_status steti_grow(void **p, size_t *cap, size_t need, size_t elem, stet_error *err)
{
    size_t want = *cap < 8 ? 8 : *cap;
    void *q;
    if (need <= *cap) {
        return STET_OK;
    }
    while (want < need) {
        want = want > SIZE_MAX / 2 ? need : want * 2;
    }
    if (want > SIZE_MAX / elem) {
        return steti_fail_nomem(err, "a growing array", SIZE_MAX);
    }
    q = steti_realloc(*p, want * elem);
    if (q == NULL) {
        return steti_fail_nomem(err, "a growing array", want * elem);
    }
    *p = q;
    *cap = want;
    return STET_OK;
}

char *steti_strndup(const char *s, size_t n)
{
    char *p = n < SIZE_MAX ? steti_malloc(n + 1) : NULL;
    if (p != NULL) {
        memcpy(p, s, n);
        p[n] = '\0';
    }
    return p;
}

void steti_alloc_get_stats(struct steti_alloc_stats *out)
{
    out->calls = atomic_load(&stat_calls);
    out->live_count = atomic_load(&stat_live_count);
    out->live_bytes = atomic_load(&stat_live_bytes);
    out->peak_bytes = atomic_load(&stat_peak_bytes);
}

int64_t steti_alloc_thread_balance(void)
{
    return thread_balance;
}

void steti_alloc_fail_nth(uint64_t nth, int sticky)
{
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, nth == 0 ? 0 : atomic_load(&stat_calls) + nth);
}
