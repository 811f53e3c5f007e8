/* Many sentences from a list: each free slot takes the next one, until all are done. */
#include "request.h"

size_t request_bytes(const struct steti_engine_options *o, int max_rows)
{
    size_t rows = (size_t)max_rows, slots = (size_t)o->batch_size;
    struct steti_draft_limits l = {.max_src = o->max_src, .max_tgt = o->max_out + 1};
    size_t ints = 7 * rows + 3 * slots + 3 * ((size_t)o->max_out + 1);
    return sizeof(struct steti_engine) + ints * sizeof(int32_t) +
           slots * (steti_draft_bytes(&l) + sizeof(struct slot));
}

/* The jobs of one call, and how far they were taken. */
struct run {
    struct steti_engine *e;
    struct steti_job *jobs;
    size_t n, next;
    stet_status first;
    stet_error *err;
    int n_active; /* slots in e->list[0 .. n_active) */
};

/* Only the first failure may write the caller's error. */
static void keep_first(struct run *r, stet_status st)
{
    if (r->first != STET_OK || st == STET_OK) {
        return;
    }
    r->first = st;
    for (int i = 0; i < r->n_active; i++) {
        struct steti_job *job = r->e->slots[r->e->list[i]].job;
        job->err = job->err == r->err ? NULL : job->err;
    }
}

static void leave(struct run *r, struct steti_job *job, stet_status st)
{
    job->status = st;
    keep_first(r, st);
    job->err = job->err == r->err ? NULL : job->err;
}

static stet_status check_cancelled(const struct steti_job *job)
{
    if (job->is_cancelled != NULL && job->is_cancelled(job->cancel_ctx)) {
        return steti_fail(job->err, STET_E_CANCELLED, "a sentence of %d tokens was cancelled",
                          job->n_src);
    }
    return STET_OK;
}

/* Takes a slot from the list. */
static void end_slot(struct run *r, int i)
{
    int slot = r->e->list[i];
    struct steti_job *job = r->e->slots[slot].job;
    r->e->list[i] = r->e->list[--r->n_active];
    steti_engine_end(r->e, slot);
    leave(r, job, job->status);
}

static void end_done(struct run *r)
{
    for (int i = r->n_active - 1; i >= 0; i--) {
        if (r->e->slots[r->e->list[i]].done) {
            end_slot(r, i);
        }
    }
}

/* Before a pass, so that a free slot can take the next sentence for it. */
static void end_cancelled(struct run *r)
{
    for (int i = r->n_active - 1; i >= 0; i--) {
        struct slot *s = &r->e->slots[r->e->list[i]];
        stet_status st = check_cancelled(s->job);
        if (st != STET_OK) {
            s->job->status = st;
            end_slot(r, i);
        }
    }
}

static int free_slot(const struct steti_engine *e)
{
    int i = 0;
    while (e->slots[i].job != NULL) {
        i++;
    }
    return i;
}

/* One job into a free slot, where it is fit for it. */
static void admit(struct run *r, struct steti_job *job)
{
    struct steti_engine *e = r->e;
    int slot = free_slot(e);
    job->err = job->err == NULL && r->first == STET_OK ? r->err : job->err;
    if (steti_engine_begin(e, slot, job) == STET_OK) {
        stet_status st = check_cancelled(job);
        e->list[r->n_active++] = slot;
        if (st != STET_OK) {
            job->status = st;
            end_slot(r, r->n_active - 1);
        }
        return;
    }
    leave(r, job, job->status);
}

/* Fills free slots as long as the tokens fit into one encoder call. */
static void encode_new(struct run *r)
{
    struct steti_engine *e = r->e;
    int before = r->n_active, rows = 0;
    while (r->next < r->n && r->n_active < e->options.batch_size) {
        struct steti_job *job = &r->jobs[r->next];
        int more = steti_engine_source_rows(e, job->n_src);
        if (rows > 0 && (long long)rows + more > e->session.limits.max_rows) {
            break;
        }
        r->next++;
        admit(r, job);
        rows += r->n_active > before ? more : 0;
    }
    if (r->n_active > before) {
        steti_engine_encode(e, e->list + before, r->n_active - before);
    }
}

/* One pass where someone may want a sentence to end before the next one; else as many as the device
 * makes by itself, until a slot is free for a sentence that waits. */
static void pass(struct run *r)
{
    int most = steti_engine_most_passes(r->e);
    for (int i = 0; i < r->n_active; i++) {
        most = r->e->slots[r->e->list[i]].job->is_cancelled != NULL ? 1 : most;
    }
    steti_engine_passes(r->e, r->e->list, r->n_active, most, r->next < r->n ? 1 : r->n_active);
}

stet_status steti_engine_run(struct steti_engine *e, struct steti_job *jobs, size_t n,
                             stet_error *err)
{
    struct run r = {.e = e, .jobs = jobs, .n = n, .first = STET_OK, .err = err};
    while (r.next < r.n || r.n_active > 0) {
        end_cancelled(&r);
        encode_new(&r);
        end_done(&r);
        pass(&r);
        end_done(&r);
    }
    for (size_t i = 0; i < n && e->options.verify; i++) {
        if (jobs[i].status == STET_OK) {
            jobs[i].err = jobs[i].err == NULL && r.first == STET_OK ? err : jobs[i].err;
            leave(&r, &jobs[i], steti_engine_verify(e, 0, &jobs[i]));
        }
    }
    return r.first;
}
