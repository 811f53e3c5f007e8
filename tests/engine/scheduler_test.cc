// What scheduler.h promises, one example each, in simulated time.
#include "sched_sim.h"

#include <climits>

extern "C" {
#include "alloc.h"
}

#include <gtest/gtest.h>

using namespace stet_test;

namespace
{

constexpr uint64_t MS = 1000000;

// A pass takes one millisecond, an encoder call one tenth of it, for any number of rows.
SimOptions simple(int n_slots)
{
    SimOptions o;
    o.n_slots = n_slots;
    o.encode_worth = 1;
    o.device.begin_ns = 0;
    o.device.encode_call_ns = 100e3;
    o.device.encode_row_ns = o.device.pass_row_ns = 0;
    return o;
}

SimRequest request(uint64_t arrival, int n_sentences = 1, int passes = 5, int tokens = 10)
{
    SimRequest r;
    r.arrival = arrival;
    r.sentences.assign(static_cast<size_t>(n_sentences), SimSentence());
    for (SimSentence &s : r.sentences) {
        s.passes = passes;
        s.tokens = tokens;
    }
    return r;
}

struct Course : SchedSim {
    std::vector<int> begun;               // requests, in order
    std::vector<int> rows_of_encode;      // of every encoder call
    std::vector<std::vector<int>> passes; // requests in every pass

