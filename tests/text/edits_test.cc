#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "toy_tokenizer.h"

extern "C" {
#include "alloc.h"
#include "edits.h"
#include "stet.h"
}

namespace
{

struct Edit {
    size_t begin, end;
    std::string text;
    bool operator==(const Edit &o) const
    {
        return begin == o.begin && end == o.end && text == o.text;
    }
};

std::ostream &operator<<(std::ostream &os, const Edit &e)
{
    return os << "[" << e.begin << "," << e.end << ")->\"" << e.text << "\"";
}

steti_edits_input Input(const std::string &src, const std::vector<steti_piece> &pieces,
                        const std::vector<int32_t> &out)
{
    return {toy::Tokenizer(), src.data(), src.size(), pieces.data(),
            pieces.size(),    out.data(), out.size(), 0};
}

std::string Apply(const std::string &src, const steti_edits &edits)
{
    steti_buf b = {};
    stet_error err = {};
    err.struct_size = sizeof err;
    EXPECT_EQ(steti_edits_apply(src.data(), src.size(), &edits, 0, &b, &err), STET_OK)
        << err.message;
    std::string s(b.data == nullptr ? "" : b.data, b.len);
    steti_buf_free(&b);
    return s;
}

// Everything edits.h promises of a list.
void CheckLaws(const std::string &src, const steti_edits &e, size_t n_out)
{
    size_t pos = 0;
    for (size_t i = 0; i < e.len; i++) {
        const steti_edit &d = e.data[i];
        ASSERT_LE(d.src_begin, d.src_end);
        ASSERT_LE(d.src_end, src.size());
        ASSERT_LE(d.text_begin, d.text_end);
        ASSERT_LE(d.text_end, e.text.len);
        ASSERT_LE(d.out_first, d.out_last);
        ASSERT_LE(d.out_last, n_out);
        if (i > 0) {
            EXPECT_GT(d.src_begin, pos) << "touches or overlaps";
        }
        pos = d.src_end;
        std::string before = src.substr(d.src_begin, d.src_end - d.src_begin);
        std::string after(e.text.data == nullptr ? "" : e.text.data + d.text_begin,
                          d.text_end - d.text_begin);
        EXPECT_NE(before, after);
    }
}

std::vector<Edit> Extract(const std::string &src, const std::vector<int32_t> &out,
                          std::string *applied = nullptr)
{
    std::vector<steti_piece> pieces = toy::Encode(src);
    steti_edits_input in = Input(src, pieces, out);
    steti_edits e = {};
    stet_error err = {};
    err.struct_size = sizeof err;
    EXPECT_EQ(steti_edits_extract(&in, &e, &err), STET_OK) << err.message;
    CheckLaws(src, e, out.size());
    if (applied != nullptr) {
        *applied = Apply(src, e);
    }
    std::vector<Edit> list;
    for (size_t i = 0; i < e.len; i++) {
        const steti_edit &d = e.data[i];
        list.push_back({d.src_begin, d.src_end,
                        std::string(e.text.data + d.text_begin, d.text_end - d.text_begin)});
    }
    steti_edits_free(&e);
    return list;
}

std::string Correct(const std::string &src, const std::string &out_pieces)
{
    std::string applied;
    Extract(src, toy::Ids(out_pieces), &applied);
    return applied;
}

using List = std::vector<Edit>;

// ---- Words

TEST(Edits, EqualPiecesGiveNoEdits)
{
    for (const char *s : {"", "a", " a ", "a  b\tc", "\xC2\xBD\xEF\xAC\x81x", "a\xff\xfe b", "  ",
                          "She go to school ."}) {
        std::string src = s;
        std::vector<int32_t> ids;
        for (const steti_piece &p : toy::Encode(src)) {
            ids.push_back(p.id);
        }
        EXPECT_EQ(Extract(src, ids), List()) << src;
    }
}

TEST(Edits, OneWordIsReplaced)
{
    EXPECT_EQ(Extract("She go to school.", toy::Ids("_She _goes _to _school .")),
              (List{{4, 6, "goes"}}));
}

TEST(Edits, SubwordInsertionIsWidenedToTheWord)
{
    EXPECT_EQ(Extract("She go to", toy::Ids("_She _go es _to")), (List{{4, 6, "goes"}}));
    EXPECT_EQ(Extract("She go to", toy::Ids("_She _go ing _to")), (List{{4, 6, "going"}}));
}

TEST(Edits, SubwordDeletionIsWidenedToTheWord)
{
    EXPECT_EQ(Extract("She schools to", toy::Ids("_She _school _to")), (List{{4, 11, "school"}}));
}

TEST(Edits, InsertedWordIsAnInsertion)
{
    EXPECT_EQ(Extract("She is good", toy::Ids("_She _is _very _good")), (List{{6, 6, " very"}}));
}

TEST(Edits, DeletedWordTakesItsSpaceAlong)
{
    EXPECT_EQ(Extract("She is very good", toy::Ids("_She _is _good")), (List{{6, 11, ""}}));
    EXPECT_EQ(Correct("She is very  good", "_She _is _good"), "She is  good");
}

TEST(Edits, InsertedCommaIsAnInsertion)
{
    EXPECT_EQ(Extract("today I go", toy::Ids("_today , _I _go")), (List{{5, 5, ","}}));
}

TEST(Edits, CommaAndWordAreOneEditWhenSideBySide)
{
    EXPECT_EQ(Extract("day I go", toy::Ids("_today , _I _go")), (List{{0, 3, "today,"}}));
}

TEST(Edits, ApostropheBelongsToTheWord)
{
    EXPECT_EQ(Extract("I dont go", toy::Ids("_I _do n ' t _go")), (List{{2, 6, "don't"}}));
    EXPECT_EQ(Extract("I don't go", toy::Ids("_I _do _not _go")), (List{{2, 7, "do not"}}));
}

TEST(Edits, WordsAreJoined)
{
    EXPECT_EQ(Extract("She go to day.", toy::Ids("_She _go _today .")), (List{{7, 13, "today"}}));
    EXPECT_EQ(Extract("go to day.", toy::Ids("_go _to day .")), (List{{3, 9, "today"}}));
}

TEST(Edits, WordIsParted)
{
    EXPECT_EQ(Extract("I do alot .", toy::Ids("_I _do _a _lot _.")), (List{{5, 9, "a lot"}}));
}

TEST(Edits, SideBySideWordsAreSeparateEdits)
{
    EXPECT_EQ(Extract("He has been good", toy::Ids("_He _was _being _good")),
              (List{{3, 6, "was"}, {7, 11, "being"}}));
}

TEST(Edits, RepeatedWordIsReplacedWhereItStands)
{
    EXPECT_EQ(Extract("to to cat", toy::Ids("_The _to _cat")), (List{{0, 2, "The"}}));
    EXPECT_EQ(Extract("to to cat", toy::Ids("_to _The _cat")), (List{{3, 5, "The"}}));
}

TEST(Edits, TokensOfEachEditAreKnown)
{
    std::string src = "He has been good";
    std::vector<steti_piece> pieces = toy::Encode(src);
    std::vector<int32_t> out = toy::Ids("_He _was _being _good");
    steti_edits_input in = Input(src, pieces, out);
    steti_edits e = {};
    ASSERT_EQ(steti_edits_extract(&in, &e, nullptr), STET_OK);
    ASSERT_EQ(e.len, 2u);
    EXPECT_EQ(e.data[0].out_first, 1u);
    EXPECT_EQ(e.data[0].out_last, 2u);
    EXPECT_EQ(e.data[1].out_first, 2u);
    EXPECT_EQ(e.data[1].out_last, 3u);
    steti_edits_free(&e);
}

TEST(Edits, OffsetsCountFromTheBase)
{
    std::string src = "She go";
    std::vector<steti_piece> pieces = toy::Encode(src);
    std::vector<int32_t> out = toy::Ids("_She _goes");
    steti_edits_input in = Input(src, pieces, out);
    in.base = 100;
    steti_edits e = {};
    ASSERT_EQ(steti_edits_extract(&in, &e, nullptr), STET_OK);
    ASSERT_EQ(e.len, 1u);
    EXPECT_EQ(e.data[0].src_begin, 104u);
    EXPECT_EQ(e.data[0].src_end, 106u);
    steti_edits_free(&e);
}

TEST(Edits, ListsGrowFromSentenceToSentence)
{
    std::string text = "She go to. He have day.";
    steti_edits e = {};
    std::vector<int32_t> outs[2] = {toy::Ids("_She _goes _to ."), toy::Ids("_He _has _day .")};
    const size_t begin[2] = {0, 11}, len[2] = {10, 12};
    for (int i = 0; i < 2; i++) {
        std::string src = text.substr(begin[i], len[i]);
        std::vector<steti_piece> pieces = toy::Encode(src);
        steti_edits_input in = Input(src, pieces, outs[i]);
        in.base = begin[i];
        ASSERT_EQ(steti_edits_extract(&in, &e, nullptr), STET_OK);
    }
    EXPECT_EQ(e.len, 2u);
    EXPECT_EQ(Apply(text, e), "She goes to. He has day.");
    steti_edits_free(&e);
}

// ---- The first and the last word

TEST(Edits, FirstWordIsDeletedWithTheSpaceAfterIt)
{
    EXPECT_EQ(Correct("The cat is", "_cat _is"), "cat is");
    EXPECT_EQ(Correct("  The  cat is", "_cat _is"), "  cat is");
}

TEST(Edits, WordIsInsertedBeforeTheFirst)
{
    EXPECT_EQ(Extract("cat is", toy::Ids("_The _cat _is")), (List{{0, 0, "The "}}));
    EXPECT_EQ(Correct("  cat is", "_The _cat _is"), "  The cat is");
}

TEST(Edits, FirstWordIsReplaced)
{
    EXPECT_EQ(Extract("the cat", toy::Ids("_The _cat")), (List{{0, 3, "The"}}));
    EXPECT_EQ(Correct("\t the cat", "_The _cat"), "\t The cat");
}

TEST(Edits, WordIsAddedBeforeTrailingSpace)
{
    EXPECT_EQ(Correct("is good \n", "_is _good _today"), "is good today \n");
}
TEST(Edits, StopIsAddedBeforeTrailingSpace)
{
    EXPECT_EQ(Correct("is good \n", "_is _good ."), "is good. \n");
}
TEST(Edits, LastWordIsDeleted)
{
    EXPECT_EQ(Correct("is good very ", "_is _good"), "is good ");
}
TEST(Edits, EverythingIsDeleted)
{
    EXPECT_EQ(Correct(" is good ", ""), "  ");
}
TEST(Edits, EmptySourceIsFilled)
{
    EXPECT_EQ(Correct("", "_is _good"), "is good");
}
TEST(Edits, BlankSourceIsFilled)
{
    EXPECT_EQ(Correct(" ", "_is"), "is ");
}

// ---- White space of the source

TEST(Edits, SpaceBeforeAReplacedWordSurvives)
{
    EXPECT_EQ(Correct("She\t go  to", "_She _goes _to"), "She\t goes  to");
    EXPECT_EQ(Correct("She\xC2\xA0go\nto", "_She _goes _to"), "She\xC2\xA0goes\nto");
    EXPECT_EQ(Correct("She  go\xE3\x80\x80to", "_He _goes _to"), "He  goes\xE3\x80\x80to");
}

TEST(Edits, SpaceBetweenReplacedWordsSurvives)
{
    EXPECT_EQ(Correct("He has\t been\ngood", "_He _was _being _good"), "He was\t being\ngood");
    EXPECT_EQ(Correct("He has\t been\ngood", "_He _was _not _being _good"),
              "He was\t not being\ngood");
}

TEST(Edits, TokenisedTextStaysTokenised)
{
    EXPECT_EQ(Extract("She go to school .", toy::Ids("_She _goes _to _school _.")),
              (List{{4, 6, "goes"}}));
    EXPECT_EQ(Extract("She go , to .", toy::Ids("_She _go _to _.")), (List{{6, 8, ""}}));
    EXPECT_EQ(Extract("She is good .", toy::Ids("_She _is _good .")), (List{{11, 12, ""}}));
}

TEST(Edits, SpaceIsAddedAfterAComma)
{
    EXPECT_EQ(Correct("a,b", "_a , _b"), "a, b");
    EXPECT_EQ(Correct("(a )", "_( a )"), "(a)");
}

// ---- What the tokenizer normalised

TEST(Edits, FullWidthWordsStayWhenOthersChange)
{
    const std::string wide_a = "\xEF\xBD\x81"; // full-width a
    EXPECT_EQ(Correct(wide_a + " go", "_a _goes"), wide_a + " goes");
}

TEST(Edits, OtherPiecesOfTheSameTextAreNoEdit)
{
    EXPECT_EQ(Extract("abc is", toy::Ids("_ab c _is")), List());
    EXPECT_EQ(Extract("\xEF\xBD\x81"
                      "bc is",
                      toy::Ids("_ab c _is")),
              List()); // full-width a again
}

TEST(Edits, CharacterOfSeveralPiecesChangesAsAWhole)
{
    EXPECT_EQ(Correct("\xC2\xBD x", "_1 \xE2\x81\x84 3 _x"), "1\xE2\x81\x84"
                                                             "3 x");
    EXPECT_EQ(Correct("a \xC2\xBD x", "_a _2 \xE2\x81\x84 2 _x"), "a 2\xE2\x81\x84"
                                                                  "2 x");
    EXPECT_EQ(Correct("x \xC2\xBD", "_y _1 \xE2\x81\x84 2"), "y \xC2\xBD");
}

TEST(Edits, LigatureIsKeptInAnUntouchedWord)
{
    EXPECT_EQ(Correct("\xEF\xAC\x81x go", "_fi x _goes"), "\xEF\xAC\x81x goes");
}

// ---- Unknown pieces and invalid bytes

TEST(Edits, UnknownPieceKeepsTheSourceBytes)
{
    EXPECT_EQ(Correct("She \xF0\x9F\x98\x80 go", "_She _ <unk> _goes"),
              "She \xF0\x9F\x98\x80 goes");
    EXPECT_EQ(Correct("a\xff\xc3 go", "_a <unk> _goes"), "a\xff\xc3 goes");
}

TEST(Edits, UnknownPieceWithoutPartnerDropsTheEdit)
{
    EXPECT_EQ(Extract("She go to", toy::Ids("_She <unk> _to")), List());
    EXPECT_EQ(Extract("She go", toy::Ids("_She _go <unk>")), List());
    EXPECT_EQ(Correct("She go to go", "_She <unk> _to _goes"), "She go to goes");
}

TEST(Edits, UnknownPieceDropsTheWholeWordsEdit)
{
    // One half of the word is known, the other is not: nothing of it may change.
    EXPECT_EQ(Extract("She xab to", toy::Ids("_She _y a <unk> b _to")), List());
}

TEST(Edits, InvalidBytesAreNotWidenedOver)
{
    EXPECT_EQ(Extract("a\xff"
                      "b go",
                      toy::Ids("_a <unk> c _go")),
              (List{{2, 3, "c"}}));
    EXPECT_EQ(Extract("a\xff"
                      "b go",
                      toy::Ids("_x <unk> b _go")),
              (List{{0, 1, "x"}}));
}

TEST(Edits, InvalidBytesTheModelDeletesAreDeleted)
{
    EXPECT_EQ(Correct("a\xff go", "_a _go"), "a go");
}

TEST(Edits, ControlIdsWriteNothing)
{
    EXPECT_EQ(Extract("She go", toy::Ids("_She </s> _go")), List());
}

// Padding of the embedding table: the model may say it, the tokenizer cannot write it.
TEST(Edits, IdBehindTheVocabularyIsUnknown)
{
    std::string src = "a b";
    std::vector<steti_piece> pieces = toy::Encode(src);
    std::vector<int32_t> out = {1000};
    steti_edits_input in = Input(src, pieces, out);
    steti_edits e = {};
    EXPECT_EQ(steti_edits_extract(&in, &e, nullptr), STET_OK);
    EXPECT_EQ(e.len, 0u);
    EXPECT_EQ(e.text.len, 0u);
    steti_edits_free(&e);
}

// ---- Any source, any output

std::string RandomSource(std::mt19937 &rng)
{
    static const char *const parts[] = {"a",
                                        "b",
                                        "c",
                                        "ab",
                                        "abc",
                                        " ",
                                        "  ",
                                        "\t",
                                        "\n",
                                        "\xC2\xA0",
                                        "\xE3\x80\x80",
                                        ".",
                                        ",",
                                        "'",
                                        "go",
                                        "goes",
                                        " day",
                                        " has been",
                                        "\xEF\xBD\x81",
                                        "x",
                                        "y1",
                                        "\xC2\xBD",
                                        "\xEF\xAC\x81",
                                        "\xC3\xA9",
                                        " I ",
                                        "(",
                                        ")",
                                        "do"};
    static const char *const hostile[] = {
        "\xff", "\xC3", "\xE2\x82", "\xF0\x9F\x98\x80", "\xE4\xB8\xAD", "\xE2\x96\x81"};
    std::string s;
    size_t n = rng() % 14;
    for (size_t i = 0; i < n; i++) {
        s += rng() % 40 == 0 ? hostile[rng() % 6] : parts[rng() % (sizeof parts / sizeof *parts)];
    }
    return s;
}

// The text as the model sees it. A mark in the text itself is a space for the model.
std::vector<std::string> Words(const std::string &text)
{
    std::string s = toy::Normalize(text);
    for (size_t at; (at = s.find("\xE2\x96\x81")) != std::string::npos;) {
        s.replace(at, 3, " ");
    }
    std::istringstream in(s);
    std::vector<std::string> words;
    for (std::string w; in >> w;) {
        words.push_back(w);
    }
    return words;
}

std::vector<int32_t> Mutate(const std::vector<steti_piece> &pieces, std::mt19937 &rng,
                            bool with_unknown)
{
    std::vector<int32_t> out;
    auto any = [&] {
        return static_cast<int32_t>(rng() % static_cast<unsigned>(toy::VocabSize() - 1)) + 1;
    };
    unsigned rate = rng() % 4 + 1;
    for (const steti_piece &p : pieces) {
        unsigned what = rng() % 10 < rate ? rng() % 4 : 3;
        if (what == 0) {
            continue;
        }
        if (what == 1) {
            out.push_back(any());
        }
        out.push_back(what == 2 ? any() : p.id);
        if (out.back() == toy::kUnk && !with_unknown) {
            out.pop_back();
        }
    }
    if (rng() % 5 == 0) {
        out.push_back(with_unknown && rng() % 2 ? toy::kUnk : any());
    }
    return out;
}

TEST(Edits, AppliedEditsAreTheDecodedOutput)
{
    std::mt19937 rng(1);
    for (int i = 0; i < 15000 && !::testing::Test::HasFailure(); i++) {
        std::string src = RandomSource(rng), applied;
        std::vector<int32_t> out = Mutate(toy::Encode(src), rng, false);
        List list = Extract(src, out, &applied);
        EXPECT_EQ(Words(applied), Words(toy::Decode(out)))
            << "source '" << src << "' applied '" << applied << "' try " << i << " "
            << ::testing::PrintToString(list);
    }
}

TEST(Edits, AnyOutputGivesALawfulList)
{
    std::mt19937 rng(2);
    for (int i = 0; i < 15000 && !::testing::Test::HasFailure(); i++) {
        std::string src = RandomSource(rng), applied;
        std::vector<int32_t> out = Mutate(toy::Encode(src), rng, true);
        Extract(src, out, &applied);
        EXPECT_EQ(applied.find("\xE2\x81\x87"), std::string::npos) << src; // the mark of <unk>
    }
}

TEST(Edits, WhiteSpaceOfTheSourceIsNeverInvented)
{
    // Where source and output have the same words but one, all white space stays.
    std::mt19937 rng(3);
    static const char *const gaps[] = {" ", "  ", "\t", "\n", "\xC2\xA0", " \n "};
    static const char *const words[] = {"She", "go", "to", "school", "day", "cat", "a"};
    for (int i = 0; i < 5000; i++) {
        std::string src, expected, clean;
        size_t n = 2 + rng() % 6, changed = rng() % n;
        for (size_t k = 0; k < n; k++) {
            std::string gap = k ? gaps[rng() % 6] : "", word = words[rng() % 7];
            src += gap + word;
            expected += gap + (k == changed ? "being" : word);
            clean += (k ? " " : "") + (k == changed ? std::string("being") : word);
        }
        std::vector<int32_t> out;
        for (const steti_piece &p : toy::Encode(clean)) {
            out.push_back(p.id);
        }
        std::string applied;
        Extract(src, out, &applied);
        ASSERT_EQ(applied, expected) << src;
    }
}

TEST(Edits, ThousandsOfTokensOfWhichManyDiffer)
{
    std::mt19937 rng(4);
    std::string src;
    for (int i = 0; i < 4000; i++) {
        src += rng() % 2 ? " a" : " b";
    }
    std::vector<int32_t> out = Mutate(toy::Encode(src), rng, false);
    std::string applied;
    Extract(src, out, &applied);
    EXPECT_EQ(toy::Normalize(applied), toy::Normalize(toy::Decode(out)));
}

TEST(Edits, OneVeryLongWord)
{
    std::string src;
    for (int i = 0; i < 20000; i++) {
        src += "ab"[i % 2];
    }
    std::vector<int32_t> out;
    for (const steti_piece &p : toy::Encode(src)) {
        out.push_back(out.size() % 100 == 50 ? toy::Id("c") : p.id);
    }
    List list = Extract(src, out);
    ASSERT_EQ(list.size(), 1u); // one word, one edit
    EXPECT_EQ(list[0].text, toy::Decode(out));
}

TEST(Edits, EveryAllocationFailureIsReported)
{
    std::string src = "She go\t to day. I dont go";
    std::vector<steti_piece> pieces = toy::Encode(src);
    std::vector<int32_t> out = toy::Ids("_He _has _not _today , _I _do n ' t _the _going");
    steti_edits_input in = Input(src, pieces, out);
    for (int sticky = 0; sticky < 2; sticky++) {
        steti_alloc_stats before, after;
        steti_alloc_get_stats(&before);
        int failures = 0;
        stet_status s = STET_E_NOMEM;
        for (uint64_t n = 1; n < 200 && s != STET_OK; n++) {
            steti_edits e = {};
            steti_buf applied = {};
            steti_alloc_fail_nth(n, sticky);
            s = steti_edits_extract(&in, &e, nullptr);
            if (s != STET_OK) {
                EXPECT_EQ(e.len, 0u);
                EXPECT_EQ(e.text.len, 0u);
            } else {
                s = steti_edits_apply(src.data(), src.size(), &e, 0, &applied, nullptr);
                EXPECT_EQ(s != STET_OK, applied.len == 0);
            }
            steti_alloc_fail_nth(0, 0);
            failures += s == STET_E_NOMEM;
            EXPECT_TRUE(s == STET_OK || s == STET_E_NOMEM);
            steti_edits_free(&e);
            steti_buf_free(&applied);
            steti_alloc_get_stats(&after);
            EXPECT_EQ(after.live_count, before.live_count);
        }
        EXPECT_EQ(s, STET_OK);
        EXPECT_GE(failures, 8);
    }
}

TEST(Edits, ApplyRefusesEditsThatDoNotFit)
{
    steti_edit bad[3] = {{2, 1, 0, 0, 0, 0}, {0, 9, 0, 0, 0, 0}, {0, 2, 0, 0, 0, 0}};
    for (size_t first = 0; first < 2; first++) {
        steti_edits e = {};
        e.data = bad + first;
        e.len = e.cap = 1;
        steti_buf b = {};
        EXPECT_EQ(steti_edits_apply("abc", 3, &e, 0, &b, nullptr), STET_E_INVALID);
        EXPECT_EQ(b.len, 0u);
        steti_buf_free(&b);
    }
}

TEST(Edits, FreeIsLegalOnAZeroedListAndTwice)
{
    steti_edits e = {};
    steti_edits_free(&e);
    steti_edits_free(&e);
}

} // namespace
