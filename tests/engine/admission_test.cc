// Admission: every limit at it and past it, hints, and numbers at the end of their range.
extern "C" {
#include "admission.h"
}

#include <cmath>
#include <string>

#include <gtest/gtest.h>

namespace
{

constexpr uint64_t MS = 1000000;

struct Gate {
    steti_admission a{};
    stet_error err{};

    Gate(uint64_t requests, uint64_t tokens, uint64_t delay_ns = 0, double ns_per_token = MS)
    {
        a.max_requests = requests;
        a.max_tokens = tokens;
        a.max_delay_ns = delay_ns;
        a.ns_per_token = ns_per_token;
        err.struct_size = sizeof err;
    }
    stet_status take(uint64_t tokens, uint64_t now = 0, uint64_t deadline = 0, int any_delay = 0)
    {
        steti_admission_need n{tokens, now, deadline, any_delay};
        steti_admission before = a;
        err.retry_after_ms = 0;
        err.message[0] = '\0';
        stet_status st = steti_admission_take(&a, &n, &err);
        if (st == STET_OK) {
            EXPECT_EQ(a.requests, before.requests + 1);
            return st;
        }
        EXPECT_EQ(a.requests, before.requests) << "a refused request is counted";
        EXPECT_EQ(a.tokens, before.tokens) << "a refused request is counted";
        EXPECT_EQ(err.code, st);
        EXPECT_NE(err.message[0], '\0');
        EXPECT_TRUE(st != STET_E_BUSY || (err.retry_after_ms >= 1 && err.retry_after_ms <= 60000))
            << err.retry_after_ms;
        return st;
    }
};

TEST(Admission, RequestsAtTheLimitAndPastIt)
{
    Gate g(3, 1000);
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(g.take(10), STET_OK);
    }
    EXPECT_EQ(g.take(10), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 10u) << "one request of 10 tokens at 1 ms";
    EXPECT_NE(std::string(g.err.message).find("requests in flight: 3, the limit is 3"),
              std::string::npos)
        << g.err.message;
    steti_admission_give(&g.a, 10);
    EXPECT_EQ(g.take(10), STET_OK);
    EXPECT_EQ(g.take(0), STET_E_BUSY);
}

TEST(Admission, TokensAtTheLimitAndPastIt)
{
    Gate g(10, 100);
    ASSERT_EQ(g.take(60), STET_OK);
    EXPECT_EQ(g.take(41), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 1u) << "one token too many";
    EXPECT_EQ(g.take(40), STET_OK);
    EXPECT_EQ(g.take(1), STET_E_BUSY);
    EXPECT_EQ(g.take(0), STET_OK) << "a request without a token needs no room";
    steti_admission_give_tokens(&g.a, 25); // some of the first request's are done
    EXPECT_EQ(g.take(25), STET_OK);
    EXPECT_EQ(g.take(1), STET_E_BUSY);
}

TEST(Admission, MoreThanTheBudgetOnlyAlone)
{
    Gate g(10, 100);
    ASSERT_EQ(g.take(10), STET_OK);
    EXPECT_EQ(g.take(500), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 10u) << "it waits for what is there, not for its own size";
    steti_admission_give(&g.a, 10);
    EXPECT_EQ(g.take(500), STET_OK);
    EXPECT_EQ(g.take(1), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 401u);
    steti_admission_give_tokens(&g.a, 401);
    EXPECT_EQ(g.take(1), STET_OK);
}

TEST(Admission, DelayAtTheLimitAndPastIt)
{
    Gate g(10, 1000, 50 * MS);
    ASSERT_EQ(g.take(50), STET_OK);
    EXPECT_EQ(g.take(5), STET_OK) << "50 ms are expected, 50 ms are allowed";
    EXPECT_EQ(g.take(5), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 5u);
    EXPECT_EQ(g.take(5, 0, 0, 1), STET_OK) << "who waits anyway is not asked";
    Gate none(10, 1000, 0);
    ASSERT_EQ(none.take(900), STET_OK);
    EXPECT_EQ(none.take(100), STET_OK);
}

