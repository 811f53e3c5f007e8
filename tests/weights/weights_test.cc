#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "safetensors_builder.h"

extern "C" {
#include "alloc.h"
#include "safetensors.h"
#include "weights.h"
}

namespace
{

class Weights : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        std::string pattern = ::testing::TempDir() + "stet_weights_XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        error_.struct_size = sizeof error_;
        steti_alloc_get_stats(&before_);
    }
    void TearDown() override
    {
        steti_alloc_stats after;
        steti_weights_close(w_);
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.live_count, before_.live_count);
        ASSERT_EQ(std::system(("rm -rf '" + folder_ + "'").c_str()), 0);
    }
    std::string Path(const std::string &name) const
    {
        return folder_ + "/" + name;
    }
    void Write(const std::string &name, const std::string &bytes)
    {
        std::ofstream(Path(name), std::ios::binary) << bytes;
    }
    void WriteIndex(const std::string &map)
    {
        Write("model.safetensors.index.json",
              "{\"metadata\":{\"total_size\":1},\"weight_map\":" + map + "}");
    }
    stet_status Open()
    {
        return steti_weights_open(folder_.c_str(), &w_, &error_);
    }
    void ExpectFailure(stet_status status, const std::string &reason)
    {
        EXPECT_EQ(Open(), status) << error_.message;
        EXPECT_EQ(w_, nullptr);
        EXPECT_NE(std::string(error_.message).find(folder_), std::string::npos) << error_.message;
        EXPECT_NE(std::string(error_.message).find(reason), std::string::npos) << error_.message;
    }
    void WriteTwoShards()
    {
        Write("s1.safetensors", OneTensorFile("b", "bbb"));
        Write("s2.safetensors", File("{" + Entry("a", "U8", "[1]", "[0,1]") + "," +
                                         Entry("c", "U8", "[2]", "[1,3]") + "}",
                                     "acc"));
    }

    std::string folder_;
    steti_weights *w_ = nullptr;
    stet_error error_ = {};
    steti_alloc_stats before_;
};

// ---- One file

TEST_F(Weights, SingleFile)
{
    std::string file =
        File("{" + Entry("y", "U8", "[2]", "[0,2]") + "," + Entry("x", "I16", "[1]", "[2,4]") + "}",
             "yy\x01\x02");
    Write("model.safetensors", file);
    ASSERT_EQ(Open(), STET_OK) << error_.message;
    EXPECT_EQ(steti_weights_count(w_), 2u);
    EXPECT_STREQ(steti_weights_name(w_, 0), "x");
    EXPECT_STREQ(steti_weights_name(w_, 1), "y");
    EXPECT_EQ(steti_weights_name(w_, 2), nullptr);
    EXPECT_EQ(steti_weights_at(w_, 2), nullptr);
    EXPECT_EQ(steti_weights_file_bytes(w_), file.size());
    EXPECT_EQ(steti_weights_file_count(w_), 1u);
    steti_tensor t;
    ASSERT_EQ(steti_weights_get(w_, "x", &t, &error_), STET_OK);
    EXPECT_EQ(t.dtype, STETI_I16);
    EXPECT_EQ(std::memcmp(t.data, "\x01\x02", 2), 0);
    EXPECT_EQ(std::memcmp(steti_weights_at(w_, 1)->data, "yy", 2), 0);
}

TEST_F(Weights, AbsentTensorIsNamed)
{
    Write("model.safetensors", OneTensorFile("a", "x"));
    ASSERT_EQ(Open(), STET_OK) << error_.message;
    steti_tensor t;
    EXPECT_EQ(steti_weights_find(w_, "encoder.q", &t), 0);
    EXPECT_EQ(steti_weights_get(w_, "encoder.q", &t, &error_), STET_E_MODEL);
    EXPECT_NE(std::strstr(error_.message, "'encoder.q'"), nullptr) << error_.message;
    EXPECT_NE(std::strstr(error_.message, folder_.c_str()), nullptr) << error_.message;
}

