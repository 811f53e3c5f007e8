#include "admission.h"

#define MS 1e6
#define LONGEST_HINT_MS 60000.0
/* What is planned of the time that a request has left. The estimate is a mean: many requests take
 * longer, because their sentences need more passes than others, and a request that misses its
 * deadline by little has cost as much as one that was answered. */
#define PLANNED_SHARE 0.6

static stet_status busy(double wait_ns, const char *what, uint64_t value, uint64_t limit,
                        stet_error *err)
{
    double ms = wait_ns / MS;
    ms = !(ms > 1) ? 1 : ms > LONGEST_HINT_MS ? LONGEST_HINT_MS : ms;
    steti_fail(err, STET_E_BUSY, "%s: %llu, the limit is %llu; try again in %.0f ms", what,
               (unsigned long long)value, (unsigned long long)limit, ms);
    if (err != NULL) {
        err->retry_after_ms = (uint32_t)ms;
    }
    return STET_E_BUSY;
}

static uint64_t as_ms(double ns)
{
    return ns < 1e18 ? (uint64_t)(ns / MS) : (uint64_t)(1e18 / MS);
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a + b >= a ? a + b : UINT64_MAX;
}

static stet_status check_time(const struct steti_admission *a, const struct steti_admission_need *n,
                              stet_error *err)
{
    double delay = (double)a->tokens * a->ns_per_token;
    /* What is believed of an engine without work may be wrong, and only work can correct it. */
    if (n->any_delay || a->requests == 0) {
        return STET_OK;
    }
    if (a->max_delay_ns != 0 && delay > (double)a->max_delay_ns) {
        return busy(delay - (double)a->max_delay_ns, "expected wait in milliseconds", as_ms(delay),
                    a->max_delay_ns / (uint64_t)MS, err);
    }
    if (n->deadline_ns != 0) {
        double left = PLANNED_SHARE * (double)(n->deadline_ns - n->now_ns);
        double needed = delay + (double)n->tokens * a->ns_per_token;
        if (needed > left) {
            return busy(needed - left, "expected milliseconds to the answer, beside a deadline",
                        as_ms(needed), as_ms(left), err);
        }
    }
    return STET_OK;
}

stet_status steti_admission_take(struct steti_admission *a, const struct steti_admission_need *n,
                                 stet_error *err)
{
    uint64_t tokens = sum(a->tokens, n->tokens);
    if (n->deadline_ns != 0 && n->deadline_ns <= n->now_ns) {
        return steti_fail(err, STET_E_DEADLINE, "the request's deadline is past");
    }
    if (a->requests >= a->max_requests) {
        double each = a->requests > 0 ? (double)a->tokens / (double)a->requests : 0;
        return busy(each * a->ns_per_token, "requests in flight", a->requests, a->max_requests,
                    err);
    }
    if (a->requests > 0 && tokens > a->max_tokens) {
        uint64_t over = tokens - a->max_tokens; /* a request over the limit waits for all others */
        over = over < a->tokens ? over : a->tokens;
        return busy((double)over * a->ns_per_token, "tokens in flight with this request", tokens,
                    a->max_tokens, err);
    }
    STETI_TRY(check_time(a, n, err));
    a->requests++;
    a->tokens = tokens;
    return STET_OK;
}

void steti_admission_give_tokens(struct steti_admission *a, uint64_t tokens)
{
    a->tokens -= tokens < a->tokens ? tokens : a->tokens;
}

void steti_admission_give(struct steti_admission *a, uint64_t tokens)
{
    steti_admission_give_tokens(a, tokens);
    a->requests -= a->requests > 0;
}

void steti_admission_take_tokens(struct steti_admission *a, uint64_t tokens)
{
    a->tokens = sum(a->tokens, tokens);
}
