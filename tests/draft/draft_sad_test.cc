// The sad policy against the published rule, written again from its description: a dictionary from
// n-grams to end positions, and a search that begins with the last token.
#include "draft_play.h"

#include <map>

using namespace stet_test;

namespace
{

constexpr int32_t BEGIN = -9; // start token: in no source

int find_reentry(const std::map<Ids, std::vector<int>> &h, const Ids &t)
{
    for (size_t n = 1; n <= 3; n++) {
        if (t.size() < n) {
            return -1;
        }
        auto it = h.find(Ids(t.end() - static_cast<long>(n), t.end()));
        if (it == h.end()) {
            return -1;
        }
        if (it->second.size() == 1) {
            return it->second[0];
        }
    }
    return -1;
}

std::vector<PlayedPass> published_rule(const Ids &src, const Ids &answer, int window)
{
    std::map<Ids, std::vector<int>> h;
    std::vector<PlayedPass> passes;
    Ids tokens{BEGIN};
    for (size_t n = 1; n <= 3; n++) {
        for (size_t end = n; end <= src.size(); end++) {
            h[Ids(src.begin() + static_cast<long>(end - n), src.begin() + static_cast<long>(end))]
                .push_back(static_cast<int>(end));
        }
    }
    for (size_t at = 0; at < answer.size();) {
        PlayedPass p;
        int e = tokens.size() == 1 ? 0 : find_reentry(h, tokens);
        if (e != -1 && e < static_cast<int>(src.size())) {
            p.draft.assign(src.begin() + e, src.end());
        }
        p.draft.resize(std::min(p.draft.size(), static_cast<size_t>(std::min(window, 64))));
        p.matched = matched_prefix(p.draft, answer, at);
        for (int i = 0; i <= p.matched; i++) {
            tokens.push_back(answer[at++]);
        }
        passes.push_back(p);
    }
    return passes;
}

TEST(DraftSad, EqualsThePublishedRuleOnRandomPairs)
{
    std::mt19937 rng(11);
    size_t passes = 0, drafted = 0, later_drafts = 0;
    for (int i = 0; i < 1500 * scale(); i++) {
        Ids src, answer;
        random_pair(rng, &src, &answer);
        for (int window : {1000, 16, 3}) {
            auto want = published_rule(src, answer, window),
                 got = play(&steti_draft_sad, src, answer, window);
            ASSERT_EQ(got.size(), want.size()) << "pair " << i << " window " << window;
            for (size_t k = 0; k < want.size(); k++) {
                ASSERT_TRUE(got[k] == want[k])
                    << "pair " << i << " window " << window << " pass " << k;
                drafted += want[k].draft.size();
                later_drafts += k > 0 && !want[k].draft.empty();
            }
            passes += want.size();
        }
    }
    // The comparison means something only if re-entries happened often.
    EXPECT_GT(drafted, 30000u);
    EXPECT_GT(later_drafts, 5000u) << "of " << passes;
}

TEST(DraftSad, ShortestUniqueSuffixWins)
{
    // After "9 6" the 1-gram 6 occurs twice, the 2-gram "9 6" never: no draft.
    auto p = play(&steti_draft_sad, {5, 6, 7, 6, 8}, {9, 6, 7, END}, 100);
    ASSERT_EQ(p.size(), 4u);
    EXPECT_EQ(p[0].draft, (Ids{5, 6, 7, 6, 8}));
    EXPECT_TRUE(p[1].draft.empty());
    EXPECT_TRUE(p[2].draft.empty());
    EXPECT_EQ(p[3].draft, (Ids{6, 8})); // 7 is unique
    // Backward jumps are allowed.
    p = play(&steti_draft_sad, {3, 4, 5}, {3, 4, 5, 3, 4, 5, END}, 100);
    ASSERT_EQ(p.size(), 2u);
    EXPECT_EQ(p[1].draft, (Ids{4, 5}));
}

TEST(DraftSad, UnchangedSentenceTakesOnePass)
{
    EXPECT_EQ(play(&steti_draft_sad, {7, 7, 7, 8}, {7, 7, 7, 8, END}, 100).size(), 1u);
    EXPECT_EQ(play(&steti_draft_sad, {}, {END}, 100).size(), 1u);
}

} // namespace
