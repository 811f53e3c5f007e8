#include "request.h"

#include <string.h>

#include "ngram_index.h"

size_t request_bytes(const struct steti_engine_options *o, int max_rows)
{
    size_t rows = (size_t)max_rows, slots = (size_t)o->batch_size;
    size_t draft = (STETI_NGRAM_MAX * 8 + 3) * (size_t)o->max_src + (size_t)o->max_out;
    return rows * 28 + slots * (draft * sizeof(int32_t) + sizeof(struct slot));
}

/* The jobs of one call, and how far they were taken. */
struct run {
    struct steti_engine *e;
    struct steti_job *jobs;
    size_t n, next;
    stet_status first;
    stet_error *err;
};

/* Only the first failure may write the caller's error. */
static stet_error *error_of(const struct run *r)
{
    return r->first == STET_OK ? r->err : NULL;
}

static void release(struct steti_engine *e, struct slot *s)
{
    steti_kv_release(&e->session.kv, s->kv);
    s->job = NULL;
    e->n_active--;
}

static void finish(struct run *r, struct slot *s, stet_status st)
{
    struct steti_engine *e = r->e;
    struct steti_job *job = s->job;
    job->status = st;
    if (r->first == STET_OK) {
        r->first = st;
    }
    if (!e->checking) {
        job->counts.reentries = (uint64_t)e->policy->reentries(s->draft);
        e->totals.passes += job->counts.passes;
        e->totals.rows += job->counts.rows;
        e->totals.drafted += job->counts.drafted;
        e->totals.accepted += job->counts.accepted;
        e->totals.reentries += job->counts.reentries;
    }
    release(e, s);
}

static stet_status check_cancelled(const struct steti_job *job, stet_error *err)
{
    if (job->is_cancelled != NULL && job->is_cancelled(job->cancel_ctx)) {
        return steti_fail(err, STET_E_CANCELLED, "a sentence of %d tokens was cancelled",
                          job->n_src);
    }
    return STET_OK;
}

static stet_status check_job(const struct steti_engine *e, const struct steti_job *job,
                             stet_error *err)
{
    if (job->n_src < 0 || job->n_src > e->options.max_src) {
        return steti_fail(err, STET_E_TOO_LONG, "sentence of %d tokens, the engine's limit is %d",
                          job->n_src, e->options.max_src);
    }
    if (job->n_prompt < 0 || job->n_prompt > job->n_src) {
        return steti_fail(err, STET_E_INVALID, "a prompt of %d tokens in a sentence of %d",
                          job->n_prompt, job->n_src);
    }
    for (int i = 0; i < job->n_src; i++) {
        if (job->src[i] < 0 || job->src[i] >= e->spec->vocab_size) {
            return steti_fail(err, STET_E_INVALID,
                              "token %d at position %d is not in the vocabulary of %d", job->src[i],
                              i, e->spec->vocab_size);
        }
    }
    return check_cancelled(job, err);
}

static struct slot *free_slot(struct steti_engine *e)
{
    for (int i = 0; i < e->options.batch_size; i++) {
        if (e->slots[i].job == NULL) {
            return &e->slots[i];
        }
    }
    return NULL;
}

static void reset_job(struct steti_job *job)
{
    job->n_out = 0;
    job->finished = 0;
    job->status = STET_OK;
    memset(&job->counts, 0, sizeof job->counts);
}

static void begin_draft(const struct steti_engine *e, struct slot *s)
{
    const struct steti_job *job = s->job;
    const int32_t *text = job->n_prompt > 0 ? job->src + job->n_prompt : job->src;
    e->policy->begin(s->draft, text, job->n_src - job->n_prompt);
}

/* Takes jobs into free slots as long as their tokens fit into one encoder call; returns its
 * rows. */
static int admit(struct run *r, int *n_seqs)
{
    struct steti_engine *e = r->e;
    int rows = 0;
    *n_seqs = 0;
    while (r->next < r->n) {
        struct steti_job *job = &r->jobs[r->next];
        struct slot *s = free_slot(e);
        stet_status st;
        if (s == NULL || (rows > 0 && rows + job->n_src + 1 > e->session.limits.max_rows)) {
            break;
        }
        r->next++;
        reset_job(job);
        st = check_job(e, job, error_of(r));
        if (st != STET_OK) {
            job->status = st;
            r->first = r->first == STET_OK ? st : r->first;
            continue;
        }
        s->job = job;
        s->kv = steti_kv_acquire(&e->session.kv);
        e->n_active++;
        begin_draft(e, s);
        if (job->n_src > 0) {
            memcpy(e->ids + rows, job->src, (size_t)job->n_src * sizeof *e->ids);
        }
        e->ids[rows + job->n_src] = e->spec->eos_id;
        e->lens[*n_seqs] = job->n_src + 1;
        e->seq_slot[(*n_seqs)++] = s->kv;
        rows += job->n_src + 1;
    }
    return rows;
}

