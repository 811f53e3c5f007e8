// One engine on several devices: what it answers is what one device answers, work is shared out by
// the tokens in flight, and a device that fails takes no request with it.
#include "async_fixture.h"
#include "fake_devices.h"

#include <cstring>
#include <random>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern "C" {
#include "alloc.h"
#include "device_swap.h"
}

using namespace stet_test;

namespace
{

const char *const folder = "transformer-pre"; // its outputs end

// ---- The log: hooks must come before the first handle -------------------------------------------

struct Log {
    std::mutex lock;
    std::vector<std::string> lines;
    std::vector<std::string> take()
    {
        std::lock_guard<std::mutex> guard(lock);
        return std::move(lines);
    }
};

Log &log_of_test()
{
    static Log log;
    return log;
}

const bool has_log = [] {
    stet_hooks hooks{};
    hooks.struct_size = sizeof hooks;
    hooks.log_level = STET_LOG_INFO;
    hooks.log = [](void *, int32_t, const char *component, const char *line, size_t) {
        std::lock_guard<std::mutex> guard(log_of_test().lock);
        log_of_test().lines.push_back(std::string(component) + ": " + line);
    };
    return stet_set_hooks(&hooks, nullptr) == STET_OK;
}();

// ---- Helpers ------------------------------------------------------------------------------------

Options parts(const char *list, const char *threads = "1")
{
    return {{"device", "cpu"}, {"device_index", list}, {"intra_threads", threads}};
}

const char *list_of(int n)
{
    static const char *const lists[] = {"", "0", "0,1", "0-2"};
    return lists[n];
}

// A model on n fake devices.
struct FakeModel : Model {
    explicit FakeModel(int n) : Model(folder, parts(list_of(n)))
    {
        reset_fake_devices();
        status =
            status == STET_OK ? swap_device(handle, fixture(folder).c_str(), fake_ops()) : status;
    }
};

stet_device_state device_of(const Engine &g, size_t i)
{
    stet_device_state s{};
    s.struct_size = sizeof s;
    EXPECT_EQ(stet_engine_device(g.handle, i, &s), STET_OK);
    return s;
}

struct Ask {
    std::string text;
    std::vector<int32_t> tokens;
    uint32_t flags = 0;
    const char *prompt = nullptr;
};

// Requests of every kind.
std::vector<Ask> asks(size_t n, unsigned seed)
{
    static const char *const words[] = {"ba", "ce", "Difo", "guha", "jeki", "lomu", "12", "x"};
    std::mt19937 rng(seed);
    std::vector<Ask> list(n);
    for (size_t i = 0; i < n; i++) {
        Ask &a = list[i];
        if (i % 4 == 3) {
            a.flags = STET_REQ_TOKENS;
            for (unsigned k = rng() % 12; k > 0; k--) {
                a.tokens.push_back(static_cast<int32_t>(5 + rng() % 200));
            }
            continue;
        }
        a.flags = i % 4 == 1 ? STET_REQ_WRAPPED : i % 8 == 2 ? STET_REQ_SENTENCE : 0;
        a.prompt = i % 5 == 0 ? "guha: " : nullptr;
        for (unsigned k = rng() % (i % 7 == 0 ? 40 : 9); k > 0; k--) {
            a.text += std::string(words[rng() % 8]) + (rng() % 4 == 0 ? ".\n" : " ");
        }
    }
    return list;
}

stet_request request_of(const Ask &a, uint64_t tag)
{
    stet_request r =
        a.flags == STET_REQ_TOKENS ? token_request(a.tokens, tag) : tagged(a.text, tag, a.flags);
    r.prompt = a.prompt;
    return r;
}

// Everything in a result that may not depend on the device, which is all but times.
std::string bits_of(const Result &r)
{
    std::string s;
    auto add = [&s](const void *p, size_t n) {
        s.append(static_cast<const char *>(p), n);
        s.push_back('|');
    };
    size_t n = 0;
    const char *text = stet_result_text(r.handle, &n);
    const int32_t *tokens = stet_result_tokens(r.handle, nullptr);
    add(text != nullptr ? text : "", text != nullptr ? n : 0);
    if (tokens != nullptr) {
        stet_result_tokens(r.handle, &n);
        add(tokens, n * sizeof *tokens);
    }
    for (const auto &e : r.edits(STET_UNIT_BYTE)) {
        add(&e.src_off, 4 * sizeof e.src_off);
        add(e.text, e.text_len);
        add(&e.score, sizeof e.score);
    }
    for (const auto &e : r.sentences()) {
        add(&e, sizeof e);
    }
    stet_stats t = r.stats();
    uint64_t counts[] = {t.requests, t.sentences, t.source_tokens, t.output_tokens, t.passes,
                         t.drafted,  t.accepted,  t.verified,      t.unfinished};
    add(counts, sizeof counts);
    return s;
}

const Options exact = {{"scores", "1"}, {"draft_window", "4"}, {"verify", "1"}};

std::vector<std::string> answers(const std::vector<Ask> &list, const Options &o = exact)
{
    Model m(folder, parts("0"));
    Engine g(m.handle, o);
    std::vector<std::string> out;
    for (const auto &a : list) {
        stet_request r = request_of(a, 0);
        stet_result *result = nullptr;
        EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &result, nullptr, nullptr), STET_OK);
        out.push_back(bits_of(Result(result)));
    }
    return out;
}

