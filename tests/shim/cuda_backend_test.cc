// What the CUDA backend has beside its ops, which tests/ops runs: schedules, the ring of host
// arrays, what crosses the bus, and failures of the runtime.
#include "ops_support.h"

extern "C" {
#include "check.h"
#include "cuda_internal.h"
}

using stet_shim::device;

namespace
{

/* An open context with a tuning of the test's own. */
std::unique_ptr<Backend> OpenTuned(steti_cuda_tuning tuning)
{
    steti_backend *b = nullptr;
    stet_error err = NewError();
    EXPECT_EQ(steti_cuda_open_with(stet_shim::runtime(), 0, &tuning, &b, &err), STET_OK)
        << err.message;
    return std::make_unique<Backend>(stet_shim::ops(), b);
}

/* ---- Schedules ------------------------------------------------------------------------------- */

struct Shape {
    int rows, n_in, n_out;
    steti_dtype type;
};

std::vector<float> Product(const Shape &s, steti_cuda_tuning tuning, const std::vector<float> &x,
                           const std::vector<float> &w)
{
    std::unique_ptr<Backend> be = OpenTuned(tuning);
    size_t n = static_cast<size_t>(s.rows) * s.n_out;
    steti_linear_part part = {};
    part.w = be->Pack(w, s.n_out, s.n_in, s.type);
    part.act = STETI_ACT_GELU;
    part.out = be->Up(std::vector<float>(n));
    part.ld_out = s.n_out;
    steti_linear_params p = {s.rows, s.n_in, be->Up(x), 1, &part};
    be->Reserve(s.rows, s.n_in, 1);
    EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
    return be->Down(part.out, n);
}

/* Chunks of the length given, added up in the order of dev_gemm.h, in plain C. */
float SumInChunks(const float *x, const float *w, int n, int chunk)
{
    float sum = 0;
    for (int begin = 0; begin < n; begin += chunk) {
        float part = 0;
        for (int k = begin; k < n && k < begin + chunk; k++) {
            part = std::fma(x[k], w[k], part);
        }
        sum = begin == 0 ? part : sum + part;
    }
    return sum;
}

/* More chunks than a block has warps; a last chunk of one; whole chunks only. */
TEST(Schedules, SerialAndChunkedHaveTheSameBits)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        for (int n_in : {33, 64, 65, 512, 544, 1000}) {
            for (int rows : {1, 7, 8, 9, 33, 70}) {
                Shape s = {rows, n_in, 50, type};
                Rng rng(static_cast<uint32_t>(n_in + rows));
                std::vector<float> x = rng.Floats(static_cast<size_t>(rows) * n_in);
                std::vector<float> w = rng.Floats(static_cast<size_t>(50) * n_in);
                uint64_t *count = device().launches;
                uint64_t serial =
                    count[STETI_CUDA_linear_f32_serial] + count[STETI_CUDA_linear_i8_serial];
                std::vector<float> a = Product(s, {32, 0}, x, w);
                ASSERT_EQ(count[STETI_CUDA_linear_f32_serial] + count[STETI_CUDA_linear_i8_serial],
                          serial + 1);
                std::vector<float> b = Product(s, {32, 1000}, x, w);
                ASSERT_EQ(count[STETI_CUDA_linear_f32_serial] + count[STETI_CUDA_linear_i8_serial],
                          serial + 1)
                    << "the second call is chunked";
                ASSERT_EQ(DifferingBytes(a, b), 0u) << rows << " rows of " << n_in;
            }
        }
    }
}

