// Long and awkward texts through tokenizer.json files, memory that runs out, locales.
#include "tokenizer_support.h"

#include <clocale>

extern "C" {
#include "tokenizer_kinds.h"
}

namespace
{

class JsonLong : public testing::TestWithParam<const char *>
{
  protected:
    Tokenizer k{read_file(fixture(std::string(GetParam()) + ".json"))};

    uint64_t work_of(const std::string &text)
    {
        steti_pieces p = {};
        uint64_t work = 0;
        EXPECT_EQ(steti_tokenizer_encode_counted(k.t, text.data(), text.size(), &p, &work, nullptr),
                  STET_OK);
        std::vector<steti_piece> pieces(p.data, p.data + p.len);
        check_laws(k, text, pieces);
        std::vector<int32_t> ids;
        for (const steti_piece &x : pieces) {
            ids.push_back(x.id);
        }
        std::vector<uint32_t> ends;
        size_t len = k.decode(ids, &ends).size();
        EXPECT_EQ(ends.empty() ? 0 : ends.back(), len);
        steti_pieces_free(&p);
        return work;
    }
};

// Steps are counted, not time: eight times the text may take eight times the steps and what a
// heap's logarithm adds, and each step is of bounded cost.
TEST_P(JsonLong, WorkIsLinear)
{
    const char *const units[] = {"a",
                                 " ",
                                 "_",
                                 "",
                                 "\xFF",
                                 "9",
                                 "aA",
                                 "\xE4\xB8\xAD",
                                 "\xE2\x96\x81",
                                 " \xE2\x96\x81",
                                 "the ",
                                 "\xCC\x81",
                                 "\xEF\xB7\xBA",
                                 ".",
                                 "...!",
                                 "http://",
                                 " http://",
                                 "don't",
                                 "<sep>",
                                 "<se",
                                 "\n",
                                 "'s",
                                 "\xE0\xA4\x95\xE0\xA5\x8D",
                                 "\xF0\x9F\x91\xA8\xE2\x80\x8D",
                                 "abcdefghijklmnopqrstuvwxyz"};
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    for (const char *unit : units) {
        const std::string u = *unit == '\0' ? std::string("\0", 1) : unit;
        const size_t n = (size_t{16} << 10) / u.size();
        SCOPED_TRACE(u);
        uint64_t small = work_of(repeat(u, n)), large = work_of(repeat(u, 8 * n));
        EXPECT_LE(large, small * 8 * 5 / 4);
    }
}

TEST_P(JsonLong, AMegabyteIsNoTrouble)
{
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    for (const char *unit : {"a", "_", " "}) {
        EXPECT_LE(work_of(repeat(unit, size_t{1} << 20)), uint64_t{200} << 20) << unit;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Files, JsonLong, testing::Values("bpe_bart", "bpe_marks", "uni_t5", "uni_xlmr", "uni_first"),
    [](const testing::TestParamInfo<const char *> &i) { return std::string(i.param); });

class JsonNoMemory : public testing::TestWithParam<const char *>
{
  protected:
    std::string file = read_file(fixture(std::string(GetParam()) + ".json"));
};

TEST_P(JsonNoMemory, Opening)
{
    for (bool sticky : {false, true}) {
        fail_each_allocation(sticky, [&] {
            steti_tokenizer *t = nullptr;
            stet_error err = {};
            stet_status st = steti_tokenizer_open_json(file.data(), file.size(), "f", &t, &err);
            steti_tokenizer_close(t);
            return st;
        });
    }
}

TEST_P(JsonNoMemory, EncodingAndDecodingKeepWhatWasThere)
{
    Tokenizer k(file);
    std::string text = repeat("some words, and a \xE4\xB8\xAD\xF0\x9F\x98\x80 <sep>... ", 20);
    std::vector<int32_t> ids = k.ids(text);
    for (bool sticky : {false, true}) {
        fail_each_allocation(sticky, [&] {
            steti_pieces p = {};
            stet_status st = steti_tokenizer_encode(k.t, text.data(), text.size(), &p, nullptr);
            EXPECT_TRUE(st == STET_OK || p.len == 0);
            steti_pieces_free(&p);
            return st;
        });
        fail_each_allocation(sticky, [&] {
            steti_buf b;
            steti_buf_init(&b);
            stet_status st =
                steti_tokenizer_decode(k.t, ids.data(), ids.size(), &b, nullptr, nullptr);
            EXPECT_TRUE(st == STET_OK || b.len == 0);
            steti_buf_free(&b);
            return st;
        });
    }
}

INSTANTIATE_TEST_SUITE_P(Files, JsonNoMemory,
                         testing::Values("bpe_bart", "bpe_marks", "uni_t5", "uni_xlmr",
                                         "uni_first"),
                         [](const testing::TestParamInfo<const char *> &i) {
                             return std::string(i.param);
                         });

TEST(JsonSize, ALargeVocabularyOpens)
{
    std::string file = R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0])";
    for (int i = 1; i < 250000; i++) {
        file += ",[\"\u2581w" + std::to_string(i * 7919LL) + "\",-" + std::to_string(8 + i % 7) +
                "." + std::to_string(i) + "]";
    }
    Tokenizer k(file + "]}}");
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    EXPECT_EQ(steti_tokenizer_vocab_size(k.t), 250000);
    EXPECT_EQ(k.ids("\u2581w7919"), std::vector<int32_t>{1});
}

TEST(JsonNumbers, DoNotDependOnTheLocale)
{
    std::string file = read_file(fixture("uni_t5.json"));
    std::string text = "the cat of the man and some more words to cut";
    std::vector<int32_t> want = Tokenizer(file).ids(text);
    for (const char *name : {"de_DE.UTF-8", "cs_CZ.UTF-8", "fr_FR.UTF-8"}) {
        if (setlocale(LC_ALL, name) != nullptr) {
            EXPECT_EQ(Tokenizer(file).ids(text), want);
        }
    }
    setlocale(LC_ALL, "C");
}

} // namespace