std::vector<stet_request> requests_of(const std::vector<Ask> &list)
{
    std::vector<stet_request> out;
    for (size_t i = 0; i < list.size(); i++) {
        out.push_back(request_of(list[i], i));
    }
    return out;
}

uint64_t live_blocks()
{
    steti_alloc_stats s{};
    steti_alloc_get_stats(&s);
    return s.live_count;
}

// ---- Parts of the processor ---------------------------------------------------------------------

class ApiSeveral : public ::testing::TestWithParam<int>
{
};

TEST_P(ApiSeveral, AnswersAreThoseOfOneDevice)
{
    const std::vector<Ask> list = asks(48, 1);
    const std::vector<std::string> want = answers(list);
    Model m(folder, parts(list_of(GetParam())));
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    Engine g(m.handle, exact);
    ASSERT_EQ(g.status, STET_OK) << g.err.message;
    Queue q;
    ASSERT_EQ(submit(g, q, requests_of(list)).status, STET_OK);
    auto events = q.wait(list.size());
    std::vector<stet_result *> results(list.size(), nullptr);
    const std::vector<stet_request> requests = requests_of(list);
    ASSERT_EQ(stet_correct_batch(g.handle, requests.data(), list.size(), results.data(), nullptr,
                                 nullptr),
              STET_OK);
    for (size_t i = 0; i < list.size(); i++) {
        EXPECT_EQ(bits_of(events[i].result), want[i]) << "submitted " << i;
        EXPECT_EQ(bits_of(Result(results[i])), want[i]) << "in a blocking call " << i;
    }
    stet_stats t = stats_of(g);
    uint64_t passes = 0, calls = 0;
    for (int i = 0; i < GetParam(); i++) {
        stet_device_state s = device_of(g, static_cast<size_t>(i));
        EXPECT_EQ(s.health, STET_HEALTH_READY);
        EXPECT_EQ(s.device_index, static_cast<uint32_t>(i));
        EXPECT_EQ(s.requests + s.tokens, 0u);
        EXPECT_GT(s.batch_passes, 0u) << "device " << i << " did nothing";
        EXPECT_STREQ(s.message, "");
        passes += s.batch_passes;
        calls += s.encoder_calls;
    }
    EXPECT_EQ(t.batch_passes, passes);
    EXPECT_EQ(t.encoder_calls, calls);
    EXPECT_EQ(t.requests, 2 * list.size());
    EXPECT_EQ(t.accepted_requests, 2 * list.size());
    EXPECT_EQ(t.waiting + t.running, 0u);
}

INSTANTIATE_TEST_SUITE_P(Devices, ApiSeveral, ::testing::Values(1, 2, 3));

TEST(ApiSeveralOptions, ThreadsAreSharedOut)
{
    Model m(folder, parts("0-2", "4"));
    Engine g(m.handle);
    const char *const want[] = {"2 threads)", "1 thread)", "1 thread)"};
    for (size_t i = 0; i < 3; i++) {
        EXPECT_NE(std::string(device_of(g, i).name).find(want[i]), std::string::npos)
            << device_of(g, i).name;
    }
    Model few(folder, parts("0-2", "1"));
    Engine h(few.handle);
    EXPECT_NE(std::string(device_of(h, 2).name).find("1 thread)"), std::string::npos);
}

TEST(ApiSeveralOptions, AllIsOneProcessor)
{
    Model m(folder, parts("all"));
    Engine g(m.handle);
    stet_device_state s{};
    s.struct_size = sizeof s;
    EXPECT_EQ(stet_engine_device(g.handle, 0, &s), STET_OK);
    EXPECT_EQ(stet_engine_device(g.handle, 1, &s), STET_E_INVALID);
    EXPECT_EQ(stet_engine_device(nullptr, 0, &s), STET_E_INVALID);
    EXPECT_EQ(stet_engine_device(g.handle, 0, nullptr), STET_E_INVALID);
    s.struct_size = 3;
    EXPECT_EQ(stet_engine_device(g.handle, 0, &s), STET_E_INVALID);
}

