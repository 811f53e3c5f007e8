#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>

extern "C" {
#include "alloc.h"
}

namespace
{

steti_alloc_stats Stats()
{
    steti_alloc_stats s;
    steti_alloc_get_stats(&s);
    return s;
}

TEST(Alloc, BlocksAreAlignedAndCounted)
{
    steti_alloc_stats before = Stats();
    void *a = steti_malloc(100), *b = steti_malloc(0), *c = steti_malloc(1);
    for (void *p : {a, b, c}) {
        ASSERT_NE(p, nullptr);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % STETI_ALIGN, 0u);
    }
    steti_alloc_stats during = Stats();
    EXPECT_EQ(during.calls, before.calls + 3);
    EXPECT_EQ(during.live_count, before.live_count + 3);
    EXPECT_EQ(during.live_bytes, before.live_bytes + 101);
    EXPECT_GE(during.peak_bytes, during.live_bytes);
    steti_free(a);
    steti_free(b);
    steti_free(c);
    steti_free(nullptr);
    EXPECT_EQ(Stats().live_count, before.live_count);
    EXPECT_EQ(Stats().live_bytes, before.live_bytes);
}

TEST(Alloc, CallocClears)
{
    auto *p = static_cast<unsigned char *>(steti_calloc(50, 7));
    ASSERT_NE(p, nullptr);
    for (int i = 0; i < 350; i++) {
        EXPECT_EQ(p[i], 0);
    }
    steti_free(p);
}

TEST(Alloc, SizesThatOverflowGiveNull)
{
    volatile size_t huge = SIZE_MAX;
    steti_alloc_stats before = Stats();
    EXPECT_EQ(steti_malloc(huge), nullptr);
    EXPECT_EQ(steti_malloc(huge - 64), nullptr);
    EXPECT_EQ(steti_malloc(huge / 2), nullptr);
    EXPECT_EQ(steti_calloc(huge, 2), nullptr);
    EXPECT_EQ(steti_calloc(huge / 4, 5), nullptr);
    EXPECT_EQ(steti_calloc(size_t{1} << 32, size_t{1} << 32), nullptr);
    EXPECT_EQ(steti_strndup("x", huge), nullptr);
    EXPECT_EQ(Stats().live_count, before.live_count);
}

TEST(Alloc, ReallocKeepsTheContents)
{
    char *p = static_cast<char *>(steti_realloc(nullptr, 4));
    std::memcpy(p, "abc", 4);
    p = static_cast<char *>(steti_realloc(p, 4000));
    EXPECT_STREQ(p, "abc");
    p = static_cast<char *>(steti_realloc(p, 2));
    EXPECT_EQ(std::memcmp(p, "ab", 2), 0);
    steti_alloc_fail_nth(1, 0);
    EXPECT_EQ(steti_realloc(p, 9000), nullptr);
    steti_alloc_fail_nth(0, 0);
    EXPECT_EQ(std::memcmp(p, "ab", 2), 0); // still there
    steti_free(p);
}

TEST(Alloc, StrndupAddsANul)
{
    char *p = steti_strndup("abcdef", 3);
    EXPECT_STREQ(p, "abc");
    steti_free(p);
    p = steti_strndup("", 0);
    EXPECT_STREQ(p, "");
    steti_free(p);
}

TEST(Alloc, GrowDoublesAndKeeps)
{
    void *p = nullptr;
    size_t cap = 0, moves = 0;
    for (size_t n = 1; n <= 1000; n++) {
        size_t old = cap;
        ASSERT_EQ(steti_grow(&p, &cap, n, sizeof(int), nullptr), STET_OK);
        ASSERT_GE(cap, n);
        moves += cap != old;
        static_cast<int *>(p)[n - 1] = static_cast<int>(n);
    }
    EXPECT_LE(moves, 8u);
    for (int i = 0; i < 1000; i++) {
        EXPECT_EQ(static_cast<int *>(p)[i], i + 1);
    }
    stet_error e = {};
    size_t before = cap;
    EXPECT_EQ(steti_grow(&p, &cap, SIZE_MAX, sizeof(int), &e), STET_E_NOMEM);
    EXPECT_EQ(steti_grow(&p, &cap, SIZE_MAX / 4, sizeof(int), &e), STET_E_NOMEM);
    EXPECT_EQ(cap, before);
    EXPECT_EQ(static_cast<int *>(p)[999], 1000);
    steti_free(p);
}

