// Several threads on one engine, several engines on one model, and results shared between threads.
#include "async_fixture.h"

#include <thread>

using namespace stet_test;

namespace
{

TEST(ApiThreads, CallsOnOneEngineRunOneAfterTheOther)
{
    EditingModel m;
    Engine g(m.handle);
    std::vector<std::string> want;
    for (const auto &t : sample_texts()) {
        want.push_back(correct(g, t).text());
    }
    std::vector<std::thread> threads;
    std::vector<int> wrong(3, 0);
    for (size_t k = 0; k < wrong.size(); k++) {
        threads.emplace_back([&, k] {
            for (size_t i = 0; i < want.size(); i++) {
                size_t at = (i + k * 3) % want.size();
                wrong[k] += correct(g, sample_texts()[at]).text() != want[at];
                stet_stats s{};
                s.struct_size = sizeof s;
                wrong[k] += stet_engine_stats(g.handle, &s) != STET_OK;
            }
        });
    }
    for (auto &t : threads) {
        t.join();
    }
    EXPECT_EQ(wrong, std::vector<int>(3, 0));
}

TEST(ApiThreads, EnginesShareAModel)
{
    Model m("edgeformer-b", {{"device", "cpu"}, {"intra_threads", "2"}});
    std::string want = correct(Engine(m.handle), sample_texts()[3]).text();
    std::vector<std::thread> threads;
    std::vector<std::string> got(2);
    for (auto &text : got) {
        threads.emplace_back([&m, &text] {
            stet_model_retain(m.handle);
            Engine g(m.handle, {{"batch_size", "2"}});
            text = correct(g, sample_texts()[3]).text();
            stet_model_release(m.handle);
        });
    }
    for (auto &t : threads) {
        t.join();
    }
    EXPECT_EQ(got[0], want);
    EXPECT_EQ(got[1], want);
}

TEST(ApiThreads, ResultsAreSharedByReference)
{
    EditingModel m;
    Engine g(m.handle);
    Result r = correct(g, sample_texts()[3]);
    std::string want = r.text();
    std::vector<std::thread> threads;
    for (int k = 0; k < 3; k++) {
        stet_result_retain(r.handle);
        threads.emplace_back([&want, h = r.handle] {
            Result own(h);
            EXPECT_EQ(own.text(), want);
            own.edits(STET_UNIT_UTF16);
        });
    }
    for (auto &t : threads) {
        t.join();
    }
}

} // namespace
