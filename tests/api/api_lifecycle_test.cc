// The end of engines: drain, destroy, fork; and what goes on beside requests: health, counts,
// signals, blocking calls.
#include "async_fixture.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <fstream>
#include <memory>
#include <random>
#include <thread>

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace stet_test;

namespace
{

void pause_us(unsigned us)
{
    std::this_thread::sleep_for(std::chrono::microseconds(us));
}

TEST(ApiDrain, RefusesNewRequestsAndWaitsForTheOthers)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    EXPECT_EQ(stet_engine_health(g.handle), STET_HEALTH_READY);
    for (uint64_t i = 0; i < 40; i++) {
        ASSERT_EQ(submit(g, q, {tagged(sample_texts()[i % 9], i)}).status, STET_OK);
    }
    ASSERT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
    EXPECT_EQ(q.take(100).size(), 40u) << "completed means: in the queue";
    EXPECT_EQ(stet_engine_health(g.handle), STET_HEALTH_DRAINING);
    auto s = submit(g, q, {tagged("ba", 1)});
    EXPECT_EQ(s.status, STET_E_SHUTDOWN);
    stet_result *out = nullptr;
    EXPECT_EQ(stet_correct(g.handle, "ba", 2, &out, nullptr), STET_E_SHUTDOWN);
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK) << "again";
    EXPECT_EQ(stet_engine_drain(g.handle, 1, nullptr), STET_OK) << "nothing to wait for";
}

TEST(ApiDrain, DeadlineAndAgain)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    auto s = submit(g, q, {tagged(long_text(), 1)});
    Error err;
    uint64_t until = stet_clock_ns() + 10000000;
    EXPECT_EQ(stet_engine_drain(g.handle, 1, &err), STET_E_DEADLINE);
    EXPECT_NE(std::string(err.message).find("1 request"), std::string::npos) << err.message;
    EXPECT_EQ(stet_engine_drain(g.handle, until, &err), STET_E_DEADLINE);
    EXPECT_GE(stet_clock_ns(), until);
    EXPECT_EQ(submit(g, q, {tagged("ba", 2)}).status, STET_E_SHUTDOWN);
    EXPECT_TRUE(q.take().empty()) << "it goes on";
    EXPECT_EQ(stet_cancel(g.handle, s.ids[0]), STET_OK);
    EXPECT_EQ(stet_engine_drain(g.handle, 0, &err), STET_OK);
    EXPECT_EQ(q.take()[0].status, STET_E_CANCELLED);
}

// The event of the last request must be in the queue when drain returns, every time.
TEST(ApiDrain, NeverReturnsBeforeTheLastEvent)
{
    EditingModel m;
    for (int round = 0; round < 100; round++) {
        Engine g(m.handle, {{"max_decoding_length", "8"}});
        Queue q;
        submit(g, q, {tagged("ba", 1), tagged(".", 2)});
        ASSERT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
        ASSERT_EQ(q.take().size(), 2u) << "round " << round;
    }
}

TEST(ApiDestroy, CompletesWhatIsInFlight)
{
    EditingModel m;
    Queue q;
    uint64_t start;
    {
        Engine g(m.handle, {{"batch_size", "2"}});
        submit(g, q, {tagged(long_text(), 0), tagged(long_text(), 1), tagged(long_text(), 2)});
        while (stats_of(g).running < 2) {
            std::this_thread::yield();
        }
        start = stet_clock_ns();
    }
    EXPECT_LT(stet_clock_ns() - start, 5000000000u) << "about one decoder pass";
    auto events = q.take();
    ASSERT_EQ(events.size(), 3u);
    for (const auto &e : events) {
        EXPECT_EQ(e.status, STET_E_SHUTDOWN);
        EXPECT_NE(e.message.find("destroyed"), std::string::npos);
    }
}

