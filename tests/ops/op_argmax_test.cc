#include "ops_support.h"

#include <algorithm>

namespace
{

struct Result {
    stet_status status;
    std::vector<int32_t> id;
    std::vector<float> logprob, logits;
    std::string message;
};

struct Case {
    int rows, d, vocab;
    steti_dtype compute;
    bool want_sum, want_logits;
};

/* Adjustments of all rows. */
struct Adjust {
    std::vector<steti_adjust> list;
    std::vector<int32_t> begin;
};

Result RunOp(const Target &t, int threads, const Case &c, const std::vector<float> &x,
             const std::vector<float> &w, const std::vector<float> *bias,
             const Adjust *adjust = nullptr)
{
    Backend be(t, threads);
    Result out;
    out.id.assign(c.rows, -2);
    out.logprob.assign(c.rows, 0.0f);
    out.logits.assign(static_cast<size_t>(c.rows) * c.vocab, 0.0f);
    be.Reserve(c.rows, c.d, 1);
    steti_argmax_params p = {};
    p.n_rows = c.rows;
    p.d = c.d;
    p.x = be.Up(x);
    p.table = be.Pack(w, c.vocab, c.d, c.compute);
    p.bias = bias != nullptr ? be.Up(*bias) : nullptr;
    p.scale = 0.7f;
    p.id = out.id.data();
    p.logprob = c.want_sum ? out.logprob.data() : nullptr;
    p.logits = c.want_logits ? out.logits.data() : nullptr;
    if (adjust != nullptr) {
        p.adjust = adjust->list.data();
        p.adjust_begin = adjust->begin.data();
    }
    out.status = be.ops->argmax(be.b, &p, &be.err);
    if (out.status == STET_OK) {
        out.status = be.ops->sync(be.b, &be.err);
    }
    out.message = be.err.message;
    return out;
}

void ExpectConsistent(const Case &c, const Result &got)
{
    for (int r = 0; r < c.rows; r++) {
        const float *v = &got.logits[static_cast<size_t>(r) * c.vocab];
        int best = 0;
        double sum = 0;
        for (int i = 1; i < c.vocab; i++) {
            best = v[i] > v[best] ? i : best;
        }
        for (int i = 0; i < c.vocab; i++) {
            sum += std::exp(static_cast<double>(v[i]) - v[best]);
        }
        ASSERT_EQ(got.id[r], best) << "row " << r;
        ASSERT_TRUE(Near(got.logprob[r], -std::log(sum), 1e-5 * (1 + std::log(sum))))
            << "row " << r;
    }
}

TEST_P(OpTest, IdsLogitsAndLogprobs)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        for (int vocab : {1, 15, 16, 17, 255, 256, 257, 1000, 17000}) {
            Case c = {3, 20, vocab, type, true, true};
            Rng rng(31);
            std::vector<float> x = rng.Floats(static_cast<size_t>(c.rows) * c.d);
            std::vector<float> w = rng.Floats(static_cast<size_t>(vocab) * c.d),
                               bias = rng.Floats(vocab);
            Result got = RunOp(GetParam(), 2, c, x, w, &bias);
            ASSERT_EQ(got.status, STET_OK) << got.message;
            ExpectConsistent(c, got);
            for (int i = 0; i < vocab && type == STETI_F32; i++) {
                double dot = 0;
                for (int k = 0; k < c.d; k++) {
                    dot += static_cast<double>(x[k]) * w[static_cast<size_t>(i) * c.d + k];
                }
                ASSERT_TRUE(Near(got.logits[i], dot * 0.7 + bias[i], 1e-5)) << i;
            }
            Result portable = RunOp(PortableTarget(), 1, c, x, w, &bias);
            EXPECT_EQ(DifferingBytes(got.logits, portable.logits), 0u);
            EXPECT_EQ(DifferingBytes(got.logprob, portable.logprob), 0u);
            EXPECT_EQ(got.id, portable.id);
        }
    }
}

TEST_P(OpTest, ThreadsAndOutputsDoNotShow)
{
    Case c = {60, 33, 5000, STETI_I8, true, true};
    Rng rng(32);
    std::vector<float> x = rng.Floats(static_cast<size_t>(c.rows) * c.d);
    std::vector<float> w = rng.Floats(static_cast<size_t>(c.vocab) * c.d);
    Result one = RunOp(GetParam(), 1, c, x, w, nullptr);
    for (int threads : {2, 3, 5}) {
        Result more = RunOp(GetParam(), threads, c, x, w, nullptr);
        EXPECT_EQ(DifferingBytes(one.logprob, more.logprob), 0u);
        EXPECT_EQ(DifferingBytes(one.logits, more.logits), 0u);
        EXPECT_EQ(one.id, more.id);
    }
    c.want_sum = c.want_logits = false;
    EXPECT_EQ(RunOp(GetParam(), 2, c, x, w, nullptr).id, one.id);
}

