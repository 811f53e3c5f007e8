/* admission.h - whether one more request is taken in: a budget of requests, of tokens and of
 * waiting time. Pure logic; the caller holds its own lock. */
#ifndef STETI_ADMISSION_H
#define STETI_ADMISSION_H

#include <stdint.h>

#include "status.h"

struct steti_admission {
    uint64_t max_requests, max_tokens, max_delay_ns; /* max_delay_ns 0: none */
    uint64_t requests, tokens;                       /* taken in and not given back */
    double ns_per_token;                             /* what one costs in a full engine */
};

struct steti_admission_need {
    uint64_t tokens;
    uint64_t now_ns, deadline_ns; /* deadline 0: none */
    int any_delay;                /* the caller waits anyway: only the budgets count */
};

/* STET_E_BUSY with err->retry_after_ms (1 .. 60000), STET_E_DEADLINE (it is past, whatever else
 * holds), or STET_OK, and then it is counted.
 *
 * With a deadline, what is in flight and the request itself may be expected to take 60 % of the
 * time left: that keeps nearly all promises, and an engine that has more to do than it can still
 * has a queue. When nothing is in flight everything is taken in: a request of more tokens than the
 * budget, and one that seems too slow for its deadline, since the estimate itself may be wrong and
 * only work can correct it. */
stet_status steti_admission_take(struct steti_admission *a, const struct steti_admission_need *n,
                                 stet_error *err);

/* Some of a request's tokens are done; the request is completed. */
void steti_admission_give_tokens(struct steti_admission *a, uint64_t tokens);
void steti_admission_give(struct steti_admission *a, uint64_t tokens);

/* Tokens that were done must be done again. */
void steti_admission_take_tokens(struct steti_admission *a, uint64_t tokens);

#endif
