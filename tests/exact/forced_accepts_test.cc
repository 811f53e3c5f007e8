// Oracle drafts visit every accept length at every position, and go on afterwards.
#include "exact_cases.h"
#include "oracle_draft.h"

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

constexpr int MAX_OUT = 18;

class Forced : public ::testing::TestWithParam<std::tuple<std::string, int>>
{
  protected:
    void SetUp() override
    {
        // A token may end an output early: take sentences whose outputs are long enough to be
        // interesting.
        auto candidates = random_sources(60, net.spec.vocab_size, 77, 20);
        auto outputs = decode(net, engine_options(&steti_draft_none, 0, 8, MAX_OUT), candidates);
        for (size_t i = 0; i < candidates.size() && sources.size() < 3; i++) {
            bool is_last = sources.size() == 2;
            if (candidates[i].size() > 1 && outputs[i].ids.size() >= 6 &&
                (!is_last || outputs[i].finished || i > 50)) {
                sources.push_back(candidates[i]);
            }
        }
        ASSERT_EQ(sources.size(), 3u);
        greedy = greedy_alone(net, sources, MAX_OUT);
        stage() = OracleStage{};
    }

    // Tokens that greedy decoding emits from `at` on.
    Ids right(size_t k, size_t at, size_t n) const
    {
        const Ids &y = greedy[k].ids;
        size_t end = std::min(y.size(), at + n);
        return at < end ? Ids(y.begin() + static_cast<long>(at), y.begin() + static_cast<long>(end))
                        : Ids{};
    }
    int32_t wrong(size_t k, size_t at) const
    {
        const Ids &y = greedy[k].ids;
        return at < y.size() ? 3 + (y[at] + 1) % (net.spec.vocab_size - 3) : 5;
    }

    // All sentences with a plan each; every one must come out as greedy.
    void expect_greedy(const std::function<Plan(size_t)> &plan_of, int batch, int window)
    {
        stage().plans.clear();
        for (size_t k = 0; k < sources.size(); k++) {
            stage().plans[sources[k].data()] = plan_of(k);
        }
        auto got = decode(net, engine_options(oracle_draft(), window, batch, MAX_OUT), sources);
        for (size_t k = 0; k < sources.size(); k++) {
            ASSERT_EQ(got[k].status, STET_OK);
            ASSERT_TRUE(got[k].same_bits(greedy[k])) << "sentence " << k;
            ASSERT_EQ(got[k].counts.accepted + got[k].counts.passes,
                      got[k].ids.size() + got[k].finished);
            uint64_t forced = static_cast<uint64_t>(net.spec.start.n) - 1;
            ASSERT_EQ(got[k].counts.rows, got[k].counts.drafted + got[k].counts.passes + forced);
        }
    }

    Net net{fixture(std::get<0>(GetParam())), std::get<1>(GetParam()) != 0 ? STETI_I8 : STETI_F32};
    std::vector<Ids> sources;
    std::vector<Decoded> greedy;
};

// At position p exactly `a` drafted tokens are right and two more are wrong; before and after
// nothing is drafted.
TEST_P(Forced, EveryAcceptLengthAtEveryPosition)
{
    size_t longest = 0;
    for (const auto &g : greedy) {
        longest = std::max(longest, g.ids.size());
    }
    for (size_t p = 0; p < longest; p++) {
        for (size_t a = 0; p + a <= longest; a++) {
            expect_greedy(
                [&](size_t k) {
                    return [this, k, p, a](size_t at, int) {
                        Ids d = at == p ? right(k, at, a) : Ids{};
                        if (at == p) {
                            d.push_back(wrong(k, at + d.size()));
                            d.push_back(wrong(k, at + d.size()));
                        }
                        return d;
                    };
                },
                1 + static_cast<int>((p + a) % 4), 0);
            if (HasFatalFailure()) {
                FAIL() << "position " << p << " accept " << a;
            }
        }
    }
    size_t visited = 0, possible = 0;
    for (size_t p = 0; p < longest; p++) {
        for (size_t a = 0; p + a < longest; a++, possible++) {
            visited += stage().seen.count({p, static_cast<int>(a)});
        }
    }
    EXPECT_EQ(visited, possible) << "accept lengths that no pass had";
    EXPECT_GT(stage().passes_after_match, possible)
        << "passes over a cache that a draft was cut back in";
}

// Right up to position k, wrong there, right again afterwards.
TEST_P(Forced, WrongAtOnePosition)
{
    for (size_t bad = 0; bad < MAX_OUT; bad++) {
        for (int window : {0, 1, 4, 9}) {
            expect_greedy(
                [&](size_t k) {
                    return [this, k, bad](size_t at, int budget) {
                        Ids d = right(k, at, static_cast<size_t>(budget));
                        if (bad >= at && bad - at < d.size()) {
                            d[bad - at] = wrong(k, bad);
                        }
                        return d;
                    };
                },
                2, window);
        }
    }
    EXPECT_GT(stage().matched, 500u);
}

TEST_P(Forced, AlwaysRightTakesOnePass)
{
    expect_greedy(
        [&](size_t k) {
            return [this, k](size_t at, int n) { return right(k, at, static_cast<size_t>(n)); };
        },
        3, 0);
    EXPECT_EQ(stage().passes, sources.size());
}

// Drafts longer than the output, random ones, ones with the end-of-sentence token inside or at the
// true end, and ones that are no tokens.
TEST_P(Forced, HostileDrafts)
{
    std::mt19937 rng(9);
    for (int kind = 0; kind < 5; kind++) {
        for (int round = 0; round < 6 * scale(); round++) {
            expect_greedy(
                [&](size_t k) {
                    return [this, k, kind, &rng](size_t at, int budget) {
                        Ids d = kind == 1 ? Ids{} : right(k, at, rng() % 6);
                        d.resize(static_cast<size_t>(kind == 4 ? rng() % 3
                                                               : static_cast<unsigned>(budget)),
                                 7);
                        for (auto &id : d) {
                            id = kind == 1 ? static_cast<int32_t>(rng() % 288) : id;
                        }
                        if (!d.empty() && kind >= 2) {
                            static const int32_t hostile[] = {0, 0, 1, -1, 288};
                            size_t where = kind == 2 && greedy[k].ids.size() >= at
                                               ? greedy[k].ids.size() - at
                                               : rng();
                            d[where % d.size()] =
                                kind == 3 && rng() % 2 ? INT32_MAX : hostile[kind];
                        }
                        return d;
                    };
                },
                1 + round % 3, round % 2 == 0 ? 0 : 5);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Forced,
                         ::testing::Combine(::testing::Values("edgeformer-a", "edgeformer-b",
                                                              "transformer-pre"),
                                            ::testing::Values(0, 1)));

// A forced first token; positions that show in the scores only.
INSTANTIATE_TEST_SUITE_P(Families, Forced,
                         ::testing::Combine(::testing::Values("hf-bart-a", "hf-m2m-100-b",
                                                              "hf-t5-a"),
                                            ::testing::Values(0, 1)));

} // namespace
