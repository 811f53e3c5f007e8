#include "source_draft.h"

#include <string.h>

#include "alloc.h"
#include "reentry.h"

static int full_stop_of(const struct steti_draft_spelling *s)
{
    int32_t id;
    return s != NULL && spelling_cut(s, ".", 1, &id) == 1 ? id : -1;
}

size_t steti_draft_bytes(const struct steti_draft_limits *l)
{
    return steti_alloc_cost(sizeof(struct source_draft)) +
           steti_alloc_cost(((size_t)l->max_tgt + 1) * sizeof(int32_t)) +
           steti_alloc_cost(((size_t)l->max_src + 1) * sizeof *((struct source_draft *)0)->rest) +
           steti_alloc_cost(steti_ngram_bytes(l->max_src));
}

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
    d->spelling = l->spelling != NULL && l->spelling->n_inner > 0 ? l->spelling : NULL;
    d->full_stop = full_stop_of(d->spelling);
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
    d->n_branches = 0;
    for (int i = 0; i < STETI_DRAFT_BRANCHES; i++) {
        d->proposed[i] = 0;
    }
}

void source_draft_begin(struct source_draft *d, const int32_t *src, int n)
{
    steti_ngram_build(&d->index, src, n);
    d->src = src;
    d->n_src = d->index.n;
    reentry_read_source(d);
    d->n_out = 0;
    d->out_word = 0;
    d->source_word = 0;
    d->mark_last = 0;
    d->expected = 0;
    d->second = -1;
    d->reentries = 0;
    d->after_miss = 0;
    forget_branches(d);
}

static int is_same(const struct draft_branch *a, const struct draft_branch *b)
{
    return a->from == b->from && a->n_own == b->n_own &&
           memcmp(a->own, b->own, (size_t)a->n_own * sizeof *a->own) == 0;
}

void source_draft_add(struct source_draft *d, const struct draft_branch *b)
{
    int is_empty = b->n_own == 0 && b->from >= d->n_src;
    if (is_empty || d->n_branches == STETI_DRAFT_BRANCHES) {
        return;
    }
    for (int i = 0; i < d->n_branches; i++) {
        if (is_same(&d->branch[i], b)) {
            return;
        }
    }
    d->branch[d->n_branches++] = *b;
}

void source_draft_add_place(struct source_draft *d, int from)
{
    struct draft_branch b = {.from = from};
    if (from >= 0) {
        source_draft_add(d, &b);
    }
}

int source_draft_propose(struct source_draft *d, int branch, int budget, int32_t *out)
{
    const struct draft_branch *b = &d->branch[branch];
    int own = 0, rest = 0;
    if (branch < d->n_branches) {
        own = b->n_own < budget ? b->n_own : budget;
        rest = d->n_src - b->from < budget - own ? d->n_src - b->from : budget - own;
    }
    if (own > 0) {
        memcpy(out, b->own, (size_t)own * sizeof *out);
    }
    if (rest > 0) {
        memcpy(out + own, d->src + b->from, (size_t)rest * sizeof *out);
    }
    d->proposed[branch] = own + rest;
    return own + rest;
}

void source_draft_accept(struct source_draft *d, const int32_t *emitted, int n, int branch,
                         int matched)
{
    const struct draft_branch *b = &d->branch[branch];
    int32_t last = emitted[n - 1];
    d->after_miss = branch > 0 || matched < d->proposed[0];
    reentry_read_output(d, emitted, n);
    if (d->proposed[branch] == 0) {
        reentry_expect(d, d->expected, last);
    } else if (matched >= b->n_own) {
        reentry_expect(d, b->from + matched - b->n_own, last);
    } else {
        reentry_expect_own(d, b->from, last);
    }
    forget_branches(d);
}
