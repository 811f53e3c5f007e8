// What all policies have in common.
#include "draft_play.h"

#include <cstring>

using namespace stet_test;

namespace
{

TEST(Draft, FindsPoliciesByName)
{
    const steti_draft_ops *const *list = steti_draft_list();
    int n = 0;
    for (; list[n] != nullptr; n++) {
        EXPECT_EQ(steti_draft_find(list[n]->name), list[n]);
        EXPECT_GT(std::strlen(list[n]->about), 10u);
    }
    EXPECT_EQ(n, 4);
    EXPECT_EQ(steti_draft_find("edit"), &steti_draft_edit);
    EXPECT_EQ(steti_draft_find("tree"), &steti_draft_tree);
    EXPECT_EQ(steti_draft_find("Edit"), nullptr);
    EXPECT_EQ(steti_draft_find(""), nullptr);
}

class EveryPolicy : public ::testing::TestWithParam<const char *>
{
  protected:
    const steti_draft_ops *ops = steti_draft_find(GetParam());
};

TEST_P(EveryPolicy, StaysInsideItsBudgetAtTheLimits)
{
    steti_draft_limits l{4, 6, nullptr, 0, nullptr};
    steti_draft *d = nullptr;
    Ids src{3, 4, 5, 6}, out(16, -77);
    ASSERT_EQ(ops->open(&l, &d, nullptr), STET_OK);
    for (int round = 0; round < 3; round++) {
        ops->begin(d, src.data(), 4);
        for (int pass = 0; pass < 10;
             pass++) { // more output than max_tgt: must not be written anywhere
            int winner = 0, n_winner = 0;
            for (int b = 0; b <= ops->n_side; b++) {
                int budget = (pass + b) % 4;
                int n = ops->propose(d, b, budget, out.data());
                ASSERT_TRUE(n >= 0 && n <= budget);
                ASSERT_EQ(out[static_cast<size_t>(budget)], -77);
                if (b == 0 || (n > 0 && round == 2)) {
                    winner = b;
                    n_winner = n;
                }
                std::fill(out.begin(), out.end(), -77);
            }
            int32_t emitted[2] = {3 + pass % 4, 9};
            ops->accept(d, emitted, 2, winner, n_winner > 0 ? 1 : 0);
        }
        EXPECT_GE(ops->reentries(d), 0);
        ops->begin(d, src.data(), 0);
        for (int b = 0; b <= ops->n_side; b++) {
            EXPECT_EQ(ops->propose(d, b, 5, out.data()), 0)
                << "an empty source has nothing to copy";
        }
        EXPECT_EQ(ops->reentries(d), 0) << "begin forgets the last sentence";
    }
    ops->close(d);
    ops->close(nullptr);
}

TEST_P(EveryPolicy, ProposesOnlyTokensOfTheSource)
{
    std::mt19937 rng(7);
    for (int i = 0; i < 300; i++) {
        Ids src, answer;
        random_pair(rng, &src, &answer);
        for (const auto &p : play(ops, src, answer, 12, nullptr, small_table(rng))) {
            auto drafts = p.side;
            drafts.push_back(p.draft);
            for (const auto &draft : drafts) {
                for (int32_t id : draft) {
                    ASSERT_NE(std::find(src.begin(), src.end(), id), src.end());
                }
            }
        }
    }
}

TEST_P(EveryPolicy, OutOfMemoryAtEveryAllocation)
{
    steti_draft_limits l{10, 10, nullptr, 0, nullptr};
    steti_alloc_stats before{}, after{};
    steti_alloc_get_stats(&before);
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t n = 1; n < 100; n++) {
            steti_draft *d = nullptr;
            stet_error err{};
            err.struct_size = sizeof err;
            steti_alloc_fail_nth(n, sticky);
            stet_status st = ops->open(&l, &d, &err);
            steti_alloc_fail_nth(0, 0);
            ops->close(d);
            if (st == STET_OK) {
                break;
            }
            ASSERT_EQ(st, STET_E_NOMEM);
            ASSERT_EQ(d, nullptr);
            ASSERT_STRNE(err.message, "");
            ASSERT_LT(n, 99u);
        }
        steti_alloc_get_stats(&after);
        ASSERT_EQ(after.live_count, before.live_count);
    }
}

INSTANTIATE_TEST_SUITE_P(Policies, EveryPolicy, ::testing::Values("none", "sad", "edit", "tree"));

} // namespace