/* The chosen order and no other: against the same sums in plain C, without an activation. */
TEST(Schedules, SumsAreChainsInChunks)
{
    constexpr int kIn = 1300, kOut = 33, kRows = 3;
    Rng rng(8);
    std::vector<float> x = rng.Floats(kRows * kIn), w = rng.Floats(kOut * kIn);
    size_t differs_from_one_chain = 0;
    for (steti_cuda_tuning tuning : {steti_cuda_default_tuning, steti_cuda_tuning{512, 0}}) {
        std::unique_ptr<Backend> be = OpenTuned(tuning);
        steti_linear_part part = {};
        part.w = be->Pack(w, kOut, kIn, STETI_F32);
        part.out = be->Up(std::vector<float>(kRows * kOut));
        part.ld_out = kOut;
        steti_linear_params p = {kRows, kIn, be->Up(x), 1, &part};
        be->Reserve(kRows, kIn, 1);
        ASSERT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
        std::vector<float> got = be->Down(part.out, kRows * kOut);
        for (int i = 0; i < kRows * kOut; i++) {
            const float *xr = &x[static_cast<size_t>(i / kOut) * kIn];
            const float *wo = &w[static_cast<size_t>(i % kOut) * kIn];
            ASSERT_EQ(got[i], SumInChunks(xr, wo, kIn, 512)) << i;
            differs_from_one_chain += got[i] != SumInChunks(xr, wo, kIn, kIn);
        }
    }
    EXPECT_GT(differs_from_one_chain, 0u);
}

/* ---- What crosses the bus -------------------------------------------------------------------- */

struct Vocabulary {
    int rows, vocab;
    std::vector<int32_t> id;
    std::vector<float> logits;
};

stet_status FindLargest(Backend *be, Vocabulary *v, const std::vector<steti_adjust> *adjust)
{
    constexpr int kDim = 16;
    Rng rng(4);
    std::vector<int32_t> begin;
    steti_argmax_params p = {};
    v->id.assign(v->rows, -5);
    be->Reserve(v->rows, kDim, 1);
    p.n_rows = v->rows;
    p.d = kDim;
    p.x = be->Up(rng.Floats(static_cast<size_t>(v->rows) * kDim));
    p.table = be->Pack(rng.Floats(static_cast<size_t>(v->vocab) * kDim), v->vocab, kDim, STETI_F32);
    p.scale = 1.0f;
    p.id = v->id.data();
    p.logits = v->logits.empty() ? nullptr : v->logits.data();
    if (adjust != nullptr) {
        int each = static_cast<int>(adjust->size()) / v->rows;
        for (int r = 0; r <= v->rows; r++) {
            begin.push_back(r * each);
        }
        p.adjust = adjust->data();
        p.adjust_begin = begin.data();
    }
    device().bytes_to_host = device().bytes_to_device = 0;
    return be->ops->argmax(be->b, &p, &be->err);
}

TEST(Traffic, LogitsStayOnTheDeviceUnlessAskedFor)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    Vocabulary v = {20, 5000, {}, {}};
    ASSERT_EQ(FindLargest(be.get(), &v, nullptr), STET_OK) << be->err.message;
    EXPECT_EQ(device().bytes_to_host, 20 * sizeof(steti_cuda_best));
    std::vector<int32_t> want = v.id;
    v.logits.resize(20 * 5000);
    ASSERT_EQ(FindLargest(be.get(), &v, nullptr), STET_OK) << be->err.message;
    EXPECT_GE(device().bytes_to_host, 20 * 5000 * sizeof(float));
    EXPECT_EQ(v.id, want);
}

/* Rows and adjustments beyond what one launch takes: the answers are those of single rows. */
TEST(Traffic, ManyRowsAreDoneInGroups)
{
    constexpr int kRows = 40, kVocab = 20000;
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    std::vector<steti_adjust> adjust;
    for (int r = 0; r < kRows; r++) {
        for (int id = 0; id < kVocab; id++) { /* all but a few ids of every row */
            if (id % 4001 != 100 * r) {
                adjust.push_back({id, STETI_NEVER});
            } else {
                adjust.push_back({id, 1.0f});
            }
        }
    }
    Vocabulary v = {kRows, kVocab, {}, std::vector<float>(static_cast<size_t>(kRows) * kVocab)};
    uint64_t merges = device().launches[STETI_CUDA_argmax_merge];
    ASSERT_EQ(FindLargest(be.get(), &v, &adjust), STET_OK) << be->err.message;
    EXPECT_GT(device().launches[STETI_CUDA_argmax_merge], merges + 1) << "more than one group";
    for (int r = 0; r < kRows; r++) {
        const float *row = &v.logits[static_cast<size_t>(r) * kVocab];
        int best = 0;
        for (int id = 0; id < kVocab; id++) {
            ASSERT_EQ(std::isinf(row[id]), id % 4001 != 100 * r) << id;
            best = row[id] > row[best] ? id : best;
        }
        ASSERT_EQ(v.id[r], best) << "row " << r;
    }
}

