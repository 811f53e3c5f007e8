/* Texts as tokens: through the tokenizer, or from numbers. */
#include <string.h>

#include "alloc.h"
#include "replay_internal.h"

/* Lines with more bytes a token than this are refused before they are tokenized. */
#define MAX_TOKEN_BYTES 64

/* Which text is read, for messages. */
struct place {
    const char *name;
    size_t line;
};

static stet_status make_room(struct replay_texts *t, stet_error *err)
{
    void *p = t->ids;
    stet_status st = steti_grow(&p, &t->cap_ids, t->n_ids + 1, sizeof *t->ids, err);
    t->ids = p;
    return st;
}

static stet_status put_id(struct replay_texts *t, int32_t id, stet_error *err)
{
    STETI_TRY(make_room(t, err));
    t->ids[t->n_ids++] = id;
    return STET_OK;
}

static int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Whether an id may stand in a text. Without a tokenizer all numbers are good. */
static stet_status check_id(const struct replay *r, int32_t id, const struct place *at,
                            stet_error *err)
{
    if (r->tokenizer == NULL) {
        return STET_OK;
    }
    if (id >= steti_tokenizer_vocab_size(r->tokenizer)) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s, line %zu: token %d is not in the vocabulary of %d pieces", at->name,
                          at->line, id, steti_tokenizer_vocab_size(r->tokenizer));
    }
    if (id == steti_tokenizer_eos_id(r->tokenizer)) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s, line %zu: token %d is the end of a sentence, which is not part of "
                          "one; leave it out",
                          at->name, at->line, id);
    }
    return STET_OK;
}

static stet_status check_length(size_t tokens, const struct place *at, stet_error *err)
{
    if (tokens <= API_MAX_TOKENS) {
        return STET_OK;
    }
    return steti_fail(err, STET_E_TOO_LONG,
                      "%s, line %zu: the sentence has more than the %d tokens that are possible",
                      at->name, at->line, API_MAX_TOKENS);
}

static stet_status read_ids(const struct replay *r, const stet_text *text, const struct place *at,
                            struct replay_texts *t, stet_error *err)
{
    const char *p = text->data;
    size_t before = t->n_ids;
    for (size_t i = 0; i < text->len;) {
        int64_t id = 0;
        size_t begin = i;
        while (i < text->len && p[i] >= '0' && p[i] <= '9' && id <= INT32_MAX) {
            id = 10 * id + (p[i++] - '0');
        }
        if (id > INT32_MAX || (i == begin && !is_space(p[i])) ||
            (i > begin && i < text->len && !is_space(p[i]))) {
            return steti_fail(err, STET_E_FORMAT,
                              "%s, line %zu: byte %zu is not part of a token id; ids are numbers "
                              "from 0 to %d with spaces between them",
                              at->name, at->line, (id > INT32_MAX ? begin : i) + 1, INT32_MAX);
        }
        if (i == begin) {
            i++;
            continue;
        }
        STETI_TRY(check_length(t->n_ids - before + 1, at, err));
        STETI_TRY(check_id(r, (int32_t)id, at, err));
        STETI_TRY(put_id(t, (int32_t)id, err));
    }
    return STET_OK;
}

static stet_status tokenize(struct replay *r, const stet_text *text, struct replay_texts *t,
                            stet_error *err)
{
    r->pieces.len = 0;
    if (text->len > (size_t)API_MAX_TOKENS * MAX_TOKEN_BYTES) {
        return steti_fail(err, STET_E_TOO_LONG, "a line of %zu bytes has more than %d tokens",
                          text->len, API_MAX_TOKENS);
    }
    STETI_TRY(steti_tokenizer_encode(r->tokenizer, text->data != NULL ? text->data : "", text->len,
                                     &r->pieces, err));
    for (size_t i = 0; i < r->pieces.len; i++) {
        STETI_TRY(put_id(t, r->pieces.data[i].id, err));
    }
    return STET_OK;
}

static stet_status read_text(struct replay *r, const stet_text *text, const struct place *at,
                             struct replay_texts *t, stet_error *err)
{
    size_t before = t->n_ids, n;
    stet_status st;
    if (text->data == NULL && text->len > 0) {
        return steti_fail(err, STET_E_INVALID, "%s, line %zu: the text is NULL", at->name,
                          at->line);
    }
    if (r->in->flags & STET_REPLAY_IDS) {
        STETI_TRY(read_ids(r, text, at, t, err));
    } else {
        st = tokenize(r, text, t, err);
        if (st == STET_E_TOO_LONG) {
            steti_fail_context(err, st, "%s, line %zu", at->name, at->line);
        }
        STETI_TRY(st);
    }
    n = t->n_ids - before;
    STETI_TRY(check_length(n, at, err));
    t->longest = (int)n > t->longest ? (int)n : t->longest;
    return STET_OK;
}

stet_status replay_texts_read(struct replay *r, const stet_text *texts, const char *name,
                              struct replay_texts *out, stet_error *err)
{
    size_t n = r->in->n_sources;
    out->n = n;
    out->begin = steti_calloc(n + 1, sizeof *out->begin);
    if (out->begin == NULL) {
        return steti_fail_nomem(err, "the sentences of a replay", (n + 1) * sizeof *out->begin);
    }
    STETI_TRY(make_room(out, err)); /* ids points somewhere, even when all texts are empty */
    for (size_t i = 0; i < n; i++) {
        struct place at = {name, i + 1};
        STETI_TRY(read_text(r, &texts[i], &at, out, err));
        out->begin[i + 1] = out->n_ids;
    }
    return STET_OK;
}

void replay_texts_free(struct replay_texts *t)
{
    steti_free(t->ids);
    steti_free(t->begin);
    memset(t, 0, sizeof *t);
}
