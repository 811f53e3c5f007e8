#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

extern "C" {
#include "utf8.h"
}

namespace
{

// Written out from the definition, apart from the code under test: bits to bytes by arithmetic.
std::string Encode(uint32_t cp)
{
    std::string s;
    if (cp < 0x80) {
        s = {static_cast<char>(cp)};
    } else if (cp < 0x800) {
        s = {static_cast<char>(192 + cp / 64), static_cast<char>(128 + cp % 64)};
    } else if (cp < 0x10000) {
        s = {static_cast<char>(224 + cp / 4096), static_cast<char>(128 + cp / 64 % 64),
             static_cast<char>(128 + cp % 64)};
    } else {
        s = {static_cast<char>(240 + cp / 262144), static_cast<char>(128 + cp / 4096 % 64),
             static_cast<char>(128 + cp / 64 % 64), static_cast<char>(128 + cp % 64)};
    }
    return s;
}

int Decode(const std::string &s, uint32_t *cp)
{
    return steti_utf8_decode(s.data(), s.size(), cp);
}

TEST(Utf8, EveryCodePointRoundTrips)
{
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        bool is_surrogate = cp >= 0xD800 && cp <= 0xDFFF;
        char out[4];
        std::string s = Encode(cp);
        uint32_t back = 1;
        ASSERT_EQ(steti_utf8_encode(cp, out), is_surrogate ? 0 : static_cast<int>(s.size())) << cp;
        if (is_surrogate) {
            ASSERT_EQ(Decode(s, &back), -1) << cp;
            ASSERT_EQ(back, 0xFFFDu);
        } else {
            ASSERT_EQ(std::string(out, s.size()), s) << cp;
            ASSERT_EQ(Decode(s, &back), static_cast<int>(s.size())) << cp;
            ASSERT_EQ(back, cp);
        }
    }
    char out[4];
    EXPECT_EQ(steti_utf8_encode(0x110000, out), 0);
    EXPECT_EQ(steti_utf8_encode(0xFFFFFFFF, out), 0);
}

// Length of the maximal invalid subpart at the front, from the standard's table 3-7 and definition
// D93b.
struct Bad {
    const char *bytes;
    size_t len;
    int subpart;
};

TEST(Utf8, InvalidSubparts)
{
    const Bad table[] = {
        {"\x80", 1, 1}, // lone continuation
        {"\xBF\x80", 2, 1},
        {"\xC0\x80", 2, 1}, // overlong
        {"\xC1\xBF", 2, 1},
        {"\xE0\x80\x80", 3, 1},
        {"\xE0\x9F\xBF", 3, 1},
        {"\xF0\x80\x80\x80", 4, 1},
        {"\xF0\x8F\xBF\xBF", 4, 1},
        {"\xED\xA0\x80", 3, 1}, // surrogates
        {"\xED\xBF\xBF", 3, 1},
        {"\xF4\x90\x80\x80", 4, 1}, // over U+10FFFF
        {"\xF5\x80\x80\x80", 4, 1},
        {"\xF8\x88\x80\x80\x80", 5, 1},
        {"\xFE", 1, 1},
        {"\xFF", 1, 1},
        {"\xC2", 1, 1}, // cut short
        {"\xC2z", 2, 1},
        {"\xC2\xC2", 2, 1},
        {"\xE1\x80", 2, 2},
        {"\xE1\x80\xE1", 3, 2},
        {"\xE1z", 2, 1},
        {"\xF0\x9F\x98", 3, 3},
        {"\xF0\x9F\x98z", 4, 3},
        {"\xF0\x9F", 2, 2},
        {"\xF1\x80\x80\xFF", 4, 3},
        {"\xF4\x8F\xBF", 3, 3},
    };
    for (const Bad &b : table) {
        uint32_t cp = 0;
        std::string s(b.bytes, b.len);
        EXPECT_EQ(Decode(s, &cp), -b.subpart) << ::testing::PrintToString(s);
        EXPECT_EQ(cp, 0xFFFDu);
        EXPECT_EQ(steti_utf8_valid_prefix(s.data(), s.size()), 0u);
        EXPECT_EQ(steti_utf8_valid_prefix(("ab" + s).data(), s.size() + 2), 2u);
    }
}

