// Edits with real tokenizers, on hostile text.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "edits.h"
#include "tokenizer.h"
#include "utf8.h"
}

namespace
{

class EditsModel : public ::testing::TestWithParam<const char *>
{
  protected:
    void SetUp() override
    {
        stet_error e = {};
        e.struct_size = sizeof e;
        std::string path = std::string(STET_FIXTURES) + "/" + GetParam();
        std::ifstream in(path, std::ios::binary);
        std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        ASSERT_EQ(steti_tokenizer_open_spm(bytes.data(), bytes.size(), path.c_str(), &t_, &e),
                  STET_OK)
            << e.message;
    }
    void TearDown() override
    {
        steti_tokenizer_close(t_);
    }

    std::vector<steti_piece> Encode(const std::string &s)
    {
        steti_pieces p = {};
        EXPECT_EQ(steti_tokenizer_encode(t_, s.data(), s.size(), &p, nullptr), STET_OK);
        std::vector<steti_piece> v(p.data, p.data + p.len);
        steti_pieces_free(&p);
        return v;
    }
    std::vector<int32_t> Ids(const std::string &s)
    {
        std::vector<int32_t> ids;
        for (const steti_piece &p : Encode(s)) {
            ids.push_back(p.id);
        }
        return ids;
    }
    // Words as the model sees them.
    std::vector<std::string> Words(const std::vector<int32_t> &ids)
    {
        steti_buf b = {};
        EXPECT_EQ(steti_tokenizer_decode(t_, ids.data(), ids.size(), &b, nullptr, nullptr),
                  STET_OK);
        std::string text(b.len ? b.data : "", b.len);
        steti_buf_free(&b);
        std::vector<std::string> words(1);
        for (size_t i = 0; i < text.size();) { // some normalisers keep other spaces than ' '
            uint32_t cp;
            int k = steti_utf8_decode(text.data() + i, text.size() - i, &cp);
            size_t n = static_cast<size_t>(k < 0 ? -k : k);
            if (!steti_cp_is_space(cp)) {
                words.back() += text.substr(i, n);
            } else if (!words.back().empty()) {
                words.emplace_back();
            }
            i += n;
        }
        if (words.back().empty()) {
            words.pop_back();
        }
        return words;
    }
    std::string Apply(const std::string &src, const std::vector<int32_t> &out, size_t *n_edits)
    {
        std::vector<steti_piece> pieces = Encode(src);
        steti_edits_input in = {t_,         src.data(), src.size(), pieces.data(), pieces.size(),
                                out.data(), out.size(), 0};
        steti_edits e = {};
        steti_buf b = {};
        EXPECT_EQ(steti_edits_extract(&in, &e, nullptr), STET_OK);
        EXPECT_EQ(steti_edits_apply(src.data(), src.size(), &e, 0, &b, nullptr), STET_OK);
        for (size_t i = 1; i < e.len; i++) {
            EXPECT_GT(e.data[i].src_begin, e.data[i - 1].src_end);
        }
        *n_edits = e.len;
        std::string s(b.len ? b.data : "", b.len);
        steti_edits_free(&e);
        steti_buf_free(&b);
        return s;
    }
    steti_tokenizer *t_ = nullptr;
};

std::string RandomSource(std::mt19937 &rng)
{
    static const char *const parts[] = {"She ",
                                        "go ",
                                        "to ",
                                        "school",
                                        ".",
                                        " . ",
                                        ", ",
                                        "dont ",
                                        "don't ",
                                        "a  lot ",
                                        "\t",
                                        "\n",
                                        "\xC2\xA0",
                                        "informations ",
                                        "\xC2\xBD",
                                        "\xEF\xAC\x81sh ",
                                        "\xEF\xBC\xA1\xEF\xBD\x82 ",
                                        "caf\xC3\xA9 ",
                                        "e\xCC\x81",
                                        "\xE3\x80\x80",
                                        "(x)",
                                        "\"it\"",
                                        "1,000 ",
                                        "\xE2\x80\x99s ",
                                        "very ",
                                        "\xE2\x84\xA2",
                                        "\xE2\x80\xA6"};
    static const char *const hostile[] = {"\xff", "\xC3", "\xF0\x9F\x98\x80", "\xE4\xB8\xAD"};
    std::string s;
    for (unsigned n = rng() % 12; n > 0; n--) {
        s += rng() % 30 == 0 ? hostile[rng() % 4] : parts[rng() % (sizeof parts / sizeof *parts)];
    }
    return s;
}

bool Contains(const std::vector<int32_t> &ids, int32_t id)
{
    for (int32_t x : ids) {
        if (x == id) {
            return true;
        }
    }
    return false;
}

TEST_P(EditsModel, UnchangedIdsGiveNoEdits)
{
    std::mt19937 rng(1);
    for (int i = 0; i < 500; i++) {
        std::string src = RandomSource(rng);
        size_t n;
        ASSERT_EQ(Apply(src, Ids(src), &n), src);
        ASSERT_EQ(n, 0u);
    }
}

TEST_P(EditsModel, AppliedEditsAreTheDecodedOutput)
{
    std::mt19937 rng(2);
    int compared = 0;
    for (int i = 0; i < 3000 && !HasFailure(); i++) {
        std::string src = RandomSource(rng);
        std::vector<int32_t> other = Ids(RandomSource(rng)), out;
        for (int32_t id : Ids(src)) {
            unsigned what = rng() % 12;
            if (what < 2 && !other.empty()) {
                out.push_back(other[rng() % other.size()]);
            }
            if (what != 1 && what != 2) {
                out.push_back(id);
            }
        }
        size_t n;
        std::string applied = Apply(src, out, &n);
        std::vector<std::string> expected = Words(out);
        std::string joined;
        for (const std::string &w : expected) {
            joined += w + " ";
        }
        // Pieces put together at random need not be text that the tokenizer leaves as it is.
        bool is_stable = Words(Ids(joined)) == expected;
        bool is_broken = joined.find("\xEF\xBF\xBD") != std::string::npos; // such edits are dropped
        if (is_stable && !is_broken && !Contains(out, steti_tokenizer_unk_id(t_))) {
            EXPECT_EQ(Words(Ids(applied)), expected) << "'" << src << "' -> '" << applied << "'";
            compared++;
        }
        EXPECT_EQ(applied.find("\xE2\x81\x87"), std::string::npos);
    }
    EXPECT_GT(compared, 100);
}

TEST_P(EditsModel, CorrectionOfASentence)
{
    size_t n;
    std::string src = "She  go to\tschool .";
    EXPECT_EQ(Apply(src, Ids("She goes to school ."), &n), "She  goes to\tschool .");
    EXPECT_EQ(n, 1u);
    std::string longer = Apply(src, Ids("She go to the school ."), &n);
    EXPECT_EQ(n, 1u);
    EXPECT_EQ(longer.size(), src.size() + 4)
        << longer; // the tab and the two spaces are still there
    EXPECT_NE(longer.find('\t'), std::string::npos);
    EXPECT_EQ(longer.rfind("She  go", 0), 0u);
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, EditsModel,
                         ::testing::Values("edgeformer-a/spiece.model", "tokenizer/bpe_rules.model",
                                           "tokenizer/bpe_suffix.model", "tokenizer/uni_fold.model",
                                           "tokenizer/uni_rules.model",
                                           "tokenizer/uni_suffix.model"));

} // namespace