stet_status EmbedRows(Backend *be, const steti_matrix *table, const std::vector<int32_t> &ids,
                      float *out)
{
    steti_embed_params p = {
        static_cast<int>(ids.size()), 8, table, ids.data(), nullptr, nullptr, 1.0f, out};
    return be->ops->embed(be->b, &p, &be->err);
}

TEST(Ring, TheSameArrayIsCopiedOnce)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    steti_matrix *table = be->Pack(Rng(1).Floats(80), 10, 8, STETI_F32);
    std::vector<int32_t> ids = {1, 2, 3, 4}, others = {1, 2, 3, 5};
    float *out = be->Up(std::vector<float>(32));
    device().bytes_to_device = 0;
    for (int i = 0; i < 5; i++) {
        std::vector<int32_t> again = ids;
        ASSERT_EQ(EmbedRows(be.get(), table, again, out), STET_OK);
    }
    EXPECT_EQ(device().bytes_to_device, 16u);
    ASSERT_EQ(EmbedRows(be.get(), table, others, out), STET_OK);
    EXPECT_EQ(device().bytes_to_device, 32u);
}

/* Several times the ring's length, three arrays at a time, which must all be there together; one of
 * them came before. */
TEST(Ring, GoesRoundWithoutMixingArraysUp)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    Rng rng(2);
    std::vector<std::vector<float>> arrays(3);
    size_t copied = 0, went_round = 0;
    while (copied < 5 * STETI_CUDA_RING_BYTES) {
        const void *at[3];
        size_t room = 0;
        arrays[0] = arrays[1];
        arrays[1] = rng.Floats(static_cast<size_t>(1 + rng.Int(70000)));
        arrays[2] = rng.Floats(static_cast<size_t>(1 + rng.Int(500)));
        for (const auto &v : arrays) {
            room += steti_cuda_staged_bytes(v.size() * sizeof(float));
        }
        size_t used = be->b->ring.used;
        ASSERT_EQ(steti_cuda_room(be->b, room, &be->err), STET_OK) << be->err.message;
        went_round += be->b->ring.used < used;
        for (int i = 0; i < 3; i++) {
            ASSERT_EQ(steti_cuda_stage(be->b, arrays[i].data(), arrays[i].size() * sizeof(float),
                                       &at[i], &be->err),
                      STET_OK)
                << be->err.message;
            copied += arrays[i].size() * sizeof(float);
        }
        for (int i = 0; i < 3; i++) {
            std::vector<float> got(arrays[i].size());
            ASSERT_EQ(
                be->ops->download(be->b, got.data(), at[i], got.size() * sizeof(float), &be->err),
                STET_OK);
            ASSERT_EQ(DifferingBytes(got, arrays[i]), 0u) << "array " << i;
        }
    }
    EXPECT_GE(went_round, 2u);
}

TEST(Ring, ArraysLongerThanItAreRefused)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    steti_matrix *table = be->Pack(Rng(1).Floats(80), 10, 8, STETI_F32);
    std::vector<int32_t> ids(STETI_CUDA_RING_BYTES / sizeof(int32_t) + 1, 1);
    EXPECT_EQ(EmbedRows(be.get(), table, ids, be->Up(std::vector<float>(8))), STET_E_INVALID);
    EXPECT_NE(std::string(be->err.message).find("fewer rows"), std::string::npos)
        << be->err.message;
}

