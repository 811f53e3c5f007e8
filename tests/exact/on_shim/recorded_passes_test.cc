// Whole encoder and decoder passes, recorded and op by op: the same answers and the same bytes in
// the key/value cache for every number of rows around the edges of the buckets. Those named
// HaveTheBits run on a device, too (instead_of_cpu.cc); the others look at the one made of fibers.
#include "exact_cases.h"
#include "wrapped_ops.h"

#include "shim_device.h"

extern "C" {
#include "recorded.h"
}

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

constexpr int kRows = 70, kSlots = 4, kSrc = 20, kTgt = 20, kSide = 4;
const int kCounts[] = {1, 7, 8, 9, 16, 17, 32, 33, 64, 65, 70};

struct Session {
    Session(const Net &net, const steti_backend_ops *ops, int max_side)
    {
        steti_session_limits l{kRows, kSlots, kSrc, kTgt, max_side};
        err.struct_size = sizeof err;
        EXPECT_EQ(steti_session_open(net.model, net.backend, &l, &s, &err), STET_OK) << err.message;
        if (ops != nullptr) {
            // as if the model had been opened with this table
            s.ops = ops;
            if (ops->replay == nullptr) {
                steti_free(s.buckets);
                s.buckets = nullptr;
            }
        }
        for (int i = 0; i < kSlots; i++) {
            steti_kv_acquire(&s.kv);
        }
    }
    ~Session()
    {
        steti_session_close(&s);
    }
    // All keys and values.
    std::vector<float> cache()
    {
        std::vector<float> all(steti_kv_bytes(&s.kv.limits) / sizeof(float));
        EXPECT_EQ(s.ops->download(s.backend, all.data(), s.kv.memory, 4 * all.size(), &err),
                  STET_OK);
        return all;
    }
    steti_session s{};
    stet_error err{};
};

bool same_bytes(const std::vector<float> &a, const std::vector<float> &b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// n rows dealt out to all slots, token by token; with_sides: every third is a branch of its own.
struct Batch {
    Batch(const steti_spec &spec, int n, bool with_sides, unsigned seed)
    {
        std::mt19937 rng(seed);
        std::vector<int> next(kSlots, 0), next_side(kSlots, 0);
        for (int r = 0; r < n; r++) {
            int slot = r % kSlots, at = next[slot];
            bool is_branch = with_sides && at > 1 && r % 3 == 0 && next_side[slot] < kSide;
            ids.push_back(static_cast<int32_t>(rng() % static_cast<unsigned>(spec.vocab_size)));
            slots.push_back(slot);
            pos.push_back(is_branch ? at - 1 : at);
            fork.push_back(is_branch ? at - 1 : 0);
            side.push_back(is_branch ? next_side[slot]++ : -1);
            next[slot] += is_branch ? 0 : 1;
        }
        out.assign(ids.size(), -9);
        logprob.assign(ids.size(), -9.0f);
    }
    stet_status decode(Session *session, bool with_scores, bool with_sides)
    {
        steti_decode_batch b{};
        b.n_rows = static_cast<int>(ids.size());
        b.ids = ids.data();
        b.pos = pos.data();
        b.slots = slots.data();
        b.out_ids = out.data();
        b.out_logprob = with_scores ? logprob.data() : nullptr;
        b.fork = with_sides ? fork.data() : nullptr;
        b.side = with_sides ? side.data() : nullptr;
        b.adjust = adjust_begin.empty() ? nullptr : adjust.data();
        b.adjust_begin = adjust_begin.empty() ? nullptr : adjust_begin.data();
        return steti_model_decode(&session->s, &b, &session->err);
    }
    Ids ids, pos, slots, fork, side, out, adjust_begin;
    std::vector<steti_adjust> adjust;
    std::vector<float> logprob;
};

// n rows as whole sentences of up to kSrc tokens.
stet_status encode(Session *session, const steti_spec &spec, int n, unsigned seed)
{
    std::mt19937 rng(seed);
    Ids ids, len, slots;
    for (int left = n; left > 0; left -= len.back()) {
        slots.push_back(static_cast<int32_t>(len.size()));
        len.push_back(left < kSrc ? left : kSrc);
    }
    for (int r = 0; r < n; r++) {
        ids.push_back(static_cast<int32_t>(rng() % static_cast<unsigned>(spec.vocab_size)));
    }
    steti_encode_batch b{static_cast<int>(len.size()), n, ids.data(), len.data(), slots.data()};
    return steti_model_encode(&session->s, &b, &session->err);
}

class RecordedPasses : public ::testing::TestWithParam<std::tuple<std::string, steti_dtype>>
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(net.status, STET_OK) << net.err.message;
    }
    Net net{fixture(std::get<0>(GetParam())), std::get<1>(GetParam())};
    steti_backend_ops without = without_recordings(*net.ops);
};

