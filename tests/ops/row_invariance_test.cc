/* The contract's sentence, as a function that counts the bytes in which a row among others differs
 * from the row alone; and the negative control: kernels that break the contract must make it count
 * some. */
#include "ops_support.h"

#include <algorithm>
#include <functional>

extern "C" {
#include "cpu_internal.h"
extern const struct steti_kernels steti_kernels_control;
}

namespace
{

constexpr int kBase = 6;    /* different rows */
constexpr int kPoison = -1; /* a row of NaN */
constexpr int kMaxRows = 130;

/* Computes the rows picked and returns `width` floats for each. */
using RunFn = std::function<std::vector<float>(const std::vector<int> &picks)>;

size_t CountVariantBytes(const RunFn &run, size_t width, int max_rows, uint32_t seed)
{
    Rng rng(seed);
    std::vector<std::vector<float>> alone;
    size_t differ = 0;
    for (int i = 0; i < kBase; i++) {
        alone.push_back(run({i}));
    }
    for (int rows = 1; rows <= max_rows; rows++) {
        std::vector<int> picks;
        for (int r = 0; r < rows; r++) {
            picks.push_back(rng.Int(5) == 0 ? kPoison : rng.Int(kBase));
        }
        picks[rng.Int(rows)] = rng.Int(kBase);
        std::vector<float> out = run(picks);
        for (int r = 0; r < rows; r++) {
            if (picks[r] != kPoison) {
                differ += DifferingBytes(&out[static_cast<size_t>(r) * width],
                                         alone[picks[r]].data(), width);
            }
        }
    }
    return differ;
}

std::vector<float> PickRows(const std::vector<float> &base, const std::vector<int> &picks,
                            size_t width)
{
    std::vector<float> x;
    for (int pick : picks) {
        for (size_t i = 0; i < width; i++) {
            x.push_back(pick == kPoison ? NAN : base[static_cast<size_t>(pick) * width + i]);
        }
    }
    return x;
}

/* x is uploaded into one buffer that is made once. */
struct Rows {
    Rows(Backend &backend, size_t w) : be(backend), width(w)
    {
        dx = be.Up(std::vector<float>(kMaxRows * width));
        base = Rng(77).Floats(kBase * width);
    }
    const float *Load(const std::vector<int> &picks)
    {
        std::vector<float> x = PickRows(base, picks, width);
        EXPECT_EQ(be.ops->upload(be.b, dx, x.data(), x.size() * sizeof(float), &be.err), STET_OK);
        return dx;
    }
    Backend &be;
    size_t width;
    float *dx;
    std::vector<float> base;
};

size_t LinearVariance(Backend &be, steti_dtype type, int n_in, int n_out, int max_rows)
{
    Rows rows(be, n_in);
    Rng rng(1);
    size_t width = n_out;
    steti_linear_part part = {};
    part.w = be.Pack(rng.Floats(width * n_in), n_out, n_in, type);
    part.bias = be.Up(rng.Floats(width));
    part.act = STETI_ACT_GELU;
    part.out = be.Up(std::vector<float>(kMaxRows * width));
    part.ld_out = n_out;
    be.Reserve(kMaxRows, n_in, 1);
    return CountVariantBytes(
        [&](const std::vector<int> &picks) {
            steti_linear_params p = {static_cast<int>(picks.size()), n_in, rows.Load(picks), 1,
                                     &part};
            EXPECT_EQ(be.ops->linear(be.b, &p, &be.err), STET_OK) << be.err.message;
            return be.Down(part.out, picks.size() * width);
        },
        width, max_rows, 5);
}

size_t ArgmaxVariance(Backend &be, steti_dtype type, int d, int vocab)
{
    Rows rows(be, d);
    size_t width = vocab + 2;
    steti_matrix *table = be.Pack(Rng(2).Floats(static_cast<size_t>(vocab) * d), vocab, d, type);
    be.Reserve(kMaxRows, d, 1);
    return CountVariantBytes(
        [&](const std::vector<int> &picks) {
            std::vector<int32_t> id(picks.size());
            std::vector<float> logprob(picks.size()), logits(picks.size() * vocab), all;
            steti_argmax_params p = {};
            p.n_rows = static_cast<int>(picks.size());
            p.d = d;
            p.x = rows.Load(picks);
            p.table = table;
            p.scale = 1.0f;
            p.id = id.data();
            p.logprob = logprob.data();
            p.logits = logits.data();
            bool poisoned = std::count(picks.begin(), picks.end(), kPoison) > 0;
            EXPECT_EQ(be.ops->argmax(be.b, &p, &be.err), poisoned ? STET_E_MODEL : STET_OK);
            for (size_t r = 0; r < picks.size(); r++) {
                all.push_back(static_cast<float>(id[r]));
                all.push_back(logprob[r]);
                all.insert(all.end(), &logits[r * vocab], &logits[r * vocab] + vocab);
            }
            return all;
        },
        width, kMaxRows, 6);
}

size_t NormVariance(Backend &be, int d)
{
    Rows rows(be, d);
    float *gamma = be.Up(Rng(3).Floats(d));
    float *out = be.Up(std::vector<float>(static_cast<size_t>(kMaxRows) * d));
    return CountVariantBytes(
        [&](const std::vector<int> &picks) {
            steti_norm_params p = {static_cast<int>(picks.size()),
                                   d,
                                   STETI_NORM_LAYER,
                                   1e-5f,
                                   rows.Load(picks),
                                   nullptr,
                                   gamma,
                                   gamma,
                                   out};
            EXPECT_EQ(be.ops->norm(be.b, &p, &be.err), STET_OK);
            return be.Down(out, picks.size() * d);
        },
        d, kMaxRows, 7);
}

/* Every base row looks at its own stretch of the memory, of its own length. */
size_t AttentionVariance(Backend &be, int heads, int head_dim, bool with_bias)
{
    constexpr int kMemory = 90;
    int d = heads * head_dim;
    Rows rows(be, d);
    float *k = be.Up(Rng(4).Floats(static_cast<size_t>(kMemory) * d));
    float *v = be.Up(Rng(5).Floats(static_cast<size_t>(kMemory) * d));
    float *out = be.Up(std::vector<float>(static_cast<size_t>(kMaxRows) * d));
    float *bias = be.Up(Rng(6).Floats(static_cast<size_t>(heads) * 2 * kMemory));
    be.Reserve(kMaxRows, 1, kMemory);
    return CountVariantBytes(
        [&](const std::vector<int> &picks) {
            std::vector<int32_t> begin, count, pos;
            for (int pick : picks) {
                begin.push_back(pick == kPoison ? 3 : pick * 7);
                count.push_back(pick == kPoison ? 80 : 1 + pick * 9);
                pos.push_back(count.back() / 2);
            }
            steti_attention_params p = {};
            p.n_rows = static_cast<int>(picks.size());
            p.n_heads = heads;
            p.head_dim = head_dim;
            p.kind = STETI_ATTN_CAUSAL;
            p.scale = 0.2f;
            p.q = rows.Load(picks);
            p.k = k;
            p.v = v;
            p.ld_q = p.ld_kv = p.ld_out = d;
            p.key_begin = begin.data();
            p.key_count = count.data();
            p.out = out;
            p.bias = with_bias ? bias : nullptr;
            p.ld_bias = 2 * kMemory;
            p.bias_zero = kMemory;
            p.query_pos = pos.data();
            EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_OK) << be.err.message;
            return be.Down(out, picks.size() * d);
        },
        d, kMaxRows, 8);
}

