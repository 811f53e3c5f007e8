// One engine on several devices: what it answers is what one device answers, work is shared out by
// the tokens in flight, and limits are for all.
#include "several_fixture.h"

using namespace stet_test;

namespace
{

// ---- Parts of the processor ---------------------------------------------------------------------

class ApiSeveral : public ::testing::TestWithParam<int>
{
};

TEST_P(ApiSeveral, AnswersAreThoseOfOneDevice)
{
    const std::vector<Ask> list = asks(48, 1);
    const std::vector<std::string> want = answers(list);
    Model m(several_folder, parts(list_of(GetParam())));
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    Engine g(m.handle, exact);
    ASSERT_EQ(g.status, STET_OK) << g.err.message;
    Queue q;
    ASSERT_EQ(submit(g, q, requests_of(list)).status, STET_OK);
    auto events = q.wait(list.size());
    std::vector<stet_result *> results(list.size(), nullptr);
    const std::vector<stet_request> requests = requests_of(list);
    ASSERT_EQ(stet_correct_batch(g.handle, requests.data(), list.size(), results.data(), nullptr,
                                 nullptr),
              STET_OK);
    for (size_t i = 0; i < list.size(); i++) {
        EXPECT_EQ(bits_of(events[i].result), want[i]) << "submitted " << i;
        EXPECT_EQ(bits_of(Result(results[i])), want[i]) << "in a blocking call " << i;
    }
    stet_stats t = stats_of(g);
    uint64_t passes = 0, calls = 0;
    for (int i = 0; i < GetParam(); i++) {
        stet_device_state s = device_of(g, static_cast<size_t>(i));
        EXPECT_EQ(s.health, STET_HEALTH_READY);
        EXPECT_EQ(s.device_index, static_cast<uint32_t>(i));
        EXPECT_EQ(s.requests + s.tokens, 0u);
        EXPECT_GT(s.batch_passes, 0u) << "device " << i << " did nothing";
        EXPECT_STREQ(s.message, "");
        passes += s.batch_passes;
        calls += s.encoder_calls;
    }
    EXPECT_EQ(t.batch_passes, passes);
    EXPECT_EQ(t.encoder_calls, calls);
    EXPECT_EQ(t.requests, 2 * list.size());
    EXPECT_EQ(t.accepted_requests, 2 * list.size());
    EXPECT_EQ(t.waiting + t.running, 0u);
}

INSTANTIATE_TEST_SUITE_P(Devices, ApiSeveral, ::testing::Values(1, 2, 3));

TEST(ApiSeveralOptions, ThreadsAreSharedOut)
{
    Model m(several_folder, parts("0-2", "4"));
    Engine g(m.handle);
    const char *const want[] = {"2 threads)", "1 thread)", "1 thread)"};
    for (size_t i = 0; i < 3; i++) {
        EXPECT_NE(std::string(device_of(g, i).name).find(want[i]), std::string::npos)
            << device_of(g, i).name;
    }
    Model few(several_folder, parts("0-2", "1"));
    Engine h(few.handle);
    EXPECT_NE(std::string(device_of(h, 2).name).find("1 thread)"), std::string::npos);
}

TEST(ApiSeveralOptions, AllIsOneProcessor)
{
    Model m(several_folder, parts("all"));
    Engine g(m.handle);
    stet_device_state s{};
    s.struct_size = sizeof s;
    EXPECT_EQ(stet_engine_device(g.handle, 0, &s), STET_OK);
    EXPECT_EQ(stet_engine_device(g.handle, 1, &s), STET_E_INVALID);
    EXPECT_EQ(stet_engine_device(nullptr, 0, &s), STET_E_INVALID);
    EXPECT_EQ(stet_engine_device(g.handle, 0, nullptr), STET_E_INVALID);
    s.struct_size = 3;
    EXPECT_EQ(stet_engine_device(g.handle, 0, &s), STET_E_INVALID);
}

// What an engine needs on two devices: weights once, the rest about twice; a limit is for all.
TEST(ApiSeveralOptions, MemoryLimitIsForAllDevices)
{
    auto least = [](const char *list) {
        Model m(several_folder, parts(list));
        Engine g(m.handle, {{"memory_limit", "1"}});
        EXPECT_EQ(g.status, STET_E_NOMEM);
        const char *p = std::strstr(g.err.message, "but ");
        return p != nullptr ? std::strtoull(p + 4, nullptr, 10) : 0;
    };
    uint64_t one = least("0"), two = least("0,1"), three = least("0-2");
    EXPECT_GT(two, one + (one - 600000) / 2) << one;
    EXPECT_LT(two, 2 * one);
    EXPECT_EQ(three - two, two - one);
    Model m(several_folder, parts("0,1"));
    const std::string below = std::to_string(two - 1), enough = std::to_string(two);
    EXPECT_EQ(Engine(m.handle, {{"memory_limit", below.c_str()}}).status, STET_E_NOMEM);
    Engine g(m.handle, {{"memory_limit", enough.c_str()}});
    ASSERT_EQ(g.status, STET_OK) << g.err.message;
    EXPECT_LE(stats_of(g).memory_bytes, two);
    correct(g, "ba ce difo");
}

// An engine's contexts are not those that packed the weights: each is told of these before anything
// is sized by it.
TEST(ApiSeveralOptions, ContextsAreToldOfTheirWeights)
{
    static std::vector<const steti_backend *> told, from;
    static int too_late;
    static steti_backend_ops ops = *fake_ops();
    told.clear();
    from.clear();
    too_late = 0;
    ops.use_weights = [](steti_backend *b, const steti_backend *weights) {
        told.push_back(b);
        from.push_back(weights);
    };
    ops.scratch_bytes = [](const steti_backend *b, int rows, int in, int keys) {
        too_late += std::find(told.begin(), told.end(), b) == told.end();
        return fake_ops()->scratch_bytes(b, rows, in, keys);
    };
    Model m(several_folder, parts("0-2"));
    ASSERT_EQ(swap_device(m.handle, fixture(several_folder).c_str(), &ops), STET_OK);
    {
        Engine g(m.handle);
        ASSERT_EQ(g.status, STET_OK) << g.err.message;
        correct(g, "ba ce difo");
        EXPECT_EQ(told.size(), 3u);
        for (const steti_backend *b : from) {
            EXPECT_EQ(b, from[0]);
            EXPECT_EQ(std::find(told.begin(), told.end(), b), told.end());
        }
        EXPECT_EQ(too_late, 0);
    }
}

// ---- Sharing out --------------------------------------------------------------------------------

TEST(ApiSeveralShare, FewestTokensFirst)
{
    FakeModel m(3);
    ASSERT_EQ(m.status, STET_OK);
    Engine g(m.handle);
    Queue q;
    const struct {
        size_t tokens, device;
    } steps[] = {{9, 0}, {4, 1}, {4, 2}, {2, 1}, {1, 2}, {0, 2},
                 {0, 1}, {0, 2}, {0, 1}, {3, 2}, {0, 0}};
    uint64_t want[3] = {0, 0, 0}, requests[3] = {0, 0, 0};
    hold_fake_devices(true);
    for (const auto &s : steps) {
        std::vector<int32_t> tokens(s.tokens, 7);
        ASSERT_EQ(
            submit(g, q, {token_request(tokens, requests[0] + requests[1] + requests[2])}).status,
            STET_OK);
        want[s.device] += s.tokens + 1;
        requests[s.device]++;
        for (size_t i = 0; i < 3; i++) {
            EXPECT_EQ(device_of(g, i).tokens, want[i]) << "device " << i;
            EXPECT_EQ(device_of(g, i).requests, requests[i]) << "device " << i;
        }
    }
    hold_fake_devices(false);
    EXPECT_EQ(q.wait(11).size(), 11u);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_EQ(device_of(g, i).tokens, 0u);
    }
}

// What a device had to do is what the other has to do.
TEST(ApiSeveralShare, TokensGoWithTheRequest)
{
    FakeModel m(2);
    Engine g(m.handle);
    Queue q;
    hold_fake_devices(true);
    ASSERT_EQ(submit(g, q, {token_request({9, 9, 9}, 0), token_request({9}, 1)}).status, STET_OK);
    while (!is_held_up(0) || !is_held_up(1)) {
        std::this_thread::yield();
    }
    lose_fake_device(0);
    while (device_of(g, 0).requests > 0) {
        std::this_thread::yield();
    }
    EXPECT_EQ(device_of(g, 0).tokens, 0u);
    EXPECT_EQ(device_of(g, 1).tokens, 4u + 2u);
    EXPECT_EQ(device_of(g, 1).requests, 2u);
    EXPECT_EQ(device_of(g, 0).health, STET_HEALTH_DEAD);
    hold_fake_devices(false);
    auto events = q.wait(2);
    EXPECT_EQ(events[0].status, STET_OK);
    EXPECT_EQ(events[1].status, STET_OK);
}

} // namespace
