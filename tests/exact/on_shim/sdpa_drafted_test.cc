// A whole model in bfloat16 whose encoder and cross attention a library makes: drafted decoding in
// a batch equals greedy decoding of each sentence alone; and it does not where a flawed library is
// taken on trust.
#include "exact_cases.h"
#include "fake_sdpa.h"
#include "shim_device.h"

extern "C" {
#include "cuda_internal.h"
}

using namespace stet_test;
using stet_shim::fake_sdpa;
using stet_shim::Flaw;

namespace
{

bool take_on_trust = false;
unsigned kinds = 0; // of attention that the library makes; 0: both

stet_status OpenWithLibrary(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    static const steti_cuda_tuning small_chunks = stet_shim::chunks(48, 8);
    steti_cuda_sdpa_options s = stet_shim::fake_sdpa_options();
    s.unprobed = take_on_trust;
    s.kinds = kinds != 0 ? kinds : s.kinds;
    stet_status st =
        steti_cuda_open_with(stet_shim::runtime(), o->device_index, &small_chunks, out, err);
    return st != STET_OK ? st : steti_cuda_use_sdpa(*out, &s, err);
}

class SdpaModel : public ::testing::TestWithParam<std::string>
{
  protected:
    // Sentences of which drafted decoding in batches of four gives other bits than greedy decoding,
    // with one draft and with several.
    size_t Differing(Flaw flaw, bool trust, steti_dtype compute = STETI_BF16)
    {
        static const steti_backend_ops ops = steti_cuda_ops(OpenWithLibrary);
        fake_sdpa() = stet_shim::FakeSdpa();
        fake_sdpa().flaw = flaw;
        take_on_trust = trust;
        Net net(fixture(GetParam()), compute, 1, nullptr, &ops);
        EXPECT_EQ(net.status, STET_OK) << net.err.message;
        auto sources = random_sources(5, net.spec.vocab_size, 71, 20);
        auto want = greedy_alone(net, sources, 16);
        runs_alone = fake_sdpa().runs;
        replays = stet_shim::device().graph_launches;
        auto got = decode(net, engine_options(&steti_draft_edit, 0, 4, 16), sources);
        auto branches = decode(net, engine_options(&steti_draft_tree, 0, 4, 16), sources);
        replays = stet_shim::device().graph_launches - replays;
        return count_differing(got, want) + count_differing(branches, want);
    }
    void TearDown() override
    {
        kinds = 0;
    }
    uint64_t runs_alone = 0;
    uint64_t replays = 0; // of recorded passes, in the batches of four
};

TEST_P(SdpaModel, DraftedEqualsGreedy)
{
    uint64_t *count = stet_shim::device().launches;
    uint64_t packs = count[STETI_CUDA_sdpa_pack];
    EXPECT_EQ(Differing(Flaw::none, false), 0u);
    EXPECT_GT(runs_alone, 50u) << "small batches too";
    EXPECT_GT(fake_sdpa().runs, runs_alone);
    EXPECT_GT(count[STETI_CUDA_sdpa_pack], packs + 50);
    EXPECT_EQ(replays, 0u);
}

// Only the passes of the encoder are kept from being recorded.
TEST_P(SdpaModel, TheDecoderIsRecordedBesideIt)
{
    kinds = 1u << STETI_ATTN_ENCODER;
    EXPECT_EQ(Differing(Flaw::none, false), 0u);
    EXPECT_GT(fake_sdpa().runs, runs_alone);
    EXPECT_GT(replays, 4u);
}

TEST_P(SdpaModel, AFlawedLibraryIsSeenAndRefused)
{
    for (Flaw flaw : {Flaw::batch, Flaw::rows}) {
        EXPECT_GT(Differing(flaw, true), 0u) << "the control: " << static_cast<int>(flaw);
        uint64_t packs = stet_shim::device().launches[STETI_CUDA_sdpa_pack];
        EXPECT_EQ(Differing(flaw, false), 0u) << static_cast<int>(flaw);
        EXPECT_EQ(stet_shim::device().launches[STETI_CUDA_sdpa_pack], packs);
        EXPECT_GT(replays, 4u) << "as without a library";
    }
}

TEST_P(SdpaModel, OtherTypesKeepTheKernel)
{
    for (steti_dtype compute : {STETI_F32, STETI_I8}) {
        EXPECT_EQ(Differing(Flaw::batch, true, compute), 0u);
        EXPECT_EQ(fake_sdpa().calls, 0u);
    }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, SdpaModel, ::testing::Values("hf-bart-a"));

} // namespace
