// What the CUDA backend has beside its ops, which tests/ops runs: schedules, the ring of host
// arrays, and what crosses the bus.
#include "tuned_backend.h"

using stet_shim::device;

namespace
{

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
                std::vector<float> a = Product(s, stet_shim::chunks(32, 0), x, w);
                ASSERT_EQ(count[STETI_CUDA_linear_f32_serial] + count[STETI_CUDA_linear_i8_serial],
                          serial + 1);
                std::vector<float> b = Product(s, stet_shim::chunks(32, 1000), x, w);
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
    for (steti_cuda_tuning tuning : {steti_cuda_default_tuning, stet_shim::chunks(512, 0)}) {
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

// Pinned memory and what opening took are in it.
TEST(CudaBackend, ScratchIsWhatReserveTakes)
{
    for (int size : {1, 17, 300}) {
        size_t before = device().bytes();
        std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
        be->Reserve(size, 3 * size, 20);
        EXPECT_EQ(device().bytes() - before, be->ops->scratch_bytes(be->b, size, 3 * size, 20));
    }
}

} // namespace
