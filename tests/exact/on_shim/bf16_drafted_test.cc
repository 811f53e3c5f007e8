// A whole model with weights in bfloat16: drafted decoding in a batch equals greedy decoding of
// each sentence alone.
#include "exact_cases.h"

using namespace stet_test;

namespace
{

class Bf16 : public ::testing::TestWithParam<std::string>
{
};

TEST_P(Bf16, DraftedEqualsGreedy)
{
    Net net(fixture(GetParam()), STETI_BF16);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = echo_sources(net, 6, 71, 20);
    auto want = greedy_alone(net, sources, 24);
    uint64_t accepted = 0;
    for (int batch : {1, 4}) {
        auto got = decode(net, engine_options(&steti_draft_edit, 0, batch, 24), sources);
        EXPECT_EQ(count_differing(got, want), 0u) << "batch " << batch;
        for (const auto &d : got) {
            accepted += d.counts.accepted;
        }
    }
    EXPECT_GT(accepted, 0u);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Bf16, ::testing::Values("edgeformer-a", "hf-t5-a"));

} // namespace
