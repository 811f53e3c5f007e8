#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

extern "C" {
#include "alloc.h"
#include "file_out.h"
}

#include <gtest/gtest.h>

namespace
{

namespace fs = std::filesystem;

class FileOut : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        std::string name = (fs::temp_directory_path() / "stet-test-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        root = name;
        err.struct_size = sizeof err;
    }
    void TearDown() override
    {
        fs::remove_all(root);
    }
    std::string at(const std::string &name) const
    {
        return root + "/" + name;
    }
    static std::string read(const std::string &path)
    {
        std::ifstream f(path, std::ios::binary);
        std::stringstream s;
        s << f.rdbuf();
        return s.str();
    }
    size_t entries() const
    {
        size_t n = 0;
        for ([[maybe_unused]] const auto &e : fs::directory_iterator(root)) {
            n++;
        }
        return n;
    }
    bool says(const std::string &text) const
    {
        return std::string(err.message).find(text) != std::string::npos;
    }
    std::string root;
    stet_error err{};
};

TEST_F(FileOut, WritesAtPlaces)
{
    steti_file_out f;
    ASSERT_EQ(steti_file_out_open(&f, at("a").c_str(), &err), STET_OK);
    EXPECT_EQ(steti_file_out_write_at(&f, 3, "def", 3, &err), STET_OK);
    EXPECT_EQ(steti_file_out_write_at(&f, 0, "abc", 3, &err), STET_OK);
    EXPECT_EQ(steti_file_out_write_at(&f, 0, nullptr, 0, &err), STET_OK);
    EXPECT_EQ(steti_file_out_close(&f, &err), STET_OK);
    EXPECT_EQ(read(at("a")), "abcdef");
    steti_file_out_drop(&f);
}

TEST_F(FileOut, NeverReplacesAFile)
{
    steti_file_out f;
    std::ofstream(at("a")) << "old";
    EXPECT_EQ(steti_file_out_open(&f, at("a").c_str(), &err), STET_E_IO);
    EXPECT_TRUE(says(at("a"))) << err.message;
    EXPECT_EQ(steti_file_copy(at("a").c_str(), at("a").c_str(), &err), STET_E_IO);
    EXPECT_EQ(read(at("a")), "old");
}

TEST_F(FileOut, Copies)
{
    std::string bytes(300000, '\0');
    for (size_t i = 0; i < bytes.size(); i++) {
        bytes[i] = static_cast<char>(i * i >> 3);
    }
    std::ofstream(at("a"), std::ios::binary) << bytes;
    std::ofstream(at("empty"));
    EXPECT_EQ(steti_file_copy(at("a").c_str(), at("b").c_str(), &err), STET_OK);
    EXPECT_EQ(steti_file_copy(at("empty").c_str(), at("c").c_str(), &err), STET_OK);
    EXPECT_EQ(read(at("b")), bytes);
    EXPECT_TRUE(fs::exists(at("c")) && fs::file_size(at("c")) == 0);
    EXPECT_EQ(steti_file_copy(root.c_str(), at("d").c_str(), &err), STET_E_IO);
    EXPECT_FALSE(fs::exists(at("d")));
}

TEST_F(FileOut, AFullDiskIsNoticed)
{
    steti_file_out f{-1, nullptr};
    rlimit old{}, small{};
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 1000;
    auto before = std::signal(SIGXFSZ, SIG_IGN);
    std::ofstream(at("a"), std::ios::binary) << std::string(2000, 'x');
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    stet_status copied = steti_file_copy(at("a").c_str(), at("b").c_str(), &err);
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, before);
    EXPECT_EQ(copied, STET_E_IO);
    EXPECT_TRUE(says("b: cannot be written")) << err.message;
    steti_file_out_drop(&f);
}

TEST_F(FileOut, AFolderIsThereWholeOrNotAtAll)
{
    steti_new_folder f;
    ASSERT_EQ(steti_new_folder_begin(&f, at("new///").c_str(), &err), STET_OK) << err.message;
    EXPECT_FALSE(fs::exists(at("new")));
    std::ofstream(std::string(f.temp) + "/x") << "x";
    ASSERT_EQ(steti_new_folder_commit(&f, &err), STET_OK) << err.message;
    EXPECT_EQ(read(at("new/x")), "x");
    EXPECT_EQ(entries(), 1u);
    steti_new_folder_abandon(&f);
    EXPECT_TRUE(fs::exists(at("new/x")));

    ASSERT_EQ(steti_new_folder_begin(&f, at("other").c_str(), &err), STET_OK);
    std::ofstream(std::string(f.temp) + "/x") << "x";
    std::ofstream(std::string(f.temp) + "/.y") << "y";
    steti_new_folder_abandon(&f);
    EXPECT_EQ(entries(), 1u);
}

TEST_F(FileOut, AFolderReplacesOnlyAnEmptyOne)
{
    steti_new_folder f;
    fs::create_directory(at("empty"));
    fs::create_directories(at("full/x"));
    std::ofstream(at("file")) << "x";
    fs::create_symlink("nowhere", at("link"));
    ASSERT_EQ(steti_new_folder_begin(&f, at("empty").c_str(), &err), STET_OK);
    EXPECT_EQ(steti_new_folder_commit(&f, &err), STET_OK) << err.message;
    for (const char *name : {"full", "file", "link", "file/below", "missing/below"}) {
        EXPECT_EQ(steti_new_folder_begin(&f, at(name).c_str(), &err), STET_E_IO) << name;
        EXPECT_TRUE(says(at(name))) << err.message;
    }
    EXPECT_EQ(entries(), 4u);
}

TEST_F(FileOut, AFolderThatWasFilledMeanwhileIsKept)
{
    steti_new_folder f;
    ASSERT_EQ(steti_new_folder_begin(&f, at("new").c_str(), &err), STET_OK);
    fs::create_directories(at("new/x"));
    EXPECT_EQ(steti_new_folder_commit(&f, &err), STET_E_IO);
    EXPECT_TRUE(says("new: cannot take this name")) << err.message;
    EXPECT_TRUE(fs::exists(at("new/x")));
    EXPECT_EQ(entries(), 1u);
}

TEST_F(FileOut, OutOfMemory)
{
    for (uint64_t nth = 1;; nth++) {
        steti_new_folder f;
        steti_alloc_fail_nth(nth, 0);
        stet_status st = steti_new_folder_begin(&f, at("new").c_str(), &err);
        steti_alloc_fail_nth(0, 0);
        if (st == STET_OK) {
            steti_new_folder_abandon(&f);
            EXPECT_EQ(nth, 3u);
            break;
        }
        EXPECT_EQ(st, STET_E_NOMEM);
        EXPECT_EQ(entries(), 0u);
    }
}

} // namespace
