// The tree policy against its rules, written again with plain searches (plain_reentry.h).
#include "plain_reentry.h"

#include <set>

using namespace stet_test;

namespace
{

constexpr int LONGEST[] = {64, 48, 16, 8}; // of each branch

struct Seen {
    int reentries = 0;
    size_t not_edit = 0;
};

std::vector<PlayedPass> plain_rule(const Ids &src, const Ids &answer, int window, Seen *seen,
                                   const Pieces &pieces, const Spelling *spelling)
{
    std::vector<PlayedPass> passes;
    PlainReentry rule(src, pieces, spelling);
    for (size_t at = 0; at < answer.size();) {
        auto branches = rule.branches(STETI_DRAFT_BRANCHES), edit = rule.branches(1);
        seen->not_edit += !edit.empty() && !(edit[0] == branches[0]);
        PlayedPass p;
        p.side.resize(3);
        for (size_t b = 0; b < branches.size(); b++) {
            (b == 0 ? p.draft : p.side[b - 1]) =
                rule.copy(branches[b], std::min(window, LONGEST[b]));
        }
        seen->reentries += rule.counts_as_reentry();
        judge(&p, answer, at);
        size_t end = at + static_cast<size_t>(p.matched) + 1;
        rule.accept(
            p, Ids(answer.begin() + static_cast<long>(at), answer.begin() + static_cast<long>(end)),
            branches.empty() ? nullptr : &branches[static_cast<size_t>(p.winner)]);
        at = end;
        passes.push_back(p);
    }
    return passes;
}

TEST(DraftTree, EqualsThePlainRulesOnRandomPairs)
{
    std::mt19937 rng(14);
    size_t won[STETI_DRAFT_BRANCHES] = {}, tree_total = 0, edit_total = 0;
    Seen seen;
    for (int i = 0; i < 1500 * scale(); i++) {
        Ids src, answer;
        random_pair(rng, &src, &answer);
        Pieces pieces = i % 3 != 0 ? small_table(rng) : Pieces{};
        auto texts = random_spelling(rng, pieces.size());
        const Spelling *spelling = pieces.empty() || i % 4 == 0 ? nullptr : texts.get();
        const steti_draft_spelling *view = spelling != nullptr ? texts->view() : nullptr;
        for (int window : {1000, 16, 3, 1}) {
            int reentries = 0;
            seen.reentries = 0;
            auto want = plain_rule(src, answer, window, &seen, pieces, spelling),
                 got = play(&steti_draft_tree, src, answer, window, &reentries, pieces, view);
            ASSERT_EQ(got.size(), want.size()) << "pair " << i << " window " << window;
            for (size_t k = 0; k < want.size(); k++) {
                ASSERT_TRUE(got[k] == want[k])
                    << "pair " << i << " window " << window << " pass " << k;
                won[want[k].winner]++;
            }
            ASSERT_EQ(reentries, seen.reentries) << "pair " << i << " window " << window;
        }
        tree_total += play(&steti_draft_tree, src, answer, 1000, nullptr, pieces, view).size();
        edit_total += play(&steti_draft_edit, src, answer, 1000, nullptr, pieces, view).size();
    }
    EXPECT_EQ(seen.not_edit, 0u) << "where edit drafts, that is the first branch";
    EXPECT_LT(tree_total, edit_total) << "branches must save passes";
    for (size_t b = 0; b < STETI_DRAFT_BRANCHES; b++) {
        EXPECT_GT(won[b], 20u) << "branch " << b << " is never the right one";
    }
}

// Two branches that begin alike waste rows only where the source repeats: their places differ.
TEST(DraftTree, BranchesOfASourceWithoutRepeatsAreDistinct)
{
    std::mt19937 rng(15);
    size_t passes_with_all = 0;
    for (int i = 0; i < 300; i++) {
        Ids src, answer;
        const int32_t end = 3 + static_cast<int32_t>(rng() % 30);
        for (int32_t t = 3; t < end; t++) {
            src.push_back(t);
        }
        for (int32_t t : src) {
            unsigned what = rng() % 6;
            if (what < 2) {
                answer.push_back(static_cast<int32_t>(40 + rng() % 10));
            }
            if (what != 0) {
                answer.push_back(t);
            }
        }
        answer.push_back(END);
        for (const auto &p : play(&steti_draft_tree, src, answer, 1 + static_cast<int>(rng() % 20),
                                  nullptr, small_table(rng))) {
            std::set<int32_t> first;
            size_t branches = 0;
            for (const Ids *d : {&p.draft, &p.side[0], &p.side[1], &p.side[2]}) {
                branches += !d->empty();
                if (!d->empty()) {
                    first.insert((*d)[0]);
                }
            }
            ASSERT_EQ(first.size(), branches);
            passes_with_all += branches == STETI_DRAFT_BRANCHES;
        }
    }
    EXPECT_GT(passes_with_all, 100u);
}

TEST(DraftTree, ASideBranchThatWinsIsWhereTheNextPassGoesOn)
{
    // 9 is not in the source. It was inserted, not put for 4: the second branch has that.
    auto p = play(&steti_draft_tree, {3, 4, 5, 6, 7}, {3, 9, 4, 5, 8, 6, 7, END}, 100);
    ASSERT_EQ(p.size(), 3u);
    EXPECT_TRUE(p[0].side[0].empty()) << "at first there is one place only";
    EXPECT_EQ(p[1].draft, (Ids{5, 6, 7}));
    EXPECT_EQ(p[1].side[0], (Ids{4, 5, 6, 7}));
    EXPECT_EQ(p[1].winner, 1);
    EXPECT_EQ(p[1].matched, 2);
    EXPECT_EQ(p[2].draft, (Ids{7})) << "8 for 6";
    EXPECT_EQ(p[2].side[0], (Ids{6, 7}));
}

} // namespace
