/* client_node_addon.c - stet for Node: a Node-API addon that has Node's event loop wait for the
 * descriptor of the completion queue. What waits inside stet goes to the thread pool. */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <stet.h>

enum { MAX_EVENTS = 16, MAX_EDITS = 256 };

struct client {
    napi_env env;
    stet_engine *engine;
    stet_cq *cq;
    uv_poll_t poll; /* its `data` is the client */
    napi_ref on_events;
    napi_async_context context;
};

/* What the thread pool does: a batch, or with no requests draining. */
struct job {
    napi_async_work work;
    napi_deferred deferred;
    struct client *client;
    size_t n;
    stet_request *requests;
    stet_result **results;
    stet_status status;
    stet_error err;
};

/* ---- Values ---------------------------------------------------------------------------------- */

/* For mistakes of the program; those of its user become JavaScript errors. */
static void need(bool good, const char *what)
{
    if (!good) {
        napi_fatal_error("client_node_addon", NAPI_AUTO_LENGTH, what, NAPI_AUTO_LENGTH);
    }
}

static void must(napi_status status)
{
    need(status == napi_ok, "a Node-API call failed");
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    need(p != NULL, "out of memory");
    return p;
}

static napi_value make_string(napi_env env, const char *text, size_t len)
{
    napi_value v;
    must(napi_create_string_utf8(env, len > 0 ? text : "", len, &v));
    return v;
}

static napi_value make_number(napi_env env, int64_t number)
{
    napi_value v;
    must(napi_create_int64(env, number, &v));
    return v;
}

static napi_value make_object(napi_env env)
{
    napi_value v;
    must(napi_create_object(env, &v));
    return v;
}

static napi_value make_bigint(napi_env env, uint64_t number)
{
    napi_value v;
    must(napi_create_bigint_uint64(env, number, &v));
    return v;
}

static void set(napi_env env, napi_value object, const char *name, napi_value v)
{
    must(napi_set_named_property(env, object, name, v));
}

/* The text of a JavaScript string as UTF-8; the caller frees it. */
static char *take_string(napi_env env, napi_value v, size_t *len)
{
    must(napi_get_value_string_utf8(env, v, NULL, 0, len));
    char *text = allocate(*len + 1, 1);
    must(napi_get_value_string_utf8(env, v, text, *len + 1, len));
    return text;
}

static uint64_t take_bigint(napi_env env, napi_value v)
{
    uint64_t number;
    bool lossless;
    must(napi_get_value_bigint_uint64(env, v, &number, &lossless));
    return number;
}

/* The arguments of a call; NULL if the first of them is not a client. */
static struct client *take_args(napi_env env, napi_callback_info info, napi_value *args, size_t n)
{
    void *client = NULL;
    size_t given = n;
    must(napi_get_cb_info(env, info, &given, args, NULL, NULL));
    need(given == n, "wrong number of arguments");
    return napi_get_value_external(env, args[0], &client) == napi_ok ? client : NULL;
}

/* An Error whose code is the status's name, as Node's own errors have one. */
static napi_value make_error(napi_env env, stet_status status, const char *message)
{
    napi_value code = make_string(env, stet_status_name(status), NAPI_AUTO_LENGTH), error;
    must(napi_create_error(env, code, make_string(env, message, NAPI_AUTO_LENGTH), &error));
    return error;
}

