/* An instruction to the model ("grammar: ") in front of every sentence: where it is kept, and where
 * it ends among the tokens. */
#include <string.h>

#include "alloc.h"
#include "engine_state.h"
#include "utf8.h"

stet_status api_check_prompt(const char *what, const char *prompt, stet_error *err)
{
    size_t n = strnlen(prompt, STETI_PROMPT_MAX + 1);
    if (n > STETI_PROMPT_MAX) {
        return steti_fail(err, STET_E_INVALID, "%s: more than %d bytes", what, STETI_PROMPT_MAX);
    }
    return steti_utf8_valid_prefix(prompt, n) == n
               ? STET_OK
               : steti_fail(err, STET_E_INVALID, "%s: is not valid UTF-8", what);
}

static size_t own_bytes(const struct api_options *o)
{
    return o->prompt != NULL ? strlen(o->prompt) + 1 : 1;
}

size_t engine_prompt_bytes(const struct api_options *o)
{
    return own_bytes(o);
}

static size_t joined_bytes(const struct api_options *o)
{
    return STETI_PROMPT_MAX + PART_BYTES * (size_t)o->max_input;
}

static size_t mended_bytes(const stet_model *m, const struct api_options *o)
{
    return m->misspellings.n_rows > 0 && o->misspellings ? PART_BYTES * (size_t)o->max_input : 0;
}

size_t lane_prompt_bytes(const stet_model *m, const struct api_options *o)
{
    return joined_bytes(o) + mended_bytes(m, o);
}

/* A prompt leaves room for a text, or every text would pass unchanged. */
static stet_status check_room(stet_engine *g, stet_error *err)
{
    struct steti_pieces list = {0};
    size_t most = (size_t)g->options.max_input, n;
    stet_status st;
    if (g->prompt_len == 0) {
        return STET_OK;
    }
    st = steti_tokenizer_encode(g->model->tokenizer, g->prompt, g->prompt_len, &list, err);
    n = list.len;
    steti_pieces_free(&list);
    STETI_TRY(st);
    return n + API_LEAST_ROOM <= most
               ? STET_OK
               : steti_fail(err, STET_E_INVALID,
                            "option prompt: it has %zu tokens, max_input_length is %zu and must "
                            "leave %d",
                            n, most, API_LEAST_ROOM);
}

stet_status engine_prompt_open(stet_engine *g, stet_error *err)
{
    size_t own = own_bytes(&g->options);
    g->prompt = steti_malloc(own);
    if (g->prompt == NULL) {
        return steti_fail_nomem(err, "the engine's prompt", own);
    }
    memcpy(g->prompt, g->options.prompt != NULL ? g->options.prompt : "", own);
    g->prompt_len = own - 1;
    g->options.prompt = g->prompt; /* the caller's string is his */
    g->options.task = NULL;
    return check_room(g, err);
}

stet_status lane_prompt_open(struct api_lane *l, stet_error *err)
{
    const struct api_options *o = &l->engine->options;
    size_t mended = mended_bytes(l->engine->model, o);
    l->joined = steti_malloc(joined_bytes(o));
    l->mended = mended > 0 ? steti_malloc(mended) : NULL;
    return l->joined != NULL && (l->mended != NULL || mended == 0)
               ? STET_OK
               : steti_fail_nomem(err, "the engine's prompt", joined_bytes(o) + mended);
}

const char *engine_prompt_join(const struct api_lane *l, const struct api_request *r,
                               const char *text, size_t n, size_t *prompt_len)
{
    const stet_engine *g = l->engine;
    const char *prompt = r->has_prompt ? r->result->prompt.data : g->prompt;
    *prompt_len = r->has_prompt ? r->result->prompt.len : g->prompt_len;
    if (*prompt_len == 0) {
        return text;
    }
    memcpy(l->joined, prompt, *prompt_len);
    memcpy(l->joined + *prompt_len, text, n);
    return l->joined;
}

static int is_space(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int k = steti_utf8_decode(s + i, n - i, &cp);
        if (k <= 0 || !steti_cp_is_space(cp)) {
            return 0;
        }
        i += (size_t)k;
    }
    return 1;
}

/* 1 if a piece that begins in the prompt begins the text's first word: " She", or the mark of a
 * word alone. Models write the same piece at the beginning of an output. */
static int begins_the_text(const stet_engine *g, const struct steti_piece *p, const char *text,
                           size_t len)
{
    struct steti_piece_info info;
    if (p->end < len || !is_space(text + p->begin, len - p->begin)) {
        return 0;
    }
    steti_tokenizer_piece_info(g->model->tokenizer, p->id, &info);
    return p->end > len || (info.begins_word && info.len == 0);
}

size_t engine_prompt_count(const stet_engine *g, const struct steti_pieces *p, const char *text,
                           size_t len)
{
    size_t n = 0;
    while (n < p->len && p->data[n].begin < len) {
        n++;
    }
    return n > 0 && begins_the_text(g, &p->data[n - 1], text, len) ? n - 1 : n;
}
