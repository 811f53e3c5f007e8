// Wide passes: up to 4096 rows of many sentences at once give each row the bits it has alone. Row
// counts up to 130 are tried one by one in rows_test.cc.
#include "exact_cases.h"

#include <algorithm>

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

constexpr int KINDS = 8, SLOTS = 160, LEN = 30, MAX_ROWS = 4096;

class WideRows : public ::testing::TestWithParam<std::tuple<std::string, int>>
{
  protected:
    std::vector<float> run(steti_session *s, const Ids &slots, const Ids &pos)
    {
        Ids ids, out(pos.size());
        std::vector<float> logits(pos.size() * vocab);
        for (size_t r = 0; r < pos.size(); r++) {
            ids.push_back(
                inputs[static_cast<size_t>(slots[r] % KINDS)][static_cast<size_t>(pos[r])]);
        }
        steti_decode_batch b{static_cast<int>(pos.size()),
                             ids.data(),
                             pos.data(),
                             slots.data(),
                             out.data(),
                             nullptr,
                             logits.data(),
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr};
        EXPECT_EQ(steti_model_decode(s, &b, nullptr), STET_OK);
        return logits;
    }
    void prepare(const Net &net, steti_session *s)
    {
        std::mt19937 rng(81);
        steti_session_limits l{MAX_ROWS, SLOTS, 32, LEN, 0};
        vocab = static_cast<size_t>(net.spec.vocab_size);
        ASSERT_EQ(steti_session_open(net.model, net.backend, &l, s, nullptr), STET_OK);
        auto sources = random_sources(KINDS, net.spec.vocab_size, 82, 30);
        for (int32_t slot = 0; slot < SLOTS; slot++) {
            Ids src = sources[static_cast<size_t>(slot % KINDS)];
            src.push_back(net.spec.eos_id);
            int32_t len = static_cast<int32_t>(src.size());
            steti_kv_acquire(&s->kv);
            steti_encode_batch b{1, len, src.data(), &len, &slot};
            ASSERT_EQ(steti_model_encode(s, &b, nullptr), STET_OK);
        }
        inputs.assign(KINDS, Ids(LEN));
        alone.assign(KINDS, {});
        for (int32_t k = 0; k < KINDS; k++) {
            for (int32_t i = 0; i < LEN; i++) {
                inputs[static_cast<size_t>(k)][static_cast<size_t>(i)] =
                    static_cast<int32_t>(rng() % vocab);
                alone[static_cast<size_t>(k)].push_back(run(s, {k}, {i}));
            }
        }
    }
    // n rows, each slot's from its first position on, dealt at random.
    size_t differing(steti_session *s, int n, std::mt19937 &rng)
    {
        Ids slots, pos, next(SLOTS, 0);
        while (static_cast<int>(pos.size()) < n) {
            int32_t slot = static_cast<int32_t>(rng() % SLOTS);
            for (unsigned run = 1 + rng() % 5; run > 0 && static_cast<int>(pos.size()) < n; run--) {
                if (next[static_cast<size_t>(slot)] < LEN) {
                    slots.push_back(slot);
                    pos.push_back(next[static_cast<size_t>(slot)]++);
                }
            }
        }
        auto got = run(s, slots, pos);
        size_t differ = 0;
        for (size_t r = 0; r < pos.size(); r++) {
            const auto &want =
                alone[static_cast<size_t>(slots[r] % KINDS)][static_cast<size_t>(pos[r])];
            differ += std::memcmp(want.data(), &got[r * vocab], vocab * sizeof(float)) != 0;
        }
        return differ;
    }

    size_t vocab = 0;
    std::vector<Ids> inputs;                            // decoder input of each kind of slot
    std::vector<std::vector<std::vector<float>>> alone; // [kind][position]: logits
};

TEST_P(WideRows, HaveTheBitsTheyHaveAlone)
{
    auto isas = all_isas();
    if (scale() == 1) {
        isas.erase(isas.begin(), isas.end() - 1); // the fastest
    }
    for (const auto &isa : isas) {
        for (int threads : {1, 2}) {
            Net net(fixture(std::get<0>(GetParam())),
                    std::get<1>(GetParam()) != 0 ? STETI_I8 : STETI_F32, threads, isa.c_str());
            ASSERT_EQ(net.status, STET_OK) << net.err.message;
            std::mt19937 rng(83);
            steti_session s{};
            prepare(net, &s);
            Ids counts{131, 256, 1000, MAX_ROWS};
            for (int i = 0; i < 2 * scale(); i++) {
                counts.push_back(131 + static_cast<int32_t>(rng() % (MAX_ROWS - 131)));
            }
            for (int32_t n : counts) {
                EXPECT_EQ(differing(&s, n, rng), 0u)
                    << n << " rows, isa " << isa << ", threads " << threads;
            }
            steti_session_close(&s);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, WideRows,
                         ::testing::Combine(::testing::Values("edgeformer-b", "transformer-post"),
                                            ::testing::Values(0, 1)));

} // namespace
