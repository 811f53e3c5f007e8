/* The same texts through two folders. Outputs are token ids: what the model chose, with nothing
 * made of it. */
#include <string.h>

#include "alloc.h"
#include "engine_state.h"
#include "id_alignment.h"
#include "quantize_internal.h"

#define GROUP 64 /* requests of one call */

/* Parts of texts on their way through an engine. */
struct group {
    stet_engine *engine;
    const struct replay_texts *sources;
    struct quantize_outputs *out;
    stet_request requests[GROUP];
    size_t text[GROUP]; /* that the part belongs to */
    stet_result *results[GROUP];
    size_t n;
};

static stet_status take_result(struct group *g, size_t i, stet_error *err)
{
    struct quantize_outputs *out = g->out;
    size_t n = 0;
    const int32_t *ids = stet_result_tokens(g->results[i], &n);
    void *p = out->ids;
    stet_status st = steti_grow(&p, &out->cap_ids, out->n_ids + n + 1, sizeof *out->ids, err);
    out->ids = p;
    STETI_TRY(st);
    if (n > 0) {
        memcpy(out->ids + out->n_ids, ids, n * sizeof *ids);
    }
    out->n_ids += n;
    out->begin[g->text[i] + 1] = out->n_ids;
    return STET_OK;
}

static stet_status flush(struct group *g, stet_error *err)
{
    size_t n = g->n;
    stet_status st = stet_correct_batch(g->engine, g->requests, n, g->results, NULL, err);
    g->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (st == STET_OK) {
            st = take_result(g, i, err);
        }
        stet_result_release(g->results[i]);
    }
    return st;
}

/* Texts without tokens have an output as well: none. */
static stet_status decode_texts(struct group *g, stet_error *err)
{
    size_t most = (size_t)g->engine->options.max_input;
    for (size_t i = 0; i < g->sources->n; i++) {
        size_t end = g->sources->begin[i + 1];
        for (size_t at = g->sources->begin[i]; at < end; at += most) {
            stet_request *r = &g->requests[g->n];
            memset(r, 0, sizeof *r);
            r->struct_size = sizeof *r;
            r->flags = STET_REQ_TOKENS;
            r->tokens = g->sources->ids + at;
            r->n_tokens = end - at < most ? end - at : most;
            g->text[g->n++] = i;
            if (g->n == GROUP) {
                STETI_TRY(flush(g, err));
            }
        }
    }
    return g->n > 0 ? flush(g, err) : STET_OK;
}

/* begin[i + 1] of texts without output is still 0. */
static void close_gaps(struct quantize_outputs *out)
{
    for (size_t i = 0; i < out->n; i++) {
        if (out->begin[i + 1] < out->begin[i]) {
            out->begin[i + 1] = out->begin[i];
        }
    }
}

static stet_status decode_with(stet_model *m, const struct replay_texts *sources,
                               struct quantize_outputs *out, stet_error *err)
{
    struct group *g = steti_calloc(1, sizeof *g);
    stet_status st;
    if (g == NULL) {
        return steti_fail_nomem(err, "a list of requests", sizeof *g);
    }
    g->sources = sources;
    g->out = out;
    st = stet_engine_create(m, NULL, 0, &g->engine, err);
    if (st == STET_OK) {
        st = decode_texts(g, err);
        close_gaps(out);
    }
    stet_engine_destroy(g->engine);
    steti_free(g);
    return st;
}

static stet_status tokenize_texts(const stet_quantize_input *in, const stet_model *m,
                                  struct replay_texts *out, stet_error *err)
{
    stet_replay_input texts = {.struct_size = sizeof texts, .n_sources = in->n_texts};
    struct replay r = {.in = &texts, .tokenizer = m->tokenizer};
    stet_status st = replay_texts_read(&r, in->texts, in->texts_name, out, err);
    steti_pieces_free(&r.pieces);
    return st;
}

stet_status quantize_decode(const stet_quantize_input *in, const char *folder,
                            struct api_options *o, struct quantize_outputs *out, stet_error *err)
{
    struct replay_texts sources;
    stet_model *m = NULL;
    stet_status st;
    memset(&sources, 0, sizeof sources);
    out->n = in->n_texts;
    out->begin = steti_calloc(in->n_texts + 1, sizeof *out->begin);
    if (out->begin == NULL) {
        return steti_fail_nomem(err, "the outputs of texts",
                                (in->n_texts + 1) * sizeof *out->begin);
    }
    STETI_TRY(api_model_open(folder, o, &m, err));
    memcpy(o->device, m->options.device, sizeof o->device);
    st = tokenize_texts(in, m, &sources, err);
    if (st == STET_OK) {
        st = decode_with(m, &sources, out, err);
    }
    replay_texts_free(&sources);
    stet_model_release(m);
    return st;
}

void quantize_outputs_free(struct quantize_outputs *t)
{
    steti_free(t->ids);
    steti_free(t->begin);
    memset(t, 0, sizeof *t);
}

static stet_status compare_line(struct steti_ids a, struct steti_ids b, int32_t *match,
                                stet_quantize_report *report, stet_error *err)
{
    int is_equal =
        a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len * sizeof *a.data) == 0);
    report->lines++;
    report->tokens += a.len;
    report->new_tokens += b.len;
    if (is_equal) {
        report->equal_lines++;
        report->equal_tokens += a.len;
        return STET_OK;
    }
    STETI_TRY(steti_ids_align(a, b, match, err));
    for (size_t i = 0; i < a.len; i++) {
        report->equal_tokens += match[i] >= 0;
    }
    return STET_OK;
}

stet_status quantize_compare(const struct quantize_outputs *before,
                             const struct quantize_outputs *after, stet_quantize_report *report,
                             stet_error *err)
{
    int32_t *match = steti_malloc((before->n_ids + 1) * sizeof *match);
    stet_status st = STET_OK;
    if (match == NULL) {
        return steti_fail_nomem(err, "comparing outputs", (before->n_ids + 1) * sizeof *match);
    }
    for (size_t i = 0; st == STET_OK && i < before->n; i++) {
        const struct steti_ids a = {before->ids != NULL ? before->ids + before->begin[i] : NULL,
                                    before->begin[i + 1] - before->begin[i]};
        const struct steti_ids b = {after->ids != NULL ? after->ids + after->begin[i] : NULL,
                                    after->begin[i + 1] - after->begin[i]};
        st = compare_line(a, b, match, report, err);
    }
    steti_free(match);
    return st;
}
