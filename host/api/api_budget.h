/* api_budget.h - bytes that requests may hold, from hand-in until their results are handed over.
 * Shared by an engine and the results it made, which may outlive it. Any thread. Private to
 * host/api. */
#ifndef STETI_API_BUDGET_H
#define STETI_API_BUDGET_H

#include <stddef.h>

#include "status.h"

struct api_budget;

/* Without limit at first. NULL when out of memory. */
struct api_budget *budget_new(void);
/* Before the first use; 0: none. */
void budget_set_limit(struct api_budget *b, size_t limit);
void budget_retain(struct api_budget *b);
void budget_release(struct api_budget *b); /* NULL is legal */
size_t budget_limit(const struct api_budget *b);

/* 1: taken; 0: it would go over the limit. */
int budget_take(struct api_budget *b, size_t bytes);
void budget_give(struct api_budget *b, size_t bytes);

#endif
