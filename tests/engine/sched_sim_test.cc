// The scheduler and admission under random traffic in simulated time. One seed is one simulation.
//
//   STET_SIM_SEEDS=1000000   how many seeds; 10000 unless told
//   STET_SIM_SEED=7          the first; with STET_SIM_SEEDS=1 this one alone
//   STET_SIM_ARRIVALS=5000000 build/tests/engine_test --gtest_filter=SchedulerSim.Soak
//                            so many requests, in long simulations; skipped unless told
#include "sched_traffic.h"

#include <cinttypes>
#include <cstdlib>

#include <gtest/gtest.h>

using namespace stet_test;

namespace
{

uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = std::getenv(name);
    return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 0) : otherwise;
}

std::string replay(const char *test, uint64_t seed, const Traffic &t)
{
    return t.sim.complaint + "\nagain: STET_SIM_SEED=" + std::to_string(seed) +
           " STET_SIM_SEEDS=1 build/tests/engine_test --gtest_filter=SchedulerSim." + test;
}

TEST(SchedulerSim, EverySeedKeepsTheRules)
{
    uint64_t first = from_environment("STET_SIM_SEED", 1);
    uint64_t n = from_environment("STET_SIM_SEEDS", 10000);
    TrafficCounts sum;
    for (uint64_t seed = first; seed < first + n; seed++) {
        Traffic t(random_traffic(seed));
        ASSERT_TRUE(t.run()) << replay("EverySeedKeepsTheRules", seed, t);
        sum.accepted += t.counts.accepted;
        sum.busy += t.counts.busy;
        sum.expired += t.counts.expired;
        sum.cancelled += t.counts.cancelled;
        sum.failed += t.counts.failed;
        sum.passes += t.counts.passes;
    }
    std::printf("%" PRIu64 " seeds: %" PRIu64 " requests taken in, %" PRIu64 " refused, %" PRIu64
                " expired, %" PRIu64 " cancelled, %" PRIu64 " failed, %" PRIu64 " passes\n",
                n, sum.accepted, sum.busy, sum.expired, sum.cancelled, sum.failed, sum.passes);
    if (n >= 1000) { // the traffic is what it should be
        EXPECT_GT(sum.busy, n);
        EXPECT_GT(sum.expired, n / 10);
        EXPECT_GT(sum.cancelled, n);
        EXPECT_GT(sum.failed, n / 10);
    }
}

TEST(SchedulerSim, OneSeedIsOneCourse)
{
    for (uint64_t seed = 1; seed < 50; seed++) {
        Traffic a(random_traffic(seed)), b(random_traffic(seed));
        ASSERT_TRUE(a.run() && b.run());
        ASSERT_EQ(a.counts.end_ns, b.counts.end_ns);
        ASSERT_EQ(a.counts.passes, b.counts.passes);
        ASSERT_EQ(a.counts.in_time, b.counts.in_time);
    }
}

TEST(SchedulerSim, Soak)
{
    uint64_t want = from_environment("STET_SIM_ARRIVALS", 0), done = 0, accepted = 0, completed = 0;
    uint64_t seed = from_environment("STET_SIM_SEED", 1);
    if (want == 0) {
        GTEST_SKIP() << "STET_SIM_ARRIVALS is not set";
    }
    for (; done < want; seed++) {
        TrafficOptions o = random_traffic(seed);
        o.n = 100000;
        o.sim.max_requests = 2000;
        o.max_sentences = o.max_sentences > 6 ? 6 : o.max_sentences;
        Traffic t(o);
        ASSERT_TRUE(t.run()) << replay("Soak", seed, t);
        done += t.counts.arrived;
        accepted += t.counts.accepted;
        completed += t.counts.completed;
    }
    std::printf("%" PRIu64 " arrivals, %" PRIu64 " taken in, %" PRIu64 " completed\n", done,
                accepted, completed);
    EXPECT_EQ(accepted, completed);
}

struct Caught {
    Mutant mutant;
    const char *name, *rule;
};

const Caught mutants[] = {
    {Mutant::BEGINS_IN_SLOT_0, "BeginsInSlot0", "slot"},
    {Mutant::ENCODES_TWICE, "EncodesTwice", "encode"},
    {Mutant::SKIPS_AN_ENCODE, "SkipsAnEncode", "pass"},
    {Mutant::SPLITS_ENCODES, "SplitsEncodes", "starvation"},
    {Mutant::ENCODES_TOO_MUCH, "EncodesTooMuch", "starvation"},
    {Mutant::LEAVES_A_SLOT_OUT, "LeavesASlotOut", "pass"},
    {Mutant::PASSES_A_SLOT_TWICE, "PassesASlotTwice", "pass"},
    {Mutant::PASSES_A_DONE_SLOT, "PassesADoneSlot", "pass"},
    {Mutant::KEEPS_A_DROPPED_SLOT, "KeepsADroppedSlot", "completion"},
    {Mutant::COMPLETES_TWICE, "CompletesTwice", "completion"},
    {Mutant::COMPLETES_NOTHING, "CompletesNothing", "return"},
    {Mutant::TOUCHES_A_DEAD_REQUEST, "TouchesADeadRequest", "dead request"},
    {Mutant::LOSES_A_CANCEL, "LosesACancel", "cancel"},
    {Mutant::LOSES_A_DEADLINE, "LosesADeadline", "deadline"},
    {Mutant::STRETCHES_A_DEADLINE, "StretchesADeadline", "deadline"},
    {Mutant::LOSES_A_PRIORITY, "LosesAPriority", "order"},
    {Mutant::ADDS_LATE, "AddsLate", "patience"},
    {Mutant::SLEEPS, "Sleeps", "idle start"},
    {Mutant::KEEPS_ADMISSION, "KeepsAdmission", "admission"},
};

class SchedulerMutant : public ::testing::TestWithParam<Caught>
{
};

// Each mistake is seen, by the rule that is there for it.
TEST_P(SchedulerMutant, IsCaught)
{
    const Caught &want = GetParam();
    int n_caught = 0, n_by_rule = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        TrafficOptions o = random_traffic(seed);
        o.sim.mutant = want.mutant;
        Traffic t(o);
        n_caught += !t.run();
        n_by_rule += t.sim.broken == want.rule;
    }
    std::printf("%s: %d of 300 seeds, %d by the rule '%s'\n", want.name, n_caught, n_by_rule,
                want.rule);
    EXPECT_GT(n_by_rule, 0);
    EXPECT_GE(n_caught, 10);
}

INSTANTIATE_TEST_SUITE_P(All, SchedulerMutant, ::testing::ValuesIn(mutants),
                         [](const ::testing::TestParamInfo<Caught> &i) { return i.param.name; });

} // namespace
