// Rounding to float16, bfloat16 and int8, against the definitions in double.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

extern "C" {
#include "narrow.h"
}

#include <gtest/gtest.h>

namespace
{

// The nearest multiple of the step that the type has at x, ties to the even multiple.
double nearest(double x, int fraction_bits, int least_exponent)
{
    int e = 0;
    std::frexp(x, &e);
    double step = std::ldexp(1.0, std::max(e - 1, least_exponent) - fraction_bits);
    return std::nearbyint(x / step) * step;
}

float back(uint16_t h, steti_dtype type)
{
    float f = 0;
    EXPECT_EQ(steti_to_f32(&h, type, 1, &f, nullptr), STET_OK);
    return f;
}

std::vector<float> some_floats()
{
    std::mt19937 rng(5);
    std::vector<float> out = {0.0f,         -0.0f,       1.0f,       65504.0f,        -65504.0f,
                              0x1p-24f,     0x1p-25f,    0x1.8p-24f, 0x1.000001p-25f, 0x1p-14f,
                              0x1.ffcp-15f, 0x1.ffep-15f};
    for (int i = 0; i < 200000; i++) {
        float f;
        uint32_t bits = rng();
        std::memcpy(&f, &bits, sizeof f);
        if (std::isfinite(f)) {
            out.push_back(f);
        }
        out.push_back(std::ldexp(1.0f + static_cast<float>(rng() % 8192) / 4096.0f,
                                 static_cast<int>(rng() % 32) - 16));
    }
    return out;
}

TEST(Narrow, HalvesAreTheNearestOnes)
{
    for (float f : some_floats()) {
        uint16_t h = 0xffff;
        double want = nearest(f, 10, -14);
        size_t bad = steti_from_f32(&f, 1, STETI_F16, &h);
        if (std::fabs(want) > 65504.0) {
            EXPECT_EQ(bad, 0u) << f;
            continue;
        }
        ASSERT_EQ(bad, 1u) << f;
        EXPECT_EQ(static_cast<double>(back(h, STETI_F16)), want) << f;
        EXPECT_EQ(h >> 15, std::signbit(f) ? 1 : 0) << f;
    }
}

TEST(Narrow, BfloatsAreTheNearestOnes)
{
    const double most = 0x1.fep127;
    for (float f : some_floats()) {
        uint16_t h = 0xffff;
        double want = nearest(f, 7, -126);
        size_t bad = steti_from_f32(&f, 1, STETI_BF16, &h);
        if (std::fabs(want) > most) {
            EXPECT_EQ(bad, 0u) << f;
            continue;
        }
        ASSERT_EQ(bad, 1u) << f;
        EXPECT_EQ(static_cast<double>(back(h, STETI_BF16)), want) << f;
    }
}

TEST(Narrow, EveryHalfAndBfloatComesBack)
{
    for (steti_dtype type : {STETI_F16, STETI_BF16}) {
        for (uint32_t v = 0; v < 0x10000; v++) {
            uint16_t h = static_cast<uint16_t>(v), again = 0;
            float f = back(h, type);
            size_t bad = steti_from_f32(&f, 1, type, &again);
            ASSERT_EQ(bad, std::isfinite(f) ? 1u : 0u) << v;
            ASSERT_TRUE(bad == 0 || again == h) << v << " " << again;
        }
    }
}

TEST(Narrow, NamesTheFirstValueThatDoesNotFit)
{
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    float out[4];
    for (steti_dtype type : {STETI_F32, STETI_F16, STETI_BF16}) {
        for (float wrong : {inf, -inf, nan}) {
            const float x[] = {1.0f, 2.0f, wrong, wrong};
            EXPECT_EQ(steti_from_f32(x, 4, type, out), 2u);
        }
    }
    const float large[] = {65519.0f, -65520.0f};
    EXPECT_EQ(steti_from_f32(large, 2, STETI_F16, out), 1u);
    EXPECT_EQ(steti_from_f32(large, 2, STETI_BF16, out), 2u);
}

void expect_quantized(const std::vector<float> &x)
{
    std::vector<int8_t> q(x.size(), 99);
    float scale = -1, amax = 0;
    for (float v : x) {
        amax = std::max(amax, std::fabs(v));
    }
    steti_quantize_row(x.data(), x.size(), q.data(), &scale);
    if (amax < 0x1p-100f) {
        EXPECT_EQ(scale, 0.0f);
        EXPECT_EQ(q, std::vector<int8_t>(x.size(), 0));
        return;
    }
    EXPECT_EQ(scale, amax / 127.0f);
    for (size_t i = 0; i < x.size(); i++) {
        float product = x[i] * (127.0f / amax);
        ASSERT_EQ(q[i], static_cast<int>(std::nearbyint(static_cast<double>(product)))) << x[i];
        ASSERT_LE(std::abs(q[i]), 127);
    }
}

TEST(Narrow, RowsAreQuantizedHalfToEven)
{
    std::mt19937 rng(6);
    std::normal_distribution<float> normal;
    std::vector<float> ties;
    for (int i = -254; i <= 254; i++) {
        ties.push_back(static_cast<float>(i) / 2.0f); // scale 1: every odd one is a tie
    }
    expect_quantized(ties);
    expect_quantized({});
    expect_quantized(std::vector<float>(7, 0.0f));
    expect_quantized({0x1p-101f, -0x1p-110f});
    expect_quantized({0x1p-99f, 0x1p-101f, -0x1p-100f});
    expect_quantized({3.4e38f, -3.4e38f, 1.0f});
    for (int round = 0; round < 2000; round++) {
        std::vector<float> x(1 + rng() % 70);
        float size = std::ldexp(1.0f, static_cast<int>(rng() % 200) - 100);
        for (float &v : x) {
            v = normal(rng) * size;
        }
        expect_quantized(x);
    }
}

} // namespace
