// A row's logits do not depend on its neighbours: passes of 1 to 130 rows out of several sentences,
// in any order, give each row the bits it has alone, whatever stands in the cache behind it.
#include "exact_cases.h"

#include <cmath>

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

constexpr int SLOTS = 6, LEN = 30, MAX_ROWS = 130;

class Rows : public ::testing::TestWithParam<std::tuple<std::string, int>>
{
  protected:
    void SetUp() override
    {
        steti_session_limits l{256, SLOTS, 64, LEN, 0};
        ASSERT_EQ(net.status, STET_OK) << net.err.message;
        ASSERT_EQ(steti_session_open(net.model, net.backend, &l, &s, nullptr), STET_OK);
        vocab = static_cast<size_t>(net.spec.vocab_size);
    }
    void TearDown() override
    {
        steti_session_close(&s);
    }
    stet_status run(const Ids &in_slot, const Ids &pos, std::vector<float> *logits)
    {
        Ids ids, out(pos.size());
        for (size_t r = 0; r < pos.size(); r++) {
            ids.push_back(inputs[static_cast<size_t>(in_slot[r])][static_cast<size_t>(pos[r])]);
        }
        logits->resize(pos.size() * vocab);
        steti_decode_batch b{static_cast<int>(pos.size()),
                             ids.data(),
                             pos.data(),
                             in_slot.data(),
                             out.data(),
                             nullptr,
                             logits->data(),
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr};
        return steti_model_decode(&s, &b, nullptr);
    }
    // NaN in all rows of the cache that the next pass must not read.
    void poison(int slot, int from)
    {
        for (int l = 0; l < net.spec.dec_layers; l++) {
            for (float *base : {steti_kv_self_k(&s.kv, l), steti_kv_self_v(&s.kv, l)}) {
                float *row = base + static_cast<ptrdiff_t>(slot) * LEN * s.kv.limits.d;
                std::fill(row + from * s.kv.limits.d, row + LEN * s.kv.limits.d, NAN);
            }
            for (float *base : {steti_kv_cross_k(&s.kv, l), steti_kv_cross_v(&s.kv, l)}) {
                float *row = base + static_cast<ptrdiff_t>(slot) * 64 * s.kv.limits.d;
                std::fill(row + s.kv.src_len[slot] * s.kv.limits.d, row + 64 * s.kv.limits.d, NAN);
            }
        }
    }

    Net net{fixture(std::get<0>(GetParam())),
            std::get<1>(GetParam()) % 2 != 0 ? STETI_I8 : STETI_F32,
            1 + std::get<1>(GetParam()) / 2, nullptr};
    steti_session s{};
    size_t vocab = 0;
    std::vector<Ids> inputs; // decoder input of each slot
};

