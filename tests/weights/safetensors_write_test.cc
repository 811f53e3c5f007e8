// What is written is what the format's own description says, and what our reader reads.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

extern "C" {
#include "alloc.h"
#include "safetensors_write.h"
}

#include <gtest/gtest.h>

namespace
{

namespace fs = std::filesystem;

steti_st_entry entry(const char *name, steti_dtype type, std::vector<int64_t> shape)
{
    steti_st_entry e{};
    e.name = name;
    e.view.dtype = type;
    e.view.rank = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), e.view.shape);
    return e;
}

class SafetensorsWrite : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        std::string name = (fs::temp_directory_path() / "stet-test-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        root = name;
        path = root + "/x.safetensors";
        err.struct_size = sizeof err;
    }
    void TearDown() override
    {
        fs::remove_all(root);
    }
    std::string bytes() const
    {
        std::ifstream f(path, std::ios::binary);
        std::stringstream s;
        s << f.rdbuf();
        return s.str();
    }
    std::string root, path;
    stet_error err{};
};

TEST_F(SafetensorsWrite, ByteForByte)
{
    const steti_st_entry list[] = {entry("a", STETI_BF16, {2, 1}), entry("b\"\n", STETI_I8, {3})};
    steti_st_writer w;
    ASSERT_EQ(steti_st_writer_open(&w, path.c_str(), list, 2, &err), STET_OK) << err.message;
    EXPECT_EQ(steti_st_writer_put(&w, 1, 2, "\x03", 1, &err), STET_OK);
    EXPECT_EQ(steti_st_writer_put(&w, 0, 0, "\x80\x3f\x00\xc0", 4, &err), STET_OK);
    EXPECT_EQ(steti_st_writer_put(&w, 1, 0, "\x01\x02", 2, &err), STET_OK);
    ASSERT_EQ(steti_st_writer_close(&w, &err), STET_OK) << err.message;
    std::string json = R"({"__metadata__":{"format":"pt"},)"
                       R"("a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},)"
                       R"("b\"\n":{"dtype":"I8","shape":[3],"data_offsets":[4,7]}})";
    json.resize((json.size() + 8 + 63) / 64 * 64 - 8, ' ');
    std::string want(8, '\0');
    want[0] = static_cast<char>(json.size());
    want += json + std::string("\x80\x3f\x00\xc0\x01\x02\x03", 7);
    EXPECT_EQ(bytes(), want);
}

TEST_F(SafetensorsWrite, SortedTensorsAreAligned)
{
    std::vector<steti_st_entry> list = {
        entry("odd8", STETI_I8, {3}),      entry("half", STETI_F16, {5}),
        entry("scale", STETI_F32, {3}),    entry("wide", STETI_I64, {1}),
        entry("m8", STETI_I8, {64, 3}),    entry("m32", STETI_F32, {16, 2}),
        entry("empty", STETI_F32, {0, 4}), entry("scalar", STETI_F16, {}),
        entry("m16", STETI_BF16, {32})};
    std::sort(list.begin(), list.end(), [](const steti_st_entry &a, const steti_st_entry &b) {
        return steti_safetensors_order(&a, &b) < 0;
    });
    steti_st_writer w;
    ASSERT_EQ(steti_st_writer_open(&w, path.c_str(), list.data(), list.size(), &err), STET_OK);
    for (size_t i = 0; i < list.size(); i++) {
        std::string data(steti_tensor_bytes(&list[i].view), static_cast<char>('a' + i));
        ASSERT_EQ(steti_st_writer_put(&w, i, 0, data.data(), data.size(), &err), STET_OK);
    }
    ASSERT_EQ(steti_st_writer_close(&w, &err), STET_OK) << err.message;
    steti_safetensors file;
    ASSERT_EQ(steti_safetensors_open(path.c_str(), &file, &err), STET_OK) << err.message;
    ASSERT_EQ(file.n, list.size());
    for (size_t i = 0; i < list.size(); i++) {
        const steti_tensor *t = steti_safetensors_find(&file, list[i].name);
        ASSERT_NE(t, nullptr) << list[i].name;
        size_t n = steti_tensor_bytes(t);
        ASSERT_EQ(n, steti_tensor_bytes(&list[i].view));
        size_t place =
            static_cast<size_t>(static_cast<const unsigned char *>(t->data) - file.map.data);
        EXPECT_EQ(place % (n % 64 == 0 ? 64 : steti_dtype_size(t->dtype)), 0u) << list[i].name;
        EXPECT_EQ(std::string(static_cast<const char *>(t->data), n),
                  std::string(n, static_cast<char>('a' + i)));
    }
    steti_safetensors_close(&file);
}

TEST_F(SafetensorsWrite, NoTensorsAtAll)
{
    steti_st_writer w;
    steti_safetensors file;
    ASSERT_EQ(steti_st_writer_open(&w, path.c_str(), nullptr, 0, &err), STET_OK);
    ASSERT_EQ(steti_st_writer_close(&w, &err), STET_OK) << err.message;
    ASSERT_EQ(steti_safetensors_open(path.c_str(), &file, &err), STET_OK) << err.message;
    EXPECT_EQ(file.n, 0u);
    steti_safetensors_close(&file);
}

TEST_F(SafetensorsWrite, MissingBytesAndWrongPlacesAreErrors)
{
    const steti_st_entry list[] = {entry("a", STETI_F32, {2}), entry("b", STETI_F32, {1})};
    const float x[3] = {1, 2, 3};
    steti_st_writer w;
    ASSERT_EQ(steti_st_writer_open(&w, path.c_str(), list, 2, &err), STET_OK);
    EXPECT_EQ(steti_st_writer_put(&w, 0, 0, x, 12, &err), STET_E_INVALID);
    EXPECT_EQ(steti_st_writer_put(&w, 0, 5, x, 4, &err), STET_E_INVALID);
    EXPECT_EQ(steti_st_writer_put(&w, 0, 9, x, 0, &err), STET_E_INVALID);
    EXPECT_EQ(steti_st_writer_put(&w, 2, 0, x, 1, &err), STET_E_INVALID);
    EXPECT_EQ(steti_st_writer_put(&w, 0, 0, x, 8, &err), STET_OK);
    EXPECT_EQ(steti_st_writer_close(&w, &err), STET_E_INVALID);
    EXPECT_NE(std::string(err.message).find("4 bytes of tensors were not written"),
              std::string::npos)
        << err.message;
    steti_st_writer_drop(&w);
}

TEST_F(SafetensorsWrite, OutOfMemory)
{
    const steti_st_entry list[] = {entry("a", STETI_F32, {2}), entry("b", STETI_F32, {1})};
    steti_alloc_stats before{}, after{};
    steti_alloc_get_stats(&before);
    for (uint64_t nth = 1;; nth++) {
        steti_st_writer w;
        fs::remove(path);
        steti_alloc_fail_nth(nth, 0);
        stet_status st = steti_st_writer_open(&w, path.c_str(), list, 2, &err);
        steti_alloc_fail_nth(0, 0);
        steti_st_writer_drop(&w);
        steti_alloc_get_stats(&after);
        ASSERT_EQ(after.live_count, before.live_count) << nth;
        if (st == STET_OK) {
            EXPECT_GE(nth, 4u);
            break;
        }
        ASSERT_EQ(st, STET_E_NOMEM) << nth;
    }
}

} // namespace
