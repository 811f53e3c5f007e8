// Products by a matrix library: taken where it has the own kernels' bits, refused where it has not,
// and never a reason to fail.
#include "library_support.h"

namespace
{

const steti_dtype kTypes[] = {STETI_F32, STETI_I8, STETI_BF16};

/* ---- A library with the own order ------------------------------------------------------------ */

TEST_F(Library, WithTheOwnOrderMultipliesManyRows)
{
    for (steti_dtype type : kTypes) {
        for (int n_in : {1, 33, 48, 150}) {
            Shape s = {70, n_in, 37, type};
            std::unique_ptr<Backend> be = OpenTuned(with);
            Product product(be.get(), s);
            ASSERT_NE(product.Verdict(), nullptr);
            ASSERT_TRUE(product.Verdict()->passed) << product.Verdict()->why;
            uint64_t before = OwnProducts(), runs = fake_blas().runs;
            uint64_t epilogues = device().launches[STETI_CUDA_epilogue];
            std::vector<float> got = product.Run();
            EXPECT_EQ(OwnProducts(), before) << "the own kernels have nothing to do";
            EXPECT_GE(fake_blas().runs, runs + 2);
            EXPECT_EQ(device().launches[STETI_CUDA_epilogue], epilogues + 2);
            EXPECT_EQ(DifferingBytes(got, RunOnce(s, own)), 0u) << type << " inputs " << n_in;
        }
    }
}

TEST_F(Library, FewRowsStayWithTheOwnKernels)
{
    for (int rows : {1, 16, 17}) {
        Shape s = {rows, 60, 20, STETI_F32};
        std::unique_ptr<Backend> be = OpenTuned(with);
        Product product(be.get(), s);
        uint64_t runs = fake_blas().runs;
        std::vector<float> got = product.Run();
        EXPECT_EQ(fake_blas().runs > runs, rows > 16) << rows;
        EXPECT_EQ(DifferingBytes(got, RunOnce(s, own)), 0u) << rows;
    }
}

/* No call has more rows than the probe had; what is left over is below the edge or above it. */
TEST_F(Library, LongOpsAreCutIntoWhatWasProbed)
{
    for (steti_dtype type : kTypes) {
        for (int rows : {70, 71, 150, 160}) {
            Shape s = {rows, 100, 20, type};
            fake_blas().most_rows = 0;
            std::vector<float> got = RunOnce(s, with);
            EXPECT_EQ(fake_blas().most_rows, 70);
            EXPECT_EQ(DifferingBytes(got, RunOnce(s, own)), 0u) << type << " rows " << rows;
        }
    }
}

/* Parts that the library takes beside parts that it does not, of all types. */
TEST_F(Library, TakesSomePartsOfAnOp)
{
    constexpr int kRows = 40, kIn = 60, kOut = 24;
    std::vector<float> out[2];
    for (int i = 0; i < 2; i++) {
        std::unique_ptr<Backend> be = OpenTuned(i == 0 ? own : with);
        Rng rng(9);
        std::vector<steti_linear_part> parts(12);
        be->Reserve(kRows, kIn, 1); /* before there is a matrix: too little scratch for it */
        for (size_t j = 0; j < parts.size(); j++) {
            int n_out = j % 4 == 3 && j > 5 ? 4 * kOut : kOut; /* wider than the scratch */
            parts[j].w =
                be->Pack(rng.Floats(static_cast<size_t>(n_out) * kIn), n_out, kIn, kTypes[j % 3]);
            parts[j].ld_out = n_out;
            parts[j].out = be->Up(std::vector<float>(static_cast<size_t>(kRows) * n_out));
            if (j == 5) {
                be->Reserve(kRows, kIn, 1);
            }
        }
        steti_linear_params p = {kRows, kIn, be->Up(rng.Floats(kRows * kIn)), 12, parts.data()};
        uint64_t before = OwnProducts(), runs = fake_blas().runs;
        ASSERT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
        EXPECT_EQ(fake_blas().runs > runs, i == 1);
        EXPECT_GT(OwnProducts(), before);
        for (const steti_linear_part &part : parts) {
            std::vector<float> v = be->Down(part.out, static_cast<size_t>(kRows) * part.ld_out);
            out[i].insert(out[i].end(), v.begin(), v.end());
        }
    }
    EXPECT_EQ(DifferingBytes(out[0], out[1]), 0u);
}

/* An address that the library's own alignment does not fit. */
TEST_F(Library, UnalignedRowsStayWithTheOwnKernels)
{
    Shape s = {20, 50, 20, STETI_F32};
    std::unique_ptr<Backend> be = OpenTuned(with);
    Product product(be.get(), s);
    std::vector<float> shifted = product.x;
    shifted.insert(shifted.begin(), 0.0f);
    product.part.out = be->Up(product.residual);
    steti_linear_params p = {s.rows, s.n_in, be->Up(shifted) + 1, 1, &product.part};
    be->Reserve(s.rows, s.n_in, 1);
    uint64_t runs = fake_blas().runs;
    EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
    EXPECT_EQ(fake_blas().runs, runs);
}

/* ---- Recordings ------------------------------------------------------------------------------ */

/* Of a bucket of 40 rows the live ones get the own kernels' bits, and nothing else is written. */
TEST_F(Library, MultipliesInRecordings)
{
    constexpr int kBucket = 40;
    for (steti_dtype type : kTypes) {
        Shape s = {kBucket, 60, 20, type};
        std::vector<float> want = RunOnce(s, own);
        std::unique_ptr<Backend> be = OpenTuned(with);
        Product product(be.get(), s);
        size_t n = static_cast<size_t>(kBucket) * s.n_out;
        steti_linear_params p = {kBucket, s.n_in, be->Up(product.x), 1, &product.part};
        steti_recording *r = nullptr;
        be->Reserve(kBucket, s.n_in, 1);
        product.part.out = be->Up(std::vector<float>(n));
        product.part.row_map = product.map.data();
        uint64_t runs = fake_blas().runs;
        ASSERT_EQ(be->ops->record_begin(be->b, kBucket, &be->err), STET_OK) << be->err.message;
        ASSERT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
        ASSERT_EQ(be->ops->record_end(be->b, &r, &be->err), STET_OK) << be->err.message;
        EXPECT_EQ(fake_blas().runs, runs) << "written down and not done";
        std::vector<std::string> work = stet_shim::work_of(r->ops.graph);
        EXPECT_EQ(work.back(), "epilogue");
        EXPECT_EQ(work[work.size() - 2], "library");
        for (int live : {1, 16, 17, 39, 40}) {
            ASSERT_EQ(be->ops->upload(be->b, product.part.out,
                                      std::vector<float>(n, 12345.0f).data(), n * sizeof(float),
                                      &be->err),
                      STET_OK);
            ASSERT_EQ(be->ops->replay(be->b, r, live, &be->err), STET_OK) << be->err.message;
            std::vector<float> got = be->Down(product.part.out, n);
            for (int row = 0; row < kBucket; row++) {
                size_t at = static_cast<size_t>(product.map[row]) * s.n_out;
                std::vector<float> none(s.n_out, 12345.0f);
                const float *expected = row < live ? &want[n + at] : none.data();
                ASSERT_EQ(DifferingBytes(&got[at], expected, s.n_out), 0u)
                    << "type " << type << " live " << live << " row " << row;
            }
        }
        be->ops->free_recording(be->b, r);
    }
}

/* Its rows cannot be cut. */
TEST_F(Library, RecordingsOfMoreRowsThanWereProbedHaveOwnKernels)
{
    for (int rows : {70, 71}) {
        Shape s = {rows, 60, 20, STETI_F32};
        std::unique_ptr<Backend> be = OpenTuned(with);
        Product product(be.get(), s);
        steti_linear_params p = {rows, s.n_in, be->Up(product.x), 1, &product.part};
        steti_recording *r = nullptr;
        be->Reserve(rows, s.n_in, 1);
        product.part.out = be->Up(product.residual);
        ASSERT_EQ(be->ops->record_begin(be->b, rows, &be->err), STET_OK) << be->err.message;
        ASSERT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
        ASSERT_EQ(be->ops->record_end(be->b, &r, &be->err), STET_OK) << be->err.message;
        EXPECT_EQ(stet_shim::work_of(r->ops.graph).front(),
                  rows == 70 ? "library" : "linear_f32_serial");
        be->ops->free_recording(be->b, r);
    }
}

/* The library fails while its part is written down: that may have spoilt the capture. The next
 * recording is of the own kernels. */
TEST_F(Library, MayFailInARecording)
{
    Shape s = {40, 60, 20, STETI_F32};
    std::vector<float> want = RunOnce(s, own);
    for (uint64_t n : {1, 2}) {
        std::unique_ptr<Backend> be = OpenTuned(with);
        Product product(be.get(), s);
        size_t all = static_cast<size_t>(s.rows) * s.n_out;
        steti_linear_params p = {s.rows, s.n_in, be->Up(product.x), 1, &product.part};
        steti_recording *r = nullptr;
        be->Reserve(s.rows, s.n_in, 1);
        product.part.out = be->Up(product.residual);
        product.part.residual = product.part.out;
        ASSERT_EQ(be->ops->record_begin(be->b, s.rows, &be->err), STET_OK) << be->err.message;
        fake_blas().calls = 0;
        fake_blas().fail_at = n;
        ASSERT_EQ(be->ops->linear(be->b, &p, &be->err), STET_E_CANCELLED);
        fake_blas().fail_at = 0;
        ASSERT_EQ(be->ops->record_end(be->b, &r, &be->err), STET_E_INVALID);
        ASSERT_EQ(r, nullptr);
        ASSERT_EQ(be->ops->record_begin(be->b, s.rows, &be->err), STET_OK) << be->err.message;
        ASSERT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
        ASSERT_EQ(be->ops->record_end(be->b, &r, &be->err), STET_OK) << be->err.message;
        EXPECT_EQ(stet_shim::work_of(r->ops.graph).back(), "linear_f32_serial");
        ASSERT_EQ(be->ops->replay(be->b, r, s.rows, &be->err), STET_OK) << be->err.message;
        std::vector<float> got = be->Down(product.part.out, all);
        EXPECT_EQ(DifferingBytes(got.data(), want.data(), all), 0u);
        be->ops->free_recording(be->b, r);
    }
}

/* ---- Libraries that must be refused ---------------------------------------------------------- */

/* The bits of the op are the own kernels' with the probe; without it they are not. */
void ExpectRefused(const Shape &s, steti_cuda_tuning with, const steti_cuda_tuning &own)
{
    std::vector<float> want = RunOnce(s, own);
    {
        std::unique_ptr<Backend> be = OpenTuned(with);
        Product product(be.get(), s);
        ASSERT_NE(product.Verdict(), nullptr);
        EXPECT_FALSE(product.Verdict()->passed) << product.Verdict()->why;
        EXPECT_EQ(be->b->library.widest, 0);
        uint64_t runs = fake_blas().runs;
        EXPECT_EQ(DifferingBytes(product.Run(), want), 0u);
        EXPECT_EQ(fake_blas().runs, runs);
    }
    with.blas_unproven = 1;
    EXPECT_GT(DifferingBytes(RunOnce(s, with), want), 0u) << "the probe does not matter";
}

TEST_F(Library, AnotherOrderForManyRowsIsRefused)
{
    for (steti_dtype type : {STETI_F32, STETI_BF16}) {
        fake_blas().ways = {{Sums::reversed_many}};
        ExpectRefused({66, 48, 20, type}, with, own);
        EXPECT_TRUE(Said("differs or fails at 65 rows"));
    }
}

TEST_F(Library, OneOutputAtOneRowCountIsSeen)
{
    for (steti_dtype type : kTypes) {
        fake_blas().ways = {{Sums::one_output_off}};
        ExpectRefused({65, 60, 20, type}, with, own);
    }
    for (steti_dtype type : kTypes) { /* and 66 rows would have been right */
        fake_blas().ways = {{Sums::one_output_off}};
        steti_cuda_tuning unproven = with;
        unproven.blas_unproven = 1;
        Shape s = {66, 60, 20, type};
        EXPECT_EQ(DifferingBytes(RunOnce(s, unproven), RunOnce(s, own)), 0u);
    }
}

/* One that does nothing could live on what the product before it left; one that adds to what was
 * there would be right where that is zeros. */
TEST_F(Library, ItsOwnWorkIsWhatIsCompared)
{
    for (Sums sums : {Sums::nothing, Sums::always_adds}) {
        fake_blas().ways = {{Sums::ours, 0.3}, {sums, 0.1}};
        for (steti_dtype type : kTypes) {
            std::unique_ptr<Backend> be = OpenTuned(with);
            Product product(be.get(), {20, 60, 20, type});
            ASSERT_TRUE(product.Verdict()->passed) << product.Verdict()->why;
            EXPECT_EQ(product.Verdict()->algo.word[0], 1u) << product.Verdict()->why;
        }
    }
}

/* ---- The choice ------------------------------------------------------------------------------ */

TEST_F(Library, TheFastestWithTheSameBitsIsTaken)
{
    struct {
        std::vector<stet_shim::Way> ways;
        uint64_t want; /* 0: the own kernels, which take 1 ms */
    } cases[] = {
        {{{Sums::ours, 0.5}, {Sums::ours, 0.2}, {Sums::ours, 0.3}}, 2},
        {{{Sums::ours, 0.5}, {Sums::ours, 0.5}}, 1},
        {{{Sums::reversed_many, 0.1}, {Sums::ours, 0.9}}, 2},
        {{{Sums::refuses_nine, 0.1}, {Sums::ours, 0.9}}, 2},
        {{{Sums::ours, 1.0}}, 0},
        {{{Sums::ours, 2.0}}, 0},
        {{{Sums::refuses_nine, 0.1}}, 0},
        {{}, 0},
    };
    for (const auto &c : cases) {
        fake_blas().ways = c.ways;
        std::unique_ptr<Backend> be = OpenTuned(with);
        Product product(be.get(), {20, 40, 20, STETI_F32});
        ASSERT_EQ(product.Verdict()->passed, c.want != 0) << product.Verdict()->why;
        if (c.want != 0) {
            product.Run();
            EXPECT_EQ(fake_blas().last_way, c.want) << product.Verdict()->why;
        }
    }
    EXPECT_TRUE(Said("but none is faster"));
}

TEST_F(Library, OneProbeForAShape)
{
    std::unique_ptr<Backend> be = OpenTuned(with);
    Product first(be.get(), {20, 40, 20, STETI_F32});
    uint64_t runs = fake_blas().runs;
    Product second(be.get(), {20, 40, 20, STETI_F32});
    EXPECT_EQ(fake_blas().runs, runs);
    Product wider(be.get(), {20, 40, 21, STETI_F32});
    EXPECT_GT(fake_blas().runs, runs);
}

/* ---- Memory, names, and no library at all ---------------------------------------------------- */

TEST_F(Library, TheSecondCopyCountsAsWeights)
{
    for (steti_dtype type : kTypes) {
        steti_backend_caps caps;
        std::unique_ptr<Backend> be[2] = {OpenTuned(own), OpenTuned(with)};
        size_t bytes[2];
        for (int i = 0; i < 2; i++) {
            std::vector<float> w = Rng(1).Floats(32 * 64);
            steti_tensor src = {w.data(), STETI_F32, 2, {32, 64}};
            steti_matrix *m = nullptr;
            ASSERT_EQ(be[i]->ops->pack_matrix(be[i]->b, &src, nullptr, type, &m, &be[i]->err),
                      STET_OK);
            be[i]->ops->caps(be[i]->b, &caps);
            bytes[i] = caps.weight_bytes;
            be[i]->ops->free_matrix(be[i]->b, m);
            be[i]->ops->caps(be[i]->b, &caps);
            EXPECT_EQ(caps.weight_bytes, 0u);
        }
        size_t element = type == STETI_F32 ? 4 : type == STETI_BF16 ? 2 : 1;
        EXPECT_EQ(bytes[1], bytes[0] + 32 * 64 * element);
    }
}

TEST_F(Library, ScratchHasRoomForSums)
{
    for (int rows : {16, 17, 69, 70, 500}) {
        std::unique_ptr<Backend> be = OpenTuned(with);
        size_t plain = be->ops->scratch_bytes(be->b, rows, 60, 20);
        size_t opening = 2 * STETI_CUDA_RING_BYTES + STETI_CUDA_RESULT_BYTES;
        be->Pack(Rng(1).Floats(100 * 60), 100, 60, STETI_F32);
        size_t planned = be->ops->scratch_bytes(be->b, rows, 60, 20);
        EXPECT_EQ(planned - plain, rows > 16 ? std::min(rows, 70) * 128 * sizeof(float) : 0u);
        size_t before = device().bytes();
        be->Reserve(rows, 60, 20);
        EXPECT_EQ(device().bytes() - before, planned - opening);
    }
}

/* An engine has a context of its own beside the model's, which packed the matrices. */
TEST_F(Library, MultipliesInAnotherContext)
{
    for (steti_dtype type : kTypes) {
        Shape s = {40, 60, 20, type};
        std::vector<float> want = RunOnce(s, own);
        std::unique_ptr<Backend> model = OpenTuned(with);
        Product product(model.get(), s);
        std::unique_ptr<Backend> engine = OpenTuned(with);
        size_t plain = engine->ops->scratch_bytes(engine->b, s.rows, s.n_in, 1);
        engine->ops->use_weights(engine->b, model->b);
        EXPECT_GT(engine->ops->scratch_bytes(engine->b, s.rows, s.n_in, 1), plain);
        uint64_t runs = fake_blas().runs;
        product.be = engine.get();
        EXPECT_EQ(DifferingBytes(product.Run(), want), 0u);
        EXPECT_GT(fake_blas().runs, runs);
    }
}

TEST_F(Library, AContextWithoutItDoesWithout)
{
    Shape s = {40, 60, 20, STETI_F32};
    std::vector<float> want = RunOnce(s, own);
    std::unique_ptr<Backend> model = OpenTuned(with);
    Product product(model.get(), s);
    fake_blas().is_there = false;
    std::unique_ptr<Backend> engine = OpenTuned(with);
    engine->ops->use_weights(engine->b, model->b);
    uint64_t runs = fake_blas().runs;
    product.be = engine.get();
    EXPECT_EQ(DifferingBytes(product.Run(), want), 0u);
    EXPECT_EQ(fake_blas().runs, runs);
}

TEST_F(Library, SaysWhetherItIsThere)
{
    steti_backend_caps caps;
    std::unique_ptr<Backend> be = OpenTuned(with);
    be->ops->caps(be->b, &caps);
    EXPECT_STREQ(caps.name, "cuda (shim, sm_00, fakeblas)");
    fake_blas().is_there = false;
    be = OpenTuned(with);
    be->ops->caps(be->b, &caps);
    EXPECT_STREQ(caps.name, "cuda (shim, sm_00)");
    EXPECT_EQ(lines.size(), 1u);
    EXPECT_TRUE(Said("own kernels for all products: there is no library"));
    Shape s = {70, 60, 20, STETI_F32};
    EXPECT_EQ(DifferingBytes(Product(be.get(), s).Run(), RunOnce(s, own)), 0u);
    EXPECT_EQ(fake_blas().runs, 0u);
}

} // namespace
