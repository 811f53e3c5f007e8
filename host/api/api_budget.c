#include "api_budget.h"

#include <stdatomic.h>

#include "alloc.h"

struct api_budget {
    _Atomic uint32_t refs;
    _Atomic size_t used;
    size_t limit;
};

struct api_budget *budget_new(void)
{
    struct api_budget *b = steti_calloc(1, sizeof *b);
    if (b != NULL) {
        atomic_store(&b->refs, 1);
    }
    return b;
}

void budget_set_limit(struct api_budget *b, size_t limit)
{
    b->limit = limit;
}

void budget_retain(struct api_budget *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
}

void budget_release(struct api_budget *b)
{
    if (b != NULL && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
        steti_free(b);
    }
}

size_t budget_limit(const struct api_budget *b)
{
    return b->limit;
}

int budget_take(struct api_budget *b, size_t bytes)
{
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);
    if (b->limit == 0) {
        return 1;
    }
    do {
        if (bytes > b->limit || used > b->limit - bytes) {
            return 0;
        }
    } while (!atomic_compare_exchange_weak(&b->used, &used, used + bytes));
    return 1;
}

void budget_give(struct api_budget *b, size_t bytes)
{
    if (b->limit != 0) {
        atomic_fetch_sub(&b->used, bytes);
    }
}
