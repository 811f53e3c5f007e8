#include "ops_support.h"

namespace
{

struct Case {
    int rows, d;
    steti_norm kind;
    bool residual, beta;
};

struct Inputs {
    std::vector<float> x, residual, gamma, beta;
};

Inputs MakeInputs(const Case &c)
{
    Rng rng(5);
    size_t n = static_cast<size_t>(c.rows) * c.d;
    return {rng.Floats(n), rng.Floats(n), rng.Floats(c.d), rng.Floats(c.d)};
}

enum Place { kApart, kOverX, kOverResidual };

std::vector<float> RunOp(const Target &t, int threads, const Case &c, const Inputs &in, Place place)
{
    Backend be(t, threads);
    float *x = be.Up(in.x), *residual = be.Up(in.residual);
    float *out = place == kApart ? be.Up(in.x) : place == kOverX ? x : residual;
    steti_norm_params p = {c.rows,
                           c.d,
                           c.kind,
                           1e-5f,
                           x,
                           c.residual ? residual : nullptr,
                           be.Up(in.gamma),
                           c.beta ? be.Up(in.beta) : nullptr,
                           out};
    EXPECT_EQ(be.ops->norm(be.b, &p, &be.err), STET_OK) << be.err.message;
    return be.Down(out, in.x.size());
}

void ExpectRight(const Case &c, const Inputs &in, const std::vector<float> &out)
{
    for (int r = 0; r < c.rows; r++) {
        size_t at = static_cast<size_t>(r) * c.d;
        std::vector<double> v(c.d);
        double mean = 0, square = 0;
        for (int i = 0; i < c.d; i++) {
            v[i] = in.x[at + i] + (c.residual ? static_cast<double>(in.residual[at + i]) : 0.0);
            mean += c.kind == STETI_NORM_LAYER ? v[i] / c.d : 0.0;
        }
        for (int i = 0; i < c.d; i++) {
            square += (v[i] - mean) * (v[i] - mean) / c.d;
        }
        for (int i = 0; i < c.d; i++) {
            double want = (v[i] - mean) / std::sqrt(square + 1e-5) * in.gamma[i];
            want += c.beta && c.kind == STETI_NORM_LAYER ? in.beta[i] : 0.0;
            /* With few elements the variance can be near 0: the difference then loses digits. */
            double tolerance = 2e-6 * (1 + std::fabs(want)) + 1e-7 / std::sqrt(square + 1e-5);
            ASSERT_TRUE(Near(out[at + i], want, tolerance))
                << "d " << c.d << " row " << r << " at " << i;
        }
    }
}

TEST_P(OpTest, AllKindsAndSizes)
{
    for (int d : {1, 2, 3, 15, 16, 17, 31, 33, 64, 100, 512, 1000}) {
        for (steti_norm kind : {STETI_NORM_LAYER, STETI_NORM_RMS}) {
            for (int mask = 0; mask < 4; mask++) {
                Case c = {4, d, kind, (mask & 1) != 0, (mask & 2) != 0};
                Inputs in = MakeInputs(c);
                std::vector<float> out = RunOp(GetParam(), 1, c, in, kApart);
                ExpectRight(c, in, out);
                EXPECT_EQ(DifferingBytes(out, RunOp(GetParam(), 3, c, in, kOverX)), 0u);
                if (c.residual) {
                    EXPECT_EQ(DifferingBytes(out, RunOp(GetParam(), 1, c, in, kOverResidual)), 0u);
                }
                if (GetParam().same_bits_as_portable) {
                    EXPECT_EQ(DifferingBytes(out, RunOp(PortableTarget(), 1, c, in, kApart)), 0u);
                }
            }
        }
    }
}

TEST_P(OpTest, NanStaysInItsRow)
{
    Case c = {3, 40, STETI_NORM_LAYER, false, true};
    Inputs in = MakeInputs(c);
    std::vector<float> clean = RunOp(GetParam(), 1, c, in, kApart);
    in.x[40 + 39] = NAN;
    std::vector<float> out = RunOp(GetParam(), 1, c, in, kApart);
    EXPECT_TRUE(std::isnan(out[40]));
    EXPECT_EQ(DifferingBytes(out.data(), clean.data(), 40), 0u);
    EXPECT_EQ(DifferingBytes(out.data() + 80, clean.data() + 80, 40), 0u);
}

TEST_P(OpTest, BadArguments)
{
    Backend be(GetParam(), 1);
    float v[16] = {};
    steti_norm_params p = {0,       16,      STETI_NORM_LAYER, 1e-5f,  nullptr,
                           nullptr, nullptr, nullptr,          nullptr};
    EXPECT_EQ(be.ops->norm(be.b, &p, &be.err), STET_OK);
    p.n_rows = 1;
    EXPECT_EQ(be.ops->norm(be.b, &p, &be.err), STET_E_INVALID);
    p.x = p.gamma = v;
    p.out = v;
    p.d = 0;
    EXPECT_EQ(be.ops->norm(be.b, &p, &be.err), STET_E_INVALID);
    p.d = 16;
    p.kind = static_cast<steti_norm>(7);
    EXPECT_EQ(be.ops->norm(be.b, &p, &be.err), STET_E_INVALID);
}

INSTANTIATE_FOR_ALL_TARGETS();

} // namespace
