extern "C" {
#include "alloc.h"
#include "cpu_backend.h"
#include "kv_cache.h"
}

#include <climits>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace
{

class KvCache : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        steti_backend_options o{};
        o.threads = 1;
        ASSERT_EQ(ops->open(&o, &backend, nullptr), STET_OK);
    }
    void TearDown() override
    {
        steti_kv_free(&kv);
        steti_kv_free(&kv); // twice is legal
        ops->close(backend);
    }
    stet_status init(steti_kv_limits l)
    {
        err.struct_size = sizeof err;
        return steti_kv_init(&kv, ops, backend, &l, &err);
    }
    const steti_backend_ops *ops = steti_cpu_backend();
    steti_backend *backend = nullptr;
    steti_kv_cache kv{};
    stet_error err{};
};

TEST_F(KvCache, SlotsAreGivenOnceAndComeBackEmpty)
{
    ASSERT_EQ(init({3, 1, 4, 5, 7, 0}), STET_OK);
    EXPECT_TRUE(steti_kv_is_valid(&kv));
    std::set<int> taken;
    for (int i = 0; i < 3; i++) {
        taken.insert(steti_kv_acquire(&kv));
    }
    EXPECT_EQ(taken, (std::set<int>{0, 1, 2}));
    EXPECT_EQ(steti_kv_acquire(&kv), -1);
    steti_kv_set_len(&kv, 1, 4);
    kv.src_len[1] = 5;
    EXPECT_TRUE(steti_kv_is_valid(&kv));
    steti_kv_release(&kv, 1);
    EXPECT_TRUE(steti_kv_is_valid(&kv));
    EXPECT_EQ(steti_kv_acquire(&kv), 1);
    EXPECT_EQ(kv.tgt_len[1], 0);
    EXPECT_EQ(kv.src_len[1], 0);
}

TEST_F(KvCache, LengthsStayInsideTheirLimits)
{
    ASSERT_EQ(init({2, 1, 4, 5, 7, 0}), STET_OK);
    int slot = steti_kv_acquire(&kv);
    steti_kv_set_len(&kv, slot, 7);
    EXPECT_EQ(kv.tgt_len[slot], 7);
    steti_kv_set_len(&kv, slot, 8);
    EXPECT_EQ(kv.tgt_len[slot], 7);
    steti_kv_set_len(&kv, slot, 2);
    EXPECT_EQ(kv.tgt_len[slot], 2);
    EXPECT_TRUE(steti_kv_is_valid(&kv));
}

TEST_F(KvCache, IsValidSeesWhatIsWrong)
{
    ASSERT_EQ(init({2, 1, 4, 5, 7, 0}), STET_OK);
    int slot = steti_kv_acquire(&kv), other = 1 - slot;
    kv.tgt_len[slot] = 8;
    EXPECT_FALSE(steti_kv_is_valid(&kv));
    kv.tgt_len[slot] = -1;
    EXPECT_FALSE(steti_kv_is_valid(&kv));
    kv.tgt_len[slot] = 0;
    kv.src_len[slot] = 6;
    EXPECT_FALSE(steti_kv_is_valid(&kv));
    kv.src_len[slot] = -1;
    EXPECT_FALSE(steti_kv_is_valid(&kv));
    kv.src_len[slot] = 5;
    EXPECT_TRUE(steti_kv_is_valid(&kv));
    kv.tgt_len[other] = 1;
    EXPECT_FALSE(steti_kv_is_valid(&kv)) << "a free slot with rows";
    kv.tgt_len[other] = 0;
    kv.src_len[other] = 1;
    EXPECT_FALSE(steti_kv_is_valid(&kv));
}

// Every row of every part of every layer is memory of its own, and together they are all of it.
TEST_F(KvCache, PartsCoverTheMemoryWithoutOverlap)
{
    const int slots = 3, layers = 2, d = 4, src = 5, tgt = 7, side = 2;
    ASSERT_EQ(init({slots, layers, d, src, tgt, side}), STET_OK);
    size_t floats = steti_kv_bytes(&kv.limits) / sizeof(float);
    std::vector<int> seen(floats, 0);
    auto mark = [&](const float *base, int rows) {
        for (int i = 0; i < rows * d; i++) {
            ptrdiff_t at = base + i - kv.memory;
            ASSERT_TRUE(at >= 0 && at < static_cast<ptrdiff_t>(floats));
            seen[static_cast<size_t>(at)]++;
        }
    };
    for (int l = 0; l < layers; l++) {
        mark(steti_kv_self_k(&kv, l), slots * (tgt + side));
        mark(steti_kv_self_v(&kv, l), slots * (tgt + side));
        mark(steti_kv_cross_k(&kv, l), slots * src);
        mark(steti_kv_cross_v(&kv, l), slots * src);
    }
    for (size_t i = 0; i < floats; i++) {
        ASSERT_EQ(seen[i], 1) << "float " << i;
    }
}

