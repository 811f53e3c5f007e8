// Verdicts in a file: found again, and ignored where anything about the file is not as it was
// written.
#include "library_support.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace fs = std::filesystem;

namespace
{

uint64_t Checksum(const std::string &s)
{
    uint64_t h = 0xcbf29ce484222325;
    for (unsigned char c : s) {
        h = (h ^ c) * 0x100000001b3;
    }
    return h;
}

/* With a last line that fits. */
std::string Signed(const std::string &body)
{
    char end[40];
    std::snprintf(end, sizeof end, "end %016llx\n",
                  static_cast<unsigned long long>(Checksum(body)));
    return body + end;
}

/* Of a verdict that is kept one row count is looked at: products of two chunks. */
constexpr uint64_t kKept = 2;

class LibraryCache : public Library
{
  protected:
    void SetUp() override
    {
        Library::SetUp();
        char name[] = "/tmp/stet-cache-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
        with.cache_folder = folder.c_str();
        with.blas_probe_rows = 20;
    }
    void TearDown() override
    {
        fs::remove_all(folder);
        Library::TearDown();
    }
    /* Packs one matrix; how many products the probe made. */
    uint64_t Probes(const steti_cuda_tuning &tuning, bool *passed = nullptr)
    {
        uint64_t runs = fake_blas().runs;
        std::unique_ptr<Backend> be = OpenTuned(tuning);
        Product product(be.get(), shape);
        if (passed != nullptr) {
            *passed = product.Verdict() != nullptr && product.Verdict()->passed;
        }
        return fake_blas().runs - runs;
    }
    std::vector<fs::path> Files() const
    {
        std::vector<fs::path> all;
        for (const auto &entry : fs::directory_iterator(folder)) {
            all.push_back(entry.path());
        }
        return all;
    }
    std::string Text() const
    {
        std::ifstream in(Files().at(0), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void Write(const std::string &text) const
    {
        std::ofstream(Files().at(0), std::ios::binary) << text;
    }

    Shape shape = {20, 60, 20, STETI_F32};
    std::string folder;
};

TEST_F(LibraryCache, AProbeRunsOnce)
{
    bool passed = false;
    EXPECT_GT(Probes(with), kKept);
    ASSERT_EQ(Files().size(), 1u);
    EXPECT_NE(
        Text().find("device shim, sm_00\nlibrary fakeblas 130100\nnumerics 1, chunks of 48, "),
        std::string::npos)
        << Text();
    EXPECT_NE(Text().find("\nf32 20 60 library 0000000000000001000000000000004d"),
              std::string::npos)
        << Text();
    EXPECT_EQ(Probes(with, &passed), kKept);
    EXPECT_TRUE(passed);
    fake_blas().runs = 0;
    EXPECT_EQ(DifferingBytes(RunOnce(shape, with), RunOnce(shape, own)), 0u);
    EXPECT_GT(fake_blas().runs, 0u) << "used";
    shape.n_out = 33; /* another one joins the first */
    EXPECT_GT(Probes(with), kKept);
    EXPECT_EQ(Probes(with), kKept);
    shape.n_out = 20;
    EXPECT_EQ(Probes(with), kKept);
    EXPECT_EQ(Files().size(), 1u) << "nothing half-written is left";
}

TEST_F(LibraryCache, ARefusalIsKeptToo)
{
    bool passed = true;
    fake_blas().ways = {{Sums::refuses_nine}};
    EXPECT_GT(Probes(with), kKept);
    EXPECT_NE(Text().find("\nf32 20 60 own 0000"), std::string::npos) << Text();
    EXPECT_EQ(Probes(with, &passed), 0u);
    EXPECT_FALSE(passed);
}

TEST_F(LibraryCache, WhatSaysNothingAboutOtherRunsIsNotKept)
{
    fake_blas().ways = {};
    Probes(with);
    with.blas_unproven = 1;
    fake_blas().ways = {{}};
    Probes(with);
    ASSERT_FALSE(Files().empty());
    for (const fs::path &p : Files()) {
        std::ifstream in(p);
        std::string text{std::istreambuf_iterator<char>(in), {}};
        EXPECT_EQ(text.find("f32 "), std::string::npos) << text;
    }
}

TEST_F(LibraryCache, OtherKeysHaveOtherFiles)
{
    EXPECT_GT(Probes(with), kKept);
    steti_cuda_tuning other = with;
    other.chunk = 32;
    EXPECT_GT(Probes(other), kKept);
    other = with;
    other.blas_probe_rows = 22;
    EXPECT_GT(Probes(other), kKept);
    fake_blas().version = 130200;
    EXPECT_GT(Probes(with), kKept);
    EXPECT_EQ(Files().size(), 4u);
    fake_blas().version = 130100;
    EXPECT_EQ(Probes(with), kKept);
}

TEST_F(LibraryCache, AFileOfAnotherKeyIsIgnored)
{
    EXPECT_GT(Probes(with), kKept);
    std::string foreign = Text();
    foreign.replace(foreign.find("device shim"), 11, "device ship");
    Write(Signed(foreign.substr(0, foreign.find("end "))));
    EXPECT_GT(Probes(with), kKept);
    EXPECT_TRUE(Said("about another device, library or version"));
    EXPECT_EQ(Probes(with), kKept) << "it was replaced";
}

/* Cut at every byte, every byte changed, and whatever else a file can be. */
TEST_F(LibraryCache, BrokenFilesAreIgnored)
{
    Probes(with);
    std::string good = Text();
    std::vector<std::string> broken = {"", "\n", std::string(3000, '\0'), good + "\n", good + good};
    for (size_t i = 0; i < good.size(); i++) {
        broken.push_back(good.substr(0, i));
        static const char others[] = {'\0', '\n', ' ', '9', '\xff'};
        std::string changed = good;
        changed[i] = good[i] != others[i % 5] ? others[i % 5] : 'x';
        broken.push_back(changed);
    }
    for (const std::string &text : broken) {
        Write(text);
        lines.clear();
        std::unique_ptr<Backend> be = OpenTuned(with);
        ASSERT_EQ(be->b->library.verdicts, nullptr) << text;
        ASSERT_TRUE(Said("kept probes are not used")) << text;
    }
    Write(good);
    EXPECT_NE(OpenTuned(with)->b->library.verdicts, nullptr);
}

/* Signed as it must be, with contents that no run wrote. */
TEST_F(LibraryCache, HostileLinesAreIgnored)
{
    Probes(with);
    std::string body = Text().substr(0, Text().find("end "));
    std::string head = body.substr(0, body.find("f32 ")), algo(128, '0');
    const std::string hostile[] = {
        "f32 -20 60 own " + algo + " x\n",
        "f32 0 60 own " + algo + " x\n",
        "f32 020 60 own " + algo + " x\n",
        "f32 99999999999999999999 60 own " + algo + " x\n",
        "f32 20 60 maybe " + algo + " x\n",
        "f64 20 60 own " + algo + " x\n",
        "f32 20 60 own " + algo.substr(1) + " x\n",
        "f32 20 60 own " + algo + "0 x\n",
        "f32 20 60 own " + algo.substr(1) + "G x\n",
        "f32 20 60 own " + algo + "\n",
        "f32 20 60 own " + algo + " " + std::string(128, 'x') + "\n",
        "f32 20 60 own " + algo + " x\ty\n",
        "f32 20 60 own " + algo + " x",
        "end end \n",
        std::string(100000, 'f'),
    };
    for (const std::string &line : hostile) {
        Write(Signed(head + line));
        lines.clear();
        EXPECT_GT(Probes(with), kKept) << line;
        EXPECT_TRUE(Said("kept probes are not used")) << line;
    }
    Write(Signed(head + "f32 20 60 own " + algo + " x\n"));
    EXPECT_EQ(Probes(with), 0u) << "the line itself is right";
}

/* The bytes of a candidate never reach the library unless it names them itself. */
TEST_F(LibraryCache, ACandidateMustStillBeOffered)
{
    for (const char *word : {"0000000000000002", "ffffffffffffffff"}) {
        fs::remove_all(folder);
        fs::create_directory(folder);
        Probes(with);
        std::string body = Text().substr(0, Text().find("end "));
        body.replace(body.find("0000000000000001"), 16, word);
        Write(Signed(body));
        bool passed = false;
        EXPECT_GT(Probes(with, &passed), kKept);
        EXPECT_TRUE(passed);
        EXPECT_TRUE(Said("is not among those that it offers"));
        EXPECT_EQ(Probes(with), kKept) << "the new verdict is kept";
    }
}

/* The library of the same version has other bits now: a look at one row count sees most of it. */
TEST_F(LibraryCache, AKeptCandidateIsLookedAtOnce)
{
    with.blas_rows = 64;
    with.blas_probe_rows = 66;
    Probes(with);
    fake_blas().ways = {{Sums::reversed_many}};
    bool passed = true;
    EXPECT_GT(Probes(with, &passed), kKept);
    EXPECT_FALSE(passed);
    EXPECT_TRUE(Said("is no longer right"));
    EXPECT_NE(Text().find("\nf32 20 60 own "), std::string::npos) << "the new verdict is kept";
}

TEST_F(LibraryCache, AFolderThatTakesNoFilesIsNoError)
{
    std::ofstream(folder + "/file") << "x";
    const std::string folders[] = {folder + "/missing", folder + "/file",
                                   folder + std::string(5000, '/')};
    for (const std::string &where : folders) {
        with.cache_folder = where.c_str();
        std::unique_ptr<Backend> be = OpenTuned(with);
        Product first(be.get(), {20, 60, 20, STETI_F32}), second(be.get(), {20, 60, 21, STETI_F32});
        EXPECT_TRUE(second.Verdict()->passed);
    }
    size_t n = 0;
    for (const std::string &line : lines) {
        n += line.find("probes are not kept") != std::string::npos;
    }
    EXPECT_EQ(n, 2u) << "one line for each folder that can be named";
    fs::remove(folder + "/file");
    with.cache_folder = "";
    EXPECT_GT(Probes(with), kKept);
    EXPECT_TRUE(Files().empty());
}

/* What stands under the name may be no file at all. */
TEST_F(LibraryCache, SomethingElseUnderTheNameIsNoError)
{
    Probes(with);
    fs::path name = Files().at(0);
    fs::remove(name);
    fs::create_directory(name);
    EXPECT_GT(Probes(with), kKept);
    EXPECT_TRUE(Said("kept probes are not used"));
    EXPECT_TRUE(Said("probes are not kept"));
}

} // namespace
