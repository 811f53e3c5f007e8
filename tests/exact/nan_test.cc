// NaN and infinity stay in the sentence that brings them in, and in a draft they cost nothing but
// the draft.
#include "exact_cases.h"
#include "model_folder.h"
#include "oracle_draft.h"

#include <cmath>

using namespace stet_test;

namespace
{

// The embedding of one token is NaN; the output layer is a clean matrix of its own.
void poison_token(ModelFolder *m, int32_t id)
{
    if (!m->tensors.count("lm_head.weight")) {
        m->tensors["lm_head.weight"] = m->tensors.at("shared.weight");
        m->set("tie_word_embeddings", "false");
    }
    size_t d = static_cast<size_t>(m->tensors.at("shared.weight").shape[1]);
    float *row = m->f32("shared.weight") + static_cast<size_t>(id) * d;
    std::fill(row, row + d, NAN);
    m->save();
}

class NotANumber : public ::testing::TestWithParam<std::string>
{
};

TEST_P(NotANumber, FailsItsOwnSentenceOnly)
{
    const int32_t bad = 287;
    ModelFolder m(GetParam());
    poison_token(&m, bad);
    Net net(m.path);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = random_sources(24, net.spec.vocab_size - 1, 61, 20);
    for (size_t i = 0; i < sources.size(); i += 3) {
        sources[i].insert(sources[i].begin() + static_cast<long>(sources[i].size() / 2), bad);
    }
    auto want = greedy_alone(net, sources);
    size_t failed = 0;
    for (size_t i = 0; i < sources.size(); i++) {
        if (i % 3 == 0) {
            ASSERT_EQ(want[i].status, STET_E_MODEL);
        }
        failed += want[i].status != STET_OK;
    }
    ASSERT_LT(failed, sources.size()) << "nothing is left to compare";
    for (const steti_draft_ops *policy :
         {&steti_draft_none, &steti_draft_sad, &steti_draft_edit, &steti_draft_tree}) {
        for (int batch : {1, 2, 5, 24}) {
            for (int window : {0, 3}) {
                auto got = decode(net, engine_options(policy, window, batch, 40), sources);
                ASSERT_EQ(count_differing(got, want), 0u)
                    << policy->name << " batch " << batch << " window " << window;
            }
        }
    }
}

// A drafted token whose row is NaN: greedy decoding never reads it, so the sentence must not fail.
TEST_P(NotANumber, InADraftCostsOnlyTheDraft)
{
    const int32_t bad = 287;
    ModelFolder m(GetParam());
    poison_token(&m, bad);
    Net net(m.path);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    std::vector<std::vector<int32_t>> sources;
    for (const auto &s : random_sources(12, net.spec.vocab_size - 1, 62, 20)) {
        if (!s.empty() && sources.size() < 6) {
            sources.push_back(s);
        }
    }
    auto want = greedy_alone(net, sources);
    for (int batch : {1, 3}) {
        std::mt19937 rng(63);
        stage() = OracleStage{};
        for (size_t k = 0; k < sources.size(); k++) {
            stage().plans[sources[k].data()] = [&, k](size_t at, int) {
                std::vector<int32_t> d(want[k].ids.begin() +
                                           static_cast<long>(std::min(at, want[k].ids.size())),
                                       want[k].ids.end());
                d.resize(std::min<size_t>(d.size(), rng() % 4));
                d.push_back(bad);
                d.push_back(5);
                return d;
            };
        }
        auto got = decode(net, engine_options(oracle_draft(), 0, batch, 40), sources);
        for (size_t k = 0; k < sources.size(); k++) {
            EXPECT_EQ(got[k].status, want[k].status) << "sentence " << k << " batch " << batch;
            EXPECT_TRUE(got[k].same_bits(want[k])) << "sentence " << k << " batch " << batch;
        }
    }
}

// The same in any of the branches, at any place in it.
TEST_P(NotANumber, InABranchCostsOnlyTheDraft)
{
    const int32_t bad = 287;
    ModelFolder m(GetParam());
    poison_token(&m, bad);
    Net net(m.path);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = random_sources(8, net.spec.vocab_size - 1, 64, 20);
    auto want = greedy_alone(net, sources);
    for (int where = 0; where < STETI_DRAFT_BRANCHES; where++) {
        std::mt19937 rng(65);
        stage() = OracleStage{};
        for (size_t k = 0; k < sources.size(); k++) {
            stage().branch_plans[sources[k].data()] = [&, k](size_t at, int branch, int) {
                const auto &y = want[k].ids;
                auto begin = y.begin() + static_cast<long>(std::min(at, y.size()));
                std::vector<int32_t> d(begin, std::min(begin + 1 + branch, y.end()));
                bool is_here = branch == where && (at + k) % 3 == 0;
                if (is_here) {
                    d.insert(d.begin() + static_cast<long>(rng() % (d.size() + 1)), bad);
                }
                return d;
            };
        }
        auto got = decode(net, engine_options(oracle_tree(), 0, 3, 40), sources);
        for (size_t k = 0; k < sources.size(); k++) {
            EXPECT_EQ(got[k].status, want[k].status) << "sentence " << k << " branch " << where;
            EXPECT_TRUE(got[k].same_bits(want[k])) << "sentence " << k << " branch " << where;
        }
        EXPECT_GT(stage().passes_after_side, 10u);
    }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, NotANumber,
                         ::testing::Values("edgeformer-a", "transformer-learned",
                                           "transformer-pre"));

TEST(NotANumberInt8, WeightsThatCannotBeQuantisedAreNamed)
{
    ModelFolder m("edgeformer-a");
    m.f32("encoder.layers.1.fc1.weight")[70] = NAN;
    m.save();
    Net net(m.path, STETI_I8);
    EXPECT_EQ(net.status, STET_E_MODEL);
    EXPECT_NE(std::string(net.err.message).find("encoder.layers.1.fc1.weight"), std::string::npos)
        << net.err.message;
}

} // namespace