// Blocking calls in progress are done; the requests beside them are ended.
TEST(ApiDestroy, WaitsForBlockingCalls)
{
    EditingModel m;
    std::string text, want;
    for (int i = 0; i < 300; i++) {
        text += "ba ce\n";
    }
    want = correct(Engine(m.handle), text).text();
    for (int round = 0; round < 3; round++) {
        auto g = std::make_unique<Engine>(m.handle);
        Queue q;
        submit(*g, q, {tagged(long_text(), 1)});
        std::thread caller([&, handle = g->handle] {
            stet_result *out = nullptr;
            EXPECT_EQ(stet_correct(handle, text.data(), text.size(), &out, nullptr), STET_OK);
            EXPECT_EQ(Result(out).text(), want);
        });
        while (stats_of(*g).accepted_requests < 2) {
            std::this_thread::yield();
        }
        g.reset();
        caller.join(); // whose call was not cut off
        EXPECT_EQ(q.take()[0].status, STET_E_SHUTDOWN);
    }
}

// Else those who go on submitting could keep destroy from ever ending.
TEST(ApiDestroy, RefusesNewRequestsWhileItWaits)
{
    Model m; // slow: its outputs do not end
    auto g = std::make_unique<Engine>(m.handle);
    stet_engine *handle = g->handle;
    Queue q;
    std::string text = long_text().substr(0, 64000);
    std::atomic<bool> is_done{false};
    std::thread caller([&] {
        stet_result *out = nullptr;
        EXPECT_EQ(stet_correct(handle, text.data(), text.size(), &out, nullptr), STET_OK);
        stet_result_release(out);
        is_done = true;
    });
    while (stats_of(*g).running < 1) {
        std::this_thread::yield();
    }
    std::thread closer([&] { g.reset(); });
    while (stet_engine_health(handle) == STET_HEALTH_READY) {
        std::this_thread::yield();
    }
    EXPECT_EQ(stet_engine_health(handle), STET_HEALTH_DRAINING);
    const std::string short_text = "ba"; // outlives the request
    stet_request r = tagged(short_text, 1);
    EXPECT_EQ(stet_submit(handle, q.handle, &r, 1, nullptr, nullptr, nullptr), STET_E_SHUTDOWN);
    EXPECT_FALSE(is_done) << "the call must outlast this test's use of the engine";
    closer.join();
    caller.join();
    EXPECT_TRUE(q.take().empty());
}

// At any moment: every accepted request has its event, with a whole text or with a reason.
TEST(ApiDestroy, AtRandomMoments)
{
    EditingModel m;
    std::mt19937 rng(5);
    std::vector<std::string> want;
    {
        Engine g(m.handle);
        for (const auto &t : sample_texts()) {
            want.push_back(correct(g, t).text());
        }
    }
    size_t ended = 0, done = 0;
    for (int round = 0; round < 200; round++) {
        Queue q;
        size_t accepted = 0;
        {
            Engine g(m.handle, {{"batch_size", round % 2 ? "2" : "16"}});
            for (size_t n = 1 + rng() % 30; n > 0; n--) {
                size_t k = rng() % want.size();
                accepted += submit(g, q, {tagged(sample_texts()[k], 100 * accepted + k)}).accepted;
            }
            pause_us(rng() % 3000);
        }
        auto events = q.take(100);
        ASSERT_EQ(events.size(), accepted) << "round " << round;
        for (const auto &e : events) {
            ended += e.status == STET_E_SHUTDOWN;
            done += e.status == STET_OK;
            ASSERT_TRUE(e.status == STET_OK || e.status == STET_E_SHUTDOWN) << e.message;
            if (e.status == STET_OK) {
                ASSERT_EQ(e.result.text(), want[e.tag % 100]);
            }
        }
    }
    EXPECT_GT(ended, 0u);
    EXPECT_GT(done, 0u);
}

// ---- fork ---------------------------------------------------------------------------------------

bool is_forked(const Engine &g, const Queue &q)
{
    const std::string text = "ba ce";
    stet_request r = request(text);
    stet_event e;
    stet_stats s{};
    size_t accepted = 99;
    s.struct_size = sizeof s;
    return stet_submit(g.handle, q.handle, &r, 1, nullptr, &accepted, nullptr) == STET_E_FORKED &&
           accepted == 0 && stet_cancel(g.handle, 1) == STET_E_FORKED &&
           stet_cancel(g.handle, UINT64_MAX) == STET_E_FORKED &&
           stet_engine_drain(g.handle, 0, nullptr) == STET_E_FORKED &&
           stet_engine_health(g.handle) == STET_E_FORKED &&
           stet_engine_stats(g.handle, &s) == STET_E_FORKED &&
           stet_cq_poll(q.handle, &e, sizeof e, 1, -1) == STET_E_FORKED;
}