// All valid sequences, by brute force over the first two bytes.
TEST(Utf8, SecondBytesAreAllowedAsTheStandardSays)
{
    for (int lead = 0x80; lead < 0x100; lead++) {
        for (int second = 0; second < 0x100; second++) {
            std::string s = {static_cast<char>(lead), static_cast<char>(second), '\x80', '\x80'};
            uint32_t cp;
            int k = Decode(s, &cp), expected = 0;
            bool any = second >= 0x80 && second <= 0xBF;
            if (lead >= 0xC2 && lead <= 0xDF) {
                expected = any ? 2 : 0;
            } else if (lead >= 0xE0 && lead <= 0xEF) {
                bool ok =
                    any && (lead != 0xE0 || second >= 0xA0) && (lead != 0xED || second < 0xA0);
                expected = ok ? 3 : 0;
            } else if (lead >= 0xF0 && lead <= 0xF4) {
                bool ok =
                    any && (lead != 0xF0 || second >= 0x90) && (lead != 0xF4 || second < 0x90);
                expected = ok ? 4 : 0;
            }
            ASSERT_EQ(k, expected > 0 ? expected : -1) << lead << " " << second;
        }
    }
}

TEST(Utf8, NothingIsReadPastTheEnd)
{
    // Exactly sized blocks: a sanitizer sees any read beyond.
    for (const char *whole : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
        std::string s = whole;
        for (size_t n = 1; n <= s.size(); n++) {
            std::vector<char> v(s.begin(), s.begin() + static_cast<long>(n));
            uint32_t cp;
            int k = steti_utf8_decode(v.data(), n, &cp);
            EXPECT_EQ(k, n == s.size() ? static_cast<int>(n) : -static_cast<int>(n));
        }
    }
}

TEST(Utf8, Counts)
{
    std::string s = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xff\xE2\x82z";
    EXPECT_EQ(steti_utf8_count(s.data(), s.size()), 7u);
    EXPECT_EQ(steti_utf8_count_utf16(s.data(), s.size()), 8u);
    EXPECT_EQ(steti_utf8_count("", 0), 0u);
    EXPECT_EQ(steti_utf8_count_utf16("", 0), 0u);
    EXPECT_EQ(steti_utf8_valid_prefix(s.data(), s.size()), 10u);
}

TEST(Utf8, DecodingAlwaysMovesOn)
{
    std::mt19937 rng(1);
    for (int i = 0; i < 20000; i++) {
        std::string s;
        for (unsigned n = 1 + rng() % 12; n > 0; n--) {
            s.push_back(static_cast<char>(rng()));
        }
        size_t pos = 0, units = 0;
        while (pos < s.size()) {
            uint32_t cp;
            int k = steti_utf8_decode(s.data() + pos, s.size() - pos, &cp);
            ASSERT_NE(k, 0);
            ASSERT_LE(k, 4);
            ASSERT_GE(k, -3);
            if (k > 0) {
                ASSERT_EQ(s.substr(pos, static_cast<size_t>(k)), Encode(cp));
            }
            pos += static_cast<size_t>(k < 0 ? -k : k);
            units++;
        }
        ASSERT_EQ(pos, s.size());
        ASSERT_EQ(units, steti_utf8_count(s.data(), s.size()));
    }
}

TEST(Utf8, WhiteSpaceIsUnicodes)
{
    const uint32_t spaces[] = {0x9,    0xA,    0xB,    0xC,    0xD,    0x20,   0x85,
                               0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004,
                               0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028,
                               0x2029, 0x202F, 0x205F, 0x3000};
    size_t found = 0;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        found += steti_cp_is_space(cp) != 0;
    }
    EXPECT_EQ(found, sizeof spaces / sizeof *spaces);
    for (uint32_t cp : spaces) {
        EXPECT_TRUE(steti_cp_is_space(cp)) << cp;
    }
}

} // namespace
