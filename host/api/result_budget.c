/* What a result and its request hold between hand-in and the caller, to the byte.
 *
 * Nothing here trusts an estimate: a step runs with a limit on what its thread may allocate, and
 * that limit is what was taken from the budget before. */
#include <string.h>

#include "alloc.h"
#include "api_internal.h"

/* What a request is charged on hand-in: itself, and for every byte of its text the source, the
 * corrected text and the edits of an ordinary text. */
#define BYTES_EACH 2048
#define BYTES_FOR_ONE 6
#define LEAST_STEP 65536u

_Static_assert(sizeof(stet_result) + 7 * STETI_ALIGN <= BYTES_EACH, "an empty result must fit");

static int is_limited(const stet_result *r)
{
    return r->budget != NULL && budget_limit(r->budget) != 0;
}

static stet_status refuse(const struct api_budget *budget, size_t need, stet_error *err)
{
    size_t limit = budget_limit(budget);
    if (need > limit) {
        return steti_fail(err, STET_E_TOO_LONG,
                          "the request needs %zu bytes, but memory_limit leaves %zu for all "
                          "requests; a limit %zu bytes higher would do",
                          need, limit, need - limit);
    }
    steti_fail(err, STET_E_BUSY,
               "the requests in flight hold what memory_limit leaves them; this one needs %zu "
               "bytes of %zu",
               need, limit);
    if (err != NULL) {
        err->retry_after_ms = 1;
    }
    return STET_E_BUSY;
}

static stet_status take(stet_result *r, size_t more, stet_error *err)
{
    if (!budget_take(r->budget, more)) {
        return refuse(r->budget, r->charged + more, err);
    }
    r->charged += more;
    return STET_OK;
}

static stet_status copy_prompt(stet_result *r, const char *prompt, stet_error *err)
{
    size_t n = strlen(prompt);
    r->prompt.data = steti_strndup(prompt, n);
    if (r->prompt.data == NULL) {
        return steti_fail_nomem(err, "a request", n);
    }
    r->prompt.len = n;
    r->prompt.cap = n + 1;
    return STET_OK;
}

static stet_status copy_source(stet_result *r, const struct result_source *s, stet_error *err)
{
    size_t bytes = s->n_tokens * sizeof *r->tokens;
    if (s->prompt != NULL) {
        STETI_TRY(copy_prompt(r, s->prompt, err));
    }
    if (s->tokens != NULL) {
        r->tokens = steti_malloc(bytes);
        if (r->tokens == NULL) {
            return steti_fail_nomem(err, "a request", bytes);
        }
        memcpy(r->tokens, s->tokens, bytes);
        r->n_tokens = s->n_tokens;
    }
    if (s->len > 0) {
        r->source.data = steti_malloc(s->len);
        if (r->source.data == NULL) {
            return steti_fail_nomem(err, "a request", s->len);
        }
        memcpy(r->source.data, s->text, s->len);
        r->source.len = r->source.cap = s->len;
    }
    return STET_OK;
}

stet_status result_new(const struct result_source *source, struct api_budget *budget,
                       stet_result **out, stet_error *err)
{
    size_t need = BYTES_EACH + BYTES_FOR_ONE * source->len + 2 * sizeof(int32_t) * source->n_tokens;
    size_t prompt = source->prompt != NULL ? strlen(source->prompt) + 1 : 0;
    int64_t before = steti_alloc_thread_balance();
    stet_result *r;
    stet_status st;
    *out = NULL;
    need += prompt;
    if (!budget_take(budget, need)) {
        return refuse(budget, need, err);
    }
    r = steti_calloc(1, sizeof *r);
    if (r == NULL) {
        budget_give(budget, need);
        return steti_fail_nomem(err, "a result", sizeof *r);
    }
    atomic_store(&r->refs, 1);
    r->stats.struct_size = sizeof r->stats;
    r->stats.requests = 1;
    budget_retain(budget);
    r->budget = budget;
    r->charged = need;
    st = copy_source(r, source, err);
    result_note(r, before);
    if (st != STET_OK) {
        stet_result_release(r);
        return st;
    }
    *out = r;
    return STET_OK;
}

void result_note(stet_result *r, int64_t before)
{
    r->held += steti_alloc_thread_balance() - before;
}

stet_status result_expect(stet_result *r, size_t more, stet_error *err)
{
    size_t need = (size_t)r->held + more;
    return need > r->charged ? take(r, need - r->charged, err) : STET_OK;
}

/* More for a step that lacked so many bytes: generously if possible, so that it is not tried
 * often. */
static stet_status take_more(stet_result *r, size_t lacks, stet_error *err)
{
    size_t most = lacks + r->charged / 2 + LEAST_STEP;
    if (budget_take(r->budget, most)) {
        r->charged += most;
        return STET_OK;
    }
    return take(r, lacks, err);
}

stet_status result_run(stet_result *r, const struct result_step *step, stet_error *err)
{
    for (;;) {
        int64_t before = steti_alloc_thread_balance();
        int64_t allowed = (int64_t)(r->charged + step->working) - r->held;
        uint64_t lacks;
        stet_status st;
        steti_alloc_thread_limit(is_limited(r) ? before + allowed : INT64_MAX);
        st = step->run(step->ctx, err);
        lacks = steti_alloc_thread_limit(INT64_MAX);
        if (!step->is_temporary) {
            result_note(r, before);
        }
        if (st == STET_OK) {
            return result_expect(r, 0, err);
        }
        if (st != STET_E_NOMEM || lacks == 0) {
            return st;
        }
        STETI_TRY(take_more(r, lacks, err));
    }
}

void result_settle(stet_result *r)
{
    if (is_limited(r) && r->charged > (size_t)r->held) {
        budget_give(r->budget, r->charged - (size_t)r->held);
        r->charged = (size_t)r->held;
    }
}

void result_uncharge(stet_result *r)
{
    if (r->budget != NULL) {
        budget_give(r->budget, r->charged);
        budget_release(r->budget);
        r->budget = NULL;
        r->charged = 0;
    }
}

void result_strip(stet_result *r)
{
    int64_t before = steti_alloc_thread_balance();
    result_free_contents(r);
    result_note(r, before);
    result_settle(r);
}
