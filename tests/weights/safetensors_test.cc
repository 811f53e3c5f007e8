#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "safetensors_builder.h"

extern "C" {
#include "alloc.h"
#include "safetensors.h"
}

namespace
{

struct Parsed {
    explicit Parsed(const std::string &file) : bytes(file.begin(), file.end())
    {
        std::memset(&st, 0xAB, sizeof st); // a parser that forgets to clear it will be seen
        error.struct_size = sizeof error;
        status =
            steti_safetensors_parse(bytes.data(), bytes.size(), "dir/m.safetensors", &st, &error);
    }
    ~Parsed()
    {
        steti_safetensors_close(&st);
    }
    Parsed(const Parsed &) = delete;
    Parsed &operator=(const Parsed &) = delete;

    std::vector<char> bytes; // exactly as long as the file, so ASan sees reads past its end
    steti_safetensors st;
    stet_error error = {};
    stet_status status;
};

// Every refusal names the path and what is wrong, and leaves an empty struct.
void ExpectRefused(const std::string &file, const std::string &reason)
{
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    {
        Parsed p(file);
        EXPECT_EQ(p.status, STET_E_FORMAT) << p.error.message;
        EXPECT_EQ(p.error.code, STET_E_FORMAT);
        EXPECT_EQ(std::string(p.error.message).rfind("dir/m.safetensors", 0), 0u)
            << p.error.message;
        EXPECT_NE(std::string(p.error.message).find(reason), std::string::npos) << p.error.message;
        EXPECT_EQ(p.st.n, 0u);
        EXPECT_EQ(p.st.entries, nullptr);
    }
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.live_count, before.live_count);
}

void ExpectAccepted(const std::string &file, size_t n)
{
    Parsed p(file);
    EXPECT_EQ(p.status, STET_OK) << p.error.message;
    EXPECT_EQ(p.st.n, n);
}

std::string One(const std::string &dtype, const std::string &shape, const std::string &offsets,
                const std::string &buffer)
{
    return File("{" + Entry("t", dtype, shape, offsets) + "}", buffer);
}

// ---- What must load

TEST(Safetensors, ViewsPointIntoTheBuffer)
{
    Parsed p(File("{\"__metadata__\":{\"format\":\"pt\"}," + Entry("b", "F32", "[2,1]", "[4,12]") +
                      "," + Entry("a", "U8", "[4]", "[0,4]") + "}",
                  "wxyz12345678"));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
    ASSERT_EQ(p.st.n, 2u);
    EXPECT_STREQ(p.st.entries[0].name, "a");
    EXPECT_STREQ(p.st.entries[1].name, "b");
    EXPECT_EQ(p.st.file_len, p.bytes.size());
    const steti_tensor *a = steti_safetensors_find(&p.st, "a");
    const steti_tensor *b = steti_safetensors_find(&p.st, "b");
    ASSERT_NE(a, nullptr);
    ASSERT_NE(b, nullptr);
    EXPECT_EQ(std::memcmp(a->data, "wxyz", 4), 0);
    EXPECT_EQ(std::memcmp(b->data, "12345678", 8), 0);
    EXPECT_EQ(b->dtype, STETI_F32);
    ASSERT_EQ(b->rank, 2);
    EXPECT_EQ(b->shape[0], 2);
    EXPECT_EQ(b->shape[1], 1);
    EXPECT_EQ(steti_safetensors_find(&p.st, "c"), nullptr);
    EXPECT_EQ(steti_safetensors_find(&p.st, "__metadata__"), nullptr);
    EXPECT_EQ(steti_safetensors_find(&p.st, ""), nullptr);
}

TEST(Safetensors, EmptyObjectLoads)
{
    ExpectAccepted(File("{}"), 0);
    Parsed p(File("{}"));
    EXPECT_EQ(steti_safetensors_find(&p.st, "x"), nullptr);
}

