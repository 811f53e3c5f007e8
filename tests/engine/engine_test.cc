// The engine's own duties: limits, statuses, counts, order. Exactness has tests of its own in
// tests/exact.
#include "net_fixture.h"

using namespace stet_test;

namespace
{

class Engine : public ::testing::Test
{
  protected:
    void open(steti_engine_options o)
    {
        err.struct_size = sizeof err;
        ASSERT_EQ(steti_engine_open(net.model, net.backend, &o, &engine, &err), STET_OK)
            << err.message;
        options = o;
    }
    void TearDown() override
    {
        steti_engine_close(engine);
    }
    std::vector<steti_job> make_jobs(const std::vector<std::vector<int32_t>> &sources)
    {
        size_t most = static_cast<size_t>(options.max_out);
        std::vector<steti_job> jobs(sources.size());
        out.assign(sources.size() * most, -5);
        logprob.assign(sources.size() * (most + 1), 7.0f);
        for (size_t i = 0; i < jobs.size(); i++) {
            jobs[i].src = sources[i].data();
            jobs[i].n_src = static_cast<int>(sources[i].size());
            jobs[i].out = &out[i * most];
            jobs[i].logprob = &logprob[i * (most + 1)];
        }
        return jobs;
    }
    Net net{fixture("edgeformer-a")};
    steti_engine *engine = nullptr;
    steti_engine_options options{};
    stet_error err{};
    std::vector<int32_t> out;
    std::vector<float> logprob;
};

TEST_F(Engine, OptionsOutOfRangeAreRefused)
{
    auto good = engine_options(&steti_draft_edit, 0, 2);
    std::vector<steti_engine_options> bad(7, good);
    bad[0].draft = nullptr;
    bad[1].batch_size = 0;
    bad[2].max_src = 0;
    bad[3].max_out = -1;
    bad[4].draft_window = STETI_WINDOW_AUTO - 1;
    bad[5].clock = nullptr;
    bad[6].max_out = 5000; // more than the model's positions
    for (const auto &o : bad) {
        err.struct_size = sizeof err;
        err.message[0] = '\0';
        EXPECT_EQ(steti_engine_open(net.model, net.backend, &o, &engine, &err), STET_E_INVALID);
        EXPECT_EQ(engine, nullptr);
        EXPECT_STRNE(err.message, "");
    }
}

TEST_F(Engine, BadJobsFailAloneAndTheFirstIsDescribed)
{
    open(engine_options(&steti_draft_edit, 0, 2));
    std::vector<std::vector<int32_t>> sources = {
        {5, 6}, std::vector<int32_t>(65, 5), {5, 288}, {-1}, {}, {7, 8, 9}};
    auto jobs = make_jobs(sources);
    jobs[4].n_src = -3;
    EXPECT_EQ(steti_engine_run(engine, jobs.data(), jobs.size(), &err), STET_E_TOO_LONG);
    EXPECT_NE(std::string(err.message).find("65"), std::string::npos) << err.message;
    const stet_status want[] = {STET_OK,        STET_E_TOO_LONG, STET_E_INVALID,
                                STET_E_INVALID, STET_E_TOO_LONG, STET_OK};
    for (size_t i = 0; i < jobs.size(); i++) {
        EXPECT_EQ(jobs[i].status, want[i]) << i;
    }
    // The engine goes on as if nothing had been.
    std::vector<std::vector<int32_t>> good = {sources[0], sources[5]};
    auto again = make_jobs(good);
    EXPECT_EQ(steti_engine_run(engine, again.data(), again.size(), nullptr), STET_OK);
    EXPECT_EQ(steti_engine_run(engine, nullptr, 0, nullptr), STET_OK);
}

TEST_F(Engine, CountsFollowFromEachOther)
{
    auto o = engine_options(&steti_draft_edit, 3, 4, 20);
    open(o);
    auto sources = random_sources(23, 288, 3, 30);
    auto jobs = make_jobs(sources);
    ASSERT_EQ(steti_engine_run(engine, jobs.data(), jobs.size(), &err), STET_OK) << err.message;
    steti_counts sum{}, total{};
    steti_engine_times times{};
    for (const auto &j : jobs) {
        size_t emitted = static_cast<size_t>(j.n_out) + static_cast<size_t>(j.finished);
        EXPECT_EQ(j.counts.accepted + j.counts.passes, emitted);
        EXPECT_EQ(j.counts.rows, j.counts.passes + j.counts.drafted);
        EXPECT_LE(j.counts.drafted, 3 * j.counts.passes) << "the window is 3";
        EXPECT_TRUE(j.finished || j.n_out == o.max_out);
        EXPECT_LE(j.n_out, o.max_out);
        sum.passes += j.counts.passes;
        sum.rows += j.counts.rows;
        sum.drafted += j.counts.drafted;
        sum.accepted += j.counts.accepted;
        sum.reentries += j.counts.reentries;
    }
    steti_engine_totals(engine, &total, &times);
    EXPECT_EQ(total.passes, sum.passes);
    EXPECT_EQ(total.rows, sum.rows);
    EXPECT_EQ(total.drafted, sum.drafted);
    EXPECT_EQ(total.accepted, sum.accepted);
    EXPECT_EQ(total.reentries, sum.reentries);
    EXPECT_EQ(total.verified, 0u);
    EXPECT_GT(sum.drafted, 0u);
}

TEST_F(Engine, OutputsAreCutAtTheLimitAndNothingIsWrittenBehindThem)
{
    auto sources = random_sources(6, 288, 8, 20);
    auto whole = decode(net, engine_options(&steti_draft_none, 0, 1, 40), sources);
    for (int most : {1, 2, 3, 7, 39}) {
        for (const steti_draft_ops *policy :
             {&steti_draft_none, &steti_draft_sad, &steti_draft_edit, &steti_draft_tree}) {
            auto got = decode(net, engine_options(policy, 0, 3, most), sources);
            for (size_t i = 0; i < sources.size(); i++) {
                size_t n = std::min(whole[i].ids.size(), static_cast<size_t>(most));
                std::vector<int32_t> want(whole[i].ids.begin(),
                                          whole[i].ids.begin() + static_cast<long>(n));
                EXPECT_EQ(got[i].ids, want);
                EXPECT_EQ(got[i].finished,
                          whole[i].finished && whole[i].ids.size() < static_cast<size_t>(most));
            }
        }
    }
}

TEST_F(Engine, ScoresAreFilledOnlyWhenAskedFor)
{
    auto o = engine_options(&steti_draft_sad, 0, 2, 10);
    o.scores = 0;
    o.verify = 1;
    open(o);
    std::vector<std::vector<int32_t>> sources = {{5, 6, 7}, {8, 9}};
    auto jobs = make_jobs(sources);
    jobs[1].logprob = nullptr;
    EXPECT_EQ(steti_engine_run(engine, jobs.data(), 2, &err), STET_OK) << err.message;
    for (float v : logprob) {
        EXPECT_EQ(v, 7.0f);
    }
    EXPECT_EQ(jobs[0].counts.verified + jobs[1].counts.verified, 2u);
}

TEST_F(Engine, VerifyingIsNotPartOfTheTotals)
{
    auto sources = random_sources(5, 288, 4, 12);
    auto o = engine_options(&steti_draft_edit, 4, 3, 16);
    steti_counts plain{}, checked{};
    steti_engine_times t;
    for (steti_counts *c : {&plain, &checked}) {
        o.verify = c == &checked;
        open(o);
        auto jobs = make_jobs(sources);
        ASSERT_EQ(steti_engine_run(engine, jobs.data(), jobs.size(), &err), STET_OK) << err.message;
        steti_engine_totals(engine, c, &t);
        steti_engine_close(engine);
        engine = nullptr;
    }
    EXPECT_EQ(checked.verified, sources.size());
    EXPECT_EQ(checked.passes, plain.passes);
    EXPECT_EQ(checked.rows, plain.rows);
}

uint64_t ticking(void *ctx)
{
    return *static_cast<uint64_t *>(ctx) += 1000;
}

TEST_F(Engine, TimesComeFromTheClock)
{
    uint64_t ticks = 0;
    steti_clock clock{ticking, &ticks};
    auto o = engine_options(&steti_draft_none, 0, 1, 10);
    o.clock = &clock;
    open(o);
    auto sources = random_sources(2, 288, 4, 12);
    auto jobs = make_jobs(sources);
    ASSERT_EQ(steti_engine_run(engine, jobs.data(), jobs.size(), nullptr), STET_OK);
    steti_counts c;
    steti_engine_times t;
    steti_engine_totals(engine, &c, &t);
    EXPECT_EQ(t.decode_ns, 1000 * c.passes) << "one reading before and one after each pass";
    EXPECT_GT(t.encode_ns, 0u);
}

// A draft policy that notes what it was given as text.
std::vector<std::vector<int32_t>> texts_seen;

TEST_F(Engine, APromptIsEncodedAndNeverDrafted)
{
    static steti_draft_ops noting = steti_draft_edit;
    noting.begin = [](steti_draft *d, const int32_t *src, int n) {
        texts_seen.emplace_back(src, src + n);
        steti_draft_edit.begin(d, src, n);
    };
    std::vector<std::vector<int32_t>> sources = {{5, 6, 7, 8, 9, 10}, {5, 6}, {7, 8, 9}};
    auto want = decode(net, engine_options(&steti_draft_none, 0, 1, 20), sources);
    open(engine_options(&noting, 0, 2, 20));
    auto jobs = make_jobs(sources);
    jobs[0].n_prompt = 2;
    jobs[1].n_prompt = 2;
    texts_seen.clear();
    ASSERT_EQ(steti_engine_run(engine, jobs.data(), jobs.size(), &err), STET_OK) << err.message;
    EXPECT_EQ(texts_seen, (std::vector<std::vector<int32_t>>{{7, 8, 9, 10}, {}, {7, 8, 9}}));
    for (size_t i = 0; i < jobs.size(); i++) {
        EXPECT_EQ(std::vector<int32_t>(jobs[i].out, jobs[i].out + jobs[i].n_out), want[i].ids);
    }
    for (int n : {-1, 3}) {
        jobs[1].n_prompt = n;
        EXPECT_EQ(steti_engine_run(engine, &jobs[1], 1, &err), STET_E_INVALID);
        EXPECT_NE(std::string(err.message).find("prompt"), std::string::npos) << err.message;
    }
}

TEST_F(Engine, NothingIsAllocatedBetweenOpenAndClose)
{
    steti_alloc_stats before{}, after{};
    open(engine_options(&steti_draft_tree, 0, 3));
    auto sources = random_sources(9, 288, 4, 40);
    auto jobs = make_jobs(sources);
    steti_alloc_get_stats(&before);
    ASSERT_EQ(steti_engine_run(engine, jobs.data(), jobs.size(), nullptr), STET_OK);
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.calls, before.calls);
}

TEST_F(Engine, ReservesWhatItSays)
{
    for (int batch : {1, 8, 40, 9}) {
        auto o = engine_options(batch == 9 ? &steti_draft_tree : &steti_draft_edit, 7, batch, 60);
        steti_alloc_stats before{}, after{};
        open(o); // reserves the backend's scratch, which is not the engine's
        steti_engine_close(engine);
        steti_alloc_get_stats(&before);
        open(o);
        steti_alloc_get_stats(&after);
        size_t used = after.live_bytes - before.live_bytes,
               said = steti_engine_bytes(&net.spec, &o);
        EXPECT_LE(used, said + said / 50 + 4096);
        EXPECT_GE(used, said * 7 / 10);
        steti_engine_close(engine);
        engine = nullptr;
    }
}

} // namespace
