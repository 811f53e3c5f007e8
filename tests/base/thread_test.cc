#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <sched.h>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "alloc.h"
#include "thread.h"
}

namespace
{

struct Pool {
    explicit Pool(int n)
    {
        stet_error e = {};
        EXPECT_EQ(steti_pool_open(n, &p, &e), STET_OK) << e.message;
    }
    ~Pool()
    {
        steti_pool_close(p);
    }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;
    steti_pool *p = nullptr;
};

struct Count {
    std::vector<int> calls; // not atomic: the pool must order them
    int n_parts = 0;
};

void CountPart(void *ctx, int part, int n_parts)
{
    auto *c = static_cast<Count *>(ctx);
    c->calls[static_cast<size_t>(part)]++;
    if (part == 0) {
        c->n_parts = n_parts;
    }
}

TEST(Thread, EveryPartRunsOnce)
{
    for (int threads : {1, 2, 3, 4, 9}) {
        Pool pool(threads);
        EXPECT_EQ(steti_pool_threads(pool.p), threads);
        for (int parts = 0; parts <= threads; parts++) {
            Count c;
            c.calls.resize(static_cast<size_t>(threads));
            steti_pool_run(pool.p, CountPart, &c, parts);
            for (int i = 0; i < threads; i++) {
                EXPECT_EQ(c.calls[static_cast<size_t>(i)], i < parts ? 1 : 0);
            }
            EXPECT_EQ(c.n_parts, parts);
        }
    }
}

TEST(Thread, ManyShortLoopsSeeEachOthersWrites)
{
    Pool pool(3);
    Count c;
    c.calls.resize(3);
    for (int i = 1; i <= 5000; i++) {
        steti_pool_run(pool.p, CountPart, &c, 3);
        ASSERT_EQ(c.calls[0], i);
        ASSERT_EQ(c.calls[1], i);
        ASSERT_EQ(c.calls[2], i);
    }
}

TEST(Thread, LoopsOfChangingWidth)
{
    Pool pool(4);
    Count c;
    c.calls.resize(4);
    std::vector<int> expected(4);
    for (int i = 0; i < 4000; i++) {
        int parts = i % 5;
        steti_pool_run(pool.p, CountPart, &c, parts);
        for (int k = 0; k < parts; k++) {
            expected[static_cast<size_t>(k)]++;
        }
        ASSERT_EQ(c.calls, expected);
    }
}

TEST(Thread, MoreThreadsThanProcessors)
{
    int threads = 4 * steti_cpu_count() + 3;
    Pool pool(threads);
    Count c;
    c.calls.resize(static_cast<size_t>(threads));
    for (int i = 1; i <= 50; i++) {
        steti_pool_run(pool.p, CountPart, &c, threads);
    }
    for (int n : c.calls) {
        EXPECT_EQ(n, 50);
    }
}

TEST(Thread, SleepingWorkersWakeUp)
{
    Pool pool(3);
    Count c;
    c.calls.resize(3);
    for (int i = 1; i <= 10; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5)); // longer than they spin
        steti_pool_run(pool.p, CountPart, &c, 3);
        ASSERT_EQ(c.calls, std::vector<int>(3, i));
    }
}

struct Who {
    std::thread::id id[2];
};

TEST(Thread, TheCallerTakesThePartZero)
{
    Pool pool(2);
    Who who;
    steti_pool_run(
        pool.p,
        [](void *ctx, int part, int) {
            static_cast<Who *>(ctx)->id[part] = std::this_thread::get_id();
        },
        &who, 2);
    EXPECT_EQ(who.id[0], std::this_thread::get_id());
    EXPECT_NE(who.id[1], std::this_thread::get_id());
}

TEST(Thread, OpenAndCloseManyTimes)
{
    for (int i = 0; i < 200; i++) {
        Pool pool(1 + i % 4);
        if (i % 2) {
            Count c;
            c.calls.resize(4);
            steti_pool_run(pool.p, CountPart, &c, 1 + i % 4);
        }
    }
    steti_pool_close(nullptr);
}

TEST(Thread, TwoPoolsRunSideBySide)
{
    std::atomic<int> wrong{0};
    auto work = [&] {
        Pool pool(2);
        Count c;
        c.calls.resize(2);
        for (int i = 1; i <= 1000; i++) {
            steti_pool_run(pool.p, CountPart, &c, 2);
            wrong += c.calls != std::vector<int>(2, i);
        }
    };
    std::thread a(work), b(work);
    a.join();
    b.join();
    EXPECT_EQ(wrong, 0);
}

TEST(Thread, CountsOutOfRangeAreRefused)
{
    for (int n : {0, -1, 1025, 1 << 30}) {
        stet_error e = {};
        steti_pool *p = reinterpret_cast<steti_pool *>(&e);
        EXPECT_EQ(steti_pool_open(n, &p, &e), STET_E_INVALID);
        EXPECT_EQ(p, nullptr);
        EXPECT_NE(std::strstr(e.message, std::to_string(n).c_str()), nullptr);
    }
}

// Caller and workers on one processor: slower, and nothing else. Pinned before the pool is opened
// they cannot move away; pinned by each part they start together and may.
TEST(Thread, WorkersOnTheCallersProcessor)
{
    cpu_set_t all, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
    for (bool pinned : {true, false}) {
        steti_pool *p = nullptr;
        std::atomic<int> parts{0};
        ASSERT_EQ(sched_setaffinity(0, sizeof one, pinned ? &one : &all), 0);
        ASSERT_EQ(steti_pool_open(3, &p, nullptr), STET_OK);
        for (int i = 0; i < 300; i++) {
            steti_pool_run(
                p, [](void *n, int, int) { ++*static_cast<std::atomic<int> *>(n); }, &parts, 3);
            ASSERT_EQ(parts, 3 * (i + 1));
        }
        steti_pool_close(p);
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
}

TEST(Thread, EveryAllocationFailureIsReported)
{
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    stet_status s = STET_E_NOMEM;
    int failures = 0;
    for (uint64_t n = 1; n < 50 && s != STET_OK; n++) {
        steti_pool *p;
        steti_alloc_fail_nth(n, 0);
        s = steti_pool_open(4, &p, nullptr);
        steti_alloc_fail_nth(0, 0);
        failures += s == STET_E_NOMEM;
        EXPECT_EQ(p == nullptr, s != STET_OK);
        steti_pool_close(p);
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.live_count, before.live_count);
    }
    EXPECT_EQ(s, STET_OK);
    EXPECT_EQ(failures, 3); // the pool and its two lists
}

TEST(Thread, AtLeastOneProcessor)
{
    EXPECT_GE(steti_cpu_count(), 1);
}

} // namespace
