#include "scheduler.h"

#include <limits.h>
#include <string.h>

#include "alloc.h"
#include "pace.h"
#include "ready_queue.h"
#include "turn_order.h"

#define ENCODE_SHARE 8.0 /* passes that one encoder call may take while others decode */
#define PATIENCE 4       /* passes that a sentence may wait for company in the encoder */

struct entry {
    int place;     /* in `active`; -1: not there */
    int n_slots;   /* sentences in slots */
    int has_begun; /* at least one sentence had its turn */
};

struct steti_sched {
    struct steti_sched_options o;
    struct turn_order order;         /* requests with a sentence that has not begun */
    struct ready_queue deadlines;    /* requests with a deadline, by that */
    struct entry *entries;           /* [max_requests] */
    int *active, n_active;           /* requests added and not completed */
    int n_begun;                     /* of these, with has_begun */
    int *slot_request, *slot_tokens; /* [n_slots]; -1: free */
    int *is_encoded;                 /* [n_slots] */
    int *list, n_busy, busy_tokens;  /* slots of one call; how many are in use, their tokens */
    /* begun and not encoded: slots, their tokens, passes since the first of them waits */
    int n_gathered, gathered, held;
    uint64_t now; /* when this step began */
    struct pace pace;
};

size_t steti_sched_bytes(int max_requests, int n_slots)
{
    size_t entry = sizeof(struct entry) + 2 * sizeof(int) + sizeof(struct ready_entry);
    return sizeof(struct steti_sched) + (size_t)max_requests * entry +
           turn_order_bytes(max_requests) + (size_t)n_slots * 4 * sizeof(int);
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
    STETI_TRY(turn_order_init(&s->order, s->o.max_requests, err));
    return ready_queue_init(&s->deadlines, s->o.max_requests, err);
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
    pace_init(&s->pace, s->o.n_slots);
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
    ready_queue_free(&s->deadlines);
    turn_order_free(&s->order);
    steti_free(s->slot_request);
    steti_free(s->active);
    steti_free(s->entries);
    steti_free(s);
}

void steti_sched_add(struct steti_sched *s, int request, const struct steti_sched_request *r)
{
    struct entry *e = &s->entries[request];
    memset(e, 0, sizeof *e);
    e->place = s->n_active;
    s->active[s->n_active++] = request;
    if (r->deadline_ns != 0 && r->deadline_ns <= INT64_MAX) { /* in less than three centuries */
        ready_queue_put(&s->deadlines, request, (int64_t)r->deadline_ns);
    }
    turn_order_add(&s->order, request, r->arrival_ns,
                   (int64_t)r->priority * STETI_PRIORITY_STEP_NS);
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
    turn_order_remove(&s->order, request);
    ready_queue_remove(&s->deadlines, request);
    s->o.ops->complete(s->o.ctx, request, st);
}