TEST(Alloc, FailNthFailsOnce)
{
    steti_alloc_fail_nth(3, 0);
    void *a = steti_malloc(1), *b = steti_malloc(1), *c = steti_malloc(1), *d = steti_malloc(1);
    steti_alloc_fail_nth(0, 0);
    EXPECT_NE(a, nullptr);
    EXPECT_NE(b, nullptr);
    EXPECT_EQ(c, nullptr);
    EXPECT_NE(d, nullptr);
    steti_free(a);
    steti_free(b);
    steti_free(d);
}

TEST(Alloc, FailNthStickyFailsFromThereOn)
{
    steti_alloc_fail_nth(2, 1);
    void *a = steti_malloc(1);
    EXPECT_NE(a, nullptr);
    EXPECT_EQ(steti_malloc(1), nullptr);
    EXPECT_EQ(steti_calloc(1, 1), nullptr);
    EXPECT_EQ(steti_realloc(a, 10), nullptr);
    steti_alloc_fail_nth(0, 0);
    void *b = steti_malloc(1);
    EXPECT_NE(b, nullptr);
    steti_free(a);
    steti_free(b);
}

struct Hooked {
    int allocs = 0, frees = 0;
    size_t bytes = 0;
    bool refuse = false;
};

void *HookAlloc(void *ctx, size_t size, size_t align)
{
    auto *h = static_cast<Hooked *>(ctx);
    if (h->refuse) {
        return nullptr;
    }
    h->allocs++;
    h->bytes += size;
    EXPECT_EQ(align, STETI_ALIGN);
    return std::aligned_alloc(align, size);
}

void HookFree(void *ctx, void *p, size_t size)
{
    auto *h = static_cast<Hooked *>(ctx);
    h->frees++;
    h->bytes -= size;
    std::free(p);
}

TEST(Alloc, TheHostsAllocatorIsUsedAndGetsSizesBack)
{
    Hooked h;
    steti_alloc_set_hooks(HookAlloc, HookFree, &h);
    void *a = steti_malloc(100), *b = steti_calloc(3, 5);
    a = steti_realloc(a, 1000);
    EXPECT_EQ(h.allocs, 3);
    h.refuse = true;
    EXPECT_EQ(steti_malloc(8), nullptr);
    steti_free(a);
    steti_free(b);
    EXPECT_EQ(h.frees, 3);
    EXPECT_EQ(h.bytes, 0u);
    steti_alloc_set_hooks(nullptr, nullptr, nullptr);
    steti_free(steti_malloc(8));
    EXPECT_EQ(h.frees, 3);
}

TEST(Alloc, ThreadLimit)
{
    int64_t before = steti_alloc_thread_balance();
    EXPECT_EQ(steti_alloc_thread_limit(before + 1000), 0u);
    void *p = steti_malloc(500);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(steti_alloc_thread_balance() - before, static_cast<int64_t>(steti_alloc_cost(500)));
    EXPECT_EQ(steti_malloc(500), nullptr);
    EXPECT_EQ(steti_realloc(p, 5000), nullptr) << "the old block stays";
    void *small = steti_malloc(100);
    EXPECT_NE(small, nullptr) << "what fits is given";
    std::thread([] { steti_free(steti_malloc(100000)); }).join();
    uint64_t lacks = steti_alloc_thread_limit(INT64_MAX);
    EXPECT_EQ(lacks, 2 * steti_alloc_cost(500) - 1000) << "of the first that failed";
    EXPECT_EQ(steti_alloc_thread_limit(INT64_MAX), 0u);
    void *large = steti_malloc(100000);
    EXPECT_NE(large, nullptr);
    for (void *block : {p, small, large}) {
        steti_free(block);
    }
    EXPECT_EQ(steti_alloc_thread_balance(), before);
}

} // namespace