TEST_P(OpTest, RowsDoNotSeeEachOther)
{
    for (int threads = 1; threads <= (GetParam().has_threads ? 3 : 1); threads++) {
        for (steti_dtype type : {STETI_F32, STETI_I8}) {
            SCOPED_TRACE(::testing::Message() << threads << " threads, type " << type);
            Backend be(GetParam(), threads);
            EXPECT_EQ(LinearVariance(be, type, 67, 100, kMaxRows), 0u);
            EXPECT_EQ(LinearVariance(be, type, 256, 512, 9), 0u);
            EXPECT_EQ(ArgmaxVariance(be, type, 35, 333), 0u);
        }
        Backend be(GetParam(), threads);
        EXPECT_EQ(NormVariance(be, 100), 0u);
        for (bool with_bias : {false, true}) {
            EXPECT_EQ(AttentionVariance(be, 3, 24, with_bias), 0u);
            EXPECT_EQ(AttentionVariance(be, 2, 64, with_bias), 0u);
        }
    }
}

INSTANTIATE_FOR_ALL_TARGETS();

TEST(NegativeControl, TheCheckSeesSumsThatDependOnTheNumberOfRows)
{
    steti_backend *b = nullptr;
    stet_error err = NewError();
    ASSERT_EQ(steti_cpu_open_with(&steti_kernels_control, 1, &b, &err), STET_OK) << err.message;
    Backend be(steti_cpu_backend(), b);
    EXPECT_GT(LinearVariance(be, STETI_F32, 67, 100, 20), 0u);
    EXPECT_EQ(LinearVariance(be, STETI_I8, 67, 100, 20), 0u) << "integer sums have no order";
}

TEST(NegativeControl, AndOnTheShim)
{
    Backend be({"control", stet_shim::ops_control(), nullptr, false}, 1);
    EXPECT_GT(LinearVariance(be, STETI_F32, 67, 100, 20), 0u);
    EXPECT_EQ(LinearVariance(be, STETI_I8, 67, 100, 20), 0u);
}

} // namespace
