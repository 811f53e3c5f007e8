#include <limits.h>
#include <math.h>
#include <string.h>

#include "alloc.h"
#include "file_map.h"
#include "json.h"
#include "spec.h"

#define CONFIG_MAX_BYTES (16u << 20)

/* A JSON object with the name of its file, for messages. */
struct source {
    const struct steti_json *obj;
    const char *folder;
    const char *file;
};

const char *steti_family_name(enum steti_family f)
{
    switch (f) {
    case STETI_FAMILY_EDGEFORMER:
        return "edgeformer";
    case STETI_FAMILY_TRANSFORMER:
        return "transformer";
    }
    return "unknown";
}

static stet_status bad(const struct source *s, stet_error *err, const char *key, const char *what)
{
    return steti_fail(err, STET_E_MODEL, "%s/%s: %s: %s", s->folder, s->file, key, what);
}

/* An int in [lo, hi]; the key must be there when `required`, else *out keeps its value. */
static stet_status get_int(const struct source *s, const char *key, int lo, int hi, int required,
                           int *out, stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    int64_t n;
    if (v == NULL || steti_json_kind_of(v) == STETI_JSON_NULL) {
        return required ? bad(s, err, key, "is missing") : STET_OK;
    }
    if (steti_json_kind_of(v) != STETI_JSON_INT) {
        return bad(s, err, key, "must be a whole number");
    }
    n = steti_json_int(v);
    if (n < lo || n > hi) {
        return steti_fail(err, STET_E_MODEL, "%s/%s: %s: is %lld, expected %d to %d", s->folder,
                          s->file, key, (long long)n, lo, hi);
    }
    *out = (int)n;
    return STET_OK;
}

static stet_status get_bool(const struct source *s, const char *key, int *out, stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    if (v == NULL || steti_json_kind_of(v) == STETI_JSON_NULL) {
        return STET_OK;
    }
    if (steti_json_kind_of(v) != STETI_JSON_BOOL) {
        return bad(s, err, key, "must be true or false");
    }
    *out = steti_json_bool(v);
    return STET_OK;
}

static stet_status get_real(const struct source *s, const char *key, double lo, double hi,
                            float *out, stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    double x;
    if (v == NULL || steti_json_kind_of(v) == STETI_JSON_NULL) {
        return STET_OK;
    }
    if (steti_json_kind_of(v) != STETI_JSON_REAL && steti_json_kind_of(v) != STETI_JSON_INT) {
        return bad(s, err, key, "must be a number");
    }
    x = steti_json_real(v);
    if (!(x >= lo && x <= hi)) {
        return steti_fail(err, STET_E_MODEL, "%s/%s: %s: is %g, expected %g to %g", s->folder,
                          s->file, key, x, lo, hi);
    }
    *out = (float)x;
    return STET_OK;
}

struct choice {
    const char *name;
    int value;
};

/* A string out of a list that ends with a NULL name; the message lists what is possible. */
static stet_status get_choice(const struct source *s, const char *key, const struct choice *list,
                              int required, int *out, stet_error *err)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    char known[160];
    size_t used = 0;
    const char *text;
    if (v == NULL || steti_json_kind_of(v) == STETI_JSON_NULL) {
        return required ? bad(s, err, key, "is missing") : STET_OK;
    }
    if (steti_json_kind_of(v) != STETI_JSON_STRING) {
        return bad(s, err, key, "must be a string");
    }
    text = steti_json_string(v, NULL);
    known[0] = '\0';
    for (; list->name != NULL; list++) {
        size_t n = strlen(list->name);
        if (strcmp(text, list->name) == 0) {
            *out = list->value;
            return STET_OK;
        }
        if (used + n + 3 < sizeof known) {
            memcpy(known + used, used ? ", " : "", used ? 2 : 0);
            used += used ? 2 : 0;
            memcpy(known + used, list->name, n + 1);
            used += n;
        }
    }
    return steti_fail(err, STET_E_MODEL, "%s/%s: %s: \"%.80s\" is not supported, stet can run: %s",
                      s->folder, s->file, key, text, known);
}

static const struct choice families[] = {
    {"edgeformer", STETI_FAMILY_EDGEFORMER}, {"transformer", STETI_FAMILY_TRANSFORMER}, {NULL, 0}};
