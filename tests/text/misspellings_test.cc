#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "misspellings_builder.h"

extern "C" {
#include "misspellings.h"
#include "utf8.h"
}

#include <gtest/gtest.h>

using namespace stet_test;

namespace
{

// A table in memory of exactly its size, so that sanitizers see a read behind it.
class Table
{
  public:
    explicit Table(const std::string &bytes) : memory_(new char[bytes.size()]), size_(bytes.size())
    {
        std::memcpy(memory_.get(), bytes.data(), bytes.size());
        err.struct_size = sizeof err;
        status = steti_misspellings_parse(memory_.get(), size_, "some.table", &t, &err);
    }
    // The word of a misspelling, which is in memory of exactly its size, too.
    std::optional<std::string> find(const std::string &key) const
    {
        std::unique_ptr<char[]> s(new char[key.size()]);
        std::memcpy(s.get(), key.data(), key.size());
        size_t n = 0;
        const char *word = steti_misspellings_find(&t, s.get(), key.size(), &n);
        return word != nullptr ? std::optional<std::string>(std::string(word, n)) : std::nullopt;
    }

    steti_misspellings t{};
    stet_error err{};
    stet_status status;

  private:
    std::unique_ptr<char[]> memory_;
    size_t size_;
};

std::optional<std::string> wanted(const Rows &rows, const std::string &key)
{
    auto at = rows.find(key);
    return at != rows.end() ? std::optional<std::string>(at->second) : std::nullopt;
}

// ---- Looking up ---------------------------------------------------------------------------------

const char *const letters[] = {"a", "b", "c", "'", "A", "\xC3\xA9", "\xC3\xA8", "\xE2\x80\x99"};

std::string random_word(std::mt19937 &rng, size_t most)
{
    std::string s;
    for (size_t n = 1 + rng() % most; n > 0; n--) {
        s += letters[rng() % std::size(letters)];
    }
    return s;
}

// Many keys begin as the one before them does, some are long.
Rows random_rows(std::mt19937 &rng, size_t n)
{
    Rows rows;
    std::string last;
    std::vector<std::string> words(1 + rng() % 40);
    for (auto &word : words) {
        word = random_word(rng, rng() % 16 == 0 ? 80 : 8);
    }
    while (rows.size() < n) {
        std::string key = last.substr(0, rng() % (last.size() + 1)) + random_word(rng, 6);
        if (rng() % 32 == 0) {
            key += std::string(rng() % 250, 'x');
        }
        key.resize(std::min<size_t>(key.size(), STETI_MISSPELLING_MAX));
        rows[key] = words[rng() % words.size()];
        last = key.size() < 40 ? key : "";
    }
    return rows;
}

// Keys right before and behind one.
std::vector<std::string> neighbours(const std::string &key)
{
    std::vector<std::string> out = {key + std::string(1, '\0'), key + "a", key + "\xFF",
                                    key.substr(0, key.size() - 1)};
    for (size_t at : {size_t{0}, key.size() / 2, key.size() - 1}) {
        for (int by : {-1, 1}) {
            out.push_back(key);
            out.back()[at] = static_cast<char>(out.back()[at] + by);
        }
    }
    return out;
}

TEST(Misspellings, FindsWhatAMapFinds)
{
    std::mt19937 rng(1);
    size_t longest = 0;
    for (size_t n : {1, 2, 15, 16, 17, 31, 32, 33, 100, 700, 2000}) {
        for (int round = 0; round < 4; round++) {
            Rows rows = random_rows(rng, n);
            Table table(table_parts(&rows, &rng).bytes());
            ASSERT_EQ(table.status, STET_OK) << table.err.message;
            ASSERT_EQ(table.t.n_rows, rows.size());
            for (const auto &[key, word] : rows) {
                ASSERT_EQ(table.find(key), word) << key;
                for (const std::string &other : neighbours(key)) {
                    ASSERT_EQ(table.find(other), wanted(rows, other)) << other;
                }
                longest = std::max(longest, key.size());
            }
            for (const std::string &key : {std::string(1, '\0'), std::string(255, '\xFF'),
                                           std::string(256, 'b'), std::string()}) {
                ASSERT_EQ(table.find(key), wanted(rows, key));
            }
        }
    }
    EXPECT_GT(longest, 240u);
}

TEST(Misspellings, KeysOfEveryLength)
{
    for (size_t n = 1; n <= STETI_MISSPELLING_MAX; n++) {
        Rows rows = {{std::string(n, 'k'), std::string(256 - n, 'w')}};
        Table table(table_bytes(rows));
        ASSERT_EQ(table.status, STET_OK) << table.err.message;
        EXPECT_EQ(table.find(std::string(n, 'k')), std::string(256 - n, 'w'));
        EXPECT_EQ(table.find(std::string(n + 1, 'k')), std::nullopt);
        EXPECT_EQ(table.find(std::string(n - 1, 'k')), std::nullopt);
    }
}

TEST(Misspellings, ATableWithoutRows)
{
    Table table(table_bytes({}));
    ASSERT_EQ(table.status, STET_OK) << table.err.message;
    EXPECT_EQ(table.find("a"), std::nullopt);
    EXPECT_EQ(table.find(""), std::nullopt);
    TableParts only_words;
    add_word(&only_words, "word");
    Table other(only_words.bytes());
    ASSERT_EQ(other.status, STET_OK) << other.err.message;
    EXPECT_EQ(other.find("word"), std::nullopt);
}

TEST(Misspellings, TheLastOfAllWords)
{
    TableParts t;
    for (int i = 0; i < 65536; i++) {
        add_word(&t, std::to_string(i));
    }
    add_row(&t, 0, "a", 0);
    add_row(&t, 0, "b", 65535);
    Table table(t.bytes());
    ASSERT_EQ(table.status, STET_OK) << table.err.message;
    EXPECT_EQ(table.find("a"), "0");
    EXPECT_EQ(table.find("b"), "65535");
}

// ---- Broken tables ------------------------------------------------------------------------------

const Rows &small_rows()
{
    static const Rows rows = {
        {"abd", "and"},       {"acn", "can"},   {"adn", "and"},     {"caf\xC3\xA8", "caf\xC3\xA9"},
        {"cna", "can"},       {"teh", "the"},   {"thier", "their"}, {"thign", "thing"},
        {"thigns", "things"}, {"thn", "then"},  {"thna", "than"},   {"u", "you"},
        {"waht", "what"},     {"whta", "what"}, {"wich", "which"},  {"wiht", "with"},
        {"yuo", "you"},       {"yuor", "your"}};
    return rows;
}

std::string about(const std::string &bytes)
{
    Table table(bytes);
    EXPECT_EQ(table.status, STET_E_FORMAT);
    std::string says = table.err.message;
    EXPECT_EQ(says.rfind("some.table: ", 0), 0u) << says;
    return says.substr(std::min(says.size(), std::strlen("some.table: ")));
}

TEST(Misspellings, EveryCutIsRefused)
{
    std::string bytes = table_bytes(small_rows());
    for (size_t n = 0; n < bytes.size(); n++) {
        std::string says = about(bytes.substr(0, n));
        EXPECT_NE(says.find(n < 24 ? "does not begin with" : "cut off"), std::string::npos) << says;
    }
    EXPECT_NE(about(bytes + "x").find("cut off or damaged"), std::string::npos);
    EXPECT_NE(about(std::string()).find("is no table"), std::string::npos);
}

// Whatever is accepted can be used.
TEST(Misspellings, EveryChangedByteIsRefusedOrHarmless)
{
    std::string bytes = table_bytes(small_rows());
    size_t accepted = 0;
    for (size_t at = 0; at < bytes.size(); at++) {
        for (int by = 1; by < 256; by++) {
            std::string changed = bytes;
            changed[at] = static_cast<char>(changed[at] ^ by);
            Table table(changed);
            if (table.status != STET_OK) {
                ASSERT_EQ(table.status, STET_E_FORMAT);
                ASSERT_EQ(std::string(table.err.message).rfind("some.table: ", 0), 0u);
                continue;
            }
            accepted++;
            for (const auto &[key, word] : small_rows()) {
                std::string found = table.find(key).value_or("none");
                ASSERT_EQ(steti_utf8_valid_prefix(found.data(), found.size()), found.size());
            }
        }
    }
    EXPECT_GT(accepted, 1000u);
}

TEST(Misspellings, AHeaderThatAsksForMore)
{
    for (size_t field = 8; field < 24; field += 4) {
        for (uint32_t n : {~0u, 1u << 31, 1u << 28, 1u << 16}) {
            std::string bytes = table_bytes(small_rows());
            std::memcpy(&bytes[field], &n, 4);
            EXPECT_NE(about(bytes).find("cut off or damaged"), std::string::npos);
        }
    }
    TableParts t;
    t.magic = "stetmsp2";
    EXPECT_EQ(about(t.bytes()),
              "is no table of misspellings: it does not begin with stetmsp1 and four numbers");
}

TEST(Misspellings, WordsThatAreNone)
{
    const std::string wrong = "must be 1 to 255 bytes of text in UTF-8";
    auto second = [](const std::string &word) {
        TableParts t;
        add_word(&t, "one");
        add_word(&t, word);
        add_row(&t, 0, "k", 1);
        return t;
    };
    EXPECT_EQ(Table(second(std::string(255, 'x')).bytes()).status, STET_OK);
    EXPECT_EQ(Table(second("a lot").bytes()).status, STET_OK);
    for (const std::string &word :
         {std::string(), std::string(256, 'x'), std::string("a\xC3"), std::string("\xFF"),
          std::string("\xED\xA0\x80"), std::string("a\nb"), std::string("\x1F"),
          std::string("\x7F"), std::string(1, '\0'), std::string(" a"), std::string("a "),
          std::string(" ")}) {
        EXPECT_EQ(about(second(word).bytes()), "word 1: " + wrong) << word;
    }
    TableParts t = second("two");
    std::swap(t.ends[0], t.ends[1]);
    EXPECT_EQ(about(t.bytes()), "word 1: " + wrong);
    t.ends = {7, 8};
    EXPECT_EQ(about(t.bytes()), "word 0: " + wrong);
    t.ends = {3, 5};
    EXPECT_EQ(about(t.bytes()), "the words end at byte 5 of 6");
}

TEST(Misspellings, RowsThatAreNone)
{
    auto with = [](size_t shared, const std::string &rest, size_t word, size_t before = 17) {
        TableParts t;
        add_word(&t, "word");
        for (size_t i = 0; i < before; i++) {
            add_row(&t, 0, std::string(1, static_cast<char>('a' + i)), 0);
        }
        add_row(&t, shared, rest, word);
        return t;
    };
    EXPECT_EQ(Table(with(1, "a", 0).bytes()).status, STET_OK);
    EXPECT_EQ(Table(with(0, "z", 0).bytes()).status, STET_OK);
    EXPECT_EQ(about(with(0, "z", 1).bytes()), "row 17: its word does not exist");
    EXPECT_EQ(about(with(0, "z", 65535, 0).bytes()), "row 0: its word does not exist");
    EXPECT_EQ(about(with(0, "q", 0).bytes()), "row 17: is not sorted behind the row before");
    EXPECT_EQ(about(with(0, "a", 0).bytes()), "row 17: is not sorted behind the row before");
    EXPECT_EQ(about(with(0, "p", 0, 16).bytes()), "row 16: is not sorted behind the row before");
    EXPECT_EQ(about(with(2, "z", 0).bytes()), "row 17: its length is not possible");
    EXPECT_EQ(about(with(1, "", 0).bytes()), "row 17: its length is not possible");
    EXPECT_EQ(about(with(0, "", 0, 16).bytes()), "row 16: its length is not possible");
    TableParts t = with(0, "z", 0);
    t.rows.pop_back();
    EXPECT_EQ(about(t.bytes()), "row 17: its length is not possible");
    t.rows.resize(t.row_at[17]);
    EXPECT_EQ(about(t.bytes()), "row 17: its length is not possible");
    t = with(0, "z", 0);
    t.blocks[1]++;
    EXPECT_EQ(about(t.bytes()), "row 16: its block is said to begin elsewhere");
    t = with(0, "z", 0);
    t.rows += "xyz";
    EXPECT_EQ(about(t.bytes()), "3 bytes behind the last row");
    t = TableParts();
    t.rows = "x";
    EXPECT_EQ(about(t.bytes()), "1 bytes behind the last row");
}

// ---- Folders ------------------------------------------------------------------------------------

class MisspellingsFolder : public ::testing::Test
{
  protected:
    MisspellingsFolder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "stet-test-XXXXXX").string();
        EXPECT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
        path = folder + "/misspellings.table";
    }
    ~MisspellingsFolder() override
    {
        std::filesystem::remove_all(folder);
    }
    void write(const std::string &bytes) const
    {
        std::ofstream(path, std::ios::binary) << bytes;
    }
    // What is said behind the path.
    std::string refusal(stet_status want)
    {
        stet_error err{};
        err.struct_size = sizeof err;
        EXPECT_EQ(steti_misspellings_open(folder.c_str(), &t, &err), want);
        steti_misspellings_close(&t);
        std::string says = err.message;
        EXPECT_EQ(says.rfind(path + ": ", 0), 0u) << says;
        return says.substr(std::min(says.size(), path.size() + 2));
    }
    std::string folder, path;
    steti_misspellings t{};
};

