#include "ops_support.h"

extern "C" {
#include "check.h"
}

namespace
{

TEST(CpuBackend, OpenNamesWhatItRuns)
{
    Backend be({"auto", steti_cpu_backend(), nullptr, true}, 2);
    steti_backend_caps caps;
    be.ops->caps(be.b, &caps);
    EXPECT_EQ(std::string(caps.name).rfind("cpu (", 0), 0u) << caps.name;
    EXPECT_NE(std::string(caps.name).find("2 threads"), std::string::npos) << caps.name;
    EXPECT_EQ(caps.threads, 2);
    EXPECT_GE(caps.row_tile, 1);
    EXPECT_EQ(caps.weight_bytes, 0u);
}

TEST(CpuBackend, OpenRefusesWhatItCannotDo)
{
    steti_backend *b = nullptr;
    stet_error err = NewError();
    steti_backend_options o = {1, "mmx", 0};
    EXPECT_EQ(steti_cpu_backend()->open(&o, &b, &err), STET_E_INVALID);
    EXPECT_NE(std::string(err.message).find("mmx"), std::string::npos);
#ifdef STETI_X86
    o.isa = "neon";
#else
    o.isa = "avx512";
#endif
    EXPECT_EQ(steti_cpu_backend()->open(&o, &b, &err), STET_E_DEVICE);
    o.isa = "auto";
    o.threads = 0;
    EXPECT_EQ(steti_cpu_backend()->open(&o, &b, &err), STET_E_INVALID);
    EXPECT_EQ(b, nullptr);
    steti_cpu_backend()->close(nullptr);
}

TEST(CpuBackend, MemoryIsZeroedAndAligned)
{
    Backend be(PortableTarget(), 1);
    void *p = nullptr;
    ASSERT_EQ(be.ops->mem_alloc(be.b, 1000, &p, &be.err), STET_OK);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
    for (int i = 0; i < 1000; i++) {
        ASSERT_EQ(static_cast<char *>(p)[i], 0);
    }
    be.ops->mem_free(be.b, p);
    be.ops->mem_free(be.b, nullptr);
    EXPECT_EQ(be.ops->mem_alloc(be.b, SIZE_MAX - 10, &p, &be.err), STET_E_NOMEM);
}

/* Reads a packed matrix back: embed with scale 1 gives its rows. */
std::vector<float> Unpack(Backend &be, steti_matrix *m, int n_out, int n_in)
{
    std::vector<int32_t> ids;
    for (int i = 0; i < n_out; i++) {
        ids.push_back(i);
    }
    float *out = be.Up(std::vector<float>(static_cast<size_t>(n_out) * n_in));
    steti_embed_params p = {n_out, n_in, m, ids.data(), nullptr, nullptr, 1.0f, out};
    EXPECT_EQ(be.ops->embed(be.b, &p, &be.err), STET_OK) << be.err.message;
    return be.Down(out, static_cast<size_t>(n_out) * n_in);
}

TEST(PackMatrix, EveryPairOfTypes)
{
    for (const Target &t : Targets()) {
        constexpr int kOut = 21, kIn = 37;
        Backend be(t, 2);
        std::vector<uint16_t> bf16(kOut * kIn), f16(kOut * kIn);
        std::vector<float> f32(kOut * kIn), scale(kOut);
        std::vector<int8_t> i8(kOut * kIn);
        for (int i = 0; i < kOut * kIn; i++) {
            int v = i * 37 % 255 - 127; /* all of it exact in the short types */
            f32[i] = static_cast<float>(v) * 0.5f;
            uint32_t bits;
            std::memcpy(&bits, &f32[i], 4);
            bf16[i] = static_cast<uint16_t>(bits >> 16);
            int exponent = static_cast<int>(bits >> 23 & 0xff) - 127 + 15;
            f16[i] = v == 0 ? 0
                            : static_cast<uint16_t>((bits >> 16 & 0x8000) | exponent << 10 |
                                                    (bits >> 13 & 0x3ff));
            i8[i] = static_cast<int8_t>(v);
            scale[i / kIn] = 0.5f;
        }
        for (steti_dtype compute : {STETI_F32, STETI_I8}) {
            double tolerance = compute == STETI_I8 ? 0.25 : 0.0;
            steti_matrix *packed[] = {be.Pack(f32.data(), STETI_F32, kOut, kIn, compute),
                                      be.Pack(f16.data(), STETI_F16, kOut, kIn, compute),
                                      be.Pack(bf16.data(), STETI_BF16, kOut, kIn, compute)};
            for (steti_matrix *m : packed) {
                std::vector<float> back = Unpack(be, m, kOut, kIn);
                for (int i = 0; i < kOut * kIn; i++) {
                    ASSERT_TRUE(Near(back[i], f32[i], tolerance)) << i;
                }
            }
            std::vector<float> back =
                Unpack(be, be.Pack(i8.data(), STETI_I8, kOut, kIn, compute, &scale), kOut, kIn);
            EXPECT_EQ(DifferingBytes(back, f32), 0u);
        }
        steti_backend_caps caps;
        be.ops->caps(be.b, &caps);
        EXPECT_GT(caps.weight_bytes, 0u);
    }
}

stet_status PackStatus(Backend &be, const steti_tensor &src, const steti_tensor *scale,
                       steti_dtype compute)
{
    steti_matrix *m = nullptr;
    stet_status st = be.ops->pack_matrix(be.b, &src, scale, compute, &m, &be.err);
    EXPECT_TRUE((st == STET_OK) == (m != nullptr));
    be.ops->free_matrix(be.b, m);
    return st;
}

TEST(PackMatrix, RefusesWhatItCannotPack)
{
    Backend be(PortableTarget(), 2);
    std::vector<float> data(64, 1.0f);
    steti_tensor good = {data.data(), STETI_F32, 2, {4, 16}}, t = good;
    steti_tensor scale = {data.data(), STETI_F32, 1, {4}};
    EXPECT_EQ(PackStatus(be, good, nullptr, STETI_I8), STET_OK);
    EXPECT_EQ(PackStatus(be, good, &scale, STETI_I8), STET_E_INVALID);
    EXPECT_EQ(PackStatus(be, good, nullptr, STETI_F16), STET_E_INVALID);
    t.rank = 1;
    EXPECT_EQ(PackStatus(be, t, nullptr, STETI_F32), STET_E_INVALID);
    t = good;
    t.dtype = STETI_I64;
    EXPECT_EQ(PackStatus(be, t, nullptr, STETI_F32), STET_E_MODEL);
    t = good;
    t.shape[1] = 0;
    EXPECT_EQ(PackStatus(be, t, nullptr, STETI_F32), STET_E_MODEL);
    t.shape[1] = 65537;
    EXPECT_EQ(PackStatus(be, t, nullptr, STETI_I8), STET_E_MODEL);
    t = good;
    t.dtype = STETI_I8;
    EXPECT_EQ(PackStatus(be, t, nullptr, STETI_I8), STET_E_INVALID);
    scale.shape[0] = 3;
    EXPECT_EQ(PackStatus(be, t, &scale, STETI_I8), STET_E_MODEL);
    data[40] = NAN;
    EXPECT_EQ(PackStatus(be, good, nullptr, STETI_I8), STET_E_MODEL);
    EXPECT_NE(std::string(be.err.message).find("row 2 "), std::string::npos) << be.err.message;
    EXPECT_EQ(PackStatus(be, good, nullptr, STETI_F32), STET_OK);
}

TEST(Reserve, KeepsTheLargestLimits)
{
    Backend be(PortableTarget(), 1);
    be.Reserve(10, 100, 50);
    be.Reserve(2, 200, 5);
    steti_linear_part part = {};
    part.w = be.Pack(std::vector<float>(200, 1.0f), 1, 200, STETI_I8);
    part.out = be.Up(std::vector<float>(10));
    part.ld_out = 1;
    steti_linear_params p = {10, 200, be.Up(std::vector<float>(2000, 1.0f)), 1, &part};
    EXPECT_EQ(be.ops->linear(be.b, &p, &be.err), STET_OK) << be.err.message;
    EXPECT_EQ(be.ops->reserve(be.b, -1, 1, 1, &be.err), STET_E_INVALID);
    steti_alloc_fail_nth(1, 0);
    EXPECT_EQ(be.ops->reserve(be.b, 1000, 1000, 1000, &be.err), STET_E_NOMEM);
    steti_alloc_fail_nth(0, 0);
    EXPECT_EQ(be.ops->linear(be.b, &p, &be.err), STET_OK) << "a failed reserve changes nothing";
}

/* Opens, packs, reserves and computes. */
stet_status WholeLife(stet_error *err)
{
    const steti_backend_ops *ops = steti_cpu_backend();
    steti_backend_options o = {2, "auto", 0};
    steti_backend *b = nullptr;
    steti_matrix *m = nullptr;
    void *out = nullptr;
    static const float data[64] = {1.0f};
    steti_tensor src = {data, STETI_F32, 2, {4, 16}};
    stet_status st = ops->open(&o, &b, err);
    if (st != STET_OK) {
        return st;
    }
    steti_linear_part part = {};
    steti_linear_params p = {1, 16, data, 1, &part};
    if ((st = ops->pack_matrix(b, &src, nullptr, STETI_I8, &m, err)) == STET_OK &&
        (st = ops->mem_alloc(b, 64, &out, err)) == STET_OK &&
        (st = ops->reserve(b, 4, 16, 8, err)) == STET_OK) {
        part.w = m;
        part.out = static_cast<float *>(out);
        part.ld_out = 4;
        st = ops->linear(b, &p, err);
    }
    ops->mem_free(b, out);
    ops->free_matrix(b, m);
    ops->close(b);
    return st;
}

TEST(OutOfMemory, EveryAllocationMayFail)
{
    steti_alloc_stats before, after;
    stet_error err = NewError();
    stet_status st = STET_E_NOMEM;
    int failures = 0;
    steti_alloc_get_stats(&before);
    for (int n = 1; st != STET_OK && n < 100; n++) {
        steti_alloc_fail_nth(n, 0);
        st = WholeLife(&err);
        steti_alloc_fail_nth(0, 0);
        if (st != STET_OK) {
            failures++;
            EXPECT_EQ(st, STET_E_NOMEM) << "allocation " << n << ": " << err.message;
        }
        steti_alloc_get_stats(&after);
        ASSERT_EQ(after.live_count, before.live_count) << "allocation " << n;
    }
    EXPECT_EQ(st, STET_OK);
    EXPECT_GE(failures, 6);
}

TEST(OutOfMemory, OpsAllocateNothing)
{
    Backend be({"auto", steti_cpu_backend(), nullptr, true}, 2);
    steti_alloc_stats before, after;
    steti_linear_part part = {};
    part.w = be.Pack(std::vector<float>(64 * 64, 0.5f), 64, 64, STETI_I8);
    part.out = be.Up(std::vector<float>(8 * 64));
    part.ld_out = 64;
    steti_linear_params p = {8, 64, be.Up(std::vector<float>(8 * 64, 1.0f)), 1, &part};
    int32_t id[8];
    steti_argmax_params a = {8,       64,      p.x, part.w,  nullptr, 1.0f,
                             nullptr, nullptr, id,  nullptr, nullptr};
    be.Reserve(8, 64, 8);
    steti_alloc_get_stats(&before);
    EXPECT_EQ(be.ops->linear(be.b, &p, &be.err), STET_OK);
    EXPECT_EQ(be.ops->argmax(be.b, &a, &be.err), STET_OK);
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.calls, before.calls);
}

TEST(Scratch, IsWhatReserveTakes)
{
    for (int threads : {1, 2, 3}) {
        Backend be({"auto", steti_cpu_backend(), nullptr, true}, threads);
        steti_alloc_stats before, after;
        for (int size : {1, 17, 300}) { // limits only grow, and the old scratch is freed
            size_t old = size == 1 ? 0 : be.ops->scratch_bytes(be.b, size == 17 ? 1 : 17, 64, 9);
            steti_alloc_get_stats(&before);
            ASSERT_EQ(be.ops->reserve(be.b, size, 64, 9, &be.err), STET_OK);
            steti_alloc_get_stats(&after);
            EXPECT_EQ(after.live_bytes - before.live_bytes,
                      be.ops->scratch_bytes(be.b, size, 64, 9) - old);
        }
    }
}

} // namespace
