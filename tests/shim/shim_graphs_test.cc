// Graphs on the device of fibers: what it must see, so that the tests of recordings see it.
#include <gtest/gtest.h>

#include <cstring>

#include "shim_device.h"

namespace
{

using stet_shim::device;

class ShimGraphs : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(rt->mem_alloc(64, &memory), 0);
        ASSERT_EQ(rt->pinned_alloc(64, &pinned), 0);
        std::memset(pinned, 1, 64);
        ASSERT_EQ(rt->graph_create(&g), 0);
    }
    void TearDown() override
    {
        EXPECT_EQ(rt->exec_free(exec), 0);
        EXPECT_EQ(rt->graph_free(&g), 0);
        EXPECT_EQ(rt->mem_free(memory), 0);
        EXPECT_EQ(rt->pinned_free(pinned), 0);
        EXPECT_EQ(stet_shim::live(), 0u);
    }
    int copy(void *dst, const void *src, steti_cuda_direction way)
    {
        return rt->copy(dst, src, 16, way, nullptr);
    }
    const steti_cuda_runtime *rt = stet_shim::runtime();
    steti_cuda_graph g{};
    void *memory = nullptr, *pinned = nullptr, *exec = nullptr;
};

TEST_F(ShimGraphs, WorkIsDoneAtEachLaunchAndNotBefore)
{
    const char *at = static_cast<const char *>(memory);
    ASSERT_EQ(rt->capture_begin(&g, nullptr), 0);
    ASSERT_EQ(copy(memory, pinned, STETI_TO_DEVICE), 0);
    ASSERT_EQ(rt->clear(memory, 4, nullptr), 0);
    EXPECT_EQ(at[8], -1) << "what memory holds at first";
    ASSERT_EQ(rt->capture_end(&g, nullptr), 0);
    EXPECT_EQ(stet_shim::work_of(g.graph), (std::vector<std::string>{"to device", "clear"}));
    ASSERT_EQ(rt->exec_create(&g, &exec), 0);
    for (char value : {1, 2}) {
        std::memset(pinned, value, 64);
        ASSERT_EQ(rt->exec_launch(exec, nullptr), 0);
        EXPECT_EQ(at[0], 0);
        EXPECT_EQ(at[8], value);
        EXPECT_EQ(at[16], -1);
    }
}

TEST_F(ShimGraphs, WhatACaptureForbidsSpoilsIt)
{
    char pageable[16];
    void *p = nullptr;
    steti_cuda_graph other{};
    for (int which = 0; which < 7; which++) {
        ASSERT_EQ(rt->capture_begin(&g, nullptr), 0);
        int code = which == 0   ? rt->sync(nullptr)
                   : which == 1 ? rt->mem_alloc(4, &p)
                   : which == 2 ? rt->pinned_alloc(4, &p)
                   : which == 3 ? rt->mem_free(memory)
                   : which == 4 ? copy(memory, pageable, STETI_TO_DEVICE)
                   : which == 5 ? copy(pageable, memory, STETI_TO_HOST)
                                : rt->capture_begin(&other, nullptr);
        EXPECT_NE(code, 0) << which;
        EXPECT_NE(rt->capture_end(&g, nullptr), 0) << which;
        EXPECT_EQ(rt->sync(nullptr), 0) << "the capture has ended, " << which;
    }
    EXPECT_NE(rt->capture_end(&g, nullptr), 0) << "none was begun";
}

TEST_F(ShimGraphs, PointersAreLookedAtAgainAtTheLaunch)
{
    void *gone = nullptr;
    ASSERT_EQ(rt->mem_alloc(64, &gone), 0);
    ASSERT_EQ(rt->capture_begin(&g, nullptr), 0);
    ASSERT_EQ(copy(gone, memory, STETI_ON_DEVICE), 0);
    ASSERT_EQ(rt->capture_end(&g, nullptr), 0);
    ASSERT_EQ(rt->exec_create(&g, &exec), 0);
    ASSERT_EQ(rt->exec_launch(exec, nullptr), 0);
    ASSERT_EQ(rt->mem_free(gone), 0);
    EXPECT_NE(rt->exec_launch(exec, nullptr), 0);
    EXPECT_NE(rt->exec_launch(memory, nullptr), 0) << "nothing that was made";
}

} // namespace