TEST(Safetensors, MetadataOnlyLoads)
{
    ExpectAccepted(File("{\"__metadata__\":{}}"), 0);
}
TEST(Safetensors, PaddedHeaderLoads)
{
    ExpectAccepted(File("{}" + std::string(62, ' ')), 0);
}
TEST(Safetensors, PaddingEndsWithTheHeader)
{
    // The buffer begins with spaces too: they are data.
    Parsed p(File("{" + Entry("t", "U8", "[3]", "[0,3]") + "}   ", "   "));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
    EXPECT_EQ(static_cast<const char *>(p.st.entries[0].view.data),
              p.bytes.data() + p.bytes.size() - 3);
}

TEST(Safetensors, ScalarLoads)
{
    Parsed p(One("F32", "[]", "[0,4]", "abcd"));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
    EXPECT_EQ(p.st.entries[0].view.rank, 0);
}

TEST(Safetensors, EmptyTensorsLoadAnywhere)
{
    ExpectAccepted(File("{" + Entry("e", "F32", "[0,7]", "[0,0]") + "," +
                            Entry("f", "U8", "[2]", "[0,2]") + "," +
                            Entry("g", "I64", "[3,0]", "[2,2]") + "," +
                            Entry("h", "U8", "[0]", "[0,0]") + "}",
                        "ab"),
                   4);
}

TEST(Safetensors, EmptyNameLoads)
{
    Parsed p(File("{" + Entry("", "U8", "[1]", "[0,1]") + "}", "x"));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
    EXPECT_NE(steti_safetensors_find(&p.st, ""), nullptr);
}

TEST(Safetensors, NameOfOneMegabyteLoads)
{
    std::string name(1 << 20, 'n');
    Parsed p(File("{" + Entry(name, "U8", "[1]", "[0,1]") + "}", "x"));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
    EXPECT_NE(steti_safetensors_find(&p.st, name.c_str()), nullptr);
}

TEST(Safetensors, EscapedNameIsFoundUnescaped)
{
    Parsed p(File("{" + Entry("\\u0061\\u00e9\\\"", "U8", "[1]", "[0,1]") + "}", "x"));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
    EXPECT_NE(steti_safetensors_find(&p.st, "a\xc3\xa9\""), nullptr);
}

TEST(Safetensors, UnalignedDataLoads)
{
    Parsed p(
        File("{" + Entry("a", "U8", "[1]", "[0,1]") + "," + Entry("b", "F32", "[1]", "[1,5]") + "}",
             "xabcd"));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
}

TEST(Safetensors, NanInfDenormalAndNegativeZeroLoad)
{
    const float v[5] = {
        std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min(), -0.0f};
    std::string data(reinterpret_cast<const char *>(v), sizeof v);
    Parsed p(One("F32", "[5]", "[0,20]", data));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
    EXPECT_EQ(std::memcmp(p.st.entries[0].view.data, v, sizeof v), 0);
}

TEST(Safetensors, EveryDtypeLoads)
{
    for (int i = 0; i < STETI_DTYPE_COUNT; i++) {
        auto t = static_cast<steti_dtype>(i);
        std::string n = std::to_string(3 * steti_dtype_size(t));
        Parsed p(One(steti_dtype_name(t), "[3]", "[0," + n + "]",
                     std::string(3 * steti_dtype_size(t), 'x')));
        EXPECT_EQ(p.status, STET_OK) << p.error.message;
        ASSERT_EQ(p.st.n, 1u);
        EXPECT_EQ(p.st.entries[0].view.dtype, t);
    }
}

TEST(Safetensors, EightDimensionsLoad)
{
    ExpectAccepted(One("U8", "[1,1,1,1,1,1,1,2]", "[0,2]", "ab"), 1);
}

TEST(Safetensors, ManyTensorsAreAllFound)
{
    std::string header = "{", buffer;
    for (int i = 0; i < 3000; i++) {
        std::string b = std::to_string(i), e = std::to_string(i + 1);
        header += (i ? "," : "") + Entry("layer." + b, "U8", "[1]", "[" + b + "," + e + "]");
        buffer.push_back(static_cast<char>(i % 251));
    }
    Parsed p(File(header + "}", buffer));
    ASSERT_EQ(p.status, STET_OK) << p.error.message;
    for (int i = 0; i < 3000; i++) {
        const steti_tensor *t =
            steti_safetensors_find(&p.st, ("layer." + std::to_string(i)).c_str());
        ASSERT_NE(t, nullptr) << i;
        EXPECT_EQ(*static_cast<const unsigned char *>(t->data), i % 251);
    }
}