// What an engine needs on two devices: weights once, the rest about twice; a limit is for all.
TEST(ApiSeveralOptions, MemoryLimitIsForAllDevices)
{
    auto least = [](const char *list) {
        Model m(folder, parts(list));
        Engine g(m.handle, {{"memory_limit", "1"}});
        EXPECT_EQ(g.status, STET_E_NOMEM);
        const char *p = std::strstr(g.err.message, "but ");
        return p != nullptr ? std::strtoull(p + 4, nullptr, 10) : 0;
    };
    uint64_t one = least("0"), two = least("0,1"), three = least("0-2");
    EXPECT_GT(two, one + (one - 600000) / 2) << one;
    EXPECT_LT(two, 2 * one);
    EXPECT_EQ(three - two, two - one);
    Model m(folder, parts("0,1"));
    const std::string below = std::to_string(two - 1), enough = std::to_string(two);
    EXPECT_EQ(Engine(m.handle, {{"memory_limit", below.c_str()}}).status, STET_E_NOMEM);
    Engine g(m.handle, {{"memory_limit", enough.c_str()}});
    ASSERT_EQ(g.status, STET_OK) << g.err.message;
    EXPECT_LE(stats_of(g).memory_bytes, two);
    correct(g, "ba ce difo");
}

// ---- Sharing out --------------------------------------------------------------------------------

TEST(ApiSeveralShare, FewestTokensFirst)
{
    FakeModel m(3);
    ASSERT_EQ(m.status, STET_OK);
    Engine g(m.handle);
    Queue q;
    const struct {
        size_t tokens, device;
    } steps[] = {{9, 0}, {4, 1}, {4, 2}, {2, 1}, {1, 2}, {0, 2},
                 {0, 1}, {0, 2}, {0, 1}, {3, 2}, {0, 0}};
    uint64_t want[3] = {0, 0, 0}, requests[3] = {0, 0, 0};
    hold_fake_devices(true);
    for (const auto &s : steps) {
        std::vector<int32_t> tokens(s.tokens, 7);
        ASSERT_EQ(
            submit(g, q, {token_request(tokens, requests[0] + requests[1] + requests[2])}).status,
            STET_OK);
        want[s.device] += s.tokens + 1;
        requests[s.device]++;
        for (size_t i = 0; i < 3; i++) {
            EXPECT_EQ(device_of(g, i).tokens, want[i]) << "device " << i;
            EXPECT_EQ(device_of(g, i).requests, requests[i]) << "device " << i;
        }
    }
    hold_fake_devices(false);
    EXPECT_EQ(q.wait(11).size(), 11u);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_EQ(device_of(g, i).tokens, 0u);
    }
}

// ---- A device that fails ------------------------------------------------------------------------

