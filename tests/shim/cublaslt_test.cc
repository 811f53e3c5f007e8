// The real cuBLASLt, as far as it goes on this machine. Without a device its descriptors work and
// its handle does not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

extern "C" {
#include "blas.h"
}

namespace
{

struct Opened {
    stet_status status;
    void *handle = &status; /* must be cleared */
    stet_error err = {};
    Opened()
    {
        err.struct_size = sizeof err;
        status = steti_blas_cublaslt()->open(&handle, &err);
    }
    ~Opened()
    {
        if (status == STET_OK) {
            steti_blas_cublaslt()->close(handle);
        }
    }
};

bool Contains(const std::string &text, const std::string &words)
{
    return text.find(words) != std::string::npos;
}

/* A refused descriptor would have been the message: they are made before the handle. CMakeLists.txt
 * has runs with other libraries under its name, and says what to expect of them. */
TEST(CublasLt, WhatIsNotUsableIsNotAvailable)
{
    const char *expected = std::getenv("STET_EXPECT_CUBLASLT");
    Opened o;
    if (expected == nullptr && o.status == STET_OK) {
        GTEST_SKIP() << "SKIPPED: there is a device";
    }
    EXPECT_EQ(o.status, STET_E_DEVICE);
    EXPECT_EQ(o.handle, nullptr);
    if (expected == nullptr && Contains(o.err.message, "there is no cuBLASLt")) {
        GTEST_SKIP() << "SKIPPED: cuBLASLt was not tried: " << o.err.message;
    }
    expected =
        expected != nullptr ? expected : "cublasLtCreate: CUBLAS_STATUS_NOT_INITIALIZED: no device";
    EXPECT_TRUE(Contains(o.err.message, expected)) << o.err.message;
    EXPECT_NE(Opened().status, STET_OK) << "and again";
}

TEST(CublasLt, HasCandidatesForEveryTypeOnADevice)
{
    Opened o;
    if (o.status != STET_OK) {
        GTEST_SKIP() << "SKIPPED: cuBLASLt was not tried: " << o.err.message;
    }
    EXPECT_GE(steti_blas_cublaslt()->version(o.handle), 120000u);
    for (int32_t type : {STETI_CUDA_F32, STETI_CUDA_I8, STETI_CUDA_BF16}) {
        steti_blas_product p = {type, 1024, 512, 512, nullptr, nullptr, nullptr, 512, 512, 512, 0};
        steti_blas_algo all[8];
        int n = 0;
        EXPECT_EQ(steti_blas_cublaslt()->candidates(o.handle, &p, 8, all, &n), 0);
        EXPECT_GT(n, 0) << "type " << type;
    }
}

TEST(CublasLt, CloseOfNothingIsLegal)
{
    steti_blas_cublaslt()->close(nullptr);
    EXPECT_STRNE(steti_blas_cublaslt()->error_text(1), steti_blas_cublaslt()->error_text(7));
}

} // namespace
