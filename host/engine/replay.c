#include "replay.h"

#include <string.h>

#include "alloc.h"
#include "verify.h"

struct steti_replay {
    struct steti_replay_options options;
    int window, side_window; /* longest first and longest side branch */
    struct steti_draft *draft;
    int32_t *said;    /* [max_out] the answer, then end-of-sentence tokens */
    int32_t *drafted; /* [window] one branch */
};

/* What one pass came to. */
struct pass {
    struct steti_verdict verdict; /* of the best branch */
    int branch;                   /* that it is; 0 where nothing was drafted */
    int any;                      /* a branch was drafted */
    int drafted;                  /* tokens of all branches */
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

static stet_status check_options(const struct steti_replay_options *o, stet_error *err)
{
    if (o->draft == NULL || o->max_src < 0 || o->max_out < 1 || o->draft_window < 0) {
        return steti_fail(err, STET_E_INVALID,
                          "replay options: a policy must be set, max_out must be at least 1, and "
                          "nothing may be negative");
    }
    return STET_OK;
}

stet_status steti_replay_open(const struct steti_replay_options *o, struct steti_replay **out,
                              stet_error *err)
{
    struct steti_draft_limits l = {.max_src = o->max_src > 0 ? o->max_src : 1,
                                   .max_tgt = o->max_out + 1,
                                   .pieces = o->pieces,
                                   .n_pieces = o->n_pieces,
                                   .spelling = o->spelling};
    struct steti_replay *r;
    size_t ints;
    stet_status st;
    *out = NULL;
    STETI_TRY(check_options(o, err));
    r = steti_calloc(1, sizeof *r);
    if (r == NULL) {
        return steti_fail_nomem(err, "a replay", sizeof *r);
    }
    r->options = *o;
    r->window = o->draft_window > 0 ? least(o->draft_window, o->max_out) : o->max_out;
    r->side_window = least(o->draft->side_length, r->window);
    ints = (size_t)o->max_out + (size_t)r->window;
    r->said = steti_calloc(ints, sizeof *r->said);
    if (r->said == NULL) {
        st = steti_fail_nomem(err, "a replay", ints * sizeof *r->said);
        goto fail;
    }
    r->drafted = r->said + o->max_out;
    STETI_TRY_GOTO(o->draft->open(&l, &r->draft, err), st, fail);
    *out = r;
    return STET_OK;
fail:
    steti_replay_close(r);
    return st;
}

void steti_replay_close(struct steti_replay *r)
{
    if (r == NULL) {
        return;
    }
    r->options.draft->close(r->draft);
    steti_free(r->said);
    steti_free(r);
}

/* One branch: the engine never drafts the end of a sentence. */
static int propose(struct steti_replay *r, int branch, int n_out)
{
    int left = r->options.max_out - n_out - 1;
    int budget = least(branch == 0 ? r->window : r->side_window, left > 0 ? left : 0);
    int n = r->options.draft->propose(r->draft, branch, budget, r->drafted), kept = 0;
    while (kept < n && r->drafted[kept] != r->options.eos && r->drafted[kept] >= 0) {
        kept++;
    }
    return kept;
}

/* The branch of which most tokens are right; of equal ones the first. */
static struct pass draft_and_verify(struct steti_replay *r, int n_out)
{
    const int32_t *predicted = r->said + n_out;
    struct pass p = {.verdict = steti_verify(NULL, 0, predicted, r->options.eos)};
    for (int b = 0; b <= r->options.draft->n_side; b++) {
        int n = propose(r, b, n_out);
        struct steti_verdict v = steti_verify(r->drafted, n, predicted, r->options.eos);
        if (n > 0 && (!p.any || v.matched > p.verdict.matched)) {
            p.verdict = v;
            p.branch = b;
            p.any = 1;
        }
        p.drafted += n;
    }
    return p;
}

stet_status steti_replay_run(struct steti_replay *r, const struct steti_replay_pair *pair,
                             struct steti_counts *out, stet_error *err)
{
    const struct steti_draft_ops *policy = r->options.draft;
    int most = r->options.max_out, n_out = 0, done = 0, n = least(pair->n_answer, most);
    memset(out, 0, sizeof *out);
    if (pair->n_src > r->options.max_src) {
        return steti_fail(err, STET_E_TOO_LONG, "sentence of %d tokens, the replay's limit is %d",
                          pair->n_src, r->options.max_src);
    }
    if (n > 0) {
        memcpy(r->said, pair->answer, (size_t)n * sizeof *r->said);
    }
    for (int i = n; i < most; i++) {
        r->said[i] = r->options.eos;
    }
    policy->begin(r->draft, pair->src, pair->n_src);
    while (!done) {
        struct pass p = draft_and_verify(r, n_out);
        policy->accept(r->draft, r->said + n_out, p.verdict.emitted, p.branch, p.verdict.matched);
        n_out += p.verdict.emitted - p.verdict.finished;
        done = p.verdict.finished || n_out >= most;
        out->passes++;
        out->rows += 1 + (uint64_t)p.drafted;
        out->drafted += (uint64_t)p.drafted;
        out->accepted += (uint64_t)p.verdict.matched;
    }
    out->reentries = (uint64_t)policy->reentries(r->draft);
    return STET_OK;
}

uint64_t steti_replay_lock_step(const struct steti_counts *sentences, size_t n, size_t size)
{
    uint64_t total = 0, slowest = 0;
    for (size_t i = 0; i < n; i++) {
        slowest = sentences[i].passes > slowest ? sentences[i].passes : slowest;
        if (i + 1 == n || (i + 1) % size == 0) {
            total += slowest;
            slowest = 0;
        }
    }
    return total;
}

/* ends[0..n) is a heap with the smallest first but for its first element, which sinks to its
 * place. */
static void sink_first(uint64_t *ends, size_t n)
{
    uint64_t moving = ends[0];
    size_t at = 0;
    for (size_t child = 1; child < n; child = 2 * at + 1) {
        child += child + 1 < n && ends[child + 1] < ends[child];
        if (moving <= ends[child]) {
            break;
        }
        ends[at] = ends[child];
        at = child;
    }
    ends[at] = moving;
}

uint64_t steti_replay_continuous(const struct steti_counts *sentences, size_t n, size_t size,
                                 uint64_t *ends)
{
    uint64_t last = 0;
    memset(ends, 0, size * sizeof *ends);
    for (size_t i = 0; i < n; i++) {
        ends[0] += sentences[i].passes; /* the slot that is free first takes the sentence */
        last = ends[0] > last ? ends[0] : last;
        sink_first(ends, size);
    }
    return last;
}
