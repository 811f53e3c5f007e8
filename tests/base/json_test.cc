#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

extern "C" {
#include "json.h"
}

namespace
{

struct Doc {
    explicit Doc(const std::string &text)
    {
        error.struct_size = sizeof error;
        status = steti_json_parse(text.data(), text.size(), "dir/c.json", &root, &error);
    }
    ~Doc()
    {
        steti_json_free(root);
    }
    Doc(const Doc &) = delete;
    Doc &operator=(const Doc &) = delete;
    const steti_json *operator[](const char *key) const
    {
        return steti_json_get(root, key);
    }
    steti_json *root = nullptr;
    stet_error error = {};
    stet_status status;
};

void ExpectRefused(const std::string &text, const std::string &reason = "")
{
    Doc d(text);
    EXPECT_EQ(d.status, STET_E_FORMAT) << text.substr(0, 80);
    EXPECT_EQ(d.root, nullptr);
    EXPECT_EQ(std::string(d.error.message).rfind("dir/c.json: ", 0), 0u) << d.error.message;
    EXPECT_NE(std::string(d.error.message).find(reason), std::string::npos) << d.error.message;
}

TEST(Json, ReadsEveryKind)
{
    Doc d(R"({"n":null,"t":true,"f":false,"i":-3,"r":1.5,"s":"x\u00e9","a":[1,2,3],"o":{"k":1}})");
    ASSERT_EQ(d.status, STET_OK) << d.error.message;
    EXPECT_EQ(steti_json_kind_of(d["n"]), STETI_JSON_NULL);
    EXPECT_EQ(steti_json_kind_of(d["t"]), STETI_JSON_BOOL);
    EXPECT_EQ(steti_json_bool(d["t"]), 1);
    EXPECT_EQ(steti_json_bool(d["f"]), 0);
    EXPECT_EQ(steti_json_kind_of(d["i"]), STETI_JSON_INT);
    EXPECT_EQ(steti_json_int(d["i"]), -3);
    EXPECT_EQ(steti_json_real(d["i"]), -3.0);
    EXPECT_EQ(steti_json_kind_of(d["r"]), STETI_JSON_REAL);
    EXPECT_EQ(steti_json_real(d["r"]), 1.5);
    size_t len;
    EXPECT_STREQ(steti_json_string(d["s"], &len), "x\xC3\xA9");
    EXPECT_EQ(len, 3u);
    EXPECT_EQ(steti_json_kind_of(d["a"]), STETI_JSON_ARRAY);
    EXPECT_EQ(steti_json_len(d["a"]), 3u);
    EXPECT_EQ(steti_json_int(steti_json_at(d["a"], 2)), 3);
    EXPECT_EQ(steti_json_at(d["a"], 3), nullptr);
    EXPECT_EQ(steti_json_kind_of(d["o"]), STETI_JSON_OBJECT);
    EXPECT_EQ(steti_json_len(d.root), 8u);
    EXPECT_EQ(d["absent"], nullptr);
}

stet_status Collect(void *ctx, const char *key, size_t key_len, const steti_json *)
{
    auto *keys = static_cast<std::vector<std::string> *>(ctx);
    EXPECT_EQ(std::strlen(key), key_len);
    keys->push_back(key);
    return keys->size() == 3 ? STET_E_CANCELLED : STET_OK;
}

TEST(Json, MembersComeInFileOrderUntilOneFails)
{
    Doc two(R"({"z":1,"a":2})"), four(R"({"z":1,"a":2,"m":3,"b":4})");
    std::vector<std::string> keys;
    EXPECT_EQ(steti_json_each(two.root, Collect, &keys), STET_OK);
    EXPECT_EQ(keys, (std::vector<std::string>{"z", "a"}));
    keys.clear();
    EXPECT_EQ(steti_json_each(four.root, Collect, &keys), STET_E_CANCELLED);
    EXPECT_EQ(keys, (std::vector<std::string>{"z", "a", "m"}));
}

TEST(Json, IntegersOfSixtyFourBits)
{
    Doc d(R"({"max":9223372036854775807,"min":-9223372036854775808})");
    ASSERT_EQ(d.status, STET_OK) << d.error.message;
    EXPECT_EQ(steti_json_int(d["max"]), std::numeric_limits<int64_t>::max());
    EXPECT_EQ(steti_json_int(d["min"]), std::numeric_limits<int64_t>::min());
    ExpectRefused(R"({"a":9223372036854775808})", "line 1");
    ExpectRefused(R"({"a":-9223372036854775809})");
    ExpectRefused(R"({"a":18446744073709551616})");
}

TEST(Json, RootMustBeAnObject)
{
    for (const char *s : {"[]", "[{}]"}) {
        ExpectRefused(s, "must be a JSON object");
    }
    for (const char *s : {"1", "null", "\"x\"", "true", "", " "}) {
        ExpectRefused(s);
    }
}

TEST(Json, ErrorsNameTheLine)
{
    ExpectRefused("{\"a\":1,\n\"b\":}\n", "line 2");
}

TEST(Json, DuplicateKeysAreRefused)
{
    ExpectRefused(R"({"a":1,"a":1})");
    ExpectRefused(R"({"a":1,"\u0061":2})");
    ExpectRefused(R"({"x":{"a":1,"a":2}})");
    ExpectRefused(R"({"x":[{"a":1,"b":0,"a":2}]})");
}

TEST(Json, WhatPythonWritesButJsonHasNot)
{
    for (const char *s :
         {R"({"a":NaN})", R"({"a":Infinity})", R"({"a":-Infinity})", R"({"a":1e999})",
          R"({"a":-1e999})", R"({"a":True})", R"({"a":None})", R"({'a':1})"}) {
        ExpectRefused(s);
    }
}

TEST(Json, MalformedDocuments)
{
    for (const char *s : {"{",
                          "}",
                          "{\"a\"}",
                          "{\"a\":}",
                          "{\"a\":1,}",
                          "{,}",
                          "{a:1}",
                          "{\"a\":1}x",
                          "{}{}",
                          "{\"a\":01}",
                          "{\"a\":+1}",
                          "{\"a\":.5}",
                          "{\"a\":5.}",
                          "{\"a\":1e}",
                          "{\"a\":0x10}",
                          "{\"a\":-}",
                          "{\"a\":[1,]}",
                          "{\"a\":[1 2]}",
                          "{\"a\":[}",
                          "{\"a\":\"",
                          "{\"a\":\"\\x\"}",
                          "{\"a\":\"\\u12\"}",
                          "{\"a\":\"\n\"}",
                          "{\"a\":\"\t\"}",
                          "{\"a\":tru}",
                          "/**/{}",
                          "{}//x",
                          "{\"a\":1}\f",
                          "\xef\xbb\xbf{}",
                          "{\"a\":\"\\ud800\"}",
                          "{\"a\":\"\\udc00\\ud800\"}",
                          "{\"a\":\"\xff\"}",
                          "{\"a\":\"\xc0\x80\"}",
                          "{\"a\":\"\xed\xa0\x80\"}",
                          "{\"a\":\"\xe2\x82\"}",
                          "{\"\xff\":1}",
                          "{\"a\":\"\\u0000\"}",
                          "{\"\\u0000\":1}"}) {
        ExpectRefused(s);
    }
    ExpectRefused(std::string("{}\0", 3));
    ExpectRefused(std::string("{\"a\":\"\0\"}", 9));
}

TEST(Json, WhiteSpaceAroundIsLegal)
{
    Doc d(" \t\r\n{ \"a\" : [ 1 , 2 ] }\n ");
    EXPECT_EQ(d.status, STET_OK) << d.error.message;
}

TEST(Json, EscapesAreUndone)
{
    Doc d(R"({"\u0061b":"\"\\\/\b\f\n\r\t\ud83d\ude00"})");
    ASSERT_EQ(d.status, STET_OK) << d.error.message;
    EXPECT_STREQ(steti_json_string(d["ab"], nullptr), "\"\\/\b\f\n\r\t\xF0\x9F\x98\x80");
}

