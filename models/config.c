#include <limits.h>
#include <string.h>

#include "alloc.h"
#include "config_family.h"
#include "file_map.h"

#define CONFIG_MAX_BYTES (16u << 20)

static const struct config_choice families[] = {{"edgeformer", STETI_FAMILY_EDGEFORMER},
                                                {"transformer", STETI_FAMILY_TRANSFORMER},
                                                {"bart", STETI_FAMILY_BART},
                                                {"mbart", STETI_FAMILY_MBART},
                                                {"marian", STETI_FAMILY_MARIAN},
                                                {"m2m_100", STETI_FAMILY_M2M_100},
                                                {"t5", STETI_FAMILY_T5},
                                                {"mt5", STETI_FAMILY_MT5},
                                                {NULL, 0}};

const char *steti_family_name(enum steti_family f)
{
    for (const struct config_choice *c = families; c->name != NULL; c++) {
        if (c->value == (int)f) {
            return c->name;
        }
    }
    return "unknown";
}

/* What holds unless a family or a key says otherwise. */
static void set_defaults(struct steti_spec *m)
{
    m->pad_id = m->bos_id = m->eos_id = m->start_id = -1;
    m->tied_head = 1;
    m->head_scale = 1.0f;
    m->embed_scale = 1.0f;
    m->norm = STETI_NORM_LAYER;
    m->norm_eps = 1e-5f;
    m->max_positions = 1024;
}

static stet_status read_family(const struct config *s, struct steti_spec *m, stet_error *err)
{
    switch (m->family) {
    case STETI_FAMILY_T5:
    case STETI_FAMILY_MT5:
        return config_read_t5(s, m, err);
    case STETI_FAMILY_EDGEFORMER:
    case STETI_FAMILY_TRANSFORMER:
        return config_read_fairseq(s, m, err);
    default:
        return config_read_bart(s, m, err);
    }
}

static stet_status parse_config(const struct config *s, struct steti_spec *m, stet_error *err)
{
    int family = 0;
    set_defaults(m);
    STETI_TRY(config_one_of(s, "model_type", families, 1, &family, err));
    m->family = (enum steti_family)family;
    STETI_TRY(read_family(s, m, err));
    m->enc_attn_groups = m->enc_attn_groups > 0 ? m->enc_attn_groups : m->enc_layers;
    m->enc_ffn_groups = m->enc_ffn_groups > 0 ? m->enc_ffn_groups : m->enc_layers;
    return STET_OK;
}

static stet_status parse_one(const char *text, size_t len, const char *folder, const char *file,
                             struct steti_json **root, stet_error *err)
{
    stet_status st = steti_json_parse(text, len, file, root, err);
    return st == STET_OK ? STET_OK : steti_fail_context(err, st, "%s", folder);
}

/* generation_config.json, where there is one, is asked alone for what decoding should do, but ids
 * that it lacks come from config.json. */
static stet_status parse_generation(const struct config *s, struct steti_spec *m, stet_error *err)
{
    int32_t usual = m->eos_id; /* what the tokenizer puts behind sources */
    STETI_TRY(config_read_ids(s, m, err));
    config_prefer_end(m, usual);
    return config_read_generation(s, m, err);
}

stet_status steti_spec_parse(const char *config, size_t config_len, const char *generation,
                             size_t generation_len, const char *folder, struct steti_spec *out,
                             stet_error *err)
{
    struct steti_json *root = NULL;
    struct config s = {NULL, folder, "config.json"}, g = {NULL, folder, "generation_config.json"};
    stet_status st;
    memset(out, 0, sizeof *out);
    STETI_TRY(parse_one(config, config_len, folder, s.file, &root, err));
    s.obj = root;
    st = parse_config(&s, out, err);
    if (st == STET_OK && generation == NULL) {
        st = config_read_generation(&s, out, err);
    }
    steti_json_free(root);
    STETI_TRY(st);
    if (generation != NULL) {
        STETI_TRY(parse_one(generation, generation_len, folder, g.file, &root, err));
        g.obj = root;
        st = parse_generation(&g, out, err);
        steti_json_free(root);
        STETI_TRY(st);
    }
    return config_finish_ids(&s, out, err);
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

stet_status steti_spec_parse_tokenizer(const char *text, size_t len, const char *folder,
                                       struct steti_spec *spec, stet_error *err)
{
    struct config s = {NULL, folder, "tokenizer_config.json"};
    struct steti_json *root = NULL;
    stet_status st;
    STETI_TRY(parse_one(text, len, folder, s.file, &root, err));
    s.obj = root;
    st = config_read_languages(&s, spec, err);
    steti_json_free(root);
    return st;
}

static stet_status read_languages(const char *folder, struct steti_spec *spec, stet_error *err)
{
    struct steti_file_map map;
    const char *text;
    stet_status st = STET_OK;
    if (spec->language_place == STETI_LANGUAGE_NONE) {
        return STET_OK;
    }
    STETI_TRY(map_named(folder, "tokenizer_config.json", 0, &map, &text, err));
    if (text != NULL) {
        st = steti_spec_parse_tokenizer(text, map.len, folder, spec, err);
    }
    steti_file_map_close(&map);
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
    return st == STET_OK ? read_languages(folder, out, err) : st;
}