// ---- The length field

TEST(SafetensorsBad, SizesZeroToSeven)
{
    for (size_t n = 0; n < 8; n++) {
        ExpectRefused(std::string(n, '\0'), "too few");
    }
}
TEST(SafetensorsBad, HeaderLengthZero)
{
    ExpectRefused(Le64(0), "must begin with '{'");
}
TEST(SafetensorsBad, HeaderLengthZeroWithData)
{
    ExpectRefused(Le64(0) + "{}", "must begin with '{'");
}
TEST(SafetensorsBad, HeaderLengthOne)
{
    ExpectRefused(Le64(1) + "{", "not valid JSON");
}
TEST(SafetensorsBad, HeaderLengthTwoPow63)
{
    ExpectRefused(Le64(1ull << 63) + "{}", "over the limit");
}
TEST(SafetensorsBad, HeaderLengthTwoPow64Minus1)
{
    ExpectRefused(Le64(~0ull) + "{}", "over the limit");
}
TEST(SafetensorsBad, HeaderLengthAtTheLimit)
{
    ExpectRefused(Le64(100000000) + "{}", "only 2 bytes follow");
}
TEST(SafetensorsBad, HeaderLengthOverTheLimit)
{
    ExpectRefused(Le64(100000001) + "{}", "over the limit");
}
TEST(SafetensorsBad, HeaderLongerThanFileByOne)
{
    ExpectRefused(Le64(3) + "{}", "only 2 bytes follow");
}

// ---- The header's text

TEST(SafetensorsBad, HeaderStartsWithBracket)
{
    ExpectRefused(File("[]"), "must begin with '{'");
}
TEST(SafetensorsBad, LeadingSpace)
{
    ExpectRefused(File(" {}"), "must begin with '{'");
}
TEST(SafetensorsBad, ByteOrderMark)
{
    ExpectRefused(File("\xef\xbb\xbf{}"), "must begin with '{'");
}
TEST(SafetensorsBad, Utf16)
{
    ExpectRefused(File(std::string("{\0}\0", 4)), "not valid JSON");
}
TEST(SafetensorsBad, Utf16WithMark)
{
    ExpectRefused(File(std::string("\xff\xfe{\0}\0", 6)), "must begin");
}
TEST(SafetensorsBad, PaddedWithNul)
{
    ExpectRefused(File(std::string("{}\0\0", 4)), "not valid JSON");
}
TEST(SafetensorsBad, TextAfterTheObject)
{
    ExpectRefused(File("{}x"), "not valid JSON");
}
TEST(SafetensorsBad, TwoObjects)
{
    ExpectRefused(File("{}{}"), "not valid JSON");
}
TEST(SafetensorsBad, TrailingComma)
{
    ExpectRefused(File("{" + Entry("t", "U8", "[1]", "[0,1]") + ",}", "x"), "not valid JSON");
}
TEST(SafetensorsBad, TruncatedUtf8InName)
{
    ExpectRefused(File("{" + Entry("a\xe2\x82", "U8", "[1]", "[0,1]") + "}", "x"),
                  "not valid JSON");
}
TEST(SafetensorsBad, OverlongUtf8InName)
{
    ExpectRefused(File("{" + Entry("a\xc0\xaf", "U8", "[1]", "[0,1]") + "}", "x"),
                  "not valid JSON");
}
TEST(SafetensorsBad, LoneHighSurrogate)
{
    ExpectRefused(File("{" + Entry("\\ud800", "U8", "[1]", "[0,1]") + "}", "x"), "not valid JSON");
}
TEST(SafetensorsBad, LoneLowSurrogate)
{
    ExpectRefused(File("{" + Entry("\\udc00\\ud800", "U8", "[1]", "[0,1]") + "}", "x"),
                  "not valid JSON");
}
TEST(SafetensorsBad, NulInName)
{
    ExpectRefused(File("{" + Entry("a\\u0000b", "U8", "[1]", "[0,1]") + "}", "x"),
                  "not valid JSON");
}
TEST(SafetensorsBad, RawNulInName)
{
    ExpectRefused(File("{" + Entry(std::string("a\0b", 3), "U8", "[1]", "[0,1]") + "}", "x"),
                  "not valid JSON");
}
TEST(SafetensorsBad, OneMegabyteOfBrackets)
{
    ExpectRefused(File("{\"a\":" + std::string(1 << 20, '[')), "nested deeper");
}
TEST(SafetensorsBad, QuarterMegabyteOfOpenObjects)
{
    std::string s = "{\"a\":";
    for (int i = 0; i < 50000; i++) {
        s += "[{\"\":";
    }
    ExpectRefused(File(s), "nested deeper");
}

