/* library_support.h - products of many rows on the device of fibers, with and without a library. */
#ifndef LIBRARY_SUPPORT_H
#define LIBRARY_SUPPORT_H

#include "fake_blas.h"
#include "tuned_backend.h"

extern "C" {
#include "cuda_blas.h"
#include "log.h"
}

using stet_shim::device;
using stet_shim::fake_blas;
using stet_shim::Sums;

struct Shape {
    int rows, n_in, n_out;
    steti_dtype type;
};

/* An op with everything that an epilogue has; the residual stands in the output. */
class Product
{
  public:
    Product(Backend *backend, const Shape &shape) : be(backend), s(shape)
    {
        Rng rng(static_cast<uint32_t>(s.rows * 1000 + s.n_in));
        size_t n = static_cast<size_t>(s.rows) * s.n_out;
        x = rng.Floats(static_cast<size_t>(s.rows) * s.n_in);
        std::vector<float> w = rng.Floats(static_cast<size_t>(s.n_out) * s.n_in);
        for (int r = 0; r < s.rows; r++) {
            map.push_back(s.rows - 1 - r);
        }
        part.w = be->Pack(w, s.n_out, s.n_in, s.type);
        part.bias = be->Up(rng.Floats(static_cast<size_t>(s.n_out)));
        part.factor = be->Up(rng.Floats(n));
        part.ld_factor = s.n_out;
        residual = rng.Floats(n);
        part.act = STETI_ACT_GELU;
        part.ld_residual = part.ld_out = s.n_out;
    }

    /* Once with the rows in their places and the residual in the output, once scattered. */
    std::vector<float> Run()
    {
        size_t n = static_cast<size_t>(s.rows) * s.n_out;
        steti_linear_params p = {s.rows, s.n_in, be->Up(x), 1, &part};
        be->Reserve(s.rows, s.n_in, 1);
        part.out = be->Up(residual);
        part.residual = part.out;
        EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
        std::vector<float> got = be->Down(part.out, n);
        part.residual = nullptr;
        part.out = be->Up(std::vector<float>(n));
        part.row_map = map.data();
        EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
        std::vector<float> scattered = be->Down(part.out, n);
        got.insert(got.end(), scattered.begin(), scattered.end());
        part.row_map = nullptr;
        return got;
    }

    const steti_blas_verdict *Verdict() const
    {
        return be->b->library.verdicts;
    }

    Backend *be;
    Shape s;
    std::vector<float> x, residual;
    std::vector<int32_t> map;
    steti_linear_part part = {};
};

inline std::vector<float> RunOnce(const Shape &s, const steti_cuda_tuning &tuning)
{
    std::unique_ptr<Backend> be = OpenTuned(tuning);
    return Product(be.get(), s).Run();
}

/* Launches of the kernels that multiply. */
inline uint64_t OwnProducts()
{
    uint64_t n = 0;
    for (int k = STETI_CUDA_linear_f32_serial; k <= STETI_CUDA_linear_bf16_chunked; k++) {
        n += device().launches[k];
    }
    return n;
}

/* Every test begins with a new library, keeps the lines of the log, and leaves nothing behind. */
class Library : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        fake_blas() = stet_shim::FakeBlas();
        device().order = stet_shim::Order::ascending;
        steti_log_set_hook(Keep, &lines, STET_LOG_INFO);
    }
    void TearDown() override
    {
        steti_log_set_hook(nullptr, nullptr, 0);
        EXPECT_EQ(stet_shim::live(), 0u);
        EXPECT_EQ(fake_blas().open, 0);
        EXPECT_EQ(fake_blas().misuses, 0);
    }
    static void Keep(void *ctx, int32_t, const char *, const char *line, size_t len)
    {
        static_cast<std::vector<std::string> *>(ctx)->emplace_back(line, len);
    }
    bool Said(const std::string &words) const
    {
        for (const std::string &line : lines) {
            if (line.find(words) != std::string::npos) {
                return true;
            }
        }
        return false;
    }

    std::vector<std::string> lines;
    steti_cuda_tuning own = stet_shim::chunks(48, 8);
    steti_cuda_tuning with = stet_shim::with_library(own, 16, 70);
};

#endif
