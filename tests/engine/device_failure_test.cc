// A device that fails at any call of any op: every call returns, every job has a status, nothing
// leaks.
#include "net_fixture.h"
#include "oracle_draft.h"
#include "wrapped_ops.h"

using namespace stet_test;

namespace
{

uint64_t live_blocks()
{
    steti_alloc_stats s{};
    steti_alloc_get_stats(&s);
    return s.live_count;
}

struct Outcome {
    stet_status opened = STET_OK, ran = STET_OK;
    size_t failed = 0, fine = 0;
};

// Drafts whose first branch is wrong and whose second is right for two tokens, so that every op has
// work, copying the winner's rows included.
void set_plans(const std::vector<std::vector<int32_t>> &sources, const std::vector<Decoded> &want)
{
    stage() = OracleStage{};
    for (size_t k = 0; k < sources.size(); k++) {
        stage().branch_plans[sources[k].data()] = [&want, k](size_t at, int branch, int) {
            const auto &y = want[k].ids;
            if (branch > 1) {
                return std::vector<int32_t>{7, 7};
            }
            auto begin = y.begin() + static_cast<long>(std::min(at, y.size()));
            std::vector<int32_t> d(begin, std::min(begin + 2, y.end()));
            if (branch == 0 && !d.empty()) {
                d[0] = 3 + d[0] % 200;
            }
            return d;
        };
    }
}

// Model, engine and run, with all that can be closed closed.
Outcome try_everything(const std::vector<std::vector<int32_t>> &sources,
                       const std::vector<Decoded> *want)
{
    Outcome result;
    stet_error err{};
    err.struct_size = sizeof err;
    Net net(fixture("transformer-pre"), STETI_F32, 1, "portable", failing_ops());
    result.opened = net.status;
    steti_engine *engine = nullptr;
    auto o = engine_options(oracle_tree(), 3, 2, 8);
    if (result.opened == STET_OK) {
        result.opened = steti_engine_open(net.model, net.backend, &o, &engine, &err);
    }
    if (result.opened != STET_OK) {
        EXPECT_EQ(engine, nullptr);
        return result;
    }
    std::vector<steti_job> jobs(sources.size());
    std::vector<int32_t> out(sources.size() * 8);
    for (size_t i = 0; i < jobs.size(); i++) {
        jobs[i].src = sources[i].data();
        jobs[i].n_src = static_cast<int>(sources[i].size());
        jobs[i].out = &out[i * 8];
        jobs[i].status = 99;
    }
    result.ran = steti_engine_run(engine, jobs.data(), jobs.size(), &err);
    for (size_t i = 0; i < jobs.size(); i++) {
        EXPECT_TRUE(jobs[i].status == STET_OK || jobs[i].status == STET_E_DEVICE) << jobs[i].status;
        result.failed += jobs[i].status != STET_OK;
        result.fine += jobs[i].status == STET_OK;
        if (jobs[i].status == STET_OK && want != nullptr) {
            EXPECT_EQ(std::vector<int32_t>(jobs[i].out, jobs[i].out + jobs[i].n_out),
                      (*want)[i].ids)
                << "a sentence that is said to be right must be right";
        }
    }
    EXPECT_EQ(result.ran == STET_OK, result.failed == 0);
    if (result.ran != STET_OK) {
        EXPECT_NE(std::string(err.message).find("test device"), std::string::npos) << err.message;
    }
    steti_engine_close(engine);
    return result;
}

class DeviceFailure : public ::testing::TestWithParam<int>
{
};

TEST_P(DeviceFailure, AtEveryCall)
{
    auto sources = random_sources(4, 288, 17, 6);
    Net good(fixture("transformer-pre"), STETI_F32, 1, "portable");
    auto want = decode(good, engine_options(&steti_draft_none, 0, 1, 8), sources);
    set_plans(sources, want);
    uint64_t before = live_blocks();
    FailingDevice &d = failing_device();
    for (bool sticky : {false, true}) {
        size_t failures = 0;
        for (int at = 1, reached = 1; reached; at += 1 + at / 12) {
            d = FailingDevice{};
            d.op = static_cast<Op>(GetParam());
            d.at = at;
            d.sticky = sticky;
            Outcome o = try_everything(sources, &want);
            reached = d.seen[GetParam()] >= at;
            if (reached && sticky) {
                EXPECT_TRUE(o.opened != STET_OK || o.failed > 0) << "call " << at;
            }
            failures += o.opened != STET_OK || o.failed > 0;
            ASSERT_EQ(live_blocks(), before) << "call " << at << " leaks";
        }
        // A single failure in a decoder pass is repaired by repeating the pass for each sentence.
        EXPECT_TRUE(failures > 0 || !sticky);
    }
    d = FailingDevice{};
    Outcome o = try_everything(sources, &want);
    EXPECT_EQ(o.fine, sources.size());
}

INSTANTIATE_TEST_SUITE_P(Ops, DeviceFailure, ::testing::Range(0, static_cast<int>(Op::count)));

} // namespace