// Every float has a value of its own; after adopting, K and V of that slot's rows have those of the
// side rows, in every layer, and all other floats are what they were.
TEST_F(KvCache, AdoptCopiesTheSideRowsOfOneSlotAndNothingElse)
{
    const int slots = 3, layers = 2, d = 4, src = 5, tgt = 7, side = 6;
    ASSERT_EQ(init({slots, layers, d, src, tgt, side}), STET_OK);
    EXPECT_EQ(steti_kv_slot_rows(&kv), tgt + side);
    size_t floats = steti_kv_bytes(&kv.limits) / sizeof(float);
    for (int slot = 0; slot < slots; slot++) {
        for (int n = 0; n <= side; n++) {
            for (int from : {0, side - n}) {
                for (int to : {0, 1, tgt - n}) {
                    std::vector<float> want(floats);
                    for (size_t i = 0; i < floats; i++) {
                        kv.memory[i] = want[i] = static_cast<float>(i);
                    }
                    for (int l = 0; l < layers; l++) {
                        for (float *base : {steti_kv_self_k(&kv, l), steti_kv_self_v(&kv, l)}) {
                            ptrdiff_t first = base - kv.memory + slot * (tgt + side) * d;
                            for (int i = 0; i < n * d; i++) {
                                want[static_cast<size_t>(first + to * d + i)] =
                                    static_cast<float>(first + (tgt + from) * d + i);
                            }
                        }
                    }
                    ASSERT_EQ(steti_kv_adopt(&kv, slot, from, to, n, &err), STET_OK);
                    ASSERT_EQ(std::vector<float>(kv.memory, kv.memory + floats), want)
                        << "slot " << slot << ", " << n << " rows from " << from << " to " << to;
                }
            }
        }
    }
}

TEST_F(KvCache, AdoptRefusesRowsThatAreNotThere)
{
    ASSERT_EQ(init({2, 1, 4, 5, 7, 6}), STET_OK);
    const int bad[][3] = {{-1, 0, 1},      {0, -1, 1},      {0, 0, -1},      {0, 0, 7},
                          {6, 0, 1},       {3, 0, 4},       {0, 7, 1},       {0, 4, 4},
                          {INT_MAX, 0, 1}, {0, INT_MAX, 1}, {0, 0, INT_MAX}, {INT_MIN, 0, 1},
                          {0, 0, INT_MIN}};
    std::vector<float> before(kv.memory, kv.memory + steti_kv_bytes(&kv.limits) / sizeof(float));
    for (const auto &b : bad) {
        err.message[0] = '\0';
        EXPECT_EQ(steti_kv_adopt(&kv, 1, b[0], b[1], b[2], &err), STET_E_INVALID)
            << b[0] << " " << b[1] << " " << b[2];
        EXPECT_STRNE(err.message, "");
    }
    EXPECT_EQ(std::vector<float>(kv.memory, kv.memory + before.size()), before);
    EXPECT_EQ(steti_kv_adopt(&kv, 1, 6, 7, 0, &err), STET_OK) << "no rows can be anywhere";
}

TEST_F(KvCache, LimitsThatCannotBeAddressedAreRefused)
{
    const steti_kv_limits bad[] = {
        {0, 1, 1, 1, 1, 0},  {1, 0, 1, 1, 1, 0},
        {1, 1, 0, 1, 1, 0},  {1, 1, 1, 0, 1, 0},
        {1, 1, 1, 1, 0, 0},  {-1, 1, 1, 1, 1, 0},
        {1, 1, -4, 1, 1, 0}, {INT_MAX, INT_MAX, INT_MAX, INT_MAX, INT_MAX, 0},
        {1, 1, 1, 1, 1, -1}};
    for (const auto &l : bad) {
        EXPECT_EQ(steti_kv_bytes(&l), 0u);
        EXPECT_EQ(init(l), STET_E_INVALID);
        EXPECT_STRNE(err.message, "");
    }
    steti_kv_limits l{2, 3, 4, 5, 6, 0};
    EXPECT_EQ(steti_kv_bytes(&l), 2u * 3 * 4 * 2 * (5 + 6) * sizeof(float));
    l.max_side = 7;
    EXPECT_EQ(steti_kv_bytes(&l), 2u * 3 * 4 * 2 * (5 + 6 + 7) * sizeof(float));
}

TEST_F(KvCache, OutOfMemoryAtEveryAllocation)
{
    steti_alloc_stats before{}, after{};
    steti_alloc_get_stats(&before);
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t n = 1;; n++) {
            steti_alloc_fail_nth(n, sticky);
            stet_status st = init({2, 1, 4, 5, 7, 0});
            steti_alloc_fail_nth(0, 0);
            steti_kv_free(&kv);
            if (st == STET_OK) {
                EXPECT_GT(n, 3u);
                break;
            }
            ASSERT_EQ(st, STET_E_NOMEM);
        }
        steti_alloc_get_stats(&after);
        ASSERT_EQ(after.live_count, before.live_count);
    }
}

} // namespace
