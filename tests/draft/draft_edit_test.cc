// The edit policy against its rules, written again with plain searches: longest suffix of at most
// four tokens, nearest to the expected position, ties to the later place; else a substitution is
// assumed.
#include "draft_play.h"

using namespace stet_test;

namespace
{

struct Plain {
    Ids src, out;
    int ptr = 0, from = -1;

    int match() const
    {
        int n_src = static_cast<int>(src.size());
        for (int n = 4; n >= 1; n--) {
            int best = -1;
            if (static_cast<int>(out.size()) < n) {
                continue;
            }
            for (int e = n; e <= n_src; e++) {
                bool same = std::equal(src.begin() + e - n, src.begin() + e, out.end() - n);
                if (same && (best < 0 || std::abs(e - ptr) <= std::abs(best - ptr))) {
                    best = e;
                }
            }
            if (best >= 0) {
                return best;
            }
        }
        return -1;
    }

    Ids propose(int window)
    {
        int e = out.empty() ? 0 : match(), n_src = static_cast<int>(src.size());
        e = e < 0 ? ptr : e;
        Ids d(src.begin() + e, src.begin() + std::min(n_src, e + window));
        from = d.empty() ? -1 : e;
        return d;
    }

    void accept(const Ids &answer, size_t at, int matched)
    {
        int next = from >= 0 ? from + matched + 1 : ptr + 1;
        ptr = std::min(next, static_cast<int>(src.size()));
        out.insert(out.end(), answer.begin() + static_cast<long>(at),
                   answer.begin() + static_cast<long>(at) + matched + 1);
    }
};

std::vector<PlayedPass> plain_rule(const Ids &src, const Ids &answer, int window)
{
    std::vector<PlayedPass> passes;
    Plain r;
    r.src = src;
    for (size_t at = 0; at < answer.size();) {
        PlayedPass p;
        p.draft = r.propose(std::min(window, 64));
        p.matched = matched_prefix(p.draft, answer, at);
        r.accept(answer, at, p.matched);
        at += static_cast<size_t>(p.matched) + 1;
        passes.push_back(p);
    }
    return passes;
}

TEST(DraftEdit, EqualsThePlainRulesOnRandomPairs)
{
    std::mt19937 rng(12);
    size_t total = 0, sad_total = 0;
    for (int i = 0; i < 1500 * scale(); i++) {
        Ids src, answer;
        random_pair(rng, &src, &answer);
        for (int window : {1000, 16, 3, 1}) {
            auto want = plain_rule(src, answer, window),
                 got = play(&steti_draft_edit, src, answer, window);
            ASSERT_EQ(got.size(), want.size()) << "pair " << i << " window " << window;
            for (size_t k = 0; k < want.size(); k++) {
                ASSERT_TRUE(got[k] == want[k])
                    << "pair " << i << " window " << window << " pass " << k;
            }
        }
        total += play(&steti_draft_edit, src, answer, 1000).size();
        sad_total += play(&steti_draft_sad, src, answer, 1000).size();
    }
    EXPECT_LT(total, sad_total) << "the reason why edit is the default";
}

TEST(DraftEdit, AssumesASubstitution)
{
    // 9 is not in the source: the draft goes on behind the token it stands for.
    auto p = play(&steti_draft_edit, {3, 4, 5, 6}, {3, 9, 5, 6, END}, 100);
    ASSERT_EQ(p.size(), 2u);
    EXPECT_EQ(p[1].draft, (Ids{5, 6}));
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
