#include "admission.h"

#define MS 1e6
#define LONGEST_HINT_MS 60000.0

static stet_status busy(double wait_ns, const char *what, uint64_t value, uint64_t limit,
                        stet_error *err)
{
    double ms = wait_ns / MS;
    ms = ms < 1 ? 1 : ms > LONGEST_HINT_MS ? LONGEST_HINT_MS : ms;
    steti_fail(err, STET_E_BUSY, "%s: %llu, the limit is %llu; try again in %.0f ms", what,
               (unsigned long long)value, (unsigned long long)limit, ms);
    if (err != NULL) {
        err->retry_after_ms = (uint32_t)ms;
    }
    return STET_E_BUSY;
}

static stet_status check_time(const struct steti_admission *a, const struct steti_admission_need *n,
                              stet_error *err)
{
    double delay = (double)a->tokens * a->ns_per_token;
    if (n->deadline_ns != 0 && n->deadline_ns <= n->now_ns) {
        return steti_fail(err, STET_E_DEADLINE, "the request's deadline is past");
    }
    if (n->any_delay) {
        return STET_OK;
    }
    if (a->max_delay_ns != 0 && delay > (double)a->max_delay_ns) {
        return busy(delay - (double)a->max_delay_ns, "expected wait in milliseconds",
                    (uint64_t)(delay / MS), a->max_delay_ns / (uint64_t)MS, err);
    }
    if (n->deadline_ns != 0) {
        double left = (double)(n->deadline_ns - n->now_ns);
        double needed = delay + (double)n->tokens * a->ns_per_token;
        if (needed > left) {
            return busy(needed - left, "expected milliseconds to the answer",
                        (uint64_t)(needed / MS), (uint64_t)(left / MS), err);
        }
    }
    return STET_OK;
}

stet_status steti_admission_take(struct steti_admission *a, const struct steti_admission_need *n,
                                 stet_error *err)
{
    if (a->requests >= a->max_requests) {
        double each = (double)a->tokens / (double)a->requests;
        return busy(each * a->ns_per_token, "requests in flight", a->requests, a->max_requests,
                    err);
    }
    if (a->requests > 0 && a->tokens + n->tokens > a->max_tokens) {
        double over = (double)(a->tokens + n->tokens - a->max_tokens);
        return busy(over * a->ns_per_token, "tokens in flight with this request",
                    a->tokens + n->tokens, a->max_tokens, err);
    }
    STETI_TRY(check_time(a, n, err));
    a->requests++;
    a->tokens += n->tokens;
    return STET_OK;
}

void steti_admission_give_tokens(struct steti_admission *a, uint64_t tokens)
{
    a->tokens -= tokens < a->tokens ? tokens : a->tokens;
}

void steti_admission_give(struct steti_admission *a, uint64_t tokens)
{
    steti_admission_give_tokens(a, tokens);
    a->requests--;
}
