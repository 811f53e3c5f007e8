/* From the caller's hands into the inbox. */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "completion_queue.h"
#include "engine_state.h"

#define MAX_REQUEST_BYTES ((size_t)1 << 30)
#define MAX_SUBMIT_BYTES ((size_t)16 << 20)
#define ALL_FLAGS (STET_REQ_WRAPPED | STET_REQ_SENTENCE | STET_REQ_TOKENS)
#define SENTENCE_COPIES 3   /* of the list of sentences, while it grows or is put in order */
#define LARGEST_STRUCT 4096 /* that a later version may come to */
#define INDEX_BITS 20       /* of an id; the rest counts how often the place was used */

stet_status engine_read_request(const stet_request *list, size_t index, stet_request *out,
                                stet_error *err)
{
    uint32_t size = list->struct_size;
    const stet_request *r;
    /* What programs compiled before the asynchronous interface know of. */
    if (size < offsetof(stet_request, tokens) || size > LARGEST_STRUCT ||
        size % _Alignof(stet_request) != 0) {
        return steti_fail(err, STET_E_INVALID,
                          "request: struct_size is %u, set it to sizeof(stet_request)", size);
    }
    r = (const stet_request *)(const void *)((const char *)list + index * size);
    if (r->struct_size != size) {
        return steti_fail(err, STET_E_INVALID,
                          "request %zu: struct_size is %u, but %u in the first of the array", index,
                          r->struct_size, size);
    }
    memset(out, 0, sizeof *out);
    memcpy(out, r, size < sizeof *out ? size : sizeof *out);
    return STET_OK;
}

static stet_status check_tokens(const stet_engine *g, const stet_request *r, stet_error *err)
{
    int vocab = steti_model_spec(g->model->net)->vocab_size;
    if (r->tokens == NULL && r->n_tokens > 0) {
        return steti_fail(err, STET_E_INVALID, "request: tokens is NULL, but there are %zu",
                          r->n_tokens);
    }
    if (r->n_tokens > (size_t)g->options.max_input) {
        return steti_fail(err, STET_E_TOO_LONG, "request: %zu tokens, max_input_length is %d",
                          r->n_tokens, g->options.max_input);
    }
    for (size_t i = 0; i < r->n_tokens; i++) {
        if (r->tokens[i] < 0 || r->tokens[i] >= vocab) {
            return steti_fail(err, STET_E_INVALID,
                              "request: token %d at position %zu is not in the vocabulary of %d",
                              r->tokens[i], i, vocab);
        }
    }
    return STET_OK;
}

static stet_status check_text(const stet_request *r, size_t most, stet_error *err)
{
    if (r->text == NULL && r->len > 0) {
        return steti_fail(err, STET_E_INVALID, "request: text is NULL, but its length is %zu",
                          r->len);
    }
    if (r->len > most) {
        return steti_fail(err, STET_E_TOO_LONG, "request: %zu bytes, at most %zu are possible",
                          r->len, most);
    }
    return STET_OK;
}

/* The engine's prompt is not for tokens, and one that would not be read must not look as if. */
static stet_status check_prompt(const stet_request *r, stet_error *err)
{
    if (r->prompt != NULL && r->prompt[0] != '\0' && (r->flags & STET_REQ_TOKENS) != 0) {
        return steti_fail(err, STET_E_INVALID,
                          "request: STET_REQ_TOKENS does not go with a prompt, put its tokens "
                          "in front");
    }
    return r->prompt != NULL ? api_check_prompt("request: prompt", r->prompt, err) : STET_OK;
}

static stet_status check_request(const stet_engine *g, const stet_request *r, size_t most,
                                 stet_error *err)
{
    if (r->flags & ~ALL_FLAGS) {
        return steti_fail(err, STET_E_INVALID, "request: unknown flag in 0x%x", (unsigned)r->flags);
    }
    if (r->priority < -STET_PRIORITY_MAX || r->priority > STET_PRIORITY_MAX) {
        return steti_fail(err, STET_E_INVALID, "request: priority %d, use %d to %d", r->priority,
                          -STET_PRIORITY_MAX, STET_PRIORITY_MAX);
    }
    STETI_TRY(check_prompt(r, err));
    if ((r->flags & STET_REQ_TOKENS) == 0) {
        return check_text(r, most, err);
    }
    if (r->flags != STET_REQ_TOKENS) {
        return steti_fail(err, STET_E_INVALID,
                          "request: STET_REQ_TOKENS does not go with flags for text (0x%x)",
                          (unsigned)r->flags);
    }
    return check_tokens(g, r, err);
}

