/* Forbidden tokens, rules about the next token and lengths, with the meaning that they have in
 * transformers 5.24. */
#include <math.h>
#include <string.h>

#include "config_family.h"

/* Any output is shorter. */
#define LONGEST (1 << 30)
/* Penalties whose product stays far from the limits of float. */
#define LEAST_PENALTY 1e-3
#define MOST_PENALTY 1e3

int steti_generation_has_rules(const struct steti_generation *g)
{
    return g->no_repeat_ngram > 0 || g->encoder_no_repeat_ngram > 0 || g->repeat_factor > 0.0f ||
           g->encoder_factor > 0.0f || g->min_length > 0 || g->n_begin > 0 || g->n_bad_words > 0;
}

/* A token that is never chosen. */
static stet_status ban(const struct config *s, const char *key, const struct steti_json *v,
                       struct steti_spec *m, stet_error *err)
{
    int32_t id;
    STETI_TRY(config_token(s, key, v, m->vocab_size, &id, err));
    for (int i = 0; i < m->n_banned; i++) {
        if (m->banned[i] == id) {
            return STET_OK;
        }
    }
    if (m->n_banned == STETI_BANNED_MAX) {
        return config_bad(s, err, key, "more tokens are forbidden than stet supports");
    }
    m->banned[m->n_banned++] = id;
    return STET_OK;
}

/* An end of the sentence that is a bad word stays possible, as in transformers. */
static stet_status ban_single(const struct config *s, const struct steti_json *v,
                              struct steti_spec *m, stet_error *err)
{
    static const char key[] = "bad_words_ids";
    int32_t id;
    STETI_TRY(config_token(s, key, v, m->vocab_size, &id, err));
    return steti_spec_is_end(m, id) ? STET_OK : ban(s, key, v, m, err);
}

static stet_status read_bad_word(const struct config *s, const struct steti_json *word,
                                 struct steti_spec *m, stet_error *err)
{
    static const char key[] = "bad_words_ids";
    struct steti_generation *g = &m->generation;
    size_t n;
    if (steti_json_kind_of(word) != STETI_JSON_ARRAY) {
        return config_bad(s, err, key, "must be a list of lists");
    }
    n = steti_json_len(word);
    if (n < 2) {
        return n == 0 ? STET_OK : ban_single(s, steti_json_at(word, 0), m, err);
    }
    if (n + 1 > (size_t)(STETI_BAD_WORDS_MAX - g->n_bad_words)) {
        return config_bad(s, err, key, "has more words than stet supports");
    }
    g->bad_words[g->n_bad_words++] = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(config_token(s, key, steti_json_at(word, i), m->vocab_size,
                               &g->bad_words[g->n_bad_words++], err));
    }
    return STET_OK;
}

