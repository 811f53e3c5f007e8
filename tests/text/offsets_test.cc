#include <gtest/gtest.h>

#include <random>
#include <string>

extern "C" {
#include "offsets.h"
#include "stet.h"
}

namespace
{

uint64_t At(const std::string &s, size_t byte, uint32_t kind)
{
    steti_offset_cursor c;
    steti_offset_cursor_init(&c, s.data(), s.size(), kind);
    return steti_offset_at(&c, byte);
}

TEST(Offsets, BytesAreBytes)
{
    EXPECT_EQ(At("a\xC3\xA9", 0, STET_UNIT_BYTE), 0u);
    EXPECT_EQ(At("a\xC3\xA9", 2, STET_UNIT_BYTE), 2u);
    EXPECT_EQ(At("a\xC3\xA9", 3, STET_UNIT_BYTE), 3u);
}

TEST(Offsets, OneToFourByteCharacters)
{
    const std::string s = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"; // starts: 0 1 3 6 10 11
    const size_t byte[6] = {0, 1, 3, 6, 10, 11};
    const uint64_t utf16[6] = {0, 1, 2, 3, 5, 6}, points[6] = {0, 1, 2, 3, 4, 5};
    steti_offset_cursor a, b;
    steti_offset_cursor_init(&a, s.data(), s.size(), STET_UNIT_UTF16);
    steti_offset_cursor_init(&b, s.data(), s.size(), STET_UNIT_CODEPOINT);
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(At(s, byte[i], STET_UNIT_UTF16), utf16[i]);
        EXPECT_EQ(At(s, byte[i], STET_UNIT_CODEPOINT), points[i]);
        EXPECT_EQ(steti_offset_at(&a, byte[i]), utf16[i]);
        EXPECT_EQ(steti_offset_at(&a, byte[i]), utf16[i]); // asking again changes nothing
        EXPECT_EQ(steti_offset_at(&b, byte[i]), points[i]);
    }
}

TEST(Offsets, InsideACharacterIsItsStart)
{
    const std::string s = "a\xF0\x9F\x98\x80z";
    for (size_t byte = 1; byte < 5; byte++) {
        EXPECT_EQ(At(s, byte, STET_UNIT_UTF16), 1u) << byte;
        EXPECT_EQ(At(s, byte, STET_UNIT_CODEPOINT), 1u) << byte;
    }
    EXPECT_EQ(At(s, 5, STET_UNIT_UTF16), 3u);
    steti_offset_cursor c;
    steti_offset_cursor_init(&c, s.data(), s.size(), STET_UNIT_CODEPOINT);
    EXPECT_EQ(steti_offset_at(&c, 3), 1u);
    EXPECT_EQ(steti_offset_at(&c, 6), 3u); // the cursor did not stop inside
}

TEST(Offsets, EachInvalidSubpartIsOneUnit)
{
    EXPECT_EQ(At("\xff\xfe", 2, STET_UNIT_UTF16), 2u);
    EXPECT_EQ(At("\xE2\x82", 2, STET_UNIT_CODEPOINT), 1u); // cut short
    EXPECT_EQ(At("\xE2\x82z", 3, STET_UNIT_CODEPOINT), 2u);
    EXPECT_EQ(At("\xED\xA0\x80", 3, STET_UNIT_UTF16), 3u);     // a surrogate
    EXPECT_EQ(At("\xF4\x90\x80\x80", 4, STET_UNIT_UTF16), 4u); // over U+10FFFF
    EXPECT_EQ(At("\xC0\x80", 2, STET_UNIT_CODEPOINT), 2u);     // overlong
}

TEST(Offsets, EmptyText)
{
    EXPECT_EQ(At("", 0, STET_UNIT_UTF16), 0u);
    EXPECT_EQ(At("", 0, STET_UNIT_CODEPOINT), 0u);
}

TEST(Offsets, NulIsACharacter)
{
    EXPECT_EQ(At(std::string("a\0b", 3), 3, STET_UNIT_UTF16), 3u);
}

TEST(Offsets, OnePassEqualsManyOnRandomBytes)
{
    std::mt19937 rng(1);
    static const char bytes[] = "ab\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xff\xED\xA0";
    for (int i = 0; i < 2000; i++) {
        std::string s;
        for (unsigned n = rng() % 30; n > 0; n--) {
            s += bytes[rng() % (sizeof bytes - 1)];
        }
        for (uint32_t kind : {STET_UNIT_BYTE, STET_UNIT_UTF16, STET_UNIT_CODEPOINT}) {
            steti_offset_cursor c;
            steti_offset_cursor_init(&c, s.data(), s.size(), kind);
            uint64_t last = 0;
            for (size_t byte = 0; byte <= s.size(); byte++) {
                uint64_t at = steti_offset_at(&c, byte);
                ASSERT_EQ(at, At(s, byte, kind));
                ASSERT_GE(at, last);
                ASSERT_LE(at, byte);
                last = at;
            }
        }
    }
}

} // namespace
