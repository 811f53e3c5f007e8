#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

extern "C" {
#include "alloc.h"
#include "arena.h"
}

namespace
{

TEST(Arena, HandsOutAlignedBlocksUntilItIsFull)
{
    steti_arena a;
    ASSERT_EQ(steti_arena_init(&a, 256, nullptr), STET_OK);
    void *p[4];
    for (void *&q : p) {
        q = steti_arena_alloc(&a, 1);
        ASSERT_NE(q, nullptr);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(q) % 64, 0u);
    }
    EXPECT_EQ(static_cast<char *>(p[1]) - static_cast<char *>(p[0]), 64);
    EXPECT_EQ(steti_arena_alloc(&a, 1), nullptr);
    EXPECT_NE(steti_arena_alloc(&a, 0), nullptr);
    EXPECT_EQ(a.used, 256u);
    EXPECT_EQ(a.high_water, 256u);
    steti_arena_free(&a);
    steti_arena_free(&a);
}

TEST(Arena, RewindGivesTheSameMemoryAgain)
{
    steti_arena a;
    ASSERT_EQ(steti_arena_init(&a, 1024, nullptr), STET_OK);
    steti_arena_alloc(&a, 100);
    size_t mark = steti_arena_mark(&a);
    void *p = steti_arena_alloc(&a, 300);
    std::memset(p, 1, 300);
    steti_arena_rewind(&a, mark);
    EXPECT_EQ(steti_arena_alloc(&a, 10), p);
    EXPECT_EQ(a.high_water, 128u + 320u);
    steti_arena_rewind(&a, 100000); // a mark from the future changes nothing
    EXPECT_EQ(a.used, 192u);
    steti_arena_free(&a);
}

TEST(Arena, CostIsRoundedUpAndSaturates)
{
    EXPECT_EQ(steti_arena_cost(0), 0u);
    EXPECT_EQ(steti_arena_cost(1), 64u);
    EXPECT_EQ(steti_arena_cost(64), 64u);
    EXPECT_EQ(steti_arena_cost(65), 128u);
    EXPECT_EQ(steti_arena_cost(SIZE_MAX), SIZE_MAX);
    EXPECT_EQ(steti_arena_cost(SIZE_MAX - 1), SIZE_MAX);
}

TEST(Arena, HugeRequestsAreRefused)
{
    steti_arena a;
    ASSERT_EQ(steti_arena_init(&a, 128, nullptr), STET_OK);
    EXPECT_EQ(steti_arena_alloc(&a, SIZE_MAX), nullptr);
    EXPECT_EQ(steti_arena_alloc(&a, SIZE_MAX - 63), nullptr);
    EXPECT_EQ(steti_arena_alloc(&a, 129), nullptr);
    EXPECT_EQ(a.used, 0u);
    steti_arena_free(&a);
}

TEST(Arena, WithoutMemoryItIsEmpty)
{
    steti_arena a;
    stet_error e = {};
    steti_alloc_fail_nth(1, 0);
    EXPECT_EQ(steti_arena_init(&a, 128, &e), STET_E_NOMEM);
    steti_alloc_fail_nth(0, 0);
    EXPECT_EQ(a.base, nullptr);
    EXPECT_EQ(a.capacity, 0u);
    steti_arena_free(&a);
}

} // namespace
