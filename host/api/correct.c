/* Text in, text out: requests are split into sentences, sentences into pieces; chunks of sentences
 * go through the engine; edits come back into the result of their request. Memory is bounded by the
 * chunk, not by the text. */
#include <string.h>

#include "alloc.h"
#include "api_internal.h"
#include "utf8.h"

#define CHUNK_SENTENCES API_CHUNK_SENTENCES
#define PART_BYTES 16 /* bytes tokenized at once, for every token that a part may have */
#define MAX_REQUEST_BYTES ((size_t)1 << 30)

/* One sentence of the current chunk. Pieces and tokens stand in the shared arrays. */
struct item {
    size_t request;
    size_t begin, end; /* in the request's text */
    size_t first_piece, n_pieces;
};

struct work {
    stet_engine *g;
    const stet_request *requests;
    stet_result **results;
    stet_status *statuses; /* own array when the caller gave none */
    stet_status first;
    stet_error *err;
    struct steti_pieces pieces;
    int32_t *ids; /* the ids of pieces */
    size_t cap_ids;
    struct item items[CHUNK_SENTENCES];
    struct steti_job jobs[CHUNK_SENTENCES];
    size_t n_items;
    int32_t *out;   /* [CHUNK_SENTENCES][max_output] */
    float *logprob; /* [CHUNK_SENTENCES][max_output + 1] or NULL */
    struct steti_spans spans;
    uint64_t tokenize_ns;
};

static uint64_t now(void)
{
    return steti_now(steti_clock_system());
}

/* A request fails once; the first failure of all is the one that err describes. */
static void fail_request(struct work *w, size_t request, stet_status st)
{
    if (w->statuses[request] == STET_OK) {
        w->statuses[request] = st;
    }
    if (w->first == STET_OK) {
        w->first = st;
    }
}

static stet_error *error_of(const struct work *w)
{
    return w->first == STET_OK ? w->err : NULL;
}

/* Text without any letter holds nothing to correct. Everything outside ASCII may be a letter. */
static int has_letter(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            return 1;
        }
    }
    return 0;
}

static stet_status copy_ids(struct work *w, stet_error *err)
{
    void *p = w->ids;
    stet_status st = steti_grow(&p, &w->cap_ids, w->pieces.len, sizeof *w->ids, err);
    w->ids = p;
    STETI_TRY(st);
    for (size_t i = 0; i < w->pieces.len; i++) {
        w->ids[i] = w->pieces.data[i].id;
    }
    return STET_OK;
}

static void prepare_jobs(struct work *w)
{
    size_t most = (size_t)w->g->options.max_output;
    for (size_t i = 0; i < w->n_items; i++) {
        struct steti_job *job = &w->jobs[i];
        memset(job, 0, sizeof *job);
        job->src = w->ids + w->items[i].first_piece;
        job->n_src = (int)w->items[i].n_pieces;
        job->out = w->out + i * most;
        job->logprob = w->logprob != NULL ? w->logprob + i * (most + 1) : NULL;
    }
}

static void collect(struct work *w, size_t i)
{
    const struct item *it = &w->items[i];
    struct result_sentence s = {.tokenizer = w->g->model->tokenizer,
                                .begin = it->begin,
                                .end = it->end,
                                .pieces = w->pieces.data + it->first_piece,
                                .n_pieces = it->n_pieces,
                                .ids = w->ids + it->first_piece,
                                .job = &w->jobs[i]};
    stet_status st = w->jobs[i].status;
    if (st == STET_OK && w->statuses[it->request] == STET_OK) {
        st = result_add_sentence(w->results[it->request], &s, error_of(w));
    }
    if (st != STET_OK) {
        fail_request(w, it->request, st);
    }
}

/* Decodes the sentences gathered so far and empties the chunk. */
static void flush(struct work *w)
{
    stet_status st = copy_ids(w, error_of(w));
    if (st == STET_OK) {
        stet_status run;
        prepare_jobs(w);
        run = steti_engine_run(w->g->core, w->jobs, w->n_items, error_of(w));
        /* what err describes, whichever sentence it is */
        w->first = w->first == STET_OK ? run : w->first;
    }
    for (size_t i = 0; i < w->n_items; i++) {
        if (st != STET_OK) {
            w->jobs[i].status = st;
        }
        collect(w, i);
    }
    w->n_items = 0;
    w->pieces.len = 0;
}

