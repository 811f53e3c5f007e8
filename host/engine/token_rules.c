#include "token_rules.h"

#include <string.h>

#include "alloc.h"
#include "bytes.h"

#define WORD_BITS 64

struct steti_token_rules {
    const struct steti_spec *spec;
    const struct steti_generation *g;
    size_t n_words;
    int n_source, n_tokens;
    uint64_t *in_source, *in_output, *banned; /* a bit for each token of the vocabulary */
    int32_t *source, *tokens;                 /* [max_src], [max_tgt] */
    uint8_t *is_first; /* [max_tgt] token i does not stand among those before it */
};

static size_t words_of(const struct steti_spec *spec)
{
    return ((size_t)spec->vocab_size + WORD_BITS - 1) / WORD_BITS;
}

static void mark(uint64_t *set, int32_t id)
{
    set[id / WORD_BITS] |= (uint64_t)1 << id % WORD_BITS;
}

static void unmark(uint64_t *set, int32_t id)
{
    set[id / WORD_BITS] &= ~((uint64_t)1 << id % WORD_BITS);
}

static int is_marked(const uint64_t *set, int32_t id)
{
    return (int)(set[id / WORD_BITS] >> id % WORD_BITS & 1);
}

size_t steti_token_rules_bytes(const struct steti_spec *spec, int max_src, int max_tgt)
{
    size_t ids = ((size_t)max_src + (size_t)max_tgt) * sizeof(int32_t);
    size_t sets = 3 * words_of(spec) * sizeof(uint64_t), total;
    if (!steti_add_size(ids + sets, (size_t)max_tgt, &total)) {
        return 0;
    }
    return total + sizeof(struct steti_token_rules);
}

static size_t words_in(const struct steti_generation *g)
{
    size_t n = 0;
    for (int at = 0; at < g->n_bad_words; at += 1 + g->bad_words[at]) {
        n++;
    }
    return n;
}

size_t steti_token_rules_most(const struct steti_spec *spec, int max_src, int max_tgt)
{
    const struct steti_generation *g = &spec->generation;
    size_t most = words_in(g) + (size_t)g->n_begin, vocab = (size_t)spec->vocab_size;
    most += g->min_length > 0 ? 1 + (size_t)g->n_more_ends : 0;
    most += g->no_repeat_ngram > 0 || g->repeat_factor > 0.0f ? (size_t)max_tgt : 0;
    most += g->encoder_no_repeat_ngram > 0 || g->encoder_factor > 0.0f ? (size_t)max_src : 0;
    return most < vocab ? most : vocab;
}

stet_status steti_token_rules_open(const struct steti_spec *spec, int max_src, int max_tgt,
                                   struct steti_token_rules **out, stet_error *err)
{
    size_t bytes = steti_token_rules_bytes(spec, max_src, max_tgt), n = words_of(spec);
    struct steti_token_rules *r = bytes > 0 ? steti_calloc(1, bytes) : NULL;
    *out = r;
    if (r == NULL) {
        return steti_fail_nomem(err, "the rules of generation_config.json", bytes);
    }
    r->spec = spec;
    r->g = &spec->generation;
    r->n_words = n;
    r->in_source = (uint64_t *)(r + 1);
    r->in_output = r->in_source + n;
    r->banned = r->in_output + n;
    r->source = (int32_t *)(r->banned + n);
    r->tokens = r->source + max_src;
    r->is_first = (uint8_t *)(r->tokens + max_tgt);
    return STET_OK;
}

void steti_token_rules_close(struct steti_token_rules *r)
{
    steti_free(r);
}

void steti_token_rules_begin(struct steti_token_rules *r)
{
    steti_token_rules_truncate(r, 0);
    while (r->n_source > 0) {
        unmark(r->in_source, r->source[--r->n_source]);
    }
}

void steti_token_rules_source(struct steti_token_rules *r, const int32_t *ids, int n)
{
    for (int i = 0; i < n; i++) {
        r->source[r->n_source++] = ids[i];
        mark(r->in_source, ids[i]);
    }
}

void steti_token_rules_push(struct steti_token_rules *r, int32_t id)
{
    r->is_first[r->n_tokens] = !is_marked(r->in_output, id);
    r->tokens[r->n_tokens++] = id;
    mark(r->in_output, id);
}

int steti_token_rules_length(const struct steti_token_rules *r)
{
    return r->n_tokens;
}

void steti_token_rules_truncate(struct steti_token_rules *r, int n)
{
    while (r->n_tokens > n) {
        r->n_tokens--;
        if (r->is_first[r->n_tokens]) {
            unmark(r->in_output, r->tokens[r->n_tokens]);
        }
    }
}

/* 1 if the output so far ends with these tokens. */
static int ends_with(const struct steti_token_rules *r, const int32_t *ids, int n)
{
    return n <= r->n_tokens &&
           (n == 0 || memcmp(r->tokens + r->n_tokens - n, ids, (size_t)n * sizeof *ids) == 0);
}

/* Bans what would complete a run of `size` tokens that `text` has. */
static void ban_runs(struct steti_token_rules *r, const int32_t *text, int n, int size)
{
    for (int i = 0; size > 0 && i <= n - size; i++) {
        if (ends_with(r, text + i, size - 1)) {
            mark(r->banned, text[i + size - 1]);
        }
    }
}

static void ban_words(struct steti_token_rules *r)
{
    const int32_t *w = r->g->bad_words;
    for (int at = 0; at < r->g->n_bad_words; at += 1 + w[at]) {
        int n = w[at];
        if (ends_with(r, w + at + 1, n - 1)) {
            mark(r->banned, w[at + n]);
        }
    }
}

static void ban_ends(struct steti_token_rules *r)
{
    if (r->n_tokens < r->g->min_length) {
        mark(r->banned, r->spec->eos_id);
        for (int i = 0; i < r->g->n_more_ends; i++) {
            mark(r->banned, r->g->more_ends[i]);
        }
    }
}

static void ban_first(struct steti_token_rules *r)
{
    for (int i = 0; r->n_tokens == r->spec->start.n && i < r->g->n_begin; i++) {
        mark(r->banned, r->g->begin[i]);
    }
}

/* The change of one token's logit. */
static float factor_of(const struct steti_token_rules *r, int32_t id)
{
    float factor = 1.0f;
    if (is_marked(r->banned, id)) {
        return STETI_NEVER;
    }
    if (r->g->encoder_factor > 0.0f && is_marked(r->in_source, id)) {
        factor *= r->g->encoder_factor;
    }
    if (r->g->repeat_factor > 0.0f && is_marked(r->in_output, id)) {
        factor *= r->g->repeat_factor;
    }
    return factor;
}

int steti_token_rules_write(struct steti_token_rules *r, struct steti_adjust *out)
{
    const struct steti_generation *g = r->g;
    int n = 0;
    ban_runs(r, r->tokens, r->n_tokens, g->no_repeat_ngram);
    ban_runs(r, r->source, r->n_source, g->encoder_no_repeat_ngram);
    ban_words(r);
    ban_ends(r);
    ban_first(r);
    for (size_t w = 0; w < r->n_words; w++) {
        uint64_t bits = r->banned[w];
        bits |= g->encoder_factor > 0.0f ? r->in_source[w] : 0;
        bits |= g->repeat_factor > 0.0f ? r->in_output[w] : 0;
        for (; bits != 0; bits &= bits - 1) {
            out[n].id = (int32_t)w * WORD_BITS + __builtin_ctzll(bits);
            out[n].factor = factor_of(r, out[n].id);
            n++;
        }
        r->banned[w] = 0;
    }
    return n;
}