static const struct choice activations[] = {
    {"relu", STETI_ACT_RELU}, {"gelu", STETI_ACT_GELU},  {"gelu_new", STETI_ACT_GELU_TANH},
    {"silu", STETI_ACT_SILU}, {"swish", STETI_ACT_SILU}, {NULL, 0}};
static const struct choice position_kinds[] = {
    {"sinusoidal", STETI_POS_SINUSOIDAL}, {"learned", STETI_POS_LEARNED}, {NULL, 0}};

static stet_status read_shapes(const struct source *s, struct steti_spec *m, stet_error *err)
{
    STETI_TRY(get_int(s, "vocab_size", 2, 1 << 24, 1, &m->vocab_size, err));
    STETI_TRY(get_int(s, "d_model", 1, 1 << 16, 1, &m->d_model, err));
    STETI_TRY(get_int(s, "encoder_layers", 1, 1024, 1, &m->enc_layers, err));
    STETI_TRY(get_int(s, "decoder_layers", 1, 1024, 1, &m->dec_layers, err));
    STETI_TRY(get_int(s, "encoder_attention_heads", 1, 1024, 1, &m->enc_heads, err));
    STETI_TRY(get_int(s, "decoder_attention_heads", 1, 1024, 1, &m->dec_heads, err));
    STETI_TRY(get_int(s, "encoder_ffn_dim", 1, 1 << 18, 1, &m->enc_ffn, err));
    STETI_TRY(get_int(s, "decoder_ffn_dim", 1, 1 << 18, 1, &m->dec_ffn, err));
    if (m->d_model % m->enc_heads != 0) {
        return bad(s, err, "encoder_attention_heads", "does not divide d_model");
    }
    if (m->d_model % m->dec_heads != 0) {
        return bad(s, err, "decoder_attention_heads", "does not divide d_model");
    }
    return STET_OK;
}

static stet_status read_sharing(const struct source *s, struct steti_spec *m, stet_error *err)
{
    m->enc_attn_groups = m->enc_layers;
    m->enc_ffn_groups = m->enc_layers;
    if (m->family != STETI_FAMILY_EDGEFORMER) {
        return STET_OK;
    }
    m->dec_ffn_twice = 1;
    STETI_TRY(
        get_int(s, "encoder_attention_groups", 1, m->enc_layers, 0, &m->enc_attn_groups, err));
    STETI_TRY(get_int(s, "encoder_ffn_groups", 1, m->enc_layers, 0, &m->enc_ffn_groups, err));
    STETI_TRY(get_bool(s, "decoder_shares_attention", &m->dec_shares_attn, err));
    if (m->dec_shares_attn && 2 * m->dec_layers > m->enc_attn_groups) {
        return bad(s, err, "decoder_shares_attention",
                   "needs two encoder_attention_groups for every decoder layer");
    }
    if (m->dec_shares_attn && m->dec_heads != m->enc_heads) {
        return bad(s, err, "decoder_attention_heads",
                   "must equal encoder_attention_heads when attention is shared");
    }
    return STET_OK;
}

static stet_status read_switches(const struct source *s, struct steti_spec *m, stet_error *err)
{
    int act = STETI_ACT_RELU, positions = STETI_POS_SINUSOIDAL, scale = 1;
    m->tied_head = 1;
    m->norm = STETI_NORM_LAYER;
    m->norm_eps = 1e-5f;
    m->max_positions = 1024;
    STETI_TRY(get_choice(s, "activation_function", activations, 0, &act, err));
    STETI_TRY(get_choice(s, "position_embedding_type", position_kinds, 0, &positions, err));
    STETI_TRY(get_real(s, "layer_norm_eps", 1e-12, 1.0, &m->norm_eps, err));
    STETI_TRY(get_bool(s, "scale_embedding", &scale, err));
    STETI_TRY(get_bool(s, "tie_word_embeddings", &m->tied_head, err));
    STETI_TRY(get_int(s, "position_offset", 0, 1 << 16, 0, &m->position_offset, err));
    STETI_TRY(get_int(s, "max_position_embeddings", 2, 1 << 20, 0, &m->max_positions, err));
    if (m->family == STETI_FAMILY_TRANSFORMER) {
        STETI_TRY(get_bool(s, "encoder_normalize_before", &m->enc_pre_norm, err));
        STETI_TRY(get_bool(s, "decoder_normalize_before", &m->dec_pre_norm, err));
        STETI_TRY(get_bool(s, "normalize_embedding", &m->embed_norm, err));
    }
    m->act = (enum steti_act)act;
    m->positions = (enum steti_positions)positions;
    if (m->positions == STETI_POS_SINUSOIDAL && m->d_model % 2 != 0) {
        return bad(s, err, "d_model", "must be even with sinusoidal positions");
    }
    m->embed_scale = scale ? sqrtf((float)m->d_model) : 1.0f;
    return STET_OK;
}

