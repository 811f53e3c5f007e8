// Where a word spelled anew goes on in the source's word, and how the rest is cut into pieces.
#include "draft_play.h"

extern "C" {
#include "respell.h"
}

using namespace stet_test;

namespace
{

int align(const std::string &word, const std::string &said, bool mark_last = false)
{
    return respell_align(word.data(), static_cast<int>(word.size()), said.data(),
                         static_cast<int>(said.size()), mark_last);
}

TEST(Respell, FindsThePlaceBehindOneSlip)
{
    EXPECT_EQ(align("money", "mon"), 3) << "the same so far";
    EXPECT_EQ(align("money", "money"), 5);
    EXPECT_EQ(align("mnoey", "mon"), 3) << "swapped, and both are said";
    EXPECT_EQ(align("mnoey", "mo"), 3) << "swapped, but one alone looks like one too many";
    EXPECT_EQ(align("moneey", "money"), 6) << "a letter too many";
    EXPECT_EQ(align("monny", "mone"), 4) << "a wrong letter";
    EXPECT_EQ(align("moey", "money"), 4) << "a letter is missing";
    EXPECT_EQ(align("moey", "mone"), 3);
    EXPECT_EQ(align("dont", "don'", true), 3) << "a mark is missing";
    EXPECT_EQ(align("dont", "don'", false), 4) << "else it stands for a letter";
    EXPECT_EQ(align("xoney", "mon"), 3) << "at the beginning, when more agrees";
}

TEST(Respell, OtherWordsHaveNoPlace)
{
    EXPECT_EQ(align("money", "x"), -1);
    EXPECT_EQ(align("money", "mxxy"), -1);
    EXPECT_EQ(align("money", "xyz"), -1);
    EXPECT_EQ(align("", "a"), -1);
    EXPECT_EQ(align("", "ab"), -1);
    EXPECT_EQ(align("m", "mon"), -1) << "two letters more";
    EXPECT_EQ(align("m", "mo"), 1) << "one letter more, and the word has ended";
}

TEST(Spelling, ReadsWordsOfKnownPiecesOnly)
{
    Spelling s({"", "ab", "c", std::string(31, 'x')}, {false, true, true, true});
    char out[SPELLING_WORD + 1] = {};
    auto read = [&](const Ids &ids) {
        return spelling_read(s.view(), ids.data(), static_cast<int>(ids.size()), out);
    };
    EXPECT_EQ(read({1, 2}), 3);
    EXPECT_EQ(std::string(out, 3), "abc");
    EXPECT_EQ(read({}), 0);
    EXPECT_EQ(read({2, 3}), SPELLING_WORD);
    EXPECT_EQ(read({1, 3}), -1) << "too long";
    EXPECT_EQ(read({0}), -1) << "no text";
    EXPECT_EQ(read({4}), -1);
    EXPECT_EQ(read({-1}), -1);
    EXPECT_EQ(read(Ids(SPELLING_WORD, 2)), SPELLING_WORD);
    EXPECT_EQ(read(Ids(SPELLING_WORD + 1, 2)), -1);
    EXPECT_EQ(out[SPELLING_WORD], 0);
}

TEST(Spelling, CutsIntoTheLongestPieces)
{
    Spelling s({"a", "ab", "abcd", "b", "c", "x", "\xC3\xA9"},
               {true, true, true, true, true, false, true});
    auto cut = [&](const std::string &text) {
        Ids out(text.size());
        int n = spelling_cut(s.view(), text.data(), static_cast<int>(text.size()), out.data());
        out.resize(static_cast<size_t>(std::max(n, 0)));
        return n < 0 ? Ids{-1} : out;
    };
    EXPECT_EQ(cut("abcabcd"), (Ids{1, 4, 2}));
    EXPECT_EQ(cut("ba\xC3\xA9"), (Ids{3, 0, 6}));
    EXPECT_EQ(cut(""), (Ids{}));
    EXPECT_EQ(cut("ax"), (Ids{-1})) << "no such piece inside a word";
    EXPECT_EQ(cut("a\xC3"), (Ids{-1})) << "half a character";
}

} // namespace