// What a child may do: create its own. Not with the parent's queue, whose descriptor it shares.
bool works_on_its_own(const Engine &parents, const Queue &parents_queue)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    const std::string text = "ba ce";
    stet_request r = request(text);
    stet_event e{};
    bool ok =
        stet_submit(g.handle, parents_queue.handle, &r, 1, nullptr, nullptr, nullptr) ==
            STET_E_FORKED &&
        stet_submit(parents.handle, q.handle, &r, 1, nullptr, nullptr, nullptr) == STET_E_FORKED &&
        stet_submit(g.handle, q.handle, &r, 1, nullptr, nullptr, nullptr) == STET_OK &&
        stet_cq_poll(q.handle, &e, sizeof e, 1, a_minute) == 1 && e.status == STET_OK;
    stet_result_release(e.result);
    return ok;
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
// ThreadSanitizer does not allow it. AddressSanitizer's own locks may be held by a thread that the
// child does not have.
constexpr bool may_start_threads_in_child = false;
#else
constexpr bool may_start_threads_in_child = true;
#endif

TEST(ApiFork, ChildIsToldAndParentGoesOn)
{
    EditingModel m;
    Engine g(m.handle, {{"batch_size", "2"}});
    Queue q;
    auto s = submit(g, q, {tagged(long_text(), 1), tagged("ba ce", 2)});
    pid_t child = fork();
    if (child == 0) {
        int code = is_forked(g, q) ? 0 : 1;
        if (code == 0 && may_start_threads_in_child && !works_on_its_own(g, q)) {
            code = 2;
        }
        stet_cq_wakeup(q.handle);
        stet_cq_destroy(q.handle);
        stet_engine_destroy(g.handle);
        _exit(code);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(q.wait(1)[2].status, STET_OK);
    EXPECT_FALSE(q.is_readable()) << "the child must not have touched the descriptor";
    EXPECT_EQ(stet_cancel(g.handle, s.ids[0]), STET_OK);
    EXPECT_EQ(q.wait(1)[1].status, STET_E_CANCELLED);
}

// ---- Signals ------------------------------------------------------------------------------------

std::vector<std::string> thread_ids()
{
    std::vector<std::string> ids;
    DIR *d = opendir("/proc/self/task");
    for (dirent *e = readdir(d); e != nullptr; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            ids.push_back(e->d_name);
        }
    }
    closedir(d);
    return ids;
}

uint64_t blocked_signals(const std::string &thread)
{
    std::ifstream f("/proc/self/task/" + thread + "/status");
    for (std::string line; std::getline(f, line);) {
        if (line.rfind("SigBlk:", 0) == 0) {
            return std::stoull(line.substr(8), nullptr, 16);
        }
    }
    return 0;
}

// The host program's handlers run on its own threads.
TEST(ApiSignals, LibraryThreadsBlockAll)
{
    auto before = thread_ids();
    Model m("edgeformer-a", {{"device", "cpu"}, {"intra_threads", "3"}});
    Engine g(m.handle);
    size_t own = 0;
    for (const auto &id : thread_ids()) {
        if (std::find(before.begin(), before.end(), id) == before.end()) {
            own++;
            for (int sig = 1; sig < 32; sig++) {
                bool is_blocked = (blocked_signals(id) >> (sig - 1) & 1) != 0;
                EXPECT_EQ(is_blocked, sig != SIGKILL && sig != SIGSTOP) << sig;
            }
        }
    }
    EXPECT_GE(own, 3u) << "two of the pool, one that drives";
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    EXPECT_FALSE(sigismember(&mask, SIGUSR1)) << "the caller's mask is as it was";
}

// ---- Together -----------------------------------------------------------------------------------