static stet_status tokenize(struct work *w, const char *text, size_t begin, size_t end)
{
    uint64_t start = now();
    stet_status st = steti_tokenizer_encode(w->g->model->tokenizer, text + begin, end - begin,
                                            &w->pieces, error_of(w));
    w->tokenize_ns += now() - start;
    return st;
}

static void push_item(struct work *w, size_t request, size_t begin, size_t end, size_t first_piece)
{
    struct item *it = &w->items[w->n_items++];
    it->request = request;
    it->begin = begin;
    it->end = end;
    it->first_piece = first_piece;
    it->n_pieces = w->pieces.len - first_piece;
    if (w->n_items == CHUNK_SENTENCES) {
        flush(w);
    }
}

/* Adds text[begin, end) as one sentence, or cut into parts that the engine takes. */
static stet_status add_sentence(struct work *w, size_t request, size_t begin, size_t end)
{
    const char *text = w->requests[request].text;
    size_t most = (size_t)w->g->options.max_input;
    while (begin < end) {
        size_t first_piece = w->pieces.len, part = end;
        size_t bytes = end - begin;
        /* Very long parts are cut before tokenizing: no piece covers less than a part of a byte on
         * average. */
        if (bytes > PART_BYTES * most) {
            part = begin + steti_sentences_hard_cut(text + begin, bytes, PART_BYTES * most);
        }
        STETI_TRY(tokenize(w, text, begin, part));
        if (w->pieces.len - first_piece > most) {
            size_t target = w->pieces.data[first_piece + most].begin;
            w->pieces.len = first_piece;
            target = target < 1 ? 1 : target;
            part = begin + steti_sentences_hard_cut(text + begin, part - begin, target);
            STETI_TRY(tokenize(w, text, begin, part));
        }
        /* One character can make more pieces than the limit (expanding normalisation): it passes
         * unchanged. */
        if (w->pieces.len - first_piece > most || w->pieces.len == first_piece) {
            w->pieces.len = first_piece;
        } else {
            push_item(w, request, begin, part, first_piece);
        }
        begin = part;
    }
    return STET_OK;
}

static enum steti_split split_mode(const stet_request *r)
{
    if (r->flags & STET_REQ_SENTENCE) {
        return STETI_SPLIT_NONE;
    }
    return r->flags & STET_REQ_WRAPPED ? STETI_SPLIT_WRAPPED : STETI_SPLIT_LINES;
}

static stet_status check_request(const stet_request *r, stet_error *err)
{
    if (r->struct_size < sizeof *r) {
        return steti_fail(err, STET_E_INVALID,
                          "request: struct_size is smaller than this version of stet expects");
    }
    if (r->flags & ~(STET_REQ_WRAPPED | STET_REQ_SENTENCE)) {
        return steti_fail(err, STET_E_INVALID, "request: unknown flag in 0x%x", (unsigned)r->flags);
    }
    if (r->text == NULL && r->len > 0) {
        return steti_fail(err, STET_E_INVALID, "request: text is NULL, but its length is %zu",
                          r->len);
    }
    if (r->len > MAX_REQUEST_BYTES) {
        return steti_fail(err, STET_E_TOO_LONG, "request: %zu bytes, at most %zu are possible",
                          r->len, MAX_REQUEST_BYTES);
    }
    return STET_OK;
}

static stet_status add_request(struct work *w, size_t i)
{
    const stet_request *r = &w->requests[i];
    STETI_TRY(check_request(r, error_of(w)));
    STETI_TRY(result_new(r->text, r->len, &w->results[i], error_of(w)));
    w->spans.len = 0;
    if (r->len > 0) {
        STETI_TRY(steti_sentences_split(r->text, r->len, split_mode(r), &w->spans, error_of(w)));
    }
    for (size_t k = 0; k < w->spans.len && w->statuses[i] == STET_OK; k++) {
        struct steti_span s = w->spans.data[k];
        if (has_letter(r->text + s.begin, s.end - s.begin)) {
            STETI_TRY(add_sentence(w, i, s.begin, s.end));
        }
    }
    return STET_OK;
}