// 60 % of the time left may be planned.
TEST(Admission, DeadlineAtTheLimitAndPastIt)
{
    Gate g(10, 1000);
    ASSERT_EQ(g.take(50), STET_OK);
    EXPECT_EQ(g.take(11, 1000 * MS, 1100 * MS), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 1u);
    EXPECT_EQ(g.take(10, 1000 * MS, 1100 * MS), STET_OK);
    EXPECT_EQ(g.take(10, 1000 * MS, 1100 * MS), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 10u);
    EXPECT_EQ(g.take(10, 1000 * MS, 1100 * MS, 1), STET_OK) << "who waits anyway is not asked";
    EXPECT_EQ(g.take(10), STET_OK) << "without a deadline there is none to miss";
}

TEST(Admission, ADeadlineThatIsPast)
{
    Gate g(1, 10);
    EXPECT_EQ(g.take(1, 7, 7), STET_E_DEADLINE);
    EXPECT_EQ(g.take(1, 7, 6), STET_E_DEADLINE);
    EXPECT_EQ(g.take(1, 7, 6, 1), STET_E_DEADLINE);
    ASSERT_EQ(g.take(1, 7, 8), STET_OK);
    EXPECT_EQ(g.take(1, 7, 7), STET_E_DEADLINE) << "not busy: trying again would not help";
}

// Otherwise an estimate that once was far too high would refuse everything for ever.
TEST(Admission, AnIdleEngineTakesWhatSeemsTooSlow)
{
    Gate g(10, 1000, 5 * MS, 1e12);
    EXPECT_EQ(g.take(100, 0, 20 * MS), STET_OK);
    EXPECT_EQ(g.take(1, 0, 20 * MS), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 60000u);
    steti_admission_give(&g.a, 100);
    EXPECT_EQ(g.take(100, 0, 20 * MS), STET_OK);
}

TEST(Admission, NothingIsAllowed)
{
    Gate g(0, 0);
    EXPECT_EQ(g.take(0), STET_E_BUSY);
    EXPECT_EQ(g.err.retry_after_ms, 1u);
}

TEST(Admission, NumbersAtTheEndOfTheirRange)
{
    Gate g(UINT64_MAX, 100);
    ASSERT_EQ(g.take(50), STET_OK);
    EXPECT_EQ(g.take(UINT64_MAX), STET_E_BUSY) << "the sum must not wrap";
    EXPECT_EQ(g.take(UINT64_MAX - 49), STET_E_BUSY);
    steti_admission_give(&g.a, 50);
    ASSERT_EQ(g.take(UINT64_MAX), STET_OK);
    EXPECT_EQ(g.take(UINT64_MAX), STET_E_BUSY);
    steti_admission_give(&g.a, UINT64_MAX);
    EXPECT_EQ(g.a.tokens, 0u);

    Gate slow(10, UINT64_MAX, 1, 1e300);
    ASSERT_EQ(slow.take(UINT64_MAX / 2), STET_OK);
    EXPECT_EQ(slow.take(1), STET_E_BUSY);
    EXPECT_EQ(slow.err.retry_after_ms, 60000u);
    slow.a.max_delay_ns = 0;
    EXPECT_EQ(slow.take(1, 0, UINT64_MAX), STET_E_BUSY);
    for (double rate : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
        slow.a.ns_per_token = rate;
        slow.a.max_tokens = 1;
        EXPECT_EQ(slow.take(1), STET_E_BUSY) << rate;
    }
}

TEST(Admission, GivingBackTooMuchDoesNotWrap)
{
    Gate g(10, 100);
    ASSERT_EQ(g.take(5), STET_OK);
    steti_admission_give_tokens(&g.a, 9);
    EXPECT_EQ(g.a.tokens, 0u);
    steti_admission_give(&g.a, 5);
    steti_admission_give(&g.a, 5);
    EXPECT_EQ(g.a.requests, 0u);
    EXPECT_EQ(g.a.tokens, 0u);
}

TEST(Admission, AnErrorIsNotNeeded)
{
    Gate g(1, 1);
    steti_admission_need n{1, 5, 0, 0}, past{1, 5, 5, 0};
    ASSERT_EQ(steti_admission_take(&g.a, &n, nullptr), STET_OK);
    EXPECT_EQ(steti_admission_take(&g.a, &n, nullptr), STET_E_BUSY);
    EXPECT_EQ(steti_admission_take(&g.a, &past, nullptr), STET_E_DEADLINE);
}

} // namespace