std::string Nested(int levels, const std::string &open, const std::string &close)
{
    std::string s;
    for (int i = 0; i < levels; i++) {
        s += open;
    }
    s += "1";
    for (int i = 0; i < levels; i++) {
        s += close;
    }
    return s;
}

TEST(Json, NestingIsLimited)
{
    Doc most("{\"a\":" + Nested(STETI_JSON_MAX_DEPTH - 1, "[", "]") + "}");
    EXPECT_EQ(most.status, STET_OK) << most.error.message;
    ExpectRefused("{\"a\":" + Nested(STETI_JSON_MAX_DEPTH, "[", "]") + "}", "nested deeper");
    ExpectRefused("{\"a\":" + Nested(STETI_JSON_MAX_DEPTH, "{\"a\":", "}") + "}", "nested deeper");
    ExpectRefused("{\"a\":" + std::string(1 << 20, '['), "nested deeper");
    ExpectRefused(std::string(1 << 20, '['), "nested deeper");
}

TEST(Json, BracketsInStringsAreNoNesting)
{
    Doc d("{\"a\":\"\\\"" + std::string(1000, '[') + "\",\"b\":\"\\\\\",\"c\":[]}");
    EXPECT_EQ(d.status, STET_OK) << d.error.message;
}

TEST(Json, TruncatedAnywhereIsRefused)
{
    std::string s = R"({"a":[1,2.5,"x\u00e9"],"b":{"c":null}})";
    for (size_t n = 0; n < s.size(); n++) {
        ExpectRefused(s.substr(0, n));
    }
}

TEST(Json, NullTextOfNoBytes)
{
    steti_json *root = nullptr;
    EXPECT_EQ(steti_json_parse(nullptr, 0, "x", &root, nullptr), STET_E_FORMAT);
    EXPECT_EQ(root, nullptr);
    steti_json_free(nullptr);
}

} // namespace
