// Whole models whose products of many rows a matrix library makes: the bits of the own kernels.
#include "exact_cases.h"
#include "fake_blas.h"

using namespace stet_test;

namespace
{

class LibraryModels : public ::testing::TestWithParam<std::tuple<std::string, steti_dtype>>
{
};

TEST_P(LibraryModels, HaveTheBitsOfTheOwnKernels)
{
    auto [name, type] = GetParam();
    Net own(fixture(name), type, 1, nullptr, stet_shim::ops_small_chunks());
    Net with(fixture(name), type, 1, nullptr, stet_shim::ops_library());
    ASSERT_EQ(own.status, STET_OK) << own.err.message;
    ASSERT_EQ(with.status, STET_OK) << with.err.message;
    auto sources = random_sources(5, own.spec.vocab_size, 31, 18);
    auto options = engine_options(&steti_draft_edit, 0, 5, 12);
    uint64_t runs = stet_shim::fake_blas().runs;
    auto got = decode(with, options, sources);
    EXPECT_GT(stet_shim::fake_blas().runs, runs + 10) << "the library has no part in this";
    EXPECT_EQ(stet_shim::fake_blas().misuses, 0);
    runs = stet_shim::fake_blas().runs;
    EXPECT_EQ(count_differing(got, decode(own, options, sources)), 0u);
    EXPECT_EQ(stet_shim::fake_blas().runs, runs);
    /* alone, most passes have too few rows for it */
    EXPECT_EQ(count_differing(got, greedy_alone(with, sources, 12)), 0u);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, LibraryModels,
                         ::testing::Combine(::testing::Values("edgeformer-a", "hf-bart-a",
                                                              "hf-t5-a"),
                                            ::testing::Values(STETI_F32, STETI_I8, STETI_BF16)));

} // namespace
