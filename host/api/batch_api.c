/* Blocking calls, on top of the same intake and the same scheduler. */
#include <string.h>

#include "alloc.h"
#include "engine_state.h"
#include "thread.h"

/* How long a call waits for others to take their results from completion queues where those hold
 * all that memory_limit leaves: nobody wakes it then, so it looks now and then. */
#define LOOK_NS 1000000u
#define MOST_LOOKS 1000

void batch_fail(struct api_batch *b, size_t index, stet_status st, const char *message)
{
    b->statuses[index] = st;
    if (b->first == STET_OK) {
        b->first = st;
        steti_fail(b->err, st, "%s", message);
    }
}

void batch_take(struct api_batch *b, size_t index, stet_result *result)
{
    b->pending--;
    result_uncharge(result);
    if (result->status != STET_OK) {
        batch_fail(b, index, result->status, result->message);
        stet_result_release(result);
        return;
    }
    b->statuses[index] = STET_OK;
    b->results[index] = result;
}

struct feed {
    const stet_request *requests;
    size_t n, next;
    int looks; /* in vain, one after the other */
};

/* With the lock held, which is given up for the copying. Hands in until the engine is full. */
static void hand_in(stet_engine *g, struct api_batch *b, struct feed *f)
{
    while (f->next < f->n) {
        struct intake to = {.batch = b, .index = f->next};
        stet_error e = {.struct_size = sizeof e};
        stet_request r;
        uint64_t id;
        stet_status st;
        pthread_mutex_unlock(&g->lock);
        st = engine_read_request(f->requests, f->next, &r, &e);
        if (st == STET_OK) {
            st = engine_accept(g, &r, &to, &id, &e);
        }
        pthread_mutex_lock(&g->lock);
        if (st == STET_E_BUSY && (f->looks < MOST_LOOKS || g->live > 0)) {
            return;
        }
        if (st == STET_E_BUSY) {
            st = STET_E_NOMEM; /* results that nobody takes */
        }
        if (st != STET_OK) {
            batch_fail(b, f->next, st, e.message);
        }
        f->looks = 0;
        f->next++;
    }
}

static void look_again_soon(stet_engine *g, struct feed *f)
{
    steti_cond_wait_until(&g->changed, &g->lock, steti_now(steti_clock_system()) + LOOK_NS);
    f->looks++;
}

static void run_batch(stet_engine *g, struct api_batch *b, struct feed *f)
{
    pthread_mutex_lock(&g->lock);
    hand_in(g, b, f);
    while (f->next < f->n || b->pending > 0) {
        b->refill = f->next < f->n ? b->pending / 2 : 0;
        if (engine_is_free(g) && g->live > 0) {
            engine_drive(&g->lanes[0], b);
        } else if (g->live > 0) {
            pthread_cond_wait(&g->changed, &g->lock);
        } else {
            look_again_soon(g, f);
        }
        hand_in(g, b, f);
    }
    pthread_mutex_unlock(&g->lock);
}

static stet_status correct_all(stet_engine *g, struct api_batch *b, struct feed *f)
{
    stet_status *own = NULL, one;
    if (b->statuses == NULL && f->n == 1) {
        b->statuses = &one;
    } else if (b->statuses == NULL) {
        own = steti_calloc(f->n + 1, sizeof *own);
        if (own == NULL) {
            return steti_fail_nomem(b->err, "a batch of requests", f->n * sizeof *own);
        }
        b->statuses = own;
    }
    run_batch(g, b, f);
    steti_free(own);
    return b->first;
}

stet_status stet_correct_batch(stet_engine *engine, const stet_request *requests, size_t n,
                               stet_result **results, stet_status *statuses, stet_error *err)
{
    struct api_batch b = {.results = results, .statuses = statuses, .first = STET_OK};
    struct feed f = {.requests = requests, .n = n};
    stet_error local;
    stet_status st = STET_OK;
    b.err = err = api_error(err, &local);
    if (engine == NULL || (n > 0 && (requests == NULL || results == NULL))) {
        st = steti_fail(err, STET_E_INVALID,
                        "stet_correct_batch: engine, requests and results must not be NULL");
    }
    st = st == STET_OK ? engine_enter(engine, err) : st;
    for (size_t i = 0; i < n; i++) {
        if (results != NULL) {
            results[i] = NULL;
        }
        if (statuses != NULL) {
            statuses[i] = st;
        }
    }
    STETI_TRY(st);
    st = correct_all(engine, &b, &f);
    engine_leave(engine);
    return st;
}

stet_status stet_correct(stet_engine *engine, const char *text, size_t len, stet_result **out,
                         stet_error *err)
{
    stet_request r = {.struct_size = sizeof r, .text = text, .len = len};
    return stet_correct_batch(engine, &r, 1, out, NULL, err);
}
