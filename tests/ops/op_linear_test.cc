#include "fake_blas.h"
#include "ops_support.h"

namespace
{

struct Case {
    int rows, n_in, n_out;
    steti_dtype compute;
    steti_act act;
    bool bias, residual, row_map;
    bool factor = false;
};

struct Inputs {
    std::vector<float> x, w, bias, residual, factor;
    std::vector<int32_t> map;
};

constexpr int kPad = 3; /* strides are wider than the rows */

Inputs MakeInputs(const Case &c, uint32_t seed)
{
    Rng rng(seed);
    Inputs in;
    in.x = rng.Floats(static_cast<size_t>(c.rows) * c.n_in);
    in.w = rng.Floats(static_cast<size_t>(c.n_out) * c.n_in);
    in.bias = rng.Floats(c.n_out);
    in.residual = rng.Floats(static_cast<size_t>(c.rows) * (c.n_out + kPad));
    in.factor = rng.Floats(in.residual.size());
    for (int r = 0; r < c.rows; r++) {
        in.map.push_back(2 * (c.rows - 1 - r) + 1);
    }
    return in;
}

/* Output rows 0 .. 2 * rows + 1, filled with a mark where nothing may be written. */
std::vector<float> RunOp(const Target &t, int threads, const Case &c, const Inputs &in)
{
    Backend be(t, threads);
    size_t ld = c.n_out + kPad, n = ld * (2 * c.rows + 2);
    float *out = be.Up(std::vector<float>(n, 12345.0f));
    steti_linear_part part = {};
    part.w = be.Pack(in.w, c.n_out, c.n_in, c.compute);
    part.bias = c.bias ? be.Up(in.bias) : nullptr;
    part.factor = c.factor ? be.Up(in.factor) : nullptr;
    part.ld_factor = static_cast<int64_t>(ld);
    part.residual = c.residual ? be.Up(in.residual) : nullptr;
    part.ld_residual = static_cast<int64_t>(ld);
    part.act = c.act;
    part.out = out;
    part.ld_out = static_cast<int64_t>(ld);
    part.row_map = c.row_map ? in.map.data() : nullptr;
    steti_linear_params p = {c.rows, c.n_in, be.Up(in.x), 1, &part};
    be.Reserve(c.rows, c.n_in, 1);
    EXPECT_EQ(be.ops->linear(be.b, &p, &be.err), STET_OK) << be.err.message;
    return be.Down(out, n);
}

double Activate(double x, steti_act act)
{
    switch (act) {
    case STETI_ACT_RELU:
        return x > 0 ? x : 0;
    case STETI_ACT_GELU:
        return 0.5 * x * std::erfc(-x * M_SQRT1_2);
    case STETI_ACT_GELU_TANH:
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case STETI_ACT_SILU:
        return x / (1 + std::exp(-x));
    default:
        return x;
    }
}

/* Clause 1 of the contract for one row: round half to even, in the order written there. */
std::vector<int> Quantize(const float *x, int n, float *scale)
{
    float amax = 0;
    for (int i = 0; i < n; i++) {
        amax = std::max(amax, std::fabs(x[i]));
    }
    *scale = amax / 127.0f;
    std::vector<int> q(n, 0);
    for (int i = 0; i < n && amax > 0; i++) {
        q[i] = static_cast<int>(std::nearbyint(x[i] * (127.0f / amax)));
    }
    return q;
}

double Expected(const Case &c, const Inputs &in, int r, int o, double *tolerance)
{
    const float *x = &in.x[static_cast<size_t>(r) * c.n_in];
    const float *w = &in.w[static_cast<size_t>(o) * c.n_in];
    double sum = 0, magnitude = 0;
    if (c.compute == STETI_I8) {
        float xs, ws;
        std::vector<int> q = Quantize(x, c.n_in, &xs), v = Quantize(w, c.n_in, &ws);
        int64_t exact = 0;
        for (int k = 0; k < c.n_in; k++) {
            exact += static_cast<int64_t>(q[k]) * v[k];
        }
        sum = static_cast<double>(static_cast<float>(exact) * (xs * ws));
    } else {
        for (int k = 0; k < c.n_in; k++) {
            sum += static_cast<double>(x[k]) * w[k];
            magnitude += std::fabs(static_cast<double>(x[k]) * w[k]);
        }
    }
    sum += c.bias ? in.bias[o] : 0;
    double y = Activate(sum, c.act);
    y *= c.factor ? in.factor[static_cast<size_t>(r) * (c.n_out + kPad) + o] : 1;
    y += c.residual ? in.residual[static_cast<size_t>(r) * (c.n_out + kPad) + o] : 0;
    *tolerance = 1e-6 * (2 + std::fabs(sum)) + 6e-8 * c.n_in * magnitude;
    return y;
}

void ExpectRight(const Case &c, const Inputs &in, const std::vector<float> &out)
{
    size_t ld = c.n_out + kPad;
    std::vector<bool> written(out.size());
    for (int r = 0; r < c.rows; r++) {
        size_t row = c.row_map ? in.map[r] : r;
        for (int o = 0; o < c.n_out; o++) {
            double tolerance, want = Expected(c, in, r, o, &tolerance);
            ASSERT_TRUE(Near(out[row * ld + o], want, tolerance)) << "row " << r << " output " << o;
            written[row * ld + o] = true;
        }
    }
    for (size_t i = 0; i < out.size(); i++) {
        ASSERT_TRUE(written[i] || out[i] == 12345.0f) << "element " << i << " was written";
    }
}

void CheckCase(const Target &t, const Case &c)
{
    SCOPED_TRACE(::testing::Message() << c.rows << " rows " << c.n_in << " -> " << c.n_out
                                      << " type " << c.compute << " act " << c.act);
    Inputs in = MakeInputs(c, 7);
    std::vector<float> out = RunOp(t, 2, c, in);
    ExpectRight(c, in, out);
    if (t.same_bits_as_portable) {
        EXPECT_EQ(DifferingBytes(out, RunOp(PortableTarget(), 1, c, in)), 0u);
    }
}

TEST_P(OpTest, OddSizes)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        for (int n_in : {1, 3, 17, 63, 64, 65, 130}) {
            for (int n_out : {1, 15, 16, 17, 31, 32, 33, 100, 144}) {
                for (int rows : {1, 2, 7}) {
                    CheckCase(GetParam(),
                              {rows, n_in, n_out, type, STETI_ACT_NONE, true, false, false});
                }
            }
        }
    }
}

