#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

extern "C" {
#include "alloc.h"
#include "file_map.h"
}

namespace
{

class FileMap : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        std::string pattern = ::testing::TempDir() + "stet_map_XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        error_.struct_size = sizeof error_;
    }
    void TearDown() override
    {
        steti_file_map_close(&map_);
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
    stet_status Open(const std::string &path, size_t max = SIZE_MAX)
    {
        std::memset(&map_, 0xAB, sizeof map_);
        return steti_file_map_open(path.c_str(), max, &map_, &error_);
    }
    void ExpectRefused(const std::string &path, stet_status status, const std::string &reason,
                       size_t max = SIZE_MAX)
    {
        EXPECT_EQ(Open(path, max), status);
        EXPECT_EQ(map_.data, nullptr);
        EXPECT_EQ(map_.len, 0u);
        EXPECT_NE(std::strstr(error_.message, path.c_str()), nullptr) << error_.message;
        EXPECT_NE(std::strstr(error_.message, reason.c_str()), nullptr) << error_.message;
    }
    std::string folder_;
    steti_file_map map_ = {};
    stet_error error_ = {};
};

TEST_F(FileMap, MapsAFile)
{
    Write("f", std::string("ab\0c", 4));
    ASSERT_EQ(Open(Path("f"), 4), STET_OK) << error_.message;
    ASSERT_EQ(map_.len, 4u);
    EXPECT_EQ(std::memcmp(map_.data, "ab\0c", 4), 0);
    steti_file_map_close(&map_);
    EXPECT_EQ(map_.data, nullptr);
    steti_file_map_close(&map_);
}

TEST_F(FileMap, EmptyFileHasNoData)
{
    Write("f", "");
    ASSERT_EQ(Open(Path("f")), STET_OK) << error_.message;
    EXPECT_EQ(map_.data, nullptr);
    EXPECT_EQ(map_.len, 0u);
    steti_file_map_drop(&map_, 0, 100);
}

TEST_F(FileMap, MissingFile)
{
    ExpectRefused(Path("none"), STET_E_IO, "cannot be opened");
}
TEST_F(FileMap, Folder)
{
    ExpectRefused(folder_, STET_E_IO, "a folder");
}
TEST_F(FileMap, Device)
{
    ExpectRefused("/dev/zero", STET_E_IO, "a device");
}

TEST_F(FileMap, PipeDoesNotBlock)
{
    ASSERT_EQ(mkfifo(Path("p").c_str(), 0600), 0);
    ExpectRefused(Path("p"), STET_E_IO, "a pipe");
}

TEST_F(FileMap, Socket)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un addr = {};
    addr.sun_family = AF_UNIX;
    std::string path = Path("s");
    ASSERT_LT(path.size(), sizeof addr.sun_path);
    std::memcpy(addr.sun_path, path.c_str(), path.size());
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&addr), sizeof addr), 0);
    ExpectRefused(path, STET_E_IO, "cannot be opened");
    close(fd);
}

TEST_F(FileMap, SymlinkLoop)
{
    ASSERT_EQ(symlink("b", Path("a").c_str()), 0);
    ASSERT_EQ(symlink("a", Path("b").c_str()), 0);
    ExpectRefused(Path("a"), STET_E_IO, "cannot be opened");
    EXPECT_EQ(steti_file_exists(Path("a").c_str()), 0);
}

TEST_F(FileMap, FileOverTheLimit)
{
    Write("f", "12345");
    ExpectRefused(Path("f"), STET_E_FORMAT, "5 bytes", 4);
}

TEST_F(FileMap, FileComponentThatIsNoFolder)
{
    Write("f", "x");
    ExpectRefused(Path("f") + "/g", STET_E_IO, "cannot be opened");
}

TEST_F(FileMap, NoDescriptorsAreLeft)
{
    Write("f", "x");
    int before = dup(0);
    close(before);
    for (int i = 0; i < 20; i++) {
        ASSERT_EQ(Open(Path("f")), STET_OK);
        steti_file_map_close(&map_);
        Open(folder_);
        Open(Path("none"));
    }
    int after = dup(0);
    close(after);
    EXPECT_EQ(before, after);
}

TEST_F(FileMap, DroppedPagesComeBack)
{
    std::string data;
    for (int i = 0; i < 50000; i++) {
        data.push_back(static_cast<char>(i % 251));
    }
    Write("f", data);
    ASSERT_EQ(Open(Path("f")), STET_OK);
    for (size_t offset : {size_t{0}, size_t{1}, size_t{4096}, size_t{49999}}) {
        steti_file_map_drop(&map_, offset, data.size() - offset);
        steti_file_map_drop(&map_, offset, 1);
        EXPECT_EQ(std::memcmp(map_.data, data.data(), data.size()), 0);
    }
}

TEST_F(FileMap, ExistsMeansARegularFile)
{
    Write("f", "");
    EXPECT_EQ(steti_file_exists(Path("f").c_str()), 1);
    EXPECT_EQ(steti_file_exists(folder_.c_str()), 0);
    EXPECT_EQ(steti_file_exists(Path("none").c_str()), 0);
    EXPECT_EQ(steti_file_exists("/dev/null"), 0);
}

TEST_F(FileMap, NamedIsWhateverHasTheName)
{
    Write("f", "x");
    ASSERT_EQ(symlink("gone", Path("dead").c_str()), 0);
    for (const std::string &path : {Path("f"), folder_, Path("dead"), std::string("/dev/null")}) {
        EXPECT_EQ(steti_file_named(path.c_str()), 1) << path;
    }
    EXPECT_EQ(steti_file_named(Path("none").c_str()), 0);
    EXPECT_EQ(steti_file_named((Path("f") + "/g").c_str()), 0);
}

TEST(FilePointer, OfGitLfsIsRefused)
{
    const std::string pointer =
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
    for (size_t n = 0; n <= pointer.size(); n++) {
        stet_error err{};
        err.struct_size = sizeof err;
        bool is_pointer = n >= strlen("version https://git-lfs.");
        EXPECT_EQ(steti_refuse_pointer(pointer.data(), n, "a/b", &err),
                  is_pointer ? STET_E_FORMAT : STET_OK);
        EXPECT_EQ(strstr(err.message, "a/b: is a pointer of Git LFS") != nullptr, is_pointer);
    }
}

TEST_F(FileMap, PathsAreJoined)
{
    char *p = steti_path_join("a/b", "c.txt");
    EXPECT_STREQ(p, "a/b/c.txt");
    steti_free(p);
    steti_alloc_fail_nth(1, 0);
    EXPECT_EQ(steti_path_join("a", "b"), nullptr);
    steti_alloc_fail_nth(0, 0);
}

} // namespace
