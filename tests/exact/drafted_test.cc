// Drafted decoding equals greedy decoding in tokens and in the bits of log probabilities, for every
// policy, window, batch size, number of threads, instruction set and compute type. And a batch
// equals its sentences alone.
#include "exact_cases.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace stet_test;

namespace
{

struct Setting {
    const steti_draft_ops *policy;
    int window, batch;
};

std::vector<Setting> all_settings()
{
    std::vector<Setting> out;
    for (const steti_draft_ops *policy : {&steti_draft_sad, &steti_draft_edit, &steti_draft_tree}) {
        for (int window : {0, 1, 2, 3, 7, 16}) {
            for (int batch : {1, 2, 5, 8}) {
                out.push_back({policy, window, batch});
            }
        }
    }
    for (int batch : {2, 5, 8}) {
        out.push_back({&steti_draft_none, 0, batch});
    }
    return out;
}

class Drafted : public ::testing::TestWithParam<std::tuple<std::string, int>>
{
  protected:
    std::string folder = fixture(std::get<0>(GetParam()));
    enum steti_dtype compute = std::get<1>(GetParam()) != 0 ? STETI_I8 : STETI_F32;
};

// The best instruction set runs every setting on one thread and some on more, the others some on
// one thread, unless STET_TEST_SCALE asks for all.
bool is_chosen(size_t setting, const std::string &isa, int threads)
{
    bool is_best = isa == all_isas().back();
    size_t every = is_best ? (threads > 1 ? 12 : 1) : (threads > 1 ? 100 : 8);
    return scale() > 1 || setting % every == static_cast<size_t>(threads) % every;
}

TEST_P(Drafted, EqualsGreedyInEverySetting)
{
    Net first(folder, compute, 1, all_isas().back().c_str());
    ASSERT_EQ(first.status, STET_OK) << first.err.message;
    auto sources = echo_sources(first, static_cast<size_t>(6 * scale()), 41, 20);
    sources[1].clear();
    auto want = greedy_alone(first, sources, 24);
    auto settings = all_settings();
    size_t accepted = 0;
    for (const auto &isa : all_isas()) {
        for (int threads = 1; threads <= 3; threads++) {
            Net net(folder, compute, threads, isa.c_str());
            ASSERT_EQ(net.status, STET_OK) << net.err.message;
            for (size_t k = 0; k < settings.size(); k++) {
                if (!is_chosen(k, isa, threads)) {
                    continue;
                }
                auto o =
                    engine_options(settings[k].policy, settings[k].window, settings[k].batch, 24);
                auto got = decode(net, o, sources);
                ASSERT_EQ(count_differing(got, want), 0u)
                    << settings[k].policy->name << " window " << o.draft_window << " batch "
                    << o.batch_size << " isa " << isa << " threads " << threads;
                for (const auto &d : got) {
                    accepted += d.counts.accepted;
                }
            }
        }
    }
    EXPECT_GT(accepted, 5u)
        << "drafts that are never right prove little; forced_accepts_test.cc has those that are";
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Drafted,
                         ::testing::Combine(::testing::ValuesIn(all_fixtures()),
                                            ::testing::Values(0, 1)),
                         [](const auto &param) {
                             std::string name = std::get<0>(param.param) +
                                                (std::get<1>(param.param) ? "_i8" : "_f32");
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

// Distance between the best and the second logit along greedy outputs: the closer they come, the
// smaller the error that the comparisons above would see in the tokens alone.
TEST(Margins, Histogram)
{
    size_t below[7] = {}, total = 0;
    for (const auto &name : all_fixtures()) {
        Net net(fixture(name));
        steti_session s{};
        steti_session_limits l{64, 1, 64, 64, 0};
        size_t vocab = static_cast<size_t>(net.spec.vocab_size);
        ASSERT_EQ(steti_session_open(net.model, net.backend, &l, &s, nullptr), STET_OK);
        auto sources = random_sources(4, net.spec.vocab_size, 5);
        auto greedy = greedy_alone(net, sources);
        for (size_t k = 0; k < sources.size(); k++) {
            auto src = sources[k];
            src.push_back(net.spec.eos_id);
            int32_t len = static_cast<int32_t>(src.size()), slot = steti_kv_acquire(&s.kv);
            steti_encode_batch eb{1, len, src.data(), &len, &slot};
            ASSERT_EQ(steti_model_encode(&s, &eb, nullptr), STET_OK);
            std::vector<int32_t> ids{net.spec.start_id}, pos, slots, out(64);
            ids.insert(ids.end(), greedy[k].ids.begin(), greedy[k].ids.end());
            for (size_t i = 0; i < ids.size(); i++) {
                pos.push_back(static_cast<int32_t>(i));
                slots.push_back(slot);
            }
            std::vector<float> logits(ids.size() * vocab);
            steti_decode_batch db{static_cast<int>(ids.size()),
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
            ASSERT_EQ(steti_model_decode(&s, &db, nullptr), STET_OK);
            for (size_t r = 0; r < ids.size(); r++) {
                float *row = &logits[r * vocab];
                std::nth_element(row, row + 1, row + vocab, std::greater<float>());
                double margin = static_cast<double>(row[0]) - static_cast<double>(row[1]);
                ASSERT_TRUE(margin >= 0);
                for (int b = 0; b < 7; b++) {
                    below[b] += margin < std::pow(10.0, 1 - b);
                }
                total++;
            }
            steti_kv_release(&s.kv, slot);
        }
        steti_session_close(&s);
    }
    std::printf("margins of %zu tokens:", total);
    for (int b = 0; b < 7; b++) {
        std::printf(" <1e%d: %zu", 1 - b, below[b]);
    }
    std::printf("\n");
    EXPECT_GT(below[2], total / 50)
        << "no close decisions: the tests of tokens would have no power";
}

} // namespace
