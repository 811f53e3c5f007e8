// What a folder says of decoding: which keys become rules, and which are refused.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "config_text.h"

namespace
{

using Ids = std::vector<int32_t>;

// A vocabulary of 600, so that lists can be longer than stet supports.
std::string bart(const std::string &more = "")
{
    return stet_test::bart_config("bart", 600, more);
}

steti_spec good(const std::string &generation)
{
    steti_spec spec;
    std::string message;
    EXPECT_EQ(stet_test::parse_config(bart(), generation.c_str(), &spec, &message), STET_OK)
        << message;
    return spec;
}

Ids more_ends(const steti_spec &s)
{
    return {s.generation.more_ends, s.generation.more_ends + s.generation.n_more_ends};
}

// "[first, first + 1, ...]"
std::string numbers(int first, int n)
{
    std::string out = "[";
    for (int i = 0; i < n; i++) {
        out += (i > 0 ? "," : "") + std::to_string(first + i);
    }
    return out + "]";
}

TEST(GenerationConfig, ValuesThatAskForNothingAreNoRules)
{
    steti_spec s = good(
        "{\"min_length\":0,\"no_repeat_ngram_size\":0,\"encoder_no_repeat_ngram_size\":0,"
        "\"repetition_penalty\":1.0,\"encoder_repetition_penalty\":1,\"begin_suppress_tokens\":[],"
        "\"bad_words_ids\":[],\"suppress_tokens\":null,\"max_length\":null,\"guidance_scale\":1,"
        "\"sequence_bias\":null,\"forced_decoder_ids\":[],\"exponential_decay_length_penalty\":"
        "null,"
        "\"constraints\":null,\"token_healing\":false,\"stop_strings\":\"\",\"penalty_alpha\":0,"
        "\"num_beams\":4,\"length_penalty\":2.0,\"temperature\":0.3,\"top_k\":7,\"do_sample\":true,"
        "\"early_stopping\":true,\"num_beam_groups\":2,\"diversity_penalty\":0.5,"
        "\"remove_invalid_values\":true,\"renormalize_logits\":true,\"cache_implementation\":"
        "\"static\"}");
    EXPECT_FALSE(steti_generation_has_rules(&s.generation));
    EXPECT_EQ(s.generation.max_out, 0);
    EXPECT_EQ(s.n_banned, 0);
}

TEST(GenerationConfig, EachSettingIsARule)
{
    for (const char *setting : {"\"min_length\":3", "\"min_new_tokens\":3",
                                "\"no_repeat_ngram_size\":1", "\"encoder_no_repeat_ngram_size\":1",
                                "\"repetition_penalty\":1.1", "\"encoder_repetition_penalty\":0.9",
                                "\"begin_suppress_tokens\":[5]", "\"bad_words_ids\":[[5,6]]"}) {
        steti_spec s = good(std::string("{") + setting + "}");
        EXPECT_TRUE(steti_generation_has_rules(&s.generation)) << setting;
    }
    steti_spec s = good("{\"encoder_repetition_penalty\":0.5,\"repetition_penalty\":2,"
                        "\"begin_suppress_tokens\":[7,7,9],\"suppress_tokens\":[3,4,3]}");
    EXPECT_FLOAT_EQ(s.generation.encoder_factor, 2.0f) << "a reward is the inverse of a penalty";
    EXPECT_FLOAT_EQ(s.generation.repeat_factor, 2.0f);
    EXPECT_EQ(Ids(s.generation.begin, s.generation.begin + s.generation.n_begin), (Ids{7, 7, 9}));
    EXPECT_EQ(s.n_banned, 2);
}

TEST(GenerationConfig, WordsOfOneTokenAreForbiddenAndEndsStayPossible)
{
    steti_spec s = good("{\"eos_token_id\":[2,8],\"bad_words_ids\":[[9],[2],[8],[9],[],[5,6,7],"
                        "[5,2],[8,9]]}");
    const steti_generation &g = s.generation;
    EXPECT_EQ(s.n_banned, 1);
    EXPECT_EQ(s.banned[0], 9);
    EXPECT_EQ(Ids(g.bad_words, g.bad_words + g.n_bad_words), (Ids{3, 5, 6, 7, 2, 5, 2, 2, 8, 9}));
}

TEST(GenerationConfig, AnyOfSeveralEndsEndsAnOutput)
{
    steti_spec s;
    std::string message;
    ASSERT_EQ(stet_test::parse_config(bart(",\"eos_token_id\":[7,2,7,9]"), nullptr, &s, &message),
              STET_OK);
    EXPECT_EQ(s.eos_id, 7) << "the first stands behind sources";
    EXPECT_EQ(s.src_suffix.id[0], 7);
    EXPECT_EQ(more_ends(s), (Ids{2, 9}));
    EXPECT_TRUE(steti_spec_is_end(&s, 7) && steti_spec_is_end(&s, 9) && !steti_spec_is_end(&s, 8));
    s = good("{\"eos_token_id\":[7,2,9]}");
    EXPECT_EQ(s.eos_id, 2) << "the one that config.json knows stands behind sources";
    EXPECT_EQ(more_ends(s), (Ids{7, 9}));
    s = good("{\"eos_token_id\":[7,9]}");
    EXPECT_EQ(s.eos_id, 7);
    ASSERT_EQ(stet_test::parse_config(bart(",\"eos_token_id\":[7,9]"), "{\"eos_token_id\":9}", &s,
                                      &message),
              STET_OK);
    EXPECT_TRUE(s.eos_id == 9 && s.generation.n_more_ends == 0);
    s = good("{\"eos_token_id\":[2,8],\"forced_eos_token_id\":8}");
    EXPECT_TRUE(s.forced_end);
    s = good("{\"eos_token_id\":[2,8],\"forced_eos_token_id\":[8,2]}");
    EXPECT_TRUE(s.forced_end);
}

// transformers counts the start token and, in numbers of new tokens too, the forced first one.
TEST(GenerationConfig, LengthsAreThoseOfTransformers)
{
    struct {
        const char *keys;
        int min_length, max_out;
    } const cases[] = {
        {"\"max_length\":20", 0, 19},
        {"\"max_length\":20,\"forced_bos_token_id\":5", 0, 18},
        {"\"max_new_tokens\":20", 0, 20},
        {"\"max_new_tokens\":20,\"forced_bos_token_id\":5", 0, 19},
        {"\"max_new_tokens\":20,\"max_length\":5", 0, 20},
        {"\"max_length\":1000000000", 0, 999999999},
        {"\"min_length\":6", 6, 0},
        {"\"min_new_tokens\":6", 7, 0},
        {"\"min_new_tokens\":6,\"min_length\":30", 7, 0},
        {"\"min_new_tokens\":0,\"min_length\":30", 1, 0},
        {"\"min_length\":30,\"max_length\":20", 30, 19},
    };
    for (const auto &c : cases) {
        steti_spec s = good(std::string("{") + c.keys + "}");
        EXPECT_EQ(s.generation.min_length, c.min_length) << c.keys;
        EXPECT_EQ(s.generation.max_out, c.max_out) << c.keys;
    }
}

TEST(GenerationConfig, ConfigJsonCountsOnlyWhereThereIsNoOtherFile)
{
    std::string config = bart(",\"no_repeat_ngram_size\":3,\"min_length\":4,\"max_length\":50,"
                              "\"task_specific_params\":{\"summarization\":{\"min_length\":9}}");
    steti_spec s;
    std::string message;
    ASSERT_EQ(stet_test::parse_config(config, nullptr, &s, &message), STET_OK) << message;
    EXPECT_TRUE(s.generation.no_repeat_ngram == 3 && s.generation.min_length == 4 &&
                s.generation.max_out == 49);
    ASSERT_EQ(stet_test::parse_config(config, "{\"min_length\":2}", &s, &message), STET_OK)
        << message;
    EXPECT_TRUE(s.generation.no_repeat_ngram == 0 && s.generation.min_length == 2 &&
                s.generation.max_out == 0);
}

TEST(GenerationConfig, WhatIsWrongOrCannotBeFollowedIsRefused)
{
    std::string long_words = "[" + numbers(4, 590) + "," + numbers(4, 590) + "," + numbers(4, 590) +
                             "," + numbers(4, 590) + "]";
    struct {
        std::string keys;
        const char *says;
    } const cases[] = {
        {"\"min_length\":-1", "min_length: is -1"},
        {"\"min_new_tokens\":-2", "min_new_tokens: is -2"},
        {"\"min_length\":2.5", "min_length: must be a whole number"},
        {"\"max_length\":0", "max_length: is 0"},
        {"\"max_length\":1", "max_length: leaves no room"},
        {"\"max_length\":2,\"forced_bos_token_id\":5", "max_length: leaves no room"},
        {"\"max_new_tokens\":1,\"forced_eos_token_id\":2", "max_new_tokens: leaves no room"},
        {"\"max_new_tokens\":-1", "max_new_tokens: is -1"},
        {"\"no_repeat_ngram_size\":-3", "no_repeat_ngram_size: is -3"},
        {"\"no_repeat_ngram_size\":\"3\"", "no_repeat_ngram_size: must be a whole number"},
        {"\"encoder_no_repeat_ngram_size\":-1", "encoder_no_repeat_ngram_size: is -1"},
        {"\"repetition_penalty\":0", "repetition_penalty: is 0"},
        {"\"repetition_penalty\":-1.5", "repetition_penalty: is -1.5"},
        {"\"repetition_penalty\":1e30", "repetition_penalty: is 1e+30"},
        {"\"repetition_penalty\":true", "repetition_penalty: must be a number"},
        {"\"encoder_repetition_penalty\":0.0", "encoder_repetition_penalty: is 0"},
        {"\"begin_suppress_tokens\":[600]", "begin_suppress_tokens: token 600"},
        {"\"begin_suppress_tokens\":5", "begin_suppress_tokens: must be a list"},
        {"\"begin_suppress_tokens\":" + numbers(4, 257), "begin_suppress_tokens: has more"},
        {"\"bad_words_ids\":[3]", "list of lists"},
        {"\"bad_words_ids\":7", "bad_words_ids: must be a list"},
        {"\"bad_words_ids\":[[4,600]]", "bad_words_ids: token 600"},
        {"\"bad_words_ids\":[[4,-1]]", "bad_words_ids: token -1"},
        {"\"bad_words_ids\":" + long_words, "bad_words_ids: has more words"},
        {"\"suppress_tokens\":[600]", "suppress_tokens: token 600"},
        {"\"suppress_tokens\":[\"a\"]", "whole numbers"},
        {"\"suppress_tokens\":" + numbers(4, 257), "more tokens"},
        {"\"eos_token_id\":[]", "eos_token_id: must not be an empty list"},
        {"\"eos_token_id\":[2,600]", "eos_token_id: token 600"},
        {"\"eos_token_id\":\"2\"", "eos_token_id: must be a whole number"},
        {"\"eos_token_id\":" + numbers(4, 18), "eos_token_id: more tokens"},
        {"\"forced_bos_token_id\":600", "forced_bos_token_id: is 600"},
        {"\"forced_bos_token_id\":2", "would end at once"},
        {"\"forced_eos_token_id\":3", "must be an eos_token_id"},
        {"\"forced_eos_token_id\":[2,3]", "must be an eos_token_id"},
        {"\"forced_eos_token_id\":[]", "must not be an empty list"},
        {"\"exponential_decay_length_penalty\":[5,1.5]", "exponential_decay_length_penalty"},
        {"\"sequence_bias\":[[[4],-1.0]]", "sequence_bias"},
        {"\"forced_decoder_ids\":[[1,5]]", "forced_decoder_ids"},
        {"\"guidance_scale\":1.5", "guidance_scale"},
        {"\"guidance_scale\":0", "guidance_scale"},
        {"\"watermarking_config\":{\"bias\":2.0}", "watermarking_config"},
        {"\"penalty_alpha\":0.6", "penalty_alpha"},
        {"\"dola_layers\":\"high\"", "dola_layers"},
        {"\"constraints\":[1]", "constraints"},
        {"\"force_words_ids\":[[4]]", "force_words_ids"},
        {"\"stop_strings\":[\".\"]", "stop_strings"},
        {"\"max_time\":0", "max_time"},
        {"\"token_healing\":true", "token_healing"},
        {"\"is_assistant\":true", "is_assistant"},
        {"\"cache_implementation\":\"quantized\"", "cache_implementation"},
    };
    for (const auto &c : cases) {
        std::string message, keys = "{" + c.keys + "}";
        steti_spec spec;
        EXPECT_EQ(stet_test::parse_config(bart(), keys.c_str(), &spec, &message), STET_E_MODEL)
            << c.keys;
        EXPECT_NE(message.find(c.says), std::string::npos) << message;
        EXPECT_NE(message.find("/some/folder/generation_config.json"), std::string::npos);
        EXPECT_EQ(stet_test::parse_config(bart("," + c.keys), nullptr, &spec, &message),
                  STET_E_MODEL)
            << c.keys;
        EXPECT_NE(message.find("/some/folder/config.json"), std::string::npos) << message;
    }
}

} // namespace