static stet_status encode_new(struct run *r)
{
    struct steti_engine *e = r->e;
    uint64_t start = steti_now(e->options.clock);
    int n_seqs, rows = admit(r, &n_seqs);
    struct steti_encode_batch b = {n_seqs, rows, e->ids, e->lens, e->seq_slot};
    stet_status st = n_seqs > 0 ? steti_model_encode(&e->session, &b, error_of(r)) : STET_OK;
    e->times.encode_ns += e->checking ? 0 : steti_now(e->options.clock) - start;
    return st;
}

static stet_status decode_rows(struct run *r, int first, int n)
{
    struct steti_engine *e = r->e;
    struct steti_decode_batch b = {.n_rows = n,
                                   .ids = e->ids + first,
                                   .pos = e->pos + first,
                                   .slots = e->row_slot + first,
                                   .out_ids = e->predicted + first,
                                   .out_logprob = e->options.scores ? e->logprob + first : NULL,
                                   .fork = e->side_window > 0 ? e->fork + first : NULL,
                                   .side = e->side_window > 0 ? e->side + first : NULL};
    return steti_model_decode(&e->session, &b, error_of(r));
}

/* The rows of one sentence alone. A draft that breaks the model (a NaN behind a token that greedy
 * decoding would never read) is dropped: the sentence fails only where it fails without drafts. */
static stet_status decode_alone(struct run *r, struct slot *s)
{
    stet_error *err = r->err;
    stet_status st;
    if (s->n_rows > 1) {
        r->err = NULL;
        st = decode_rows(r, s->first_row, s->n_rows);
        r->err = err;
        if (st == STET_OK) {
            return st;
        }
        slot_drop_draft(s);
    }
    return decode_rows(r, s->first_row, 1);
}

static void commit(struct run *r, struct slot *s)
{
    int done = 0;
    stet_status st = slot_commit(r->e, s, &done, error_of(r));
    if (st != STET_OK || done) {
        finish(r, s, st);
    }
}

/* One pass failed: runs each sentence's rows alone, so that only the sentence at fault fails. */
static void decode_one_by_one(struct run *r)
{
    struct steti_engine *e = r->e;
    for (int i = 0; i < e->options.batch_size; i++) {
        struct slot *s = &e->slots[i];
        stet_status st;
        if (s->job == NULL) {
            continue;
        }
        st = decode_alone(r, s);
        if (st != STET_OK) {
            finish(r, s, st);
        } else {
            commit(r, s);
        }
    }
}

static void pass(struct run *r)
{
    struct steti_engine *e = r->e;
    int share = e->session.limits.max_rows / e->n_active - 1;
    int rows = 0;
    uint64_t start = steti_now(e->options.clock);
    stet_error *err = r->err;
    stet_status st;
    if (follows_load(e)) {
        e->window = steti_window_choose(&e->follow, e->n_active);
    }
    for (int i = 0; i < e->options.batch_size; i++) {
        if (e->slots[i].job != NULL) {
            rows = slot_plan(e, &e->slots[i], rows, share);
        }
    }
    /* The error of a pass is reported by the sentence at fault, when its turn comes. */
    r->err = NULL;
    st = decode_rows(r, 0, rows);
    r->err = err;
    if (st != STET_OK) {
        decode_one_by_one(r);
    } else if (follows_load(e)) {
        steti_window_observe_pass(&e->follow, rows, steti_now(e->options.clock) - start);
    }
    for (int i = 0; st == STET_OK && i < e->options.batch_size; i++) {
        if (e->slots[i].job != NULL) {
            commit(r, &e->slots[i]);
        }
    }
    e->times.decode_ns += e->checking ? 0 : steti_now(e->options.clock) - start;
}

/* The device failed outside any one sentence: everything in flight and everything waiting fails
 * with it. */
static void fail_all(struct run *r, stet_status st)
{
    struct steti_engine *e = r->e;
    for (int i = 0; i < e->options.batch_size; i++) {
        if (e->slots[i].job != NULL) {
            finish(r, &e->slots[i], st);
        }
    }
    for (; r->next < r->n; r->next++) {
        reset_job(&r->jobs[r->next]);
        r->jobs[r->next].status = st;
    }
    if (r->first == STET_OK) {
        r->first = st;
    }
}

/* Before a pass, so that a free slot can take the next sentence for it. */
static void end_cancelled(struct run *r)
{
    struct steti_engine *e = r->e;
    for (int i = 0; i < e->options.batch_size; i++) {
        struct slot *s = &e->slots[i];
        stet_status st = s->job != NULL ? check_cancelled(s->job, error_of(r)) : STET_OK;
        if (st != STET_OK) {
            finish(r, s, st);
        }
    }
}

stet_status request_run(struct steti_engine *e, struct steti_job *jobs, size_t n,
                        const struct steti_draft_ops *policy, stet_error *err)
{
    struct run r = {.e = e, .jobs = jobs, .n = n, .first = STET_OK, .err = err};
    e->policy = policy;
    while (r.next < r.n || e->n_active > 0) {
        stet_status st;
        end_cancelled(&r);
        st = encode_new(&r);
        if (st != STET_OK) {
            fail_all(&r, st);
        }
        if (e->n_active > 0) {
            pass(&r);
        }
    }
    return r.first;
}
