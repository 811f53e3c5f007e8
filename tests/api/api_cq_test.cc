// Completion queues: the descriptor, waiting, waking, several consumers, and destroying.
#include "async_fixture.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace stet_test;

namespace
{

TEST(ApiQueue, DescriptorIsNonBlockingAndClosedOnExec)
{
    Queue q;
    ASSERT_EQ(q.status, STET_OK) << q.err.message;
    int fd = stet_cq_fd(q.handle);
    ASSERT_GE(fd, 0);
    EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    EXPECT_EQ(stet_cq_fd(nullptr), -1);
    EXPECT_FALSE(q.is_readable());
}

TEST(ApiQueue, ReadableExactlyWhileThereIsSomethingToTake)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    const std::string text = "ba ce";
    for (int round = 0; round < 3; round++) {
        submit(g, q, {tagged(text, 1), tagged(text, 2), tagged(text, 3)});
        EXPECT_EQ(stet_engine_stats(g.handle, nullptr), STET_E_INVALID);
        while (stats_of(g).requests < 3u * static_cast<unsigned>(round + 1)) {
            std::this_thread::yield();
        }
        // The last event follows the count at once, but not in the same instant.
        auto first = q.take(1, a_minute);
        ASSERT_EQ(first.size(), 1u);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        EXPECT_TRUE(q.is_readable());
        EXPECT_EQ(q.take(1).size(), 1u);
        EXPECT_TRUE(q.is_readable());
        stet_cq_wakeup(q.handle);
        EXPECT_TRUE(q.is_readable());
        EXPECT_EQ(q.take(5).size(), 1u) << "takes the wake-up as well";
        EXPECT_FALSE(q.is_readable());
        EXPECT_EQ(q.take().size(), 0u);
        EXPECT_FALSE(q.is_readable());
        stet_cq_wakeup(q.handle);
        stet_cq_wakeup(q.handle);
        EXPECT_TRUE(q.is_readable());
        EXPECT_EQ(q.take(5, a_minute).size(), 0u);
        EXPECT_TRUE(q.is_readable()) << "each wake-up is for one poll";
        EXPECT_EQ(q.take(5, a_minute).size(), 0u);
        EXPECT_FALSE(q.is_readable());
    }
}

TEST(ApiQueue, EventsComeOldestFirst)
{
    EditingModel m;
    Engine g(m.handle, {{"batch_size", "1"}});
    Queue q;
    std::vector<stet_request> r;
    const std::string dot = ".";
    for (uint64_t i = 0; i < 30; i++) {
        r.push_back(tagged(dot, i)); // nothing to decode: completed in the order of their turn
    }
    ASSERT_EQ(submit(g, q, r).status, STET_OK);
    ASSERT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
    uint64_t next = 0;
    for (size_t max : {1, 2, 20, 100}) {
        for (const auto &e : q.take(max)) {
            EXPECT_EQ(e.tag, next++);
        }
    }
    EXPECT_EQ(next, 30u);
}

int64_t measure_ms(const std::function<void()> &f)
{
    auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 start)
        .count();
}

