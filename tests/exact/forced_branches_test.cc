// Oracle drafts with branches: every branch wins with every accept length, and decoding goes on in
// the cache that it left.
#include "exact_cases.h"
#include "oracle_draft.h"

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

constexpr int MAX_OUT = 18, BRANCHES = STETI_DRAFT_BRANCHES;

class ForcedBranch : public ::testing::TestWithParam<std::tuple<std::string, int>>
{
  protected:
    void SetUp() override
    {
        auto candidates = random_sources(60, net.spec.vocab_size, 77, 20);
        for (const auto &s : candidates) {
            auto out = greedy_alone(net, {s}, MAX_OUT)[0];
            if (!s.empty() && out.ids.size() >= 8 && sources.size() < 3) {
                sources.push_back(s);
                greedy.push_back(out);
            }
        }
        ASSERT_EQ(sources.size(), 3u);
        stage() = OracleStage{};
    }
    // n tokens of greedy decoding from `at` on and then, where there is room, a wrong one.
    Ids right_then_wrong(size_t k, size_t at, size_t n) const
    {
        const Ids &y = greedy[k].ids;
        size_t end = std::min(y.size(), at + n);
        Ids d;
        for (size_t i = at; i < end; i++) {
            d.push_back(y[i]);
        }
        d.push_back(end < y.size() ? 3 + (y[end] + 1) % (net.spec.vocab_size - 3) : 5);
        return d;
    }
    void expect_greedy(const std::function<BranchPlan(size_t)> &plan_of, int batch)
    {
        stage().branch_plans.clear();
        for (size_t k = 0; k < sources.size(); k++) {
            stage().branch_plans[sources[k].data()] = plan_of(k);
        }
        auto got = decode(net, engine_options(oracle_tree(), 0, batch, MAX_OUT), sources);
        for (size_t k = 0; k < sources.size(); k++) {
            ASSERT_EQ(got[k].status, STET_OK);
            ASSERT_TRUE(got[k].same_bits(greedy[k])) << "sentence " << k;
            ASSERT_EQ(got[k].counts.accepted + got[k].counts.passes,
                      got[k].ids.size() + got[k].finished);
        }
    }

    Net net{fixture(std::get<0>(GetParam())), std::get<1>(GetParam()) != 0 ? STETI_I8 : STETI_F32};
    std::vector<Ids> sources;
    std::vector<Decoded> greedy;
};

// Wherever the plan applies, branch `winner` has `a` right tokens and the others fewer. It applies
// at every position, or at every third, so that rows of all kinds follow each other.
TEST_P(ForcedBranch, EveryBranchWinsWithEveryLength)
{
    for (int winner = 0; winner < BRANCHES; winner++) {
        for (size_t a = 1; a <= 7; a++) {
            for (size_t every : {1, 3}) {
                expect_greedy(
                    [&](size_t k) {
                        return [this, k, winner, a, every](size_t at, int branch, int) {
                            size_t others = (at + static_cast<size_t>(branch)) % a;
                            if (at % every != 0) {
                                return branch == 0 ? right_then_wrong(k, at, at % 2) : Ids{};
                            }
                            return right_then_wrong(k, at, branch == winner ? a : others);
                        };
                    },
                    1 + static_cast<int>(a % 4));
                ASSERT_FALSE(HasFatalFailure()) << "branch " << winner << " accept " << a;
            }
        }
    }
    for (int winner = 0; winner < BRANCHES; winner++) {
        for (int a = 1; a <= 7; a++) {
            EXPECT_TRUE(stage().won.count({winner, a})) << "branch " << winner << " accept " << a;
        }
    }
    EXPECT_GT(stage().passes_after_side, 100u) << "passes over rows that were adopted";
}

// Branches that are equally right, or equal: the first of them is the one that counts.
TEST_P(ForcedBranch, OfEqualBranchesTheFirst)
{
    for (int first = 0; first < BRANCHES; first++) {
        for (size_t a : {0, 1, 4}) {
            stage() = OracleStage{};
            expect_greedy(
                [&](size_t k) {
                    return [this, k, first, a](size_t at, int branch, int) {
                        if (branch < first) {
                            return a == 0 ? Ids{} : right_then_wrong(k, at, a - 1);
                        }
                        Ids d = right_then_wrong(k, at, a);
                        d.resize(d.size() + static_cast<size_t>(branch) % 2, 7);
                        return d;
                    };
                },
                2);
            for (const auto &[branch, matched] : stage().won) {
                // Before the last token of an output there is no room for any: that counts as 0.
                bool is_none = branch == 0 && matched == 0;
                EXPECT_TRUE(branch == first || is_none || matched < static_cast<int>(a))
                    << "branch " << branch << " with " << matched << ", not " << first;
            }
            EXPECT_TRUE(stage().won.count({first, static_cast<int>(a)}));
        }
    }
}

// Random lengths, empty branches, ends of sentences and ids that are no tokens in any branch.
TEST_P(ForcedBranch, HostileBranches)
{
    std::mt19937 rng(19);
    for (int round = 0; round < 20 * scale(); round++) {
        expect_greedy(
            [&](size_t k) {
                return [this, k, &rng](size_t at, int, int budget) {
                    static const int32_t hostile[] = {0, 1, -1, 288, INT32_MAX, 7};
                    Ids d = rng() % 4 == 0 ? Ids{} : right_then_wrong(k, at, rng() % 6);
                    d.resize(rng() % 8 == 0 ? static_cast<size_t>(budget) : d.size(), 9);
                    if (!d.empty() && rng() % 3 == 0) {
                        d[rng() % d.size()] = hostile[rng() % 6];
                    }
                    return d;
                };
            },
            1 + round % 3);
        ASSERT_FALSE(HasFatalFailure()) << "round " << round;
    }
    EXPECT_GT(stage().passes_after_side, 50u);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ForcedBranch,
                         ::testing::Combine(::testing::Values("edgeformer-a", "edgeformer-b",
                                                              "transformer-pre"),
                                            ::testing::Values(0, 1)));

// A forced first token; positions that show in the scores only.
INSTANTIATE_TEST_SUITE_P(Families, ForcedBranch,
                         ::testing::Combine(::testing::Values("hf-bart-a", "hf-m2m-100-b",
                                                              "hf-t5-a"),
                                            ::testing::Values(0, 1)));

} // namespace