    explicit Course(const SimOptions &options) : SchedSim(options)
    {
        on_begin = [this](int id, int) { begun.push_back(id); };
        on_encode = [this](int rows) { rows_of_encode.push_back(rows); };
        on_pass = [this](const int *slots, int n) {
            passes.emplace_back();
            for (int i = 0; i < n; i++) {
                passes.back().push_back(request_in(slots[i]));
            }
        };
    }
    void until_idle()
    {
        while (!is_idle() && ok()) {
            step();
        }
        check_empty();
        EXPECT_TRUE(ok()) << complaint;
    }
    const SimRequest &operator[](int id) const
    {
        return requests[static_cast<size_t>(id)];
    }
};

TEST(Scheduler, OrderIsByArrivalThenByCall)
{
    Course s(simple(1));
    s.now = 100 * MS;
    int late = s.add(request(30)), early = s.add(request(10)), mid = s.add(request(20)),
        twin = s.add(request(20));
    s.until_idle();
    EXPECT_EQ(s.begun, (std::vector<int>{early, mid, twin, late}));
}

TEST(Scheduler, AStepOfPriorityIsWorthAHundredMilliseconds)
{
    for (int steps = -18; steps <= 18; steps++) {
        for (int beyond : {-1, 1}) {
            Course s(simple(1));
            s.now = 10000 * MS;
            SimRequest r = request(5000 * MS), other = r;
            other.priority = steps / 2;
            r.priority = other.priority - steps;
            other.arrival = static_cast<uint64_t>(static_cast<int64_t>(r.arrival) +
                                                  steps * static_cast<int64_t>(100 * MS) + beyond);
            int a = s.add(r), b = s.add(other);
            s.until_idle();
            EXPECT_EQ(s.begun.front(), beyond < 0 ? b : a) << steps << ' ' << beyond;
        }
    }
}

TEST(Scheduler, AnIdleEngineStartsAtOnce)
{
    SimOptions o = simple(8);
    o.encode_worth = 1000;
    Course s(o);
    int id = s.add(request(0, 1, 3, 1));
    s.step();
    EXPECT_EQ(s.rows_of_encode, std::vector<int>{1});
    EXPECT_EQ(s.passes, (std::vector<std::vector<int>>{{id}}));
    s.until_idle();
    EXPECT_EQ(s[id].done_at, 100000 + 3 * MS);
}

// The most passes that a short request waits for its first turn, beside a text of many sentences.
int longest_wait(Course &s, int n_short)
{
    int longest = 0;
    for (int i = 0; i < n_short; i++) {
        int before = s.n_passes(), id = s.add(request(s.now));
        while (!s[id].has_begun && s[id].live && s.ok()) {
            s.step();
        }
        longest = std::max(longest, s.n_passes() - before);
        for (int k = 0; k < 20; k++) {
            s.step();
        }
    }
    return longest;
}

TEST(Scheduler, ALongTextDoesNotHoldUpShortOnes)
{
    for (int n_slots : {1, 4, 32}) {
        Course s(simple(n_slots));
        s.add(request(0, 5000 * n_slots));
        for (int i = 0; i < 1000; i++) {
            s.step(); // the rate is known now
        }
        // Once a slot is free, and the text has had no more than its share: a generation of slots.
        EXPECT_LE(longest_wait(s, 50), 2 * 5 + 1) << n_slots;
        s.until_idle();
    }
}

// The text loses a minute in which nothing could be done. It does not make up for it at the cost
// of those who come after.
TEST(Scheduler, AStoppedDeviceDoesNotHoldUpShortOnesLater)
{
    Course s(simple(4));
    s.add(request(0, 20000));
    for (int i = 0; i < 1000; i++) {
        s.step();
    }
    s.now += 60000 * MS;
    EXPECT_LE(longest_wait(s, 50), 2 * 5 + 1);
    s.until_idle();
}

// Short requests at `load` of what the device can do, beside a text without end: how long they wait
// for their turn, in milliseconds on average, and what the text gets of the engine.
struct Beside {
    double wait_ms, share;
};

Beside beside_a_text(double load)
{
    SimOptions o = simple(8);
    o.max_requests = 20000;
    o.device.encode_call_ns = 1000;
    SchedSim s(o);
    SimRandom random{7};
    int text = s.add(request(0, 100000));
    uint64_t next = 500 * MS, waits = 0, n = 0;
    s.on_begin = [&](int id, int) {
        n += id != text;
        waits += id != text ? s.now - s.requests[static_cast<size_t>(id)].arrival : 0;
    };
    for (double gap = 5e6 / 8 / load; s.now < 20000 * MS && s.ok(); s.step()) {
        for (; next <= s.now; next += static_cast<uint64_t>(2 * gap * random.real())) {
            s.add(request(next));
        }
    }
    EXPECT_TRUE(s.ok()) << s.complaint;
    double done = s.requests[static_cast<size_t>(text)].finished;
    return {static_cast<double>(waits) / static_cast<double>(n) / 1e6, done * 5e6 / 8 / 20e9};
}

TEST(Scheduler, ALongTextGetsWhatShortOnesLeave)
{
    for (double load : {0.2, 0.5, 0.7}) {
        Beside b = beside_a_text(load);
        EXPECT_LE(b.wait_ms, 10) << load << ": about the time until a slot is free";
        EXPECT_NEAR(b.share, 1 - load, 0.1) << load;
    }
}

TEST(Scheduler, ALongTextIsNotStarvedByShortOnes)
{
    EXPECT_GE(beside_a_text(1.5).share, 0.15);
}

TEST(Scheduler, TwoLongTextsShareTheEngine)
{
    Course s(simple(4));
    int a = s.add(request(0, 3000));
    for (int i = 0; i < 1000; i++) {
        s.step();
    }
    int b = s.add(request(s.now, 1000)), before = s[a].finished;
    while (s[b].live && s.ok()) {
        s.step();
    }
    int meanwhile = s[a].finished - before;
    EXPECT_GT(meanwhile, 800);
    EXPECT_LT(meanwhile, 1200);
    s.until_idle();
}

TEST(Scheduler, ADeadlineIsKeptWithinAPass)
{
    Course s(simple(2));
    SimRequest r = request(0, 1, 1000), waits = r;
    r.deadline = 10 * MS + MS / 2;
    waits.deadline = 7 * MS;
    int a = s.add(r), b = s.add(request(0, 1, 30)), c = s.add(waits);
    s.until_idle();
    EXPECT_EQ(s[a].status, STET_E_DEADLINE);
    EXPECT_LE(s[a].done_at, r.deadline + MS);
    EXPECT_EQ(s[c].status, STET_E_DEADLINE);
    EXPECT_FALSE(s[c].has_begun);
    EXPECT_LE(s[c].done_at, waits.deadline + MS);
    EXPECT_EQ(s[b].status, STET_OK);
    EXPECT_EQ(s.passes.back(), std::vector<int>{b});
}

TEST(Scheduler, ADeadlineThatFallsOnTheEndOfAPass)
{
    Course s(simple(2));
    SimRequest r = request(0, 1, 1000);
    r.deadline = 100000 + 3 * MS;
    int a = s.add(r);
    s.until_idle();
    EXPECT_EQ(s[a].done_at, r.deadline);
    EXPECT_EQ(s.n_passes(), 3);
}

TEST(Scheduler, ADeadlineBeyondAllTimeIsNone)
{
    Course s(simple(2));
    SimRequest never = request(0, 1, 1000), soon = request(0, 1, 1000);
    never.deadline = UINT64_MAX;
    soon.deadline = 20 * MS;
    int a = s.add(never), b = s.add(soon);
    s.until_idle();
    EXPECT_EQ(s[a].status, STET_OK);
    EXPECT_EQ(s[b].status, STET_E_DEADLINE);
}

// The encoder takes so long that the deadline is past before the pass: no rows are spent on it.
TEST(Scheduler, ADeadlineBetweenEncoderAndPass)
{
    SimOptions o = simple(2);
    o.device.encode_call_ns = 5 * MS;
    Course s(o);
    SimRequest r = request(0);
    r.deadline = 2 * MS;
    int a = s.add(r), b = s.add(request(0));
    s.until_idle();
    EXPECT_EQ(s[a].status, STET_E_DEADLINE);
    EXPECT_EQ(s[a].done_at, 5 * MS);
    EXPECT_EQ(s.passes, std::vector<std::vector<int>>(5, std::vector<int>{b}));
}

TEST(Scheduler, AnEndedRequestIsInNoLaterPass)
{
    Course s(simple(4));
    int a = s.add(request(0, 3, 100)), b = s.add(request(0, 1, 5));
    s.step();
    int waits = s.add(request(s.now));
    EXPECT_EQ(s.passes.back().size(), 4u);
    s.end(a, STET_E_CANCELLED);
    EXPECT_EQ(s[a].status, STET_E_CANCELLED);
    EXPECT_EQ(s.n_busy(), 1);
    s.end(a, STET_E_CANCELLED); // again, and nothing happens
    s.step();
    EXPECT_EQ(s.passes.back(), (std::vector<int>{waits, b})) << "its slots are used at once";
    s.end(waits, STET_E_CANCELLED);
    s.until_idle();
    EXPECT_EQ(s[b].status, STET_OK);
}

TEST(Scheduler, EndAll)
{
    Course s(simple(2));
    for (int i = 0; i < 10; i++) {
        s.add(request(0, i, 10));
    }
    s.step();
    s.end_all(STET_E_SHUTDOWN);
    s.end_all(STET_E_SHUTDOWN);
    EXPECT_TRUE(s.is_idle() && s.ok()) << s.complaint;
    s.step();
    s.check_empty();
    EXPECT_TRUE(s.ok()) << s.complaint;
}

TEST(Scheduler, AShortSentenceWaitsForCompany)
{
    SimOptions o = simple(8);
    o.encode_worth = 64;
    Course s(o);
    s.add(request(0, 1, 50));
    s.step();
    s.add(request(s.now, 1, 50));
    for (int i = 0; i < 4; i++) {
        s.step();
        EXPECT_EQ(s.rows_of_encode.size(), 1u) << i;
    }
    s.step();
    EXPECT_EQ(s.rows_of_encode, (std::vector<int>{10, 10})) << "after four passes it goes alone";
    s.add(request(s.now, 1, 50));
    s.step();
    s.add(request(s.now, 1, 50, 54));
    s.step();
    EXPECT_EQ(s.rows_of_encode, (std::vector<int>{10, 10, 64})) << "enough have come together";
    s.add(request(s.now, 2, 50, 32));
    s.step();
    EXPECT_EQ(s.rows_of_encode.back(), 64) << "two sentences of one request are company";
    EXPECT_EQ(s.rows_of_encode.size(), 4u);
    s.until_idle();
}

TEST(Scheduler, ThePatienceIsForOneSentence)
{
    SimOptions o = simple(8);
    o.encode_worth = 64;
    Course s(o);
    s.add(request(0, 1, 50));
    s.step();
    int waits = s.add(request(s.now, 1, 50));
    for (int i = 0; i < 3; i++) {
        s.step();
    }
    s.end(waits, STET_E_CANCELLED);
    s.step();
    s.add(request(s.now, 1, 50));
    for (int i = 0; i < 4; i++) {
        s.step();
        EXPECT_EQ(s.rows_of_encode.size(), 1u) << i;
    }
    s.step();
    EXPECT_EQ(s.rows_of_encode.size(), 2u);
    s.until_idle();
}

TEST(Scheduler, WithNothingToDecodeTheEncoderReadsAllItCan)
{
    SimOptions o = simple(64);
    o.encode_rows = 200;
    o.device.encode_row_ns = 100e3;
    o.device.encode_tile = 1;
    Course s(o);
    s.add(request(0));
    s.until_idle(); // what encoder and passes cost is known now
    s.add(request(s.now, 40));
    s.step();
    EXPECT_EQ(s.rows_of_encode.back(), 400);
    s.until_idle();
}

TEST(Scheduler, WithNothingToDecodeNobodyWaitsForCompany)
{
    SimOptions o = simple(8);
    o.encode_worth = 64;
    Course s(o);
    s.add(request(0, 1, 2));
    s.step();
    s.add(request(s.now, 1, 2)); // begins, and waits for company
    s.step();                    // the first one is done
    EXPECT_EQ(s.rows_of_encode.size(), 1u);
    s.step();
    EXPECT_EQ(s.rows_of_encode.size(), 2u);
    s.until_idle();
}

// The encoder takes 0.1 ms for a token and a pass 1 ms: eight passes are 80 tokens.
TEST(Scheduler, TheEncoderTakesAboutEightPasses)
{
    SimOptions o = simple(64);
    o.device.encode_call_ns = 100e3;
    o.device.encode_row_ns = 100e3;
    o.device.encode_tile = 1;
    Course s(o);
    s.add(request(0, 1, 100));
    s.step();
    s.add(request(s.now, 40, 1000, 3));
    s.step();
    EXPECT_GE(s.rows_of_encode.back(), 80);
    EXPECT_LT(s.rows_of_encode.back(), 80 + 3);
    s.end_all(STET_E_CANCELLED);
}

// batch_type tokens: sentences join until so many tokens are in slots, the last one whole.
TEST(Scheduler, TokensInSlotsAreLimited)
{
    SimOptions o = simple(64);
    o.max_tokens = 50;
    Course s(o);
    for (int i = 0; i < 12; i++) {
        s.add(request(0)); // 10 tokens each
    }
    s.step();
    EXPECT_EQ(s.passes.back().size(), 5u);
    s.until_idle();
    for (const auto &pass : s.passes) {
        EXPECT_LE(pass.size(), 5u);
    }
    EXPECT_EQ(s.begun.size(), 12u);
    s.add(request(s.now, 1, 5, 45));
    s.add(request(s.now, 1, 5, 200)); // joins: there was room for a part of it
    s.add(request(s.now, 1, 5, 1));
    s.step();
    EXPECT_EQ(s.passes.back().size(), 2u);
    s.until_idle();
    EXPECT_EQ(s.begun.size(), 15u);
}

TEST(Scheduler, TheRateIsThatOfTheDevice)
{
    SimOptions o = simple(16);
    o.device.pass_call_ns = 3e6;
    Course s(o);
    s.add(request(0, 2000, 8, 25));
    s.until_idle();
    double real = 3e6 * 8 / (16 * 25);
    EXPECT_NEAR(steti_sched_ns_per_token(s.sched), real, 0.1 * real);
    for (int i = 0; i < 500; i++) { // one slot of sixteen
        s.add(request(s.now, 1, 8, 25));
        s.until_idle();
    }
    EXPECT_NEAR(steti_sched_ns_per_token(s.sched), real, 0.15 * real) << "after little to do";
}

TEST(Scheduler, AFailureIsThatOfOneRequest)
{
    for (int kind = 0; kind < 3; kind++) {
        Course s(simple(4));
        SimRequest bad = request(1, 6);
        bad.sentences[2].begin = kind == 0 ? STET_E_TOO_LONG : STET_OK;
        bad.sentences[2].finish = kind > 0 ? STET_E_DEVICE : STET_OK;
        bad.sentences[2].passes = kind == 1 ? 0 : 2;
        int a = s.add(request(0, 2)), b = s.add(bad), c = s.add(request(2, 2));
        s.until_idle();
        EXPECT_EQ(s[a].status, STET_OK) << kind;
        EXPECT_EQ(s[b].status, kind == 0 ? STET_E_TOO_LONG : STET_E_DEVICE) << kind;
        EXPECT_EQ(s[c].status, STET_OK) << kind;
    }
}

TEST(Scheduler, RequestsWithoutSentences)
{
    Course s(simple(2));
    SimRequest liar = request(0, 3);
    liar.says_more = true;
    int none = s.add(request(0, 0)), more = s.add(liar);
    s.until_idle();
    EXPECT_EQ(s[none].status, STET_OK);
    EXPECT_EQ(s[none].done_at, 0u);
    EXPECT_EQ(s[more].status, STET_OK);
    EXPECT_EQ(s[more].finished, 3);
}

TEST(Scheduler, TimesAtTheEndOfTheirRange)
{
    const uint64_t far[] = {UINT64_MAX, 0, INT64_MAX, UINT64_C(1) << 63};
    for (uint64_t now : far) {
        Course s(simple(1));
        s.now = now < UINT64_MAX / 2 ? now : UINT64_MAX / 2 - 1000000 * MS;
        for (uint64_t arrival : far) {
            for (int priority : {INT_MIN, 0, INT_MAX}) {
                SimRequest r = request(arrival, 3, 2, 1000000);
                r.priority = priority;
                r.deadline = arrival == 0 ? UINT64_MAX : 0;
                s.add(r);
            }
        }
        s.until_idle();
        for (int id : s.begun) {
            EXPECT_EQ(s[id].status, STET_OK);
        }
    }
}

TEST(Scheduler, MemoryIsWhatWasAnnounced)
{
    steti_alloc_stats before{}, after{};
    for (int n : {1, 100, 4096}) {
        steti_alloc_get_stats(&before);
        SimOptions o = simple(n);
        o.max_requests = 2 * n;
        Course s(o);
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.live_bytes - before.live_bytes, steti_sched_bytes(2 * n, n));
        uint64_t calls = after.calls;
        s.add(request(0, 3 * n));
        s.until_idle();
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.calls, calls) << "nothing is allocated between open and close";
    }
}

} // namespace
