#include "ops_support.h"

namespace
{

struct Case {
    int rows, heads, head_dim, memory;
    steti_attention_kind kind;
};

struct Inputs {
    std::vector<float> q, k, v;
    std::vector<int32_t> begin, count;
    /* by distance, kReach on both sides of 0; empty: none */
    std::vector<float> bias;
    std::vector<int32_t> pos;
};

constexpr int kReach = 160;

Inputs MakeInputs(const Case &c, float size)
{
    Rng rng(21);
    size_t d = static_cast<size_t>(c.heads) * c.head_dim;
    Inputs in = {
        rng.Floats(c.rows * d), rng.Floats(c.memory * d), rng.Floats(c.memory * d), {}, {}, {}, {}};
    for (float &x : in.q) {
        x *= size;
    }
    for (int r = 0; r < c.rows; r++) {
        int count = r == 0 ? c.memory : 1 + rng.Int(c.memory);
        in.count.push_back(count);
        in.begin.push_back(rng.Int(c.memory - count + 1));
    }
    return in;
}

/* A bias for every distance and head, and a position for every row, which need not be the last. */
void AddBias(const Case &c, Inputs *in)
{
    Rng rng(22);
    in->bias = rng.Floats(static_cast<size_t>(c.heads) * (2 * kReach + 1));
    for (int r = 0; r < c.rows; r++) {
        in->pos.push_back(rng.Int(kReach));
    }
}

void SetBias(Backend *be, const std::vector<float> &bias, const std::vector<int32_t> &pos,
             steti_attention_params *p)
{
    if (!bias.empty()) {
        p->bias = be->Up(bias);
        p->ld_bias = 2 * kReach + 1;
        p->bias_zero = kReach;
        p->query_pos = pos.data();
    }
}

std::vector<float> RunOp(const Target &t, int threads, const Case &c, const Inputs &in)
{
    Backend be(t, threads);
    int64_t d = static_cast<int64_t>(c.heads) * c.head_dim;
    float *out = be.Up(std::vector<float>(in.q.size()));
    steti_attention_params p = {};
    p.n_rows = c.rows;
    p.n_heads = c.heads;
    p.head_dim = c.head_dim;
    p.kind = c.kind;
    p.scale = 0.3f;
    p.q = be.Up(in.q);
    p.k = be.Up(in.k);
    p.v = be.Up(in.v);
    p.ld_q = p.ld_kv = p.ld_out = d;
    p.key_begin = in.begin.data();
    p.key_count = in.count.data();
    p.out = out;
    SetBias(&be, in.bias, in.pos, &p);
    be.Reserve(c.rows, 1, c.memory);
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_OK) << be.err.message;
    return be.Down(out, in.q.size());
}

void ExpectRowRight(const Case &c, const Inputs &in, const std::vector<float> &out, int r, int h)
{
    size_t d = static_cast<size_t>(c.heads) * c.head_dim,
           column = static_cast<size_t>(h) * c.head_dim;
    std::vector<double> w(in.count[r]);
    double top = -1e300, sum = 0;
    for (int j = 0; j < in.count[r]; j++) {
        const float *k = &in.k[(in.begin[r] + j) * d + column];
        for (int i = 0; i < c.head_dim; i++) {
            w[j] += 0.3 * in.q[r * d + column + i] * k[i];
        }
        if (!in.bias.empty()) {
            w[j] += in.bias[h * (2 * kReach + 1) + kReach + j - in.pos[r]];
        }
        top = std::max(top, w[j]);
    }
    for (double &x : w) {
        x = std::exp(x - top);
        sum += x;
    }
    for (int i = 0; i < c.head_dim; i++) {
        double want = 0;
        for (int j = 0; j < in.count[r]; j++) {
            want += w[j] / sum * in.v[(in.begin[r] + j) * d + column + i];
        }
        ASSERT_TRUE(Near(out[r * d + column + i], want, 2e-5)) << "row " << r << " head " << h;
    }
}

TEST_P(OpTest, HeadsKeysAndSizes)
{
    for (int head_dim : {1, 3, 8, 16, 24, 32, 64, 80, 128, 130}) {
        for (int memory : {1, 2, 5, 16, 33, 150}) {
            Case c = {6, 3, head_dim, memory, STETI_ATTN_CROSS};
            Inputs in = MakeInputs(c, 1.0f);
            std::vector<float> out = RunOp(GetParam(), 2, c, in);
            for (int r = 0; r < c.rows; r++) {
                for (int h = 0; h < c.heads; h++) {
                    ExpectRowRight(c, in, out, r, h);
                }
            }
            if (GetParam().same_bits_as_portable) {
                EXPECT_EQ(DifferingBytes(out, RunOp(PortableTarget(), 1, c, in)), 0u);
            }
        }
    }
}

