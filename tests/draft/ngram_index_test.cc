// The n-gram index against a search over the whole sequence.
extern "C" {
#include "alloc.h"
#include "ngram_index.h"
}

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace
{

using Ids = std::vector<int32_t>;

std::vector<int32_t> ends_of(const Ids &ids, const Ids &gram)
{
    std::vector<int32_t> out;
    for (size_t end = gram.size(); end <= ids.size(); end++) {
        if (std::equal(gram.begin(), gram.end(),
                       ids.begin() + static_cast<long>(end - gram.size()))) {
            out.push_back(static_cast<int32_t>(end));
        }
    }
    return out;
}

void expect_found(const steti_ngram_index &x, const Ids &ids, const Ids &gram)
{
    const int32_t *ends = nullptr;
    auto want = ends_of(ids, gram);
    int n = steti_ngram_find(&x, gram.data(), static_cast<int>(gram.size()), &ends);
    ASSERT_EQ(n, static_cast<int>(want.size()));
    for (int i = 0; i < n; i++) {
        ASSERT_EQ(ends[i], want[static_cast<size_t>(i)]);
    }
}

// Every n-gram of ids, and n-grams that are nearly there.
void check_all(const steti_ngram_index &x, const Ids &ids, std::mt19937 &rng)
{
    for (size_t n = 1; n <= STETI_NGRAM_MAX; n++) {
        for (size_t end = n; end <= ids.size(); end++) {
            Ids gram(ids.begin() + static_cast<long>(end - n),
                     ids.begin() + static_cast<long>(end));
            expect_found(x, ids, gram);
            gram[rng() % n] ^= 1 << rng() % 4;
            expect_found(x, ids, gram);
        }
        expect_found(x, ids, Ids(n, -1));
    }
}

struct Index {
    explicit Index(int capacity)
    {
        EXPECT_EQ(steti_ngram_init(&x, capacity, nullptr), STET_OK);
    }
    ~Index()
    {
        steti_ngram_free(&x);
    }
    steti_ngram_index x{};
};

TEST(NgramIndex, FindsWhatASearchFinds)
{
    std::mt19937 rng(3);
    Index index(70);
    for (int round = 0; round < 400; round++) {
        Ids ids(rng() % 71);
        unsigned vocab = 1 + rng() % 20;
        for (auto &id : ids) {
            id = static_cast<int32_t>(rng() % vocab) * (round % 3 == 0 ? 65536 : 1);
        }
        steti_ngram_build(&index.x, ids.data(), static_cast<int>(ids.size()));
        check_all(index.x, ids, rng);
    }
}

TEST(NgramIndex, SmallCapacitiesAndEmptySequences)
{
    std::mt19937 rng(4);
    for (int capacity = 0; capacity <= 20; capacity++) {
        Index index(capacity);
        for (int n = 0; n <= capacity; n++) {
            Ids ids(static_cast<size_t>(n), 5);
            steti_ngram_build(&index.x, ids.data(), n);
            check_all(index.x, ids, rng);
        }
    }
}

TEST(NgramIndex, TakesOnlyWhatItHasRoomFor)
{
    Ids ids{3, 4, 5, 6, 7};
    Index index(3);
    const int32_t *ends;
    steti_ngram_build(&index.x, ids.data(), 5);
    EXPECT_EQ(index.x.n, 3);
    int32_t gram = 5;
    EXPECT_EQ(steti_ngram_find(&index.x, &gram, 1, &ends), 1);
    gram = 6;
    EXPECT_EQ(steti_ngram_find(&index.x, &gram, 1, &ends), 0);
}

// A full table of distinct n-grams makes the longest probe sequences that can occur.
TEST(NgramIndex, FullTableOfDistinctAndOfEqualTokens)
{
    std::mt19937 rng(5);
    for (int capacity : {8, 64, 1024}) {
        Index index(capacity);
        Ids ids(static_cast<size_t>(capacity));
        for (size_t i = 0; i < ids.size(); i++) {
            ids[i] = static_cast<int32_t>(i * 16 * static_cast<size_t>(capacity));
        }
        steti_ngram_build(&index.x, ids.data(), capacity);
        check_all(index.x, ids, rng);
        ids.assign(ids.size(), 7);
        steti_ngram_build(&index.x, ids.data(), capacity);
        Ids gram(4, 7);
        expect_found(index.x, ids, gram);
    }
}

TEST(NgramIndex, NearestPrefersTheLaterOfTwo)
{
    std::mt19937 rng(6);
    for (int round = 0; round < 2000; round++) {
        std::vector<int32_t> ends;
        for (int32_t e = 1; e < 30; e++) {
            if (rng() % 4 == 0) {
                ends.push_back(e);
            }
        }
        ends.push_back(30);
        for (int32_t at = 0; at <= 33; at++) {
            int32_t best = ends[0];
            for (int32_t e : ends) {
                best = std::abs(e - at) <= std::abs(best - at) ? e : best;
            }
            ASSERT_EQ(steti_ngram_nearest(ends.data(), static_cast<int>(ends.size()), at), best);
        }
    }
}

TEST(NgramIndex, OutOfMemory)
{
    steti_alloc_stats before{}, after{};
    steti_ngram_index x{};
    stet_error err{};
    err.struct_size = sizeof err;
    steti_alloc_get_stats(&before);
    steti_alloc_fail_nth(1, 0);
    EXPECT_EQ(steti_ngram_init(&x, 10, &err), STET_E_NOMEM);
    steti_alloc_fail_nth(0, 0);
    steti_ngram_free(&x);
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.live_count, before.live_count);
}

} // namespace
