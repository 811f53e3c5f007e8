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

stet_status OpenWithLibrary(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    static const steti_cuda_tuning small_chunks = {48, 8};
    steti_cuda_sdpa_options s = stet_shim::fake_sdpa_options();
    s.unprobed = take_on_trust;
    stet_status st =
        steti_cuda_open_with(stet_shim::runtime(), o->device_index, &small_chunks, out, err);
    return st != STET_OK ? st : steti_cuda_use_sdpa(*out, &s, err);
}

class SdpaModel : public ::testing::TestWithParam<std::string>
{
  protected:
    // Sentences of which drafted decoding in batches of four gives other bits than greedy decoding.
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
        auto got = decode(net, engine_options(&steti_draft_edit, 0, 4, 16), sources);
        return count_differing(got, want);
    }
    uint64_t runs_alone = 0;
};

TEST_P(SdpaModel, DraftedEqualsGreedy)
{
    uint64_t *count = stet_shim::device().launches;
    uint64_t packs = count[STETI_CUDA_sdpa_pack];
    EXPECT_EQ(Differing(Flaw::none, false), 0u);
    EXPECT_GT(runs_alone, 50u) << "small batches too";
    EXPECT_GT(fake_sdpa().runs, runs_alone);
    EXPECT_GT(count[STETI_CUDA_sdpa_pack], packs + 50);
}

TEST_P(SdpaModel, AFlawedLibraryIsSeenAndRefused)
{
    for (Flaw flaw : {Flaw::batch, Flaw::rows}) {
        EXPECT_GT(Differing(flaw, true), 0u) << "the control: " << static_cast<int>(flaw);
        uint64_t packs = stet_shim::device().launches[STETI_CUDA_sdpa_pack];
        EXPECT_EQ(Differing(flaw, false), 0u) << static_cast<int>(flaw);
        EXPECT_EQ(stet_shim::device().launches[STETI_CUDA_sdpa_pack], packs);
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
