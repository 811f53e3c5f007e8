// Weights on several devices of fibers: a model that was copied decodes to the bits of the first
// one and touches no other device's memory; whatever fails on the way leaves nothing behind.
#include "fake_blas.h"
#include "many_shims.h"
#include "net_fixture.h"

#include <gtest/gtest.h>

using namespace stet_test;
using stet_shim::many_ops;
using stet_shim::nccl;
using stet_shim::peers_switch;
using stet_shim::shims;

namespace
{

// A model and its copies on n devices.
class Copies
{
  public:
    explicit Copies(int n, const char *name = "transformer-pre", steti_dtype type = STETI_F32)
        : net(fixture(name), type, 1, nullptr, many_ops())
    {
        status = net.status;
        err.struct_size = sizeof err;
        contexts.push_back(net.backend);
        for (int i = 1; i < n && status == STET_OK; i++) {
            steti_backend_options o{};
            steti_backend *b = nullptr;
            o.threads = 1;
            o.device_index = i;
            status = many_ops()->open(&o, &b, &err);
            contexts.push_back(b);
        }
        if (status == STET_OK) {
            copy(n);
        }
    }
    ~Copies()
    {
        for (auto *m : models) {
            steti_model_close(m);
        }
        for (size_t i = 1; i < contexts.size(); i++) {
            many_ops()->close(contexts[i]);
        }
    }

    Net net;
    std::vector<steti_backend *> contexts;
    std::vector<steti_model *> models; // of device 1 and so on
    steti_peers_note note{};
    stet_error err{};
    stet_status status;
    bool has_peers = false;

  private:
    void copy(int n)
    {
        steti_model_copies to{};
        status = many_ops()->peers_open(contexts.data(), n, &to.peers, &note, &err);
        has_peers = to.peers != nullptr;
        to.n = n - 1;
        for (int i = 1; i < n; i++) {
            to.backends[i - 1] = contexts[static_cast<size_t>(i)];
        }
        if (has_peers && status == STET_OK) {
            models.assign(static_cast<size_t>(n - 1), nullptr);
            status = steti_model_copy(net.model, &to, models.data(), &err);
        }
        many_ops()->peers_close(to.peers);
    }
};

// The logits of a few decoder rows behind an encoded sentence.
std::vector<float> logits_of(const steti_model *m, steti_backend *b)
{
    const int32_t source[] = {7, 30, 31, 2}, slot = 0, len = 4;
    const int32_t ids[] = {2, 7, 30}, pos[] = {0, 1, 2}, slots[] = {0, 0, 0};
    size_t vocab = static_cast<size_t>(steti_model_spec(m)->vocab_size);
    std::vector<float> out(3 * vocab);
    int32_t out_ids[3];
    steti_session s{};
    steti_session_limits l{};
    stet_error err{};
    err.struct_size = sizeof err;
    l.max_rows = 8;
    l.n_slots = 1;
    l.max_src = l.max_tgt = 8;
    EXPECT_EQ(steti_session_open(m, b, &l, &s, &err), STET_OK) << err.message;
    EXPECT_EQ(steti_kv_acquire(&s.kv), slot);
    steti_encode_batch e{};
    e.n_seqs = 1;
    e.n_rows = 4;
    e.ids = source;
    e.len = &len;
    e.slots = &slot;
    EXPECT_EQ(steti_model_encode(&s, &e, &err), STET_OK) << err.message;
    steti_decode_batch d{};
    d.n_rows = 3;
    d.ids = ids;
    d.pos = pos;
    d.slots = slots;
    d.out_ids = out_ids;
    d.out_logits = out.data();
    EXPECT_EQ(steti_model_decode(&s, &d, &err), STET_OK) << err.message;
    steti_session_close(&s);
    return out;
}

class CudaPeers : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        nccl() = {};
        shims() = {};
        peers_switch() = {};
    }
    void TearDown() override
    {
        EXPECT_EQ(shims().problem, "");
        EXPECT_EQ(nccl().live, 0);
        EXPECT_EQ(stet_shim::live(), 0u);
    }
};

void check_copies(const Copies &c, int n)
{
    ASSERT_EQ(c.status, STET_OK) << c.err.message;
    std::vector<float> want = logits_of(c.net.model, c.net.backend);
    ASSERT_EQ(c.models.size(), static_cast<size_t>(n - 1));
    steti_backend_caps first, other;
    many_ops()->caps(c.net.backend, &first);
    for (int i = 1; i < n; i++) {
        size_t k = static_cast<size_t>(i);
        std::vector<float> got = logits_of(c.models[k - 1], c.contexts[k]);
        EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0) << i;
        many_ops()->caps(c.contexts[k], &other);
        EXPECT_EQ(other.weight_bytes, first.weight_bytes);
        EXPECT_EQ(steti_model_vector_bytes(c.models[k - 1]), steti_model_vector_bytes(c.net.model));
    }
}

TEST_F(CudaPeers, ThreeRanks)
{
    for (const char *name : {"transformer-pre", "edgeformer-a"}) {
        for (steti_dtype type : {STETI_F32, STETI_I8}) {
            Copies c(3, name, type);
            check_copies(c, 3);
            EXPECT_STREQ(c.note.text, "weights are copied to 3 devices by NCCL 2.28.9");
        }
    }
    EXPECT_EQ(shims().peer_copies, 0u);
    EXPECT_EQ(nccl().aborted, 0);
}

TEST_F(CudaPeers, WithoutNccl)
{
    peers_switch().has_nccl = false;
    Copies c(3, "transformer-pre", STETI_I8);
    check_copies(c, 3);
    EXPECT_STREQ(c.note.text, "weights are copied to 3 devices without NCCL: it is switched off");
    EXPECT_GT(shims().peer_copies, 20u);
    EXPECT_EQ(nccl().calls, 0);
}

