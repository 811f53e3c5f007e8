// Attention by a library: which ops go there, that rows have the bits they have alone, which
// libraries are refused, and what happens when something fails.
#include "sdpa_fixture.h"

#include <algorithm>

using stet_shim::device;
using stet_shim::fake_sdpa;
using stet_shim::FakeSdpa;
using stet_shim::Flaw;

namespace
{

class Sdpa : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        fake_sdpa() = FakeSdpa();
    }
    void TearDown() override
    {
        EXPECT_EQ(fake_sdpa().live, 0);
        EXPECT_EQ(stet_shim::live(), 0u);
    }
};

uint64_t KernelLaunches()
{
    return device().launches[STETI_CUDA_attention];
}

TEST_F(Sdpa, IsUsedForWhatItIsMeantFor)
{
    for (steti_attention_kind kind : {STETI_ATTN_ENCODER, STETI_ATTN_CROSS}) {
        Rows r = Sentences({1, 9, 64, 65, 30, 7}, kind);
        std::vector<float> own, got;
        {
            std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
            be->Reserve(256, 32, 300);
            own = Attended(be.get(), r);
        }
        LogLines log;
        std::unique_ptr<Backend> be = OpenWithFake();
        be->Reserve(256, 32, 300);
        uint64_t kernel = KernelLaunches();
        got = Attended(be.get(), r);
        EXPECT_EQ(KernelLaunches(), kernel);
        uint64_t runs = fake_sdpa().runs;
        EXPECT_EQ(DifferingBytes(Attended(be.get(), r), got), 0u);
        EXPECT_EQ(fake_sdpa().runs, runs + 1) << "one call, and no probe any more";
        EXPECT_TRUE(log.Say("2 device cuda:0: attention of 1 heads of 8: fake 1.2.3 is used\n"))
            << log.text;
        EXPECT_GT(DifferingBytes(own, got), 0u) << "it computes in bfloat16";
        for (size_t i = 0; i < got.size(); i++) {
            ASSERT_NEAR(got[i], own[i], 0.02f) << i;
        }
    }
}

TEST_F(Sdpa, OtherOpsAreLeftToTheKernel)
{
    Rows r = Sentences({5, 9}, STETI_ATTN_ENCODER);
    std::unique_ptr<Backend> plain = OpenTuned(steti_cuda_default_tuning);
    std::unique_ptr<Backend> be = OpenWithFake();
    steti_cuda_sdpa_options o = stet_shim::fake_sdpa_options();
    o.kinds = 1u << STETI_ATTN_ENCODER;
    std::unique_ptr<Backend> encoder_only = OpenWith(&o);
    for (Backend *b : {plain.get(), be.get(), encoder_only.get()}) {
        b->Reserve(64, 32, 300);
    }
    std::vector<float> want = Attended(plain.get(), r);
    r.compute = STETI_F32;
    EXPECT_EQ(DifferingBytes(Attended(be.get(), r), want), 0u);
    r.compute = STETI_I8;
    EXPECT_EQ(DifferingBytes(Attended(be.get(), r), want), 0u);
    r.compute = STETI_BF16;
    r.kind = STETI_ATTN_CAUSAL;
    EXPECT_EQ(DifferingBytes(Attended(be.get(), r), want), 0u);
    r.kind = STETI_ATTN_CROSS;
    EXPECT_EQ(DifferingBytes(Attended(encoder_only.get(), r), want), 0u);
    std::vector<float> bias = Rng(3).Floats(1024);
    std::vector<float> biased = Attended(plain.get(), r, plain->Up(bias));
    EXPECT_EQ(DifferingBytes(Attended(be.get(), r, be->Up(bias)), biased), 0u);
    EXPECT_EQ(fake_sdpa().calls, 0u) << "the library was not even opened";
}

/* Rows with more keys than plans have, or with tails, have the kernel's bits in any company. */
TEST_F(Sdpa, RowsThatFitNoPlanHaveTheKernelsBits)
{
    Rows r;
    for (int i = 0; i < 3; i++) {
        r.Add(3, 10 * i, 20);
        r.Add(2, i, 257);
        r.Add(2, 5 * i, 30);
    }
    r.Fill(300);
    r.tail.assign(r.begin.size(), 0);
    r.n_tail.assign(r.begin.size(), 0);
    r.tail[6] = 100;
    r.n_tail[6] = 4;
    std::unique_ptr<Backend> plain = OpenTuned(steti_cuda_default_tuning), be = OpenWithFake();
    plain->Reserve(64, 32, 300);
    be->Reserve(64, 32, 300);
    std::vector<float> own = Attended(plain.get(), r), got = Attended(be.get(), r);
    for (size_t i = 0; i < r.begin.size(); i++) {
        bool fits = r.count[i] <= STETI_SDPA_KEYS && r.n_tail[i] == 0;
        EXPECT_EQ(DifferingBytes(&own[8 * i], &got[8 * i], 8) != 0, fits) << "row " << i;
    }
}

