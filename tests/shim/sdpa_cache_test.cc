// Plans of attention kept in a folder: used again, and replaced where they are damaged or somebody
// else's.
#include "sdpa_fixture.h"

#include <dirent.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using stet_shim::fake_sdpa;
using stet_shim::FakeSdpa;

namespace
{

class SdpaCache : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        char name[] = "/tmp/stet_sdpa_XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
        fake_sdpa() = FakeSdpa();
    }
    void TearDown() override
    {
        for (const std::string &name : Names()) {
            std::string path = folder + "/" + name;
            if (unlink(path.c_str()) != 0) {
                rmdir(path.c_str());
            }
        }
        EXPECT_EQ(rmdir(folder.c_str()), 0);
    }
    std::vector<std::string> Names() const
    {
        std::vector<std::string> names;
        DIR *d = opendir(folder.c_str());
        while (const dirent *e = d != nullptr ? readdir(d) : nullptr) {
            if (e->d_name[0] != '.') {
                names.push_back(e->d_name);
            }
        }
        if (d != nullptr) {
            closedir(d);
        }
        return names;
    }
    // The first op of a context; what it cost the library is in `made` and `restored`.
    void Use(int n_heads = 1)
    {
        uint64_t plans = fake_sdpa().plans, old = fake_sdpa().restored;
        steti_cuda_sdpa_options o = stet_shim::fake_sdpa_options();
        o.cache_folder = folder.c_str();
        o.unprobed = 1;
        std::unique_ptr<Backend> be = OpenWith(&o);
        Rows r;
        r.n_heads = n_heads;
        r.Add(3, 0, 5);
        r.Fill(5);
        be->Reserve(8, 64, 8);
        std::vector<float> out = Attended(be.get(), r);
        made = fake_sdpa().plans - plans;
        restored = fake_sdpa().restored - old;
        EXPECT_EQ(made + restored, 4u);
    }
    std::string folder;
    uint64_t made = 0, restored = 0;
};

std::string Read(const std::string &path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void Write(const std::string &path, const std::string &contents)
{
    std::ofstream(path, std::ios::binary) << contents;
}

TEST_F(SdpaCache, PlansAreMadeOnce)
{
    LogLines log;
    Use();
    EXPECT_EQ(made, 4u);
    EXPECT_EQ(Names().size(), 4u) << "and no temporary files";
    Use();
    EXPECT_EQ(restored, 4u);
    EXPECT_FALSE(log.Say("a plan ")) << log.text;
    Use(2);
    EXPECT_EQ(made, 4u) << "another shape";
    fake_sdpa().version = "1.2.4";
    Use();
    EXPECT_EQ(made, 4u) << "another version";
    EXPECT_EQ(Names().size(), 12u);
}

TEST_F(SdpaCache, BrokenFilesAreReplaced)
{
    Use();
    std::vector<std::string> names = Names();
    ASSERT_EQ(names.size(), 4u);
    std::string path = folder + "/" + names[0], good = Read(path);
    std::string other = Read(folder + "/" + names[1]), flipped = good, head = good;
    flipped[good.size() - 3] ^= 1;
    head[5] ^= 1;
    size_t last = good.rfind('\n', good.size() - 1);
    ASSERT_NE(last, std::string::npos);
    const std::string broken[] = {
        "",
        "\n",
        std::string(1000, '\0'),
        "text\n",
        good.substr(0, 10),
        good.substr(0, last),
        good.substr(0, last + 1),
        good.substr(0, good.size() - 1),
        good + "x",
        good + good,
        flipped,
        head,
        other,
        good.substr(0, good.rfind('\n', last - 1) + 1) + "ffffffffffffffff 9999999999999999999\n",
        std::string(17u << 20, 'x'),
    };
    for (const std::string &contents : broken) {
        LogLines log;
        Write(path, contents);
        Use();
        EXPECT_EQ(restored, 3u) << contents.substr(0, 40);
        EXPECT_TRUE(log.Say("1 a plan is made anew: " + path)) << log.text;
        EXPECT_EQ(Read(path), good);
        Use();
        EXPECT_EQ(restored, 4u);
    }
}

/* A file whose checksum is right and whose text the library does not take. */
TEST_F(SdpaCache, WhatTheLibraryRefusesIsReplaced)
{
    Use();
    std::string path = folder + "/" + Names()[0], good = Read(path);
    LogLines log;
    fake_sdpa().calls = 0;
    fake_sdpa().fail_at = 2; /* the first restore */
    Use();
    EXPECT_EQ(restored, 3u);
    EXPECT_TRUE(log.Say("made to fail: restore")) << log.text;
    EXPECT_EQ(Read(path), good);
}

TEST_F(SdpaCache, FoldersThatCannotBeUsedAreNoError)
{
    {
        LogLines log;
        std::string real = folder;
        folder = "/nonexistent/folder";
        Use();
        folder = real;
        EXPECT_EQ(made, 4u);
        EXPECT_TRUE(log.Say("1 a plan is not kept: ")) << log.text;
    }
    Use();
    std::string path = folder + "/" + Names()[0];
    ASSERT_EQ(unlink(path.c_str()), 0);
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0); /* in the place of a file */
    LogLines log;
    Use();
    EXPECT_EQ(made, 1u);
    EXPECT_TRUE(log.Say("1 a plan is made anew: ")) << log.text;
    EXPECT_TRUE(log.Say("1 a plan is not kept: ")) << log.text;
    EXPECT_EQ(Names().size(), 4u) << "no temporary files";
}

TEST_F(SdpaCache, SavingMayFail)
{
    for (int code : {2, 9}) {
        LogLines log;
        fake_sdpa() = FakeSdpa();
        fake_sdpa().fail_at = 3; /* open, plan, save */
        fake_sdpa().fail_code = code;
        fake_sdpa().version = std::to_string(code);
        Use();
        EXPECT_EQ(made, 4u);
        EXPECT_TRUE(log.Say("1 a plan is not kept: made to fail: save")) << log.text;
    }
    EXPECT_EQ(Names().size(), 6u);
}

} // namespace
