// The edit policy against its rules, written again with plain searches (plain_reentry.h), and
// examples of what the rules are for.
#include "plain_reentry.h"

using namespace stet_test;

namespace
{

std::vector<PlayedPass> plain_rule(const Ids &src, const Ids &answer, int window, int *reentries,
                                   const Pieces &pieces, const Spelling *spelling)
{
    std::vector<PlayedPass> passes;
    PlainReentry rule(src, pieces, spelling);
    *reentries = 0;
    for (size_t at = 0; at < answer.size();) {
        PlayedPass p;
        auto branches = rule.branches(1);
        if (!branches.empty()) {
            p.draft = rule.copy(branches[0], std::min(window, 64));
        }
        *reentries += rule.counts_as_reentry();
        judge(&p, answer, at);
        size_t end = at + static_cast<size_t>(p.matched) + 1;
        rule.accept(
            p, Ids(answer.begin() + static_cast<long>(at), answer.begin() + static_cast<long>(end)),
            branches.empty() ? nullptr : &branches[0]);
        at = end;
        passes.push_back(p);
    }
    return passes;
}

TEST(DraftEdit, EqualsThePlainRulesOnRandomPairs)
{
    std::mt19937 rng(12);
    size_t total = 0, sad_total = 0, with_table = 0, with_spelling = 0;
    for (int i = 0; i < 1500 * scale(); i++) {
        Ids src, answer;
        random_pair(rng, &src, &answer);
        Pieces pieces = i % 3 != 0 ? small_table(rng) : Pieces{};
        auto texts = random_spelling(rng, pieces.size());
        const Spelling *spelling = pieces.empty() || i % 4 == 0 ? nullptr : texts.get();
        const steti_draft_spelling *view = spelling != nullptr ? texts->view() : nullptr;
        for (int window : {1000, 16, 3, 1}) {
            int want_reentries = 0, got_reentries = 0;
            auto want = plain_rule(src, answer, window, &want_reentries, pieces, spelling),
                 got = play(&steti_draft_edit, src, answer, window, &got_reentries, pieces, view);
            ASSERT_EQ(got.size(), want.size()) << "pair " << i << " window " << window;
            for (size_t k = 0; k < want.size(); k++) {
                ASSERT_TRUE(got[k] == want[k])
                    << "pair " << i << " window " << window << " pass " << k;
            }
            ASSERT_EQ(got_reentries, want_reentries) << "pair " << i << " window " << window;
        }
        auto blind = play(&steti_draft_edit, src, answer, 1000);
        auto mute = play(&steti_draft_edit, src, answer, 1000, nullptr, pieces);
        total += blind.size();
        with_table += !(blind == mute);
        with_spelling +=
            !(mute == play(&steti_draft_edit, src, answer, 1000, nullptr, pieces, view));
        sad_total += play(&steti_draft_sad, src, answer, 1000).size();
    }
    EXPECT_LT(total, sad_total) << "the reason why edit is the default";
    EXPECT_GT(with_table, 100u) << "the tables decide nothing here";
    EXPECT_GT(with_spelling, 100u) << "the letters decide nothing here";
}

TEST(DraftEdit, AssumesASubstitution)
{
    // 9 is not in the source: the draft goes on behind the token it stands for.
    auto p = play(&steti_draft_edit, {3, 4, 5, 6}, {3, 9, 5, 6, END}, 100);
    ASSERT_EQ(p.size(), 2u);
    EXPECT_EQ(p[1].draft, (Ids{5, 6}));
}

// 3 and 4: words of two pieces and one. 10: a comma. 11: a short word. 12: a long one. 13: an
// ending. 14: a short word with the first letter of 4.
Pieces example_pieces()
{
    const uint8_t word = STETI_PIECE_WORD | STETI_PIECE_ALNUM, rest = STETI_PIECE_ALNUM;
    Pieces t(16, {word, 5, 'x'});
    t[4] = {word, 4, 'w'};
    t[5] = {rest, 3, 's'};
    t[6] = {word, 6, 'd'};
    t[10] = {0, 1, ','};
    t[11] = {word, 2, 't'};
    t[12] = {word, 7, 't'};
    t[13] = {rest, 1, 's'};
    t[14] = {word, 3, 'w'};
    return t;
}

Ids second_draft(const Ids &src, const Ids &answer)
{
    auto p = play(&steti_draft_edit, src, answer, 100, nullptr, example_pieces());
    EXPECT_GE(p.size(), 2u);
    return p.size() >= 2 ? p[1].draft : Ids{};
}

TEST(DraftEdit, PiecesTellInsertedFromReplaced)
{
    Ids src{3, 4, 5, 6, 7};
    EXPECT_EQ(second_draft(src, {3, 11, 4, 5, END}), (Ids{4, 5, 6, 7})) << "a short word came in";
    EXPECT_EQ(second_draft(src, {3, 12, 6, 7, END}), (Ids{6, 7})) << "a long one replaces a word";
    EXPECT_EQ(second_draft(src, {3, 14, 6, 7, END}), (Ids{6, 7})) << "so does one that looks alike";
    EXPECT_EQ(second_draft(src, {3, 4, 5, 13, 6, 7, END}), (Ids{6, 7})) << "a longer ending";
    EXPECT_EQ(second_draft(src, {3, 4, 6, 7, END}), (Ids{7})) << "6 stands once in the source";
    EXPECT_EQ(second_draft(src, {3, 4, 12, 6, 7, END}), (Ids{6, 7})) << "a shorter word, a new one";
    EXPECT_EQ(second_draft({3, 5, 4, 7}, {3, 10, 4, 7, END}), (Ids{5, 4, 7})) << "a comma came in";
    EXPECT_EQ(second_draft({3, 10, 4, 7}, {3, 12, 4, 7, END}), (Ids{4, 7})) << "a word for a comma";
}

TEST(DraftEdit, ASingleTokenMustBeNear)
{
    // 8 stands 14 tokens behind the place where it is said: too far for one token, not for two.
    Ids src{3, 4};
    for (int32_t i = 20; i < 32; i++) {
        src.push_back(i);
    }
    src.insert(src.end(), {7, 8, 9});
    auto p = play(&steti_draft_edit, src, {3, 8, 5, END}, 100);
    EXPECT_EQ(p[1].draft[0], 20);
    p = play(&steti_draft_edit, src, {3, 7, 8, 9, END}, 1);
    ASSERT_EQ(p.size(), 3u);
    EXPECT_EQ(p[1].draft, (Ids{20}));
    EXPECT_EQ(p[2].draft, (Ids{9}));
}

TEST(DraftEdit, APieceInsideAWordMustBeNearer)
{
    // 5 stands inside the word 7 5, three tokens from where 8 stands for 4; 6 begins a word there.
    EXPECT_EQ(second_draft({3, 4, 6, 12, 7, 3, 4}, {3, 7, 8, END}), (Ids{3, 4})) << "a word";
    EXPECT_EQ(second_draft({3, 4, 6, 12, 14, 5, 4}, {3, 5, 8, END}), (Ids{4, 6, 12, 14, 5, 4}))
        << "a piece inside a word, too far";
    EXPECT_EQ(second_draft({3, 4, 5, 12}, {3, 5, 12, END}), (Ids{12})) << "the same, near";
}

TEST(DraftEdit, AWordGoesOnAsElsewhereInTheSource)
{
    // 4 is said for 12, and in the source, far away, 4 goes on with 5 13.
    EXPECT_EQ(second_draft({3, 12, 6, 7, 6, 7, 6, 7, 6, 4, 5, 13}, {3, 4, 5, END}),
              (Ids{5, 13, 6, 7, 6, 7, 6, 7, 6, 4, 5, 13}));
}

// Letters as pieces: 3 + i is the i-th of " abcdeT'." inside a word, 15 to 17 words' beginnings.
struct Letters {
    Letters()
    {
        const uint8_t word = STETI_PIECE_WORD | STETI_PIECE_ALNUM, rest = STETI_PIECE_ALNUM;
        pieces.assign(20, {rest, 1, 'x'});
        for (int i = 0; i < 9; i++) {
            pieces[static_cast<size_t>(3 + i)].first = static_cast<uint16_t>("zabcdet'."[i]);
        }
        pieces[10].flags = 0;
        pieces[11].flags = STETI_PIECE_WORD;
        pieces[15] = {word, 2, 'a'};
        pieces[16] = {word, 5, 'm'};
        pieces[17] = {word, 1, 'a'};
    }
    Ids second(const Ids &src, const Ids &answer) const
    {
        auto p = play(&steti_draft_edit, src, answer, 100, nullptr, pieces, spelling.view());
        EXPECT_GE(p.size(), 2u);
        return p.size() >= 2 ? p[1].draft : Ids{};
    }
    Pieces pieces;
    Spelling spelling{{"",  "",  "",   "z",   "a", "b",  "c",     "d", "e", "T",
                       "'", ".", "cd", "cde", "",  "ab", "milk!", "a", "",  ""},
                      {false, false, false, true, true,  true,  true,  true,  true,  true,
                       true,  true,  true,  true, false, false, false, false, false, false}};
};

TEST(DraftEdit, ARespelledWordGoesOnWithTheLettersOfTheSource)
{
    Letters l;
    const int32_t z = 3, b = 5, c = 6, d = 7, e = 8, T = 9, mark = 10, cd = 12, cde = 13, AB = 15,
                  MILK = 16, A = 17;
    EXPECT_EQ(l.second({AB, c, d, MILK}, {A, b, cd, END}), (Ids{b, cd, MILK})) << "other pieces";
    EXPECT_EQ(l.second({AB, z, d, e, MILK}, {AB, c, END}), (Ids{d, e, MILK})) << "a wrong letter";
    EXPECT_EQ(l.second({AB, z, c, d, e, MILK}, {AB, c, END}), (Ids{d, e, MILK})) << "one too many";
    EXPECT_EQ(l.second({AB, c, d, e, MILK}, {AB, mark, END}), (Ids{cde, MILK})) << "no mark";
    EXPECT_EQ(l.second({A, c, b, cde, MILK}, {AB, c, END}), (Ids{cde, MILK})) << "two swapped";
    EXPECT_EQ(l.second({AB, c, e, MILK}, {AB, T, END}), (Ids{e, MILK})) << "capital letters";
}

TEST(DraftEdit, ANewLastWordIsFollowedByAFullStop)
{
    Letters l;
    EXPECT_EQ(l.second({15, 16}, {15, 16, 17, 11, END}), (Ids{11}));
    EXPECT_EQ(l.second({15, 16}, {15, 16, 11, 11, END}), (Ids{})) << "there is one already";
}

TEST(DraftEdit, OfTwoEquallyNearPlacesTheLaterIsTaken)
{
    auto p = play(&steti_draft_edit, {8, 5, 8, 6, 7}, {9, 8, 6, END}, 1);
    ASSERT_GE(p.size(), 3u);
    // Pass 0 drafts 8, the answer is 9: expected 1. Pass 1 finds no match and drafts src[1] = 5,
    // the answer is 8: expected 2. 8 ends at 1 and at 3, both 1 away.
    EXPECT_EQ(p[1].draft, (Ids{5}));
    EXPECT_EQ(p[2].draft, (Ids{6}));
}

TEST(DraftEdit, CountsReentriesAfterAMissOnly)
{
    int n = -1;
    play(&steti_draft_edit, {3, 4, 5, 6}, {3, 4, 5, 6, END}, 2, &n);
    EXPECT_EQ(n, 0) << "a capped draft that goes on is no re-entry";
    play(&steti_draft_edit, {3, 4, 5, 6}, {3, 5, 6, END}, 100, &n);
    EXPECT_EQ(n, 1);
}

} // namespace
