#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>

extern "C" {
#include "alloc.h"
#include "buf.h"
}

namespace
{

class Buf : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        steti_buf_init(&b_);
    }
    void TearDown() override
    {
        steti_buf_free(&b_);
    }
    std::string Text() const
    {
        return std::string(b_.data == nullptr ? "" : b_.data, b_.len);
    }
    std::string Json(const std::string &s)
    {
        steti_buf_clear(&b_);
        EXPECT_EQ(steti_buf_json_string(&b_, s.data(), s.size(), nullptr), STET_OK);
        return Text();
    }
    steti_buf b_;
};

TEST_F(Buf, AppendsAnyBytes)
{
    EXPECT_EQ(b_.data, nullptr);
    ASSERT_EQ(steti_buf_append(&b_, nullptr, 0, nullptr), STET_OK);
    ASSERT_EQ(steti_buf_append(&b_, "a\0b", 3, nullptr), STET_OK);
    ASSERT_EQ(steti_buf_puts(&b_, "cd", nullptr), STET_OK);
    EXPECT_EQ(Text(), std::string("a\0bcd", 5));
    size_t cap = b_.cap;
    steti_buf_clear(&b_);
    EXPECT_EQ(b_.len, 0u);
    EXPECT_EQ(b_.cap, cap);
}

TEST_F(Buf, GrowsThroughManyAppends)
{
    std::string expected;
    for (int i = 0; i < 5000; i++) {
        std::string s = std::to_string(i);
        expected += s;
        ASSERT_EQ(steti_buf_append(&b_, s.data(), s.size(), nullptr), STET_OK);
    }
    EXPECT_EQ(Text(), expected);
}

TEST_F(Buf, PrintfFitsExactly)
{
    ASSERT_EQ(steti_buf_printf(&b_, nullptr, "%d-%s", 42, "x"), STET_OK);
    ASSERT_EQ(steti_buf_printf(&b_, nullptr, "%s", ""), STET_OK);
    std::string big(3000, 'y');
    ASSERT_EQ(steti_buf_printf(&b_, nullptr, "%s", big.c_str()), STET_OK);
    EXPECT_EQ(Text(), "42-x" + big);
}

TEST_F(Buf, CstrDoesNotCount)
{
    ASSERT_EQ(steti_buf_puts(&b_, "12345678", nullptr), STET_OK); // fills the first block
    EXPECT_STREQ(steti_buf_cstr(&b_), "12345678");
    EXPECT_EQ(b_.len, 8u);
    steti_buf empty = {};
    EXPECT_STREQ(steti_buf_cstr(&empty), "");
    steti_buf_free(&empty);
}

TEST_F(Buf, JsonStringsAreQuotedAndEscaped)
{
    EXPECT_EQ(Json(""), "\"\"");
    EXPECT_EQ(Json("a\"b\\c"), R"("a\"b\\c")");
    EXPECT_EQ(Json("\n\r\t"), R"("\n\r\t")");
    EXPECT_EQ(Json(std::string("\0\x01\x1f\x7f\b\f", 6)),
              R"("\u0000\u0001\u001f\u007f\u0008\u000c")");
    EXPECT_EQ(Json("/<>&"), "\"/<>&\"");
    EXPECT_EQ(Json("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
              "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

TEST_F(Buf, JsonStringsReplaceInvalidBytes)
{
    const std::string r = "\xEF\xBF\xBD";
    EXPECT_EQ(Json("a\xff"
                   "b"),
              "\"a" + r + "b\"");
    EXPECT_EQ(Json("\xE2\x82"), "\"" + r + "\"");
    EXPECT_EQ(Json("\xED\xA0\x80"), "\"" + r + r + r + "\"");
    EXPECT_EQ(Json("\xC0\x80"), "\"" + r + r + "\"");
}

TEST_F(Buf, FailureLeavesTheContents)
{
    ASSERT_EQ(steti_buf_puts(&b_, "abc", nullptr), STET_OK);
    std::string big(1000, 'x');
    stet_error e = {};
    steti_alloc_fail_nth(1, 1);
    EXPECT_EQ(steti_buf_puts(&b_, big.c_str(), &e), STET_E_NOMEM);
    EXPECT_EQ(steti_buf_printf(&b_, &e, "%s", big.c_str()), STET_E_NOMEM);
    EXPECT_EQ(steti_buf_reserve(&b_, 5000, &e), STET_E_NOMEM);
    steti_alloc_fail_nth(0, 0);
    EXPECT_EQ(steti_buf_reserve(&b_, SIZE_MAX, &e), STET_E_NOMEM);
    EXPECT_EQ(steti_buf_reserve(&b_, SIZE_MAX - 3, &e), STET_E_NOMEM);
    EXPECT_EQ(Text(), "abc");
}

TEST_F(Buf, CstrWithoutMemoryIsNull)
{
    steti_alloc_fail_nth(1, 0);
    EXPECT_EQ(steti_buf_cstr(&b_), nullptr);
    steti_alloc_fail_nth(0, 0);
}

} // namespace