TEST_F(Weights, FileWithoutTensors)
{
    Write("model.safetensors", File("{}"));
    ASSERT_EQ(Open(), STET_OK) << error_.message;
    steti_tensor t;
    EXPECT_EQ(steti_weights_count(w_), 0u);
    EXPECT_EQ(steti_weights_find(w_, "a", &t), 0);
}

TEST_F(Weights, DroppedPagesComeBack)
{
    std::string data;
    for (int i = 0; i < 100000; i++) {
        data.push_back(static_cast<char>(i * 7 % 253));
    }
    Write("model.safetensors", OneTensorFile("a", data));
    ASSERT_EQ(Open(), STET_OK) << error_.message;
    steti_tensor t;
    ASSERT_EQ(steti_weights_get(w_, "a", &t, &error_), STET_OK);
    steti_weights_drop(w_, &t);
    EXPECT_EQ(std::memcmp(t.data, data.data(), data.size()), 0);
    steti_tensor foreign = t;
    foreign.data = data.data(); // not of these weights: nothing happens
    steti_weights_drop(w_, &foreign);
    EXPECT_EQ(std::memcmp(t.data, data.data(), data.size()), 0);
}

TEST_F(Weights, SingleFileIsPreferredToTheIndex)
{
    Write("model.safetensors", OneTensorFile("a", "x"));
    Write("model.safetensors.index.json", "not even JSON");
    EXPECT_EQ(Open(), STET_OK) << error_.message;
}

TEST_F(Weights, EmptyFolder)
{
    ExpectFailure(STET_E_IO, "model.safetensors.index.json");
}

TEST_F(Weights, FolderIsMissing)
{
    steti_weights *w = nullptr;
    EXPECT_EQ(steti_weights_open(Path("nowhere").c_str(), &w, &error_), STET_E_IO);
    EXPECT_NE(std::strstr(error_.message, "nowhere"), nullptr);
}

TEST_F(Weights, EmptyFile)
{
    Write("model.safetensors", "");
    ExpectFailure(STET_E_FORMAT, "0 bytes");
}

TEST_F(Weights, BrokenFileNamesPathAndTensor)
{
    Write("model.safetensors", File("{" + Entry("bad", "F32", "[2]", "[0,4]") + "}", "abcd"));
    ExpectFailure(STET_E_FORMAT, "model.safetensors: tensor 'bad'");
}

TEST_F(Weights, FileIsAPipe)
{
    ASSERT_EQ(mkfifo(Path("model.safetensors").c_str(), 0600), 0);
    ExpectFailure(STET_E_IO, "pipe");
}

TEST_F(Weights, FileIsAFolder)
{
    ASSERT_EQ(mkdir(Path("model.safetensors").c_str(), 0700), 0);
    ExpectFailure(STET_E_IO, "folder");
}

TEST_F(Weights, FileIsADevice)
{
    ASSERT_EQ(symlink("/dev/zero", Path("model.safetensors").c_str()), 0);
    ExpectFailure(STET_E_IO, "device");
}

TEST_F(Weights, SymlinkLoop)
{
    ASSERT_EQ(symlink("b", Path("model.safetensors").c_str()), 0);
    ASSERT_EQ(symlink("model.safetensors", Path("b").c_str()), 0);
    ExpectFailure(STET_E_IO, "model.safetensors");
}

TEST_F(Weights, FileIsUnreadable)
{
    if (geteuid() == 0) {
        GTEST_SKIP() << "root reads everything";
    }
    Write("model.safetensors", OneTensorFile("a", "x"));
    ASSERT_EQ(chmod(Path("model.safetensors").c_str(), 0), 0);
    ExpectFailure(STET_E_IO, "cannot be opened");
}

