/* Token ids, and what a folder wants of decoding: tokens that are forced and tokens that are
 * forbidden. The keys stand in generation_config.json, or, in old folders, in config.json. */
#include <string.h>

#include "config_family.h"
#include "log.h"

stet_status config_read_ids(const struct config *s, struct steti_spec *m, stet_error *err)
{
    static const char *const keys[] = {"pad_token_id", "bos_token_id", "eos_token_id",
                                       "decoder_start_token_id"};
    int32_t *const ids[] = {&m->pad_id, &m->bos_id, &m->eos_id, &m->start_id};
    for (int i = 0; i < 4; i++) {
        int id = *ids[i];
        STETI_TRY(config_int(s, keys[i], 0, m->vocab_size - 1, 0, &id, err));
        *ids[i] = id;
    }
    return STET_OK;
}

/* A token that is never chosen. The end of a sentence stays possible, as in transformers. */
static stet_status ban(const struct config *s, const char *key, const struct steti_json *v,
                       struct steti_spec *m, stet_error *err)
{
    int64_t id;
    if (steti_json_kind_of(v) != STETI_JSON_INT) {
        return config_bad(s, err, key, "must hold whole numbers");
    }
    id = steti_json_int(v);
    if (id < 0 || id >= m->vocab_size) {
        return steti_fail(err, STET_E_MODEL, "%s/%s: %s: token %lld is not in the vocabulary of %d",
                          s->folder, s->file, key, (long long)id, m->vocab_size);
    }
    for (int i = 0; i < m->n_banned; i++) {
        if (m->banned[i] == id) {
            return STET_OK;
        }
    }
    if (m->n_banned == STETI_BANNED_MAX) {
        return config_bad(s, err, key, "more tokens are forbidden than stet supports");
    }
    m->banned[m->n_banned++] = (int32_t)id;
    return STET_OK;
}

static stet_status get_list(const struct config *s, const char *key, const struct steti_json **list,
                            size_t *n, stet_error *err)
{
    *list = steti_json_get(s->obj, key);
    *n = 0;
    if (!config_has(s, key)) {
        return STET_OK;
    }
    if (steti_json_kind_of(*list) != STETI_JSON_ARRAY) {
        return config_bad(s, err, key, "must be a list");
    }
    *n = steti_json_len(*list);
    return STET_OK;
}