TEST_P(OpTest, BiasByDistance)
{
    for (int head_dim : {1, 8, 10, 24, 64, 130}) {
        for (int memory : {1, 2, 5, 16, 33, 150}) {
            Case c = {6, 3, head_dim, memory, STETI_ATTN_CAUSAL};
            Inputs in = MakeInputs(c, 1.0f);
            AddBias(c, &in);
            std::vector<float> out = RunOp(GetParam(), 2, c, in);
            for (int r = 0; r < c.rows; r++) {
                for (int h = 0; h < c.heads; h++) {
                    ExpectRowRight(c, in, out, r, h);
                }
            }
            if (GetParam().same_bits_as_portable) {
                EXPECT_EQ(DifferingBytes(out, RunOp(PortableTarget(), 1, c, in)), 0u);
            }
            for (int threads : {1, 3}) {
                EXPECT_EQ(DifferingBytes(out, RunOp(GetParam(), threads, c, in)), 0u);
            }
        }
    }
}

TEST_P(OpTest, BiasesOutOfTheTableAreRefused)
{
    Backend be(GetParam(), 1);
    int32_t begin = 0, count = 3, pos = 2;
    float *m = be.Up(std::vector<float>(64));
    steti_attention_params p = {1,       1, 8,      STETI_ATTN_CROSS, 1.0f,     m,       8, m,
                                m,       8, &begin, &count,           nullptr,  nullptr, m, 8,
                                nullptr, 0, 0,      nullptr,          STETI_F32};
    p.bias = m;
    p.ld_bias = 5;
    p.bias_zero = 2;
    be.Reserve(1, 8, 8);
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID) << "no positions";
    p.query_pos = &pos;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_OK) << be.err.message;
    pos = 3;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID) << "before the table";
    pos = -1;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID) << "behind the table";
    pos = 2;
    count = 6;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID);
    count = 5;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_OK) << be.err.message;
}

TEST_P(OpTest, KindAndThreadsDoNotShow)
{
    Case c = {40, 4, 32, 90, STETI_ATTN_ENCODER};
    Inputs in = MakeInputs(c, 1.0f);
    std::vector<float> out = RunOp(GetParam(), 1, c, in);
    for (steti_attention_kind kind : {STETI_ATTN_ENCODER, STETI_ATTN_CAUSAL, STETI_ATTN_CROSS}) {
        for (int threads : {1, 2, 3, 7}) {
            c.kind = kind;
            EXPECT_EQ(DifferingBytes(out, RunOp(GetParam(), threads, c, in)), 0u);
        }
    }
}

/* Scores of hundreds: the maximum is taken off before exp, so nothing overflows. */
TEST_P(OpTest, LargeScores)
{
    Case c = {3, 2, 64, 20, STETI_ATTN_CROSS};
    Inputs in = MakeInputs(c, 200.0f);
    std::vector<float> out = RunOp(GetParam(), 1, c, in);
    for (float x : out) {
        EXPECT_TRUE(Near(x, 0.0, 1.0001));
    }
    EXPECT_EQ(DifferingBytes(out, RunOp(PortableTarget(), 1, c, in)), 0u);
}

TEST_P(OpTest, OneKeyGivesItsValue)
{
    Case c = {1, 2, 16, 1, STETI_ATTN_CAUSAL};
    Inputs in = MakeInputs(c, 1.0f);
    EXPECT_EQ(DifferingBytes(RunOp(GetParam(), 1, c, in), in.v), 0u);
}

/* Keys outside a row's range, NaN included, do not show. */
TEST_P(OpTest, OtherKeysDoNotShow)
{
    Case c = {1, 2, 16, 30, STETI_ATTN_CAUSAL};
    Inputs in = MakeInputs(c, 1.0f);
    in.begin[0] = 5;
    in.count[0] = 17;
    std::vector<float> out = RunOp(GetParam(), 1, c, in);
    for (int j = 0; j < c.memory; j++) {
        for (int i = 0; i < 32 && (j < 5 || j >= 22); i++) {
            in.k[j * 32 + i] = in.v[j * 32 + i] = NAN;
        }
    }
    EXPECT_EQ(DifferingBytes(out, RunOp(GetParam(), 1, c, in)), 0u);
}

/* `count` keys in one stretch. Row r of the call has the first r + 1 of them there and the rest as
 * a tail far away, before or behind; the last row has an empty tail, whose beginning is no row.
 * All other rows of the memory are NaN. */
struct Split {
    int count, heads, head_dim;
    std::vector<float> q, k, v;
    std::vector<int32_t> begin, head, tail, tail_count;
};

