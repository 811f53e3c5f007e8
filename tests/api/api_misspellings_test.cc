// Folders with a misspellings.table: the model reads what was meant, edits are those of what is
// written.
#include <algorithm>
#include <random>

#include "folder_fixture.h"
#include "misspellings_builder.h"
#include "quantize_fixture.h"

using namespace stet_test;

namespace
{

// ---- Texts, as written and as they are read -----------------------------------------------------

const Rows &rows()
{
    static const Rows list = {{"bcae", "bace"},    {"dfio", "difo"},      {"guah", "guha"},
                              {"jekii", "jeki"},   {"bacedifo", "ba ce"}, {"lmou", "lomu"},
                              {"xq", "vawexi"},    {"yozzu", "yozu"},     {"bb", "b"},
                              {"k\xC3\xA4", "ki"}, {"pe", "na"}};
    return list;
}

struct Pair {
    std::string written, meant;
};

// One sentence of `most` words or less; a first word with a capital letter counts, others do not.
Pair random_pair(std::mt19937 &rng, unsigned most = 8)
{
    static const char *const known[] = {"ba", "ce", "difo", "guha", "Bcae", "12", "x"};
    static const char *const around[] = {"_ ",     "_ ",   "_ ",  "_, ",
                                         "\"_\" ", "(_) ", "_\t", "_-lomu "};
    Pair p;
    for (unsigned n = 1 + rng() % most; n > 0; n--) {
        auto row = std::next(rows().begin(), static_cast<long>(rng() % rows().size()));
        bool is_known = rng() % 2 != 0;
        std::string word = is_known ? known[rng() % 7] : row->first,
                    meant = is_known ? word : row->second;
        if (p.written.empty() && rng() % 2 != 0) {
            word[0] = static_cast<char>(std::toupper(word[0]));
            meant[0] = static_cast<char>(std::toupper(meant[0]));
        }
        meant = p.written.empty() && word == "Bcae" ? "Bace" : meant;
        std::string pattern = around[rng() % std::size(around)];
        size_t at = pattern.find('_');
        p.written += pattern.substr(0, at) + word + pattern.substr(at + 1);
        p.meant += pattern.substr(0, at) + meant + pattern.substr(at + 1);
    }
    p.written.pop_back();
    p.meant.pop_back();
    return p;
}

struct Folder : ModelFolder {
    explicit Folder(const std::string &name = "hf-t5-c", const Rows &list = rows())
        : ModelFolder(name)
    {
        write_text(path + "/misspellings.table", table_bytes(list));
    }
};

// The same folder with its table and without, and its tokenizer.
struct Both {
    explicit Both(const std::string &name = "hf-t5-c", const Rows &list = rows())
        : folder(name, list), with(folder.path), without(fixture(name)), t(folder.path)
    {
        EXPECT_EQ(with.status, STET_OK) << with.err.message;
        EXPECT_EQ(without.status, STET_OK) << without.err.message;
    }
    Folder folder;
    FolderModel with, without;
    Tokenizer t;
};

// All that a caller sees, but times.
std::string all_of(const Result &r)
{
    std::ostringstream s;
    s << r.text() << "|" << std::hexfloat;
    for (const stet_edit &e : r.edits(STET_UNIT_BYTE)) {
        s << e.src_off << "+" << e.src_len << ">" << std::string(e.text, e.text_len) << "@"
          << e.score << " ";
    }
    for (const stet_sentence &x : r.sentences()) {
        s << "|" << x.src_off << "+" << x.src_len << " " << x.source_tokens << ">"
          << x.output_tokens << "@" << x.score;
    }
    return s.str();
}

// ---- What the model reads -----------------------------------------------------------------------

// A sentence's outcome is that of what was meant, and its edits are those of what is written.
size_t expect_meant(const Both &b, const Engine &with, const Engine &without, const Pair &p)
{
    Result r = correct_with(with, p.written, nullptr),
           want = correct_with(without, p.meant, nullptr);
    EXPECT_EQ(r.sentences().size(), 1u);
    EXPECT_EQ(want.sentences().size(), 1u);
    stet_sentence x = r.sentences().at(0), y = want.sentences().at(0);
    Answer a = answer_to(with, b.t.ids(p.meant));
    EXPECT_EQ(x.score, y.score);
    EXPECT_EQ(x.output_tokens, y.output_tokens);
    EXPECT_EQ(x.source_tokens, y.source_tokens);
    EXPECT_EQ(x.score, a.sentence.score);
    EXPECT_EQ(x.output_tokens, a.tokens.size());
    EXPECT_EQ(r.stats().verified, 1u);
    expect_edits_make(r, p.written);
    if (a.unfinished != 0) {
        EXPECT_EQ(r.text(), p.written);
        return 0;
    }
    if (!b.t.can_write(a.tokens)) {
        return 0;
    }
    EXPECT_EQ(words(r.text()), words(b.t.text(a.tokens)));
    EXPECT_EQ(words(r.text()), words(want.text()));
    return 1;
}

TEST(ApiMisspellings, TheModelReadsWhatWasMeant)
{
    for (const char *name : {"hf-t5-c", "transformer-pre"}) {
        Both b(name);
        size_t written = 0;
        for (const char *policy : {"edit", "tree", "sad", "none"}) {
            Options o = {{"scores", "1"}, {"draft", policy}, {"verify", "1"}};
            Engine with(b.with.handle, o), without(b.without.handle, o);
            ASSERT_EQ(with.status, STET_OK) << with.err.message;
            std::mt19937 rng(1);
            for (int i = 0; i < 40; i++) {
                Pair p = random_pair(rng);
                SCOPED_TRACE(std::string(name) + "|" + policy + "|" + p.written);
                written += expect_meant(b, with, without, p);
            }
        }
        EXPECT_GT(written, 40u) << name;
    }
}

TEST(ApiMisspellings, TurnedOffTheModelReadsWhatIsWritten)
{
    Both b;
    Engine off(b.with.handle, {{"scores", "1"}, {"misspellings", "0"}}),
        on(b.with.handle, {{"scores", "1"}, {"misspellings", "1"}}),
        usual(b.with.handle, {{"scores", "1"}}), without(b.without.handle, {{"scores", "1"}});
    std::mt19937 rng(2);
    size_t differ = 0;
    for (int i = 0; i < 40; i++) {
        std::string text = random_pair(rng).written;
        std::string want = all_of(correct(without, text));
        EXPECT_EQ(all_of(correct(off, text)), want);
        EXPECT_EQ(all_of(correct(on, text)), all_of(correct(usual, text)));
        differ += all_of(correct(usual, text)) != want;
    }
    EXPECT_GT(differ, 20u);
}

TEST(ApiMisspellings, InCompanyAsAlone)
{
    Both b("transformer-pre");
    Engine one(b.with.handle, {{"scores", "1"}, {"batch_size", "1"}}),
        many(b.with.handle, {{"scores", "1"}, {"batch_size", "8"}, {"verify", "1"}});
    std::mt19937 rng(3);
    std::vector<std::string> texts(24);
    std::vector<stet_request> list;
    for (auto &text : texts) {
        for (unsigned n = 1 + rng() % 3; n > 0; n--) {
            text += random_pair(rng).written + ".\n";
        }
        list.push_back(request(text));
    }
    std::vector<stet_result *> out(list.size());
    Error err;
    ASSERT_EQ(stet_correct_batch(many.handle, list.data(), list.size(), out.data(), nullptr, &err),
              STET_OK)
        << err.message;
    for (size_t i = 0; i < list.size(); i++) {
        Result r(out[i]);
        EXPECT_EQ(all_of(r), all_of(correct(one, texts[i])));
        expect_edits_make(r, texts[i]);
    }
}

// In a sentence with misspellings the model's edits are made all or none; without, one by one.
TEST(ApiMisspellings, EditsAreScoredAndLeftOut)
{
    Both b;
    Engine all(b.with.handle, {{"scores", "1"}}),
        some(b.with.handle, {{"min_edit_score", "-0.25"}}),
        none(b.with.handle, {{"min_edit_score", "0"}});
    std::mt19937 rng(4);
    size_t kept = 0, left = 0, mended = 0;
    for (int i = 0; i < 120; i++) {
        Pair p = random_pair(rng);
        std::string text = i % 3 == 0 ? p.meant : p.written;
        bool is_mended = text != p.meant;
        Result r = correct(all, text), fewer = correct(some, text), least = correct(none, text);
        auto edits = r.edits(STET_UNIT_BYTE), few = fewer.edits(STET_UNIT_BYTE);
        auto is_left = [](const stet_edit &e) { return e.score < -0.25f; };
        bool is_any_left = std::any_of(edits.begin(), edits.end(), is_left);
        expect_edits_make(fewer, text);
        expect_edits_make(least, text);
        if (is_mended && is_any_left) {
            EXPECT_EQ(words(fewer.text()), words(p.meant)) << text;
            EXPECT_EQ(least.text(), fewer.text());
            for (const stet_edit &e : few) {
                EXPECT_EQ(e.score, 0.0f);
            }
            mended++;
            continue;
        }
        edits.erase(std::remove_if(edits.begin(), edits.end(), is_left), edits.end());
        ASSERT_EQ(few.size(), edits.size());
        for (size_t k = 0; k < few.size(); k++) {
            EXPECT_EQ(few[k].src_off, edits[k].src_off);
            EXPECT_EQ(few[k].score, edits[k].score);
            EXPECT_EQ(std::string(few[k].text, few[k].text_len),
                      std::string(edits[k].text, edits[k].text_len));
        }
        kept += few.size();
        left += is_any_left;
    }
    EXPECT_GT(kept, 0u);
    EXPECT_GT(left, 0u);
    EXPECT_GT(mended, 0u);
}

TEST(ApiMisspellings, TokensAreReadAsTheyAre)
{
    Both b;
    Engine with(b.with.handle), without(b.without.handle);
    std::mt19937 rng(5);
    for (int i = 0; i < 30; i++) {
        std::vector<int32_t> ids = b.t.ids(random_pair(rng).written);
        EXPECT_EQ(answer_to(with, ids).tokens, answer_to(without, ids).tokens);
    }
}

// ---- Prompts ------------------------------------------------------------------------------------

class MisspellingKinds : public ::testing::TestWithParam<size_t>
{
};

// Whatever the border between both: the outcome is that of the prompt and what was meant as one
// string. "bb" becomes "b", of which a prompt's "x" makes one piece.
TEST_P(MisspellingKinds, BehindAPrompt)
{
    Folder folder;
    kinds()[GetParam()].change(folder);
    FolderModel m(folder.path);
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    Tokenizer t(folder.path);
    Engine g(m.handle, {{"scores", "1"}, {"verify", "1"}});
    std::mt19937 rng(6);
    std::vector<Pair> texts = {
        {"bb", "b"}, {"Bcae", "Bace"}, {"bb bb", "b b"}, {"bacedifo", "ba ce"}};
    while (texts.size() < 16) {
        texts.push_back(random_pair(rng, 5));
    }
    for (const char *prompt : {"grammar: ", "fix:", "bcae ", "so tu  ", "bcae", "di x", "a:"}) {
        for (const Pair &p : texts) {
            SCOPED_TRACE(std::string(prompt) + "|" + p.written);
            Result r = correct_with(g, p.written, prompt);
            ASSERT_EQ(r.sentences().size(), 1u);
            Answer a = answer_to(g, t.ids(prompt + p.meant));
            EXPECT_EQ(r.sentences()[0].score, a.sentence.score);
            EXPECT_EQ(r.sentences()[0].output_tokens, a.tokens.size());
            expect_edits_make(r, p.written);
            if (a.unfinished == 0 && t.can_write(a.tokens)) {
                EXPECT_EQ(words(r.text()), words(t.text(a.tokens)));
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, MisspellingKinds, ::testing::Values(0u, 1u, 2u),
                         [](const auto &p) { return kinds()[p.param].name; });

// ---- Long texts ---------------------------------------------------------------------------------

// Every part is mended by itself; only the first begins a sentence.
TEST(ApiMisspellings, PartsOfALongSentence)
{
    Both b;
    Engine g(b.with.handle, {{"max_input_length", "24"}, {"scores", "1"}});
    std::string text;
    for (int i = 0; i < 60; i++) {
        text += i % 3 == 2 ? "dfio " : "Bcae ";
    }
    text.pop_back();
    Result r = correct_with(g, text, nullptr);
    auto parts = r.sentences();
    ASSERT_GT(parts.size(), 5u);
    uint64_t at = 0;
    for (const stet_sentence &s : parts) {
        EXPECT_EQ(s.src_off, at);
        at += s.src_len;
        std::string meant = text.substr(s.src_off, s.src_len);
        for (size_t k; (k = meant.find("dfio")) != std::string::npos;) {
            meant.replace(k, 4, "difo");
        }
        meant = s.src_off == 0 ? "Bace" + meant.substr(4) : meant;
        std::vector<int32_t> source = b.t.ids(meant);
        ASSERT_LE(source.size(), 24u);
        EXPECT_EQ(s.source_tokens, source.size());
        EXPECT_EQ(s.score, answer_to(g, source).sentence.score);
    }
    EXPECT_EQ(at, text.size());
    expect_edits_make(r, text);
}

// A text of several sentences: each has a beginning of its own.
TEST(ApiMisspellings, EverySentenceHasABeginning)
{
    Both b;
    Engine with(b.with.handle, {{"scores", "1"}}), without(b.without.handle, {{"scores", "1"}});
    Result r = correct(with, "Bcae dfio. Guah Bcae!\nBcae lomu");
    auto got = r.sentences(),
         want = correct(without, "Bace difo. Guha Bcae!\nBace lomu").sentences();
    ASSERT_EQ(got.size(), 3u);
    ASSERT_EQ(want.size(), 3u);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_EQ(got[i].score, want[i].score);
        EXPECT_EQ(got[i].src_off, want[i].src_off); // these misspellings are as long as their words
    }
}

// More tokens than max_input_length, or more bytes than are kept for so many.
TEST(ApiMisspellings, WhatWouldGetTooLongIsReadAsItIsWritten)
{
    std::string tokens, bytes(255, 'y');
    for (int i = 0; i < 12; i++) {
        tokens += i % 2 == 0 ? "q9" : "Zk";
    }
    Both b("hf-t5-c", {{"ce", tokens}, {"di", bytes}, {"dfio", "difo"}});
    ASSERT_GT(b.t.ids(tokens).size(), 8u);
    Options o = {{"scores", "1"}, {"max_input_length", "8"}};
    Engine with(b.with.handle, o), without(b.without.handle, o),
        longer(b.with.handle, {{"scores", "1"}, {"max_input_length", "400"}});
    for (std::string text : {"ba ce", "ba di", "ce", "di", "ba ce di"}) {
        EXPECT_EQ(all_of(correct(with, text)), all_of(correct(without, text))) << text;
        EXPECT_NE(all_of(correct(longer, text)), all_of(correct(without, text))) << text;
    }
    EXPECT_EQ(correct(with, "ba dfio").sentences().at(0).score,
              correct(without, "ba difo").sentences().at(0).score);
}

// ---- Options, memory and files ------------------------------------------------------------------

TEST(ApiMisspellings, OtherValuesAreRefused)
{
    Both b;
    for (const char *value : {"2", "", "on", "01"}) {
        for (stet_model *m : {b.with.handle, b.without.handle}) {
            Engine g(m, {{"misspellings", value}});
            EXPECT_EQ(g.status, STET_E_INVALID) << value;
            EXPECT_NE(std::string(g.err.message).find("misspellings"), std::string::npos)
                << g.err.message;
        }
    }
}

size_t needed(stet_model *m, Options o)
{
    o.push_back({"memory_limit", "1"});
    Engine g(m, o);
    EXPECT_EQ(g.status, STET_E_NOMEM);
    std::string text = g.err.message, before = "bytes, but ";
    size_t at = text.find(before);
    EXPECT_NE(at, std::string::npos) << text;
    return at == std::string::npos ? 0 : std::stoull(text.substr(at + before.size()));
}

TEST(ApiMisspellings, MemoryLimitCountsTheRoom)
{
    Both b;
    Folder empty("hf-t5-c", {});
    FolderModel none(empty.path);
    ASSERT_EQ(none.status, STET_OK) << none.err.message;
    for (const char *length : {"8", "70"}) {
        Options o = {{"max_input_length", length}},
                off = {{"max_input_length", length}, {"misspellings", "0"}};
        size_t plain = needed(b.without.handle, o), more = needed(b.with.handle, o);
        size_t table = table_bytes(rows()).size();
        EXPECT_GE(more, plain + table + 16 * std::stoull(length));
        EXPECT_EQ(needed(b.with.handle, off), plain + table);
        EXPECT_EQ(needed(none.handle, o), plain + table_bytes({}).size());
        std::string limit = std::to_string(more), less = std::to_string(more - 1);
        o.push_back({"memory_limit", limit.c_str()});
        Engine g(b.with.handle, o);
        ASSERT_EQ(g.status, STET_OK) << g.err.message;
        Result r = correct(g, "Bcae dfio");
        expect_edits_make(r, "Bcae dfio");
        o.back().value = less.c_str();
        EXPECT_EQ(Engine(b.with.handle, o).status, STET_E_NOMEM);
    }
}

TEST(ApiMisspellings, ABrokenTableIsRefused)
{
    Folder folder;
    std::string file = folder.path + "/misspellings.table", whole = read_text(file);
    for (const std::string &bytes :
         {whole.substr(0, whole.size() - 1), std::string(), std::string("teh the\n")}) {
        write_text(file, bytes);
        FolderModel m(folder.path);
        EXPECT_EQ(m.status, STET_E_FORMAT);
        EXPECT_EQ(m.handle, nullptr);
        EXPECT_NE(std::string(m.err.message).find(file + ": "), std::string::npos) << m.err.message;
    }
    std::filesystem::remove(file);
    std::filesystem::create_directory(file);
    FolderModel m(folder.path);
    EXPECT_EQ(m.status, STET_E_IO);
    EXPECT_NE(std::string(m.err.message).find(file + ": "), std::string::npos) << m.err.message;
}

TEST(ApiMisspellings, QuantizedFoldersHaveTheTable)
{
    Folder folder;
    for (const char *type : {"int8", "float32"}) {
        Quantized q(folder.path, type);
        ASSERT_EQ(q.status, STET_OK) << q.err.message;
        EXPECT_EQ(read_text(q.path + "/misspellings.table"),
                  read_text(folder.path + "/misspellings.table"));
        FolderModel m(q.path);
        ASSERT_EQ(m.status, STET_OK) << m.err.message;
        Engine g(m.handle, {{"scores", "1"}}),
            off(m.handle, {{"scores", "1"}, {"misspellings", "0"}});
        EXPECT_EQ(correct(g, "Bcae dfio").sentences().at(0).score,
                  correct(off, "Bace difo").sentences().at(0).score);
    }
}

} // namespace
