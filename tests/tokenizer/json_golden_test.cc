// tokenizer.json files against the reference library's own answers (scripts/make_json_fixtures.py).
#include "tokenizer_support.h"

#include <random>

namespace
{

const char *const kFiles[] = {"bpe_gpt2", "bpe_bart", "bpe_prefix", "bpe_marks",
                              "uni_t5",   "uni_xlmr", "uni_first"};

class JsonGolden : public testing::TestWithParam<const char *>
{
  protected:
    std::string name = GetParam();
    Tokenizer k{read_file(fixture(name + ".json"))};
    std::vector<std::string> texts = lines_of("mixed_texts.txt");
    std::vector<std::string> golden = lines_of(name + ".hashes");
};

TEST_P(JsonGolden, IdsAndTextAreThoseOfTheLibrary)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    ASSERT_GT(texts.size(), 2000u);
    ASSERT_EQ(texts.size(), golden.size());
    for (size_t i = 0; i < texts.size(); i++) {
        SCOPED_TRACE(name + ": " + texts[i]);
        std::vector<int32_t> ids = k.ids(unescape(texts[i]));
        ASSERT_EQ(hash_of(join(ids)), golden[i].substr(0, 8)) << join(ids);
        ASSERT_EQ(hash_of(k.decode(ids)), golden[i].substr(9)) << k.decode(ids);
    }
}

TEST_P(JsonGolden, OffsetsKeepTheLaws)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    std::string all;
    for (const std::string &t : texts) {
        std::string text = unescape(t);
        all += text;
        check_laws(k, text);
        check_laws(k, "x " + text + " y");
        check_laws(k, text.substr(0, text.size() / 2));
        check_laws(k, text.size() > 1 ? text.substr(1) : text);
    }
    check_laws(k, all);
}

TEST_P(JsonGolden, DecodedEndsAreWhereEachPrefixEnds)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    std::mt19937 rng(1);
    for (const std::string &t : texts) {
        std::vector<int32_t> ids = k.ids(unescape(t));
        for (int32_t &id : ids) { // what a model says need not be what a text becomes
            if (rng() % 4 == 0) {
                id = static_cast<int32_t>(rng() %
                                          static_cast<uint32_t>(steti_tokenizer_vocab_size(k.t)));
            }
        }
        std::vector<uint32_t> ends;
        std::string text = k.decode(ids, &ends);
        for (size_t i = 0; i < ids.size(); i++) {
            ASSERT_GE(ends[i], i == 0 ? 0u : ends[i - 1]) << t;
        }
        ASSERT_EQ(ids.empty() ? 0u : ends.back(), text.size()) << t;
    }
}

// Where nothing is normalised, the source bytes of a piece are what it says.
TEST_P(JsonGolden, PiecesSayTheirSourceBytes)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    std::string text = "The cat of the man, and 12 more of them";
    std::string rebuilt;
    for (const steti_piece &p : k.encode(text)) {
        steti_piece_info info;
        steti_tokenizer_piece_info(k.t, p.id, &info);
        EXPECT_FALSE(info.is_control) << p.id;
        std::string source = text.substr(p.begin, p.end - p.begin);
        std::string shown = source.substr(info.begins_word && source[0] == ' ' ? 1 : 0);
        EXPECT_EQ(std::string(info.text, info.len), shown);
        rebuilt += source;
    }
    EXPECT_EQ(rebuilt, text);
}

TEST_P(JsonGolden, EveryPieceIsDescribed)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    int words = 0, n = steti_tokenizer_vocab_size(k.t);
    for (int32_t id = 0; id < n; id++) {
        steti_piece_info info;
        size_t len;
        steti_tokenizer_piece_info(k.t, id, &info);
        ASSERT_EQ(steti_tokenizer_piece(k.t, id, &len), info.stored);
        ASSERT_EQ(len, info.stored_len);
        words += info.begins_word;
    }
    EXPECT_GT(words, n / 5);
    EXPECT_EQ(steti_tokenizer_vocab_size(k.t), n);
    EXPECT_GE(steti_tokenizer_eos_id(k.t), 0);
}

INSTANTIATE_TEST_SUITE_P(Files, JsonGolden, testing::ValuesIn(kFiles),
                         [](const testing::TestParamInfo<const char *> &i) {
                             return std::string(i.param);
                         });

TEST(JsonKinds, AreNamed)
{
    EXPECT_STREQ(steti_tokenizer_kind(Tokenizer(read_file(fixture("bpe_bart.json"))).t),
                 "byte-level bpe");
    EXPECT_STREQ(steti_tokenizer_kind(Tokenizer(read_file(fixture("bpe_marks.json"))).t),
                 "tokenizer.json bpe");
    EXPECT_STREQ(steti_tokenizer_kind(Tokenizer(read_file(fixture("uni_t5.json"))).t),
                 "tokenizer.json unigram");
}

TEST(JsonIds, AreThoseOfTheFile)
{
    Tokenizer bart(read_file(fixture("bpe_bart.json"))), t5(read_file(fixture("uni_t5.json")));
    ASSERT_EQ(bart.status, STET_OK);
    ASSERT_EQ(t5.status, STET_OK);
    EXPECT_EQ(steti_tokenizer_bos_id(bart.t), 0);
    EXPECT_EQ(steti_tokenizer_pad_id(bart.t), 1);
    EXPECT_EQ(steti_tokenizer_eos_id(bart.t), 2);
    EXPECT_EQ(steti_tokenizer_unk_id(bart.t), 3);
    EXPECT_EQ(steti_tokenizer_pad_id(t5.t), 0);
    EXPECT_EQ(steti_tokenizer_eos_id(t5.t), 1);
    EXPECT_EQ(steti_tokenizer_unk_id(t5.t), 2);
    EXPECT_EQ(steti_tokenizer_bos_id(t5.t), -1);
    EXPECT_EQ(t5.piece(1), "</s>");
}

} // namespace