/* {text, edits: [{begin, end, text}, ...]}, offsets as JavaScript's strings count. */
static napi_value make_result(napi_env env, const stet_result *result)
{
    napi_value object = make_object(env), list;
    stet_edit edits[MAX_EDITS];
    size_t len = 0;
    const char *text = stet_result_text(result, &len);
    int64_t n = stet_result_edits(result, STET_UNIT_UTF16, edits, sizeof edits[0], 0, MAX_EDITS);
    need(n >= 0 && n <= MAX_EDITS, "more edits than there is room for");
    must(napi_create_array(env, &list));
    for (uint32_t i = 0; i < n; i++) {
        napi_value edit = make_object(env);
        set(env, edit, "begin", make_number(env, edits[i].src_off));
        set(env, edit, "end", make_number(env, edits[i].src_off + edits[i].src_len));
        set(env, edit, "text", make_string(env, edits[i].text, edits[i].text_len));
        must(napi_set_element(env, list, i, edit));
    }
    set(env, object, "text", make_string(env, text, len));
    set(env, object, "edits", list);
    return object;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* {id, tag, result} or {id, tag, error}. Releases the result. */
static napi_value make_event(napi_env env, const stet_event *event)
{
    napi_value object = make_object(env);
    set(env, object, "id", make_bigint(env, event->id));
    set(env, object, "tag", make_bigint(env, event->tag));
    if (event->status == STET_OK) {
        set(env, object, "result", make_result(env, event->result));
    } else {
        set(env, object, "error", make_error(env, event->status, event->message));
    }
    stet_result_release(event->result);
    return object;
}

/* The loop of Node calls this on JavaScript's thread. One call hands over all that was taken. */
static void on_readable(uv_poll_t *poll, int status, int what)
{
    struct client *c = poll->data;
    napi_env env = c->env;
    stet_event events[MAX_EVENTS];
    napi_handle_scope scope;
    napi_value list, on_events, error;
    (void)status;
    (void)what;
    int64_t n = stet_cq_poll(c->cq, events, sizeof events[0], MAX_EVENTS, 0);
    must(napi_open_handle_scope(env, &scope));
    must(napi_create_array(env, &list));
    for (int64_t i = 0; i < n; i++) {
        must(napi_set_element(env, list, (uint32_t)i, make_event(env, &events[i])));
    }
    must(napi_get_reference_value(env, c->on_events, &on_events));
    if (napi_make_callback(env, c->context, on_events, on_events, 1, &list, NULL) ==
        napi_pending_exception) {
        must(napi_get_and_clear_last_exception(env, &error));
        must(napi_fatal_exception(env, error));
    }
    must(napi_close_handle_scope(env, scope));
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static bool open_engine(struct client *c, const char *folder, stet_error *err)
{
    static const stet_option model_options[] = {{"device", "cpu"}, {"intra_threads", "1"}};
    static const stet_option options[] = {{"queue_size", "64"}, {"max_decoding_length", "48"}};
    stet_model *model = NULL;
    bool good = stet_model_load(folder, model_options, 2, &model, err) == STET_OK &&
                stet_engine_create(model, options, 2, &c->engine, err) == STET_OK &&
                stet_cq_create(&c->cq, err) == STET_OK;
    stet_model_release(model); /* the engine keeps a reference of its own */
    return good;
}

static void start_polling(struct client *c, napi_value on_events)
{
    napi_env env = c->env;
    uv_loop_t *loop = NULL;
    must(napi_create_reference(env, on_events, 1, &c->on_events));
    must(napi_async_init(env, NULL, make_string(env, "stet", 4), &c->context));
    must(napi_get_uv_event_loop(env, &loop));
    need(uv_poll_init(loop, &c->poll, stet_cq_fd(c->cq)) == 0, "uv_poll_init");
    need(uv_poll_start(&c->poll, UV_READABLE, on_readable) == 0, "uv_poll_start");
    c->poll.data = c;
}

/* open(folder, onEvents) */
static napi_value js_open(napi_env env, napi_callback_info info)
{
    napi_value args[2], external = NULL;
    stet_error err = {.struct_size = sizeof err};
    size_t len;
    take_args(env, info, args, 2);
    struct client *c = allocate(1, sizeof *c);
    c->env = env;
    char *folder = take_string(env, args[0], &len);
    if (open_engine(c, folder, &err)) {
        start_polling(c, args[1]);
        must(napi_create_external(env, c, NULL, NULL, &external));
    } else {
        stet_engine_destroy(c->engine);
        free(c);
        must(napi_throw(env, make_error(env, err.code, err.message)));
    }
    free(folder);
    return external;
}

static void on_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    stet_cq_destroy(c->cq); /* closes the descriptor, which nothing watches any more */
    free(c);
}

/* close(client) */
static napi_value js_close(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    struct client *c = take_args(env, info, args, 1);
    stet_engine_destroy(c->engine);
    must(napi_delete_reference(env, c->on_events));
    must(napi_async_destroy(env, c->context));
    uv_close((uv_handle_t *)&c->poll, on_closed);
    return NULL;
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* submit(client, text, tag, deadlineNs) gives {id} or {error, retryAfterMs}: being busy is no
 * reason to throw. */
static napi_value js_submit(napi_env env, napi_callback_info info)
{
    napi_value args[4], outcome = make_object(env);
    stet_error err = {.struct_size = sizeof err};
    uint64_t id = 0;
    struct client *c = take_args(env, info, args, 4);
    stet_request r = {.struct_size = sizeof r,
                      .tag = take_bigint(env, args[2]),
                      .deadline_ns = take_bigint(env, args[3])};
    char *text = take_string(env, args[1], &r.len);
    r.text = text;
    stet_status status = stet_submit(c->engine, c->cq, &r, 1, &id, NULL, &err);
    free(text); /* stet has copied it */
    if (status == STET_OK) {
        set(env, outcome, "id", make_bigint(env, id));
    } else {
        set(env, outcome, "error", make_error(env, status, err.message));
        set(env, outcome, "retryAfterMs", make_number(env, err.retry_after_ms));
    }
    return outcome;
}

/* cancel(client, id) gives the name of the status */
static napi_value js_cancel(napi_env env, napi_callback_info info)
{
    napi_value args[2];
    struct client *c = take_args(env, info, args, 2);
    stet_status status = stet_cancel(c->engine, take_bigint(env, args[1]));
    return make_string(env, stet_status_name(status), NAPI_AUTO_LENGTH);
}

/* health(client) */
static napi_value js_health(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    struct client *c = take_args(env, info, args, 1);
    return make_number(env, stet_engine_health(c->engine));
}

/* clockNs() */
static napi_value js_clock_ns(napi_env env, napi_callback_info info)
{
    (void)info;
    return make_bigint(env, stet_clock_ns());
}

/* ---- What waits, in the thread pool ---------------------------------------------------------- */

static void run_job(napi_env env, void *data)
{
    struct job *job = data;
    (void)env; /* no JavaScript here */
    if (job->requests != NULL) {
        job->status = stet_correct_batch(job->client->engine, job->requests, job->n, job->results,
                                         NULL, &job->err);
    } else {
        job->status = stet_engine_drain(job->client->engine, 0, &job->err);
    }
}

static void finish_job(napi_env env, napi_status status, void *data)
{
    struct job *job = data;
    napi_value list;
    must(status);
    must(napi_create_array(env, &list));
    for (size_t i = 0; i < job->n; i++) {
        if (job->results[i] != NULL) {
            must(napi_set_element(env, list, (uint32_t)i, make_result(env, job->results[i])));
        }
        stet_result_release(job->results[i]);
        free((void *)(uintptr_t)job->requests[i].text);
    }
    if (job->status == STET_OK) {
        must(napi_resolve_deferred(env, job->deferred, list));
    } else {
        must(napi_reject_deferred(env, job->deferred,
                                  make_error(env, job->status, job->err.message)));
    }
    must(napi_delete_async_work(env, job->work));
    free(job->requests);
    free(job->results);
    free(job);
}

static napi_value start_job(napi_env env, struct job *job)
{
    napi_value promise, name = make_string(env, "stet", 4);
    job->err.struct_size = sizeof job->err;
    must(napi_create_promise(env, &job->deferred, &promise));
    must(napi_create_async_work(env, NULL, name, run_job, finish_job, job, &job->work));
    must(napi_queue_async_work(env, job->work));
    return promise;
}

/* correctBatch(client, texts) gives a promise of the results */
static napi_value js_correct_batch(napi_env env, napi_callback_info info)
{
    napi_value args[2], text;
    uint32_t n = 0;
    struct client *c = take_args(env, info, args, 2);
    must(napi_get_array_length(env, args[1], &n));
    struct job *job = allocate(1, sizeof *job);
    job->client = c;
    job->n = n;
    job->requests = allocate(n, sizeof *job->requests);
    job->results = allocate(n, sizeof(stet_result *));
    for (uint32_t i = 0; i < n; i++) {
        must(napi_get_element(env, args[1], i, &text));
        job->requests[i].struct_size = sizeof *job->requests;
        job->requests[i].text = take_string(env, text, &job->requests[i].len);
    }
    return start_job(env, job);
}

/* drain(client) gives a promise */
static napi_value js_drain(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    struct job *job = allocate(1, sizeof *job);
    job->client = take_args(env, info, args, 1);
    return start_job(env, job);
}

static napi_value init(napi_env env, napi_value exports)
{
    napi_property_descriptor functions[] = {
        {.utf8name = "open", .method = js_open},
        {.utf8name = "close", .method = js_close},
        {.utf8name = "submit", .method = js_submit},
        {.utf8name = "cancel", .method = js_cancel},
        {.utf8name = "health", .method = js_health},
        {.utf8name = "clockNs", .method = js_clock_ns},
        {.utf8name = "correctBatch", .method = js_correct_batch},
        {.utf8name = "drain", .method = js_drain},
    };
    must(napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions));
    return exports;
}

NAPI_MODULE(client_node_addon, init)
