// Against the sentencepiece library's own answers (scripts/make_tokenizer_fixtures.py).
#include "tokenizer_support.h"

namespace
{

class Golden : public testing::TestWithParam<const char *>
{
  protected:
    std::string name = GetParam();
    Tokenizer k{read_file(fixture(name + ".model"))};
    std::vector<std::string> texts = lines_of("texts.txt");
    std::vector<std::string> golden = lines_of(name + ".golden");
};

TEST_P(Golden, IdsOffsetsAndTextAreThoseOfTheLibrary)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    ASSERT_GT(texts.size(), 200u);
    ASSERT_EQ(texts.size(), golden.size());
    for (size_t i = 0; i < texts.size(); i++) {
        SCOPED_TRACE(name + ": " + texts[i]);
        std::vector<std::string> columns = split(golden[i], '\t');
        ASSERT_EQ(columns.size(), 3u);
        std::vector<uint32_t> ends;
        std::string text = unescape(texts[i]);
        for (const steti_piece &p : k.encode(text)) {
            ends.push_back(p.end);
        }
        EXPECT_EQ(k.ids(text), numbers<int32_t>(columns[0]));
        EXPECT_EQ(ends, numbers<uint32_t>(columns[1]));
        EXPECT_EQ(k.decode(k.ids(text)), unescape(columns[2]));
        check_laws(k, text);
    }
}

TEST_P(Golden, EveryTextInsideAnotherKeepsTheLaws)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    std::string all;
    for (const std::string &t : texts) {
        std::string text = unescape(t);
        all += text;
        check_laws(k, "x " + text + " y");
        check_laws(k, text.substr(0, text.size() / 2));
        check_laws(k, text.size() > 1 ? text.substr(1) : text);
    }
    check_laws(k, all);
}

TEST_P(Golden, DecodedEndsAreWhereEachPrefixEnds)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    for (const std::string &t : texts) {
        std::vector<int32_t> ids = k.ids(unescape(t));
        std::vector<uint32_t> ends;
        std::string text = k.decode(ids, &ends);
        for (size_t i = 0; i < ids.size(); i++) {
            ASSERT_GE(ends[i], i == 0 ? 0u : ends[i - 1]) << t;
        }
        ASSERT_EQ(ids.empty() ? 0u : ends.back(), text.size()) << t;
    }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         testing::Values("uni_rules", "bpe_rules", "uni_identity", "bpe_identity",
                                         "uni_fold", "uni_suffix", "bpe_suffix"),
                         [](const testing::TestParamInfo<const char *> &i) {
                             return std::string(i.param);
                         });

TEST(TokenizerIds, AreThoseOfTheFile)
{
    Tokenizer t5(read_file(fixture("uni_rules.model"))),
        usual(read_file(fixture("bpe_rules.model")));
    ASSERT_EQ(t5.status, STET_OK);
    ASSERT_EQ(usual.status, STET_OK);
    EXPECT_EQ(steti_tokenizer_pad_id(t5.t), 0);
    EXPECT_EQ(steti_tokenizer_eos_id(t5.t), 1);
    EXPECT_EQ(steti_tokenizer_unk_id(t5.t), 2);
    EXPECT_EQ(steti_tokenizer_bos_id(t5.t), -1);
    EXPECT_EQ(steti_tokenizer_unk_id(usual.t), 0);
    EXPECT_EQ(steti_tokenizer_bos_id(usual.t), 1);
    EXPECT_EQ(steti_tokenizer_eos_id(usual.t), 2);
    EXPECT_EQ(steti_tokenizer_pad_id(usual.t), -1);
    EXPECT_EQ(steti_tokenizer_vocab_size(t5.t), 1500);
    EXPECT_STREQ(steti_tokenizer_kind(t5.t), "sentencepiece unigram");
    EXPECT_STREQ(steti_tokenizer_kind(usual.t), "sentencepiece bpe");
    size_t len;
    EXPECT_EQ(t5.piece(1), "</s>");
    EXPECT_EQ(steti_tokenizer_piece(t5.t, -1, &len), nullptr);
    EXPECT_EQ(steti_tokenizer_piece(t5.t, 1500, &len), nullptr);
}

TEST(TokenizerIds, SourceOffsetsOfASimpleSentence)
{
    Tokenizer k(read_file(fixture("uni_rules.model")));
    ASSERT_EQ(k.status, STET_OK);
    // Every word's mark stands for the space before it.
    std::string text = "the cat of the man";
    for (const steti_piece &p : k.encode(text)) {
        std::string piece = k.piece(p.id);
        std::string source = text.substr(p.begin, p.end - p.begin);
        size_t mark = piece.find("\xE2\x96\x81");
        if (mark != std::string::npos) {
            piece.replace(mark, 3, p.begin == 0 ? "" : " ");
        }
        EXPECT_EQ(piece, source);
    }
}

} // namespace
