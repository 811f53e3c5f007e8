/* From a request's text to its sentences, one at a time. */
#include <string.h>

#include "engine_state.h"
#include "utf8.h"

/* Blocks of Unicode outside ASCII that have no letters: signs, punctuation, arrows, emoji, private
 * use. Everything else may be a letter. */
static const struct {
    uint32_t first, last;
} no_letters[] = {{0x80, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},       {0xBB, 0xBF},
                  {0xD7, 0xD7},     {0xF7, 0xF7},     {0x2000, 0x206F},   {0x20A0, 0x20CF},
                  {0x2190, 0x2BFF}, {0x3000, 0x3004}, {0x3008, 0x3020},   {0xE000, 0xF8FF},
                  {0xFE00, 0xFE0F}, {0xFFF0, 0xFFFF}, {0x1F000, 0x1FAFF}, {0xE0000, 0x10FFFF}};

static int may_be_letter(uint32_t cp)
{
    if (cp < 0x80) {
        return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');
    }
    for (size_t i = 0; i < sizeof no_letters / sizeof no_letters[0]; i++) {
        if (cp >= no_letters[i].first && cp <= no_letters[i].last) {
            return 0;
        }
    }
    return 1;
}

/* Text without any letter holds nothing to correct, and what is no UTF-8 is in an encoding that the
 * model does not know. */
static int is_correctable(const char *s, size_t n)
{
    int found = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int len = steti_utf8_decode(s + i, n - i, &cp);
        if (len <= 0) {
            return 0;
        }
        found |= may_be_letter(cp);
        i += (size_t)len;
    }
    return found;
}

int request_has_more(struct api_request *r)
{
    const char *text = r->result->source.data;
    if (r->is_tokens) {
        return r->n_begun == 0;
    }
    for (; r->next_span < r->spans.len; r->next_span++) {
        struct steti_span s = r->spans.data[r->next_span];
        if (r->at > s.begin && r->at < s.end) {
            return 1; /* the rest of a long one */
        }
        if (r->at <= s.begin && is_correctable(text + s.begin, s.end - s.begin)) {
            r->at = s.begin;
            return 1;
        }
    }
    return 0;
}

/* A part of a text and what the model reads of it. */
struct part {
    const char *text; /* of the request */
    size_t begin, end;
    size_t n_prompt; /* of l->pieces */
    int is_tied;     /* one piece holds the prompt's end and the text's beginning */
    int at_start;    /* of a sentence */
    int is_mended;   /* the model reads it without its misspellings */
};

/* Tokenizes the prompt and text[0 .. len) as one string. */
static stet_status encode_text(struct api_lane *l, const struct api_request *r, struct part *p,
                               const char *text, size_t len, stet_error *err)
{
    size_t prompt;
    const char *s = engine_prompt_join(l, r, text, len, &prompt);
    struct steti_pieces *list = &l->pieces;
    list->len = 0;
    STETI_TRY(steti_tokenizer_encode(l->engine->model->tokenizer, s, prompt + len, list, err));
    p->n_prompt = engine_prompt_count(l->engine, list, s, prompt);
    p->is_tied = p->n_prompt > 0 && list->data[p->n_prompt - 1].end > prompt;
    for (size_t i = p->n_prompt; i < list->len; i++) {
        struct steti_piece *x = &list->data[i];
        x->begin = x->begin > prompt ? x->begin - (uint32_t)prompt : 0;
        x->end = x->end > prompt ? x->end - (uint32_t)prompt : 0;
    }
    return STET_OK;
}

static stet_status encode_part(struct api_lane *l, const struct api_request *r, struct part *p,
                               stet_error *err)
{
    return encode_text(l, r, p, p->text + p->begin, p->end - p->begin, err);
}

/* Tokenizes a part, or less where that has more tokens than a sentence may. part->end is set to
 * what was read; l->pieces are its pieces, behind those of the prompt. */
