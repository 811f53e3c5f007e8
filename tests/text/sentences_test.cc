#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

extern "C" {
#include "alloc.h"
#include "sentences.h"
#include "utf8.h"
}

namespace
{

using List = std::vector<std::string>;

struct Spans {
    ~Spans()
    {
        steti_spans_free(&s);
    }
    steti_spans s = {};
};

bool IsBlank(const std::string &s)
{
    for (size_t i = 0; i < s.size();) {
        uint32_t cp;
        int k = steti_utf8_decode(s.data() + i, s.size() - i, &cp);
        if (k < 0 || !steti_cp_is_space(cp)) {
            return false;
        }
        i += static_cast<size_t>(k);
    }
    return true;
}

// The laws of sentences.h: white space only between the spans, none at their edges.
void CheckLaws(const std::string &text, const steti_spans &s)
{
    size_t pos = 0;
    for (size_t i = 0; i < s.len; i++) {
        ASSERT_LE(pos, s.data[i].begin);
        ASSERT_LT(s.data[i].begin, s.data[i].end);
        ASSERT_LE(s.data[i].end, text.size());
        EXPECT_TRUE(IsBlank(text.substr(pos, s.data[i].begin - pos)));
        uint32_t cp;
        steti_utf8_decode(text.data() + s.data[i].begin, text.size() - s.data[i].begin, &cp);
        EXPECT_FALSE(steti_cp_is_space(cp));
        for (size_t k = 1; k <= 3 && k <= s.data[i].end; k++) {
            if (steti_utf8_decode(text.data() + s.data[i].end - k, k, &cp) == static_cast<int>(k)) {
                EXPECT_FALSE(steti_cp_is_space(cp));
                break;
            }
        }
        pos = s.data[i].end;
    }
    EXPECT_TRUE(IsBlank(text.substr(pos)));
}

List Split(const std::string &text, steti_split mode = STETI_SPLIT_LINES)
{
    Spans spans;
    stet_error err = {};
    EXPECT_EQ(steti_sentences_split(text.data(), text.size(), mode, &spans.s, &err), STET_OK);
    CheckLaws(text, spans.s);
    List out;
    for (size_t i = 0; i < spans.s.len; i++) {
        out.push_back(
            text.substr(spans.s.data[i].begin, spans.s.data[i].end - spans.s.data[i].begin));
    }
    return out;
}

// '|' stands where a sentence must end; the white space after it belongs to the gap.
void Expect(const std::string &marked, steti_split mode = STETI_SPLIT_LINES)
{
    std::string text;
    List expected(1);
    for (char c : marked) {
        if (c == '|') {
            expected.emplace_back();
        } else {
            text += c;
            expected.back() += c;
        }
    }
    for (std::string &s : expected) {
        s.erase(0, s.find_first_not_of(" \n\t"));
    }
    EXPECT_EQ(Split(text, mode), expected) << marked;
}

// ---- Stops

TEST(Sentences, StopsEndSentences)
{
    Expect("He left.| She stayed.");
    Expect("Really?| Yes!| Fine.");
    Expect("What?!| No.");
    Expect("He left.|  \t She stayed");
    EXPECT_EQ(Split("One.\xC2\xA0Two."), (List{"One.", "Two."}));
}

TEST(Sentences, LowerCaseContinues)
{
    Expect("\"Stop!\" he said.| Then he left.");
    Expect("I saw it (really?) yesterday.");
    Expect("Approx. five people came.");
}

TEST(Sentences, NoSpaceNoEnd)
{
    Expect("See www.example.com or mail a.b@c.org today.");
    Expect("It costs 3.50 or 1,000.25 euros.");
    Expect("Open main.c and config.json.| Then build.");
    Expect("Read https://example.com/a.html?x=1.| It is long.");
    Expect("At 10.30 we met.");
}

TEST(Sentences, EllipsesEndBeforeCapitals)
{
    Expect("I waited... and waited.");
    Expect("I waited...| Nobody came.");
    Expect("I waited\xE2\x80\xA6| Nobody came.");
    Expect("I waited . . .| Nobody came .");
    Expect("And then . . . nothing .");
}

TEST(Sentences, ClosingQuotesAndBracketsBelongToTheSentence)
{
    Expect("\"I know.\"| She left.");
    Expect("(He knew.)| She left.");
    Expect("\xE2\x80\x9CI know.\xE2\x80\x9D| She left.");
    Expect("He said 'Go!'| She went.");
    Expect("[He knew.]| She left.");
    Expect("\xC2\xAB Go. \xC2\xBB| She left.");
}

TEST(Sentences, OpeningQuotesBelongToTheNext)
{
    Expect("He came.| \"I know,\" she said.");
    Expect("He came.| (She left.)");
    Expect("He came.| \xE2\x80\x9CI know.\xE2\x80\x9D");
    Expect("He came.| - Really?| - Yes.");
    Expect("He came. - and left.");
}

TEST(Sentences, CommasContinue)
{
    Expect("He likes cats, dogs, etc., and more.| She does not.");
}
TEST(Sentences, NumbersMayBeginASentence)
{
    Expect("He left.| 5 people stayed.");
}
TEST(Sentences, OtherLettersMayBeginASentence)
{
    Expect("He left.| \xC3\x89mile stayed.");              // E acute, a capital
    Expect("He left. \xC3\xA9mile stayed.");               // e acute
    Expect("He left.| \xD0\x90\xD0\xBD\xD0\xBD\xD0\xB0."); // Cyrillic capital
    Expect("He left. \xD0\xB0\xD0\xBD\xD0\xBD\xD0\xB0.");  // Cyrillic small letter
}

// ---- Abbreviations

TEST(Sentences, Titles)
{
    Expect("Mr. Smith met Dr. Jones and Prof. Lee.| They talked.");
    Expect("He saw Mrs. Smith.| She left.");
    Expect("(Mr. Smith left.)| He ran.");
    Expect("Gen. Grant and Lt.-Gen. Lee met.");
}

TEST(Sentences, LatinAbbreviations)
{
    Expect("Use a tool, e.g. Python, i.e. Guido's.");
    Expect("Smith vs. Jones was tried.");
    Expect("It was Smith et al. Nature wrote.");
    Expect("We saw cats, etc.| The dogs left.");
}

TEST(Sentences, AcronymsEndBeforeUsualFirstWords)
{
    Expect("He lives in the U.S. Army base.");
    Expect("He lives in the U.S.| The army left.");
    Expect("We met at 5 p.m. Monday.");
    Expect("We met at 5 p.m.| Then we left.");
    Expect("She has a Ph.D.| She works.");
    Expect("Apple Inc. Chairman spoke.");
    Expect("He works at Apple Inc.| He likes it.");
}

TEST(Sentences, Initials)
{
    Expect("J. R. R. Tolkien wrote it.| I read it.");
    Expect("I like George W. Bush.| He likes A. A. Milne.");
    Expect("We need plan B.| The first failed.");
    Expect("She is as tall as I.| John is not.");
    Expect("Thomas I. Palmer came.");
    Expect("I asked in the Q&A.| John spoke.");
}

TEST(Sentences, NumbersAfterAbbreviations)
{
    Expect("See No. 5, vol. 2 and pp. 3-4 of fig. 7.");
    Expect("He said no.| She left.");
    Expect("It was Jan. 5 and Sept. 6.");
    Expect("It was in Jan.| The snow fell.");
    Expect("He sat.| John stood.");       // not Saturday
    Expect("He saw the sun.| Mary too."); // not Sunday
}

TEST(Sentences, ListMarks)
{
    Expect("1. Open the box.| 2. Take it out.");
    Expect("a. Open the box.");
    Expect("iv. Close it.");
    Expect("2.1. The box");
    Expect("It was in 1999.| The war ended.");
}

TEST(Sentences, WordsThatOnlyEndLikeAbbreviations)
{
    Expect("He is ill.| John left.");
    Expect("That is an op-ed.| John wrote it.");
    Expect("He went to Bogot\xC3\xA1.| John left.");
    Expect("Na\xC3\xAFv.| John left."); // not "v."
}

// ---- Tokenised text

TEST(Sentences, SpacesBeforeStops)
{
    Expect("I go to school .| He stays .");
    Expect("Is it so ?| Yes !| Good .");
    Expect("I like it .| because it is good .");
    Expect("I like it ! ! !| He too .");
    Expect("\" I know . \"| He left .");
    Expect("He left .| \" I know . \"");
    Expect("`` I know . ''| He left .");
    Expect("( He left . )| She stayed .");
    Expect("Write .NET code .| .NET is old .");
}

// ---- Chinese and Japanese stops

TEST(Sentences, WideStopsNeedNoSpace)
{
    Expect(
        "\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82|\xE5\xA5\xBD\xEF\xBC\x81|\xE5\x90\x97\xEF\xBC\x9F");
    // With a closing bracket.
    Expect("\xE3\x80\x8C\xE5\xA5\xBD\xE3\x80\x82\xE3\x80\x8D|\xE4\xBD\xA0\xE3\x80\x82");
    Expect("\xE5\xA5\xBD\xE3\x80\x82| \xE4\xBD\xA0");
}

// ---- Lines and paragraphs

TEST(Sentences, EveryLineEndEndsASentence)
{
    for (const char *end : {"\n", "\r", "\r\n", "\v", "\f", "\xC2\x85", "\xE2\x80\xA8",
                            "\xE2\x80\xA9", "\n\n", " \n "}) {
        EXPECT_EQ(Split(std::string("one two") + end + "three."), (List{"one two", "three."}))
            << end;
    }
}

TEST(Sentences, WrappedLinesAreJoined)
{
    for (const char *end : {"\n", "\r", "\r\n", "\xE2\x80\xA8", " \r\n\t"}) {
        std::string text = std::string("one two") + end + "three.";
        EXPECT_EQ(Split(text, STETI_SPLIT_WRAPPED), (List{text})) << end;
    }
    Expect("one.|\nTwo\nthree.", STETI_SPLIT_WRAPPED);
}

TEST(Sentences, EmptyLinesPartParagraphs)
{
    for (const char *end : {"\n\n", "\r\n\r\n", "\r\r", "\n \t\n", "\n\xC2\xA0\r\n\n", "\n\r\n"}) {
        EXPECT_EQ(Split(std::string("one two") + end + "three", STETI_SPLIT_WRAPPED),
                  (List{"one two", "three"}))
            << end;
    }
}

TEST(Sentences, NoneIsOneTrimmedSpan)
{
    EXPECT_EQ(Split(" \n One. Two.\n\nThree.\xE3\x80\x80", STETI_SPLIT_NONE),
              (List{"One. Two.\n\nThree."}));
}

TEST(Sentences, NothingToSplit)
{
    for (steti_split mode : {STETI_SPLIT_LINES, STETI_SPLIT_WRAPPED, STETI_SPLIT_NONE}) {
        for (const char *s : {"", " ", "\n\n", "\xC2\xA0\xE3\x80\x80", "\t\r\n \f"}) {
            EXPECT_EQ(Split(s, mode), List());
        }
    }
}

TEST(Sentences, StopsAlone)
{
    Expect(".");
    Expect("...");
    Expect(". . .");
    Expect("?\"");
    Expect("\"");
}

TEST(Sentences, NulAndInvalidBytesAreOrdinary)
{
    EXPECT_EQ(Split(std::string("a\0b. C", 6)), (List{std::string("a\0b.", 4), "C"}));
    EXPECT_EQ(Split(std::string("\0", 1)), (List{std::string("\0", 1)}));
    EXPECT_EQ(Split("\xff\xC2"), (List{"\xff\xC2"}));
    EXPECT_EQ(Split("a\xE2\x80\n\x80"), (List{"a\xE2\x80", "\x80"}));
}

TEST(Sentences, SpansAreAppended)
{
    Spans spans;
    ASSERT_EQ(steti_sentences_split("A.", 2, STETI_SPLIT_LINES, &spans.s, nullptr), STET_OK);
    ASSERT_EQ(steti_sentences_split("Bo. C.", 6, STETI_SPLIT_LINES, &spans.s, nullptr), STET_OK);
    ASSERT_EQ(spans.s.len, 3u);
    EXPECT_EQ(spans.s.data[1].begin, 0u);
}

// ---- Cuts

std::string RandomText(std::mt19937 &rng)
{
    static const char *const parts[] = {"a",    "He",           ".",    ". ",       " ",
                                        "\n",   "\r",           "\r\n", "\n\n",     "!",
                                        "?",    "\"",           "'",    ")",        "(",
                                        "U.S.", "Mr.",          "1.",   "\xC2\xA0", "\xE3\x80\x82",
                                        "\xff", "\xE2\x80",     "\xA8", "\xC2",     "\x85",
                                        "\f",   "\xE2\x80\xA9", "The ", "... ",     " . "};
    std::string s;
    for (unsigned n = rng() % 24; n > 0; n--) {
        s += parts[rng() % (sizeof parts / sizeof *parts)];
    }
    return s;
}

TEST(Sentences, LawsHoldOnHostileText)
{
    std::mt19937 rng(1);
    for (int i = 0; i < 20000 && !::testing::Test::HasFailure(); i++) {
        std::string s = RandomText(rng);
        for (steti_split mode : {STETI_SPLIT_LINES, STETI_SPLIT_WRAPPED, STETI_SPLIT_NONE}) {
            Split(s, mode);
        }
    }
}

TEST(SentencesCut, SafeCutsSplitAlike)
{
    std::mt19937 rng(2);
    int cuts = 0;
    for (int i = 0; i < 20000 && !::testing::Test::HasFailure(); i++) {
        std::string whole = RandomText(rng) + RandomText(rng);
        size_t seen = rng() % (whole.size() + 1);
        for (steti_split mode : {STETI_SPLIT_LINES, STETI_SPLIT_WRAPPED}) {
            size_t cut = steti_sentences_safe_cut(whole.data(), seen, mode);
            ASSERT_LE(cut, seen);
            List head = Split(whole.substr(0, cut), mode), tail = Split(whole.substr(cut), mode);
            head.insert(head.end(), tail.begin(), tail.end());
            EXPECT_EQ(head, Split(whole, mode)) << cut;
            cuts += cut > 0;
        }
    }
    EXPECT_GT(cuts, 1000);
}

size_t SafeCut(const std::string &s, steti_split mode)
{
    return steti_sentences_safe_cut(s.data(), s.size(), mode);
}

TEST(SentencesCut, SafeCutIsAfterTheLastLineEnd)
{
    EXPECT_EQ(SafeCut("one\ntwo\nthree", STETI_SPLIT_LINES), 8u);
    EXPECT_EQ(SafeCut("one\r\ntwo", STETI_SPLIT_LINES), 5u);
    EXPECT_EQ(SafeCut("one. Two", STETI_SPLIT_LINES), 0u);
    EXPECT_EQ(SafeCut("one\ntwo\n\nthree\nfour", STETI_SPLIT_WRAPPED), 9u);
    EXPECT_EQ(SafeCut("one\ntwo\nthree", STETI_SPLIT_WRAPPED), 0u);
    EXPECT_EQ(SafeCut("one\n\ntwo", STETI_SPLIT_NONE), 0u);
}

size_t HardCut(const std::string &s, size_t target)
{
    return steti_sentences_hard_cut(s.data(), s.size(), target);
}

TEST(SentencesCut, HardCutPrefersWhiteSpace)
{
    EXPECT_EQ(HardCut("aaaa bbbb cccc", 12), 10u);
    EXPECT_EQ(HardCut("aaaa bbbb cccc", 10), 10u);
    EXPECT_EQ(HardCut("aaaa bbbb cccc", 9), 5u);
    EXPECT_EQ(HardCut("aaaa\xE3\x80\x80"
                      "bbbbb",
                      8),
              7u);
    EXPECT_EQ(HardCut("a bbbbbbbbbbbbbb", 12), 12u); // the space is before target / 2
}

TEST(SentencesCut, HardCutKeepsCodePointsWhole)
{
    EXPECT_EQ(HardCut("aaa\xF0\x9F\x98\x80zzzzz", 5), 3u);
    EXPECT_EQ(HardCut("\xF0\x9F\x98\x80zzzzz", 2), 4u);
    EXPECT_EQ(HardCut("\xC3\xA9zzzzzz", 0), 2u);
}

TEST(SentencesCut, HardCutIsAlwaysInside)
{
    std::mt19937 rng(3);
    static const char bytes[] = "ab  \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xff\xC2\xA0\xE3\x80\x80";
    for (int i = 0; i < 20000; i++) {
        std::string s;
        for (unsigned n = 8 + rng() % 30; n > 0; n--) {
            s += bytes[rng() % (sizeof bytes - 1)];
        }
        size_t target = rng() % s.size(), cut = HardCut(s, target);
        ASSERT_GE(cut, 1u);
        ASSERT_LT(cut, s.size());
        uint32_t cp; // no character begins before the cut and ends after it
        for (size_t k = 1; k <= 3 && k <= cut; k++) {
            ASSERT_LE(steti_utf8_decode(s.data() + cut - k, s.size() - (cut - k), &cp),
                      static_cast<int>(k));
        }
    }
}

TEST(SentencesCut, HardCutOnShortTextStaysInBounds)
{
    for (const char *raw : {"a", "\xC3\xA9", "ab", "\xF0\x9F\x98\x80"}) {
        std::string s = raw;
        for (size_t target = 0; target < s.size(); target++) {
            EXPECT_LE(HardCut(s, target), s.size());
        }
    }
}

// ---- Large and failing

TEST(Sentences, HostileRepetitionsKeepTheLaws)
{
    const size_t n = 1 << 18;
    for (const char *unit :
         {".", ". ", " ", "\"", ". \"", "'", "a.", ". (", "U.", "\r", ".\xE3\x80\x82", "! "}) {
        std::string s;
        while (s.size() < n) {
            s += unit;
        }
        Split(s, STETI_SPLIT_LINES);
        Split(s + "A", STETI_SPLIT_WRAPPED);
    }
}

TEST(Sentences, EveryAllocationFailureIsReported)
{
    std::string text;
    for (int i = 0; i < 40; i++) {
        text += "One is here. Two is there.\n";
    }
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    stet_status st = STET_E_NOMEM;
    int failures = 0;
    for (uint64_t n = 1; n < 50 && st != STET_OK; n++) {
        steti_spans s = {};
        steti_alloc_fail_nth(n, 0);
        st = steti_sentences_split(text.data(), text.size(), STETI_SPLIT_LINES, &s, nullptr);
        steti_alloc_fail_nth(0, 0);
        EXPECT_TRUE(st == STET_OK ? s.len == 80 : s.len == 0);
        failures += st == STET_E_NOMEM;
        steti_spans_free(&s);
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.live_count, before.live_count);
    }
    EXPECT_EQ(st, STET_OK);
    EXPECT_GE(failures, 3);
}

} // namespace
