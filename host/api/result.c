#include <math.h>
#include <string.h>

#include "alloc.h"
#include "api_internal.h"
#include "offsets.h"

static void result_free(stet_result *r)
{
    steti_buf_free(&r->source);
    steti_buf_free(&r->text);
    steti_edits_free(&r->edits);
    steti_free(r->out_begin);
    steti_free(r->edit_score);
    steti_free(r->edit_sentence);
    steti_free(r->sentences);
    steti_free(r);
}

stet_status result_new(const char *text, size_t len, stet_result **out, stet_error *err)
{
    stet_result *r = steti_calloc(1, sizeof *r);
    stet_status st;
    *out = NULL;
    if (r == NULL) {
        return steti_fail_nomem(err, "a result", sizeof *r);
    }
    atomic_store(&r->refs, 1);
    st = steti_buf_append(&r->source, text, len, err);
    if (st != STET_OK) {
        result_free(r);
        return st;
    }
    r->stats.struct_size = sizeof r->stats;
    r->stats.requests = 1;
    *out = r;
    return STET_OK;
}

static float mean_logprob(const float *logprob, size_t first, size_t last)
{
    double sum = 0.0;
    for (size_t i = first; i < last; i++) {
        sum += (double)logprob[i];
    }
    return first < last ? (float)(sum / (double)(last - first)) : NAN;
}

/* Room for the per-edit arrays up to the list's length. */
static stet_status grow_edit_arrays(stet_result *r, size_t need, stet_error *err)
{
    void *score = r->edit_score, *sentence = r->edit_sentence;
    size_t cap_a = r->cap_edits, cap_b = r->cap_edits;
    stet_status a = steti_grow(&score, &cap_a, need, sizeof *r->edit_score, err);
    stet_status b = STET_OK;
    r->edit_score = score;
    if (a == STET_OK) {
        b = steti_grow(&sentence, &cap_b, need, sizeof *r->edit_sentence, err);
        r->edit_sentence = sentence;
        r->cap_edits = b == STET_OK ? cap_b : r->cap_edits;
    }
    return a != STET_OK ? a : b;
}

static stet_status add_edits(stet_result *r, const struct result_sentence *s, stet_error *err)
{
    size_t before = r->edits.len;
    struct steti_edits_input in = {.tokenizer = s->tokenizer,
                                   .src = r->source.data + s->begin,
                                   .src_len = s->end - s->begin,
                                   .pieces = s->pieces,
                                   .n_pieces = s->n_pieces,
                                   .out_ids = s->job->out,
                                   .n_out = (size_t)s->job->n_out,
                                   .base = s->begin};
    if (!s->job->finished) {
        r->stats.unfinished++;
        return STET_OK;
    }
    STETI_TRY(steti_edits_extract(&in, &r->edits, err));
    STETI_TRY(grow_edit_arrays(r, r->edits.len, err));
    for (size_t i = before; i < r->edits.len; i++) {
        const struct steti_edit *e = &r->edits.data[i];
        r->edit_sentence[i] = (uint32_t)r->n_sentences;
        r->edit_score[i] = s->job->logprob != NULL
                               ? mean_logprob(s->job->logprob, e->out_first, e->out_last)
                               : NAN;
    }
    return STET_OK;
}

stet_status result_add_sentence(stet_result *r, const struct result_sentence *s, stet_error *err)
{
    const struct steti_job *job = s->job;
    size_t n = (size_t)job->n_out;
    void *list = r->sentences;
    stet_status st =
        steti_grow(&list, &r->cap_sentences, r->n_sentences + 1, sizeof *r->sentences, err);
    r->sentences = list;
    STETI_TRY(st);
    STETI_TRY(add_edits(r, s, err));
    stet_sentence *out = &r->sentences[r->n_sentences++];
    out->src_off = s->begin;
    out->src_len = s->end - s->begin;
    out->source_tokens = (uint32_t)s->n_pieces;
    out->output_tokens = (uint32_t)n;
    out->passes = (uint32_t)job->counts.passes;
    out->score =
        job->logprob != NULL ? mean_logprob(job->logprob, 0, n + (size_t)job->finished) : NAN;
    r->stats.sentences++;
    r->stats.source_tokens += s->n_pieces;
    r->stats.output_tokens += n;
    r->stats.passes += job->counts.passes;
    r->stats.rows += job->counts.rows;
    r->stats.drafted += job->counts.drafted;
    r->stats.accepted += job->counts.accepted;
    r->stats.rejected += job->counts.drafted - job->counts.accepted;
    r->stats.reentries += job->counts.reentries;
    r->stats.verified += job->counts.verified;
    return STET_OK;
}

