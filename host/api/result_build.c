/* What an engine's thread does to a result until the caller has it. */
#include <math.h>
#include <string.h>

#include "alloc.h"
#include "api_internal.h"

static float mean_logprob(const float *logprob, size_t first, size_t last)
{
    double sum = 0.0;
    for (size_t i = first; i < last; i++) {
        sum += (double)logprob[i];
    }
    return first < last ? (float)(sum / (double)(last - first)) : NAN;
}

/* What a deletion left out has no score: the next token's tells how sure the model was. Behind the
 * last token stands the end of the sentence. */
static float edit_score(const struct steti_job *job, const struct steti_edit *e)
{
    size_t last = e->out_last > e->out_first ? e->out_last : e->out_first + 1u;
    return job->logprob != NULL ? mean_logprob(job->logprob, e->out_first, last) : NAN;
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

/* Adds edit e of another list. */
static stet_status add_edit(stet_result *r, const struct steti_edits *list,
                            const struct steti_edit *e, float score, stet_error *err)
{
    struct steti_edits *to = &r->edits;
    size_t len = e->text_end - e->text_begin;
    void *data = to->data;
    stet_status st = steti_grow(&data, &to->cap, to->len + 1, sizeof *to->data, err);
    to->data = data;
    STETI_TRY(st);
    STETI_TRY(grow_edit_arrays(r, to->len + 1, err));
    if (len > 0) {
        STETI_TRY(steti_buf_append(&to->text, list->text.data + e->text_begin, len, err));
    }
    to->data[to->len] = *e;
    to->data[to->len].text_begin = to->text.len - len;
    to->data[to->len].text_end = to->text.len;
    r->edit_score[to->len++] = score;
    return STET_OK;
}

static int is_sure(const struct result_sentence *s, const struct steti_edit *e)
{
    return !(edit_score(s->job, e) < s->min_edit_score);
}

/* Of a sentence that was read as it is written: the edits that the model is sure of. */
static stet_status add_some(stet_result *r, const struct result_sentence *s,
                            const struct steti_edits *all, stet_error *err)
{
    for (size_t i = 0; i < all->len; i++) {
        const struct steti_edit *e = &all->data[i];
        if (is_sure(s, e)) {
            STETI_TRY(add_edit(r, all, e, edit_score(s->job, e), err));
        }
    }
    return STET_OK;
}

/* Of one that was mended: all edits if the model is sure of each, else what mending alone did. A
 * part of either list may not make a text: where misspellings hide which words are the same, a word
 * can be put in by one edit and taken out by another. */
static stet_status add_all_or_mended(stet_result *r, const struct result_sentence *s,
                                     const struct steti_edits *all,
                                     const struct steti_edits *mended, stet_error *err)
{
    size_t n = 0;
    while (n < all->len && is_sure(s, &all->data[n])) {
        n++;
    }
    if (n == all->len) {
        return add_some(r, s, all, err);
    }
    for (size_t i = 0; i < mended->len; i++) {
        STETI_TRY(add_edit(r, mended, &mended->data[i], 0.0f, err));
    }
    return STET_OK;
}

static stet_status add_sure_edits(stet_result *r, const struct result_sentence *s,
                                  const struct steti_edits_input *in, stet_error *err)
{
    struct steti_edits all = {0}, mended = {0};
    struct steti_edits_input own = *in;
    stet_status st;
    own.out_ids = s->mended;
    own.n_out = s->n_mended;
    STETI_TRY_GOTO(steti_edits_extract(in, &all, err), st, done);
    if (s->is_mended && s->mended != NULL) {
        STETI_TRY_GOTO(steti_edits_extract(&own, &mended, err), st, done);
    }
    st = s->is_mended ? add_all_or_mended(r, s, &all, &mended, err) : add_some(r, s, &all, err);
done:
    steti_edits_free(&mended);
    steti_edits_free(&all);
    return st;
}

static stet_status add_edits(stet_result *r, const struct result_sentence *s, stet_error *err)
{
    const struct steti_job *job = s->job;
    size_t before = r->edits.len;
    struct steti_edits_input in = {.tokenizer = s->tokenizer,
                                   .src = r->source.data + s->begin,
                                   .src_len = s->end - s->begin,
                                   .pieces = s->pieces,
                                   .n_pieces = s->n_pieces,
                                   .out_ids = job->out,
                                   .n_out = (size_t)job->n_out,
                                   .base = s->begin};
    if (!job->finished) {
        r->stats.unfinished++;
        return STET_OK;
    }
    if (s->min_edit_score > -INFINITY) {
        STETI_TRY(add_sure_edits(r, s, &in, err));
    } else {
        STETI_TRY(steti_edits_extract(&in, &r->edits, err));
        STETI_TRY(grow_edit_arrays(r, r->edits.len, err));
        for (size_t i = before; i < r->edits.len; i++) {
            r->edit_score[i] = edit_score(job, &r->edits.data[i]);
        }
    }
    for (size_t i = before; i < r->edits.len; i++) {
        r->edit_sentence[i] = s->seq;
    }
    return STET_OK;
}

static void add_counts(stet_stats *t, const struct steti_job *job)
{
    t->sentences++;
    t->source_tokens += (uint64_t)(job->n_src - job->n_prompt);
    t->output_tokens += (uint64_t)job->n_out;
    t->passes += job->counts.passes;
    t->rows += job->counts.rows;
    t->drafted += job->counts.drafted;
    t->accepted += job->counts.accepted;
    t->rejected += job->counts.drafted - job->counts.accepted;
    t->reentries += job->counts.reentries;
    t->verified += job->counts.verified;
}

static void describe(stet_sentence *out, size_t begin, size_t end, const struct steti_job *job)
{
    size_t scored = (size_t)job->n_out + (size_t)job->finished;
    out->src_off = begin;
    out->src_len = end - begin;
    out->source_tokens = (uint32_t)(job->n_src - job->n_prompt);
    out->output_tokens = (uint32_t)job->n_out;
    out->passes = (uint32_t)job->counts.passes;
    out->score = job->logprob != NULL ? mean_logprob(job->logprob, 0, scored) : NAN;
}

stet_status result_add_sentence(stet_result *r, const struct result_sentence *s, stet_error *err)
{
    void *list = r->sentences;
    size_t first_edit = r->edits.len;
    size_t text_len = r->edits.text.len;
    struct api_sentence *out;
    stet_status st =
        steti_grow(&list, &r->cap_sentences, r->n_sentences + 1, sizeof *r->sentences, err);
    r->sentences = list;
    STETI_TRY(st);
    st = add_edits(r, s, err);
    if (st != STET_OK) {
        r->edits.len = first_edit;
        r->edits.text.len = text_len;
        return st;
    }
    out = &r->sentences[r->n_sentences++];
    out->seq = s->seq;
    out->first_edit = first_edit;
    out->n_edits = r->edits.len - first_edit;
    describe(&out->out, s->begin, s->end, s->job);
    add_counts(&r->stats, s->job);
    return STET_OK;
}

stet_status result_set_tokens(stet_result *r, const struct steti_job *job, stet_error *err)
{
    size_t n = (size_t)job->n_out;
    struct api_sentence *out = steti_calloc(1, sizeof *out);
    int32_t *tokens = steti_malloc(n * sizeof *tokens);
    if (out == NULL || tokens == NULL) {
        steti_free(out);
        steti_free(tokens);
        return steti_fail_nomem(err, "the output tokens", n * sizeof *tokens);
    }
    if (n > 0) {
        memcpy(tokens, job->out, n * sizeof *tokens);
    }
    describe(&out->out, 0, 0, job);
    add_counts(&r->stats, job);
    r->stats.unfinished += !job->finished;
    steti_free(r->tokens);
    r->tokens = tokens;
    r->n_tokens = n;
    r->sentences = out;
    r->n_sentences = 1;
    r->cap_sentences = 1;
    return STET_OK;
}

/* Sentences were done in any order; `seq` is where each belongs. Copies what is out of place. */
struct ordered {
    struct api_sentence *sentences;
    struct steti_edit *edits;
    float *score;
    uint32_t *sentence;
};

static void fill_ordered(const stet_result *r, const struct ordered *o)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_sentences; i++) {
        o->sentences[r->sentences[i].seq] = r->sentences[i];
    }
    for (size_t i = 0; i < r->n_sentences; i++) {
        struct api_sentence *s = &o->sentences[i];
        for (size_t k = s->first_edit; k < s->first_edit + s->n_edits; k++, n++) {
            o->edits[n] = r->edits.data[k];
            o->score[n] = r->edit_score[k];
            o->sentence[n] = (uint32_t)i;
        }
        s->first_edit = n - s->n_edits;
    }
}

