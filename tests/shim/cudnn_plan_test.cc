// The real cuDNN without a device: the plans that the backend uses are made, saved and restored for
// devices that are only described. Nothing runs, so nothing here shows that a plan is right.
#include <gtest/gtest.h>

#include <dlfcn.h>

#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "alloc.h"
#include "cuda_sdpa.h"
#include "sdpa.h"
}

namespace
{

// What cuDNN asks of a device. The numbers are those of an H200, but for the two given.
std::string Describe(int capability, int shared_bytes)
{
    return R"({"cudaDeviceId":0,"deviceName":"described","deviceVer":)" +
           std::to_string(capability) +
           R"(,"driverVer":13000,"isTccDriver":0,"l2CacheSize":62914560,"maxCtasPerSM":32,)"
           R"("maxRegistersPerSM":65536,"maxSharedMemoryPerBlock":49152,)"
           R"("maxSharedMemoryPerBlockOptin":)" +
           std::to_string(shared_bytes) +
           R"(,"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"memClockRateKHz":3201000,)"
           R"("multiProcessorCount":132,"pciDeviceId":0,"regsPerBlock":65536,)"
           R"("reservedSharedMemoryPerBlock":1024,"smClockRateKHz":1980000,"supportCoopLaunch":1,)"
           R"("totalGlobalMem":150000000000,"warpSize":32,"maxBlockSize":[1024,1024,64],)"
           R"("maxGridSize":[2147483647,65535,65535]})";
}

constexpr int kCudnnStatus = 1000; // codes of the library are above it

class Cudnn : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        // cuDNN looks for a driver by this library's name, and a library is loaded once.
        ASSERT_NE(dlopen(STET_FAKE_DRIVER, RTLD_NOW | RTLD_GLOBAL), nullptr) << dlerror();
        int code = t->open(Describe(900, 232448).c_str(), &c);
        if (code != 0 && code < kCudnnStatus) {
            GTEST_SKIP() << "SKIPPED: cuDNN was not tried: " << t->error_text(c, code);
        }
        ASSERT_EQ(code, 0) << t->error_text(c, code);
    }
    void TearDown() override
    {
        t->close(c);
    }
    void Open(int capability, int shared_bytes)
    {
        t->close(c);
        ASSERT_EQ(t->open(Describe(capability, shared_bytes).c_str(), &c), 0);
    }
    // Makes the plan, saves it, restores it, and saves that.
    void GoRound(const steti_sdpa_shape &s)
    {
        steti_sdpa_plan *made = nullptr, *restored = nullptr;
        char *text = nullptr, *again = nullptr;
        size_t bytes = 0, bytes_again = 0;
        int code = t->plan(c, &s, &made);
        ASSERT_EQ(code, 0) << t->error_text(c, code);
        EXPECT_EQ(t->workspace(made), 0u) << "the backend gives it none";
        ASSERT_EQ(t->save(c, made, &text, &bytes), 0);
        EXPECT_GT(bytes, 1000u);
        code = t->restore(c, &s, text, bytes, &restored);
        ASSERT_EQ(code, 0) << t->error_text(c, code);
        EXPECT_EQ(t->workspace(restored), 0u);
        ASSERT_EQ(t->save(c, restored, &again, &bytes_again), 0);
        EXPECT_EQ(std::string(text, bytes), std::string(again, bytes_again));
        steti_free(text);
        steti_free(again);
        t->plan_free(made);
        t->plan_free(restored);
    }

    const steti_sdpa *t = steti_sdpa_cudnn();
    steti_sdpa_context *c = nullptr;
};

// The plan with this number of heads of 64.
steti_sdpa_shape PlanOf(int heads, int i)
{
    steti_sdpa_use use = {};
    use.heads = heads;
    use.head_dim = 64;
    return steti_sdpa_plan_shape(&use, i);
}

TEST_F(Cudnn, PlansFinishWithoutADevice)
{
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    for (int i = 0; i < STETI_SDPA_PLANS; i++) {
        GoRound(PlanOf(8, i));
    }
    steti_sdpa_shape padded = PlanOf(8, 0);
    padded.ragged = 0;
    GoRound(padded);
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.live_count, before.live_count);
}

TEST_F(Cudnn, PlansFinishForOlderDevices)
{
    Open(800, 166912);
    GoRound(PlanOf(16, 0));
    GoRound(PlanOf(16, STETI_SDPA_PLANS - 1));
}

TEST_F(Cudnn, WhatItHasNotIsSaid)
{
    steti_sdpa_plan *p = nullptr;
    steti_sdpa_shape s = PlanOf(8, 0);
    s.engine = 999;
    int code = t->plan(c, &s, &p);
    EXPECT_GT(code, kCudnnStatus);
    EXPECT_EQ(p, nullptr);
    EXPECT_NE(std::string(t->error_text(c, code)).find("CUDNN_STATUS_"), std::string::npos);
    s = PlanOf(8, 0);
    s.head_dim = 12;
    code = t->plan(c, &s, &p);
    EXPECT_GT(code, kCudnnStatus);
    EXPECT_FALSE(t->is_out_of_memory(code)) << t->error_text(c, code);
    for (const char *text : {"", "{}", "[1, 2", "{\"a\": \"b\"}"}) {
        code = t->restore(c, &s, text, std::strlen(text) + 1, &p);
        EXPECT_GT(code, kCudnnStatus) << text;
        EXPECT_EQ(p, nullptr);
    }
}

TEST_F(Cudnn, EveryAllocationMayFail)
{
    steti_alloc_stats before, after;
    steti_sdpa_shape s = PlanOf(8, 0);
    steti_sdpa_plan *p = nullptr;
    steti_sdpa_context *other = nullptr;
    steti_alloc_get_stats(&before);
    steti_alloc_fail_nth(1, 0);
    int code = t->plan(c, &s, &p);
    EXPECT_TRUE(t->is_out_of_memory(code)) << t->error_text(c, code);
    EXPECT_EQ(p, nullptr);
    steti_alloc_fail_nth(1, 0);
    code = t->restore(c, &s, "{}", 3, &p);
    EXPECT_TRUE(t->is_out_of_memory(code)) << t->error_text(c, code);
    steti_alloc_fail_nth(1, 0);
    code = t->open(nullptr, &other);
    EXPECT_TRUE(t->is_out_of_memory(code));
    EXPECT_EQ(other, nullptr);
    EXPECT_STREQ(t->error_text(other, code), "out of memory");
    steti_alloc_fail_nth(0, 0);
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.live_count, before.live_count);
}

// This process has a driver that has no device.
TEST_F(Cudnn, OpeningADeviceThatIsNotThere)
{
    steti_sdpa_context *other = nullptr;
    int code = t->open(nullptr, &other);
    EXPECT_GT(code, kCudnnStatus);
    EXPECT_NE(std::string(t->error_text(other, code)).find("CUDNN_STATUS_"), std::string::npos)
        << t->error_text(other, code);
    t->close(other);
}

} // namespace