TEST_P(OpTest, EveryRowCountOfATile)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        for (int rows = 1; rows <= 20; rows++) {
            CheckCase(GetParam(), {rows, 72, 150, type, STETI_ACT_NONE, false, false, false});
        }
    }
}

TEST_P(OpTest, EpiloguesOfAllKinds)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        for (int act = STETI_ACT_NONE; act <= STETI_ACT_SILU; act++) {
            for (int mask = 0; mask < 16; mask++) {
                CheckCase(GetParam(),
                          {5, 96, 83, type, static_cast<steti_act>(act), (mask & 1) != 0,
                           (mask & 2) != 0, (mask & 4) != 0, (mask & 8) != 0});
            }
        }
    }
}

TEST_P(OpTest, ActivationsOverTheirWholeRange)
{
    for (int act = STETI_ACT_RELU; act <= STETI_ACT_SILU; act++) {
        Case c = {400, 1, 1, STETI_F32, static_cast<steti_act>(act), false, false, false};
        Inputs in = MakeInputs(c, 1);
        in.w[0] = 1.0f;
        for (int r = 0; r < c.rows; r++) {
            in.x[r] = static_cast<float>(r - 200) * 0.0731f * (r % 50 == 0 ? 10.0f : 1.0f);
        }
        std::vector<float> out = RunOp(GetParam(), 1, c, in);
        ExpectRight(c, in, out);
        EXPECT_EQ(DifferingBytes(out, RunOp(PortableTarget(), 1, c, in)), 0u);
    }
}

std::vector<float> RunI8(const Target &t, const std::vector<float> &x, const std::vector<int8_t> &w,
                         const std::vector<float> &scale, int rows)
{
    int n_out = static_cast<int>(scale.size()), n_in = static_cast<int>(w.size()) / n_out;
    Backend be(t, 1);
    float *out = be.Up(std::vector<float>(static_cast<size_t>(rows) * n_out));
    steti_linear_part part = {};
    part.w = be.Pack(w.data(), STETI_I8, n_out, n_in, STETI_I8, &scale);
    part.out = out;
    part.ld_out = n_out;
    steti_linear_params p = {rows, n_in, be.Up(x), 1, &part};
    be.Reserve(rows, n_in, 1);
    EXPECT_EQ(be.ops->linear(be.b, &p, &be.err), STET_OK) << be.err.message;
    return be.Down(out, static_cast<size_t>(rows) * n_out);
}

/* Activations are integers with maximum 127, so their scale is 1 and the output is the integer
 * sum. */