stet_status result_seal(stet_result *r, stet_error *err)
{
    size_t n = r->edits.len;
    long long shift = 0;
    STETI_TRY(steti_edits_apply(r->source.data, r->source.len, &r->edits, 0, &r->text, err));
    if (steti_buf_cstr(&r->text) == NULL) {
        return steti_fail_nomem(err, "the corrected text", r->text.len + 1);
    }
    r->out_begin = steti_malloc(n * sizeof *r->out_begin);
    if (r->out_begin == NULL) {
        return steti_fail_nomem(err, "the list of edits", n * sizeof *r->out_begin);
    }
    for (size_t i = 0; i < n; i++) {
        const struct steti_edit *e = &r->edits.data[i];
        r->out_begin[i] = (size_t)((long long)e->src_begin + shift);
        shift += (long long)(e->text_end - e->text_begin) - (long long)(e->src_end - e->src_begin);
    }
    return STET_OK;
}

void stet_result_retain(stet_result *result)
{
    if (result != NULL) {
        atomic_fetch_add_explicit(&result->refs, 1, memory_order_relaxed);
    }
}

void stet_result_release(stet_result *result)
{
    if (result != NULL && atomic_fetch_sub_explicit(&result->refs, 1, memory_order_acq_rel) == 1) {
        result_free(result);
    }
}

const char *stet_result_text(const stet_result *result, size_t *len)
{
    if (result == NULL) {
        if (len != NULL) {
            *len = 0;
        }
        return NULL;
    }
    if (len != NULL) {
        *len = result->text.len;
    }
    return result->text.data;
}

int64_t stet_result_edits(const stet_result *result, uint32_t unit, stet_edit *out,
                          size_t edit_size, size_t first, size_t cap)
{
    struct steti_offset_cursor src, dst;
    if (result == NULL || unit > STET_UNIT_CODEPOINT || edit_size != sizeof *out ||
        (out == NULL && cap > 0)) {
        return STET_E_INVALID;
    }
    steti_offset_cursor_init(&src, result->source.data, result->source.len, unit);
    steti_offset_cursor_init(&dst, result->text.data, result->text.len, unit);
    for (size_t i = first; i < result->edits.len && i - first < cap; i++) {
        const struct steti_edit *e = &result->edits.data[i];
        stet_edit *o = &out[i - first];
        memset(o, 0, sizeof *o);
        o->text = result->edits.text.data + e->text_begin;
        o->text_len = e->text_end - e->text_begin;
        o->src_off = steti_offset_at(&src, e->src_begin);
        o->src_len = steti_offset_at(&src, e->src_end) - o->src_off;
        o->out_off = steti_offset_at(&dst, result->out_begin[i]);
        o->out_len = steti_offset_at(&dst, result->out_begin[i] + o->text_len) - o->out_off;
        o->score = result->edit_score[i];
        o->sentence = result->edit_sentence[i];
    }
    return (int64_t)result->edits.len;
}

int64_t stet_result_sentences(const stet_result *result, stet_sentence *out, size_t sentence_size,
                              size_t first, size_t cap)
{
    if (result == NULL || sentence_size != sizeof *out || (out == NULL && cap > 0)) {
        return STET_E_INVALID;
    }
    for (size_t i = first; i < result->n_sentences && i - first < cap; i++) {
        out[i - first] = result->sentences[i];
    }
    return (int64_t)result->n_sentences;
}
