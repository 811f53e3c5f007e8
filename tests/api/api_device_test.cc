// A device that fails while requests are in flight: every accepted one has its event, and an engine
// whose device has failed for good says so and can be closed.
#include "async_fixture.h"
#include "wrapped_ops.h"

#include <thread>

extern "C" {
#include "alloc.h"
#include "device_swap.h"
}

using namespace stet_test;

namespace
{

const std::vector<std::string> &device_texts()
{
    static const std::vector<std::string> list = {"Bace difo guha. Jeki lomu nape! Risotu?",
                                                  "ba ce\ndi fo", "Vawexi yozu.", "12",
                                                  "so tu va we xi yo zu ba ce di fo gu ha"};
    return list;
}

uint64_t live_blocks()
{
    steti_alloc_stats s{};
    steti_alloc_get_stats(&s);
    return s.live_count;
}

struct Outcome {
    stet_status created = STET_OK;
    size_t done = 0, failed = 0;
    int32_t health = STET_HEALTH_READY;
};

bool is_dead_soon(const Engine &g)
{
    for (int i = 0; i < 10000 && stet_engine_health(g.handle) != STET_HEALTH_DEAD; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return stet_engine_health(g.handle) == STET_HEALTH_DEAD;
}

void check_dead(const Engine &g, const Queue &q)
{
    EXPECT_TRUE(is_dead_soon(g));
    Submitted s = submit(g, q, {tagged("ba", 1)});
    EXPECT_EQ(s.status, STET_E_DEVICE);
    EXPECT_NE(std::string(s.err.message).find("destroy the engine"), std::string::npos);
    stet_result *out = nullptr;
    EXPECT_EQ(stet_correct(g.handle, "ba", 2, &out, nullptr), STET_E_DEVICE);
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
    EXPECT_EQ(stet_engine_health(g.handle), STET_HEALTH_DEAD);
    EXPECT_EQ(stats_of(g).waiting + stats_of(g).running, 0u);
}

Outcome run_engine(stet_model *m, const std::vector<std::string> &want, const Options &options)
{
    Outcome o;
    Queue q;
    Engine g(m, options);
    o.created = g.status;
    if (g.status != STET_OK) {
        EXPECT_EQ(g.status, STET_E_DEVICE) << g.err.message;
        return o;
    }
    size_t accepted = 0;
    for (size_t i = 0; i < 2 * want.size(); i++) {
        Submitted s = submit(g, q, {tagged(device_texts()[i % want.size()], i)});
        EXPECT_TRUE(s.status == STET_OK || s.status == STET_E_DEVICE) << s.err.message;
        accepted += s.accepted;
    }
    for (const auto &[tag, e] : q.wait(accepted)) {
        o.done += e.status == STET_OK;
        o.failed += e.status == STET_E_DEVICE;
        EXPECT_TRUE(e.status == STET_OK || e.status == STET_E_DEVICE) << e.message;
        if (e.status == STET_OK) {
            EXPECT_EQ(e.result.text(), want[tag % want.size()]) << "OK means right";
        }
    }
    EXPECT_EQ(o.done + o.failed, accepted);
    EXPECT_TRUE(q.take().empty());
    if (o.failed > 0) {
        check_dead(g, q);
    } else if (!failing_device().broken) {
        failing_device().at = 0;
        EXPECT_EQ(correct(g, device_texts()[0]).text(), want[0]);
    }
    o.health = stet_engine_health(g.handle);
    return o;
}

class ApiDevice : public ::testing::TestWithParam<int>
{
};

TEST_P(ApiDevice, FailsAtEveryCall)
{
    FailingDevice &d = failing_device();
    d = FailingDevice{};
    EditingModel m;
    ASSERT_EQ(m.status, STET_OK);
    std::vector<std::string> want;
    {
        Engine g(m.handle);
        for (const auto &t : device_texts()) {
            want.push_back(correct(g, t).text());
        }
    }
    ASSERT_EQ(swap_device(m.handle, fixture("transformer-pre").c_str(), failing_ops()), STET_OK);
    for (const char *draft : {"edit", "tree"}) {
        for (bool sticky : {false, true}) {
            size_t failures = 0, reached = 1;
            for (int at = 1; reached; at += 1 + at / 5) {
                uint64_t before = live_blocks();
                d = FailingDevice{};
                d.op = static_cast<Op>(GetParam());
                d.at = at;
                d.sticky = sticky;
                Outcome o = run_engine(m.handle, want, {{"draft", draft}});
                reached = d.seen[GetParam()] >= at;
                failures += o.failed > 0 || o.created != STET_OK;
                ASSERT_EQ(live_blocks(), before) << "call " << at << " leaks";
                ASSERT_FALSE(HasFailure()) << "call " << at << " sticky " << sticky;
            }
            // A single failure of a decoder pass is repaired by running each sentence alone.
            bool is_used = d.seen[GetParam()] > 1;
            EXPECT_TRUE(failures > 0 || !sticky || !is_used);
        }
    }
    d = FailingDevice{};
    EXPECT_EQ(run_engine(m.handle, want, {}).done, 2 * want.size());
}

INSTANTIATE_TEST_SUITE_P(Ops, ApiDevice, ::testing::Range(0, static_cast<int>(Op::count)));

// A failure while a sentence is only decoded again, for option verify.
TEST(ApiDeviceVerify, IsAFailureOfTheDevice)
{
    FailingDevice &d = failing_device();
    d = FailingDevice{};
    EditingModel m;
    ASSERT_EQ(swap_device(m.handle, fixture("transformer-pre").c_str(), failing_ops()), STET_OK);
    size_t failed = 0;
    for (int at = 1; at < 60; at += 3) {
        d = FailingDevice{};
        Engine g(m.handle, {{"verify", "1"}});
        Queue q;
        d = FailingDevice{};
        d.op = Op::argmax;
        d.at = at;
        d.sticky = true;
        Submitted s = submit(g, q, {tagged("Bace difo guha.", 1)});
        ASSERT_EQ(s.status, STET_OK);
        auto events = q.wait(1);
        if (events[1].status != STET_OK) {
            EXPECT_EQ(events[1].status, STET_E_DEVICE) << events[1].message;
            EXPECT_TRUE(is_dead_soon(g)) << "call " << at;
            failed++;
        }
    }
    EXPECT_GT(failed, 2u);
}

} // namespace
