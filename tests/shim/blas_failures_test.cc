// Every call of the library, of the runtime and of the allocator fails once while a library is
// used: the own kernels take over, or there is a status; nothing leaks.
#include "library_support.h"

#include <cstdlib>
#include <filesystem>

namespace
{

/* Opens, packs, multiplies. *out has the result where all went well. */
stet_status Multiply(const steti_cuda_tuning &tuning, std::vector<float> *out, stet_error *err)
{
    constexpr int kRows = 20, kIn = 60, kOut = 20;
    steti_backend *b = nullptr;
    STETI_TRY(steti_cuda_open_with(stet_shim::runtime(), 0, &tuning, &b, err));
    const steti_backend_ops *ops = stet_shim::ops();
    std::vector<float> w = Rng(1).Floats(kOut * kIn), x = Rng(2).Floats(kRows * kIn);
    steti_tensor src = {w.data(), STETI_F32, 2, {kOut, kIn}};
    std::vector<int32_t> map;
    steti_linear_part part = {};
    steti_linear_params p = {kRows, kIn, nullptr, 1, &part};
    steti_matrix *m = nullptr;
    void *dx = nullptr, *y = nullptr;
    for (int r = 0; r < kRows; r++) {
        map.push_back(kRows - 1 - r);
    }
    out->assign(kRows * kOut, 0.0f);
    size_t x_bytes = x.size() * sizeof(float), y_bytes = out->size() * sizeof(float);
    stet_status st = ops->pack_matrix(b, &src, nullptr, STETI_F32, &m, err);
    st = st == STET_OK ? ops->mem_alloc(b, x_bytes, &dx, err) : st;
    st = st == STET_OK ? ops->mem_alloc(b, y_bytes, &y, err) : st;
    st = st == STET_OK ? ops->upload(b, dx, x.data(), x_bytes, err) : st;
    st = st == STET_OK ? ops->reserve(b, kRows, kIn, 1, err) : st;
    if (st == STET_OK) {
        part.w = m;
        part.out = static_cast<float *>(y);
        part.ld_out = kOut;
        part.row_map = map.data();
        p.x = static_cast<float *>(dx);
        st = ops->linear(b, &p, err);
        st = st == STET_OK ? ops->download(b, out->data(), y, y_bytes, err) : st;
    }
    ops->mem_free(b, dx);
    ops->mem_free(b, y);
    ops->free_matrix(b, m);
    ops->close(b);
    return st;
}

struct Balance {
    uint64_t live;
    Balance()
    {
        steti_alloc_stats s;
        steti_alloc_get_stats(&s);
        live = s.live_count;
    }
};

class LibraryFailures : public Library
{
  protected:
    void SetUp() override
    {
        Library::SetUp();
        with.blas_probe_rows = 20;
        ASSERT_EQ(Multiply(own, &want, &err), STET_OK) << err.message;
    }
    /* One life in which something fails. */
    stet_status Live(const std::string &what)
    {
        Balance before;
        std::vector<float> got;
        stet_status st = Multiply(with, &got, &err);
        device().fail_at = fake_blas().fail_at = 0;
        steti_alloc_fail_nth(0, 0);
        EXPECT_EQ(stet_shim::live(), 0u) << what;
        EXPECT_EQ(fake_blas().open, 0) << what;
        EXPECT_EQ(Balance().live, before.live) << what;
        EXPECT_TRUE(st != STET_OK || DifferingBytes(got, want) == 0) << what;
        return st;
    }
    stet_error err = NewError();
    std::vector<float> want;
};

TEST_F(LibraryFailures, ACallOfTheLibraryNeverFailsTheOp)
{
    uint64_t n = 0;
    do {
        fake_blas().calls = 0;
        fake_blas().fail_at = ++n;
        EXPECT_EQ(Live("library call " + std::to_string(n)), STET_OK) << err.message;
    } while (fake_blas().calls >= n);
    EXPECT_GT(n, 15u) << "open, candidates, products of the probe and of the op";
    EXPECT_TRUE(Said("all products by the own kernels from now on: fakeblas: a product failed: "));
    EXPECT_TRUE(Said("own kernels for all products"));
}

/* The second product of two, when the first one's output has the residual added to it already. */
TEST_F(LibraryFailures, WhatWasAddedOnceIsNotAddedAgain)
{
    Shape s = {60, 60, 20, STETI_F32};
    with.blas_probe_rows = 20;
    std::vector<float> plain = RunOnce(s, own);
    for (uint64_t n = 1; n <= 6; n++) {
        std::unique_ptr<Backend> be = OpenTuned(with);
        Product product(be.get(), s);
        ASSERT_TRUE(product.Verdict()->passed);
        fake_blas().calls = 0;
        fake_blas().fail_at = n;
        EXPECT_EQ(DifferingBytes(product.Run(), plain), 0u) << "product " << n;
        EXPECT_TRUE(be->b->library.has_failed);
        EXPECT_TRUE(product.Verdict()->passed) << "other contexts may be reading it";
        uint64_t runs = fake_blas().runs;
        EXPECT_EQ(DifferingBytes(product.Run(), plain), 0u);
        EXPECT_EQ(fake_blas().runs, runs) << "it is not asked again";
        fake_blas().fail_at = 0;
    }
}

TEST_F(LibraryFailures, EveryCallOfTheRuntimeMayFail)
{
    for (int code : {700, stet_shim::kOutOfMemory}) {
        int n_nomem = 0, n_device = 0, n_absorbed = 0;
        uint64_t n = 0;
        do {
            device().calls = 0;
            device().fail_at = ++n;
            device().fail_code = code;
            stet_status st = Live("call " + std::to_string(n));
            n_nomem += st == STET_E_NOMEM;
            n_device += st == STET_E_DEVICE;
            n_absorbed += st == STET_OK;
            EXPECT_TRUE(st == STET_OK || st == STET_E_DEVICE || st == STET_E_NOMEM) << err.message;
        } while (device().calls >= n);
        device().fail_code = 700;
        EXPECT_GT(n_device, 60);
        EXPECT_EQ(n_nomem, code == 700 ? 0 : 7) << "2 pinned, ring, 2 blocks, scratch and its twin";
        /* The life without a failure, and calls whose failure has no place to be reported: bind of
         * 4 frees, bind and wait of close, the wait behind the probe. Lack of memory for the
         * probe's matrix, rows and block, and for a matrix with a second copy, is no failure. */
        EXPECT_EQ(n_absorbed, code == 700 ? 1 + 7 : 1 + 7 + 5);
    }
    EXPECT_TRUE(Said("too little memory for the probe"));
}

/* A verdict from a file is looked at once more, which may fail as well. */
TEST_F(LibraryFailures, EveryCallAfterAKeptVerdictMayFail)
{
    char folder[] = "/tmp/stet-kept-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    with.cache_folder = folder;
    for (int code : {700, stet_shim::kOutOfMemory}) {
        uint64_t n = 0;
        do {
            ASSERT_EQ(Live("to keep one"), STET_OK);
            device().calls = 0;
            device().fail_at = ++n;
            device().fail_code = code;
            stet_status st = Live("call " + std::to_string(n));
            EXPECT_TRUE(st == STET_OK || st == STET_E_DEVICE || st == STET_E_NOMEM) << err.message;
        } while (device().calls >= n);
        device().fail_code = 700;
        EXPECT_GT(n, 40u);
    }
    EXPECT_TRUE(Said("could not be looked at"));
    EXPECT_FALSE(Said("is no longer right")) << "lack of memory proves nothing";
    std::filesystem::remove_all(folder);
}

TEST_F(LibraryFailures, EveryAllocationOfTheHostMayFail)
{
    int n_failed = 0, n_absorbed = 0;
    steti_alloc_stats before, after;
    for (uint64_t n = 1;; n++) {
        steti_alloc_get_stats(&before);
        steti_alloc_fail_nth(n, 0);
        stet_status st = Live("allocation " + std::to_string(n));
        steti_alloc_get_stats(&after);
        ASSERT_TRUE(st == STET_OK || st == STET_E_NOMEM) << err.message;
        if (after.calls - before.calls < n) {
            break;
        }
        n_failed += st != STET_OK;
        n_absorbed += st == STET_OK;
    }
    EXPECT_EQ(n_failed, 3) << "the context, the verdict, the scratch";
    EXPECT_EQ(n_absorbed, 6) << "random weights, their matrix, its strip, rows; with a second copy "
                                "the matrix and its strip, which are tried again without";
}

TEST_F(LibraryFailures, OpsAllocateNothing)
{
    for (steti_dtype type : {STETI_F32, STETI_I8, STETI_BF16}) {
        std::unique_ptr<Backend> be = OpenTuned(with);
        Shape s = {45, 60, 20, type};
        Product product(be.get(), s);
        product.part.out = be->Up(product.residual);
        steti_linear_params p = {s.rows, s.n_in, be->Up(product.x), 1, &product.part};
        be->Reserve(s.rows, s.n_in, 1);
        steti_alloc_stats before, after;
        size_t blocks = stet_shim::live();
        uint64_t runs = fake_blas().runs;
        steti_alloc_get_stats(&before);
        EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.calls, before.calls);
        EXPECT_EQ(stet_shim::live(), blocks);
        EXPECT_GT(fake_blas().runs, runs);
    }
}

} // namespace