/* ---- The device ------------------------------------------------------------------------------ */

TEST(CudaBackend, OpenNamesTheDeviceAndRefusesOthers)
{
    steti_backend_options o = {1, nullptr, 0};
    steti_backend *b = nullptr;
    steti_backend_caps caps;
    stet_error err = NewError();
    ASSERT_EQ(stet_shim::ops()->open(&o, &b, &err), STET_OK) << err.message;
    stet_shim::ops()->caps(b, &caps);
    EXPECT_STREQ(caps.name, "cuda (shim, sm_00)");
    EXPECT_GE(caps.row_tile, 1);
    stet_shim::ops()->close(b);
    stet_shim::ops()->close(nullptr);
    o.device_index = 7;
    EXPECT_EQ(stet_shim::ops()->open(&o, &b, &err), STET_E_DEVICE);
    EXPECT_EQ(b, nullptr);
    EXPECT_NE(std::string(err.message).find("cuda:7"), std::string::npos) << err.message;
    EXPECT_NE(std::string(err.message).find("invalid device ordinal"), std::string::npos)
        << err.message;
    EXPECT_EQ(stet_shim::live(), 0u);
}

TEST(CudaBackend, MemoryIsZeroedAlignedAndLimited)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    void *p = nullptr;
    ASSERT_EQ(be->ops->mem_alloc(be->b, 1000, &p, &be->err), STET_OK);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
    for (int i = 0; i < 1000; i++) {
        ASSERT_EQ(static_cast<char *>(p)[i], 0);
    }
    be->ops->mem_free(be->b, p);
    be->ops->mem_free(be->b, nullptr);
    EXPECT_EQ(be->ops->mem_alloc(be->b, SIZE_MAX - 10, &p, &be->err), STET_E_NOMEM);
    EXPECT_EQ(p, nullptr);
    EXPECT_EQ(be->ops->reserve(be->b, 1, 1, 1 << 20, &be->err), STET_E_INVALID);
    EXPECT_NE(std::string(be->err.message).find("at most 12288"), std::string::npos);
    EXPECT_EQ(be->ops->reserve(be->b, 1 << 20, 1, 1, &be->err), STET_E_INVALID);
    EXPECT_EQ(be->ops->reserve(be->b, -1, 1, 1, &be->err), STET_E_INVALID);
    EXPECT_EQ(be->ops->sync(be->b, &be->err), STET_OK) << "none of this broke the context";
}

TEST(CudaBackend, ScratchIsWhatReserveTakes)
{
    for (int size : {1, 17, 300}) {
        std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
        size_t before = 0, after = 0;
        for (const auto &block : device().memory) {
            before += block.second;
        }
        be->Reserve(size, 3 * size, 20);
        for (const auto &block : device().memory) {
            after += block.second;
        }
        EXPECT_EQ(after - before, be->ops->scratch_bytes(be->b, size, 3 * size, 20));
    }
}

/* ---- Failures -------------------------------------------------------------------------------- */