static stet_status work_open(struct work *w, size_t n, stet_error *err)
{
    size_t most = (size_t)w->g->options.max_output;
    w->out = steti_malloc(CHUNK_SENTENCES * most * sizeof *w->out);
    if (w->g->options.scores) {
        w->logprob = steti_malloc(CHUNK_SENTENCES * (most + 1) * sizeof *w->logprob);
    }
    if (w->out == NULL || (w->g->options.scores && w->logprob == NULL)) {
        return steti_fail_nomem(err, "a batch of sentences",
                                CHUNK_SENTENCES * most * sizeof *w->out);
    }
    if (w->statuses == NULL) {
        w->statuses = steti_calloc(n + 1, sizeof *w->statuses);
    }
    return w->statuses != NULL
               ? STET_OK
               : steti_fail_nomem(err, "a batch of requests", n * sizeof *w->statuses);
}

static void work_close(struct work *w, const stet_status *given)
{
    if (w->statuses != given) {
        steti_free(w->statuses);
    }
    steti_pieces_free(&w->pieces);
    steti_spans_free(&w->spans);
    steti_free(w->ids);
    steti_free(w->out);
    steti_free(w->logprob);
    steti_free(w);
}

/* The engine's totals are the sums of the requests' counts; times belong to the whole call. */
static void add_totals(stet_stats *t, const stet_stats *s)
{
    t->requests += s->requests;
    t->sentences += s->sentences;
    t->source_tokens += s->source_tokens;
    t->output_tokens += s->output_tokens;
    t->passes += s->passes;
    t->rows += s->rows;
    t->drafted += s->drafted;
    t->accepted += s->accepted;
    t->rejected += s->rejected;
    t->reentries += s->reentries;
    t->verified += s->verified;
    t->unfinished += s->unfinished;
}

/* Finishes every result; a request that failed gives none. */
static void seal_all(struct work *w, size_t n, const stet_stats *times)
{
    for (size_t i = 0; i < n; i++) {
        stet_result *r = w->results[i];
        if (r != NULL && w->statuses[i] == STET_OK) {
            stet_status st = result_seal(r, error_of(w));
            if (st != STET_OK) {
                fail_request(w, i, st);
            }
        }
        if (w->statuses[i] != STET_OK) {
            stet_result_release(r);
            w->results[i] = NULL;
            continue;
        }
        r->stats.tokenize_ns = times->tokenize_ns;
        r->stats.encode_ns = times->encode_ns;
        r->stats.decode_ns = times->decode_ns;
        r->stats.total_ns = times->total_ns;
        add_totals(&w->g->totals, &r->stats);
    }
}

static void add_times(stet_stats *t, const stet_stats *s)
{
    t->tokenize_ns += s->tokenize_ns;
    t->encode_ns += s->encode_ns;
    t->decode_ns += s->decode_ns;
    t->total_ns += s->total_ns;
}

static void run_all(struct work *w, size_t n)
{
    struct steti_engine_times before, after;
    struct steti_counts counts;
    stet_stats times = {0};
    uint64_t start = now();
    steti_engine_totals(w->g->core, &counts, &before);
    for (size_t i = 0; i < n; i++) {
        stet_status st = add_request(w, i);
        if (st != STET_OK) {
            fail_request(w, i, st);
        }
    }
    flush(w);
    steti_engine_totals(w->g->core, &counts, &after);
    times.tokenize_ns = w->tokenize_ns;
    times.encode_ns = after.encode_ns - before.encode_ns;
    times.decode_ns = after.decode_ns - before.decode_ns;
    times.total_ns = now() - start;
    seal_all(w, n, &times);
    add_times(&w->g->totals, &times);
}

stet_status correct_requests(stet_engine *g, const stet_request *requests, size_t n,
                             stet_result **results, stet_status *statuses, stet_error *err)
{
    struct work *w = steti_calloc(1, sizeof *w);
    stet_status st;
    if (w == NULL) {
        st = steti_fail_nomem(err, "a batch of requests", sizeof *w);
        goto fail_all;
    }
    w->g = g;
    w->requests = requests;
    w->results = results;
    w->statuses = statuses;
    w->err = err;
    STETI_TRY_GOTO(work_open(w, n, err), st, fail_open);
    run_all(w, n);
    st = w->first;
    work_close(w, statuses);
    return st;
fail_open:
    work_close(w, statuses);
fail_all:
    for (size_t i = 0; i < n && statuses != NULL; i++) {
        statuses[i] = st;
    }
    return st;
}