TEST_P(RecordedPasses, EncodersHaveTheBitsOfPlainOnes)
{
    Session plain(net, &without, 0), recorded(net, nullptr, 0);
    for (int n : kCounts) {
        ASSERT_EQ(encode(&plain, net.spec, n, 7u + static_cast<unsigned>(n)), STET_OK);
        ASSERT_EQ(encode(&recorded, net.spec, n, 7u + static_cast<unsigned>(n)), STET_OK)
            << recorded.err.message;
        ASSERT_TRUE(same_bytes(recorded.cache(), plain.cache())) << n << " rows";
    }
    for (int i = 0; i < 5; i++) {
        EXPECT_NE(recorded.s.buckets[STETI_PASS_ENCODE][i].recording, nullptr) << i;
    }
    EXPECT_EQ(recorded.s.buckets[STETI_PASS_ENCODE][5].recording, nullptr);
}

TEST_P(RecordedPasses, DecodersHaveTheBitsOfPlainOnes)
{
    Session plain(net, &without, kSide), recorded(net, nullptr, kSide);
    for (Session *s : {&plain, &recorded}) {
        ASSERT_EQ(encode(s, net.spec, 70, 1), STET_OK) << s->err.message;
    }
    for (int n : kCounts) {
        bool with_scores = n % 2 != 0, with_sides = n % 3 != 0;
        Batch want(net.spec, n, with_sides, 3), got(net.spec, n, with_sides, 3);
        ASSERT_EQ(want.decode(&plain, with_scores, with_sides), STET_OK) << plain.err.message;
        ASSERT_EQ(got.decode(&recorded, with_scores, with_sides), STET_OK) << recorded.err.message;
        ASSERT_EQ(got.out, want.out) << n << " rows";
        ASSERT_TRUE(same_bytes(got.logprob, want.logprob)) << n << " rows";
        ASSERT_TRUE(same_bytes(recorded.cache(), plain.cache())) << n << " rows";
    }
}

TEST_P(RecordedPasses, AllocateOnlyWhenABucketIsNew)
{
    Session session(net, nullptr, 0);
    ASSERT_EQ(encode(&session, net.spec, 70, 1), STET_OK);
    auto pass = [&](int n) {
        Batch b(net.spec, n, false, 2);
        steti_alloc_stats before, after;
        size_t live = stet_shim::live();
        uint64_t graphs = stet_shim::device().graph_launches;
        steti_alloc_get_stats(&before);
        EXPECT_EQ(b.decode(&session, true, false), STET_OK);
        steti_alloc_get_stats(&after);
        EXPECT_EQ(stet_shim::device().graph_launches, graphs + 1);
        return after.calls - before.calls + stet_shim::live() - live;
    };
    EXPECT_GT(pass(9), 0u);
    for (int n = 9; n <= 16; n++) {
        EXPECT_EQ(pass(n), 0u) << n;
    }
    EXPECT_GT(pass(17), 0u);
    EXPECT_EQ(pass(12), 0u);
}