static stet_status read_ids(const struct source *s, int required, struct steti_spec *m,
                            stet_error *err)
{
    int pad = m->pad_id, eos = m->eos_id, start = m->start_id;
    int last = m->vocab_size - 1;
    STETI_TRY(get_int(s, "pad_token_id", 0, last, 0, &pad, err));
    STETI_TRY(get_int(s, "eos_token_id", 0, last, required, &eos, err));
    STETI_TRY(get_int(s, "decoder_start_token_id", 0, last, required, &start, err));
    m->pad_id = pad;
    m->eos_id = eos;
    m->start_id = start;
    return STET_OK;
}

static stet_status parse_one(const char *text, size_t len, const char *folder, const char *file,
                             struct steti_json **root, stet_error *err)
{
    stet_status st = steti_json_parse(text, len, file, root, err);
    return st == STET_OK ? STET_OK : steti_fail_context(err, st, "%s", folder);
}

static stet_status parse_config(const struct source *s, struct steti_spec *m, stet_error *err)
{
    int family = 0;
    STETI_TRY(get_choice(s, "model_type", families, 1, &family, err));
    m->family = (enum steti_family)family;
    STETI_TRY(read_shapes(s, m, err));
    STETI_TRY(read_sharing(s, m, err));
    STETI_TRY(read_switches(s, m, err));
    m->pad_id = -1;
    return read_ids(s, 1, m, err);
}

stet_status steti_spec_parse(const char *config, size_t config_len, const char *generation,
                             size_t generation_len, const char *folder, struct steti_spec *out,
                             stet_error *err)
{
    struct steti_json *root = NULL;
    struct source s = {NULL, folder, "config.json"};
    stet_status st;
    memset(out, 0, sizeof *out);
    STETI_TRY(parse_one(config, config_len, folder, s.file, &root, err));
    s.obj = root;
    st = parse_config(&s, out, err);
    steti_json_free(root);
    if (st != STET_OK || generation == NULL) {
        return st;
    }
    s.file = "generation_config.json";
    STETI_TRY(parse_one(generation, generation_len, folder, s.file, &root, err));
    s.obj = root;
    st = read_ids(&s, 0, out, err);
    steti_json_free(root);
    return st;
}

/* *text is NULL when the file is not required and not there; an empty file is text of length 0. */
static stet_status map_named(const char *folder, const char *name, int required,
                             struct steti_file_map *map, const char **text, stet_error *err)
{
    char *path = steti_path_join(folder, name);
    stet_status st = STET_OK;
    memset(map, 0, sizeof *map);
    *text = NULL;
    if (path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(folder));
    }
    if (required || steti_file_exists(path)) {
        st = steti_file_map_open(path, CONFIG_MAX_BYTES, map, err);
        *text = map->len > 0 ? (const char *)map->data : "";
    }
    steti_free(path);
    return st;
}

stet_status steti_spec_read(const char *folder, struct steti_spec *out, stet_error *err)
{
    struct steti_file_map config, generation;
    const char *config_text, *generation_text;
    stet_status st;
    STETI_TRY(map_named(folder, "config.json", 1, &config, &config_text, err));
    STETI_TRY_GOTO(
        map_named(folder, "generation_config.json", 0, &generation, &generation_text, err), st,
        close_config);
    st = steti_spec_parse(config_text, config.len, generation_text, generation.len, folder, out,
                          err);
    steti_file_map_close(&generation);
close_config:
    steti_file_map_close(&config);
    return st;
}