void CheckExact(const Target &t, int n_in, int rows, uint32_t seed)
{
    constexpr int kOut = 20;
    static const int8_t extremes[] = {-128, -127, 127, 0, 1, -1};
    Rng rng(seed);
    std::vector<float> x(static_cast<size_t>(rows) * n_in), scale(kOut, 1.0f);
    std::vector<int8_t> w(static_cast<size_t>(kOut) * n_in);
    for (float &v : x) {
        v = seed % 2 == 0 ? 127.0f : static_cast<float>(rng.Int(255) - 127);
    }
    for (int r = 0; r < rows; r++) {
        x[static_cast<size_t>(r) * n_in] = -127.0f;
    }
    for (size_t i = 0; i < w.size(); i++) {
        int o = static_cast<int>(i / n_in);
        w[i] = o < 6 ? extremes[o] : static_cast<int8_t>(rng.Int(256) - 128);
    }
    std::vector<float> out = RunI8(t, x, w, scale, rows);
    for (int r = 0; r < rows; r++) {
        for (int o = 0; o < kOut; o++) {
            int64_t sum = 0;
            for (int k = 0; k < n_in; k++) {
                sum += static_cast<int64_t>(x[static_cast<size_t>(r) * n_in + k]) *
                       w[static_cast<size_t>(o) * n_in + k];
            }
            ASSERT_EQ(out[static_cast<size_t>(r) * kOut + o], static_cast<float>(sum))
                << "n_in " << n_in << " row " << r << " output " << o;
        }
    }
}

TEST_P(OpTest, IntegerSumsAreExact)
{
    for (int n_in : {1, 2, 3, 4, 5, 64, 511, 2048}) {
        for (int rows : {1, 2, 3, 4, 5, 6, 7}) {
            CheckExact(GetParam(), n_in, rows, 2);
            CheckExact(GetParam(), n_in, rows, 3);
        }
    }
    CheckExact(GetParam(), 65536, 2, 2);
}

TEST_P(OpTest, QuantisedRowsOfSpecialValues)
{
    constexpr int kIn = 35;
    std::vector<int8_t> w(kIn * 2, 1);
    std::vector<float> scale = {1.0f, 0.5f}, x(kIn * 6, 0.25f);
    for (int k = 0; k < kIn; k++) {
        x[0 * kIn + k] = k % 2 ? -0.0f : 0.0f;
        x[1 * kIn + k] = 1e-42f; /* denormal: below the smallest row that is told from zero */
        x[5 * kIn + k] = 3e38f;
    }
    x[2 * kIn + 34] = NAN;
    x[3 * kIn + 1] = -INFINITY;
    std::vector<float> out = RunI8(GetParam(), x, w, scale, 6);
    EXPECT_EQ(out[0], 0.0f);
    EXPECT_EQ(out[2], 0.0f);
    EXPECT_TRUE(std::isnan(out[4]) && std::isnan(out[5]));
    EXPECT_TRUE(std::isnan(out[6]) && std::isnan(out[7]));
    EXPECT_TRUE(Near(out[8], 0.25 * kIn, 1e-4));
    EXPECT_TRUE(std::isfinite(out[11]) || std::isinf(out[11]));
}

TEST_P(OpTest, FloatRowsWithDenormalsKeepTheirBits)
{
    Case c = {3, 40, 33, STETI_F32, STETI_ACT_NONE, true, false, false};
    Inputs in = MakeInputs(c, 11);
    for (size_t i = 0; i < in.x.size(); i++) {
        in.x[i] *= i % 3 ? 1e-39f : -0.0f;
    }
    std::fill(in.bias.begin(), in.bias.end(), -0.0f);
    std::vector<float> out = RunOp(GetParam(), 1, c, in);
    ExpectRight(c, in, out);
    EXPECT_EQ(DifferingBytes(out, RunOp(PortableTarget(), 1, c, in)), 0u);
}

/* Parts of both types, more than there are threads, each with its own output. */
TEST_P(OpTest, ManyPartsEqualOneAtATime)
{
    constexpr int kRows = 9, kIn = 70;
    static const int sizes[] = {16, 1, 100, 33, 64, 7};
    Rng rng(3);
    std::vector<float> x = rng.Floats(kRows * kIn);
    for (int threads : {1, 2, 3, 8}) {
        Backend be(GetParam(), threads);
        std::vector<steti_linear_part> parts;
        be.Reserve(kRows, kIn, 1);
        float *dx = be.Up(x);
        for (int n_out : sizes) {
            steti_linear_part part = {};
            part.w = be.Pack(rng.Floats(static_cast<size_t>(n_out) * kIn), n_out, kIn,
                             n_out % 2 ? STETI_I8 : STETI_F32);
            part.out = be.Up(std::vector<float>(static_cast<size_t>(kRows) * n_out));
            part.ld_out = n_out;
            parts.push_back(part);
        }
        steti_linear_params all = {kRows, kIn, dx, static_cast<int>(parts.size()), parts.data()};
        ASSERT_EQ(be.ops->linear(be.b, &all, &be.err), STET_OK) << be.err.message;
        for (size_t i = 0; i < parts.size(); i++) {
            size_t n = static_cast<size_t>(kRows) * sizes[i];
            std::vector<float> together = be.Down(parts[i].out, n);
            steti_linear_part alone = parts[i];
            alone.out = be.Up(std::vector<float>(n));
            steti_linear_params one = {kRows, kIn, dx, 1, &alone};
            ASSERT_EQ(be.ops->linear(be.b, &one, &be.err), STET_OK);
            EXPECT_EQ(DifferingBytes(together, be.Down(alone.out, n)), 0u) << "part " << i;
        }
    }
}