/* Everything that the engine does with a backend; *b stays open for the caller to look at. */
stet_status WholeLife(Backend *be)
{
    const steti_backend_ops *ops = be->ops;
    static const float data[64] = {1.0f};
    int32_t ids[] = {1, 0}, pos[] = {0, 1}, counts[] = {1, 2}, begin[] = {0, 0, 1}, out_id[2];
    steti_adjust adjust[] = {{1, 2.0f}};
    steti_tensor src = {data, STETI_F32, 2, {4, 16}};
    steti_matrix *m[2] = {nullptr, nullptr};
    void *x = nullptr, *y = nullptr;
    stet_status st = ops->pack_matrix(be->b, &src, nullptr, STETI_I8, &m[0], &be->err);
    auto step = [&](stet_status next) {
        st = next;
        return st == STET_OK;
    };
    if (st == STET_OK && step(ops->pack_matrix(be->b, &src, nullptr, STETI_F32, &m[1], &be->err)) &&
        step(ops->mem_alloc(be->b, 512, &x, &be->err)) &&
        step(ops->mem_alloc(be->b, 512, &y, &be->err)) &&
        step(ops->upload(be->b, x, data, sizeof data, &be->err)) &&
        step(ops->reserve(be->b, 4, 16, 8, &be->err))) {
        float *fx = static_cast<float *>(x), *fy = static_cast<float *>(y), host[4];
        steti_embed_params e = {2, 16, m[1], ids, pos, fx, 1.0f, fy};
        steti_norm_params n = {2, 16, STETI_NORM_RMS, 1e-5f, fx, nullptr, fx, nullptr, fy};
        steti_linear_part parts[2] = {};
        steti_linear_params l = {2, 16, fx, 2, parts};
        steti_attention_params a = {};
        steti_argmax_params g = {2,      16,    fx,     m[0],    nullptr, 1.0f,
                                 adjust, begin, out_id, nullptr, nullptr};
        for (int i = 0; i < 2; i++) {
            parts[i].w = m[i];
            parts[i].out = fy;
            parts[i].ld_out = 4;
            parts[i].row_map = ids;
        }
        a.n_rows = 2;
        a.n_heads = 1;
        a.head_dim = 8;
        a.q = a.k = a.v = fx;
        a.ld_q = a.ld_kv = a.ld_out = 8;
        a.key_begin = ids;
        a.key_count = counts;
        a.out = fy;
        step(ops->embed(be->b, &e, &be->err)) && step(ops->norm(be->b, &n, &be->err)) &&
            step(ops->linear(be->b, &l, &be->err)) && step(ops->attention(be->b, &a, &be->err)) &&
            step(ops->argmax(be->b, &g, &be->err)) && step(ops->copy(be->b, y, x, 64, &be->err)) &&
            step(ops->download(be->b, host, y, sizeof host, &be->err)) &&
            step(ops->sync(be->b, &be->err));
    }
    ops->mem_free(be->b, x);
    ops->mem_free(be->b, y);
    ops->free_matrix(be->b, m[0]);
    ops->free_matrix(be->b, m[1]);
    return st;
}

/* Opens and lives with the call number n of the runtime failing; STET_OK when there was none. */
stet_status LifeWithFailure(uint64_t n, int code, std::string *message)
{
    steti_backend *b = nullptr;
    stet_error err = NewError();
    device().calls = 0;
    device().fail_at = n;
    device().fail_code = code;
    stet_status st =
        steti_cuda_open_with(stet_shim::runtime(), 0, &steti_cuda_default_tuning, &b, &err);
    if (st == STET_OK) {
        Backend be(stet_shim::ops(), b);
        st = WholeLife(&be);
        err = be.err;
        device().fail_at = 0;
        steti_alloc_fail_nth(0, 0);
        if (st == STET_E_DEVICE) {
            EXPECT_EQ(be.ops->sync(be.b, &be.err), STET_E_DEVICE) << "call " << n;
            EXPECT_NE(std::string(be.err.message).find("cannot be used any more"),
                      std::string::npos)
                << be.err.message;
            EXPECT_EQ(WholeLife(&be), STET_E_DEVICE);
        } else {
            EXPECT_EQ(WholeLife(&be), STET_OK) << "call " << n << ": " << be.err.message;
        }
    }
    device().fail_at = 0;
    *message = err.message;
    return st;
}

