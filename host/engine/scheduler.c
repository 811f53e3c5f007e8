#include "scheduler.h"

#include <string.h>

#include "alloc.h"
#include "ready_queue.h"

#define FIRST_NS_PER_TOKEN 20000.0 /* believed before anything was measured */
#define ENCODE_SHARE 2.0           /* passes that one encoder call may take while others decode */
#define PATIENCE 4                 /* passes that a sentence may wait for company in the encoder */
#define RATE_TOKENS 256            /* tokens finished before the rate is measured anew */

struct entry {
    uint64_t deadline_ns;
    int64_t key;
    int place;     /* in `active`; -1: not there */
    int n_slots;   /* sentences in slots */
    int has_begun; /* at least one sentence had its turn */
};

struct steti_sched {
    struct steti_sched_options o;
    struct ready_queue ready;
    struct entry *entries; /* [max_requests] */
    int *active, n_active; /* requests added and not completed */
    int n_begun;           /* of these, with has_begun */
    uint64_t next_deadline;
    int *slot_request, *slot_tokens; /* [n_slots]; -1: free */
    int *is_encoded;                 /* [n_slots] */
    int *list, n_busy;               /* slots of one call; how many are in use */
    int held;                        /* passes since sentences wait for company */
    double pass_ns, encode_ns, ns_per_token, mean_tokens;
    uint64_t busy_ns, done_tokens; /* since the rate was measured */
};

size_t steti_sched_bytes(int max_requests, int n_slots)
{
    size_t entry =
        sizeof(struct entry) + 2 * sizeof(int) + sizeof(struct ready_entry) + sizeof(int);
    return sizeof(struct steti_sched) + (size_t)max_requests * entry +
           (size_t)n_slots * 4 * sizeof(int);
}

static stet_status open_arrays(struct steti_sched *s, stet_error *err)
{
    size_t n = (size_t)s->o.max_requests, slots = (size_t)s->o.n_slots;
    s->entries = steti_calloc(n, sizeof *s->entries);
    s->active = steti_calloc(n, sizeof *s->active);
    s->slot_request = steti_calloc(4 * slots, sizeof *s->slot_request);
    if (s->entries == NULL || s->active == NULL || s->slot_request == NULL) {
        return steti_fail_nomem(err, "a scheduler", n * sizeof *s->entries);
    }
    s->slot_tokens = s->slot_request + slots;
    s->is_encoded = s->slot_tokens + slots;
    s->list = s->is_encoded + slots;
    for (size_t i = 0; i < n; i++) {
        s->entries[i].place = -1;
    }
    for (size_t i = 0; i < slots; i++) {
        s->slot_request[i] = -1;
    }
    return ready_queue_init(&s->ready, s->o.max_requests, err);
}

stet_status steti_sched_open(const struct steti_sched_options *o, struct steti_sched **out,
                             stet_error *err)
{
    struct steti_sched *s = steti_calloc(1, sizeof *s);
    stet_status st;
    *out = NULL;
    if (s == NULL) {
        return steti_fail_nomem(err, "a scheduler", sizeof *s);
    }
    s->o = *o;
    s->next_deadline = UINT64_MAX;
    s->ns_per_token = FIRST_NS_PER_TOKEN;
    s->mean_tokens = 1;
    st = open_arrays(s, err);
    if (st != STET_OK) {
        steti_sched_close(s);
        return st;
    }
    *out = s;
    return STET_OK;
}

void steti_sched_close(struct steti_sched *s)
{
    if (s == NULL) {
        return;
    }
    ready_queue_free(&s->ready);
    steti_free(s->slot_request);
    steti_free(s->active);
    steti_free(s->entries);
    steti_free(s);
}

