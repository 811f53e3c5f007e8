// Whose turn it is, small and large requests.
extern "C" {
#include "turn_order.h"
}

#include <climits>
#include <map>
#include <vector>

#include <gtest/gtest.h>

namespace
{

constexpr uint64_t MS = 1000000;

struct Order {
    turn_order t{};
    explicit Order(int cap = 16)
    {
        EXPECT_EQ(turn_order_init(&t, cap, nullptr), STET_OK);
    }
    ~Order()
    {
        turn_order_free(&t);
    }
    // Gives a turn of so much work to the one whose turn it is, who wants another.
    int turn(uint64_t now, double work)
    {
        int request = turn_order_first(&t, now);
        turn_order_again(&t, request, work);
        return request;
    }
    void make_large(int request, uint64_t now)
    {
        turn_order_add(&t, request, now, INT64_MAX / 2);
        ASSERT_EQ(turn_order_first(&t, now), request);
        t.head_start[request] = 0;
        turn_order_again(&t, request, 101.0 * MS);
        ASSERT_GE(t.large.place[request], 0);
    }
};

TEST(TurnOrder, SmallOnesGoByTimeLessHeadStartPlusWork)
{
    Order o;
    turn_order_add(&o.t, 0, 100, 0);
    turn_order_add(&o.t, 1, 90, 0);
    turn_order_add(&o.t, 2, 150, 70);
    std::vector<int> order;
    for (int i = 0; i < 6; i++) { // 2: 80 110 140; 1: 90 120; 0: 100 130
        order.push_back(o.turn(1000, 30));
    }
    EXPECT_EQ(order, (std::vector<int>{2, 1, 0, 2, 1, 0}));
}

TEST(TurnOrder, LargeAfterATenthOfASecond)
{
    Order o;
    turn_order_add(&o.t, 0, 0, 0);
    for (int i = 0; i < 100; i++) {
        o.turn(0, MS);
        ASSERT_GE(o.t.small.place[0], 0);
    }
    o.turn(0, MS);
    EXPECT_GE(o.t.large.place[0], 0);
    turn_order_remove(&o.t, 0);
    turn_order_add(&o.t, 0, 0, 0);
    o.turn(0, MS);
    EXPECT_GE(o.t.small.place[0], 0) << "the number is used again and owes nothing";
}

TEST(TurnOrder, LargeOnesShareByWork)
{
    Order o;
    std::map<int, double> work;
    for (int i = 0; i < 3; i++) {
        o.make_large(i, 1000 * MS);
    }
    for (int i = 0; i < 10000; i++) {
        int next = turn_order_first(&o.t, 1000 * MS + static_cast<uint64_t>(i));
        work[next] += (next + 1.0) * MS;
        turn_order_again(&o.t, next, (next + 1.0) * MS);
    }
    EXPECT_NEAR(work[0] / work[1], 1, 0.02);
    EXPECT_NEAR(work[0] / work[2], 1, 0.02);
}

// Small ones of a millisecond come as fast as the engine works: a large one gets a turn, and the
// five come first whose keys are at most four milliseconds after the one it overtook.
TEST(TurnOrder, LargeOnesGetTheirPartOfABusyEngine)
{
    Order o;
    o.make_large(0, 1000 * MS);
    int large = 0, n = 10000;
    uint64_t arrival = 1000 * MS;
    turn_order_add(&o.t, 1, arrival, 0);
    for (int i = 0; i < n; i++) {
        int next = turn_order_first(&o.t, 5000 * MS);
        if (next == 0) {
            large++;
            turn_order_again(&o.t, 0, MS);
        } else {
            turn_order_remove(&o.t, next);
            turn_order_add(&o.t, next, arrival += MS, 0);
        }
    }
    EXPECT_NEAR(large, n / 6.0, n / 100.0);
}

// An hour alone, or an hour in which nothing could be done: neither counts when a small one comes.
TEST(TurnOrder, ThePastOfLargeOnesDoesNotCount)
{
    for (uint64_t pause : {UINT64_C(0), 3600000 * MS}) {
        Order o;
        o.make_large(0, 1000 * MS);
        for (int i = 0; i < 1000; i++) {
            o.turn(1000 * MS, 100.0 * MS);
        }
        uint64_t now = 1000 * MS + pause;
        turn_order_add(&o.t, 1, now - pause / 2, 0); // one that came in the pause
        turn_order_add(&o.t, 2, now, 0);
        int turns = 0;
        while (turn_order_count(&o.t) > 1) {
            int next = turn_order_first(&o.t, now);
            turns += next == 0;
            if (next == 0) {
                turn_order_again(&o.t, 0, MS);
            } else {
                turn_order_remove(&o.t, next);
            }
        }
        EXPECT_LE(turns, 2) << pause;
    }
}

// A large one of low priority stands behind those who come within the time that this is worth.
TEST(TurnOrder, LargeOnesKeepTheirPriority)
{
    Order o;
    o.make_large(0, 1000 * MS);
    o.t.head_start[0] = -900 * static_cast<int64_t>(MS);
    o.turn(2000 * MS, MS);
    for (uint64_t at : {2010, 2500, 2890}) {
        turn_order_add(&o.t, 1, at * MS, 0);
        EXPECT_EQ(turn_order_first(&o.t, at * MS), 1) << at;
        turn_order_remove(&o.t, 1);
    }
    turn_order_add(&o.t, 1, 2950 * MS, 0);
    EXPECT_EQ(turn_order_first(&o.t, 2950 * MS), 0);
}

TEST(TurnOrder, NumbersAtTheEndOfTheirRange)
{
    Order o;
    const uint64_t times[] = {0, INT64_MAX, UINT64_MAX, UINT64_C(1) << 63};
    const int64_t starts[] = {INT64_MIN, 0, INT64_MAX};
    int n = 0;
    for (uint64_t at : times) {
        for (int64_t start : starts) {
            turn_order_add(&o.t, n++, at, start);
        }
    }
    for (int i = 0; i < 100; i++) {
        o.turn(i % 2 == 0 ? 0 : UINT64_MAX, i % 3 == 0 ? 1e300 : 2e8);
    }
    EXPECT_EQ(turn_order_count(&o.t), n);
    for (int i = 0; i < n; i++) {
        EXPECT_TRUE(turn_order_has(&o.t, i));
        turn_order_remove(&o.t, i);
        turn_order_remove(&o.t, i);
        EXPECT_FALSE(turn_order_has(&o.t, i));
    }
    EXPECT_EQ(turn_order_count(&o.t), 0);
}

} // namespace