TEST_P(OpTest, TiesGoToTheLowestId)
{
    constexpr int kDim = 16, kVocab = 3000;
    Rng rng(33);
    std::vector<float> row = rng.Floats(kDim);
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        for (int first : {0, 1, 15, 16, 200, 255, 256, 300, 1100, 2899}) {
            Case c = {1, kDim, kVocab, type, true, false};
            std::vector<float> w(static_cast<size_t>(kVocab) * kDim, 0.0f);
            for (int id : {first, first + 1, first + 17, first + 100}) {
                std::copy(row.begin(), row.end(), w.begin() + static_cast<size_t>(id) * kDim);
            }
            Result got = RunOp(GetParam(), 2, c, row, w, nullptr);
            ASSERT_EQ(got.status, STET_OK);
            EXPECT_EQ(got.id[0], first);
        }
    }
}

/* All values equal (0, and -0 from negative weights): id 0. */
TEST_P(OpTest, AllEqualGivesZero)
{
    Case c = {2, 8, 700, STETI_F32, true, false};
    std::vector<float> w(static_cast<size_t>(c.vocab) * c.d, -1.0f), x(16, 0.0f);
    std::fill(w.begin(), w.begin() + 80, 1.0f);
    Result got = RunOp(GetParam(), 1, c, x, w, nullptr);
    EXPECT_EQ(got.id, (std::vector<int32_t>{0, 0}));
    EXPECT_TRUE(Near(got.logprob[0], -std::log(700.0), 1e-5));
}

/* Row r: the first, the last, and every (r + 3)rd id; every other one of them is forbidden. */
Adjust EveryFew(int rows, int vocab, float factor)
{
    Adjust a;
    for (int r = 0; r < rows; r++) {
        a.begin.push_back(static_cast<int32_t>(a.list.size()));
        for (int id = 0; r > 0 && id < vocab; id++) {
            if (id % (r + 3) == 0 || id == vocab - 1) {
                a.list.push_back({id, a.list.size() % 2 == 0 ? factor : STETI_NEVER});
            }
        }
    }
    a.begin.push_back(static_cast<int32_t>(a.list.size()));
    return a;
}

TEST_P(OpTest, AdjustmentsChangeTheirValuesAndNoOther)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        for (int vocab : {2, 17, 256, 257, 5000}) {
            Case c = {4, 20, vocab, type, true, true};
            Rng rng(35);
            std::vector<float> x = rng.Floats(static_cast<size_t>(c.rows) * c.d);
            std::vector<float> w = rng.Floats(static_cast<size_t>(vocab) * c.d);
            Adjust a = EveryFew(c.rows, vocab, 1.3f);
            Result plain = RunOp(GetParam(), 2, c, x, w, nullptr);
            Result got = RunOp(GetParam(), 2, c, x, w, nullptr, &a);
            for (int r = 0; r < c.rows; r++) {
                for (int i = a.begin[r]; i < a.begin[r + 1]; i++) {
                    float *v = &plain.logits[static_cast<size_t>(r) * vocab + a.list[i].id];
                    *v = *v > 0 ? *v / 1.3f : *v * 1.3f;
                    *v = a.list[i].factor < 0 ? -INFINITY : *v;
                }
            }
            ASSERT_EQ(got.status, STET_OK) << got.message;
            EXPECT_EQ(DifferingBytes(got.logits, plain.logits), 0u);
            ExpectConsistent(c, got);
            c.want_sum = c.want_logits = false;
            EXPECT_EQ(RunOp(GetParam(), 1, c, x, w, nullptr, &a).id, got.id);
        }
    }
}

TEST_P(OpTest, AdjustmentsOutOfOrderOrOutsideAreRefused)
{
    Case c = {1, 8, 100, STETI_F32, false, false};
    Rng rng(36);
    std::vector<float> x = rng.Floats(8), w = rng.Floats(800);
    for (Adjust a : {Adjust{{{5, 2.0f}, {5, 2.0f}}, {0, 2}}, Adjust{{{5, 2.0f}, {4, 2.0f}}, {0, 2}},
                     Adjust{{{-1, 2.0f}}, {0, 1}}, Adjust{{{100, 2.0f}}, {0, 1}}}) {
        EXPECT_EQ(RunOp(GetParam(), 1, c, x, w, nullptr, &a).status, STET_E_INVALID);
    }
}