void steti_sched_add(struct steti_sched *s, int request, const struct steti_sched_request *r)
{
    struct entry *e = &s->entries[request];
    memset(e, 0, sizeof *e);
    e->deadline_ns = r->deadline_ns != 0 ? r->deadline_ns : UINT64_MAX;
    e->key = (int64_t)r->arrival_ns - (int64_t)r->priority * STETI_PRIORITY_STEP_NS;
    e->place = s->n_active;
    s->active[s->n_active++] = request;
    if (e->deadline_ns < s->next_deadline) {
        s->next_deadline = e->deadline_ns;
    }
    ready_queue_put(&s->ready, request, e->key);
}

/* Forgets the request before its end is told: its number may come back at once. */
static void complete(struct steti_sched *s, int request, stet_status st)
{
    struct entry *e = &s->entries[request];
    int last = s->active[--s->n_active];
    s->active[e->place] = last;
    s->entries[last].place = e->place;
    e->place = -1;
    s->n_begun -= e->has_begun;
    ready_queue_remove(&s->ready, request);
    s->o.ops->complete(s->o.ctx, request, st);
}

static void free_slot(struct steti_sched *s, int slot)
{
    s->entries[s->slot_request[slot]].n_slots--;
    s->slot_request[slot] = -1;
    s->n_busy--;
}

void steti_sched_end(struct steti_sched *s, int request, stet_status st)
{
    struct entry *e = &s->entries[request];
    if (e->place < 0) {
        return;
    }
    for (int i = 0; i < s->o.n_slots && e->n_slots > 0; i++) {
        if (s->slot_request[i] == request) {
            s->o.ops->drop(s->o.ctx, i);
            free_slot(s, i);
        }
    }
    complete(s, request, st);
}

void steti_sched_end_all(struct steti_sched *s, stet_status st)
{
    while (s->n_active > 0) {
        steti_sched_end(s, s->active[s->n_active - 1], st);
    }
}

static void end_expired(struct steti_sched *s)
{
    uint64_t now = steti_now(s->o.clock);
    if (now < s->next_deadline) {
        return;
    }
    s->next_deadline = UINT64_MAX;
    for (int i = s->n_active - 1; i >= 0; i--) {
        uint64_t deadline = s->entries[s->active[i]].deadline_ns;
        if (deadline <= now) {
            steti_sched_end(s, s->active[i], STET_E_DEADLINE);
        } else if (deadline < s->next_deadline) {
            s->next_deadline = deadline;
        }
    }
}

/* The request's next sentence into `slot`. Returns its tokens; 0: there was none. */
static int begin(struct steti_sched *s, int request, int slot)
{
    struct entry *e = &s->entries[request];
    int more = 0, tokens = s->o.ops->begin(s->o.ctx, request, slot, &more);
    if (tokens < 0) {
        steti_sched_end(s, request, tokens);
        return 0;
    }
    if (tokens == 0) {
        ready_queue_remove(&s->ready, request);
        if (e->n_slots == 0) {
            complete(s, request, STET_OK);
        }
        return 0;
    }
    s->n_begun += !e->has_begun;
    e->has_begun = 1;
    e->n_slots++;
    s->slot_request[slot] = request;
    s->slot_tokens[slot] = tokens;
    s->is_encoded[slot] = 0;
    s->n_busy++;
    s->mean_tokens += (tokens - s->mean_tokens) / 16;
    if (more) {
        e->key += (int64_t)(tokens * s->ns_per_token);
        ready_queue_move_first(&s->ready, e->key);
    } else {
        ready_queue_remove(&s->ready, request);
    }
    return tokens;
}

/* Tokens that the encoder may read now; 0: wait for company. */
static int encode_budget(struct steti_sched *s)
{
    int n_free = s->o.n_slots - s->n_busy;
    int joining = n_free < s->ready.n ? n_free : s->ready.n;
    double rows;
    if (s->n_busy == 0) {
        return s->o.encode_rows;
    }
    if (joining * s->mean_tokens < s->o.encode_worth && n_free > 0 && s->held++ < PATIENCE) {
        return 0;
    }
    rows = s->encode_ns > 0 ? ENCODE_SHARE * s->pass_ns / s->encode_ns : s->o.encode_rows;
    rows = rows < s->o.encode_worth ? s->o.encode_worth : rows;
    return rows < s->o.encode_rows ? (int)rows : s->o.encode_rows;
}