static int is_ordered(const stet_result *r)
{
    for (size_t i = 0; i < r->n_sentences; i++) {
        if (r->sentences[i].seq != i) {
            return 0;
        }
    }
    return 1;
}

static stet_status order_sentences(stet_result *r, stet_error *err)
{
    size_t n = r->edits.len;
    struct ordered o;
    if (is_ordered(r)) {
        return STET_OK;
    }
    o.sentences = steti_malloc(r->n_sentences * sizeof *o.sentences);
    o.edits = steti_malloc(n * sizeof *o.edits);
    o.score = steti_malloc(n * sizeof *o.score);
    o.sentence = steti_malloc(n * sizeof *o.sentence);
    if (o.sentences == NULL || o.edits == NULL || o.score == NULL || o.sentence == NULL) {
        steti_free(o.sentences);
        steti_free(o.edits);
        steti_free(o.score);
        steti_free(o.sentence);
        return steti_fail_nomem(err, "the list of edits", n * sizeof *o.edits);
    }
    fill_ordered(r, &o);
    steti_free(r->sentences);
    steti_free(r->edits.data);
    steti_free(r->edit_score);
    steti_free(r->edit_sentence);
    r->sentences = o.sentences;
    r->edits.data = o.edits;
    r->edits.cap = n;
    r->edit_score = o.score;
    r->edit_sentence = o.sentence;
    r->cap_sentences = r->n_sentences;
    r->cap_edits = n;
    return STET_OK;
}

/* Bytes of the corrected text. */
static size_t corrected_len(const stet_result *r)
{
    size_t n = r->source.len;
    for (size_t i = 0; i < r->edits.len; i++) {
        const struct steti_edit *e = &r->edits.data[i];
        n += (e->text_end - e->text_begin) - (e->src_end - e->src_begin);
    }
    return n;
}

/* Just as large as it must be: it lives long, and there are many. */
static stet_status make_text(stet_result *r, stet_error *err)
{
    size_t len = corrected_len(r);
    if (r->text.data == NULL) {
        r->text.data = steti_malloc(len + 1);
        if (r->text.data == NULL) {
            return steti_fail_nomem(err, "the corrected text", len + 1);
        }
        r->text.cap = len + 1;
    }
    r->text.len = 0;
    STETI_TRY(steti_edits_apply(r->source.data, r->source.len, &r->edits, 0, &r->text, err));
    if (steti_buf_cstr(&r->text) == NULL) {
        return steti_fail_nomem(err, "the corrected text", r->text.len + 1);
    }
    return STET_OK;
}

stet_status result_seal(stet_result *r, stet_error *err)
{
    size_t n = r->edits.len;
    long long shift = 0;
    STETI_TRY(order_sentences(r, err));
    STETI_TRY(make_text(r, err));
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