// ---- Metadata

TEST(SafetensorsBad, MetadataIsArray)
{
    ExpectRefused(File("{\"__metadata__\":[]}"), "__metadata__");
}
TEST(SafetensorsBad, MetadataIsString)
{
    ExpectRefused(File("{\"__metadata__\":\"x\"}"), "__metadata__");
}
TEST(SafetensorsBad, MetadataIsNull)
{
    ExpectRefused(File("{\"__metadata__\":null}"), "__metadata__");
}
TEST(SafetensorsBad, MetadataValueIsNumber)
{
    ExpectRefused(File("{\"__metadata__\":{\"epoch\":1}}"), "'epoch'");
}
TEST(SafetensorsBad, MetadataNested)
{
    ExpectRefused(File("{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}"), "'a'");
}
TEST(SafetensorsBad, MetadataTwice)
{
    ExpectRefused(File("{\"__metadata__\":{},\"__metadata__\":{}}"), "not valid JSON");
}

// ---- Duplicates

TEST(SafetensorsBad, DuplicateNameSameRange)
{
    std::string e = Entry("t", "U8", "[1]", "[0,1]");
    ExpectRefused(File("{" + e + "," + e + "}", "x"), "not valid JSON");
}
TEST(SafetensorsBad, DuplicateNameOtherRange)
{
    ExpectRefused(
        File("{" + Entry("t", "U8", "[1]", "[0,1]") + "," + Entry("t", "U8", "[1]", "[1,2]") + "}",
             "xy"),
        "not valid JSON");
}
TEST(SafetensorsBad, DuplicateNameAfterUnescaping)
{
    ExpectRefused(File("{" + Entry("a", "U8", "[1]", "[0,1]") + "," +
                           Entry("\\u0061", "U8", "[1]", "[1,2]") + "}",
                       "xy"),
                  "not valid JSON");
}
TEST(SafetensorsBad, DuplicateField)
{
    ExpectRefused(
        File("{\"t\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
             "x"),
        "not valid JSON");
}

// ---- Fields

TEST(SafetensorsBad, TensorIsNotAnObject)
{
    ExpectRefused(File("{\"t\":[1]}"), "tensor 't'");
}
TEST(SafetensorsBad, MissingDtype)
{
    ExpectRefused(File("{\"t\":{\"shape\":[1],\"data_offsets\":[0,1]}}", "x"),
                  "tensor 't': field dtype");
}
TEST(SafetensorsBad, MissingShape)
{
    ExpectRefused(File("{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", "x"),
                  "tensor 't': field shape");
}
TEST(SafetensorsBad, MissingOffsets)
{
    ExpectRefused(File("{\"t\":{\"dtype\":\"U8\",\"shape\":[1]}}", "x"),
                  "tensor 't': field data_offsets");
}
TEST(SafetensorsBad, ExtraField)
{
    ExpectRefused(
        File("{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"strides\":[1]}}",
             "x"),
        "tensor 't': has fields other");
}
TEST(SafetensorsBad, DtypeUnknown)
{
    ExpectRefused(One("F128", "[1]", "[0,16]", std::string(16, 'x')), "'F128'");
}
TEST(SafetensorsBad, DtypeLowerCase)
{
    ExpectRefused(One("f32", "[1]", "[0,4]", "abcd"), "'f32'");
}
TEST(SafetensorsBad, DtypeEmpty)
{
    ExpectRefused(One("", "[1]", "[0,4]", "abcd"), "dtype ''");
}
TEST(SafetensorsBad, DtypeOfFourBits)
{
    ExpectRefused(One("F4", "[3]", "[0,1]", "a"), "'F4'");
}
TEST(SafetensorsBad, DtypeNotAString)
{
    ExpectRefused(File("{\"t\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", "x"),
                  "field dtype");
}

