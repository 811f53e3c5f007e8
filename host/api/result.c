#include <string.h>

#include "alloc.h"
#include "api_internal.h"
#include "offsets.h"

/* What was made of the sentences. */
static void free_outputs(stet_result *r)
{
    steti_buf_free(&r->text);
    steti_edits_free(&r->edits);
    steti_free(r->out_begin);
    steti_free(r->edit_score);
    steti_free(r->edit_sentence);
    steti_free(r->sentences);
    r->out_begin = NULL;
    r->edit_score = NULL;
    r->edit_sentence = NULL;
    r->sentences = NULL;
    r->cap_edits = 0;
    r->n_sentences = 0;
    r->cap_sentences = 0;
}

void result_restart(stet_result *r)
{
    const stet_stats none = {.struct_size = sizeof none, .requests = 1};
    free_outputs(r);
    r->stats = none;
    r->message[0] = '\0';
}

void result_free_contents(stet_result *r)
{
    free_outputs(r);
    steti_buf_free(&r->source);
    steti_buf_free(&r->prompt);
    steti_free(r->tokens);
    r->tokens = NULL;
    r->n_tokens = 0;
}

static void result_free(stet_result *r)
{
    result_free_contents(r);
    result_uncharge(r);
    steti_free(r);
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

const int32_t *stet_result_tokens(const stet_result *result, size_t *n)
{
    if (n != NULL) {
        *n = result != NULL ? result->n_tokens : 0;
    }
    return result != NULL ? result->tokens : NULL;
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
        out[i - first] = result->sentences[i].out;
    }
    return (int64_t)result->n_sentences;
}
