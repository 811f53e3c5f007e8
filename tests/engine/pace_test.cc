// What the scheduler learns about a device.
extern "C" {
#include "pace.h"
}

#include <gtest/gtest.h>

namespace
{

// Generations of sentences: all that are in slots are encoded, passed ten times and done together.
void run(pace *p, int generations, int n_slots, uint64_t pass_ns, int tokens = 20)
{
    for (int g = 0; g < generations; g++) {
        pace_encoded(p, 1000, tokens * n_slots);
        for (int i = 0; i < 10; i++) {
            pace_passed(p, pass_ns, n_slots, 1);
        }
        for (int i = 0; i < n_slots; i++) {
            pace_done(p, tokens);
        }
        pace_measure(p);
    }
}

TEST(Pace, AFullEngineIsMeasuredExactly)
{
    for (uint64_t ns : {UINT64_C(1000), UINT64_C(1000000), UINT64_C(100000000)}) {
        pace p;
        pace_init(&p, 32);
        run(&p, 1, 32, ns);
        double real = (1000.0 + 10.0 * static_cast<double>(ns)) / (32 * 20);
        EXPECT_NEAR(p.ns_per_token, real, 1e-6 * real);
        EXPECT_NEAR(p.pass_ns, static_cast<double>(ns), 1e-6);
        EXPECT_NEAR(p.encode_ns, 1000.0 / 640, 1e-6);
    }
}

// One slot of 64, passes that cost the same whatever is in them: a token costs 64 times as much as
// in a full engine, and nothing of that may be believed of a full one.
TEST(Pace, AnEngineWithLittleToDoIsNotThoughtSlow)
{
    pace p;
    pace_init(&p, 64);
    run(&p, 5, 64, 1000000);
    double full = p.ns_per_token;
    run(&p, 1000, 1, 1000000);
    EXPECT_LE(p.ns_per_token, 1.1 * full);
    EXPECT_GE(p.ns_per_token, 0.9 * full);
}

// What one slot takes still says how fast a full engine is at most, and how slow.
TEST(Pace, AnEngineWithLittleToDoBoundsTheBelief)
{
    pace slow, fast;
    pace_init(&slow, 64);
    pace_init(&fast, 64);
    run(&slow, 100, 1, 1000000000);
    EXPECT_GE(slow.ns_per_token, 10e9 / 20 / 64);
    run(&fast, 100, 1, 10);
    EXPECT_LE(fast.ns_per_token, (1000.0 + 100) / 20);
}

TEST(Pace, AStallIsForgotten)
{
    pace p;
    pace_init(&p, 8);
    run(&p, 20, 8, 1000000);
    double before = p.ns_per_token, pass = p.pass_ns;
    pace_passed(&p, UINT64_C(3600000000000), 8, 1); // an hour in one pass
    EXPECT_LE(p.pass_ns, 1.5 * pass);
    run(&p, 2, 8, 1000000);
    EXPECT_LE(p.ns_per_token, 2 * before);
    run(&p, 60, 8, 1000000);
    EXPECT_NEAR(p.ns_per_token, before, 0.05 * before);
}

TEST(Pace, AChangeThatStaysIsLearned)
{
    pace p;
    pace_init(&p, 8);
    run(&p, 20, 8, 1000000);
    for (uint64_t ns : {UINT64_C(50000000), UINT64_C(20000)}) {
        run(&p, 160, 8, ns);
        double real = (1000.0 + 10.0 * static_cast<double>(ns)) / (8 * 20);
        EXPECT_NEAR(p.ns_per_token, real, 0.05 * real);
        EXPECT_NEAR(p.pass_ns, static_cast<double>(ns), 0.05 * static_cast<double>(ns));
    }
}

// One sentence of many tokens says little about all slots.
TEST(Pace, AMeasurementIsASentenceForEverySlot)
{
    pace p;
    pace_init(&p, 3);
    for (int i = 1; i <= 3; i++) {
        EXPECT_FALSE(p.is_measured);
        pace_passed(&p, 1000000, 3, 1);
        pace_done(&p, 300);
        pace_measure(&p);
    }
    EXPECT_TRUE(p.is_measured);
    EXPECT_NEAR(p.ns_per_token, 3e6 / 900, 1e-6);
}

// A clock that stands still, as in a test: nothing is divided by and nothing sticks at zero.
TEST(Pace, NoTimeAtAll)
{
    pace p;
    pace_init(&p, 2);
    for (int i = 0; i < 50; i++) {
        pace_encoded(&p, 0, 256);
        pace_passed(&p, 0, 2, 1);
        pace_done(&p, 256);
        pace_done(&p, 256);
        pace_measure(&p);
    }
    EXPECT_GE(p.ns_per_token, 1);
    run(&p, 60, 2, 1000000, 200);
    EXPECT_GE(p.ns_per_token, 20000);
}

} // namespace