static stet_status read_forbidden(const struct config *s, struct steti_spec *m, stet_error *err)
{
    struct steti_generation *g = &m->generation;
    const struct steti_json *list;
    size_t n;
    STETI_TRY(config_list(s, "suppress_tokens", &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(ban(s, "suppress_tokens", steti_json_at(list, i), m, err));
    }
    STETI_TRY(config_list(s, "bad_words_ids", &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(read_bad_word(s, steti_json_at(list, i), m, err));
    }
    STETI_TRY(config_list(s, "begin_suppress_tokens", &list, &n, err));
    if (n > STETI_BEGIN_MAX) {
        return config_bad(s, err, "begin_suppress_tokens", "has more tokens than stet supports");
    }
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(config_token(s, "begin_suppress_tokens", steti_json_at(list, i), m->vocab_size,
                               &g->begin[g->n_begin++], err));
    }
    return STET_OK;
}

/* *out is the penalty, or 0 where it changes nothing. */
static stet_status read_penalty(const struct config *s, const char *key, float *out,
                                stet_error *err)
{
    float penalty = 1.0f;
    STETI_TRY(config_real(s, key, LEAST_PENALTY, MOST_PENALTY, &penalty, err));
    *out = penalty < 1.0f || penalty > 1.0f ? penalty : 0.0f;
    return STET_OK;
}

static stet_status read_repetition(const struct config *s, struct steti_spec *m, stet_error *err)
{
    struct steti_generation *g = &m->generation;
    STETI_TRY(config_int(s, "no_repeat_ngram_size", 0, LONGEST, 0, &g->no_repeat_ngram, err));
    STETI_TRY(config_int(s, "encoder_no_repeat_ngram_size", 0, LONGEST, 0,
                         &g->encoder_no_repeat_ngram, err));
    STETI_TRY(read_penalty(s, "repetition_penalty", &g->repeat_factor, err));
    STETI_TRY(read_penalty(s, "encoder_repetition_penalty", &g->encoder_factor, err));
    if (g->encoder_factor > 0.0f) { /* a reward: the larger, the likelier are the source's tokens */
        g->encoder_factor = 1.0f / g->encoder_factor;
    }
    return STET_OK;
}

/* Lengths count the decoder's start token, numbers of new tokens do not; a forced first token is
 * new. The latter win. */
static stet_status read_lengths(const struct config *s, struct steti_spec *m, stet_error *err)
{
    struct steti_generation *g = &m->generation;
    const char *key = config_has(s, "max_new_tokens") ? "max_new_tokens" : "max_length";
    int least = 0, more = -1, most = 0, most_new = 0;
    STETI_TRY(config_int(s, "min_length", 0, LONGEST, 0, &least, err));
    STETI_TRY(config_int(s, "min_new_tokens", 0, LONGEST, 0, &more, err));
    STETI_TRY(config_int(s, "max_length", 1, LONGEST, 0, &most, err));
    STETI_TRY(config_int(s, "max_new_tokens", 1, LONGEST, 0, &most_new, err));
    g->min_length = more >= 0 ? more + 1 : least;
    most = most_new > 0 ? most_new + 1 : most;
    if (most > 0 && most - m->start.n < 1 + m->forced_end) {
        return config_bad(s, err, key, "leaves no room for an output");
    }
    g->max_out = most > 0 ? most - m->start.n : 0;
    return STET_OK;
}

/* 1 if the value asks for nothing: absent, false, empty or the number that changes nothing. */
static int is_idle(const struct steti_json *v, double idle)
{
    size_t len;
    switch (v != NULL ? steti_json_kind_of(v) : STETI_JSON_NULL) {
    case STETI_JSON_INT:
    case STETI_JSON_REAL:
        return steti_json_real(v) >= idle && steti_json_real(v) <= idle;
    case STETI_JSON_BOOL:
        return !steti_json_bool(v);
    case STETI_JSON_ARRAY:
    case STETI_JSON_OBJECT:
        return steti_json_len(v) == 0;
    case STETI_JSON_STRING:
        steti_json_string(v, &len);
        return len == 0;
    default:
        return 1;
    }
}

/* What transformers would take into account and stet does not have. */
static stet_status refuse_the_rest(const struct config *s, stet_error *err)
{
    static const struct {
        const char *key;
        double idle; /* NAN: no number is */
    } known[] = {{"exponential_decay_length_penalty", NAN},
                 {"sequence_bias", NAN},
                 {"forced_decoder_ids", NAN},
                 {"guidance_scale", 1},
                 {"watermarking_config", NAN},
                 {"penalty_alpha", 0},
                 {"dola_layers", NAN},
                 {"constraints", NAN},
                 {"force_words_ids", NAN},
                 {"stop_strings", NAN},
                 {"max_time", NAN},
                 {"token_healing", 0},
                 {"is_assistant", 0}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!is_idle(steti_json_get(s->obj, known[i].key), known[i].idle)) {
            return config_bad(s, err, known[i].key,
                              "changes what greedy decoding gives and is not supported; a folder "
                              "without it can be run");
        }
    }
    return STET_OK;
}

/* Keys and values of attention that are rounded to fewer bits give other outputs. */
static stet_status refuse_quantized_cache(const struct config *s, stet_error *err)
{
    static const char key[] = "cache_implementation";
    const struct steti_json *v = steti_json_get(s->obj, key);
    if (v != NULL && steti_json_kind_of(v) == STETI_JSON_STRING &&
        strcmp(steti_json_string(v, NULL), "quantized") == 0) {
        return config_bad(s, err, key, "\"quantized\" is not supported");
    }
    return STET_OK;
}

stet_status config_read_rules(const struct config *s, struct steti_spec *m, stet_error *err)
{
    STETI_TRY(read_forbidden(s, m, err));
    STETI_TRY(read_repetition(s, m, err));
    STETI_TRY(read_lengths(s, m, err));
    STETI_TRY(refuse_the_rest(s, err));
    return refuse_quantized_cache(s, err);
}