TEST_F(Weights, NanIsNamedWithFileAndElement)
{
    const std::string one("\0\0\x80\x3f", 4), nan("\0\0\xc0\x7f", 4);
    const std::string header = R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})";
    std::string length(8, '\0');
    length[0] = (char)header.size();
    Write("model.safetensors", length + header + one + one + nan);
    ASSERT_EQ(Open(), STET_OK) << error_.message;
    EXPECT_EQ(steti_weights_check_finite(w_, &error_), STET_E_MODEL);
    EXPECT_NE(strstr(error_.message, "model.safetensors: tensor 'a': element 2 is NaN"), nullptr)
        << error_.message;
    steti_weights_close(w_);
    Write("model.safetensors", length + header + one + one + one);
    ASSERT_EQ(Open(), STET_OK) << error_.message;
    EXPECT_EQ(steti_weights_check_finite(w_, &error_), STET_OK);
}

TEST_F(Weights, SymlinkToAFileIsFollowed)
{
    Write("blob", OneTensorFile("a", "x")); // as in the cache of the Hugging Face hub
    ASSERT_EQ(symlink("blob", Path("model.safetensors").c_str()), 0);
    EXPECT_EQ(Open(), STET_OK) << error_.message;
}

// ---- Shards

TEST_F(Weights, ShardsAreOneTable)
{
    WriteTwoShards();
    WriteIndex(R"({"a":"s2.safetensors","b":"s1.safetensors","c":"s2.safetensors"})");
    ASSERT_EQ(Open(), STET_OK) << error_.message;
    EXPECT_EQ(steti_weights_count(w_), 3u);
    EXPECT_EQ(steti_weights_file_count(w_), 2u);
    const char *names[3] = {"a", "b", "c"}, *data[3] = {"a", "bbb", "cc"};
    size_t bytes = 0;
    for (const char *s : {"s1.safetensors", "s2.safetensors"}) {
        struct stat st;
        ASSERT_EQ(stat(Path(s).c_str(), &st), 0);
        bytes += static_cast<size_t>(st.st_size);
    }
    EXPECT_EQ(steti_weights_file_bytes(w_), bytes);
    for (int i = 0; i < 3; i++) {
        steti_tensor t;
        EXPECT_STREQ(steti_weights_name(w_, static_cast<size_t>(i)), names[i]);
        ASSERT_EQ(steti_weights_get(w_, names[i], &t, &error_), STET_OK);
        EXPECT_EQ(std::memcmp(t.data, data[i], std::strlen(data[i])), 0);
        steti_weights_drop(w_, &t);
        EXPECT_EQ(std::memcmp(t.data, data[i], std::strlen(data[i])), 0);
    }
}

TEST_F(Weights, TensorOutsideTheMapIsIgnored)
{
    WriteTwoShards();
    WriteIndex(R"({"b":"s1.safetensors","c":"s2.safetensors"})");
    ASSERT_EQ(Open(), STET_OK) << error_.message;
    steti_tensor t;
    EXPECT_EQ(steti_weights_count(w_), 2u);
    EXPECT_EQ(steti_weights_find(w_, "a", &t), 0);
    EXPECT_EQ(steti_weights_find(w_, "b", &t), 1);
    EXPECT_EQ(steti_weights_find(w_, "c", &t), 1);
}

TEST_F(Weights, TensorInTwoShards)
{
    Write("s1.safetensors", OneTensorFile("a", "x"));
    Write("s2.safetensors", File("{" + Entry("a", "U8", "[1]", "[0,1]") + "," +
                                     Entry("b", "U8", "[1]", "[1,2]") + "}",
                                 "xy"));
    WriteIndex(R"({"a":"s1.safetensors","b":"s2.safetensors"})");
    ExpectFailure(STET_E_FORMAT, "tensor 'a' is also in");
}

TEST_F(Weights, TensorNotInItsShard)
{
    WriteTwoShards();
    WriteIndex(R"({"a":"s1.safetensors","b":"s1.safetensors"})");
    ExpectFailure(STET_E_FORMAT, "s1.safetensors: tensor 'a' is not in the file");
}

