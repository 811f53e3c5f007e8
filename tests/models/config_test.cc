// config.json and generation_config.json that are wrong: one status and one message that names file
// and key.
extern "C" {
#include "spec.h"
}

#include <cstring>
#include <string>

#include <gtest/gtest.h>

namespace
{

// A complete configuration; cases replace one line.
std::string base_config()
{
    return "{\"model_type\": \"transformer\",\n\"vocab_size\": 100,\n\"d_model\": "
           "24,\n\"encoder_layers\": 2,\n"
           "\"decoder_layers\": 1,\n\"encoder_attention_heads\": 3,\n\"decoder_attention_heads\": "
           "2,\n"
           "\"encoder_ffn_dim\": 32,\n\"decoder_ffn_dim\": 16,\n\"eos_token_id\": 1,\n"
           "\"decoder_start_token_id\": 0,\n\"pad_token_id\": 0\n}";
}

// Replaces the value of a key, or adds the key; "-" takes the line out.
std::string changed(const std::string &key, const std::string &value)
{
    std::string text = base_config(), quoted = "\"" + key + "\":";
    size_t at = text.find(quoted);
    if (at == std::string::npos) {
        return text.insert(1, quoted + value + ",");
    }
    size_t end = text.find_first_of(",\n", at);
    return value == "-" ? text.erase(at, end - at + 1) : text.replace(at, end - at, quoted + value);
}

stet_status parse(const std::string &config, const char *generation, steti_spec *spec,
                  std::string *message)
{
    stet_error err{};
    err.struct_size = sizeof err;
    stet_status st = steti_spec_parse(config.data(), config.size(), generation,
                                      generation != nullptr ? std::strlen(generation) : 0,
                                      "/some/folder", spec, &err);
    *message = err.message;
    return st;
}

struct Case {
    const char *key, *value;
    stet_status status;
    const char *says; // besides folder, file and, for STET_E_MODEL, key
};

const Case cases[] = {
    {"model_type", "-", STET_E_MODEL, "missing"},
    {"model_type", "\"gpt5\"", STET_E_MODEL, "edgeformer, transformer"},
    {"model_type", "7", STET_E_MODEL, "string"},
    {"model_type", "null", STET_E_MODEL, "missing"},
    {"vocab_size", "-", STET_E_MODEL, "missing"},
    {"vocab_size", "\"100\"", STET_E_MODEL, "whole number"},
    {"vocab_size", "true", STET_E_MODEL, "whole number"},
    {"vocab_size", "100.0", STET_E_MODEL, "whole number"},
    {"vocab_size", "[100]", STET_E_MODEL, "whole number"},
    {"vocab_size", "0", STET_E_MODEL, "is 0"},
    {"vocab_size", "-1", STET_E_MODEL, "is -1"},
    {"vocab_size", "2147483648", STET_E_MODEL, "2147483648"},
    {"vocab_size", "4294967396", STET_E_MODEL, "4294967396"},
    {"vocab_size", "9223372036854775807", STET_E_MODEL, "9223372036854775807"},
    {"vocab_size", "9223372036854775808", STET_E_FORMAT, "big"},
    {"vocab_size", "1e999", STET_E_FORMAT, "overflow"},
    {"vocab_size", "NaN", STET_E_FORMAT, "line 2"},
    {"vocab_size", "Infinity", STET_E_FORMAT, "line 2"},
    {"d_model", "-", STET_E_MODEL, "missing"},
    {"d_model", "0", STET_E_MODEL, "is 0"},
    {"d_model", "1000000", STET_E_MODEL, "1000000"},
    {"encoder_layers", "-", STET_E_MODEL, "missing"},
    {"encoder_layers", "0", STET_E_MODEL, "is 0"},
    {"encoder_layers", "1000000000", STET_E_MODEL, "1000000000"},
    {"decoder_layers", "-", STET_E_MODEL, "missing"},
    {"decoder_layers", "1000000000", STET_E_MODEL, "1000000000"},
    {"encoder_attention_heads", "5", STET_E_MODEL, "divide"},
    {"encoder_attention_heads", "-", STET_E_MODEL, "missing"},
    {"decoder_attention_heads", "5", STET_E_MODEL, "divide"},
    {"decoder_attention_heads", "48", STET_E_MODEL, "divide"},
    {"encoder_ffn_dim", "-", STET_E_MODEL, "missing"},
    {"encoder_ffn_dim", "0", STET_E_MODEL, "is 0"},
    {"decoder_ffn_dim", "1000000", STET_E_MODEL, "1000000"},
    {"activation_function", "\"tanhh\"", STET_E_MODEL, "relu, gelu"},
    {"activation_function", "1", STET_E_MODEL, "string"},
    {"position_embedding_type", "\"rotary\"", STET_E_MODEL, "sinusoidal, learned"},
    {"position_offset", "-1", STET_E_MODEL, "is -1"},
    {"max_position_embeddings", "1", STET_E_MODEL, "is 1"},
    {"max_position_embeddings", "2000000", STET_E_MODEL, "2000000"},
    {"layer_norm_eps", "0", STET_E_MODEL, "is 0"},
    {"layer_norm_eps", "\"1e-5\"", STET_E_MODEL, "number"},
    {"layer_norm_eps", "-1e-5", STET_E_MODEL, "-1e-05"},
    {"scale_embedding", "1", STET_E_MODEL, "true or false"},
    {"tie_word_embeddings", "\"yes\"", STET_E_MODEL, "true or false"},
    {"normalize_embedding", "0", STET_E_MODEL, "true or false"},
    {"encoder_normalize_before", "0", STET_E_MODEL, "true or false"},
    {"eos_token_id", "-", STET_E_MODEL, "missing"},
    {"eos_token_id", "100", STET_E_MODEL, "is 100"},
    {"eos_token_id", "-1", STET_E_MODEL, "is -1"},
    {"eos_token_id", "[1, 2.5]", STET_E_MODEL, "whole number"},
    {"decoder_start_token_id", "-", STET_E_MODEL, "missing"},
    {"decoder_start_token_id", "100", STET_E_MODEL, "is 100"},
    {"pad_token_id", "4000", STET_E_MODEL, "is 4000"},
    {"d_model\":24,\"d_model", "24", STET_E_FORMAT, "duplicate"},
};

TEST(Config, EveryMistakeIsNamed)
{
    for (const Case &c : cases) {
        steti_spec spec;
        std::string message;
        EXPECT_EQ(parse(changed(c.key, c.value), nullptr, &spec, &message), c.status)
            << c.key << " = " << c.value;
        EXPECT_NE(message.find("/some/folder"), std::string::npos) << message;
        EXPECT_NE(message.find("config.json"), std::string::npos) << message;
        EXPECT_NE(message.find(c.says), std::string::npos)
            << c.key << " = " << c.value << ": " << message;
        if (c.status == STET_E_MODEL) {
            EXPECT_NE(message.find(std::string(c.key) + ": "), std::string::npos) << message;
        }
    }
}

TEST(Config, WhatIsNoJsonObject)
{
    std::string deep(70, '['), nul = base_config();
    nul.insert(40, 1, '\0');
    const std::string broken[] = {"",
                                  " ",
                                  "[]",
                                  "7",
                                  "null",
                                  "{",
                                  "{\"a\":1,}",
                                  "{}x",
                                  deep,
                                  "\xff\xfe{}",
                                  "{\"a\":\"\xff\"}",
                                  nul,
                                  "{'a':1}"};
    for (const auto &text : broken) {
        steti_spec spec;
        std::string message;
        EXPECT_EQ(parse(text, nullptr, &spec, &message), STET_E_FORMAT) << text;
        EXPECT_NE(message.find("/some/folder: config.json"), std::string::npos) << message;
    }
}

TEST(Config, OddDModelNeedsLearnedPositions)
{
    steti_spec spec;
    std::string message, text = changed("d_model", "9");
    for (const char *key : {"encoder_attention_heads\": 3", "decoder_attention_heads\": 2"}) {
        size_t at = text.find(key);
        text[at + std::strlen(key) - 1] = '1';
    }
    EXPECT_EQ(parse(text, nullptr, &spec, &message), STET_E_MODEL);
    EXPECT_NE(message.find("even"), std::string::npos) << message;
    text.insert(1, "\"position_embedding_type\":\"learned\",");
    EXPECT_EQ(parse(text, nullptr, &spec, &message), STET_OK) << message;
}

TEST(Config, EdgeformerSharingIsChecked)
{
    const Case sharing[] = {
        {"encoder_attention_groups", "3", STET_E_MODEL, "is 3"},
        {"encoder_attention_groups", "0", STET_E_MODEL, "is 0"},
        {"encoder_ffn_groups", "3", STET_E_MODEL, "is 3"},
        {"decoder_shares_attention", "1", STET_E_MODEL, "true or false"},
        {"decoder_attention_heads", "3", STET_OK, ""},
        {"decoder_attention_heads", "2", STET_E_MODEL, "equal"},
    };
    for (const Case &c : sharing) {
        steti_spec spec;
        std::string message, text = changed(c.key, c.value);
        text.replace(text.find("transformer"), 11, "edgeformer");
        if (std::string(c.key) != "decoder_shares_attention") {
            text.insert(1, "\"decoder_shares_attention\":true,");
        }
        EXPECT_EQ(parse(text, nullptr, &spec, &message), c.status)
            << c.key << " = " << c.value << ": " << message;
        EXPECT_NE(message.find(c.says), std::string::npos) << message;
    }
    steti_spec spec;
    std::string message, text = changed("encoder_attention_groups", "1");
    text.replace(text.find("transformer"), 11, "edgeformer")
        .insert(1, "\"decoder_shares_attention\":true,");
    EXPECT_EQ(parse(text, nullptr, &spec, &message), STET_E_MODEL);
    EXPECT_NE(message.find("decoder_shares_attention: needs two"), std::string::npos) << message;
}

TEST(Config, GenerationConfigOverridesIdsAndIsChecked)
{
    steti_spec spec;
    std::string message;
    EXPECT_EQ(parse(base_config(), "{\"eos_token_id\": 7, \"num_beams\": 5}", &spec, &message),
              STET_OK)
        << message;
    EXPECT_EQ(spec.eos_id, 7);
    EXPECT_EQ(spec.start_id, 0);
    EXPECT_EQ(parse(base_config(), "{}", &spec, &message), STET_OK) << message;
    EXPECT_EQ(spec.eos_id, 1);
    struct {
        const char *text;
        stet_status status;
    } const bad[] = {{"", STET_E_FORMAT},
                     {"{", STET_E_FORMAT},
                     {"[]", STET_E_FORMAT},
                     {"{\"eos_token_id\": 100}", STET_E_MODEL},
                     {"{\"eos_token_id\": true}", STET_E_MODEL},
                     {"{\"decoder_start_token_id\": -4}", STET_E_MODEL}};
    for (const auto &b : bad) {
        EXPECT_EQ(parse(base_config(), b.text, &spec, &message), b.status) << b.text;
        EXPECT_NE(message.find("generation_config.json"), std::string::npos) << message;
    }
}

TEST(Config, DefaultsAreThoseOfTheFormat)
{
    steti_spec s;
    std::string message;
    ASSERT_EQ(parse(base_config(), nullptr, &s, &message), STET_OK) << message;
    EXPECT_EQ(s.act, STETI_ACT_RELU);
    EXPECT_EQ(s.positions, STETI_POS_SINUSOIDAL);
    EXPECT_TRUE(s.norm_eps == 1e-5f && s.tied_head && !s.embed_norm && !s.enc_pre_norm &&
                !s.dec_ffn_twice);
    EXPECT_FLOAT_EQ(s.embed_scale, 4.8989795f);
    EXPECT_EQ(s.enc_attn_groups, 2);
}

} // namespace