static stet_status read_bans(const struct config *s, struct steti_spec *m, stet_error *err)
{
    const struct steti_json *list;
    size_t n;
    STETI_TRY(get_list(s, "suppress_tokens", &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(ban(s, "suppress_tokens", steti_json_at(list, i), m, err));
    }
    STETI_TRY(get_list(s, "bad_words_ids", &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        const struct steti_json *word = steti_json_at(list, i);
        if (steti_json_kind_of(word) != STETI_JSON_ARRAY || steti_json_len(word) != 1) {
            return config_bad(s, err, "bad_words_ids", "only single tokens are supported");
        }
        word = steti_json_at(word, 0);
        if (steti_json_kind_of(word) != STETI_JSON_INT || steti_json_int(word) != m->eos_id) {
            STETI_TRY(ban(s, "bad_words_ids", word, m, err));
        }
    }
    STETI_TRY(get_list(s, "begin_suppress_tokens", &list, &n, err));
    return n == 0 ? STET_OK : config_bad(s, err, "begin_suppress_tokens", "is not supported");
}

static stet_status read_forced(const struct config *s, struct steti_spec *m, stet_error *err)
{
    int last = m->vocab_size - 1, first = -1, end = -1, old = 0;
    STETI_TRY(config_int(s, "forced_bos_token_id", 0, last, 0, &first, err));
    STETI_TRY(config_bool(s, "force_bos_token_to_be_generated", &old, err));
    if (first < 0 && old) {
        first = m->bos_id;
    }
    m->start.n = first >= 0 ? 2 : 1;
    m->start.id[1] = first;
    STETI_TRY(config_int(s, "forced_eos_token_id", 0, last, 0, &end, err));
    if (end >= 0 && end != m->eos_id) {
        return config_bad(s, err, "forced_eos_token_id", "must be eos_token_id");
    }
    m->forced_end = m->forced_end || end >= 0;
    return STET_OK;
}

/* 1 if the value asks for nothing: absent, false, empty or the number that changes nothing. */
static int is_idle(const struct steti_json *v, double idle)
{
    switch (v != NULL ? steti_json_kind_of(v) : STETI_JSON_NULL) {
    case STETI_JSON_INT:
    case STETI_JSON_REAL: {
        double x = steti_json_real(v);
        return !(x < idle || x > idle);
    }
    case STETI_JSON_BOOL:
        return !steti_json_bool(v);
    case STETI_JSON_ARRAY:
    case STETI_JSON_OBJECT:
        return steti_json_len(v) == 0;
    default:
        return 1;
    }
}

/* Greedy decoding in transformers would take these into account; stet does not have them. */
static void warn_of_the_rest(const struct config *s)
{
    static const struct {
        const char *key;
        double idle;
    } known[] = {{"min_length", 0},
                 {"min_new_tokens", 0},
                 {"no_repeat_ngram_size", 0},
                 {"encoder_no_repeat_ngram_size", 0},
                 {"repetition_penalty", 1},
                 {"encoder_repetition_penalty", 1},
                 {"exponential_decay_length_penalty", 0},
                 {"sequence_bias", 0},
                 {"forced_decoder_ids", 0}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!is_idle(steti_json_get(s->obj, known[i].key), known[i].idle)) {
            steti_log(STET_LOG_WARN, "model",
                      "%s/%s: %s is not supported: outputs are those without it", s->folder,
                      s->file, known[i].key);
        }
    }
}

stet_status config_read_generation(const struct config *s, struct steti_spec *m, stet_error *err)
{
    STETI_TRY(read_bans(s, m, err));
    STETI_TRY(read_forced(s, m, err));
    warn_of_the_rest(s);
    return STET_OK;
}

static void append(struct steti_wrap *w, int32_t id)
{
    w->id[w->n++] = id;
}

stet_status config_finish_ids(const struct config *s, struct steti_spec *m, stet_error *err)
{
    static const char *const keys[] = {"eos_token_id", "decoder_start_token_id"};
    const int32_t ids[] = {m->eos_id, m->start_id};
    for (int i = 0; i < 2; i++) {
        if (ids[i] < 0) {
            return config_bad(s, err, keys[i], "is missing");
        }
        if (ids[i] >= m->vocab_size) {
            return config_bad(s, err, keys[i], "is missing, and the usual one is not a token");
        }
    }
    m->start.id[0] = m->start_id;
    append(&m->src_suffix, m->eos_id);
    if (m->family == STETI_FAMILY_BART && m->bos_id >= 0) {
        append(&m->src_prefix, m->bos_id);
    }
    return STET_OK;
}

void steti_spec_set_source_language(struct steti_spec *m, int32_t id)
{
    if (m->language_place == STETI_LANGUAGE_FIRST) {
        m->src_prefix.n = 0;
        append(&m->src_prefix, id);
    } else if (m->language_place == STETI_LANGUAGE_LAST) {
        m->src_suffix.n = 1; /* behind the end of the sentence */
        append(&m->src_suffix, id);
    }
}

/* mBART before mBART-50: there the decoder's start token says the language. */
static int starts_with_language(const struct steti_spec *m)
{
    return m->family == STETI_FAMILY_MBART && m->language_place == STETI_LANGUAGE_LAST;
}

void steti_spec_set_target_language(struct steti_spec *m, int32_t id)
{
    if (m->family == STETI_FAMILY_MARIAN) {
        m->src_prefix.n = 0;
        append(&m->src_prefix, id);
    } else if (starts_with_language(m)) {
        m->start.id[0] = id;
    } else {
        m->start.n = 1; /* behind the start token */
        append(&m->start, id);
    }
}

int steti_spec_wants_target(const struct steti_spec *m)
{
    return m->language_place != STETI_LANGUAGE_NONE && !starts_with_language(m) && m->start.n == 1;
}