TEST_P(Rows, AloneAndPackedHaveTheSameBits)
{
    std::mt19937 rng(21);
    std::vector<std::vector<float>> alone(SLOTS); // [slot][position * vocab + id]
    for (int k = 0; k < SLOTS; k++) {
        Ids src = random_sources(1, net.spec.vocab_size, rng(), 50)[0];
        src.push_back(net.spec.eos_id);
        int32_t len = static_cast<int32_t>(src.size()), slot = steti_kv_acquire(&s.kv);
        ASSERT_EQ(slot, k);
        steti_encode_batch b{1, len, src.data(), &len, &slot};
        ASSERT_EQ(steti_model_encode(&s, &b, nullptr), STET_OK);
        poison(k, 0);
        inputs.push_back({});
        for (int i = 0; i < LEN; i++) {
            inputs.back().push_back(static_cast<int32_t>(rng() % vocab));
            std::vector<float> row;
            ASSERT_EQ(run({k}, {i}, &row), STET_OK);
            alone[static_cast<size_t>(k)].insert(alone[static_cast<size_t>(k)].end(), row.begin(),
                                                 row.end());
        }
    }
    std::vector<int> valid(SLOTS, LEN); // rows of the cache that hold their values
    for (int n = 1; n <= MAX_ROWS; n++) {
        // A stretch of each slot, dealt in turns; a stretch begins where the cache is valid.
        std::vector<int> begin(SLOTS), next(SLOTS);
        Ids in_slot, pos;
        for (size_t k = 0; k < SLOTS; k++) {
            begin[k] = next[k] = static_cast<int>(
                rng() % static_cast<unsigned>(std::min(valid[k], n > 60 ? 6 : LEN - 1) + 1));
        }
        for (int tries = 0; static_cast<int>(pos.size()) < n && tries < 10000; tries++) {
            size_t k = rng() % SLOTS;
            if (next[k] < LEN) {
                in_slot.push_back(static_cast<int32_t>(k));
                pos.push_back(next[k]++);
            }
        }
        for (size_t k = 0; k < SLOTS; k++) {
            poison(static_cast<int>(k), begin[k]);
            valid[k] = next[k];
        }
        std::vector<float> got;
        ASSERT_EQ(run(in_slot, pos, &got), STET_OK);
        for (size_t r = 0; r < pos.size(); r++) {
            const float *want =
                &alone[static_cast<size_t>(in_slot[r])][static_cast<size_t>(pos[r]) * vocab];
            ASSERT_EQ(std::memcmp(want, &got[r * vocab], vocab * sizeof(float)), 0)
                << n << " rows, row " << r;
        }
    }
}

// The keys and values that the encoder stores for a sentence.
TEST_P(Rows, EncodedTogetherAndAloneHaveTheSameBits)
{
    std::mt19937 rng(22);
    const size_t d = static_cast<size_t>(s.kv.limits.d);
    auto stored = [&](int slot) {
        std::vector<float> v;
        for (int l = 0; l < net.spec.dec_layers; l++) {
            for (const float *base : {steti_kv_cross_k(&s.kv, l), steti_kv_cross_v(&s.kv, l)}) {
                const float *row = base + static_cast<size_t>(slot) * 64 * d;
                v.insert(v.end(), row, row + static_cast<size_t>(s.kv.src_len[slot]) * d);
            }
        }
        return v;
    };
    for (int i = 0; i < SLOTS; i++) {
        steti_kv_acquire(&s.kv);
    }
    for (int round = 0; round < 20 * scale(); round++) {
        Ids all, lens, slots;
        std::vector<Ids> each = random_sources(1 + rng() % 5, net.spec.vocab_size, rng(), 40);
        for (auto &src : each) {
            src.push_back(net.spec.eos_id);
            all.insert(all.end(), src.begin(), src.end());
            lens.push_back(static_cast<int32_t>(src.size()));
            slots.push_back(static_cast<int32_t>(slots.size()));
        }
        steti_encode_batch b{static_cast<int>(each.size()), static_cast<int>(all.size()),
                             all.data(), lens.data(), slots.data()};
        ASSERT_EQ(steti_model_encode(&s, &b, nullptr), STET_OK);
        for (size_t k = 0; k < each.size(); k++) {
            int32_t slot = SLOTS - 1;
            auto together = stored(static_cast<int>(k));
            steti_encode_batch one{1, lens[k], each[k].data(), &lens[k], &slot};
            ASSERT_EQ(steti_model_encode(&s, &one, nullptr), STET_OK);
            auto alone = stored(slot);
            ASSERT_EQ(alone.size(), together.size());
            ASSERT_EQ(std::memcmp(alone.data(), together.data(), alone.size() * sizeof(float)), 0);
        }
    }
}

// 0, 1: float32 and int8 on one thread; 2, 3: on two.
INSTANTIATE_TEST_SUITE_P(Fixtures, Rows,
                         ::testing::Combine(::testing::ValuesIn(all_fixtures()),
                                            ::testing::Values(0, 1)));
INSTANTIATE_TEST_SUITE_P(Threads, Rows,
                         ::testing::Combine(::testing::Values("edgeformer-b"),
                                            ::testing::Values(2, 3)));

} // namespace
