#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

extern "C" {
#include "alloc.h"
#include "id_alignment.h"
}

namespace
{

using Ids = std::vector<int32_t>;

Ids Align(const Ids &a, const Ids &b)
{
    Ids match(a.size() + 1, 77);
    EXPECT_EQ(steti_ids_align({a.data(), a.size()}, {b.data(), b.size()}, match.data(), nullptr),
              STET_OK);
    EXPECT_EQ(match.back(), 77); // not past the end
    match.pop_back();
    return match;
}

// Matches rise and are equal; returns how many there are.
size_t CheckValid(const Ids &a, const Ids &b, const Ids &match)
{
    int32_t last = -1;
    size_t n = 0;
    for (size_t i = 0; i < a.size(); i++) {
        if (match[i] == -1) {
            continue;
        }
        EXPECT_GT(match[i], last);
        EXPECT_LT(static_cast<size_t>(match[i]), b.size());
        EXPECT_EQ(a[i], b[static_cast<size_t>(match[i])]);
        last = match[i];
        n++;
    }
    return n;
}

size_t LongestCommon(const Ids &a, const Ids &b)
{
    std::vector<size_t> row(b.size() + 1, 0);
    for (int32_t x : a) {
        size_t diagonal = 0;
        for (size_t j = 0; j < b.size(); j++) {
            size_t up = row[j + 1];
            row[j + 1] = x == b[j] ? diagonal + 1 : std::max(up, row[j]);
            diagonal = up;
        }
    }
    return row.back();
}

Ids Random(std::mt19937 &rng, size_t n, unsigned kinds)
{
    Ids v(n);
    for (int32_t &x : v) {
        x = static_cast<int32_t>(rng() % kinds);
    }
    return v;
}

TEST(IdAlignment, EmptySequences)
{
    EXPECT_EQ(Align({}, {}), Ids());
    EXPECT_EQ(Align({}, {1, 2}), Ids());
    EXPECT_EQ(Align({1, 2}, {}), (Ids{-1, -1}));
}

TEST(IdAlignment, OneDifferenceInTheMiddle)
{
    EXPECT_EQ(Align({1, 2, 3}, {1, 9, 3}), (Ids{0, -1, 2}));
    EXPECT_EQ(Align({1, 2, 3}, {1, 3}), (Ids{0, -1, 1}));
    EXPECT_EQ(Align({1, 3}, {1, 2, 3}), (Ids{0, 2}));
}

TEST(IdAlignment, DifferencesMeet)
{
    EXPECT_EQ(Align({5, 5, 7}, {9, 5, 7}), (Ids{-1, 1, 2}));
    EXPECT_EQ(Align({5, 5, 7}, {5, 9, 7}), (Ids{0, -1, 2}));
    EXPECT_EQ(Align({9, 5, 7}, {5, 5, 7}), (Ids{-1, 1, 2}));
    EXPECT_EQ(Align({5, 6, 5, 6, 7}, {9, 5, 6, 7}), (Ids{-1, -1, 1, 2, 3}));
}

TEST(IdAlignment, RandomSequencesAreAlignedAsLongAsPossible)
{
    std::mt19937 rng(1);
    for (int i = 0; i < 4000; i++) {
        unsigned kinds = 1 + rng() % 6;
        Ids a = Random(rng, rng() % 30, kinds), b = Random(rng, rng() % 30, kinds);
        ASSERT_EQ(CheckValid(a, b, Align(a, b)), LongestCommon(a, b)) << i;
    }
}

TEST(IdAlignment, NothingInCommon)
{
    Ids a(3000, 1), b(2000, 2);
    EXPECT_EQ(CheckValid(a, b, Align(a, b)), 0u);
}

TEST(IdAlignment, MoreDifferencesThanTheLimit)
{
    std::mt19937 rng(2);
    Ids a = Random(rng, 3000, 40), b = Random(rng, 3000, 40);
    size_t n = CheckValid(a, b, Align(a, b));
    EXPECT_GE(n, LongestCommon(a, b) / 2);
    EXPECT_LE(n, LongestCommon(a, b));
}

TEST(IdAlignment, FewDifferencesInALongSequence)
{
    std::mt19937 rng(3);
    Ids a = Random(rng, 50000, 1000), b = a;
    for (size_t i = 100; i < b.size(); i += 1000) {
        b[i] = -5;
    }
    EXPECT_EQ(CheckValid(a, b, Align(a, b)), a.size() - 50);
}

TEST(IdAlignment, EveryAllocationFailureIsReported)
{
    Ids a(50, 1), b(50, 2), match(50);
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    stet_status s = STET_E_NOMEM;
    int failures = 0;
    for (uint64_t n = 1; n < 50 && s != STET_OK; n++) {
        steti_alloc_fail_nth(n, 0);
        s = steti_ids_align({a.data(), a.size()}, {b.data(), b.size()}, match.data(), nullptr);
        steti_alloc_fail_nth(0, 0);
        failures += s == STET_E_NOMEM;
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.live_count, before.live_count);
    }
    EXPECT_EQ(s, STET_OK);
    EXPECT_GE(failures, 3);
}

TEST(IdAlignment, TooLongIsRefusedBeforeAnythingIsRead)
{
    int32_t x = 0;
    EXPECT_EQ(steti_ids_align({&x, size_t{1} << 40}, {&x, 1}, &x, nullptr), STET_E_TOO_LONG);
}

} // namespace