// ---- Shapes

TEST(SafetensorsBad, ShapeNegative)
{
    ExpectRefused(One("U8", "[-1]", "[0,1]", "x"), "dimension 0");
}
TEST(SafetensorsBad, ShapeFloat)
{
    ExpectRefused(One("U8", "[1,1.0]", "[0,1]", "x"), "dimension 1");
}
TEST(SafetensorsBad, ShapeExponent)
{
    ExpectRefused(One("U8", "[1e0]", "[0,1]", "x"), "dimension 0");
}
TEST(SafetensorsBad, ShapeString)
{
    ExpectRefused(One("U8", "[\"1\"]", "[0,1]", "x"), "dimension 0");
}
TEST(SafetensorsBad, ShapeTrue)
{
    ExpectRefused(One("U8", "[true]", "[0,1]", "x"), "dimension 0");
}
TEST(SafetensorsBad, ShapeNested)
{
    ExpectRefused(One("U8", "[[1]]", "[0,1]", "x"), "dimension 0");
}
TEST(SafetensorsBad, ShapeNumber)
{
    ExpectRefused(One("U8", "1", "[0,1]", "x"), "field shape");
}
TEST(SafetensorsBad, ShapeTwoPow64)
{
    ExpectRefused(One("U8", "[18446744073709551616]", "[0,1]", "x"), "not valid JSON");
}
TEST(SafetensorsBad, TwentyDimensions)
{
    ExpectRefused(One("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]", "x"),
                  "20 dimensions");
}
TEST(SafetensorsBad, ProductWrapsToZero)
{
    ExpectRefused(One("U8", "[4294967296,4294967296]", "[0,0]", ""), "64 bits");
}
TEST(SafetensorsBad, ProductWrapsToTheRightSize)
{
    // 4 * (2^62 + 1) wraps to 4.
    ExpectRefused(One("F32", "[4611686018427387905]", "[0,4]", "abcd"), "64 bits");
}
TEST(SafetensorsBad, ProductWrapsInTheElementSize)
{
    ExpectRefused(One("F64", "[2305843009213693952]", "[0,0]", ""), "64 bits");
}
TEST(SafetensorsBad, ZeroDimensionWithBytes)
{
    ExpectRefused(One("U8", "[0]", "[0,1]", "x"), "hold 1 bytes");
}
TEST(SafetensorsBad, ShapeSmallerThanRange)
{
    ExpectRefused(One("F16", "[1]", "[0,4]", "abcd"), "need 2");
}
TEST(SafetensorsBad, ShapeLargerThanRange)
{
    ExpectRefused(One("F32", "[2]", "[0,4]", "abcd"), "need 8");
}

// ---- Offsets

