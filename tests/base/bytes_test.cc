#include <gtest/gtest.h>

#include <cstdint>
#include <string>

extern "C" {
#include "bytes.h"
}

namespace
{

steti_bytes Reader(const std::string &s)
{
    steti_bytes b;
    steti_bytes_init(&b, s.data(), s.size());
    return b;
}

TEST(Bytes, ReadsLittleEndian)
{
    std::string s("\x01\x02\x03\x04\x05\x11\x12\x13\x14\x15\x16\x17\xff", 13);
    steti_bytes b = Reader(s);
    uint8_t u8;
    uint32_t u32;
    uint64_t u64;
    ASSERT_EQ(steti_bytes_u8(&b, &u8), 1);
    EXPECT_EQ(u8, 1);
    ASSERT_EQ(steti_bytes_u32le(&b, &u32), 1);
    EXPECT_EQ(u32, 0x05040302u);
    EXPECT_EQ(steti_bytes_offset(&b), 5u);
    ASSERT_EQ(steti_bytes_u64le(&b, &u64), 1);
    EXPECT_EQ(u64, 0xff17161514131211ull);
    EXPECT_EQ(steti_bytes_left(&b), 0u);
    EXPECT_EQ(steti_bytes_u8(&b, &u8), 0);
}

TEST(Bytes, FailedReadsMoveNothing)
{
    std::string s("\x80\x80\x80", 3);
    steti_bytes b = Reader(s), sub;
    uint32_t u32 = 5;
    uint64_t u64 = 5;
    EXPECT_EQ(steti_bytes_u32le(&b, &u32), 0);
    EXPECT_EQ(steti_bytes_u64le(&b, &u64), 0);
    EXPECT_EQ(steti_bytes_varint(&b, &u64), 0);
    EXPECT_EQ(steti_bytes_skip(&b, 4), 0);
    EXPECT_EQ(steti_bytes_skip(&b, UINT64_MAX), 0);
    EXPECT_EQ(steti_bytes_sub(&b, 4, &sub), 0);
    EXPECT_EQ(steti_bytes_sub(&b, UINT64_MAX, &sub), 0);
    EXPECT_EQ(steti_bytes_left(&b), 3u);
    EXPECT_EQ(u32, 5u);
    EXPECT_EQ(u64, 5u);
    EXPECT_EQ(steti_bytes_skip(&b, 3), 1);
    EXPECT_EQ(steti_bytes_skip(&b, 0), 1);
}

TEST(Bytes, EmptyInput)
{
    steti_bytes b;
    uint8_t u8;
    uint64_t u64;
    steti_bytes_init(&b, nullptr, 0);
    EXPECT_EQ(steti_bytes_left(&b), 0u);
    EXPECT_EQ(steti_bytes_u8(&b, &u8), 0);
    EXPECT_EQ(steti_bytes_varint(&b, &u64), 0);
}

TEST(Bytes, SubReadersEndWhereTheyMustAndKnowTheirOffset)
{
    std::string s = "abcdef";
    steti_bytes b = Reader(s), sub;
    uint8_t c;
    ASSERT_EQ(steti_bytes_skip(&b, 2), 1);
    ASSERT_EQ(steti_bytes_sub(&b, 2, &sub), 1);
    EXPECT_EQ(steti_bytes_offset(&sub), 2u);
    EXPECT_EQ(steti_bytes_offset(&b), 4u);
    ASSERT_EQ(steti_bytes_u8(&sub, &c), 1);
    EXPECT_EQ(c, 'c');
    ASSERT_EQ(steti_bytes_u8(&sub, &c), 1);
    EXPECT_EQ(steti_bytes_u8(&sub, &c), 0);
    ASSERT_EQ(steti_bytes_u8(&b, &c), 1);
    EXPECT_EQ(c, 'e');
}

std::string Varint(uint64_t v)
{
    std::string s;
    for (; v >= 0x80; v >>= 7) {
        s.push_back(static_cast<char>((v & 0x7f) | 0x80));
    }
    s.push_back(static_cast<char>(v));
    return s;
}

TEST(Bytes, VarintsOfEveryLength)
{
    for (int bit = 0; bit < 64; bit++) {
        for (uint64_t v : {uint64_t{1} << bit, (uint64_t{1} << bit) - 1, ~uint64_t{0} >> bit}) {
            std::string s = Varint(v) + "x";
            steti_bytes b = Reader(s);
            uint64_t got = 0;
            ASSERT_EQ(steti_bytes_varint(&b, &got), 1) << v;
            EXPECT_EQ(got, v);
            EXPECT_EQ(steti_bytes_left(&b), 1u);
        }
    }
}

TEST(Bytes, VarintsMayBePadded)
{
    std::string s("\x81\x80\x80\x00", 4);
    steti_bytes b = Reader(s);
    uint64_t v;
    ASSERT_EQ(steti_bytes_varint(&b, &v), 1);
    EXPECT_EQ(v, 1u);
    EXPECT_EQ(steti_bytes_left(&b), 0u);
}

TEST(Bytes, VarintsTooLongOrTooLarge)
{
    uint64_t v;
    std::string eleven(11, '\x80'), over = std::string(9, '\xff') + "\x02", cut(9, '\xff');
    eleven[10] = 1;
    for (const std::string &s : {eleven, over, cut, std::string("\x80")}) {
        steti_bytes b = Reader(s);
        EXPECT_EQ(steti_bytes_varint(&b, &v), 0);
        EXPECT_EQ(steti_bytes_offset(&b), 0u);
    }
    std::string most = std::string(9, '\xff') + "\x01";
    steti_bytes b = Reader(most);
    ASSERT_EQ(steti_bytes_varint(&b, &v), 1);
    EXPECT_EQ(v, UINT64_MAX);
}

TEST(Bytes, CheckedArithmetic)
{
    size_t r = 0;
    EXPECT_EQ(steti_mul_size(3, 5, &r), 1);
    EXPECT_EQ(r, 15u);
    EXPECT_EQ(steti_mul_size(0, SIZE_MAX, &r), 1);
    EXPECT_EQ(r, 0u);
    EXPECT_EQ(steti_mul_size(size_t{1} << 32, size_t{1} << 32, &r), 0);
    EXPECT_EQ(steti_mul_size(SIZE_MAX, 2, &r), 0);
    EXPECT_EQ(steti_add_size(SIZE_MAX - 1, 1, &r), 1);
    EXPECT_EQ(r, SIZE_MAX);
    EXPECT_EQ(steti_add_size(SIZE_MAX, 1, &r), 0);
}

} // namespace