static uint64_t expected_tokens(const stet_request *r)
{
    return r->flags & STET_REQ_TOKENS ? r->n_tokens + 1 : r->len / API_BYTES_PER_TOKEN + 1;
}

/* A place in the table and in the budgets; -1 in *place where there is none. */
static stet_status reserve(stet_engine *g, const stet_request *r, int any_delay, int *place,
                           stet_error *err)
{
    struct steti_admission_need need = {.tokens = expected_tokens(r),
                                        .now_ns = steti_now(steti_clock_system()),
                                        .deadline_ns = r->deadline_ns,
                                        .any_delay = any_delay};
    stet_status st;
    int lane;
    *place = -1;
    pthread_mutex_lock(&g->lock);
    lane = steti_share_choose(g->shares, g->n_lanes);
    if (lane < 0) {
        st = steti_fail(err, STET_E_DEVICE,
                        "the device failed; destroy the engine and create another");
    } else if (g->is_draining || (g->is_closing && !any_delay)) {
        st = steti_fail(err, STET_E_SHUTDOWN, "the engine takes no more requests");
    } else {
        st = steti_admission_take(&g->admission, &need, err);
    }
    if (st == STET_OK) {
        *place = g->free_list;
        g->free_list = g->requests[*place].next;
        g->requests[*place].lane = lane;
        steti_share_take(&g->shares[lane], need.tokens);
    }
    g->totals.refused_requests += st == STET_E_BUSY && !any_delay;
    pthread_mutex_unlock(&g->lock);
    return st;
}

static void give_back(stet_engine *g, const stet_request *r, int place, int was_busy)
{
    pthread_mutex_lock(&g->lock);
    steti_admission_give(&g->admission, expected_tokens(r));
    steti_share_give(&g->shares[g->requests[place].lane], expected_tokens(r));
    g->requests[place].next = g->free_list;
    g->free_list = place;
    g->totals.refused_requests += was_busy != 0;
    if (g->is_draining) { /* a blocking call waits for memory, which this is not */
        pthread_cond_broadcast(&g->changed);
    }
    pthread_mutex_unlock(&g->lock);
}

static enum steti_split split_mode(const stet_request *r)
{
    if (r->flags & STET_REQ_SENTENCE) {
        return STETI_SPLIT_NONE;
    }
    return r->flags & STET_REQ_WRAPPED ? STETI_SPLIT_WRAPPED : STETI_SPLIT_LINES;
}

struct splitting {
    const stet_request *request;
    struct steti_spans *spans;
};

static stet_status split(void *ctx, stet_error *err)
{
    const struct splitting *s = ctx;
    return steti_sentences_split(s->request->text, s->request->len, split_mode(s->request),
                                 s->spans, err);
}

/* Finds the sentences, and charges for what each will hold in the result. */
static stet_status split_text(const stet_request *r, struct api_request *place, stet_error *err)
{
    struct splitting s = {.request = r, .spans = &place->spans};
    struct result_step step = {.run = split, .ctx = &s};
    STETI_TRY(result_run(place->result, &step, err));
    return result_expect(place->result,
                         2 * r->len + SENTENCE_COPIES * sizeof(struct api_sentence) * s.spans->len,
                         err);
}

/* Outside the lock: the copy and its sentences. */
static stet_status copy_request(stet_engine *g, const stet_request *r, struct api_request *place,
                                stet_error *err)
{
    struct result_source source = {.text = r->text, .len = r->len, .prompt = r->prompt};
    stet_status st;
    place->spans = (struct steti_spans){0};
    if (r->flags & STET_REQ_TOKENS) {
        source = (struct result_source){.tokens = r->tokens, .n_tokens = r->n_tokens};
    }
    STETI_TRY(result_new(&source, g->budget, &place->result, err));
    if (source.len == 0) {
        return STET_OK;
    }
    st = split_text(r, place, err);
    if (st != STET_OK) {
        steti_spans_free(&place->spans);
        stet_result_release(place->result);
    }
    return st;
}

void lane_put(struct api_lane *l, int request)
{
    struct api_request *list = l->engine->requests;
    list[request].lane = l->index;
    list[request].next = -1;
    if (l->inbox_last >= 0) {
        list[l->inbox_last].next = request;
    } else {
        l->inbox_first = request;
    }
    l->inbox_last = request;
    l->live++;
    l->engine->live++;
}