static void free_slot(struct steti_sched *s, int slot)
{
    s->entries[s->slot_request[slot]].n_slots--;
    s->slot_request[slot] = -1;
    s->n_busy--;
    s->busy_tokens -= s->slot_tokens[slot];
    if (!s->is_encoded[slot]) {
        s->n_gathered--;
        s->gathered -= s->slot_tokens[slot];
    }
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

static void end_expired(struct steti_sched *s, uint64_t now)
{
    struct ready_queue *q = &s->deadlines;
    while (q->n > 0 && (uint64_t)q->heap[0].key <= now) {
        steti_sched_end(s, ready_queue_first(q), STET_E_DEADLINE);
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
        turn_order_remove(&s->order, request);
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
    s->busy_tokens += tokens;
    s->n_gathered++;
    s->gathered += tokens;
    if (more) {
        turn_order_again(&s->order, request, tokens * s->pace.ns_per_token);
    } else {
        turn_order_remove(&s->order, request);
    }
    return tokens;
}

static int is_decoding(const struct steti_sched *s)
{
    return s->n_busy > s->n_gathered;
}

/* Tokens that the encoder may read at once. */
static int encode_budget(const struct steti_sched *s)
{
    double rows;
    if (!is_decoding(s)) {
        return INT_MAX; /* nobody waits for the end of it */
    }
    rows = s->pace.encode_ns > 0 ? ENCODE_SHARE * s->pace.pass_ns / s->pace.encode_ns
                                 : s->o.encode_rows;
    rows = rows < s->o.encode_worth ? s->o.encode_worth : rows;
    return rows < s->o.encode_rows ? (int)rows : s->o.encode_rows;
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
        pace_done(&s->pace, s->slot_tokens[slot]);
        st = s->o.ops->finish(s->o.ctx, slot);
        free_slot(s, slot);
        if (st != STET_OK) {
            steti_sched_end(s, request, st);
        } else if (s->entries[request].n_slots == 0 && !turn_order_has(&s->order, request)) {
            complete(s, request, STET_OK);
        }
    }
    pace_measure(&s->pace);
}

static int has_room(const struct steti_sched *s)
{
    return s->n_busy < s->o.n_slots && (s->o.max_tokens == 0 || s->busy_tokens < s->o.max_tokens);
}

/* Waiting sentences into free slots, until `budget` tokens are together. */
static void gather(struct steti_sched *s, int budget)
{
    int slot = 0;
    while (turn_order_count(&s->order) > 0 && has_room(s) && s->gathered < budget) {
        while (s->slot_request[slot] >= 0) {
            slot++;
        }
        if (begin(s, turn_order_first(&s->order, s->now), slot) == 0) {
            slot = 0; /* a request that failed may have freed slots before it */
        }
    }
}

static void encode_gathered(struct steti_sched *s, uint64_t start)
{
    int n = 0, rows = s->gathered;
    for (int i = 0; i < s->o.n_slots; i++) {
        if (s->slot_request[i] >= 0 && !s->is_encoded[i]) {
            s->is_encoded[i] = 1;
            s->list[n++] = i;
        }
    }
    s->n_gathered = s->gathered = s->held = 0;
    s->o.ops->encode(s->o.ctx, s->list, n);
    pace_encoded(&s->pace, steti_now(s->o.clock) - start, rows);
    finish_done(s, n);
}

/* Fills free slots and lets the encoder read what came in. */
static void admit(struct steti_sched *s)
{
    int budget = encode_budget(s), enough;
    gather(s, budget);
    if (s->n_gathered == 0) {
        s->held = 0;
        return;
    }
    enough = budget < s->o.encode_worth ? budget : s->o.encode_worth;
    if (is_decoding(s) && s->gathered < enough && s->held < PATIENCE) {
        s->held++;
        return;
    }
    encode_gathered(s, s->now);
}

/* Passes that nothing need come between. */
static int most_passes(const struct steti_sched *s)
{
    const struct ready_queue *q = &s->deadlines;
    int is_joining = s->n_gathered > 0 || (turn_order_count(&s->order) > 0 && has_room(s));
    double left;
    if (s->o.ops->passes == NULL || s->o.most_passes <= 1 || is_joining) {
        return 1;
    }
    if (q->n == 0 || s->pace.pass_ns <= 0) {
        return s->o.most_passes;
    }
    left = (double)q->heap[0].key - (double)s->now;
    left = left / s->pace.pass_ns;
    return left >= s->o.most_passes ? s->o.most_passes : left > 1 ? (int)left : 1;
}

/* Returns how many there were. */
static int run_passes(struct steti_sched *s, int n)
{
    int most = most_passes(s);
    int tells_first = turn_order_count(&s->order) > 0 || s->n_begun > 1;
    if (most > 1) {
        return s->o.ops->passes(s->o.ctx, s->list, n, most, tells_first ? 1 : n);
    }
    s->o.ops->pass(s->o.ctx, s->list, n);
    return 1;
}

static void pass(struct steti_sched *s)
{
    uint64_t start = steti_now(s->o.clock);
    int n = 0, passes;
    end_expired(s, start); /* beginning and encoding took time */
    for (int i = 0; i < s->o.n_slots; i++) {
        if (s->slot_request[i] >= 0 && s->is_encoded[i]) {
            s->list[n++] = i;
        }
    }
    if (n == 0) {
        return;
    }
    passes = run_passes(s, n);
    pace_passed(&s->pace, steti_now(s->o.clock) - start, n, passes);
    finish_done(s, n);
}

int steti_sched_step(struct steti_sched *s)
{
    s->now = steti_now(s->o.clock);
    end_expired(s, s->now);
    admit(s);
    pass(s);
    return s->n_active > 0;
}

double steti_sched_ns_per_token(const struct steti_sched *s)
{
    return s->pace.ns_per_token;
}

int steti_sched_waiting(const struct steti_sched *s)
{
    return s->n_active - s->n_begun;
}

int steti_sched_running(const struct steti_sched *s)
{
    return s->n_begun;
}