Split MakeSplit(int count, int heads, int head_dim)
{
    constexpr int kHere = 1400, kMemory = 2800; /* tails have 40 rows each */
    Rng rng(static_cast<uint32_t>(count * 1000 + head_dim));
    size_t d = static_cast<size_t>(heads) * head_dim;
    Split s = {count, heads, head_dim, {}, std::vector<float>(kMemory * d, NAN),
               {},    {},    {},       {}, {}};
    std::vector<float> q = rng.Floats(d), k = rng.Floats(count * d), v = rng.Floats(count * d);
    s.v = s.k;
    std::copy(k.begin(), k.end(), s.k.begin() + kHere * d);
    std::copy(v.begin(), v.end(), s.v.begin() + kHere * d);
    for (int r = 0; r < count; r++) {
        int n_tail = count - r - 1, at = r % 2 == 0 ? 40 * (r + 1) : kMemory - 40 * (r + 1);
        s.q.insert(s.q.end(), q.begin(), q.end());
        s.begin.push_back(kHere);
        s.head.push_back(r + 1);
        s.tail.push_back(n_tail > 0 ? at : -123456);
        s.tail_count.push_back(n_tail);
        std::copy(k.begin() + (r + 1) * d, k.end(), s.k.begin() + at * d);
        std::copy(v.begin() + (r + 1) * d, v.end(), s.v.begin() + at * d);
    }
    return s;
}

std::vector<float> RunSplit(const Target &t, int threads, const Split &s, bool with_tails,
                            const std::vector<float> &bias)
{
    Backend be(t, threads);
    int64_t d = static_cast<int64_t>(s.heads) * s.head_dim;
    std::vector<int32_t> whole(s.count, s.count);
    float *out = be.Up(std::vector<float>(s.q.size()));
    steti_attention_params p = {};
    p.n_rows = s.count;
    p.n_heads = s.heads;
    p.head_dim = s.head_dim;
    p.kind = STETI_ATTN_CAUSAL;
    p.scale = 0.3f;
    p.q = be.Up(s.q);
    p.k = be.Up(s.k);
    p.v = be.Up(s.v);
    p.ld_q = p.ld_kv = p.ld_out = d;
    p.key_begin = s.begin.data();
    p.key_count = with_tails ? s.head.data() : whole.data();
    p.tail_begin = with_tails ? s.tail.data() : nullptr;
    p.tail_count = with_tails ? s.tail_count.data() : nullptr;
    p.out = out;
    SetBias(&be, bias, whole, &p); /* all rows stand behind their last key */
    be.Reserve(s.count, 1, s.count);
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_OK) << be.err.message;
    return be.Down(out, s.q.size());
}

TEST_P(OpTest, AHeadAndATailGiveTheBitsOfOneStretch)
{
    for (int head_dim : {1, 3, 16, 24, 32, 64, 80, 130}) {
        for (int count : {1, 2, 3, 4, 5, 15, 16, 17, 33}) {
            Split s = MakeSplit(count, 2, head_dim);
            std::vector<float> bias = Rng(23).Floats(count % 2 == 0 ? 0 : 2 * (2 * kReach + 1));
            std::vector<float> want = RunSplit(GetParam(), 1, s, false, bias);
            for (float x : want) {
                ASSERT_TRUE(Near(x, 0.0, 1.0001));
            }
            for (int threads : {1, 2, 3}) {
                ASSERT_EQ(DifferingBytes(RunSplit(GetParam(), threads, s, true, bias), want), 0u)
                    << count << " keys, head_dim " << head_dim << ", " << threads << " threads";
            }
        }
    }
}

TEST_P(OpTest, BadTailsAreRefused)
{
    Backend be(GetParam(), 1);
    int32_t begin = 0, count = 2, tail = 4, n_tail = 2;
    float *m = be.Up(std::vector<float>(64));
    steti_attention_params p = {
        1,       1, 8, STETI_ATTN_CAUSAL, 1.0f, m, 8,       m,        m, 8, &begin, &count, &tail,
        &n_tail, m, 8, nullptr,           0,    0, nullptr, STETI_F32};
    be.Reserve(1, 8, 4);
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_OK) << be.err.message;
    n_tail = 3;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID) << "5 keys, 4 reserved";
    n_tail = INT32_MAX;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID);
    n_tail = -1;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID);
    n_tail = 2;
    tail = -1;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID);
    tail = 4;
    p.tail_begin = nullptr;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID) << "only one array";
    p.tail_begin = &tail;
    p.tail_count = nullptr;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID) << "only one array";
    p.tail_begin = nullptr;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_OK) << be.err.message;
}

TEST_P(OpTest, LimitsAndBadArguments)
{
    Backend be(GetParam(), 1);
    int32_t begin = 0, count = 4;
    float *m = be.Up(std::vector<float>(64));
    steti_attention_params p = {1,       1, 8,      STETI_ATTN_CROSS, 1.0f,     m,       8, m,
                                m,       8, &begin, &count,           nullptr,  nullptr, m, 8,
                                nullptr, 0, 0,      nullptr,          STETI_F32};
    be.Reserve(1, 8, 3);
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID) << "4 keys, 3 reserved";
    count = 0;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID);
    count = 1;
    begin = -1;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID);
    begin = 0;
    p.ld_kv = 7;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_E_INVALID);
    p.ld_kv = 8;
    p.n_rows = 0;
    EXPECT_EQ(be.ops->attention(be.b, &p, &be.err), STET_OK);
}

INSTANTIATE_FOR_ALL_TARGETS();

} // namespace
