// The scheduler lets a begun sentence wait for company in the encoder while others are decoded.
// None of them sees a difference.
#include "net_fixture.h"

using namespace stet_test;

namespace
{

struct Sentence {
    std::vector<int32_t> src, out = std::vector<int32_t>(64);
    std::vector<float> logprob = std::vector<float>(65);
    steti_job job{};

    explicit Sentence(const std::vector<int32_t> &ids) : src(ids)
    {
        job.src = src.data();
        job.n_src = static_cast<int>(src.size());
        job.out = out.data();
        job.logprob = logprob.data();
    }
    Decoded decoded() const
    {
        Decoded d;
        d.ids.assign(out.begin(), out.begin() + job.n_out);
        d.finished = job.finished != 0;
        d.logprob.assign(logprob.begin(), logprob.begin() + job.n_out + (d.finished ? 1 : 0));
        return d;
    }
};

// Sentence 0 is decoded; 1 is begun with it, and encoded `wait` passes later.
void decode_two(steti_engine *e, Sentence *first, Sentence *second, int wait)
{
    int slots[] = {0, 1};
    ASSERT_EQ(steti_engine_begin(e, 0, &first->job), STET_OK);
    steti_engine_encode(e, slots, 1);
    ASSERT_EQ(steti_engine_begin(e, 1, &second->job), STET_OK);
    bool encoded = false;
    for (int pass = 0; pass < 200; pass++) {
        if (pass == wait) {
            steti_engine_encode(e, slots + 1, 1);
            encoded = true;
        }
        int live[2], n = 0;
        for (int i = 0; i < (encoded ? 2 : 1); i++) {
            if (!steti_engine_is_done(e, i)) {
                live[n++] = i;
            }
        }
        if (n > 0) {
            steti_engine_pass(e, live, n);
        } else if (encoded) {
            break;
        }
    }
    steti_engine_end(e, 0);
    steti_engine_end(e, 1);
}

TEST(LateEncode, ChangesNoBit)
{
    Net net{fixture("edgeformer-a")};
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = random_sources(8, 288, 11, 30);
    for (const steti_draft_ops *const *p = steti_draft_list(); *p != nullptr; p++) {
        steti_engine_options o = engine_options(*p, 4, 2);
        steti_engine *e = nullptr;
        ASSERT_EQ(steti_engine_open(net.model, net.backend, &o, &e, nullptr), STET_OK);
        for (size_t i = 0; i + 1 < sources.size(); i++) {
            Sentence a(sources[i]), b(sources[i + 1]);
            decode_two(e, &a, &b, static_cast<int>(i % 6));
            auto greedy =
                decode(net, engine_options(&steti_draft_none, 0, 1), {sources[i], sources[i + 1]});
            EXPECT_TRUE(a.decoded().same_bits(greedy[0])) << (*p)->name << ' ' << i;
            EXPECT_TRUE(b.decoded().same_bits(greedy[1])) << (*p)->name << ' ' << i;
        }
        steti_engine_close(e);
    }
}

// A sentence that was begun and never encoded can be let go.
TEST(LateEncode, NeverIsLegal)
{
    Net net{fixture("edgeformer-a")};
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = random_sources(2, 288, 12, 30);
    steti_engine_options o = engine_options(&steti_draft_none, 0, 2);
    steti_engine *e = nullptr;
    ASSERT_EQ(steti_engine_open(net.model, net.backend, &o, &e, nullptr), STET_OK);
    for (int i = 0; i < 5; i++) {
        Sentence dropped(sources[0]), after(sources[1]);
        ASSERT_EQ(steti_engine_begin(e, 0, &dropped.job), STET_OK);
        steti_engine_end(e, 0);
        Sentence again(sources[0]);
        decode_two(e, &again, &after, i);
        EXPECT_EQ(again.job.status, STET_OK);
        EXPECT_EQ(after.job.status, STET_OK);
    }
    steti_engine_close(e);
}

} // namespace