static stet_status read_part(struct api_lane *l, const struct api_request *r, struct part *p,
                             stet_error *err)
{
    size_t most = (size_t)l->engine->options.max_input, bytes = p->end - p->begin;
    const char *text = p->text + p->begin;
    /* Very long parts are cut before tokenizing: no piece covers less than a part of a byte on
     * average. */
    if (bytes > PART_BYTES * most) {
        p->end = p->begin + steti_sentences_hard_cut(text, bytes, PART_BYTES * most);
    }
    STETI_TRY(encode_part(l, r, p, err));
    if (p->n_prompt + (r->has_prompt ? API_LEAST_ROOM : 1) > most) {
        return steti_fail(err, STET_E_TOO_LONG,
                          "request: the prompt has %zu tokens, max_input_length is %zu and must "
                          "leave %d",
                          p->n_prompt, most, API_LEAST_ROOM);
    }
    if (l->pieces.len > most) {
        size_t target = l->pieces.data[most].begin;
        p->end =
            p->begin + steti_sentences_hard_cut(text, p->end - p->begin, target < 1 ? 1 : target);
        return encode_part(l, r, p, err);
    }
    return STET_OK;
}

/* The model reads a part without its misspellings; a part that has none, or would have more tokens
 * than a sentence may, stays as it is. */
static stet_status mend_part(struct api_lane *l, const struct api_request *r, struct part *p,
                             stet_error *err)
{
    const stet_engine *g = l->engine;
    struct steti_mended out = {.data = l->mended, .cap = PART_BYTES * (size_t)g->options.max_input};
    if (l->mended == NULL || steti_misspellings_mend(&g->model->misspellings, p->text + p->begin,
                                                     p->end - p->begin, p->at_start, &out) == 0) {
        return STET_OK;
    }
    STETI_TRY(encode_text(l, r, p, out.data, out.len, err));
    p->is_mended = (l->pieces.len > p->n_prompt || p->is_tied) &&
                   l->pieces.len <= (size_t)g->options.max_input;
    return p->is_mended ? STET_OK : encode_part(l, r, p, err);
}

static void take_tokens(struct api_request *r, struct api_slot *slot)
{
    if (r->result->n_tokens > 0) {
        memcpy(slot->ids, r->result->tokens, r->result->n_tokens * sizeof *slot->ids);
    }
    slot->begin = slot->end = 0;
    slot->n_pieces = 0;
    slot->is_mended = 0;
    slot->job.n_src = (int)r->result->n_tokens;
    slot->job.n_prompt = 0;
}

/* *found 0: it has no pieces, or too many. One character can make more than the limit (expanding
 * normalisation): it passes unchanged. */
static stet_status take_part(struct api_lane *l, const struct part *p, struct api_slot *slot,
                             int *found)
{
    struct steti_pieces *list = &l->pieces;
    size_t most = (size_t)l->engine->options.max_input, first = p->n_prompt;
    if (list->len > most) {
        return STET_OK;
    }
    for (size_t i = 0; i < list->len; i++) {
        slot->ids[i] = list->data[i].id;
    }
    slot->job.n_src = (int)list->len;
    slot->job.n_prompt = (int)p->n_prompt;
    slot->is_mended = p->is_mended;
    slot->is_tied = p->is_tied;
    if (p->is_tied || p->is_mended) { /* edits are those of all of the text and nothing else */
        list->len = first = 0;
        STETI_TRY(steti_tokenizer_encode(l->engine->model->tokenizer, p->text + p->begin,
                                         p->end - p->begin, list, &slot->err));
    }
    slot->n_pieces = list->len - first;
    *found = list->len > first && slot->n_pieces <= most;
    if (*found) {
        memcpy(slot->pieces, list->data + first, slot->n_pieces * sizeof *slot->pieces);
    }
    return STET_OK;
}

static stet_status next_of_text(struct api_lane *l, struct api_request *r, struct api_slot *slot,
                                int *found)
{
    while (!*found && request_has_more(r)) {
        struct part p = {.text = r->result->source.data,
                         .begin = r->at,
                         .end = r->spans.data[r->next_span].end,
                         .at_start = r->at == r->spans.data[r->next_span].begin};
        STETI_TRY(read_part(l, r, &p, &slot->err));
        STETI_TRY(mend_part(l, r, &p, &slot->err));
        slot->begin = p.begin;
        slot->end = p.end;
        r->at = p.end;
        STETI_TRY(take_part(l, &p, slot, found));
    }
    return STET_OK;
}

stet_status request_next_sentence(struct api_lane *l, struct api_request *r, struct api_slot *slot,
                                  int *found)
{
    *found = r->is_tokens && request_has_more(r);
    if (*found) {
        take_tokens(r, slot);
    } else if (!r->is_tokens) {
        STETI_TRY(next_of_text(l, r, slot, found));
    }
    if (*found) {
        slot->seq = r->n_begun++;
    }
    return STET_OK;
}
