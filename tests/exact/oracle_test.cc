// The forward against PyTorch's float32 logits and greedy ids, stored with the fixtures
// (scripts/train/make_reference_fixtures.py, make_greedy_fixtures.py, and
// make_transformer_fixtures.py, whose layers are torch.nn's own).
#include "net_fixture.h"
#include "stored.h"

#include <cmath>

using namespace stet_test;

namespace
{

struct Session {
    explicit Session(const Net &net)
    {
        steti_session_limits l{256, 2, 64, 64, 0};
        EXPECT_EQ(steti_session_open(net.model, net.backend, &l, &s, nullptr), STET_OK);
    }
    ~Session()
    {
        steti_session_close(&s);
    }
    // Encodes src (end-of-sentence token included) into a fresh slot.
    int encode(const std::vector<int32_t> &src)
    {
        int32_t len = static_cast<int32_t>(src.size()), slot = steti_kv_acquire(&s.kv);
        steti_encode_batch b{1, len, src.data(), &len, &slot};
        stet_error err{};
        err.struct_size = sizeof err;
        EXPECT_EQ(steti_model_encode(&s, &b, &err), STET_OK) << err.message;
        return slot;
    }
    // Logits of rows [first, first + n) of the decoder input `in`, in one pass.
    std::vector<float> logits(int slot, const std::vector<int32_t> &in, int first, int n)
    {
        std::vector<int32_t> pos, slots(static_cast<size_t>(n), slot), ids(static_cast<size_t>(n));
        std::vector<float> out(static_cast<size_t>(n) *
                               static_cast<size_t>(s.model != nullptr ? vocab() : 0));
        for (int i = 0; i < n; i++) {
            pos.push_back(first + i);
        }
        steti_decode_batch b{};
        b.n_rows = n;
        b.ids = in.data() + first;
        b.pos = pos.data();
        b.slots = slots.data();
        b.out_ids = ids.data();
        b.out_logits = out.data();
        stet_error err{};
        err.struct_size = sizeof err;
        EXPECT_EQ(steti_model_decode(&s, &b, &err), STET_OK) << err.message;
        return out;
    }
    int vocab() const
    {
        return steti_model_spec(s.model)->vocab_size;
    }
    steti_session s{};
};

class Oracle : public ::testing::TestWithParam<const char *>
{
};

TEST_P(Oracle, LogitsAgreeWithPyTorch)
{
    std::string folder = fixture(GetParam());
    Net net(folder);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    Stored expected(folder);
    for (int k = 0; k < 8; k++) {
        std::string i = std::to_string(k);
        auto src = expected.get<int32_t>("src_" + i), tgt = expected.get<int32_t>("tgt_" + i);
        auto want = expected.get<float>("logits_" + i);
        ASSERT_FALSE(src.empty() || tgt.empty());
        Session s(net);
        auto got = s.logits(s.encode(src), tgt, 0, static_cast<int>(tgt.size()));
        ASSERT_EQ(got.size(), want.size());
        float largest = 0.0f;
        for (float w : want) {
            largest = std::fmax(largest, std::fabs(w));
        }
        for (size_t j = 0; j < want.size(); j++) {
            ASSERT_TRUE(std::fabs(got[j] - want[j]) <= 1e-4f * largest)
                << "sentence " << k << " value " << j << ": " << got[j] << " against " << want[j];
        }
    }
}

TEST_P(Oracle, SuffixPassEqualsStepwiseBitForBit)
{
    for (enum steti_dtype compute : {STETI_F32, STETI_I8}) {
        std::string folder = fixture(GetParam());
        Net net(folder, compute);
        ASSERT_EQ(net.status, STET_OK) << net.err.message;
        Stored expected(folder);
        auto src = expected.get<int32_t>("src_3"), in = expected.get<int32_t>("greedy_7");
        Session s(net);
        int slot = s.encode(src), n = static_cast<int>(in.size());
        auto whole = s.logits(slot, in, 0, n);
        for (int split = 0; split < n; split++) {
            int again = s.encode(src);
            std::vector<float> parts;
            for (int at = 0; at < n;) {
                int width = at < split ? 1 : n - at;
                auto rows = s.logits(again, in, at, width);
                parts.insert(parts.end(), rows.begin(), rows.end());
                at += width;
            }
            ASSERT_EQ(std::memcmp(parts.data(), whole.data(), whole.size() * sizeof(float)), 0)
                << "split " << split;
            steti_kv_release(&s.s.kv, again);
        }
    }
}

TEST_P(Oracle, GreedyIdsAreThoseOfPyTorch)
{
    std::string folder = fixture(GetParam());
    Net net(folder);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    Stored expected(folder);
    for (int k = 0; k < 8; k++) {
        std::string i = std::to_string(k);
        auto src = expected.get<int32_t>("src_" + i), want = expected.get<int32_t>("greedy_" + i);
        src.pop_back(); // the engine adds the end-of-sentence token
        bool ended = !want.empty() && want.back() == net.spec.eos_id;
        if (ended) {
            want.pop_back();
        }
        auto o = engine_options(&steti_draft_none, 0, 1,
                                static_cast<int>(want.size()) + (ended ? 8 : 0));
        auto got = decode(net, o, {src});
        EXPECT_EQ(got[0].ids, want) << "sentence " << k;
        EXPECT_EQ(got[0].finished, ended);
    }
}

TEST_P(Oracle, FiveHundredOutputsAreThoseOfPyTorch)
{
    std::string folder = fixture(GetParam());
    Net net(folder);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    Stored expected(folder, "greedy.safetensors");
    auto sources = expected.lists("sources", "source_lengths");
    auto want = expected.lists("outputs", "output_lengths");
    auto limit = expected.get<int32_t>("limit");
    ASSERT_EQ(sources.size(), 500u);
    ASSERT_EQ(want.size(), 500u);
    ASSERT_EQ(limit.size(), 1u);
    auto got = decode(net, engine_options(&steti_draft_none, 0, 8, limit[0]), sources);
    size_t wrong = 0;
    for (size_t i = 0; i < sources.size(); i++) {
        bool ended = want[i].size() < static_cast<size_t>(limit[0]);
        wrong += got[i].ids != want[i] || got[i].finished != ended || got[i].status != STET_OK;
    }
    EXPECT_EQ(wrong, 0u);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Oracle,
                         ::testing::Values("edgeformer-a", "edgeformer-b", "edgeformer-c",
                                           "edgeformer-d", "transformer-post", "transformer-pre",
                                           "transformer-learned", "transformer-mixed",
                                           "transformer-narrow"));

} // namespace
