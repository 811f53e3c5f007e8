// The negative control: backends whose results depend on the number of rows must be caught, by the
// comparison that the other tests use and by the engine's own option verify.
#include "exact_cases.h"
#include "oracle_draft.h"
#include "wrapped_ops.h"

using namespace stet_test;

namespace
{

stet_status run_with_verify(const Net &net, const std::vector<std::vector<int32_t>> &sources,
                            int scores, std::string *message)
{
    auto o = engine_options(&steti_draft_edit, 0, 4, 40);
    steti_engine *engine = nullptr;
    std::vector<steti_job> jobs(sources.size());
    std::vector<int32_t> out(sources.size() * 40);
    std::vector<float> logprob(sources.size() * 41);
    stet_error err{};
    err.struct_size = sizeof err;
    o.verify = 1;
    o.scores = scores;
    EXPECT_EQ(steti_engine_open(net.model, net.backend, &o, &engine, &err), STET_OK) << err.message;
    for (size_t i = 0; i < sources.size(); i++) {
        jobs[i].src = sources[i].data();
        jobs[i].n_src = static_cast<int>(sources[i].size());
        jobs[i].out = &out[i * 40];
        jobs[i].logprob = &logprob[i * 41];
    }
    stet_status st = steti_engine_run(engine, jobs.data(), jobs.size(), &err);
    size_t verified = 0;
    for (const auto &j : jobs) {
        EXPECT_TRUE(j.status == STET_OK || j.status == STET_E_VERIFY);
        verified += j.counts.verified;
    }
    EXPECT_EQ(verified, jobs.size());
    *message = err.message;
    steti_engine_close(engine);
    return st;
}

class Contract : public ::testing::TestWithParam<Breach>
{
  protected:
    void TearDown() override
    {
        breach() = Breach::none;
    }
};

TEST_P(Contract, ABreachIsCaught)
{
    std::string message;
    breach() = Breach::none;
    Net net(fixture("edgeformer-c"), STETI_F32, 1, nullptr, breaching_ops());
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = echo_sources(net, 12, 51);
    auto want = greedy_alone(net, sources);
    auto o = engine_options(&steti_draft_edit, 0, 4, 40);
    ASSERT_EQ(count_differing(decode(net, o, sources), want), 0u);
    ASSERT_EQ(run_with_verify(net, sources, 1, &message), STET_OK) << message;
    breach() = GetParam();
    EXPECT_GT(count_differing(decode(net, o, sources), want), 0u);
    EXPECT_EQ(run_with_verify(net, sources, 1, &message), STET_E_VERIFY);
    EXPECT_NE(message.find("greedy decoding"), message.find("log probabilities")) << message;
    EXPECT_NE(message.find("sentence "), std::string::npos) << message;
}

// Breaches that only branches show: the second branch is right, the first is wrong.
class BranchContract : public Contract
{
};

TEST_P(BranchContract, ABreachIsCaught)
{
    breach() = Breach::none;
    Net net(fixture("edgeformer-c"), STETI_F32, 1, nullptr, breaching_ops());
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = random_sources(8, net.spec.vocab_size, 51, 20);
    auto want = greedy_alone(net, sources);
    stage() = OracleStage{};
    for (size_t k = 0; k < sources.size(); k++) {
        stage().branch_plans[sources[k].data()] = [&want, k](size_t at, int branch, int) {
            const auto &y = want[k].ids;
            auto begin = y.begin() + static_cast<long>(std::min(at, y.size()));
            return branch == 1 ? std::vector<int32_t>(begin, std::min(begin + 3, y.end()))
                               : std::vector<int32_t>{7 + branch};
        };
    }
    auto o = engine_options(oracle_tree(), 0, 4, 40);
    ASSERT_EQ(count_differing(decode(net, o, sources), want), 0u);
    ASSERT_GT(stage().passes_after_side, 10u);
    breach() = GetParam();
    EXPECT_GT(count_differing(decode(net, o, sources), want), 0u);
}

INSTANTIATE_TEST_SUITE_P(Breaches, BranchContract,
                         ::testing::Values(Breach::linear_ulp, Breach::attention_ulp,
                                           Breach::tail_ulp, Breach::tail_short, Breach::copy_ulp,
                                           Breach::copy_nothing));

INSTANTIATE_TEST_SUITE_P(Breaches, Contract,
                         ::testing::Values(Breach::linear_ulp, Breach::attention_ulp,
                                           Breach::embed_ulp, Breach::norm_ulp, Breach::argmax_flip,
                                           Breach::argmax_logprob));

TEST(ContractVerify, WithoutScoresOnlyTokensAreCompared)
{
    std::string message;
    Net net(fixture("edgeformer-c"), STETI_F32, 1, nullptr, breaching_ops());
    auto sources = echo_sources(net, 6, 52);
    breach() = Breach::argmax_logprob;
    EXPECT_EQ(run_with_verify(net, sources, 0, &message), STET_OK) << message;
    breach() = Breach::argmax_flip;
    EXPECT_EQ(run_with_verify(net, sources, 0, &message), STET_E_VERIFY);
    breach() = Breach::none;
}

} // namespace
