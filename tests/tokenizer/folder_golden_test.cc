// Folders without a tokenizer.json against the answers of transformers' own classes
// (scripts/make_folder_fixtures.py).
#include "tokenizer_support.h"

#include <algorithm>

namespace
{

struct Kind {
    const char *folder, *kind;
    int32_t unk, pad, eos;
};

class FolderGolden : public testing::TestWithParam<Kind>
{
  protected:
    FolderGolden() : k(open())
    {
    }
    steti_tokenizer *open()
    {
        stet_error err = {};
        steti_tokenizer *t = nullptr;
        err.struct_size = sizeof err;
        std::string path = fixture(std::string("folders/") + GetParam().folder);
        EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
        return t;
    }
    Tokenizer k;
};

// Between two known words, so that what a library does with blanks at the edges does not matter.
TEST_P(FolderGolden, IdsAndTextAreThoseOfTransformers)
{
    ASSERT_NE(k.t, nullptr);
    auto texts = lines_of("mixed_texts.txt");
    auto golden = lines_of(std::string("folders/") + GetParam().folder + ".hashes");
    std::vector<int32_t> frame = k.ids("x");
    int32_t unk = steti_tokenizer_unk_id(k.t);
    size_t compared = 0, unknown = 0;
    ASSERT_EQ(texts.size(), golden.size());
    for (size_t i = 0; i < texts.size(); i++) {
        SCOPED_TRACE(texts[i]);
        std::vector<int32_t> ids = k.ids(unescape(texts[i])), all = frame;
        if (golden[i] == "-") {
            continue; // the class cannot take it: not UTF-8
        }
        ASSERT_EQ(hash_of(join(ids)), golden[i].substr(0, 8)) << join(ids);
        all.insert(all.end(), ids.begin(), ids.end());
        all.insert(all.end(), frame.begin(), frame.end());
        unknown += static_cast<size_t>(std::count(all.begin(), all.end(), unk));
        all.erase(std::remove(all.begin(), all.end(), unk), all.end());
        ASSERT_EQ(hash_of(k.decode(all)), golden[i].substr(9)) << k.decode(all);
        compared++;
    }
    EXPECT_GT(compared, 2000u);
    EXPECT_EQ(unknown > 0, std::string(GetParam().kind) != "bytes");
}

TEST_P(FolderGolden, IsNamedAndHasTheUsualIds)
{
    ASSERT_NE(k.t, nullptr);
    EXPECT_STREQ(steti_tokenizer_kind(k.t), GetParam().kind);
    EXPECT_EQ(steti_tokenizer_unk_id(k.t), GetParam().unk);
    EXPECT_EQ(steti_tokenizer_pad_id(k.t), GetParam().pad);
    EXPECT_EQ(steti_tokenizer_eos_id(k.t), GetParam().eos);
}

TEST_P(FolderGolden, OffsetsKeepTheLaws)
{
    ASSERT_NE(k.t, nullptr);
    for (const std::string &t : lines_of("mixed_texts.txt")) {
        check_laws(k, unescape(t));
    }
}

INSTANTIATE_TEST_SUITE_P(Folders, FolderGolden,
                         testing::Values(Kind{"marian", "marian", 1, 1071, 0},
                                         Kind{"m2m_100", "sentencepiece with vocab.json", 3, 1, 2},
                                         Kind{"nllb", "sentencepiece of fairseq", 3, 1, 2},
                                         Kind{"mbart", "sentencepiece of fairseq", 3, 1, 2},
                                         Kind{"mbart50", "sentencepiece of fairseq", 3, 1, 2},
                                         Kind{"pegasus", "sentencepiece of pegasus", 105, 0, 1},
                                         Kind{"byt5", "bytes", 2, 0, 1}),
                         [](const testing::TestParamInfo<Kind> &i) {
                             return std::string(i.param.folder);
                         });

} // namespace
