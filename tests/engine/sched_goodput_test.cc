// Goodput in simulated time: how much of what a device can do is answered in time, from half its
// load to twice its load. What comes does not wait for what was answered (open loop), and what is
// refused, expired or late counts as nothing.
#include "sched_traffic.h"

#include <gtest/gtest.h>

using namespace stet_test;

namespace
{

struct Goodput {
    const char *name;
    SimOptions sim;
    uint64_t target_ms;
    Arrivals arrivals;
    bool alike;
};

SimOptions wide() // passes cost the same however many slots
{
    SimOptions o;
    o.n_slots = 64;
    o.device.pass_tile = 64;
    return o;
}

SimOptions stepped() // a few slots are free, the rest cost something
{
    SimOptions o;
    o.n_slots = 32;
    return o;
}

SimOptions linear() // every row costs the same
{
    SimOptions o;
    o.n_slots = 8;
    o.encode_worth = 1;
    o.device = {10e3, 100e3, 100e3, 200e3, 800e3, 1, 1, 0, 1};
    return o;
}

SimOptions stalling()
{
    SimOptions o = stepped();
    o.device.slow_chance = 0.001;
    o.device.slow_times = 100;
    return o;
}

const Goodput cases[] = {
    {"Wide50", wide(), 50, Arrivals::POISSON, true},
    {"Wide1000", wide(), 1000, Arrivals::POISSON, true},
    {"Stepped50", stepped(), 50, Arrivals::POISSON, true},
    {"Stepped200", stepped(), 200, Arrivals::POISSON, true},
    {"Stepped1000", stepped(), 1000, Arrivals::POISSON, true},
    {"Stepped200Uneven", stepped(), 200, Arrivals::POISSON, false},
    {"Stepped1000Uneven", stepped(), 1000, Arrivals::POISSON, false},
    {"Linear200", linear(), 200, Arrivals::POISSON, true},
    {"Linear5000", linear(), 5000, Arrivals::POISSON, true},
    {"Stalling200", stalling(), 200, Arrivals::POISSON, true},
    {"Giants1000", stepped(), 1000, Arrivals::GIANT, true},
    {"Bursts1000", stepped(), 1000, Arrivals::BURSTS, true},
};

class SchedulerGoodput : public ::testing::TestWithParam<Goodput>
{
};

TrafficOptions options(const Goodput &g, double load)
{
    TrafficOptions o;
    o.sim = g.sim;
    o.sim.max_requests = 4000;
    o.most_requests = 4000;
    o.most_tokens = 10000000;
    o.max_sentences = 3;
    o.deadlines = 1;
    o.target_ns = g.target_ms * 1000000;
    o.arrivals = g.arrivals;
    o.alike = g.alike;
    o.n = 20000;
    o.load = load;
    return o;
}

TEST_P(SchedulerGoodput, TwiceTheLoadCostsNothing)
{
    const Goodput &g = GetParam();
    double peak = 0, last = 0;
    std::printf("%-18s load: goodput (refused, expired or late) in %%:", g.name);
    for (double load : {0.5, 0.8, 1.0, 1.2, 1.5, 2.0}) {
        TrafficOptions o = options(g, load);
        Traffic t(o);
        ASSERT_TRUE(t.run()) << t.sim.complaint; // nothing that was taken in is lost
        const TrafficCounts &c = t.counts;
        double full = full_ns_per_token(o.sim, (1 + o.max_tokens) / 2.0, (1 + o.max_passes) / 2.0);
        last = full * static_cast<double>(c.tokens_in_time) / static_cast<double>(c.duration_ns);
        peak = std::max(peak, last);
        double n = static_cast<double>(c.arrived) / 100;
        std::printf(" %.0f: %.1f (%.1f, %.1f)", 100 * load, 100 * last,
                    static_cast<double>(c.busy) / n, static_cast<double>(c.expired + c.late) / n);
        EXPECT_EQ(c.accepted, c.completed);
        EXPECT_EQ(c.past, 0u) << "what is too much is refused as busy";
        EXPECT_EQ(c.failed + c.cancelled, 0u);
    }
    std::printf("\n");
    EXPECT_GE(peak, 0.85);
    EXPECT_GE(last, 0.9 * peak);
}

INSTANTIATE_TEST_SUITE_P(All, SchedulerGoodput, ::testing::ValuesIn(cases),
                         [](const ::testing::TestParamInfo<Goodput> &i) { return i.param.name; });

} // namespace
