/* Option verify: the same sentence again, greedily and alone. */
#include <string.h>

#include "request.h"

static stet_status compare_tokens(const struct steti_job *job, const struct steti_job *again)
{
    for (int i = 0; i < job->n_out && i < again->n_out; i++) {
        if (job->out[i] != again->out[i]) {
            return steti_fail(
                job->err, STET_E_VERIFY,
                "a sentence of %d tokens: drafted decoding gives token %d at position "
                "%d, greedy decoding gives %d",
                job->n_src, job->out[i], i, again->out[i]);
        }
    }
    if (job->n_out != again->n_out || job->finished != again->finished) {
        return steti_fail(
            job->err, STET_E_VERIFY,
            "a sentence of %d tokens: drafted decoding gives %d tokens, greedy decoding gives %d",
            job->n_src, job->n_out, again->n_out);
    }
    return STET_OK;
}

static void decode_greedily(struct steti_engine *e, int slot, struct steti_job *job)
{
    if (steti_engine_begin(e, slot, job) != STET_OK) {
        return;
    }
    steti_engine_encode(e, &slot, 1);
    while (!e->slots[slot].done) {
        if (job->is_cancelled != NULL && job->is_cancelled(job->cancel_ctx)) {
            job->status = steti_fail(job->err, STET_E_CANCELLED,
                                     "a sentence of %d tokens was cancelled", job->n_src);
            break;
        }
        steti_engine_pass(e, &slot, 1);
    }
    steti_engine_end(e, slot);
}

stet_status steti_engine_verify(struct steti_engine *e, int slot, struct steti_job *job)
{
    const struct steti_draft_ops *policy = e->policy;
    struct steti_job again = {.src = job->src,
                              .n_src = job->n_src,
                              .n_prompt = job->n_prompt,
                              .out = e->check_out,
                              .is_cancelled = job->is_cancelled,
                              .cancel_ctx = job->cancel_ctx,
                              .err = job->err};
    size_t scored = (size_t)job->n_out + (size_t)job->finished;
    again.logprob = e->options.scores && job->logprob != NULL ? e->check_logprob : NULL;
    e->checking = 1;
    e->policy = &steti_draft_none;
    decode_greedily(e, slot, &again);
    e->checking = 0;
    e->policy = policy;
    STETI_TRY(again.status);
    job->counts.verified = 1;
    e->totals.verified++;
    STETI_TRY(compare_tokens(job, &again));
    if (again.logprob != NULL && memcmp(job->logprob, again.logprob, scored * sizeof(float)) != 0) {
        return steti_fail(
            job->err, STET_E_VERIFY,
            "a sentence of %d tokens: same tokens, but log probabilities with other bits",
            job->n_src);
    }
    return STET_OK;
}
