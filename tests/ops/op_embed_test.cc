#include "ops_support.h"

namespace
{

std::vector<float> RunOp(const Target &t, steti_dtype compute, int vocab, int d, int rows,
                         bool positions)
{
    Rng rng(9);
    Backend be(t, 2);
    std::vector<float> w = rng.Floats(static_cast<size_t>(vocab) * d);
    std::vector<float> table = rng.Floats(static_cast<size_t>(50) * d);
    std::vector<int32_t> ids, pos;
    for (int r = 0; r < rows; r++) {
        ids.push_back(r == 0 ? vocab - 1 : rng.Int(vocab));
        pos.push_back(rng.Int(50));
    }
    float *out = be.Up(std::vector<float>(static_cast<size_t>(rows) * d));
    steti_embed_params p = {rows,       d,          be.Pack(w, vocab, d, compute),
                            ids.data(), pos.data(), positions ? be.Up(table) : nullptr,
                            3.5f,       out};
    EXPECT_EQ(be.ops->embed(be.b, &p, &be.err), STET_OK) << be.err.message;
    std::vector<float> got = be.Down(out, static_cast<size_t>(rows) * d);
    for (int r = 0; r < rows; r++) {
        float amax = 0;
        const float *row = &w[static_cast<size_t>(ids[r]) * d];
        for (int i = 0; i < d; i++) {
            amax = std::max(amax, std::fabs(row[i]));
        }
        for (int i = 0; i < d; i++) {
            double value = row[i];
            if (compute == STETI_I8) {
                value = std::nearbyint(row[i] * (127.0f / amax)) * (amax / 127.0);
            }
            double want =
                value * 3.5 + (positions ? table[static_cast<size_t>(pos[r]) * d + i] : 0.0f);
            EXPECT_TRUE(Near(got[static_cast<size_t>(r) * d + i], want, 2e-6)) << r << " " << i;
        }
    }
    return got;
}

TEST_P(OpTest, RowsOfPackedTables)
{
    for (steti_dtype type : {STETI_F32, STETI_I8}) {
        for (int d : {1, 3, 16, 17, 62, 64, 100}) {
            for (int vocab : {1, 16, 37}) {
                for (bool positions : {false, true}) {
                    std::vector<float> out = RunOp(GetParam(), type, vocab, d, 11, positions);
                    EXPECT_EQ(
                        DifferingBytes(out, RunOp(PortableTarget(), type, vocab, d, 11, positions)),
                        0u);
                }
            }
        }
    }
}

TEST_P(OpTest, BadIdsAndPositions)
{
    Backend be(GetParam(), 1);
    int32_t id = 4, pos = 0;
    float *out = be.Up(std::vector<float>(8));
    steti_matrix *table = be.Pack(std::vector<float>(4 * 8, 1.0f), 4, 8, STETI_F32);
    steti_embed_params p = {1, 8, table, &id, &pos, out, 1.0f, out};
    EXPECT_EQ(be.ops->embed(be.b, &p, &be.err), STET_E_INVALID);
    EXPECT_NE(std::string(be.err.message).find("token 4"), std::string::npos) << be.err.message;
    id = -1;
    EXPECT_EQ(be.ops->embed(be.b, &p, &be.err), STET_E_INVALID);
    id = 3;
    pos = -1;
    EXPECT_EQ(be.ops->embed(be.b, &p, &be.err), STET_E_INVALID);
    pos = 0;
    p.d = 7;
    EXPECT_EQ(be.ops->embed(be.b, &p, &be.err), STET_E_INVALID);
    p.n_rows = 0;
    EXPECT_EQ(be.ops->embed(be.b, &p, &be.err), STET_OK);
}

INSTANTIATE_FOR_ALL_TARGETS();

} // namespace