TEST(Failures, EveryCallOfTheRuntimeMayFail)
{
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    for (int code : {700, stet_shim::kOutOfMemory}) {
        int n_nomem = 0, n_device = 0;
        stet_status st = STET_E_DEVICE;
        for (uint64_t n = 1; st != STET_OK; n++) {
            std::string message;
            st = LifeWithFailure(n, code, &message);
            ASSERT_TRUE(st == STET_OK || st == STET_E_DEVICE ||
                        (st == STET_E_NOMEM && code == stet_shim::kOutOfMemory))
                << "call " << n << ": " << message;
            n_nomem += st == STET_E_NOMEM;
            n_device += st == STET_E_DEVICE;
            if (st == STET_E_DEVICE && code == 700) {
                EXPECT_NE(message.find("made to fail: "), std::string::npos) << message;
                EXPECT_NE(message.find("cuda:0: "), std::string::npos) << message;
            }
            ASSERT_EQ(stet_shim::live(), 0u) << "call " << n;
            steti_alloc_get_stats(&after);
            ASSERT_EQ(after.live_count, before.live_count) << "call " << n;
        }
        EXPECT_GT(n_device, 40);
        EXPECT_EQ(n_nomem, code == 700 ? 0 : 8) << "2 pinned, ring, 2 matrices, 2 blocks, scratch";
    }
}

TEST(Failures, EveryAllocationOfTheHostMayFail)
{
    steti_alloc_stats before, after;
    stet_status st = STET_E_NOMEM;
    int failures = 0;
    steti_alloc_get_stats(&before);
    for (uint64_t n = 1; st != STET_OK; n++) {
        std::string message;
        steti_alloc_fail_nth(n, 0);
        st = LifeWithFailure(0, 0, &message);
        steti_alloc_fail_nth(0, 0);
        ASSERT_TRUE(st == STET_OK || st == STET_E_NOMEM) << message;
        failures += st != STET_OK;
        steti_alloc_get_stats(&after);
        ASSERT_EQ(after.live_count, before.live_count) << "allocation " << n;
        ASSERT_EQ(stet_shim::live(), 0u) << "allocation " << n;
    }
    EXPECT_EQ(failures, 5) << "the context, and two for each matrix";
}

TEST(Failures, OpsAllocateNothing)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    steti_alloc_stats before, after;
    steti_linear_part part = {};
    int32_t id[8];
    part.w = be->Pack(std::vector<float>(64 * 64, 0.5f), 64, 64, STETI_I8);
    part.out = be->Up(std::vector<float>(8 * 64));
    part.ld_out = 64;
    steti_linear_params p = {8, 64, be->Up(std::vector<float>(8 * 64, 1.0f)), 1, &part};
    steti_argmax_params a = {8,       64,      p.x, part.w,  nullptr, 1.0f,
                             nullptr, nullptr, id,  nullptr, nullptr};
    be->Reserve(8, 64, 8);
    size_t blocks = stet_shim::live();
    steti_alloc_get_stats(&before);
    EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK);
    EXPECT_EQ(be->ops->argmax(be->b, &a, &be->err), STET_OK);
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.calls, before.calls);
    EXPECT_EQ(stet_shim::live(), blocks);
}

/* The device of the tests must see what it is there to see. */
TEST(Failures, PointersToTheWrongSideAreSeen)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    std::vector<float> host(16, 1.0f);
    float *x = be->Up(host);
    steti_norm_params n = {1, 16, STETI_NORM_RMS, 1e-5f, x, nullptr, host.data(), nullptr, x};
    EXPECT_EQ(be->ops->norm(be->b, &n, &be->err), STET_E_DEVICE);
    EXPECT_NE(std::string(be->err.message).find("pointer to the host"), std::string::npos)
        << be->err.message;
    EXPECT_NE(std::string(be->err.message).find("kernel norm"), std::string::npos);
    be = OpenTuned(steti_cuda_default_tuning);
    EXPECT_EQ(be->ops->upload(be->b, host.data(), host.data(), 4, &be->err), STET_E_DEVICE);
    be = OpenTuned(steti_cuda_default_tuning);
    x = be->Up(host);
    EXPECT_EQ(be->ops->download(be->b, host.data(), x + 30, 16, &be->err), STET_E_DEVICE);
}

} // namespace
