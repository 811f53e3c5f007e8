// Cancelling a sentence ends that sentence before its next pass and does nothing else.
#include "net_fixture.h"

using namespace stet_test;

namespace
{

class Cancelling : public ::testing::TestWithParam<const char *>
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(net.status, STET_OK) << net.err.message;
        for (auto &s : sources) {
            greedy.push_back(decode(net, engine_options(&steti_draft_none, 0, 1, 20), {s})[0]);
        }
    }
    bool is_beginning(const Decoded &d, size_t i) const
    {
        const Decoded &g = greedy[i];
        return d.ids.size() <= g.ids.size() && d.logprob.size() == d.ids.size() &&
               std::equal(d.ids.begin(), d.ids.end(), g.ids.begin()) &&
               (d.ids.empty() ||
                std::memcmp(d.logprob.data(), g.logprob.data(), d.ids.size() * sizeof(float)) == 0);
    }

    Net net{fixture("edgeformer-a")};
    const steti_draft_ops *policy = steti_draft_find(GetParam());
    std::vector<std::vector<int32_t>> sources = random_sources(11, 288, 5, 14);
    std::vector<Decoded> greedy;
};

TEST_P(Cancelling, EndsOneSentenceAndLeavesTheOthersAsTheyAre)
{
    size_t cancelled = 0;
    for (size_t victim = 0; victim < sources.size(); victim++) {
        for (int passes : {0, 1, 2, 5, 11}) {
            std::vector<Cancel> cancels(sources.size());
            cancels[victim].passes = passes;
            auto got = decode(net, engine_options(policy, 4, 3, 20), sources, &cancels);
            for (size_t i = 0; i < sources.size(); i++) {
                if (got[i].status == STET_E_CANCELLED) {
                    ASSERT_EQ(i, victim);
                    ASSERT_TRUE(is_beginning(got[i], i));
                    ASSERT_FALSE(got[i].finished);
                    ASSERT_EQ(got[i].counts.passes, static_cast<uint64_t>(passes));
                    ASSERT_EQ(got[i].ids.size(), got[i].counts.passes + got[i].counts.accepted);
                    ASSERT_EQ(cancels[i].asked, passes + 1);
                    cancelled++;
                    continue;
                }
                ASSERT_EQ(got[i].status, STET_OK);
                ASSERT_TRUE(got[i].same_bits(greedy[i]))
                    << "sentence " << i << " beside " << victim;
                ASSERT_EQ(static_cast<uint64_t>(cancels[i].asked), got[i].counts.passes)
                    << "asked once before each pass";
            }
        }
    }
    EXPECT_GT(cancelled, 3 * sources.size());
}

TEST_P(Cancelling, AllOfThem)
{
    std::vector<Cancel> cancels(sources.size());
    for (size_t i = 0; i < sources.size(); i++) {
        cancels[i].passes = static_cast<int>(i % 3);
    }
    auto got = decode(net, engine_options(policy, 0, 2, 20), sources, &cancels);
    for (size_t i = 0; i < sources.size(); i++) {
        if (got[i].status == STET_OK) {
            EXPECT_TRUE(got[i].same_bits(greedy[i])) << "ended before it was to be cancelled";
            continue;
        }
        EXPECT_EQ(got[i].status, STET_E_CANCELLED);
        EXPECT_TRUE(is_beginning(got[i], i));
    }
    EXPECT_EQ(got[0].status, STET_E_CANCELLED);
    EXPECT_TRUE(got[0].ids.empty()) << "cancelled before its first pass";
}

INSTANTIATE_TEST_SUITE_P(Policies, Cancelling, ::testing::Values("none", "sad", "edit", "tree"));

TEST(Cancel, IsSaidAndNotVerified)
{
    Net net(fixture("edgeformer-a"));
    auto o = engine_options(&steti_draft_edit, 0, 1, 20);
    steti_engine *engine = nullptr;
    steti_job jobs[3] = {};
    int32_t src[] = {5, 6, 7, 8}, out[60];
    stet_error err{};
    Cancel now;
    now.passes = 0;
    err.struct_size = sizeof err;
    o.verify = 1;
    ASSERT_EQ(steti_engine_open(net.model, net.backend, &o, &engine, &err), STET_OK);
    for (int i = 0; i < 3; i++) {
        jobs[i].src = src;
        jobs[i].n_src = 4;
        jobs[i].out = out + 20 * i;
    }
    jobs[1].is_cancelled = Cancel::ask;
    jobs[1].cancel_ctx = &now;
    EXPECT_EQ(steti_engine_run(engine, jobs, 3, &err), STET_E_CANCELLED);
    EXPECT_NE(std::string(err.message).find("4 tokens"), std::string::npos) << err.message;
    EXPECT_EQ(jobs[0].status, STET_OK);
    EXPECT_EQ(jobs[1].status, STET_E_CANCELLED);
    EXPECT_EQ(jobs[2].status, STET_OK);
    EXPECT_EQ(jobs[0].counts.verified, 1u);
    EXPECT_EQ(jobs[1].counts.verified, 0u);
    EXPECT_EQ(jobs[1].n_out, 0);
    steti_engine_close(engine);
}

} // namespace