static void observe(double *mean, double value)
{
    *mean = *mean == 0 ? value : *mean + (value - *mean) / 8;
}

/* Of the slots in the list those that are done. */
static void finish_done(struct steti_sched *s, int n)
{
    for (int i = 0; i < n; i++) {
        int slot = s->list[i], request = s->slot_request[slot];
        stet_status st;
        /* -1: dropped together with another sentence of its request */
        if (request < 0 || !s->o.ops->is_done(s->o.ctx, slot)) {
            continue;
        }
        s->done_tokens += (uint64_t)s->slot_tokens[slot];
        st = s->o.ops->finish(s->o.ctx, slot);
        free_slot(s, slot);
        if (st != STET_OK) {
            steti_sched_end(s, request, st);
        } else if (s->entries[request].n_slots == 0 && s->ready.place[request] < 0) {
            complete(s, request, STET_OK);
        }
    }
}

/* Waiting sentences into free slots, until `budget` tokens are together. */
static void begin_some(struct steti_sched *s, int budget)
{
    int rows = 0, slot = 0;
    while (s->ready.n > 0 && s->n_busy < s->o.n_slots && rows < budget) {
        int tokens;
        while (s->slot_request[slot] >= 0) {
            slot++;
        }
        tokens = begin(s, ready_queue_first(&s->ready), slot);
        rows += tokens;
        slot = tokens > 0 ? slot : 0; /* a request that failed may have freed slots before it */
    }
}

/* Fills free slots and lets the encoder read what came in. */
static void admit(struct steti_sched *s)
{
    int n = 0, rows = 0, budget;
    uint64_t start = steti_now(s->o.clock), ns;
    if (s->ready.n == 0 || s->n_busy == s->o.n_slots) {
        return;
    }
    budget = encode_budget(s);
    if (budget == 0) {
        return;
    }
    s->held = 0;
    begin_some(s, budget);
    for (int i = 0; i < s->o.n_slots; i++) {
        if (s->slot_request[i] >= 0 && !s->is_encoded[i]) {
            s->is_encoded[i] = 1;
            s->list[n++] = i;
            rows += s->slot_tokens[i];
        }
    }
    if (n > 0) {
        s->o.ops->encode(s->o.ctx, s->list, n);
        ns = steti_now(s->o.clock) - start;
        s->busy_ns += ns;
        observe(&s->encode_ns, (double)ns / rows);
        finish_done(s, n);
    }
}

static void measure_rate(struct steti_sched *s)
{
    if (s->done_tokens >= RATE_TOKENS) {
        double rate = (double)s->busy_ns / (double)s->done_tokens;
        s->ns_per_token += (rate - s->ns_per_token) / 4;
        s->busy_ns = 0;
        s->done_tokens = 0;
    }
}

static void pass(struct steti_sched *s)
{
    uint64_t start = steti_now(s->o.clock), ns;
    int n = 0;
    for (int i = 0; i < s->o.n_slots; i++) {
        if (s->slot_request[i] >= 0) {
            s->list[n++] = i;
        }
    }
    if (n == 0) {
        return;
    }
    s->o.ops->pass(s->o.ctx, s->list, n);
    ns = steti_now(s->o.clock) - start;
    s->busy_ns += ns;
    observe(&s->pass_ns, (double)ns);
    finish_done(s, n);
    measure_rate(s);
}

int steti_sched_step(struct steti_sched *s)
{
    end_expired(s);
    admit(s);
    pass(s);
    return s->n_active > 0;
}

double steti_sched_ns_per_token(const struct steti_sched *s)
{
    return s->ns_per_token;
}

int steti_sched_waiting(const struct steti_sched *s)
{
    return s->n_active - s->n_begun;
}

int steti_sched_running(const struct steti_sched *s)
{
    return s->n_begun;
}