/* How often a row has other bits alone than among all. */
size_t DifferingRows(Backend *be, const Rows &r, size_t step)
{
    std::vector<float> all = Attended(be, r);
    size_t w = static_cast<size_t>(r.width()), differing = 0;
    for (size_t i = 0; i < r.begin.size(); i += step) {
        std::vector<float> alone = Attended(be, r.Only({i}));
        differing += DifferingBytes(alone.data(), &all[w * i], static_cast<int>(w)) != 0;
    }
    return differing;
}

/* More sentences than a call takes, rows of one sentence in two places, more rows on the same keys
 * than an entry takes, and in the second round scratch for a few rows at a time. */
Rows MixedRows()
{
    Rows r;
    r.n_heads = 2;
    for (int i = 0; i < 150; i++) {
        r.Add(1 + i % 3, i, 1 + i * 7 % 90);
    }
    r.Add(300, 4, 33);
    r.Add(2, 0, 256);
    r.Add(3, 9, 1);
    r.Fill(400);
    return r;
}

TEST_F(Sdpa, RowsAloneAndPackedHaveTheSameBits)
{
    Rows r = MixedRows();
    std::unique_ptr<Backend> be = OpenWithFake();
    be->Reserve(640, 64, 260);
    std::vector<float> want = Attended(be.get(), r);
    uint64_t runs = fake_sdpa().runs;
    EXPECT_EQ(DifferingRows(be.get(), r, 13), 0u);
    EXPECT_GT(fake_sdpa().runs, runs + 40);
    uint64_t kernel = KernelLaunches();
    fake_sdpa().runs = 0;
    std::unique_ptr<Backend> tight = OpenWithFake();
    tight->Reserve(640, 16, 260);
    tight->b->row_bytes = steti_cuda_sdpa_bytes(tight->b, 16, 260);
    EXPECT_EQ(DifferingBytes(Attended(tight.get(), r), want), 0u);
    EXPECT_GT(fake_sdpa().runs, 40u) << "and a probe";
    EXPECT_EQ(KernelLaunches(), kernel);
}

/* The control: without the probe the same sweep finds the rows that a flawed library spoils. */
TEST_F(Sdpa, WithoutTheProbeBitsDepend)
{
    for (Flaw flaw : {Flaw::batch, Flaw::position, Flaw::neighbour, Flaw::rows, Flaw::plan}) {
        fake_sdpa().flaw = flaw;
        steti_cuda_sdpa_options o = stet_shim::fake_sdpa_options();
        o.unprobed = 1;
        std::unique_ptr<Backend> be = OpenWith(&o);
        be->Reserve(640, 64, 260);
        Rows r = MixedRows();
        r.begin.insert(r.begin.begin(), 0); /* the first call has the longest plan */
        r.count.insert(r.count.begin(), 200);
        r.Fill(400);
        EXPECT_GT(DifferingRows(be.get(), r, 13), 0u) << static_cast<int>(flaw);
    }
}

TEST_F(Sdpa, FlawedLibrariesAreRefused)
{
    Rows r = Sentences({5, 9, 30}, STETI_ATTN_ENCODER);
    std::unique_ptr<Backend> plain = OpenTuned(steti_cuda_default_tuning);
    plain->Reserve(64, 32, 300);
    std::vector<float> own = Attended(plain.get(), r);
    for (Flaw flaw : {Flaw::batch, Flaw::position, Flaw::neighbour, Flaw::rows, Flaw::plan,
                      Flaw::nan, Flaw::scale, Flaw::overrun}) {
        const char *words = flaw == Flaw::scale     ? "plain sums"
                            : flaw == Flaw::overrun ? "behind the last row"
                                                    : "the bits of a row depend on its call";
        LogLines log;
        fake_sdpa().flaw = flaw;
        std::unique_ptr<Backend> be = OpenWithFake();
        be->Reserve(64, 32, 300);
        EXPECT_EQ(DifferingBytes(Attended(be.get(), r), own), 0u) << static_cast<int>(flaw);
        EXPECT_TRUE(log.Say("fake 1.2.3 is not used: ")) << log.text;
        EXPECT_TRUE(log.Say(words)) << static_cast<int>(flaw) << ": " << log.text;
        uint64_t calls = fake_sdpa().calls;
        r.kind = STETI_ATTN_CROSS;
        EXPECT_EQ(DifferingBytes(Attended(be.get(), r), own), 0u);
        EXPECT_EQ(fake_sdpa().calls, calls) << "the decision stands";
        EXPECT_EQ(std::count(log.text.begin(), log.text.end(), '\n'), 1) << log.text;
        be.reset();
        ASSERT_EQ(fake_sdpa().live, 0);
    }
}

