#include "ops_support.h"

namespace
{

/* Any range of one block to any place of another, or inside one: these bytes and no others. */
TEST_P(OpTest, CopiesTheRangeAndNothingElse)
{
    constexpr int kFloats = 200;
    Backend be(GetParam(), 2);
    Rng rng(31);
    for (int round = 0; round < 100; round++) {
        std::vector<float> a = rng.Floats(kFloats), b = rng.Floats(kFloats);
        float *da = be.Up(a), *db = be.Up(b);
        int n = rng.Int(kFloats / 2), from = rng.Int(kFloats / 2 - n + 1);
        int to = kFloats / 2 + rng.Int(kFloats / 2 - n + 1);
        bool same_block = round % 2 == 0;
        float *dst = same_block ? da : db;
        std::vector<float> want = same_block ? a : b;
        std::copy(a.begin() + from, a.begin() + from + n, want.begin() + to);
        ASSERT_EQ(be.ops->copy(be.b, dst + to, da + from, n * sizeof(float), &be.err), STET_OK)
            << be.err.message;
        ASSERT_EQ(DifferingBytes(be.Down(dst, kFloats), want), 0u);
        if (!same_block) {
            ASSERT_EQ(DifferingBytes(be.Down(da, kFloats), a), 0u) << "the source changed";
        }
    }
}

TEST_P(OpTest, KeepsTheBitsOfNumbersThatAreNone)
{
    Backend be(GetParam(), 1);
    std::vector<float> a(4);
    const uint32_t bits[] = {0x7fa00001, 0xffc12345, 0x80000000, 0x00000001};
    std::memcpy(a.data(), bits, sizeof bits);
    float *src = be.Up(a), *dst = be.Up(std::vector<float>(4));
    ASSERT_EQ(be.ops->copy(be.b, dst, src, sizeof bits, &be.err), STET_OK);
    EXPECT_EQ(DifferingBytes(be.Down(dst, 4), a), 0u);
    EXPECT_EQ(be.ops->copy(be.b, nullptr, nullptr, 0, &be.err), STET_OK) << "nothing to copy";
}

INSTANTIATE_FOR_ALL_TARGETS();

} // namespace
