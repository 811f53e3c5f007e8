// Long and awkward texts, memory that runs out, threads.
#include "tokenizer_support.h"

#include <thread>

namespace
{

class LongTexts : public testing::TestWithParam<const char *>
{
};

// A quadratic step anywhere would take minutes.
TEST_P(LongTexts, KeepTheLaws)
{
    const size_t mega = 1 << 20;
    const std::string texts[] = {
        std::string(mega, 'a'),           std::string(mega, ' '),
        std::string(mega, '_'),           std::string(mega / 4, '\0'),
        std::string(mega / 4, '\xFF'),    std::string(mega, '9'),
        repeat("aA", mega / 8),           repeat("\xE4\xB8\xAD", mega / 3),
        repeat("\xE2\x96\x81", mega / 3), repeat(" \xE2\x96\x81", mega / 8),
        repeat("the ", mega / 4),         "e" + repeat("\xCC\x81", 100000),
        repeat("\xEF\xB7\xBA", 10000),    repeat(".", mega),
        repeat("<sep", mega / 8)};
    Tokenizer k(read_file(fixture(std::string(GetParam()) + ".model")));
    ASSERT_EQ(k.status, STET_OK);
    for (const std::string &text : texts) {
        SCOPED_TRACE(text.substr(0, 8));
        std::vector<int32_t> ids;
        std::vector<steti_piece> pieces = k.encode(text);
        check_laws(k, text, pieces);
        for (const steti_piece &p : pieces) {
            ids.push_back(p.id);
        }
        std::vector<uint32_t> ends;
        size_t len = k.decode(ids, &ends).size();
        EXPECT_EQ(ends.empty() ? 0 : ends.back(), len);
    }
}

INSTANTIATE_TEST_SUITE_P(Models, LongTexts,
                         testing::Values("uni_rules", "bpe_rules", "uni_identity", "bpe_identity"),
                         [](const testing::TestParamInfo<const char *> &i) {
                             return std::string(i.param);
                         });

TEST(TokenizerLimits, TooLongATextIsRefusedBeforeItIsRead)
{
    Tokenizer k(read_file(fixture("uni_identity.model")));
    stet_error err = {};
    steti_pieces p = {};
    char c = 'a'; // one byte: reading more would be seen by a sanitizer
    EXPECT_EQ(steti_tokenizer_encode(k.t, &c, (size_t{1} << 30) + 1, &p, &err), STET_E_TOO_LONG);
    EXPECT_EQ(p.len, 0u);
}

TEST(TokenizerLimits, EncodingAppends)
{
    Tokenizer k(read_file(fixture("uni_rules.model")));
    steti_pieces p = {};
    ASSERT_EQ(steti_tokenizer_encode(k.t, "first", 5, &p, nullptr), STET_OK);
    size_t first = p.len;
    ASSERT_EQ(steti_tokenizer_encode(k.t, "", 0, &p, nullptr), STET_OK);
    EXPECT_EQ(p.len, first);
    ASSERT_EQ(steti_tokenizer_encode(k.t, nullptr, 0, &p, nullptr), STET_OK);
    ASSERT_EQ(steti_tokenizer_encode(k.t, "  second ", 9, &p, nullptr), STET_OK);
    ASSERT_GT(p.len, first);
    EXPECT_EQ(p.data[first - 1].end, 5u);
    EXPECT_EQ(p.data[first].begin, 0u);
    EXPECT_EQ(p.data[p.len - 1].end, 9u);
    steti_pieces_free(&p);
}

TEST(TokenizerLimits, DecodingAppendsAndChecksIds)
{
    Tokenizer k(read_file(fixture("uni_rules.model")));
    steti_buf b;
    steti_buf_init(&b);
    std::vector<int32_t> ids = k.ids("a word");
    std::vector<uint32_t> ends(ids.size());
    stet_error err = {};
    ASSERT_EQ(steti_buf_puts(&b, "kept|", nullptr), STET_OK);
    ASSERT_EQ(steti_tokenizer_decode(k.t, ids.data(), ids.size(), &b, ends.data(), &err), STET_OK);
    EXPECT_EQ(std::string(b.data, b.len), "kept|a word");
    EXPECT_EQ(ends.back(), 6u); // counted from the call
    for (int32_t bad : {-1, 1500, INT32_MAX, INT32_MIN}) {
        ids.back() = bad;
        err.struct_size = sizeof err;
        EXPECT_EQ(steti_tokenizer_decode(k.t, ids.data(), ids.size(), &b, nullptr, &err),
                  STET_E_INVALID);
        EXPECT_NE(std::string(err.message).find(std::to_string(bad)), std::string::npos)
            << err.message;
        EXPECT_EQ(std::string(b.data, b.len), "kept|a word");
    }
    ASSERT_EQ(steti_tokenizer_decode(k.t, nullptr, 0, &b, nullptr, &err), STET_OK);
    steti_buf_free(&b);
}

class OutOfMemory : public testing::TestWithParam<const char *>
{
};

TEST_P(OutOfMemory, Opening)
{
    std::string model = read_file(fixture(std::string(GetParam()) + ".model"));
    for (bool sticky : {false, true}) {
        fail_each_allocation(sticky, [&] {
            steti_tokenizer *t = nullptr;
            stet_error err = {};
            stet_status st = steti_tokenizer_open_spm(model.data(), model.size(), "m", &t, &err);
            steti_tokenizer_close(t);
            return st;
        });
    }
}

TEST_P(OutOfMemory, EncodingKeepsWhatWasThere)
{
    Tokenizer k(read_file(fixture(std::string(GetParam()) + ".model")));
    std::string text = repeat("some words, and a \xE4\xB8\xAD\xF0\x9F\x98\x80 <sep>... ", 20);
    for (bool sticky : {false, true}) {
        fail_each_allocation(sticky, [&] {
            steti_pieces p = {};
            stet_error err = {};
            stet_status st = steti_tokenizer_encode(k.t, text.data(), text.size(), &p, &err);
            if (st != STET_OK) {
                EXPECT_EQ(p.len, 0u);
            }
            steti_pieces_free(&p);
            return st;
        });
    }
}

TEST_P(OutOfMemory, DecodingKeepsWhatWasThere)
{
    Tokenizer k(read_file(fixture(std::string(GetParam()) + ".model")));
    std::vector<int32_t> ids = k.ids(repeat("some words, and a \xE4\xB8\xAD ", 20));
    fail_each_allocation(false, [&] {
        steti_buf b;
        steti_buf_init(&b);
        stet_status st = steti_tokenizer_decode(k.t, ids.data(), ids.size(), &b, nullptr, nullptr);
        if (st != STET_OK) {
            EXPECT_EQ(b.len, 0u);
        }
        steti_buf_free(&b);
        return st;
    });
}

INSTANTIATE_TEST_SUITE_P(Models, OutOfMemory,
                         testing::Values("uni_rules", "bpe_rules", "uni_suffix"),
                         [](const testing::TestParamInfo<const char *> &i) {
                             return std::string(i.param);
                         });

TEST(TokenizerThreads, OneTokenizerServesMany)
{
    Tokenizer k(read_file(fixture("bpe_rules.model")));
    std::string text = repeat("She go to school every days, <sep> and so on... ", 10);
    std::vector<int32_t> want = k.ids(text);
    int wrong[4] = {};
    std::vector<std::thread> threads;
    for (int &w : wrong) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; i++) {
                w += k.ids(text) != want;
            }
        });
    }
    for (std::thread &th : threads) {
        th.join();
    }
    for (int w : wrong) {
        EXPECT_EQ(w, 0);
    }
}

} // namespace