struct Refusal {
    const char *words;
    void (*prepare)(FakeSdpa *f);
    int head_dim;
};

TEST_F(Sdpa, WhatCannotBeHadIsNotUsed)
{
    const Refusal cases[] = {
        {"cannot open shared object", [](FakeSdpa *f) { f->absent = true; }, 8},
        {"needs a workspace", [](FakeSdpa *f) { f->workspace = 16; }, 8},
        {"no multiple of 8", [](FakeSdpa *) {}, 12},
        {"too long: at most 64", [](FakeSdpa *) {}, 72},
        {"made to fail: plan",
         [](FakeSdpa *f) {
             f->fail_at = 3;
             f->fail_code = 3;
         },
         8},
        {"made to fail: run",
         [](FakeSdpa *f) {
             f->fail_at = 9;
             f->fail_code = 3;
         },
         8},
    };
    for (const Refusal &c : cases) {
        LogLines log;
        fake_sdpa() = FakeSdpa();
        c.prepare(&fake_sdpa());
        Rows r;
        r.head_dim = c.head_dim;
        r.Add(3, 0, 5);
        r.Fill(5);
        std::unique_ptr<Backend> plain = OpenTuned(steti_cuda_default_tuning), be = OpenWithFake();
        plain->Reserve(8, 64, 8);
        be->Reserve(8, 64, 8);
        EXPECT_EQ(DifferingBytes(Attended(be.get(), r), Attended(plain.get(), r)), 0u);
        EXPECT_TRUE(log.Say(c.words)) << log.text;
        EXPECT_TRUE(log.Say("is not used")) << log.text;
    }
}

stet_status RecordAttention(Backend *be, const Rows &r)
{
    steti_recording *made = nullptr;
    std::vector<float> out;
    stet_status st = STET_OK, ended;
    EXPECT_EQ(Attend(
                  be, r, &out, nullptr,
                  [be, &r] {
                      EXPECT_EQ(
                          be->ops->record_begin(be->b, static_cast<int>(r.begin.size()), &be->err),
                          STET_OK)
                          << be->err.message;
                  },
                  [be, &made, &st, &ended](stet_status op) {
                      st = op;
                      ended = be->ops->record_end(be->b, &made, nullptr);
                  }),
              st);
    EXPECT_EQ(ended == STET_OK, st == STET_OK);
    EXPECT_EQ(made != nullptr, st == STET_OK);
    be->ops->free_recording(be->b, made);
    return st;
}

/* What the library makes, or may make, calls a recording off; the rest is recorded. */
TEST_F(Sdpa, IsNotRecorded)
{
    Rows r = Sentences({5, 9}, STETI_ATTN_ENCODER), causal = r;
    causal.kind = STETI_ATTN_CAUSAL;
    for (Flaw flaw : {Flaw::none, Flaw::batch}) {
        fake_sdpa().flaw = flaw;
        std::unique_ptr<Backend> be = OpenWithFake();
        be->Reserve(64, 32, 300);
        uint64_t calls = fake_sdpa().calls;
        EXPECT_EQ(RecordAttention(be.get(), r), STET_E_CANCELLED) << "undecided";
        EXPECT_EQ(fake_sdpa().calls, calls) << "no probe inside a recording";
        EXPECT_EQ(RecordAttention(be.get(), causal), STET_OK) << be->err.message;
        std::vector<float> out = Attended(be.get(), r);
        EXPECT_EQ(RecordAttention(be.get(), r), flaw == Flaw::none ? STET_E_CANCELLED : STET_OK);
        EXPECT_EQ(DifferingBytes(Attended(be.get(), r), out), 0u) << "the context is as it was";
    }
}

TEST_F(Sdpa, ScratchHasRoomForOneRowAndItsKeys)
{
    std::unique_ptr<Backend> be = OpenWithFake(), plain = OpenTuned(steti_cuda_default_tuning);
    size_t with = be->ops->scratch_bytes(be->b, 1, 16, 200);
    EXPECT_GT(with, plain->ops->scratch_bytes(plain->b, 1, 16, 200));
    EXPECT_EQ(be->ops->scratch_bytes(be->b, 4096, 16, 200),
              plain->ops->scratch_bytes(plain->b, 4096, 16, 200))
        << "rows have that anyway";
    Rows r;
    r.n_heads = 2;
    r.Add(1, 0, 200);
    r.Fill(200);
    be->Reserve(1, 16, 200);
    Attended(be.get(), r);
    EXPECT_GT(fake_sdpa().runs, 0u);
}

