#include <cstring>
#include <fstream>
#include <memory>
#include <random>

#include "fixture_path.h"
#include "misspellings_builder.h"

extern "C" {
#include "misspellings.h"
}

#include <gtest/gtest.h>

using namespace stet_test;

namespace
{

struct Mended {
    std::string text; // as it was, where nothing changed
    size_t n_changed;
};

// Source and room are in memory of exactly their size; what lies behind the room must stay.
Mended mend_into(const steti_misspellings &t, const std::string &text, bool at_start, size_t cap)
{
    constexpr size_t guard = 16;
    std::unique_ptr<char[]> s(new char[text.size()]), room(new char[cap + guard]);
    std::memcpy(s.get(), text.data(), text.size());
    std::memset(room.get(), 0x5A, cap + guard);
    steti_mended out = {room.get(), cap, 0};
    size_t n = steti_misspellings_mend(&t, s.get(), text.size(), at_start, &out);
    EXPECT_LE(out.len, cap);
    EXPECT_EQ(std::string(room.get() + cap, guard), std::string(guard, 0x5A)) << text;
    return {n > 0 ? std::string(room.get(), out.len) : text, n};
}

class Mender
{
  public:
    explicit Mender(const Rows &rows) : bytes_(table_bytes(rows))
    {
        EXPECT_EQ(steti_misspellings_parse(bytes_.data(), bytes_.size(), "t", &t, nullptr),
                  STET_OK);
    }
    Mender(const Mender &) = delete;
    Mender &operator=(const Mender &) = delete;
    Mended mend(const std::string &text, bool at_start = true) const
    {
        return mend_into(t, text, at_start, 4 * text.size() + 64);
    }
    std::string operator()(const std::string &text, bool at_start = true) const
    {
        return mend(text, at_start).text;
    }
    steti_misspellings t{};

