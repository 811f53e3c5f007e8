/* Slots one pass at a time: take a sentence in, encode, pass, let it go. */
#include <string.h>

#include "request.h"

static stet_status check_job(const struct steti_engine *e, const struct steti_job *job)
{
    if (job->n_src < 0 || job->n_src > e->options.max_src) {
        return steti_fail(job->err, STET_E_TOO_LONG,
                          "sentence of %d tokens, the engine's limit is %d", job->n_src,
                          e->options.max_src);
    }
    if (job->n_prompt < 0 || job->n_prompt > job->n_src) {
        return steti_fail(job->err, STET_E_INVALID, "a prompt of %d tokens in a sentence of %d",
                          job->n_prompt, job->n_src);
    }
    for (int i = 0; i < job->n_src; i++) {
        if (job->src[i] < 0 || job->src[i] >= e->spec->vocab_size) {
            return steti_fail(job->err, STET_E_INVALID,
                              "token %d at position %d is not in the vocabulary of %d", job->src[i],
                              i, e->spec->vocab_size);
        }
    }
    return STET_OK;
}

void slot_begin_draft(const struct steti_engine *e, struct slot *s)
{
    const struct steti_job *job = s->job;
    const int32_t *text = job->n_prompt > 0 ? job->src + job->n_prompt : job->src;
    e->policy->begin(s->draft, text, job->n_src - job->n_prompt);
}

/* Whether passes are made by the device. A verifying run is the host's. */
static int is_looped(const struct steti_engine *e)
{
    return e->looped.loop != NULL && !e->checking;
}

int steti_engine_most_passes(const struct steti_engine *e)
{
    return e->looped.loop != NULL ? e->looped.options.max_passes : 1;
}

stet_status steti_engine_begin(struct steti_engine *e, int slot, struct steti_job *job)
{
    struct slot *s = &e->slots[slot];
    job->n_out = 0;
    job->finished = 0;
    memset(&job->counts, 0, sizeof job->counts);
    job->status = check_job(e, job);
    STETI_TRY(job->status);
    s->job = job;
    s->done = 0;
    s->kv = steti_kv_acquire(&e->session.kv);
    memset(&s->looped, 0, sizeof s->looped);
    if (!is_looped(e)) {
        slot_begin_draft(e, s);
    }
    return STET_OK;
}

int steti_engine_encode_rows(const struct steti_engine *e)
{
    return e->session.limits.max_rows;
}

static void fail_slot(struct slot *s, stet_status st)
{
    s->job->status = st;
    s->done = 1;
}

static int put(int32_t *to, const int32_t *ids, int n)
{
    if (n > 0) {
        memcpy(to, ids, (size_t)n * sizeof *to);
    }
    return n;
}

/* What the encoder reads of a job: its source and the tokens that the model wants around it.
 * Returns how many. */
static int wrap_source(const struct steti_engine *e, const struct steti_job *job, int32_t *to)
{
    const struct steti_around *s = &e->around;
    int n = put(to, s->src_prefix.id, s->src_prefix.n);
    n += put(to + n, job->src, job->n_src);
    return n + put(to + n, s->src_suffix.id, s->src_suffix.n);
}

int steti_engine_source_rows(const struct steti_engine *e, int n_src)
{
    return n_src + steti_around_rows(&e->around);
}

static stet_status encode_rows(struct steti_engine *e, const int *slots, int n, stet_error *err)
{
    struct steti_encode_batch b = {n, 0, e->ids, e->lens, e->seq_slot};
    for (int i = 0; i < n; i++) {
        const struct slot *s = &e->slots[slots[i]];
        e->lens[i] = wrap_source(e, s->job, e->ids + b.n_rows);
        e->seq_slot[i] = s->kv;
        b.n_rows += e->lens[i];
    }
    return steti_model_encode(&e->session, &b, err);
}

/* As many slots from the front as fit into one encoder call: at least one. */
static int encode_share(const struct steti_engine *e, const int *slots, int n)
{
    int rows = 0, k = 0;
    while (k < n) {
        rows += steti_engine_source_rows(e, e->slots[slots[k]].job->n_src);
        if (k > 0 && rows > e->session.limits.max_rows) {
            break;
        }
        k++;
    }
    return k;
}

void steti_engine_encode(struct steti_engine *e, const int *slots, int n)
{
    uint64_t start = steti_now(e->options.clock);
    for (int at = 0, k; at < n; at += k) {
        k = encode_share(e, slots + at, n - at);
        e->times.encoder_calls += !e->checking;
        /* Where a whole call fails, each sentence is tried alone: only the one at fault fails. */
        if (encode_rows(e, slots + at, k, NULL) == STET_OK) {
            continue;
        }
        for (int i = at; i < at + k; i++) {
            struct slot *s = &e->slots[slots[i]];
            stet_status st = encode_rows(e, slots + i, 1, s->job->err);
            if (st != STET_OK) {
                fail_slot(s, st);
            }
        }
    }
    e->times.encode_ns += e->checking ? 0 : steti_now(e->options.clock) - start;
}

/* Where several tokens end an output, they are one to the rest of the engine. */
static void unify_ends(struct steti_engine *e, int first, int n)
{
    for (int i = first; e->spec->generation.n_more_ends > 0 && i < first + n; i++) {
        e->predicted[i] =
            steti_spec_is_end(e->spec, e->predicted[i]) ? e->spec->eos_id : e->predicted[i];
    }
}

