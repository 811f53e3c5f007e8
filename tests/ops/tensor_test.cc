#include <gtest/gtest.h>

#include <cstdint>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "tensor.h"
}

namespace
{

TEST(Dtype, NamesAndSizes)
{
    steti_dtype t;
    for (int i = 0; i < STETI_DTYPE_COUNT; i++) {
        const char *name = steti_dtype_name(static_cast<steti_dtype>(i));
        ASSERT_TRUE(steti_dtype_parse(name, std::strlen(name), &t)) << name;
        EXPECT_EQ(t, static_cast<steti_dtype>(i));
        EXPECT_GE(steti_dtype_size(t), 1u);
    }
    EXPECT_EQ(steti_dtype_size(STETI_BF16), 2u);
    EXPECT_EQ(steti_dtype_size(STETI_I64), 8u);
    EXPECT_FALSE(steti_dtype_parse("F3", 2, &t));
    EXPECT_FALSE(steti_dtype_parse("f32", 3, &t));
    EXPECT_FALSE(steti_dtype_parse("", 0, &t));
    EXPECT_EQ(steti_dtype_size(static_cast<steti_dtype>(99)), 0u);
}

TEST(Tensor, CountsAndText)
{
    char buf[64], small[6];
    steti_tensor t = {nullptr, STETI_F16, 2, {512, 2048}};
    EXPECT_EQ(steti_tensor_count(&t), 512 * 2048);
    EXPECT_EQ(steti_tensor_bytes(&t), 512u * 2048 * 2);
    EXPECT_STREQ(steti_tensor_shape_text(&t, buf, sizeof buf), "[512, 2048]");
    EXPECT_STREQ(steti_tensor_shape_text(&t, small, sizeof small), "[512,");
    t.rank = 0;
    EXPECT_EQ(steti_tensor_count(&t), 1);
    EXPECT_STREQ(steti_tensor_shape_text(&t, buf, sizeof buf), "[]");
}

/* All 65536 halves against their definition. */
TEST(Convert, EveryHalf)
{
    for (int h = 0; h < 65536; h++) {
        uint16_t bits = static_cast<uint16_t>(h);
        int sign = h >> 15, exponent = h >> 10 & 31, mantissa = h & 1023;
        double want =
            exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
        float got;
        ASSERT_EQ(steti_to_f32(&bits, STETI_F16, 1, &got, nullptr), STET_OK);
        if (exponent == 31) {
            ASSERT_TRUE(mantissa != 0 ? std::isnan(got) : std::isinf(got)) << h;
        } else {
            ASSERT_EQ(got, static_cast<float>(sign ? -want : want)) << h;
        }
        ASSERT_EQ(std::signbit(got), sign == 1) << h;
    }
}

TEST(Convert, UnalignedBf16AndF32)
{
    unsigned char bytes[9] = {0, 0x80, 0x3f, 0x20, 0xc0, 0, 0, 0, 0};
    float out[2];
    ASSERT_EQ(steti_to_f32(bytes + 1, STETI_BF16, 2, out, nullptr), STET_OK);
    EXPECT_EQ(out[0], 1.0f);
    EXPECT_EQ(out[1], -2.5f);
    float one = 1.5f;
    std::memcpy(bytes + 1, &one, 4);
    ASSERT_EQ(steti_to_f32(bytes + 1, STETI_F32, 1, out, nullptr), STET_OK);
    EXPECT_EQ(out[0], 1.5f);
}

TEST(Convert, RefusesIntegers)
{
    stet_error err = {};
    err.struct_size = sizeof err;
    float out;
    EXPECT_EQ(steti_to_f32("abcd", STETI_I32, 1, &out, &err), STET_E_MODEL);
    EXPECT_NE(std::string(err.message).find("I32"), std::string::npos);
}

// Every bit pattern of 16 bits, and those of 32 bits around the exponent, against the C library.
TEST(Tensor, FindsTheFirstNumberThatIsNone)
{
    std::vector<uint32_t> wide(10000, 0x3f800000u);
    struct steti_tensor t = {};
    t.dtype = STETI_F32;
    t.rank = 1;
    t.shape[0] = (int64_t)wide.size();
    t.data = wide.data();
    for (uint32_t bits : {0x7f7fffffu, 0xff7fffffu, 0x7f800000u, 0xff800000u, 0x7fc00000u,
                          0x7f800001u, 0xffffffffu, 0u, 1u}) {
        for (size_t at : {(size_t)0, (size_t)4095, (size_t)4096, (size_t)9999}) {
            float x;
            memcpy(&x, &bits, sizeof x);
            wide[at] = bits;
            EXPECT_EQ(steti_tensor_not_finite(&t), std::isfinite(x) ? -1 : (int64_t)at) << bits;
            wide[at] = 0x3f800000u;
        }
    }
    t.shape[0] = 1;
    for (enum steti_dtype type : {STETI_F16, STETI_BF16}) {
        for (uint32_t bits = 0; bits < 65536; bits++) {
            uint16_t half = (uint16_t)bits;
            float x = 0;
            t.data = &half;
            t.dtype = type;
            ASSERT_EQ(steti_to_f32(&half, type, 1, &x, nullptr), STET_OK);
            ASSERT_EQ(steti_tensor_not_finite(&t), std::isfinite(x) ? -1 : 0) << bits;
        }
    }
    t.shape[0] = 0;
    EXPECT_EQ(steti_tensor_not_finite(&t), -1);
}

} // namespace