/* A NaN that is forbidden is no error; where all tokens are forbidden there is no answer. */
TEST_P(OpTest, ForbiddenValuesDoNotCount)
{
    Case c = {1, 8, 300, STETI_F32, true, false};
    Rng rng(37);
    std::vector<float> x = rng.Floats(8), w = rng.Floats(2400), bias(300, 0.0f);
    Adjust one = {{{270, STETI_NEVER}}, {0, 1}}, all;
    bias[270] = NAN;
    EXPECT_EQ(RunOp(GetParam(), 1, c, x, w, &bias, &one).status, STET_OK);
    for (int id = 0; id < 300; id++) {
        all.list.push_back({id, STETI_NEVER});
    }
    all.begin = {0, 300};
    Result none = RunOp(GetParam(), 1, c, x, w, &bias, &all);
    EXPECT_EQ(none.status, STET_E_MODEL);
    EXPECT_NE(none.message.find("forbid"), std::string::npos) << none.message;
}

/* A bias of minus infinity masks a token; it is not an error. */
TEST_P(OpTest, MinusInfinityMasks)
{
    Case c = {1, 8, 600, STETI_F32, true, false};
    Rng rng(34);
    std::vector<float> x = rng.Floats(8), w = rng.Floats(600 * 8), bias(600, -INFINITY);
    bias[577] = 0.0f;
    Result got = RunOp(GetParam(), 2, c, x, w, &bias);
    EXPECT_EQ(got.status, STET_OK) << got.message;
    EXPECT_EQ(got.id[0], 577);
    EXPECT_TRUE(Near(got.logprob[0], 0.0, 1e-6));
}

TEST_P(OpTest, NanIsAnErrorThatNamesItsRow)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        Case c = {70, 20, 500, type, true, false};
        Rng rng(35);
        std::vector<float> x = rng.Floats(static_cast<size_t>(c.rows) * c.d);
        std::vector<float> w = rng.Floats(static_cast<size_t>(c.vocab) * c.d);
        Result clean = RunOp(GetParam(), 2, c, x, w, nullptr);
        x[66 * 20 + 7] = NAN;
        x[68 * 20 + 7] = NAN;
        Result got = RunOp(GetParam(), 2, c, x, w, nullptr);
        EXPECT_EQ(got.status, STET_E_MODEL);
        EXPECT_NE(got.message.find("row 66 "), std::string::npos) << got.message;
        EXPECT_EQ(got.id[66], -1);
        EXPECT_EQ(got.id[67], clean.id[67]);
    }
    Case one = {1, 8, 300, STETI_F32, false, false};
    std::vector<float> x(8, 1.0f), w(300 * 8, 1.0f), bias(300, 0.0f);
    for (int at : {0, 1, 17, 255, 256, 299}) {
        bias[at] = NAN;
        EXPECT_EQ(RunOp(GetParam(), 1, one, x, w, &bias).status, STET_E_MODEL) << "NaN at " << at;
        bias[at] = 0.0f;
    }
}

// Whole tiles and whole stretches of NaN, in front of and behind good values.
TEST_P(OpTest, ManyNansAreAnErrorToo)
{
    const int vocab = 20000, ranges[][2] = {{0, 256}, {0, 512}, {256, 512}, {0, 19999}, {1, 20000}};
    Case one = {1, 4, vocab, STETI_F32, false, false};
    std::vector<float> x(4, 1.0f), w(static_cast<size_t>(vocab) * 4, 1.0f);
    for (const auto &range : ranges) {
        std::vector<float> bias(vocab, 0.0f);
        std::fill(bias.begin() + range[0], bias.begin() + range[1], NAN);
        EXPECT_EQ(RunOp(GetParam(), 1, one, x, w, &bias).status, STET_E_MODEL)
            << "NaN from " << range[0] << " to " << range[1];
    }
}

TEST_P(OpTest, LimitsAndBadArguments)
{
    Backend be(GetParam(), 1);
    int32_t id = 5;
    float *x = be.Up(std::vector<float>(64));
    steti_argmax_params p = {};
    p.n_rows = 1;
    p.d = 8;
    p.x = x;
    p.table = be.Pack(std::vector<float>(80, 1.0f), 10, 8, STETI_F32);
    p.scale = 1.0f;
    p.id = &id;
    EXPECT_EQ(be.ops->argmax(be.b, &p, &be.err), STET_E_INVALID);
    be.Reserve(1, 8, 1);
    EXPECT_EQ(be.ops->argmax(be.b, &p, &be.err), STET_OK);
    EXPECT_EQ(id, 0);
    p.n_rows = 2;
    EXPECT_EQ(be.ops->argmax(be.b, &p, &be.err), STET_E_INVALID);
    p.n_rows = 0;
    EXPECT_EQ(be.ops->argmax(be.b, &p, &be.err), STET_OK);
    p.n_rows = 1;
    p.d = 7;
    EXPECT_EQ(be.ops->argmax(be.b, &p, &be.err), STET_E_INVALID);
    p.d = 8;
    p.id = nullptr;
    EXPECT_EQ(be.ops->argmax(be.b, &p, &be.err), STET_E_INVALID);
}

INSTANTIATE_FOR_ALL_TARGETS();

} // namespace
