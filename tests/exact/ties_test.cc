// Ties: embedding rows that occur twice, and rows that differ in the last bits. The lowest id wins,
// with and without drafts.
#include "exact_cases.h"
#include "model_folder.h"
#include "oracle_draft.h"

#include <algorithm>
#include <cmath>

using namespace stet_test;

namespace
{

// Rows 8k + 4 .. 8k + 6 become copies of row 8k + 3, row 8k + 7 its neighbour by the last bit of
// every weight; so all outputs are decided by ties and near ties. Row 9 is a copy of the
// end-of-sentence row.
void add_ties(ModelFolder *m, const std::string &table)
{
    RawTensor &t = m->tensors.at(table);
    size_t d = static_cast<size_t>(t.shape[1]);
    float *x = m->f32(table);
    for (size_t row = 3; row + 5 <= static_cast<size_t>(t.shape[0]); row += 8) {
        for (size_t copy = 1; copy <= 4; copy++) {
            std::memcpy(x + (row + copy) * d, x + row * d, d * sizeof(float));
        }
        for (size_t i = 0; i < d; i++) {
            float *neighbour = x + (row + 4) * d + i;
            *neighbour = std::nextafterf(*neighbour, 10.0f);
        }
    }
    std::memcpy(x + 9 * d, x + 1 * d, d * sizeof(float));
}

class Ties : public ::testing::TestWithParam<std::tuple<std::string, int>>
{
};

TEST_P(Ties, LowestIdWinsAndDraftsChangeNothing)
{
    ModelFolder m(std::get<0>(GetParam()));
    add_ties(&m, m.tensors.count("lm_head.weight") ? "lm_head.weight" : "shared.weight");
    m.save();
    Net net(m.path, std::get<1>(GetParam()) ? STETI_I8 : STETI_F32);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = random_sources(10, net.spec.vocab_size, 31, 24);
    sources.erase(
        std::remove_if(sources.begin(), sources.end(), [](const auto &s) { return s.empty(); }),
        sources.end());
    auto want = greedy_alone(net, sources);
    size_t copied = 0, neighbours = 0;
    for (const auto &d : want) {
        for (int32_t id : d.ids) {
            ASSERT_NE(id, 9) << "a copy of the end-of-sentence row";
            ASSERT_FALSE(id >= 3 && (id - 3) % 8 >= 1 && (id - 3) % 8 <= 3)
                << "id " << id << " is a copy of a lower one";
            copied += id >= 3 && (id - 3) % 8 == 0;
            neighbours += id >= 3 && (id - 3) % 8 == 4;
        }
    }
    EXPECT_GT(copied, 10u) << "too few ties";
    if (std::get<1>(GetParam()) == 0) {
        EXPECT_GT(neighbours, 0u) << "the last bits decide nothing here";
    }
    for (const steti_draft_ops *policy :
         {&steti_draft_sad, &steti_draft_edit, &steti_draft_tree, &steti_draft_none}) {
        for (int window : {0, 1, 3, 7}) {
            for (int batch : {1, 4}) {
                auto got = decode(net, engine_options(policy, window, batch, 40), sources);
                ASSERT_EQ(count_differing(got, want), 0u)
                    << policy->name << " " << window << " " << batch;
            }
        }
    }
    // Drafts made of the higher of two equal ids must be refused, of the lower taken.
    for (int shift : {0, 1}) {
        stage() = OracleStage{};
        for (size_t k = 0; k < sources.size(); k++) {
            stage().plans[sources[k].data()] = [&want, k, shift](size_t at, int) {
                std::vector<int32_t> d(want[k].ids.begin() + static_cast<long>(at),
                                       want[k].ids.end());
                for (auto &id : d) {
                    id += shift;
                }
                return d;
            };
        }
        auto got = decode(net, engine_options(oracle_draft(), 0, 3, 40), sources);
        ASSERT_EQ(count_differing(got, want), 0u);
        EXPECT_EQ(stage().matched == 0, shift == 1);
    }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Ties,
                         ::testing::Combine(::testing::Values("edgeformer-a", "edgeformer-c",
                                                              "transformer-post",
                                                              "transformer-learned"),
                                            ::testing::Values(0, 1)));

} // namespace