TEST(ApiAsync, BlockingCallsBesideRequests)
{
    EditingModel m("2");
    Engine g(m.handle, {{"queue_size", "8"}});
    const auto &texts = sample_texts();
    std::vector<std::string> want;
    for (const auto &t : texts) {
        want.push_back(correct(g, t).text());
    }
    std::atomic<bool> is_over{false};
    std::atomic<int> calls{0};
    std::vector<std::thread> callers;
    for (size_t k = 0; k < 2; k++) {
        callers.emplace_back([&, k] {
            for (size_t i = k; !is_over; i++) {
                std::vector<stet_request> r(12, request(texts[i % texts.size()]));
                std::vector<stet_result *> out(12);
                EXPECT_EQ(stet_correct_batch(g.handle, r.data(), 12, out.data(), nullptr, nullptr),
                          STET_OK);
                for (auto *p : out) {
                    EXPECT_EQ(Result(p).text(), want[i % texts.size()]);
                }
                calls++;
            }
        });
    }
    Queue q;
    for (uint64_t done = 0; done < 60;) {
        stet_request r = tagged(texts[done % texts.size()], done % texts.size());
        if (stet_submit(g.handle, q.handle, &r, 1, nullptr, nullptr, nullptr) == STET_OK) {
            auto events = q.take(1, a_minute);
            ASSERT_EQ(events.size(), 1u);
            EXPECT_EQ(events[0].result.text(), want[events[0].tag]);
            done++;
        } else {
            pause_us(50);
        }
    }
    is_over = true;
    for (auto &t : callers) {
        t.join();
    }
    EXPECT_GT(calls, 0);
}

TEST(ApiStats, CountsOfAnEngineAddUp)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    stet_stats sum{};
    for (uint64_t i = 0; i < 50; i++) {
        ASSERT_EQ(submit(g, q, {tagged(sample_texts()[i % 11], i)}).status, STET_OK);
    }
    for (auto &[tag, e] : q.wait(50)) {
        stet_stats s = e.result.stats();
        sum.sentences += s.sentences;
        sum.output_tokens += s.output_tokens;
        sum.passes += s.passes;
        EXPECT_EQ(s.waiting + s.running + s.accepted_requests + s.batch_passes, 0u);
    }
    stet_stats t = stats_of(g);
    EXPECT_EQ(t.requests, 50u);
    EXPECT_EQ(t.accepted_requests, 50u);
    EXPECT_EQ(t.sentences, sum.sentences);
    EXPECT_EQ(t.output_tokens, sum.output_tokens);
    EXPECT_EQ(t.passes, sum.passes);
    EXPECT_GT(t.batch_passes, 0u);
    EXPECT_LE(t.batch_passes, t.passes);
    EXPECT_GT(t.encoder_calls, 0u);
    EXPECT_EQ(t.cancelled_requests + t.expired_requests + t.failed_requests, 0u);
    EXPECT_GT(t.total_ns, 0u);
}

TEST(ApiStats, OldAndWrongStructSizes)
{
    EditingModel m;
    Engine g(m.handle);
    Result r = correct(g, "ba ce");
    stet_stats s{};
    size_t old = offsetof(stet_stats, queue_ns);
    s.queue_ns = 77;
    s.struct_size = static_cast<uint32_t>(old);
    EXPECT_EQ(stet_engine_stats(g.handle, &s), STET_OK);
    EXPECT_EQ(s.requests, 1u);
    EXPECT_EQ(s.queue_ns, 77u) << "not part of the old struct";
    EXPECT_EQ(s.struct_size, old);
    for (uint32_t size : {0u, 4u, static_cast<uint32_t>(sizeof s + 8)}) {
        s.struct_size = size;
        EXPECT_EQ(stet_engine_stats(g.handle, &s), STET_E_INVALID);
        EXPECT_EQ(stet_result_stats(r.handle, &s), STET_E_INVALID);
    }
    EXPECT_EQ(stet_result_stats(nullptr, &s), STET_E_INVALID);
}

TEST(ApiClock, IsMonotonic)
{
    timespec t{};
    uint64_t a = stet_clock_ns();
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t b = stet_clock_ns();
    uint64_t between =
        static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
    EXPECT_LE(a, between);
    EXPECT_LE(between, b);
}

} // namespace