static void put_into_inbox(stet_engine *g, int place, uint64_t *id)
{
    struct api_request *r = &g->requests[place];
    pthread_mutex_lock(&g->lock);
    r->generation++;
    r->id = r->generation << INDEX_BITS | (uint64_t)place;
    r->result->id = r->id;
    *id = r->id;
    lane_put(&g->lanes[r->lane], place);
    g->totals.accepted_requests++;
    if (r->batch != NULL) {
        r->batch->pending++;
    }
    if (r->batch == NULL || !engine_is_free(g)) { /* else its caller sees to the work */
        engine_wake(&g->lanes[r->lane]);
    }
    pthread_mutex_unlock(&g->lock);
}

stet_status engine_accept(stet_engine *g, const stet_request *r, const struct intake *to,
                          uint64_t *id, stet_error *err)
{
    size_t most = to->batch != NULL ? MAX_REQUEST_BYTES : MAX_SUBMIT_BYTES;
    uint64_t start = steti_now(steti_clock_system());
    struct api_request *p;
    int place;
    stet_status st;
    STETI_TRY(check_request(g, r, most, err));
    STETI_TRY(reserve(g, r, to->batch != NULL, &place, err));
    p = &g->requests[place];
    st = copy_request(g, r, p, err);
    if (st != STET_OK) {
        give_back(g, r, place, st == STET_E_BUSY && to->batch == NULL);
        return st;
    }
    p->result->tag = r->tag;
    p->cq = to->cq;
    p->batch = to->batch;
    p->index = to->index;
    p->deadline_ns = r->deadline_ns;
    p->submit_ns = start;
    p->priority = r->priority;
    p->is_tokens = (r->flags & STET_REQ_TOKENS) != 0;
    p->has_prompt = r->prompt != NULL;
    p->is_cancelled = 0;
    p->is_hit = 0;
    p->n_losses = 0;
    p->tokens = expected_tokens(r);
    p->tokens_left = p->tokens;
    p->next_span = 0;
    p->at = 0;
    p->n_begun = 0;
    p->last_encode = 0;
    p->last_pass = 0;
    if (to->cq != NULL) {
        cq_retain(to->cq);
    }
    put_into_inbox(g, place, id);
    return STET_OK;
}

static stet_status submit_all(stet_engine *g, stet_cq *cq, const stet_request *requests, size_t n,
                              uint64_t *ids, size_t *accepted, stet_error *err)
{
    const struct intake to = {.cq = cq};
    for (size_t i = 0; i < n; i++) {
        stet_request r;
        uint64_t id;
        STETI_TRY(engine_read_request(requests, i, &r, err));
        STETI_TRY(engine_accept(g, &r, &to, &id, err));
        if (ids != NULL) {
            ids[i] = id;
        }
        *accepted = i + 1;
    }
    return STET_OK;
}

stet_status stet_submit(stet_engine *engine, stet_cq *cq, const stet_request *requests, size_t n,
                        uint64_t *ids, size_t *accepted, stet_error *err)
{
    stet_error local;
    size_t ignored;
    stet_status st;
    err = api_error(err, &local);
    accepted = accepted != NULL ? accepted : &ignored;
    *accepted = 0;
    if (engine == NULL || cq == NULL || (requests == NULL && n > 0)) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_submit: engine, queue and requests must not be NULL");
    }
    STETI_TRY(cq_check(cq, err));
    STETI_TRY(engine_enter(engine, err));
    st = submit_all(engine, cq, requests, n, ids, accepted, err);
    engine_leave(engine);
    return st;
}

stet_status stet_cancel(stet_engine *engine, uint64_t id)
{
    size_t place = (size_t)(id & (((uint64_t)1 << INDEX_BITS) - 1));
    uint64_t generation = id >> INDEX_BITS;
    stet_status st = STET_OK;
    struct api_request *r;
    if (engine == NULL) {
        return STET_E_INVALID;
    }
    STETI_TRY(engine_enter(engine, NULL));
    pthread_mutex_lock(&engine->lock);
    r = place < (size_t)engine->options.queue_size ? &engine->requests[place] : NULL;
    if (r == NULL || generation == 0 || generation > r->generation) {
        st = STET_E_INVALID;
    } else if (r->id == id && !r->is_cancelled) {
        r->is_cancelled = 1;
        engine->lanes[r->lane].n_cancels++;
    }
    pthread_mutex_unlock(&engine->lock);
    engine_leave(engine);
    return st;
}