TEST(ApiQueue, Timeouts)
{
    Queue q;
    EXPECT_TRUE(q.take(1, 0).empty());
    EXPECT_TRUE(q.take(1, 1).empty());
    EXPECT_GE(measure_ms([&] { EXPECT_TRUE(q.take(1, 30000).empty()); }), 30);
    for (int64_t timeout : {int64_t{-1}, INT64_MIN, INT64_MAX, a_minute}) {
        std::atomic<bool> is_back{false};
        std::thread waiter([&] {
            EXPECT_TRUE(q.take(1, timeout).empty());
            is_back = true;
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        EXPECT_FALSE(is_back);
        stet_cq_wakeup(q.handle);
        waiter.join();
        EXPECT_FALSE(q.is_readable());
    }
}

// Signals in the waiting thread are nobody's wake-up.
TEST(ApiQueue, SignalsDoNotEndAWait)
{
    Queue q;
    struct sigaction quiet {
    }, before{};
    quiet.sa_handler = [](int) {};
    sigaction(SIGUSR2, &quiet, &before);
    std::atomic<bool> is_back{false};
    std::thread waiter([&] {
        EXPECT_TRUE(q.take(1, -1).empty());
        is_back = true;
    });
    for (int i = 0; i < 10; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        pthread_kill(waiter.native_handle(), SIGUSR2);
    }
    EXPECT_FALSE(is_back);
    stet_cq_wakeup(q.handle);
    waiter.join();
    sigaction(SIGUSR2, &before, nullptr);
}

TEST(ApiQueue, ArgumentsThatAreWrong)
{
    Queue q;
    stet_event e;
    EXPECT_EQ(stet_cq_poll(nullptr, &e, sizeof e, 1, 0), STET_E_INVALID);
    EXPECT_EQ(stet_cq_poll(q.handle, nullptr, sizeof e, 1, 0), STET_E_INVALID);
    EXPECT_EQ(stet_cq_poll(q.handle, &e, sizeof e - 8, 1, 0), STET_E_INVALID);
    EXPECT_EQ(stet_cq_poll(q.handle, &e, sizeof e + 8, 1, -1), STET_E_INVALID);
    EXPECT_EQ(stet_cq_poll(q.handle, &e, 0, 1, 0), STET_E_INVALID);
    EXPECT_EQ(stet_cq_poll(q.handle, &e, sizeof e, 0, -1), STET_E_INVALID);
    Error err;
    EXPECT_EQ(stet_cq_create(nullptr, &err), STET_E_INVALID);
    EXPECT_NE(err.message[0], '\0');
    stet_cq_wakeup(nullptr);
    stet_cq_destroy(nullptr);
}

TEST(ApiQueue, WrongEventSizeTakesNothing)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    submit(g, q, {tagged("ba", 1)});
    ASSERT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
    stet_event e;
    EXPECT_EQ(stet_cq_poll(q.handle, &e, sizeof e - 1, 1, -1), STET_E_INVALID);
    EXPECT_TRUE(q.is_readable());
    EXPECT_EQ(q.take().size(), 1u);
}

TEST(ApiQueue, SeveralConsumersAndEngines)
{
    EditingModel m;
    Engine a(m.handle), b(m.handle, {{"batch_size", "2"}, {"draft", "tree"}});
    Queue q;
    const auto &texts = sample_texts();
    constexpr size_t n = 200;
    std::vector<std::string> want;
    for (const auto &t : texts) {
        want.push_back(correct(a, t).text());
    }
    std::vector<std::atomic<int>> seen(2 * n);
    std::atomic<size_t> total{0};
    std::vector<std::thread> consumers;
    for (int k = 0; k < 3; k++) {
        consumers.emplace_back([&] {
            while (total < 2 * n) {
                for (const auto &e : q.take(3, 20000)) {
                    seen[e.tag]++;
                    total++;
                    EXPECT_EQ(e.result.text(), want[e.tag % texts.size()]);
                }
            }
        });
    }
    std::vector<std::thread> producers;
    for (size_t k = 0; k < 2; k++) {
        producers.emplace_back([&, k] {
            for (size_t i = k * n; i < (k + 1) * n; i++) {
                stet_request r = tagged(texts[i % texts.size()], i);
                EXPECT_EQ(stet_submit(k ? a.handle : b.handle, q.handle, &r, 1, nullptr, nullptr,
                                      nullptr),
                          STET_OK);
            }
        });
    }
    for (auto *list : {&producers, &consumers}) {
        for (auto &t : *list) {
            t.join();
        }
    }
    for (const auto &count : seen) {
        EXPECT_EQ(count, 1);
    }
    EXPECT_FALSE(q.is_readable());
}

TEST(ApiQueue, DestroyedWithEventsAndWithRequestsInFlight)
{
    EditingModel m;
    Engine g(m.handle);
    for (int round = 0; round < 20; round++) {
        Queue q;
        submit(g, q, {tagged("ba ce", 1), tagged(".", 2), tagged("difo guha\n\nba", 3)});
        if (round % 2 != 0) {
            EXPECT_EQ(q.take(1, a_minute).size(), 1u);
        }
    }
    Queue q;
    auto s = submit(g, q, {tagged(long_text(), 1)});
    stet_cq_destroy(q.handle);
    q.handle = nullptr;
    stet_cancel(g.handle, s.ids[0]);
    EXPECT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
    EXPECT_EQ(stats_of(g).waiting + stats_of(g).running, 0u);
}

TEST(ApiQueue, ResultsOutliveEngineQueueAndModel)
{
    std::string want;
    std::vector<Event> kept;
    {
        EditingModel m;
        Queue q;
        Engine g(m.handle, {{"memory_limit", "1G"}});
        want = correct(g, sample_texts()[3]).text();
        submit(g, q, {tagged(sample_texts()[3], 1)});
        kept = q.take(1, a_minute);
    }
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(kept[0].result.text(), want);
    EXPECT_FALSE(kept[0].result.edits(STET_UNIT_UTF16).empty());
}

// Events that nobody has taken do not need the engine either.
TEST(ApiQueue, OutlivesTheEngine)
{
    Queue q;
    {
        EditingModel m;
        Engine g(m.handle, {{"memory_limit", "1G"}});
        submit(g, q, {tagged("ba ce", 1), tagged("difo", 2)});
        EXPECT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
        EXPECT_TRUE(q.is_readable()) << "drained: every event is in its queue";
    }
    auto events = q.wait(2);
    EXPECT_EQ(events[1].status, STET_OK);
    EXPECT_EQ(events[2].status, STET_OK);
}

TEST(ApiQueue, NoDescriptorLeft)
{
    rlimit before{}, none{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    stet_cq *q = reinterpret_cast<stet_cq *>(&none);
    Error err;
    stet_status st = stet_cq_create(&q, &err);
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(st, STET_E_NOMEM);
    EXPECT_EQ(q, nullptr);
    EXPECT_NE(std::string(err.message).find("file descriptor"), std::string::npos) << err.message;
}

} // namespace
