// Weights in bfloat16, which only the CUDA backend has: the tests of ops go over the types that all
// backends have.
#include "tuned_backend.h"

#include <algorithm>

namespace
{

/* Rounded to bfloat16, ties to even. */
float Narrow(float v)
{
    uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}

struct Shape {
    int rows, n_in, n_out;
};

struct Inputs {
    std::vector<float> x, w, bias;
};

Inputs MakeInputs(const Shape &s)
{
    Rng rng(static_cast<uint32_t>(s.rows * 1000 + s.n_in));
    return {rng.Floats(static_cast<size_t>(s.rows) * s.n_in),
            rng.Floats(static_cast<size_t>(s.n_out) * s.n_in),
            rng.Floats(static_cast<size_t>(s.n_out))};
}

std::vector<float> Product(const Shape &s, const Inputs &in, steti_cuda_tuning tuning)
{
    std::unique_ptr<Backend> be = OpenTuned(tuning);
    size_t n = static_cast<size_t>(s.rows) * s.n_out;
    steti_linear_part part = {};
    part.w = be->Pack(in.w, s.n_out, s.n_in, STETI_BF16);
    part.bias = be->Up(in.bias);
    part.out = be->Up(std::vector<float>(n));
    part.ld_out = s.n_out;
    steti_linear_params p = {s.rows, s.n_in, be->Up(in.x), 1, &part};
    be->Reserve(s.rows, s.n_in, 1);
    EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
    return be->Down(part.out, n);
}

TEST(Bf16, ProductsOfRoundedValues)
{
    for (int n_in : {1, 2, 15, 16, 17, 63, 64, 100, 1100}) {
        for (int rows : {1, 9, 40}) {
            Shape s = {rows, n_in, 37};
            Inputs in = MakeInputs(s);
            std::vector<float> got = Product(s, in, steti_cuda_default_tuning);
            for (int r = 0; r < rows; r++) {
                for (int o = 0; o < s.n_out; o++) {
                    double want = in.bias[o], size = 1;
                    for (int k = 0; k < n_in; k++) {
                        double product =
                            static_cast<double>(Narrow(in.x[static_cast<size_t>(r) * n_in + k])) *
                            Narrow(in.w[static_cast<size_t>(o) * n_in + k]);
                        want += product;
                        size += std::fabs(product);
                    }
                    ASSERT_TRUE(Near(got[static_cast<size_t>(r) * s.n_out + o], want, 1e-6 * size))
                        << rows << " rows of " << n_in << ", row " << r << " output " << o;
                }
            }
        }
    }
}

TEST(Bf16, SchedulesAndNeighboursDoNotShow)
{
    for (int n_in : {48, 200, 1000}) {
        Shape s = {40, n_in, 50}, one = {1, n_in, 50};
        Inputs in = MakeInputs(s);
        std::vector<float> serial = Product(s, in, stet_shim::chunks(32, 0)),
                           chunked = Product(s, in, stet_shim::chunks(32, 1000));
        EXPECT_EQ(DifferingBytes(serial, chunked), 0u) << n_in;
        for (int r : {0, 7, 8, 31, 32, 39}) {
            Inputs alone = in;
            alone.x.assign(in.x.begin() + static_cast<long>(r) * n_in,
                           in.x.begin() + static_cast<long>(r + 1) * n_in);
            for (int rows : {0, 1000}) {
                std::vector<float> got = Product(one, alone, stet_shim::chunks(32, rows));
                EXPECT_EQ(DifferingBytes(got.data(), &serial[static_cast<size_t>(r) * 50], 50), 0u)
                    << n_in << " row " << r;
            }
        }
        EXPECT_GT(DifferingBytes(serial, Product(s, in, stet_shim::chunks(64, 0))), 0u)
            << "chunks do show";
    }
}

TEST(Bf16, EmbeddingsAreTheRoundedRows)
{
    constexpr int kVocab = 37, kDim = 70;
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    std::vector<float> w = Rng(5).Floats(kVocab * kDim);
    std::vector<int32_t> ids(kVocab);
    for (int i = 0; i < kVocab; i++) {
        ids[i] = i;
    }
    float *out = be->Up(std::vector<float>(kVocab * kDim));
    steti_embed_params p = {kVocab,     kDim,    be->Pack(w, kVocab, kDim, STETI_BF16),
                            ids.data(), nullptr, nullptr,
                            1.0f,       out};
    ASSERT_EQ(be->ops->embed(be->b, &p, &be->err), STET_OK) << be->err.message;
    std::vector<float> got = be->Down(out, kVocab * kDim);
    for (size_t i = 0; i < got.size(); i++) {
        ASSERT_EQ(got[i], Narrow(w[i])) << i;
    }
}

TEST(Bf16, TheLargestOfTheVocabulary)
{
    constexpr int kRows = 35, kDim = 64, kVocab = 700;
    std::unique_ptr<Backend> be = OpenTuned(stet_shim::chunks(32, 8));
    Rng rng(6);
    std::vector<float> x = rng.Floats(kRows * kDim), w = rng.Floats(kVocab * kDim), logits(kVocab);
    std::vector<int32_t> id(kRows);
    std::vector<float> all(static_cast<size_t>(kRows) * kVocab);
    steti_argmax_params p = {};
    p.n_rows = kRows;
    p.d = kDim;
    p.table = be->Pack(w, kVocab, kDim, STETI_BF16);
    p.scale = 1.0f;
    p.id = id.data();
    p.logits = all.data();
    be->Reserve(kRows, kDim, 1);
    float *dx = be->Up(x);
    p.x = dx;
    ASSERT_EQ(be->ops->argmax(be->b, &p, &be->err), STET_OK) << be->err.message;
    for (int r = 0; r < kRows; r++) {
        const float *row = &all[static_cast<size_t>(r) * kVocab];
        EXPECT_EQ(id[r], std::max_element(row, row + kVocab) - row);
        int32_t alone = -1;
        p.n_rows = 1;
        p.x = dx + static_cast<ptrdiff_t>(r) * kDim;
        p.id = &alone;
        p.logits = logits.data();
        ASSERT_EQ(be->ops->argmax(be->b, &p, &be->err), STET_OK);
        EXPECT_EQ(alone, id[r]);
        EXPECT_EQ(DifferingBytes(logits.data(), row, kVocab), 0u) << "row " << r;
    }
    x[5] = NAN;
    p.n_rows = kRows;
    p.x = be->Up(x);
    p.id = id.data();
    p.logits = nullptr;
    EXPECT_EQ(be->ops->argmax(be->b, &p, &be->err), STET_E_MODEL);
    EXPECT_EQ(id[0], -1);
}

TEST(Bf16, WeightsMustBeFinite)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    std::vector<float> w(64, 1.0f);
    steti_tensor src = {w.data(), STETI_F32, 2, {4, 16}};
    steti_matrix *m = nullptr;
    w[40] = 3.4e38f; /* rounds to infinity */
    EXPECT_EQ(be->ops->pack_matrix(be->b, &src, nullptr, STETI_BF16, &m, &be->err), STET_E_MODEL);
    EXPECT_EQ(m, nullptr);
    EXPECT_NE(std::string(be->err.message).find("row 2 "), std::string::npos) << be->err.message;
    EXPECT_NE(std::string(be->err.message).find("column 8 "), std::string::npos);
    w[40] = 1.0f;
    Backend cpu(PortableTarget(), 1);
    EXPECT_EQ(cpu.ops->pack_matrix(cpu.b, &src, nullptr, STETI_BF16, &m, &cpu.err), STET_E_INVALID);
    EXPECT_NE(std::string(cpu.err.message).find("BF16"), std::string::npos) << cpu.err.message;
}

} // namespace