int begins = 0;

TEST_P(RecordedPasses, RunPlainWhereThereIsNoMemory)
{
    steti_backend_ops poor = *net.ops;
    poor.record_begin = [](steti_backend *, int, stet_error *err) {
        begins++;
        return steti_fail(err, STET_E_NOMEM, "no memory for a recording");
    };
    begins = 0;
    Session plain(net, &without, 0), session(net, &poor, 0);
    for (Session *s : {&plain, &session}) {
        ASSERT_EQ(encode(s, net.spec, 33, 1), STET_OK) << s->err.message;
    }
    for (int n : {7, 7, 8, 9, 16}) {
        Batch want(net.spec, n, false, 2), got(net.spec, n, false, 2);
        want.slots = got.slots = Ids(static_cast<size_t>(n), 0);
        ASSERT_EQ(want.decode(&plain, true, false), STET_OK);
        ASSERT_EQ(got.decode(&session, true, false), STET_OK) << session.err.message;
        EXPECT_EQ(got.out, want.out);
        EXPECT_TRUE(same_bytes(got.logprob, want.logprob));
    }
    EXPECT_EQ(begins, 3) << "one try for each of three buckets";
    poor.record_begin = [](steti_backend *, int, stet_error *err) {
        return steti_fail(err, STET_E_DEVICE, "the device is gone");
    };
    Batch b(net.spec, 20, false, 2);
    b.slots = Ids(20, 0);
    EXPECT_EQ(b.decode(&session, true, false), STET_E_DEVICE);
    EXPECT_STREQ(session.err.message, "the device is gone");
}

TEST_P(RecordedPasses, AdjustmentsRunPlain)
{
    Session plain(net, &without, 0), session(net, nullptr, 0);
    for (Session *s : {&plain, &session}) {
        ASSERT_EQ(encode(s, net.spec, 70, 1), STET_OK) << s->err.message;
    }
    for (bool is_empty : {false, true}) {
        Batch want(net.spec, 10, false, 2), got(net.spec, 10, false, 2);
        for (Batch *b : {&want, &got}) {
            b->adjust = {{4, STETI_NEVER}, {5, 3.0f}};
            b->adjust_begin = {0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2};
            if (is_empty) {
                std::fill(b->adjust_begin.begin(), b->adjust_begin.end(), 0);
            }
        }
        ASSERT_EQ(want.decode(&plain, true, false), STET_OK);
        uint64_t graphs = stet_shim::device().graph_launches;
        ASSERT_EQ(got.decode(&session, true, false), STET_OK) << session.err.message;
        EXPECT_EQ(stet_shim::device().graph_launches - graphs, is_empty ? 1u : 0u);
        EXPECT_EQ(got.out, want.out);
        EXPECT_TRUE(same_bytes(got.logprob, want.logprob));
    }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, RecordedPasses,
                         ::testing::Values(std::make_tuple("edgeformer-a", STETI_I8),
                                           std::make_tuple("hf-t5-a", STETI_F32),
                                           std::make_tuple("transformer-mixed", STETI_F32)));

TEST(Buckets, HoldEveryNumberOfRows)
{
    for (int max_rows : {1, 7, 8, 9, 70, 256, 257, 300, 5000}) {
        for (int n = 1; n <= max_rows; n++) {
            int i = steti_bucket_of(n, max_rows);
            ASSERT_LT(i, STETI_BUCKETS);
            ASSERT_GE(steti_bucket_rows(i, max_rows), n);
            ASSERT_LE(steti_bucket_rows(i, max_rows), max_rows);
            ASSERT_TRUE(i == 0 || steti_bucket_rows(i - 1, max_rows) < n) << "the smallest";
        }
    }
    EXPECT_EQ(steti_bucket_rows(8, 1 << 30), 512);
    EXPECT_LT(steti_bucket_of(INT_MAX, INT_MAX), STETI_BUCKETS);
}

} // namespace