  private:
    std::string bytes_;
};

const Rows &common_rows()
{
    static const Rows rows = {{"teh", "the"},
                              {"adn", "and"},
                              {"alot", "a lot"},
                              {"dont", "don't"},
                              {"wel", "well"},
                              {"i", "I"},
                              {"caf\xC3\xA8", "caf\xC3\xA9"},
                              {"Pairs", "Paris"},
                              {"eol", "\xC3\xA9ol"},
                              {"yuo'r", "your"},
                              {"2th", "tooth"}};
    return rows;
}

const Mender &common()
{
    static const Mender m(common_rows());
    return m;
}

TEST(MisspellingsMend, Words)
{
    Mended m = common().mend("teh cat adn teh dog like alot of caf\xC3\xA8");
    EXPECT_EQ(m.text, "the cat and the dog like a lot of caf\xC3\xA9");
    EXPECT_EQ(m.n_changed, 5u);
    for (const char *same : {"", " ", "the cat", "tehx xteh te h", "adn1", "...", "\t\n", "t-eh"}) {
        EXPECT_EQ(common().mend(same).n_changed, 0u) << same;
    }
}

TEST(MisspellingsMend, CapitalLetters)
{
    const Mender &m = common();
    EXPECT_EQ(m("Teh cat"), "The cat");
    EXPECT_EQ(m("Teh cat", false), "Teh cat");
    EXPECT_EQ(m("teh cat", false), "the cat");
    EXPECT_EQ(m("A Teh"), "A Teh");
    EXPECT_EQ(m("TEH cat"), "TEH cat");
    EXPECT_EQ(m("tEh cat"), "tEh cat");
    EXPECT_EQ(m("Alot of it"), "A lot of it");
    EXPECT_EQ(m(" \t Teh cat"), " \t The cat");
    EXPECT_EQ(m("\"Teh cat\""), "\"The cat\"");
    EXPECT_EQ(m("in Pairs, pairs"), "in Paris, pairs"); // a key with a capital letter
    EXPECT_EQ(m("Pairs"), "Paris");
    EXPECT_EQ(m("Eol, eol"), "\xC3\xA9ol, \xC3\xA9ol"); // a word that begins with no ASCII letter
    EXPECT_EQ(m("I i"), "I I");
    EXPECT_EQ(m.mend("I i").n_changed, 1u); // a word for itself is no change
    EXPECT_EQ(m("- Teh"), "- Teh");         // a dash is the first of this sentence
}

TEST(MisspellingsMend, Punctuation)
{
    const Mender &m = common();
    for (std::string around : {"\"_\"", "'_'", "(_)", "[_],", "{_};", "<_>:", "*_*!", "`_`?",
                               "_...", "\xE2\x80\x9C_\xE2\x80\x9D", "\xE2\x80\x98_\xE2\x80\x99",
                               "\xC2\xAB_\xC2\xBB", "_\xE2\x80\xA6", "((\"_\"?!)).", "''_''"}) {
        std::string with = around, want = around;
        with.replace(with.find('_'), 1, "teh");
        want.replace(want.find('_'), 1, "the");
        EXPECT_EQ(m("a " + with + " b"), "a " + want + " b");
        EXPECT_EQ(m(with), want);
    }
    for (const char *same : {"a )teh", "teh(", "teh/adn", "teh.adn", "teh,adn", "@teh", "teh@",
                             "#teh", "$teh", "teh's",
                             "teh\xE2\x80\x94"
                             "adn",
                             "teh_", "\xE2\x80\x99teh"}) {
        EXPECT_EQ(m.mend(same).n_changed, 0u) << same;
    }
    EXPECT_EQ(m("I dont. yuo'r"), "I don't. your");
    EXPECT_EQ(m("'dont'"), "'don't'");
}

TEST(MisspellingsMend, Hyphens)
{
    const Mender &m = common();
    EXPECT_EQ(m("wel-known"), "well-known");
    EXPECT_EQ(m("Wel-wel-teh"), "Well-well-the");
    EXPECT_EQ(m("well-Teh"), "well-Teh");
    EXPECT_EQ(m("(teh-adn),"), "(the-and),");
    for (const char *same : {"wel-", "-teh", "teh--adn", "--", "-", "(teh-)", "'-teh'", "teh---"}) {
        EXPECT_EQ(m.mend(same).n_changed, 0u) << same;
    }
    // Dashes of other kinds are letters here: what they join is no word of a table.
    EXPECT_EQ(m("teh\xE2\x80\x93"
                "adn teh"),
              "teh\xE2\x80\x93"
              "adn the");
}

TEST(MisspellingsMend, WhiteSpaceStays)
{
    const Mender &m = common();
    EXPECT_EQ(m("  teh\t\tadn\r\n teh "), "  the\t\tand\r\n the ");
    for (const char *space :
         {"\xC2\xA0", "\xC2\x85", "\xE1\x9A\x80", "\xE2\x80\x83", "\xE2\x80\xA8", "\xE2\x80\xAF",
          "\xE2\x81\x9F", "\xE3\x80\x80", "\v", "\f"}) {
        std::string s = space;
        EXPECT_EQ(m(s + "teh" + s + s + "adn" + s), s + "the" + s + s + "and" + s);
    }
    // No white space: zero width space, and NUL.
    EXPECT_EQ(m("teh\xE2\x80\x8B"
                "adn"),
              "teh\xE2\x80\x8B"
              "adn");
    EXPECT_EQ(m(std::string("teh\0adn teh", 11)), std::string("teh\0adn the", 11));
}

TEST(MisspellingsMend, DigitsAndInvalidBytes)
{
    const Mender &m = common();
    EXPECT_EQ(m("2 teh 22 2th teh2"), "2 the 22 tooth teh2");
    EXPECT_EQ(m("\xFF teh \xC3 adn\xE2\x80"), "\xFF the \xC3 adn\xE2\x80");
    EXPECT_EQ(m("\x80\x80teh teh\x80 teh"), "\x80\x80teh teh\x80 the");
    EXPECT_EQ(m("\xC2\x85\x80 teh"), "\xC2\x85\x80 the");
    EXPECT_EQ(m("\"teh\xE2\x80\""), "\"teh\xE2\x80\"");
}

TEST(MisspellingsMend, LongWords)
{
    std::string most(255, 'x'), word(255, 'w');
    Mender m({{most, word}, {std::string(254, 'y'), "y"}});
    EXPECT_EQ(m(most), word);
    EXPECT_EQ(m("X" + most.substr(1)), "W" + word.substr(1));
    EXPECT_EQ(m(most + "x"), most + "x");
    EXPECT_EQ(m("(" + most + ")-"), "(" + most + ")-");
    EXPECT_EQ(m(most + "-" + most), word + "-" + word);
    EXPECT_EQ(m(std::string(5000, 'x') + " " + most), std::string(5000, 'x') + " " + word);
    EXPECT_EQ(m(std::string(5000, '"')), std::string(5000, '"'));
}

TEST(MisspellingsMend, EveryBufferThatIsTooSmall)
{
    for (const std::string text : {"Teh (cat) adn wel-teh, alot!", "alot", "Alot", "teh ", "  teh",
                                   "a b c \"alot\"...", "Eol x"}) {
        for (bool at_start : {true, false}) {
            Mended want = common().mend(text, at_start);
            for (size_t cap = 0; cap < want.text.size() + 3; cap++) {
                Mended m = mend_into(common().t, text, at_start, cap);
                bool fits = cap >= want.text.size();
                EXPECT_EQ(m.n_changed, fits ? want.n_changed : 0) << text << " in " << cap;
                EXPECT_EQ(m.text, fits ? want.text : text);
            }
        }
    }
}

TEST(MisspellingsMend, NoTable)
{
    steti_misspellings none{};
    EXPECT_EQ(mend_into(none, "teh", true, 9).n_changed, 0u);
    Mender empty(Rows{});
    EXPECT_EQ(empty.mend("teh").n_changed, 0u);
}

// ---- Laws ---------------------------------------------------------------------------------------

std::string random_text(std::mt19937 &rng)
{
    static const std::string parts[] = {"teh",
                                        "Teh",
                                        "alot",
                                        "adn",
                                        "dont",
                                        "wel",
                                        "x",
                                        "the",
                                        "I",
                                        " ",
                                        " ",
                                        " ",
                                        "\xC2\xA0",
                                        "\n",
                                        "-",
                                        "-",
                                        "\"",
                                        "(",
                                        ").",
                                        "'",
                                        "\xE2\x80\x99",
                                        "\xC3\xA9",
                                        "\xC3",
                                        "\xFF",
                                        "caf\xC3\xA8",
                                        std::string(1, '\0'),
                                        "7"};
    std::string s;
    for (unsigned n = rng() % 24; n > 0; n--) {
        s += parts[rng() % std::size(parts)];
    }
    return s;
}

// No word of this table is a key of it.
TEST(MisspellingsMend, TwiceIsOnce)
{
    std::mt19937 rng(2);
    size_t changed = 0;
    for (int i = 0; i < 20000; i++) {
        std::string text = random_text(rng);
        bool at_start = rng() % 2 != 0;
        Mended once = common().mend(text, at_start);
        ASSERT_EQ(common().mend(once.text, at_start).n_changed, 0u) << text;
        ASSERT_EQ(once.n_changed > 0, once.text != text) << text;
        changed += once.n_changed > 0;
    }
    EXPECT_GT(changed, 4000u);
}

// What stands before a space and behind it does not matter to each other.
TEST(MisspellingsMend, WordsAreMendedAlone)
{
    std::mt19937 rng(3);
    for (int i = 0; i < 20000; i++) {
        std::string one = random_text(rng), two = random_text(rng);
        Mended a = common().mend("x " + one, true), b = common().mend(two, false);
        Mended both = common().mend("x " + one + " " + two, true);
        ASSERT_EQ(both.text, a.text + " " + b.text);
        ASSERT_EQ(both.n_changed, a.n_changed + b.n_changed);
    }
}

// ---- The script that makes tables and applies them ----------------------------------------------

std::vector<std::string> lines_of(const std::string &name)
{
    std::ifstream in(fixture("misspellings/" + name), std::ios::binary);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) {
        out.push_back(line);
    }
    return out;
}

TEST(MisspellingsMend, AsTheScriptDoes)
{
    steti_misspellings t{};
    stet_error err{};
    err.struct_size = sizeof err;
    ASSERT_EQ(steti_misspellings_open(fixture("misspellings").c_str(), &t, &err), STET_OK)
        << err.message;
    std::vector<std::string> written = lines_of("written.txt"), mended = lines_of("mended.txt");
    ASSERT_GT(written.size(), 300u);
    ASSERT_EQ(written.size(), mended.size());
    size_t n_changed = 0;
    for (size_t i = 0; i < written.size(); i++) {
        Mended m = mend_into(t, written[i], true, 4 * written[i].size() + 64);
        EXPECT_EQ(m.text, mended[i]) << written[i];
        n_changed += m.n_changed;
    }
    EXPECT_GT(n_changed, 500u);
    steti_misspellings_close(&t);
}

} // namespace