TEST_P(OpTest, LimitsAndBadArguments)
{
    Backend be(GetParam(), 1);
    steti_linear_part part = {};
    part.w = be.Pack(std::vector<float>(16 * 4, 1.0f), 16, 4, STETI_F32);
    part.out = be.Up(std::vector<float>(64));
    part.ld_out = 16;
    steti_linear_params p = {1, 4, be.Up(std::vector<float>(64)), 1, &part};
    auto run = [&] { return be.ops->linear(be.b, &p, &be.err); };
    EXPECT_EQ(run(), STET_E_INVALID) << "nothing is reserved";
    be.Reserve(2, 8, 1);
    EXPECT_EQ(run(), STET_OK);
    p.n_rows = 3;
    EXPECT_EQ(run(), STET_E_INVALID);
    EXPECT_NE(std::string(be.err.message).find("3 rows, but reserved for 2"), std::string::npos);
    p.n_rows = 0;
    EXPECT_EQ(run(), STET_OK);
    p.n_rows = -1;
    EXPECT_EQ(run(), STET_E_INVALID);
    p.n_rows = 1;
    p.n_in = 5;
    EXPECT_EQ(run(), STET_E_INVALID) << "the matrix has rows of 4";
    p.n_in = 4;
    p.n_parts = 65;
    EXPECT_EQ(run(), STET_E_INVALID);
    p.n_parts = 1;
    part.ld_out = 15;
    EXPECT_EQ(run(), STET_E_INVALID);
    part.ld_out = 16;
    part.act = static_cast<steti_act>(99);
    EXPECT_EQ(run(), STET_E_INVALID);
    part.act = STETI_ACT_NONE;
    p.x = nullptr;
    EXPECT_EQ(run(), STET_E_INVALID);
}

/* What a backend says that it computes in is what it packs, and nothing else. */
TEST_P(OpTest, PacksTheTypesOfItsCaps)
{
    Backend be(GetParam(), 1);
    steti_backend_caps caps;
    be.ops->caps(be.b, &caps);
    const float w[] = {1.0f, -2.0f, 3.0f, 0.5f};
    steti_tensor src = {w, STETI_F32, 2, {2, 2}};
    int packed = 0;
    for (int type = 0; type < STETI_DTYPE_COUNT; type++) {
        steti_matrix *m = nullptr;
        stet_status st =
            be.ops->pack_matrix(be.b, &src, nullptr, static_cast<steti_dtype>(type), &m, &be.err);
        EXPECT_EQ(st == STET_OK, (caps.compute_types >> type & 1u) != 0) << type;
        EXPECT_TRUE(st == STET_OK || st == STET_E_INVALID) << be.err.message;
        packed += st == STET_OK;
        be.ops->free_matrix(be.b, m);
    }
    EXPECT_GE(packed, 2) << "F32 and I8 are everywhere";
}

INSTANTIATE_FOR_ALL_TARGETS();

/* Products of more than one row by a matrix library. */
Target LibraryTarget()
{
    return {"cuda_shim_library", stet_shim::ops_library_always(), nullptr, true, false};
}

/* Of the launches of the epilogue one more is the op's where there are more rows. */
TEST(LibraryTarget, TheLibraryReallyMultiplies)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        uint64_t launches[3] = {};
        for (int rows : {1, 2}) {
            uint64_t before = stet_shim::device().launches[STETI_CUDA_epilogue];
            CheckCase(LibraryTarget(),
                      {rows, 72, 150, type, STETI_ACT_GELU, true, true, true, true});
            launches[rows] = stet_shim::device().launches[STETI_CUDA_epilogue] - before;
            EXPECT_EQ(stet_shim::fake_blas().misuses, 0);
        }
        EXPECT_EQ(launches[2], launches[1] + 1);
    }
}

INSTANTIATE_TEST_SUITE_P(Library, OpTest, ::testing::Values(LibraryTarget()),
                         [](const auto &target) { return target.param.name; });

} // namespace
