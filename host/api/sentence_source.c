/* From a request's text to its sentences, one at a time. */
#include <string.h>

#include "engine_state.h"
#include "utf8.h"

#define PART_BYTES 16 /* bytes tokenized at once, for every token that a part may have */

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

/* Tokenizes text[begin, end), or less where that has more tokens than a sentence may. *end is set
 * to what was read; g->pieces are its pieces. */
static stet_status read_part(stet_engine *g, const char *text, size_t begin, size_t *end,
                             stet_error *err)
{
    const struct steti_tokenizer *t = g->model->tokenizer;
    size_t most = (size_t)g->options.max_input, bytes = *end - begin;
    /* Very long parts are cut before tokenizing: no piece covers less than a part of a byte on
     * average. */
    if (bytes > PART_BYTES * most) {
        bytes = steti_sentences_hard_cut(text + begin, bytes, PART_BYTES * most);
    }
    g->pieces.len = 0;
    STETI_TRY(steti_tokenizer_encode(t, text + begin, bytes, &g->pieces, err));
    if (g->pieces.len > most) {
        size_t target = g->pieces.data[most].begin;
        bytes = steti_sentences_hard_cut(text + begin, bytes, target < 1 ? 1 : target);
        g->pieces.len = 0;
        STETI_TRY(steti_tokenizer_encode(t, text + begin, bytes, &g->pieces, err));
    }
    *end = begin + bytes;
    return STET_OK;
}

static void take_tokens(struct api_request *r, struct api_slot *slot)
{
    if (r->result->n_tokens > 0) {
        memcpy(slot->ids, r->result->tokens, r->result->n_tokens * sizeof *slot->ids);
    }
    slot->begin = slot->end = 0;
    slot->job.n_src = (int)r->result->n_tokens;
}

static void take_pieces(const struct steti_pieces *p, struct api_slot *slot)
{
    memcpy(slot->pieces, p->data, p->len * sizeof *p->data);
    for (size_t i = 0; i < p->len; i++) {
        slot->ids[i] = p->data[i].id;
    }
    slot->job.n_src = (int)p->len;
}

static stet_status next_of_text(stet_engine *g, struct api_request *r, struct api_slot *slot,
                                int *found)
{
    while (!*found && request_has_more(r)) {
        size_t end = r->spans.data[r->next_span].end;
        STETI_TRY(read_part(g, r->result->source.data, r->at, &end, &slot->err));
        slot->begin = r->at;
        slot->end = end;
        r->at = end;
        /* One character can make more pieces than the limit (expanding normalisation): it passes
         * unchanged. */
        if (g->pieces.len > 0 && g->pieces.len <= (size_t)g->options.max_input) {
            take_pieces(&g->pieces, slot);
            *found = 1;
        }
    }
    return STET_OK;
}

stet_status request_next_sentence(stet_engine *g, struct api_request *r, struct api_slot *slot,
                                  int *found)
{
    *found = r->is_tokens && request_has_more(r);
    if (*found) {
        take_tokens(r, slot);
    } else if (!r->is_tokens) {
        STETI_TRY(next_of_text(g, r, slot, found));
    }
    if (*found) {
        slot->seq = r->n_begun++;
    }
    return STET_OK;
}