static stet_status decode_rows(struct steti_engine *e, int first, int n, stet_error *err)
{
    struct steti_decode_batch b = {.n_rows = n,
                                   .ids = e->ids + first,
                                   .pos = e->pos + first,
                                   .slots = e->row_slot + first,
                                   .out_ids = e->predicted + first,
                                   .out_logprob = e->options.scores ? e->logprob + first : NULL,
                                   .fork = e->side_window > 0 ? e->fork + first : NULL,
                                   .side = e->side_window > 0 ? e->side + first : NULL,
                                   .adjust = e->adjust,
                                   .adjust_begin =
                                       e->rules != NULL ? e->adjust_begin + first : NULL};
    STETI_TRY(steti_model_decode(&e->session, &b, err));
    unify_ends(e, first, n);
    return STET_OK;
}

/* The rows of one sentence alone. A draft that breaks the model (a NaN behind a token that greedy
 * decoding would never read) is dropped: the sentence fails only where it fails without drafts. */
static stet_status decode_alone(struct steti_engine *e, struct slot *s)
{
    int first = s->first_row - s->n_lead;
    if (s->n_rows > 1) {
        if (decode_rows(e, first, s->n_lead + s->n_rows, NULL) == STET_OK) {
            return STET_OK;
        }
        slot_drop_draft(s);
    }
    return decode_rows(e, first, s->n_lead + 1, s->job->err);
}

static void commit(struct steti_engine *e, struct slot *s)
{
    stet_status st = slot_commit(e, s, &s->done, s->job->err);
    if (st != STET_OK) {
        fail_slot(s, st);
    }
}

/* One pass failed: runs each sentence's rows alone, so that only the sentence at fault fails. */
static void decode_one_by_one(struct steti_engine *e, const int *slots, int n)
{
    for (int i = 0; i < n; i++) {
        struct slot *s = &e->slots[slots[i]];
        stet_status st = decode_alone(e, s);
        if (st != STET_OK) {
            fail_slot(s, st);
        } else {
            commit(e, s);
        }
    }
}

/* Shares the rows of a pass out: what one sentence does not draft is left to those after it. */
static int plan_rows(struct steti_engine *e, const int *slots, int n)
{
    int rows = 0, free_rows = e->rows_a_pass;
    for (int i = 0; i < n; i++) {
        free_rows -= 1 + slot_lead(e, &e->slots[slots[i]]);
    }
    for (int i = 0; i < n; i++) {
        struct slot *s = &e->slots[slots[i]];
        rows = slot_plan(e, s, rows, free_rows / (n - i));
        free_rows -= s->n_rows - 1;
    }
    return rows;
}

static void pass_by_host(struct steti_engine *e, const int *slots, int n, uint64_t start)
{
    int rows = plan_rows(e, slots, n);
    if (decode_rows(e, 0, rows, NULL) != STET_OK) {
        decode_one_by_one(e, slots, n);
        return;
    }
    if (follows_load(e)) {
        steti_window_observe_pass(&e->follow, rows, steti_now(e->options.clock) - start);
    }
    for (int i = 0; i < n; i++) {
        commit(e, &e->slots[slots[i]]);
    }
}

/* The sentences' drafts are the device's, which cannot make this pass. */
static void pass_without_drafts(struct steti_engine *e, const int *slots, int n, uint64_t start)
{
    const struct steti_draft_ops *policy = e->policy;
    e->policy = &steti_draft_none;
    pass_by_host(e, slots, n, start);
    e->policy = policy;
}

int steti_engine_passes(struct steti_engine *e, const int *slots, int n, int most, int until_done)
{
    uint64_t start = steti_now(e->options.clock);
    int passes = 0;
    if (n == 0) {
        return 0;
    }
    if (follows_load(e)) {
        e->window = steti_window_choose(&e->follow, n);
    }
    if (is_looped(e)) {
        passes = looped_passes(e, slots, n, most, until_done);
    }
    if (passes == 0) {
        (is_looped(e) ? pass_without_drafts : pass_by_host)(e, slots, n, start);
        passes = 1;
    }
    if (!e->checking) {
        e->times.batch_passes += (uint64_t)passes;
        e->times.decode_ns += steti_now(e->options.clock) - start;
    }
    return passes;
}

void steti_engine_pass(struct steti_engine *e, const int *slots, int n)
{
    steti_engine_passes(e, slots, n, 1, 1);
}

int steti_engine_is_done(const struct steti_engine *e, int slot)
{
    return e->slots[slot].done;
}

void steti_engine_end(struct steti_engine *e, int slot)
{
    struct slot *s = &e->slots[slot];
    struct steti_job *job = s->job;
    if (!e->checking) {
        if (!is_looped(e)) {
            job->counts.reentries += (uint64_t)e->policy->reentries(s->draft);
        }
        e->totals.passes += job->counts.passes;
        e->totals.rows += job->counts.rows;
        e->totals.drafted += job->counts.drafted;
        e->totals.accepted += job->counts.accepted;
        e->totals.reentries += job->counts.reentries;
    }
    steti_kv_release(&e->session.kv, s->kv);
    s->job = NULL;
}
