#include "source_draft.h"

#include <string.h>

#include "alloc.h"
#include "reentry.h"

stet_status source_draft_open(const struct steti_draft_limits *l, struct source_draft **out,
                              stet_error *err)
{
    struct source_draft *d = steti_calloc(1, sizeof *d);
    stet_status st;
    *out = NULL;
    if (d == NULL) {
        return steti_fail_nomem(err, "a draft", sizeof *d);
    }
    d->max_tgt = l->max_tgt;
    d->pieces = l->pieces;
    d->n_pieces = l->n_pieces;
    d->out = steti_malloc(((size_t)l->max_tgt + 1) * sizeof *d->out);
    if (d->out == NULL) {
        st = steti_fail_nomem(err, "a draft", ((size_t)l->max_tgt + 1) * sizeof *d->out);
        goto fail;
    }
    d->rest = steti_calloc((size_t)l->max_src + 1, sizeof *d->rest);
    if (d->rest == NULL) {
        st = steti_fail_nomem(err, "a draft", ((size_t)l->max_src + 1) * sizeof *d->rest);
        goto fail;
    }
    STETI_TRY_GOTO(steti_ngram_init(&d->index, l->max_src, err), st, fail);
    *out = d;
    return STET_OK;
fail:
    source_draft_close(d);
    return st;
}

void source_draft_close(struct source_draft *d)
{
    if (d == NULL) {
        return;
    }
    steti_ngram_free(&d->index);
    steti_free(d->rest);
    steti_free(d->out);
    steti_free(d);
}

static void forget_branches(struct source_draft *d)
{
    for (int i = 0; i < STETI_DRAFT_BRANCHES; i++) {
        d->from[i] = -1;
    }
    d->n_proposed = 0;
}

void source_draft_begin(struct source_draft *d, const int32_t *src, int n)
{
    steti_ngram_build(&d->index, src, n);
    d->src = src;
    d->n_src = d->index.n;
    reentry_read_source(d);
    d->n_out = 0;
    d->expected = 0;
    d->second = -1;
    d->reentries = 0;
    d->after_miss = 0;
    forget_branches(d);
}

int source_draft_copy(struct source_draft *d, int branch, int from, int budget, int32_t *out)
{
    int n = from < 0 ? 0 : d->n_src - from;
    if (n > budget) {
        n = budget;
    }
    if (n < 0) {
        n = 0;
    }
    if (n > 0) {
        memcpy(out, d->src + from, (size_t)n * sizeof *out);
    }
    d->from[branch] = n > 0 ? from : -1;
    if (branch == 0) {
        d->n_proposed = n;
    }
    return n;
}

void source_draft_accept(struct source_draft *d, const int32_t *emitted, int n, int branch,
                         int matched)
{
    int from = d->from[branch];
    d->after_miss = branch > 0 || matched < d->n_proposed;
    for (int i = 0; i < n && d->n_out <= d->max_tgt; i++) {
        d->out[d->n_out++] = emitted[i];
    }
    reentry_expect(d, from >= 0 ? from + matched : d->expected, emitted[n - 1]);
    forget_branches(d);
}