bool is_dead_soon(const Engine &g)
{
    for (int i = 0; i < 10000 && stet_engine_health(g.handle) != STET_HEALTH_DEAD; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return stet_engine_health(g.handle) == STET_HEALTH_DEAD;
}

TEST(ApiSeveralLoss, NoRequestIsDisturbed)
{
    ASSERT_TRUE(has_log);
    const std::vector<Ask> list = asks(32, 2);
    const std::vector<std::string> want = answers(list);
    size_t losses = 0;
    for (int n = 2; n <= 3; n++) {
        FakeModel m(n);
        ASSERT_EQ(m.status, STET_OK);
        for (int at = 1; at < 60; at += 1 + at / 2) {
            uint64_t before = live_blocks();
            reset_fake_devices();
            FakeDevice &victim = fake_devices().list[at % n];
            victim.fail_at = at;
            log_of_test().take();
            {
                Engine g(m.handle, exact);
                Queue q;
                ASSERT_EQ(submit(g, q, requests_of(list)).status, STET_OK);
                for (const auto &[tag, e] : q.wait(list.size())) {
                    ASSERT_EQ(e.status, STET_OK) << e.message;
                    ASSERT_EQ(bits_of(e.result), want[tag]) << "request " << tag;
                }
                stet_device_state s = device_of(g, static_cast<size_t>(at % n));
                bool is_lost = s.health == STET_HEALTH_DEAD;
                int calls = victim.calls;
                losses += is_lost;
                EXPECT_EQ(is_lost, victim.is_lost);
                EXPECT_EQ(stet_engine_health(g.handle), STET_HEALTH_READY);
                EXPECT_EQ(std::string(s.message).find("plug was pulled") != std::string::npos,
                          is_lost);
                EXPECT_EQ(bits_of(correct(g, list[0].text, list[0].flags)).size() > 0, true);
                EXPECT_TRUE(!is_lost || victim.calls == calls) << "it is asked no more";
                auto lines = log_of_test().take();
                EXPECT_EQ(lines.size(), is_lost ? 1u : 0u);
                EXPECT_TRUE(lines.empty() ||
                            lines[0].find("devices are left") != std::string::npos);
                stet_stats t = stats_of(g);
                EXPECT_EQ(t.requests, list.size() + 1);
                EXPECT_EQ(t.failed_requests, 0u);
                EXPECT_EQ(t.waiting + t.running, 0u);
                EXPECT_EQ(device_of(g, 0).tokens + device_of(g, 1).tokens, 0u);
            }
            EXPECT_EQ(live_blocks(), before) << "call " << at;
        }
    }
    EXPECT_GT(losses, 8u);
}

// A blocking call has its work moved as well.
TEST(ApiSeveralLoss, BlockingCallsGoOn)
{
    const std::vector<Ask> list = asks(24, 3);
    const std::vector<std::string> want = answers(list);
    const std::vector<stet_request> requests = requests_of(list);
    FakeModel m(2);
    fake_devices().list[0].fail_at = 3;
    Engine g(m.handle,
             {{"scores", "1"}, {"draft_window", "4"}, {"verify", "1"}, {"queue_size", "5"}});
    std::vector<stet_result *> results(list.size(), nullptr);
    ASSERT_EQ(stet_correct_batch(g.handle, requests.data(), list.size(), results.data(), nullptr,
                                 nullptr),
              STET_OK);
    EXPECT_EQ(device_of(g, 0).health, STET_HEALTH_DEAD);
    for (size_t i = 0; i < list.size(); i++) {
        EXPECT_EQ(bits_of(Result(results[i])), want[i]) << i;
    }
}

TEST(ApiSeveralLoss, AllDevices)
{
    const std::vector<Ask> list = asks(32, 4);
    const std::vector<std::string> want = answers(list);
    for (int n = 2; n <= 3; n++) {
        FakeModel m(n);
        for (int i = 0; i < n; i++) {
            fake_devices().list[i].fail_at = 2 + 3 * i;
        }
        Engine g(m.handle, exact);
        Queue q;
        size_t failed = 0;
        Submitted s = submit(g, q, requests_of(list));
        EXPECT_TRUE(s.status == STET_OK || s.status == STET_E_DEVICE);
        for (const auto &[tag, e] : q.wait(s.accepted)) {
            ASSERT_TRUE(e.status == STET_OK || e.status == STET_E_DEVICE) << e.message;
            failed += e.status == STET_E_DEVICE;
            EXPECT_TRUE(e.status != STET_OK || bits_of(e.result) == want[tag]);
        }
        EXPECT_GT(failed, 0u);
        EXPECT_TRUE(is_dead_soon(g));
        EXPECT_EQ(submit(g, q, {tagged("ba", 1)}).status, STET_E_DEVICE);
        stet_result *out = nullptr;
        EXPECT_EQ(stet_correct(g.handle, "ba", 2, &out, nullptr), STET_E_DEVICE);
        EXPECT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
        EXPECT_EQ(stats_of(g).failed_requests, failed);
        EXPECT_EQ(stats_of(g).waiting + stats_of(g).running, 0u);
    }
}

// A request that brings down whatever decodes it gets two devices and not the third.
TEST(ApiSeveralLoss, ADeadlyRequestEndsAfterTwo)
{
    FakeModel m(3);
    for (auto &one : fake_devices().list) {
        one.deadly = 111;
    }
    Engine g(m.handle);
    Queue q;
    ASSERT_EQ(submit(g, q, {token_request({9, 111, 9}, 1)}).status, STET_OK);
    auto events = q.wait(1);
    EXPECT_EQ(events[1].status, STET_E_DEVICE);
    EXPECT_NE(events[1].message.find("plug was pulled"), std::string::npos) << events[1].message;
    EXPECT_EQ(stet_engine_health(g.handle), STET_HEALTH_READY);
    EXPECT_EQ(device_of(g, 0).health, STET_HEALTH_DEAD);
    EXPECT_EQ(device_of(g, 1).health, STET_HEALTH_DEAD);
    EXPECT_EQ(device_of(g, 2).health, STET_HEALTH_READY);
    correct(g, "ba ce difo");
    EXPECT_EQ(stats_of(g).failed_requests, 1u);
}

// ---- Ends ---------------------------------------------------------------------------------------

TEST(ApiSeveralEnds, CancelReachesTheLane)
{
    FakeModel m(2);
    Engine g(m.handle);
    Queue q;
    hold_fake_devices(true);
    Submitted s = submit(g, q, requests_of(asks(20, 5)));
    ASSERT_EQ(s.status, STET_OK);
    for (size_t i = 0; i < 20; i += 2) {
        EXPECT_EQ(stet_cancel(g.handle, s.ids[i]), STET_OK);
    }
    hold_fake_devices(false);
    for (const auto &[tag, e] : q.wait(20)) {
        EXPECT_EQ(e.status, tag % 2 == 0 ? STET_E_CANCELLED : STET_OK) << tag;
    }
    EXPECT_EQ(stats_of(g).cancelled_requests, 10u);
}

TEST(ApiSeveralEnds, DrainWaitsForAllDevices)
{
    FakeModel m(3);
    Engine g(m.handle);
    Queue q;
    hold_fake_devices(true);
    ASSERT_EQ(submit(g, q, requests_of(asks(12, 6))).status, STET_OK);
    EXPECT_EQ(stet_engine_drain(g.handle, stet_clock_ns() + 1000000, nullptr), STET_E_DEADLINE);
    EXPECT_EQ(stet_engine_health(g.handle), STET_HEALTH_DRAINING);
    hold_fake_devices(false);
    EXPECT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
    EXPECT_EQ(q.take().size(), 12u);
}

// Whatever happens when: one event for each, and what is OK is right.
TEST(ApiSeveralEnds, RandomLossesCancelsDeadlinesAndDestruction)
{
    const Options options = {{"draft_window", "4"}};
    const std::vector<Ask> list = asks(16, 7);
    const std::vector<std::string> want = answers(list, options);
    FakeModel two(2), three(3);
    std::map<stet_status, size_t> ends;
    for (unsigned seed = 1; seed <= 60; seed++) {
        std::mt19937 rng(seed);
        uint64_t before = live_blocks();
        reset_fake_devices();
        for (auto &one : fake_devices().list) {
            one.fail_at = rng() % 3 == 0 ? 0 : 1 + static_cast<int>(rng() % 40);
        }
        {
            Queue q;
            std::vector<Event> events;
            std::set<uint64_t> ids;
            {
                Engine g(rng() % 2 ? two.handle : three.handle, options);
                for (size_t i = 0; i < list.size(); i++) {
                    stet_request r = request_of(list[i], i);
                    r.deadline_ns = rng() % 8 == 0 ? stet_clock_ns() + rng() % 20000000 : 0;
                    r.priority = static_cast<int32_t>(rng() % 3);
                    uint64_t id = 0;
                    stet_submit(g.handle, q.handle, &r, 1, &id, nullptr, nullptr);
                    if (id != 0 && rng() % 6 == 0) {
                        EXPECT_EQ(stet_cancel(g.handle, id), STET_OK);
                    }
                    ids.insert(id);
                }
                ids.erase(0);
                for (size_t n = rng() % (ids.size() + 1); n > 0; n--) {
                    auto one = q.take(1, a_minute);
                    ASSERT_EQ(one.size(), 1u) << "seed " << seed;
                    events.push_back(std::move(one[0]));
                }
            }
            for (auto &e : q.take(1000)) {
                events.push_back(std::move(e));
            }
            ASSERT_EQ(events.size(), ids.size()) << "seed " << seed;
            for (const auto &e : events) {
                EXPECT_EQ(ids.erase(e.id), 1u) << "seed " << seed;
                EXPECT_TRUE(e.status != STET_OK || bits_of(e.result) == want[e.tag])
                    << "seed " << seed;
                ends[e.status]++;
            }
        }
        ASSERT_EQ(live_blocks(), before) << "seed " << seed;
    }
    for (stet_status st :
         {STET_OK, STET_E_CANCELLED, STET_E_DEADLINE, STET_E_DEVICE, STET_E_SHUTDOWN}) {
        EXPECT_GT(ends[st], 2u) << stet_status_name(st);
    }
}

TEST(ApiSeveralEnds, NotInAChildOfFork)
{
    Model m(folder, parts("0,1"));
    Engine g(m.handle);
    correct(g, "ba ce");
    pid_t child = fork();
    if (child == 0) {
        stet_device_state s{};
        s.struct_size = sizeof s;
        bool ok = stet_engine_device(g.handle, 0, &s) == STET_E_FORKED &&
                  stet_engine_health(g.handle) == STET_E_FORKED;
        stet_engine_destroy(g.handle); // does not wait for threads that the child has not
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    correct(g, "ba ce");
}

} // namespace
