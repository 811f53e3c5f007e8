/* bart, mbart, marian and m2m_100 as Hugging Face's transformers writes them. The model type
 * decides the form: keys like normalize_before, which old files have, are not read there either. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config_family.h"

/* What a family is, and the values of keys that its files may leave out. */
struct form {
    int pre_norm, embed_norm, scale_embedding;
    enum steti_act act;
    enum steti_positions positions;
    int position_offset;
    int32_t pad, bos, eos, start; /* -1: no default */
};

static const struct form *form_of(enum steti_family family)
{
    static const struct form bart = {.embed_norm = 1,
                                     .act = STETI_ACT_GELU,
                                     .positions = STETI_POS_LEARNED,
                                     .position_offset = 2,
                                     .pad = 1,
                                     .eos = 2,
                                     .start = 2};
    static const struct form mbart = {.pre_norm = 1,
                                      .embed_norm = 1,
                                      .act = STETI_ACT_GELU,
                                      .positions = STETI_POS_LEARNED,
                                      .position_offset = 2,
                                      .pad = 1,
                                      .eos = 2,
                                      .start = -1};
    static const struct form marian = {.act = STETI_ACT_GELU,
                                       .positions = STETI_POS_SINUSOIDAL_2I,
                                       .pad = 58100,
                                       .bos = -1,
                                       .start = 58100};
    static const struct form m2m_100 = {.pre_norm = 1,
                                        .scale_embedding = 1,
                                        .act = STETI_ACT_RELU,
                                        .positions = STETI_POS_SINUSOIDAL,
                                        .pad = 1,
                                        .eos = 2,
                                        .start = 2};
    switch (family) {
    case STETI_FAMILY_MBART:
        return &mbart;
    case STETI_FAMILY_MARIAN:
        return &marian;
    case STETI_FAMILY_M2M_100:
        return &m2m_100;
    default:
        return &bart;
    }
}

static void take_form(const struct form *f, struct steti_spec *m)
{
    m->enc_pre_norm = m->dec_pre_norm = f->pre_norm;
    m->embed_norm = f->embed_norm;
    m->positions = f->positions;
    m->position_offset = f->position_offset;
    m->pad_id = f->pad;
    m->bos_id = f->bos;
    m->eos_id = f->eos;
    m->start_id = f->start;
}

/* Marian's two vocabularies: a draft from the source would be of the wrong one. */
static stet_status check_one_vocabulary(const struct config *s, const struct steti_spec *m,
                                        stet_error *err)
{
    int shared = 1, size = m->vocab_size;
    STETI_TRY(config_bool(s, "share_encoder_decoder_embeddings", &shared, err));
    STETI_TRY(config_int(s, "decoder_vocab_size", 0, 1 << 24, 0, &size, err));
    if (!shared || size != m->vocab_size) {
        return config_bad(s, err,
                          shared ? "decoder_vocab_size" : "share_encoder_decoder_embeddings",
                          "a vocabulary of its own for the output is not supported");
    }
    return STET_OK;
}

static stet_status read_switches(const struct config *s, const struct form *f, struct steti_spec *m,
                                 stet_error *err)
{
    int act = (int)f->act, scale = f->scale_embedding;
    STETI_TRY(config_one_of(s, "activation_function", config_activations, 0, &act, err));
    STETI_TRY(config_bool(s, "scale_embedding", &scale, err));
    STETI_TRY(config_bool(s, "tie_word_embeddings", &m->tied_head, err));
    STETI_TRY(config_int(s, "max_position_embeddings", 2, 1 << 20, 0, &m->max_positions, err));
    m->act = (enum steti_act)act;
    m->embed_scale = scale ? sqrtf((float)m->d_model) : 1.0f;
    if (m->positions != STETI_POS_LEARNED && m->d_model % 2 != 0) {
        return config_bad(s, err, "d_model", "must be even with sinusoidal positions");
    }
    return STET_OK;
}

stet_status config_read_bart(const struct config *s, struct steti_spec *m, stet_error *err)
{
    const struct form *f = form_of(m->family);
    take_form(f, m);
    STETI_TRY(config_read_shapes(s, m, err));
    STETI_TRY(check_one_vocabulary(s, m, err));
    STETI_TRY(read_switches(s, f, m, err));
    STETI_TRY(config_read_ids(s, m, err));
    if (m->family == STETI_FAMILY_M2M_100) {
        m->position_offset = m->pad_id + 1; /* positions are counted from the padding's id */
        m->language_place = STETI_LANGUAGE_FIRST;
    }
    m->language_place = m->family == STETI_FAMILY_MBART ? STETI_LANGUAGE_LAST : m->language_place;
    return STET_OK;
}

/* "" unless the key holds a short string. */
static void text_of(const struct config *s, const char *key, char *out, size_t cap)
{
    const struct steti_json *v = steti_json_get(s->obj, key);
    size_t len = 0;
    const char *text = "";
    if (v != NULL && steti_json_kind_of(v) == STETI_JSON_STRING) {
        text = steti_json_string(v, &len);
    }
    snprintf(out, cap, "%s", len < cap ? text : "");
}

/* The tokenizer's class decides where the language stands; without one it is that of the family. */
stet_status config_read_languages(const struct config *s, struct steti_spec *m, stet_error *err)
{
    static const char mbart50[] = "MBart50Tokenizer", nllb[] = "NllbTokenizer";
    char class_name[64];
    int legacy = 0;
    if (m->language_place == STETI_LANGUAGE_NONE) {
        return STET_OK;
    }
    text_of(s, "tokenizer_class", class_name, sizeof class_name);
    text_of(s, "src_lang", m->source_language, sizeof m->source_language);
    STETI_TRY(config_bool(s, "legacy_behaviour", &legacy, err));
    if (strncmp(class_name, mbart50, sizeof mbart50 - 1) == 0) {
        m->language_place = STETI_LANGUAGE_FIRST;
    } else if (strncmp(class_name, nllb, sizeof nllb - 1) == 0 && legacy) {
        m->language_place = STETI_LANGUAGE_LAST;
    }
    return STET_OK;
}