TEST(SafetensorsBad, OffsetsReversed)
{
    ExpectRefused(One("U8", "[1]", "[1,0]", "x"), "[1, 0]");
}
TEST(SafetensorsBad, OffsetsNegative)
{
    ExpectRefused(One("U8", "[1]", "[-1,0]", "x"), "integers >= 0");
}
TEST(SafetensorsBad, OffsetsFloat)
{
    ExpectRefused(One("U8", "[1]", "[0.0,1]", "x"), "integers >= 0");
}
TEST(SafetensorsBad, OffsetsOne)
{
    ExpectRefused(One("U8", "[1]", "[0]", "x"), "array of two");
}
TEST(SafetensorsBad, OffsetsThree)
{
    ExpectRefused(One("U8", "[1]", "[0,1,1]", "x"), "array of two");
}
TEST(SafetensorsBad, OffsetsPastTheEnd)
{
    ExpectRefused(One("U8", "[2]", "[0,2]", "x"), "inside the 1 bytes");
}
TEST(SafetensorsBad, OffsetsMaximal)
{
    ExpectRefused(One("U8", "[1]", "[9223372036854775806,9223372036854775807]", "x"), "tensor 't'");
}
TEST(SafetensorsBad, NotStartingAtZero)
{
    ExpectRefused(One("U8", "[1]", "[1,2]", "xy"), "offset 1, expected 0");
}
TEST(SafetensorsBad, TailBytes)
{
    ExpectRefused(One("U8", "[1]", "[0,1]", "xy"), "offset 1 of 2");
}
TEST(SafetensorsBad, DataWithoutTensors)
{
    ExpectRefused(File("{}", "x"), "offset 0 of 1");
}
TEST(SafetensorsBad, OneByteHole)
{
    ExpectRefused(
        File("{" + Entry("a", "U8", "[1]", "[0,1]") + "," + Entry("b", "U8", "[1]", "[2,3]") + "}",
             "xyz"),
        "tensor 'b': begins at offset 2, expected 1");
}
TEST(SafetensorsBad, Overlap)
{
    ExpectRefused(
        File("{" + Entry("a", "U8", "[2]", "[0,2]") + "," + Entry("b", "U8", "[2]", "[1,3]") + "}",
             "xyz"),
        "overlaps");
}
TEST(SafetensorsBad, SharedRange)
{
    ExpectRefused(
        File("{" + Entry("a", "U8", "[2]", "[0,2]") + "," + Entry("b", "U8", "[2]", "[0,2]") + "}",
             "xy"),
        "overlaps");
}
TEST(SafetensorsBad, ManyTensorsOnTheSameBytes)
{
    std::string header = "{";
    for (int i = 0; i < 20000; i++) {
        header += (i ? "," : "") + Entry(std::to_string(i), "F32", "[1]", "[0,4]");
    }
    ExpectRefused(File(header + "}", "abcd"), "overlaps");
}
TEST(SafetensorsBad, EmptyTensorInsideAnother)
{
    ExpectRefused(
        File("{" + Entry("a", "U8", "[2]", "[0,2]") + "," + Entry("b", "U8", "[0]", "[1,1]") + "}",
             "xy"),
        "overlaps");
}
TEST(SafetensorsBad, LongNameIsCutInTheMessage)
{
    std::string name(400, 'n');
    ExpectRefused(File("{" + Entry(name, "U8", "[2]", "[0,1]") + "}", "x"), "need 2");
}

TEST(Safetensors, TruncationAtEveryByteIsRefused)
{
    std::string whole = File("{" + Entry("a", "F32", "[2]", "[0,8]") + "," +
                                 Entry("b", "U8", "[3]", "[8,11]") + "}",
                             "01234567abc");
    for (size_t n = 0; n < whole.size(); n++) {
        Parsed p(whole.substr(0, n));
        EXPECT_EQ(p.status, STET_E_FORMAT) << n;
    }
    ExpectAccepted(whole, 2);
}

TEST(Safetensors, EveryAllocationFailureIsReported)
{
    std::string file = File("{" + Entry("a", "F32", "[2]", "[0,8]") + "}", "01234567");
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    int failures = 0;
    for (uint64_t n = 1; n < 100; n++) {
        steti_safetensors st;
        stet_error err = {};
        steti_alloc_fail_nth(n, 0);
        stet_status s = steti_safetensors_parse(file.data(), file.size(), "m", &st, &err);
        steti_alloc_fail_nth(0, 0);
        if (s == STET_OK) {
            steti_safetensors_close(&st);
            break;
        }
        EXPECT_EQ(s, STET_E_NOMEM);
        failures++;
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.live_count, before.live_count);
    }
    EXPECT_EQ(failures, 2);
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.live_count, before.live_count);
}

TEST(Safetensors, ClosingTwiceAndZeroedIsLegal)
{
    steti_safetensors st = {};
    steti_safetensors_close(&st);
    std::string file = File("{" + Entry("a", "U8", "[1]", "[0,1]") + "}", "x");
    ASSERT_EQ(steti_safetensors_parse(file.data(), file.size(), "m", &st, nullptr), STET_OK);
    steti_safetensors_close(&st);
    steti_safetensors_close(&st);
    EXPECT_EQ(st.n, 0u);
}

} // namespace