TEST_F(MisspellingsFolder, NoFileNoRows)
{
    std::memset(static_cast<void *>(&t), 0x5A, sizeof t);
    ASSERT_EQ(steti_misspellings_open(folder.c_str(), &t, nullptr), STET_OK);
    EXPECT_EQ(t.n_rows, 0u);
    size_t n;
    EXPECT_EQ(steti_misspellings_find(&t, "teh", 3, &n), nullptr);
    steti_misspellings_close(&t);
    steti_misspellings_close(&t);
}

TEST_F(MisspellingsFolder, AFile)
{
    write(table_bytes(small_rows()));
    ASSERT_EQ(steti_misspellings_open(folder.c_str(), &t, nullptr), STET_OK);
    size_t n = 0;
    const char *word = steti_misspellings_find(&t, "thier", 5, &n);
    ASSERT_NE(word, nullptr);
    EXPECT_EQ(std::string(word, n), "their");
    steti_misspellings_close(&t);
    EXPECT_EQ(steti_misspellings_find(&t, "thier", 5, &n), nullptr);
}

TEST_F(MisspellingsFolder, WhatIsNoFile)
{
    std::filesystem::create_directory(path);
    EXPECT_EQ(refusal(STET_E_IO), "is a folder, expected a regular file");
    std::filesystem::remove(path);
    std::filesystem::create_symlink("gone", path);
    EXPECT_EQ(refusal(STET_E_IO), "cannot be opened: No such file or directory");
    std::filesystem::remove(path);
    std::filesystem::create_symlink("misspellings.table", path);
    EXPECT_EQ(refusal(STET_E_IO).rfind("cannot be opened: Too many levels", 0), 0u);
}

TEST_F(MisspellingsFolder, WhatIsNoTable)
{
    write("");
    EXPECT_EQ(refusal(STET_E_FORMAT).rfind("is no table of misspellings", 0), 0u);
    write("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3500000\n");
    EXPECT_NE(refusal(STET_E_FORMAT).find("Git LFS"), std::string::npos);
    write("teh the\n");
    EXPECT_EQ(refusal(STET_E_FORMAT).rfind("is no table of misspellings", 0), 0u);
}

} // namespace