TEST_F(Weights, ShardIsMissing)
{
    Write("s1.safetensors", OneTensorFile("b", "bbb"));
    WriteIndex(R"({"a":"s2.safetensors","b":"s1.safetensors"})");
    ExpectFailure(STET_E_IO, "s2.safetensors");
}

TEST_F(Weights, ShardIsBroken)
{
    Write("s1.safetensors", OneTensorFile("b", "bbb") + "tail");
    WriteIndex(R"({"b":"s1.safetensors"})");
    ExpectFailure(STET_E_FORMAT, "s1.safetensors");
}

TEST_F(Weights, ShardNamesThatLeaveTheFolder)
{
    for (const char *name :
         {"../s1.safetensors", "/etc/passwd", "a/b", "..", ".", "", "a\\\\b", "x/../y"}) {
        WriteIndex(std::string("{\"b\":\"") + name + "\"}");
        ExpectFailure(STET_E_FORMAT, "tensor 'b'");
    }
}

TEST_F(Weights, IndexWithoutMap)
{
    Write("model.safetensors.index.json", "{\"metadata\":{}}");
    ExpectFailure(STET_E_FORMAT, "weight_map");
}

TEST_F(Weights, IndexMapIsAnArray)
{
    WriteIndex("[]");
    ExpectFailure(STET_E_FORMAT, "weight_map");
}

TEST_F(Weights, IndexMapIsEmpty)
{
    WriteIndex("{}");
    ExpectFailure(STET_E_FORMAT, "names no tensors");
}

TEST_F(Weights, IndexValueIsNotAString)
{
    WriteIndex("{\"b\":1}");
    ExpectFailure(STET_E_FORMAT, "tensor 'b'");
}

TEST_F(Weights, IndexNamesATensorTwice)
{
    WriteTwoShards();
    WriteIndex(R"({"b":"s1.safetensors","b":"s1.safetensors"})");
    ExpectFailure(STET_E_FORMAT, "index.json");
}

TEST_F(Weights, IndexIsEmptyFile)
{
    Write("model.safetensors.index.json", "");
    ExpectFailure(STET_E_FORMAT, "index.json");
}

TEST_F(Weights, EveryAllocationFailureIsReported)
{
    WriteTwoShards();
    WriteIndex(R"({"a":"s2.safetensors","b":"s1.safetensors","c":"s2.safetensors"})");
    for (int sticky = 0; sticky < 2; sticky++) {
        int failures = 0;
        stet_status s = STET_E_NOMEM;
        for (uint64_t n = 1; n < 100 && s != STET_OK; n++) {
            steti_alloc_stats after;
            steti_alloc_fail_nth(n, sticky);
            s = Open();
            steti_alloc_fail_nth(0, 0);
            if (s == STET_OK) {
                break;
            }
            EXPECT_EQ(s, STET_E_NOMEM) << error_.message;
            EXPECT_EQ(w_, nullptr);
            failures++;
            steti_alloc_get_stats(&after);
            EXPECT_EQ(after.live_count, before_.live_count) << n;
        }
        EXPECT_EQ(s, STET_OK);
        EXPECT_GE(failures, 10);
        steti_weights_close(w_);
        w_ = nullptr;
    }
}

TEST_F(Weights, CloseNullIsLegal)
{
    steti_weights_close(nullptr);
}

// ---- Opening one file directly

TEST_F(Weights, SafetensorsOpenMapsTheFile)
{
    std::string file = OneTensorFile("a", "xyz");
    Write("one", file);
    steti_safetensors st;
    ASSERT_EQ(steti_safetensors_open(Path("one").c_str(), &st, &error_), STET_OK) << error_.message;
    EXPECT_EQ(st.map.len, file.size());
    EXPECT_EQ(std::memcmp(steti_safetensors_find(&st, "a")->data, "xyz", 3), 0);
    steti_safetensors_close(&st);
    EXPECT_EQ(steti_safetensors_open(Path("two").c_str(), &st, &error_), STET_E_IO);
    steti_safetensors_close(&st);
}

} // namespace