// The second copy of the weights, which a library multiplies with, goes along.
TEST_F(CudaPeers, EachDeviceHasALibraryOfProducts)
{
    stet_shim::fake_blas() = {};
    peers_switch().has_library = true;
    {
        Copies c(3, "transformer-pre", STETI_I8);
        check_copies(c, 3);
        for (int i : {1, 2}) {
            size_t k = static_cast<size_t>(i);
            uint64_t before = stet_shim::fake_blas().runs;
            logits_of(c.models[k - 1], c.contexts[k]);
            EXPECT_GT(stet_shim::fake_blas().runs, before + 8) << "device " << i;
        }
    }
    EXPECT_EQ(stet_shim::fake_blas().open, 0);
    EXPECT_EQ(stet_shim::fake_blas().misuses, 0);
}

TEST_F(CudaPeers, OneRankOnlyWhenAskedFor)
{
    Copies none(1);
    EXPECT_FALSE(none.has_peers);
    EXPECT_STREQ(none.note.text, "");
    EXPECT_EQ(nccl().calls, 0);
    peers_switch().is_always = true;
    std::vector<float> want = logits_of(none.net.model, none.net.backend);
    Copies one(1);
    EXPECT_TRUE(one.has_peers);
    ASSERT_EQ(one.status, STET_OK) << one.err.message;
    steti_backend_caps caps;
    many_ops()->caps(one.net.backend, &caps);
    EXPECT_GE(nccl().bytes, caps.weight_bytes) << "all weights go through the communicator";
    EXPECT_GT(nccl().broadcasts, 20u);
    EXPECT_EQ(logits_of(one.net.model, one.net.backend), want) << "and stay what they are";
}

// A check that a copy that still points to the first device's weights would be seen.
TEST_F(CudaPeers, TheDeviceSeesForeignMemory)
{
    Copies c(2);
    ASSERT_EQ(c.status, STET_OK);
    logits_of(c.net.model, c.contexts[1]);
    EXPECT_NE(shims().problem.find("memory of 0"), std::string::npos) << shims().problem;
    shims().problem = "";
}

TEST_F(CudaPeers, EachCallOfNcclFails)
{
    int last = 0;
    for (int n : {1, 3}) {
        for (int at = 1;; at += 1 + at / 6) {
            nccl() = {};
            nccl().fail_at = at;
            peers_switch().is_always = true;
            Copies c(n);
            last = nccl().calls;
            if (last < at) {
                EXPECT_EQ(c.status, STET_OK);
                break;
            }
            if (at == 1) { // no communicator: without
                check_copies(c, n);
                EXPECT_NE(std::string(c.note.text).find("without NCCL: made to fail"),
                          std::string::npos)
                    << c.note.text;
                continue;
            }
            EXPECT_EQ(c.status, STET_E_DEVICE) << at;
            EXPECT_NE(std::string(c.err.message).find("made to fail"), std::string::npos)
                << c.err.message;
            EXPECT_NE(std::string(c.err.message).find("STET_NCCL=never"), std::string::npos);
            EXPECT_EQ(nccl().aborted, n);
            for (auto *m : c.models) {
                EXPECT_EQ(m, nullptr);
            }
        }
    }
    EXPECT_GT(last, 100);
}

TEST_F(CudaPeers, AFailureThatComesLate)
{
    nccl().late_error = 5;
    Copies c(2);
    EXPECT_EQ(c.status, STET_E_DEVICE);
    EXPECT_NE(std::string(c.err.message).find("made to fail"), std::string::npos);
    EXPECT_EQ(nccl().aborted, 2);
}

// Calls of the runtime and allocations, with and without NCCL.
TEST_F(CudaPeers, EachCallOfTheRuntimeFails)
{
    stet_shim::Device &d = stet_shim::device();
    for (bool has_nccl : {true, false}) {
        size_t failures = 0;
        peers_switch().has_nccl = has_nccl;
        d.calls = 0;
        {
            Net net(fixture("transformer-pre"), STETI_F32, 1, nullptr, many_ops());
        }
        uint64_t first = d.calls;
        for (uint64_t at = first; at > 0; at += 1 + (at - first) / 5) {
            d.calls = 0;
            d.fail_at = at;
            Copies c(3);
            bool is_reached = d.calls >= at;
            d.fail_at = 0;
            failures += c.status != STET_OK;
            EXPECT_TRUE(c.status == STET_OK || c.status == STET_E_DEVICE) << c.err.message;
            if (!is_reached) {
                EXPECT_EQ(c.status, STET_OK);
                break;
            }
        }
        EXPECT_GT(failures, 10u);
        EXPECT_EQ(stet_shim::live(), 0u);
        EXPECT_EQ(nccl().live, 0);
    }
}

TEST_F(CudaPeers, EachAllocationFails)
{
    uint64_t before = 0;
    steti_alloc_stats s{};
    for (int run = 0; run < 2; run++) { // the first warms up what stays
        Copies c(3);
        steti_alloc_get_stats(&s);
        before = s.live_count;
    }
    steti_alloc_get_stats(&s);
    before = s.live_count;
    for (uint64_t at = 1;; at += 1 + at / 8) {
        stet_status st;
        steti_alloc_fail_nth(at, 0);
        {
            Copies c(3);
            st = c.status;
            steti_alloc_fail_nth(0, 0);
            EXPECT_TRUE(st == STET_OK || st == STET_E_NOMEM) << st;
        }
        steti_alloc_get_stats(&s);
        EXPECT_EQ(s.live_count, before) << at;
        EXPECT_EQ(stet_shim::live(), 0u) << at;
        if (st == STET_OK) {
            EXPECT_GT(at, 100u);
            break;
        }
    }
}

} // namespace
