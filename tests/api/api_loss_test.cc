// One of an engine's several devices fails: no request is disturbed, whatever else happens to it.
#include "several_fixture.h"

#include <memory>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

using namespace stet_test;

namespace
{

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
    std::vector<Ask> list = asks(20, 5);
    for (Ask &a : list) { // an empty text ends before it can be cancelled
        a.text += "ba ce difo";
    }
    hold_fake_devices(true);
    Submitted s = submit(g, q, requests_of(list));
    ASSERT_EQ(s.status, STET_OK);
    while (!is_held_up(0) || !is_held_up(1)) { // else it depends on who is first
        std::this_thread::yield();
    }
    for (size_t i = 0; i < 20; i += 2) {
        EXPECT_EQ(stet_cancel(g.handle, s.ids[i]), STET_OK);
    }
    hold_fake_devices(false);
    for (const auto &[tag, e] : q.wait(20)) {
        EXPECT_EQ(e.status, tag % 2 == 0 ? STET_E_CANCELLED : STET_OK) << tag;
    }
    EXPECT_EQ(stats_of(g).cancelled_requests, 10u);
}

// Cancelled on a device that then fails: it ends on the other, and is not decoded there.
TEST(ApiSeveralEnds, ACancelGoesWithTheRequest)
{
    FakeModel m(2);
    Engine g(m.handle);
    Queue q;
    hold_fake_devices(true);
    Submitted s = submit(g, q, {token_request({9, 9}, 0), token_request({9}, 1)});
    ASSERT_EQ(s.status, STET_OK);
    while (!is_held_up(0)) { // else it may be cancelled before it is on the device
        std::this_thread::yield();
    }
    EXPECT_EQ(stet_cancel(g.handle, s.ids[0]), STET_OK);
    lose_fake_device(0);
    hold_fake_devices(false);
    auto events = q.wait(2);
    EXPECT_EQ(events[0].status, STET_E_CANCELLED) << events[0].message;
    EXPECT_EQ(events[1].status, STET_OK);
}

// A device that fails when the other's thread may be gone: nothing is handed to that.
TEST(ApiSeveralEnds, DestroyedWhileADeviceFails)
{
    FakeModel m(2);
    Queue q;
    hold_fake_devices(true);
    {
        auto g = std::make_unique<Engine>(m.handle);
        ASSERT_EQ(submit(*g, q, {token_request({9, 9}, 0)}).status, STET_OK);
        while (!is_held_up(0)) {
            std::this_thread::yield();
        }
        std::thread destroyer([&g] { g.reset(); });
        std::this_thread::sleep_for(std::chrono::milliseconds(30)); // for the other thread to end
        lose_fake_device(0);
        hold_fake_devices(false);
        destroyer.join();
    }
    auto events = q.take();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_TRUE(events[0].status == STET_E_DEVICE || events[0].status == STET_E_SHUTDOWN);
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
    Model m(several_folder, parts("0,1"));
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
