// config.json of the families of Hugging Face: what becomes of their keys, and which are refused.
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "config_text.h"

namespace
{

std::string bart_like(const std::string &type, const std::string &more = "")
{
    return stet_test::bart_config(type, 100, more);
}

std::string t5_like(const std::string &type, const std::string &more = "")
{
    return "{\"model_type\":\"" + type +
           "\",\"vocab_size\":100,\"d_model\":16,\"d_ff\":32,\"d_kv\":6,\"num_heads\":4,"
           "\"num_layers\":3" +
           more + "}";
}

steti_spec good(const std::string &config, const char *generation = nullptr)
{
    steti_spec spec;
    std::string message;
    EXPECT_EQ(stet_test::parse_config(config, generation, &spec, &message), STET_OK) << message;
    return spec;
}

std::vector<int32_t> ids(const steti_wrap &w)
{
    return {w.id, w.id + w.n};
}

using Ids = std::vector<int32_t>;

TEST(HfConfig, BartIsPostNormWithWrappedSources)
{
    steti_spec s =
        good(bart_like("bart", ",\"normalize_before\":true,\"static_position_embeddings\":"
                               "true,\"add_final_layer_norm\":true"));
    EXPECT_TRUE(!s.enc_pre_norm && !s.dec_pre_norm && s.embed_norm && s.tied_head)
        << "the model type decides, whatever old keys say";
    EXPECT_EQ(s.positions, STETI_POS_LEARNED);
    EXPECT_EQ(s.position_offset, 2);
    EXPECT_EQ(s.act, STETI_ACT_GELU);
    EXPECT_FLOAT_EQ(s.embed_scale, 1.0f);
    EXPECT_EQ(ids(s.src_prefix), Ids{0});
    EXPECT_EQ(ids(s.src_suffix), Ids{2});
    EXPECT_EQ(ids(s.start), Ids{2});
    EXPECT_FALSE(s.forced_end) << "files that leave the key out do not force it";
}

TEST(HfConfig, MbartMarianAndM2m)
{
    steti_spec m = good(bart_like("mbart", ",\"decoder_start_token_id\":50"));
    EXPECT_TRUE(m.enc_pre_norm && m.dec_pre_norm && m.embed_norm && !m.forced_end);
    steti_spec_set_source_language(&m, 40);
    steti_spec_set_source_language(&m, 41);
    EXPECT_EQ(ids(m.src_suffix), (Ids{2, 41}));
    EXPECT_EQ(ids(m.start), Ids{50});
    steti_spec o =
        good(bart_like("marian", ",\"pad_token_id\":99,\"decoder_start_token_id\":99,"
                                 "\"scale_embedding\":true,\"bad_words_ids\":[[99],[0]]"));
    EXPECT_EQ(o.positions, STETI_POS_SINUSOIDAL_2I);
    EXPECT_EQ(o.position_offset, 0);
    EXPECT_EQ(ids(o.src_suffix), Ids{0});
    EXPECT_EQ(o.n_banned, 1) << "the end of a sentence stays possible";
    EXPECT_EQ(o.banned[0], 99);
    EXPECT_FLOAT_EQ(o.embed_scale, 4.8989795f);
    steti_spec n = good(bart_like("m2m_100", ",\"forced_bos_token_id\":60"));
    EXPECT_EQ(n.positions, STETI_POS_SINUSOIDAL);
    EXPECT_EQ(n.position_offset, 2);
    EXPECT_TRUE(n.enc_pre_norm && !n.embed_norm && !n.forced_end);
    EXPECT_EQ(ids(n.start), (Ids{2, 60}));
    steti_spec_set_source_language(&n, 40);
    EXPECT_EQ(ids(n.src_prefix), Ids{40});
}

TEST(HfConfig, PegasusIsPreNormWithSinusoids)
{
    steti_spec s = good(bart_like("pegasus", ",\"scale_embedding\":true,\"normalize_before\":false,"
                                             "\"activation_function\":\"relu\""));
    EXPECT_TRUE(s.enc_pre_norm && s.dec_pre_norm && !s.embed_norm && s.tied_head && !s.forced_end);
    EXPECT_EQ(s.positions, STETI_POS_SINUSOIDAL_2I);
    EXPECT_EQ(s.position_offset, 0);
    EXPECT_EQ(s.act, STETI_ACT_RELU);
    EXPECT_FLOAT_EQ(s.embed_scale, 4.8989795f);
    EXPECT_EQ(ids(s.src_prefix), Ids{});
    EXPECT_EQ(ids(s.src_suffix), Ids{1});
    EXPECT_EQ(ids(s.start), Ids{0});
}

TEST(HfConfig, TheTargetsLanguageStandsWhereTheFamilyWantsIt)
{
    steti_spec old = good(bart_like("mbart", ",\"decoder_start_token_id\":50"));
    EXPECT_FALSE(steti_spec_wants_target(&old));
    steti_spec_set_target_language(&old, 40);
    EXPECT_EQ(ids(old.start), Ids{40});
    steti_spec m = good(bart_like("m2m_100"));
    EXPECT_TRUE(steti_spec_wants_target(&m));
    steti_spec_set_target_language(&m, 40);
    steti_spec_set_target_language(&m, 41);
    EXPECT_EQ(ids(m.start), (Ids{2, 41}));
    EXPECT_FALSE(steti_spec_wants_target(&m));
    steti_spec n = good(bart_like("m2m_100", ",\"forced_bos_token_id\":60"));
    EXPECT_FALSE(steti_spec_wants_target(&n));
    const char text[] = "{\"tgt_lang\":\"de\",\"src_lang\":\"en\"}";
    ASSERT_EQ(steti_spec_parse_tokenizer(text, sizeof text - 1, "/some/folder", &n, nullptr),
              STET_OK);
    EXPECT_STREQ(n.target_language, "de");
    steti_spec o = good(bart_like("marian", ",\"pad_token_id\":99,\"decoder_start_token_id\":99"));
    steti_spec_set_target_language(&o, 40);
    steti_spec_set_target_language(&o, 41);
    EXPECT_EQ(ids(o.src_prefix), Ids{41});
    EXPECT_EQ(ids(o.start), Ids{99});
}

TEST(HfConfig, T5ScaleFollowsOldAndNewKeys)
{
    struct {
        const char *type, *keys;
        bool scaled;
    } const cases[] = {
        {"t5", "", true},
        {"t5", ",\"tie_word_embeddings\":false", false},
        {"t5", ",\"tie_word_embeddings\":true,\"scale_decoder_outputs\":false", false},
        {"t5", ",\"tie_word_embeddings\":false,\"scale_decoder_outputs\":true", true},
        {"mt5", "", false},
        {"umt5", "", true},
        {"umt5", ",\"tie_word_embeddings\":false", false},
        {"mt5", ",\"tie_word_embeddings\":true", false},
    };
    for (const auto &c : cases) {
        steti_spec s = good(t5_like(c.type, c.keys));
        EXPECT_FLOAT_EQ(s.head_scale, c.scaled ? 0.25f : 1.0f) << c.type << c.keys;
        EXPECT_TRUE(s.tied_head && s.prefers_own_head) << "the tensors tell";
    }
}

TEST(HfConfig, T5ShapesAndActivations)
{
    steti_spec s = good(t5_like("umt5"));
    EXPECT_TRUE(s.rel_every_layer && s.ffn_gated && s.act == STETI_ACT_GELU_TANH);
    s = good(t5_like("t5", ",\"num_decoder_layers\":5"));
    EXPECT_FALSE(s.rel_every_layer);
    EXPECT_TRUE(s.enc_layers == 3 && s.dec_layers == 5 && s.enc_head_dim == 6 && s.dec_heads == 4);
    EXPECT_TRUE(s.norm == STETI_NORM_RMS && s.unscaled_queries && s.enc_pre_norm && s.dec_pre_norm);
    EXPECT_EQ(ids(s.start), Ids{0}) << "the padding";
    EXPECT_TRUE(s.rel_buckets == 32 && s.rel_max_distance == 128);
    struct {
        const char *form;
        bool gated;
        steti_act act;
    } const forms[] = {{"relu", false, STETI_ACT_RELU},
                       {"gated-gelu", true, STETI_ACT_GELU_TANH},
                       {"gelu", false, STETI_ACT_GELU},
                       {"gated-silu", true, STETI_ACT_SILU},
                       {"gated-relu", true, STETI_ACT_RELU}};
    for (const auto &f : forms) {
        s = good(t5_like("t5", std::string(",\"feed_forward_proj\":\"") + f.form + "\""));
        EXPECT_TRUE(s.ffn_gated == f.gated && s.act == f.act) << f.form;
    }
}

TEST(HfConfig, GenerationConfigAloneSaysWhatIsForced)
{
    std::string config = bart_like("bart", ",\"forced_bos_token_id\":0,\"suppress_tokens\":[7]");
    steti_spec s = good(config);
    EXPECT_EQ(ids(s.start), (Ids{2, 0}));
    EXPECT_EQ(s.n_banned, 1);
    s = good(config, "{}");
    EXPECT_EQ(ids(s.start), Ids{2});
    EXPECT_TRUE(s.n_banned == 0 && !s.forced_end);
    s = good(config, "{\"forced_bos_token_id\":5,\"forced_eos_token_id\":2,"
                     "\"bad_words_ids\":[[9],[9],[8]]}");
    EXPECT_EQ(ids(s.start), (Ids{2, 5}));
    EXPECT_TRUE(s.n_banned == 2 && s.forced_end);
    s = good(bart_like("bart", ",\"force_bos_token_to_be_generated\":true"));
    EXPECT_EQ(ids(s.start), (Ids{2, 0}));
}

TEST(HfConfig, WhatCannotBeRunIsRefused)
{
    struct {
        std::string config;
        const char *generation, *says;
    } const cases[] = {
        {bart_like("mbart"), nullptr, "decoder_start_token_id: is missing"},
        {bart_like("marian"), nullptr, "the usual one is not a token"},
        {bart_like("pegasus_x"), nullptr, "m2m_100, pegasus, t5, mt5"},
        {t5_like("longt5"), nullptr, "model_type"},
        {bart_like("bart", ",\"d_model\":25"), nullptr, "duplicate"},
        {bart_like("bart", ",\"max_position_embeddings\":0"), nullptr, "max_position_embeddings"},
        {bart_like("marian", ",\"share_encoder_decoder_embeddings\":false"), nullptr,
         "share_encoder_decoder_embeddings"},
        {bart_like("marian", ",\"decoder_vocab_size\":90"), nullptr, "decoder_vocab_size"},
        {t5_like("t5", ",\"feed_forward_proj\":\"gated-tanh\""), nullptr, "gated-gelu"},
        {t5_like("t5", ",\"relative_attention_num_buckets\":2"), nullptr, "num_buckets: is 2"},
        {t5_like("t5", ",\"relative_attention_max_distance\":16"), nullptr, "more than half"},
        {t5_like("t5", ",\"layer_norm_epsilon\":0"), nullptr, "layer_norm_epsilon: is 0"},
        {t5_like("t5", ",\"num_decoder_layers\":0"), nullptr, "num_decoder_layers: is 0"},
    };
    for (const auto &c : cases) {
        steti_spec spec;
        std::string message;
        EXPECT_NE(stet_test::parse_config(c.config, c.generation, &spec, &message), STET_OK)
            << c.config;
        EXPECT_NE(message.find(c.says), std::string::npos) << message;
        EXPECT_NE(message.find("/some/folder"), std::string::npos) << message;
    }
}

TEST(HfConfig, TheTokenizerSaysWhereTheLanguageStands)
{
    struct {
        const char *type, *tokenizer;
        steti_language_place place;
        const char *language;
    } const cases[] = {
        {"mbart", "{\"tokenizer_class\":\"MBartTokenizer\",\"src_lang\":\"en_XX\"}",
         STETI_LANGUAGE_LAST, "en_XX"},
        {"mbart", "{\"tokenizer_class\":\"MBart50TokenizerFast\",\"src_lang\":\"ro_RO\"}",
         STETI_LANGUAGE_FIRST, "ro_RO"},
        {"m2m_100", "{\"tokenizer_class\":\"M2M100Tokenizer\",\"src_lang\":\"en\"}",
         STETI_LANGUAGE_FIRST, "en"},
        {"m2m_100", "{\"tokenizer_class\":\"NllbTokenizer\",\"src_lang\":\"eng_Latn\"}",
         STETI_LANGUAGE_FIRST, "eng_Latn"},
        {"m2m_100", "{\"tokenizer_class\":\"NllbTokenizer\",\"legacy_behaviour\":true}",
         STETI_LANGUAGE_LAST, ""},
        {"m2m_100", "{\"src_lang\":\"a name that is longer than any language\"}",
         STETI_LANGUAGE_FIRST, ""},
        {"bart", "{\"tokenizer_class\":\"MBart50Tokenizer\",\"src_lang\":\"en\"}",
         STETI_LANGUAGE_NONE, ""},
    };
    for (const auto &c : cases) {
        steti_spec s = good(bart_like(c.type, ",\"decoder_start_token_id\":2"));
        ASSERT_EQ(steti_spec_parse_tokenizer(c.tokenizer, std::strlen(c.tokenizer), "/some/folder",
                                             &s, nullptr),
                  STET_OK);
        EXPECT_EQ(s.language_place, c.place) << c.tokenizer;
        EXPECT_STREQ(s.source_language, c.language);
    }
    steti_spec s = good(bart_like("m2m_100"));
    EXPECT_EQ(steti_spec_parse_tokenizer("{", 1, "/some/folder", &s, nullptr), STET_E_FORMAT);
}

} // namespace