/* ---- Failures -------------------------------------------------------------------------------- */

/* The first op of a context, in which the call of the runtime with this number fails. With the
 * probe it makes some 35 calls of the library. */
stet_status FirstOp(uint64_t failing_call, std::string *message)
{
    std::unique_ptr<Backend> be = OpenWithFake();
    Rows r = Sentences({3, 5}, STETI_ATTN_ENCODER);
    std::vector<float> out, again;
    be->Reserve(16, 32, 16);
    stet_status st = Attend(be.get(), r, &out, nullptr, [failing_call] {
        device().calls = 0;
        device().fail_at = failing_call;
    });
    *message = be->err.message;
    fake_sdpa().fail_at = 0;
    if (st == STET_E_DEVICE) {
        EXPECT_EQ(be->ops->sync(be->b, &be->err), STET_E_DEVICE);
        EXPECT_NE(std::string(be->err.message).find("cannot be used any more"), std::string::npos);
    } else {
        EXPECT_EQ(Attend(be.get(), r, &again), STET_OK) << be->err.message;
        EXPECT_TRUE(st != STET_OK || DifferingBytes(out, again) == 0);
    }
    return st;
}

TEST_F(Sdpa, EveryCallOfTheLibraryMayFail)
{
    for (int code : {2, 9}) {
        bool some_left = true;
        for (uint64_t n = 1; some_left; n += n < 9 ? 1 : 7) {
            std::string message;
            fake_sdpa() = FakeSdpa();
            fake_sdpa().fail_at = n;
            fake_sdpa().fail_code = code;
            stet_status st = FirstOp(0, &message);
            some_left = !fake_sdpa().problem.empty();
            /* Without the library's plans there is the kernel; a fault at running is one. */
            stet_status want = !some_left  ? STET_OK
                               : code == 2 ? STET_E_NOMEM
                               : n <= 5    ? STET_OK
                                           : STET_E_DEVICE;
            EXPECT_EQ(st, want) << "call " << n << ": " << message;
            if (st != STET_OK) {
                EXPECT_NE(message.find("cuda:0: fake: "), std::string::npos) << message;
                EXPECT_NE(message.find("made to fail"), std::string::npos) << message;
            }
            ASSERT_EQ(fake_sdpa().live, 0) << "call " << n;
            ASSERT_EQ(stet_shim::live(), 0u) << "call " << n;
        }
    }
}

TEST_F(Sdpa, EveryCallOfTheRuntimeMayFail)
{
    for (int code : {700, stet_shim::kOutOfMemory}) {
        stet_status st = STET_E_DEVICE;
        uint64_t n_failures = 0, n_nomem = 0;
        for (uint64_t n = 1; st != STET_OK; n += n < 12 ? 1 : 19) {
            std::string message;
            device().fail_code = code;
            st = FirstOp(n, &message);
            n_failures += st == STET_E_DEVICE;
            n_nomem += st == STET_E_NOMEM;
            if (st != STET_OK) {
                EXPECT_NE(message.find(code == 700 ? "made to fail" : "out of memory"),
                          std::string::npos)
                    << "call " << n << ": " << message;
            }
            ASSERT_EQ(fake_sdpa().live, 0) << "call " << n;
            ASSERT_EQ(stet_shim::live(), 0u) << "call " << n;
        }
        EXPECT_GT(n_failures, 15u);
        EXPECT_EQ(n_nomem, code == 700 ? 0u : 1u) << "the probe's memory";
    }
}

TEST_F(Sdpa, EveryAllocationMayFail)
{
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    int failures = 0;
    for (uint64_t n = 1; n < 6; n++) {
        steti_cuda_sdpa_options o = stet_shim::fake_sdpa_options();
        std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
        be->Reserve(16, 32, 16);
        o.cache_folder = "/nonexistent";
        steti_alloc_fail_nth(n, 0);
        stet_status st = steti_cuda_use_sdpa(be->b, &o, &be->err);
        Rows r = Sentences({3}, STETI_ATTN_ENCODER);
        std::vector<float> out;
        st = st != STET_OK ? st : Attend(be.get(), r, &out);
        steti_alloc_fail_nth(0, 0);
        EXPECT_EQ(st, STET_E_NOMEM) << "allocation " << n;
        failures += st != STET_OK;
        EXPECT_EQ(Attend(be.get(), r, &out), STET_OK) << be->err.message;
        be.reset();
        steti_alloc_get_stats(&after);
        ASSERT_EQ(after.live_count, before.live_count) << "allocation " << n;
    }
    EXPECT_EQ(failures, 5) << "context, folder, decision, two texts";
}

} // namespace
