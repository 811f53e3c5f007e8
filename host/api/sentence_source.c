/* From a request's text to its sentences, one at a time. */
#include <string.h>

#include "engine_state.h"

#define PART_BYTES 16 /* bytes tokenized at once, for every token that a part may have */

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
        if (r->at <= s.begin && has_letter(text + s.begin, s.end - s.begin)) {
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
