/* Token ids, and tokens that are forced. The keys stand in generation_config.json, or, in old
 * folders, in config.json. */
#include <string.h>

#include "config_family.h"

int steti_spec_is_end(const struct steti_spec *s, int32_t id)
{
    const struct steti_generation *g = &s->generation;
    for (int i = 0; i < g->n_more_ends; i++) {
        if (g->more_ends[i] == id) {
            return 1;
        }
    }
    return id == s->eos_id;
}

/* The first of a list becomes eos_id, the others end outputs too. */
static stet_status read_end_list(const struct config *s, struct steti_spec *m, stet_error *err)
{
    static const char key[] = "eos_token_id";
    struct steti_generation *g = &m->generation;
    const struct steti_json *list;
    size_t n;
    STETI_TRY(config_list(s, key, &list, &n, err));
    if (n == 0) {
        return config_bad(s, err, key, "must not be an empty list");
    }
    g->n_more_ends = 0;
    STETI_TRY(config_token(s, key, steti_json_at(list, 0), m->vocab_size, &m->eos_id, err));
    for (size_t i = 1; i < n; i++) {
        int32_t id;
        STETI_TRY(config_token(s, key, steti_json_at(list, i), m->vocab_size, &id, err));
        if (steti_spec_is_end(m, id)) {
            continue;
        }
        if (g->n_more_ends == STETI_ENDS_MAX) {
            return config_bad(s, err, key, "more tokens than stet supports");
        }
        g->more_ends[g->n_more_ends++] = id;
    }
    return STET_OK;
}

static stet_status read_ends(const struct config *s, struct steti_spec *m, stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, "eos_token_id");
    int id = m->eos_id;
    if (v != NULL && steti_json_kind_of(v) == STETI_JSON_ARRAY) {
        return read_end_list(s, m, err);
    }
    STETI_TRY(config_int(s, "eos_token_id", 0, m->vocab_size - 1, 0, &id, err));
    if (config_has(s, "eos_token_id")) {
        m->eos_id = id;
        m->generation.n_more_ends = 0;
    }
    return STET_OK;
}

void config_prefer_end(struct steti_spec *m, int32_t id)
{
    struct steti_generation *g = &m->generation;
    for (int i = 0; i < g->n_more_ends; i++) {
        if (g->more_ends[i] == id) {
            g->more_ends[i] = m->eos_id;
            m->eos_id = id;
        }
    }
}

stet_status config_read_ids(const struct config *s, struct steti_spec *m, stet_error *err)
{
    static const char *const keys[] = {"pad_token_id", "bos_token_id", "decoder_start_token_id"};
    int32_t *const ids[] = {&m->pad_id, &m->bos_id, &m->start_id};
    for (int i = 0; i < 3; i++) {
        int id = *ids[i];
        STETI_TRY(config_int(s, keys[i], 0, m->vocab_size - 1, 0, &id, err));
        *ids[i] = id;
    }
    return read_ends(s, m, err);
}

static stet_status read_forced_end(const struct config *s, struct steti_spec *m, stet_error *err)
{
    static const char key[] = "forced_eos_token_id";
    const struct steti_json *v = steti_json_get(s->obj, key);
    int is_list = v != NULL && steti_json_kind_of(v) == STETI_JSON_ARRAY;
    size_t n = is_list ? steti_json_len(v) : (size_t)config_has(s, key);
    if (is_list && n == 0) {
        return config_bad(s, err, key, "must not be an empty list");
    }
    for (size_t i = 0; i < n; i++) {
        int32_t id;
        STETI_TRY(config_token(s, key, is_list ? steti_json_at(v, i) : v, m->vocab_size, &id, err));
        if (!steti_spec_is_end(m, id)) {
            return config_bad(s, err, key, "must be an eos_token_id");
        }
    }
    m->forced_end = n > 0;
    return STET_OK;
}

static stet_status read_forced(const struct config *s, struct steti_spec *m, stet_error *err)
{
    int first = -1, old = 0;
    STETI_TRY(config_int(s, "forced_bos_token_id", 0, m->vocab_size - 1, 0, &first, err));
    STETI_TRY(config_bool(s, "force_bos_token_to_be_generated", &old, err));
    if (first < 0 && old) {
        first = m->bos_id;
    }
    if (first >= 0 && steti_spec_is_end(m, first)) {
        return config_bad(s, err, "forced_bos_token_id",
                          "is an eos_token_id: every output would end at once");
    }
    m->start.n = first >= 0 ? 2 : 1;
    m->start.id[1] = first;
    return read_forced_end(s, m, err);
}

stet_status config_read_generation(const struct config *s, struct steti_spec *m, stet_error *err)
{
    STETI_TRY(read_forced(s, m, err));
    return config_read_rules(s, m, err);
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
