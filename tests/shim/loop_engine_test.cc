// Engines whose passes are made by the device, on fibers: the same tokens, bits and counts as
// passes that the host plans and judges one by one.
#include "exact_cases.h"
#include "fake_sdpa.h"
#include "model_folder.h"
#include "shim_device.h"

#include <cmath>

using namespace stet_test;
using stet_shim::device;

namespace
{

using Sources = std::vector<std::vector<int32_t>>;

struct Setting {
    const steti_draft_ops *draft;
    int window, batch, loop_passes;
};

uint64_t verdicts()
{
    return device().launches[STETI_CUDA_verdict];
}

std::vector<Decoded> run(const Net &net, const Sources &sources, Setting s, int max_out = 16,
                         std::vector<Cancel> *cancels = nullptr)
{
    auto o = engine_options(s.draft, s.window, s.batch, max_out);
    o.loop_passes = s.loop_passes;
    return decode(net, o, sources, cancels);
}

std::vector<Decoded> by_host(const Net &net, const Sources &sources, Setting s, int max_out = 16)
{
    s.loop_passes = 1;
    uint64_t before = verdicts();
    auto out = run(net, sources, s, max_out);
    EXPECT_EQ(verdicts(), before);
    return out;
}

void expect_same_counts(const std::vector<Decoded> &got, const std::vector<Decoded> &want)
{
    for (size_t i = 0; i < got.size(); i++) {
        const steti_counts &a = got[i].counts, &b = want[i].counts;
        EXPECT_EQ(a.passes, b.passes) << "sentence " << i;
        EXPECT_EQ(a.rows, b.rows) << "sentence " << i;
        EXPECT_EQ(a.drafted, b.drafted) << "sentence " << i;
        EXPECT_EQ(a.accepted, b.accepted) << "sentence " << i;
        EXPECT_EQ(a.reentries, b.reentries) << "sentence " << i;
    }
}

class LoopedFamily : public ::testing::TestWithParam<std::string>
{
};

// Folders with rules for every row have no loop, and do without.
TEST_P(LoopedFamily, GivesWhatTheHostGives)
{
    Net net(fixture(GetParam()), STETI_F32, 1, nullptr, stet_shim::ops_small_chunks());
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = random_sources(3, net.spec.vocab_size, 5, 9);
    auto want = by_host(net, sources, {&steti_draft_none, 0, 1, 1}, 7);
    uint64_t before = verdicts();
    auto got = run(net, sources, {&steti_draft_edit, 4, 3, 8}, 7);
    EXPECT_EQ(count_differing(got, want), 0u);
    EXPECT_EQ(verdicts() == before, steti_generation_has_rules(&net.spec.generation) != 0);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, LoopedFamily, ::testing::ValuesIn(all_fixtures()),
                         [](const auto &p) {
                             std::string name = p.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

// One model whose drafts are sometimes right.
class Looped : public ::testing::Test
{
  protected:
    static void SetUpTestSuite()
    {
        Net cpu(fixture("edgeformer-a"));
        sources() = echo_sources(cpu, 5, 71, 14);
        sources().push_back({});
    }
    static Sources &sources()
    {
        static Sources s;
        return s;
    }
    Looped() : net(fixture("edgeformer-a"), STETI_F32, 1, nullptr, stet_shim::ops_small_chunks())
    {
    }
    ~Looped() override
    {
        device().before = nullptr;
        device().has_while = 1;
    }
    Net net;
};

TEST_F(Looped, CountsAreTheHosts)
{
    uint64_t accepted = 0;
    for (const steti_draft_ops *policy : {&steti_draft_sad, &steti_draft_edit}) {
        auto want = by_host(net, sources(), {policy, 0, 1, 1});
        for (Setting s : {Setting{policy, 0, 1, 8}, {policy, 0, 4, 2}, {policy, 0, 6, 64}}) {
            uint64_t before = verdicts();
            auto got = run(net, sources(), s);
            EXPECT_GT(verdicts(), before);
            EXPECT_EQ(count_differing(got, want), 0u) << policy->name << " batch " << s.batch;
            expect_same_counts(got, want);
        }
        for (const Decoded &d : want) {
            accepted += d.counts.accepted;
        }
    }
    EXPECT_GT(accepted, 5u);
}

TEST_F(Looped, WithoutWhileNodesAndWithFewRows)
{
    device().has_while = 0;
    Net old(fixture("edgeformer-a"), STETI_F32, 1, nullptr, stet_shim::ops());
    ASSERT_EQ(old.status, STET_OK) << old.err.message;
    for (Setting s : {Setting{&steti_draft_none, 0, 3, 3}, {&steti_draft_edit, 2, 6, 9}}) {
        auto want = by_host(old, sources(), s, 9);
        auto got = run(old, sources(), s, 9);
        EXPECT_EQ(count_differing(got, want), 0u);
        expect_same_counts(got, want);
    }
}

// A verdict that takes the first wrong token of a draft for right must give other tokens.
TEST_F(Looped, OneTokenTooManyIsSeen)
{
    auto want = by_host(net, sources(), {&steti_draft_edit, 0, 6, 1});
    device().before = [](steti_cuda_kernel kernel, const void *arg) {
        if (kernel != STETI_CUDA_verdict) {
            return;
        }
        auto a = static_cast<const steti_cuda_verdict_args *>(arg);
        auto head = reinterpret_cast<const steti_cuda_loop_head *>(a->base);
        auto seqs = reinterpret_cast<const steti_cuda_loop_seq *>(head + 1);
        for (int i = 0; head->n_rows > 0 && i < head->n_seqs; i++) {
            const steti_cuda_loop_now &now = seqs[i].now;
            const int32_t *draft = a->base + seqs[i].text + now.from;
            auto best = const_cast<steti_cuda_best *>(a->best) + now.row;
            int k = 0;
            while (k < now.drafted && best[k].id == draft[k]) {
                k++;
            }
            if (now.state == STETI_CUDA_LOOP_RUNNING && k < now.drafted) {
                best[k].id = draft[k];
            }
        }
    };
    auto got = run(net, sources(), {&steti_draft_edit, 0, 6, 8});
    EXPECT_GT(count_differing(got, want), 0u);
}

// One graph for the encoder and one for all passes of a sentence that has few.
TEST_F(Looped, ASentenceIsTwoLaunches)
{
    auto o = engine_options(&steti_draft_sad, 0, 1, 16);
    steti_engine *e = nullptr;
    stet_error err{};
    std::vector<int32_t> out(16);
    steti_alloc_stats before, after;
    o.loop_passes = 64;
    o.scores = 0;
    ASSERT_EQ(steti_engine_open(net.model, net.backend, &o, &e, &err), STET_OK);
    EXPECT_EQ(steti_engine_most_passes(e), 64);
    for (int round = 0; round < 2; round++) {
        steti_job job{};
        job.src = sources()[0].data();
        job.n_src = static_cast<int>(sources()[0].size());
        job.out = out.data();
        uint64_t launches = device().graph_launches;
        steti_alloc_get_stats(&before);
        ASSERT_EQ(steti_engine_run(e, &job, 1, &err), STET_OK);
        steti_alloc_get_stats(&after);
        EXPECT_EQ(device().graph_launches, launches + 2);
        EXPECT_GT(job.counts.passes, 1u);
        EXPECT_TRUE(round == 0 || after.calls == before.calls) << "recordings are made once";
    }
    steti_engine_close(e);
}

// Asked before every pass, as without a loop.
TEST_F(Looped, MayBeCancelledBeforeEveryPass)
{
    auto whole = by_host(net, sources(), {&steti_draft_none, 0, 1, 1}, 8);
    std::vector<Cancel> cancels(sources().size());
    cancels[0].passes = 3;
    auto got = run(net, sources(), {&steti_draft_none, 0, 6, 8}, 8, &cancels);
    EXPECT_EQ(got[0].status, STET_E_CANCELLED);
    ASSERT_GE(whole[0].ids.size(), 3u);
    EXPECT_EQ(got[0].ids, std::vector<int32_t>(whole[0].ids.begin(), whole[0].ids.begin() + 3));
    for (size_t i = 1; i < got.size(); i++) {
        EXPECT_TRUE(got[i].same_bits(whole[i])) << i;
        EXPECT_EQ(cancels[i].asked, static_cast<int>(got[i].counts.passes)) << i;
    }
}

// The embedding of one token is NaN: sentences that have it fail, at the token where greedy
// decoding fails; the others go on.
TEST_F(Looped, ANanStopsItsSentenceOnly)
{
    constexpr int32_t kBad = 287;
    ModelFolder folder("edgeformer-a");
    Sources some(sources().begin(), sources().begin() + 4);
    some[1].push_back(kBad);
    folder.tensors["lm_head.weight"] = folder.tensors.at("shared.weight");
    folder.set("tie_word_embeddings", "false");
    size_t d = static_cast<size_t>(folder.tensors.at("shared.weight").shape[1]);
    float *row = folder.f32("shared.weight") + static_cast<size_t>(kBad) * d;
    std::fill(row, row + d, NAN);
    folder.save();
    Net sick(folder.path, STETI_F32, 1, nullptr, stet_shim::ops());
    ASSERT_EQ(sick.status, STET_OK) << sick.err.message;
    auto want = by_host(sick, some, {&steti_draft_none, 0, 1, 1}, 9);
    ASSERT_EQ(want[1].status, STET_E_MODEL);
    ASSERT_EQ(want[0].status, STET_OK);
    uint64_t before = verdicts();
    auto got = run(sick, some, {&steti_draft_edit, 0, 4, 8}, 9);
    EXPECT_GT(verdicts(), before);
    EXPECT_EQ(count_differing(got, want), 0u);
}

// The third call of the loop finds no memory: what began on the device ends on the host.
TEST_F(Looped, GoesOnWithoutTheLoop)
{
    static int calls = 0;
    static const steti_backend_ops *whole = stet_shim::ops_small_chunks();
    static steti_backend_ops ops = *whole;
    ops.loop_run = [](steti_backend *b, steti_loop *l, steti_loop_params *p, stet_error *err) {
        return ++calls == 3 ? STET_E_NOMEM : whole->loop_run(b, l, p, err);
    };
    Net some(fixture("edgeformer-a"), STETI_F32, 1, nullptr, &ops);
    ASSERT_EQ(some.status, STET_OK) << some.err.message;
    auto want = by_host(some, sources(), {&steti_draft_none, 0, 1, 1});
    for (const steti_draft_ops *policy : {&steti_draft_none, &steti_draft_sad, &steti_draft_edit}) {
        calls = 0;
        auto got = run(some, sources(), {policy, 2, 6, 2});
        EXPECT_EQ(calls, 3) << policy->name;
        EXPECT_EQ(count_differing(got, want), 0u) << policy->name;
    }
}

// Whether a library makes the attention is decided by the first op of its kind, which no recording
// may have: the loop waits for that, and is lost only where the library makes it.
TEST(LoopedAttention, WaitsForTheDecision)
{
    static const steti_backend_ops ops =
        steti_cuda_ops([](const steti_backend_options *o, steti_backend **out, stet_error *err) {
            static const steti_cuda_tuning tuning = stet_shim::chunks(48, 8);
            steti_cuda_sdpa_options s = stet_shim::fake_sdpa_options();
            stet_status st =
                steti_cuda_open_with(stet_shim::runtime(), o->device_index, &tuning, out, err);
            return st != STET_OK ? st : steti_cuda_use_sdpa(*out, &s, err);
        });
    for (bool absent : {true, false}) {
        stet_shim::fake_sdpa() = stet_shim::FakeSdpa();
        stet_shim::fake_sdpa().absent = absent;
        Net host(fixture("hf-t5-a"), STETI_BF16, 1, nullptr, &ops);
        ASSERT_EQ(host.status, STET_OK) << host.err.message;
        auto sources = random_sources(4, host.spec.vocab_size, 5, 9);
        auto want = by_host(host, sources, {&steti_draft_none, 0, 1, 1}, 7);
        for (const steti_draft_ops *policy : {&steti_draft_none, &steti_draft_edit}) {
            Net net(fixture("hf-t5-a"), STETI_BF16, 1, nullptr, &ops); /* nothing is decided */
            uint64_t before = verdicts();
            auto got = run(net, sources, {policy, 4, 2, 8}, 7);
            EXPECT_EQ(count_differing(got, want), 0u) << policy->name;
            EXPECT_EQ(verdicts() > before, absent) << policy->name;
        }
    }
}

} // namespace
