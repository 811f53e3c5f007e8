// Instructions in front of sentences: read by the model, kept out of drafts, offsets and edits.
#include <array>
#include <fstream>
#include <sstream>

#include "async_fixture.h"
#include "folder_fixture.h"

using namespace stet_test;

namespace
{

// ---- What transformers does ---------------------------------------------------------------------

struct Line {
    std::string prompt, text;
    std::vector<int32_t> source, out;
};

std::vector<int32_t> numbers(const std::string &text)
{
    std::istringstream in(text);
    return {std::istream_iterator<int32_t>(in), std::istream_iterator<int32_t>()};
}

const std::vector<Line> &fixture_lines()
{
    static const std::vector<Line> lines = [] {
        std::ifstream in(fixture("prompts/t5_prompts.tsv"));
        std::vector<Line> list;
        for (std::string line; std::getline(in, line);) {
            std::istringstream fields(line);
            std::array<std::string, 4> f;
            for (auto &field : f) {
                std::getline(fields, field, '\t');
            }
            list.push_back({f[0], f[1], numbers(f[2]), numbers(f[3])});
        }
        return list;
    }();
    return lines;
}

constexpr size_t longest_out = 24; // of the fixture

TEST(ApiPrompt, OutputsAreThoseOfTransformers)
{
    Model m("hf-t5-c");
    Engine g(m.handle, {{"scores", "1"}});
    Tokenizer t(fixture("hf-t5-c"));
    size_t n_edits = 0, finished = 0;
    ASSERT_GT(fixture_lines().size(), 50u);
    for (const Line &line : fixture_lines()) {
        SCOPED_TRACE(line.prompt + "|" + line.text);
        ASSERT_EQ(t.ids(line.prompt + line.text), line.source);
        Answer a = answer_to(g, line.source);
        ASSERT_EQ(a.tokens, line.out);
        Result r = correct_with(g, line.text, line.prompt.c_str());
        EXPECT_EQ(r.sentences().at(0).output_tokens, line.out.size());
        EXPECT_EQ(r.sentences().at(0).score, a.sentence.score);
        expect_edits_make(r, line.text);
        n_edits += r.edits(STET_UNIT_BYTE).size();
        finished += a.unfinished == 0 && line.out.size() < longest_out;
        if (a.unfinished == 0 && t.can_write(line.out)) {
            EXPECT_EQ(words(r.text()), words(t.text(line.out)));
        }
    }
    EXPECT_GT(n_edits, 10u);
    EXPECT_GT(finished, 20u);
}

// ---- Every kind of tokenizer --------------------------------------------------------------------

class PromptKinds : public ::testing::TestWithParam<size_t>
{
  protected:
    PromptKinds() : folder("hf-t5-c")
    {
        kinds()[GetParam()].change(folder);
    }
    ModelFolder folder;
};

// The last but one ends in a piece that spans the border, "xb" or ":b".
const char *const prompts[] = {"grammar: ", "fix:", "ba", "so tu  ", "\xC3\xA4 ", "di x", "a:"};
const char *const sentences[] = {"bace difo guha.", "ba ce",  "  ba  ce di ",        "b",
                                 "difo\tba ce ba",  "Xe:ba.", "\xCC\x81 ba \xC3\xA4"};

TEST_P(PromptKinds, TheOutputIsThatOfBothAsOneString)
{
    FolderModel m(folder.path);
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    Tokenizer t(folder.path);
    size_t written = 0;
    for (const char *policy : {"edit", "tree", "sad", "none"}) {
        Engine g(m.handle, {{"scores", "1"}, {"draft", policy}, {"verify", "1"}});
        ASSERT_EQ(g.status, STET_OK) << g.err.message;
        for (const char *prompt : prompts) {
            for (std::string text : sentences) {
                SCOPED_TRACE(std::string(policy) + "|" + prompt + "|" + text);
                Result r = correct_with(g, text, prompt);
                ASSERT_EQ(r.sentences().size(), 1u);
                stet_sentence part = r.sentences()[0]; // without space around it
                Answer a = answer_to(g, t.ids(prompt + text.substr(part.src_off, part.src_len)));
                EXPECT_EQ(r.sentences()[0].output_tokens, a.tokens.size());
                EXPECT_EQ(r.sentences()[0].score, a.sentence.score);
                EXPECT_EQ(r.stats().verified, 1u);
                expect_edits_make(r, text);
                if (a.unfinished == 0 && t.can_write(a.tokens)) {
                    EXPECT_EQ(words(r.text()), words(t.text(a.tokens)));
                    written++;
                } else if (a.unfinished != 0) {
                    EXPECT_EQ(r.text(), text);
                }
            }
        }
    }
    EXPECT_GT(written, 20u);
}

TEST_P(PromptKinds, TheDraftIsTheSentence)
{
    FolderModel m(folder.path);
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    Tokenizer t(folder.path);
    Engine g(m.handle, {{"draft", "sad"}, {"draft_window", "0"}});
    std::string prompt = "grammar: ", text = "di";
    Result r = correct_with(g, text, prompt.c_str());
    EXPECT_LE(r.sentences()[0].source_tokens, t.ids(" di").size());
    EXPECT_GE(r.sentences()[0].source_tokens, 1u);
    EXPECT_LT(r.sentences()[0].source_tokens, t.ids(prompt + text).size());
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, PromptKinds, ::testing::Values(0u, 1u, 2u),
                         [](const auto &p) { return kinds()[p.param].name; });

// ---- Who says which -----------------------------------------------------------------------------

// What an engine with these options makes of a text tells which prompt it has.
std::vector<uint64_t> trace_of(const Engine &g, const char *prompt = nullptr)
{
    std::vector<uint64_t> out;
    for (const char *text : {"bace difo guha.", "lomu yozu pe jeki ce mu", "Jeki nape."}) {
        Result r = correct_with(g, text, prompt);
        float score = r.sentences().at(0).score;
        uint32_t bits;
        static_assert(sizeof bits == sizeof score, "the bits of a score");
        std::memcpy(&bits, &score, sizeof bits);
        out.push_back(bits);
    }
    return out;
}

TEST(ApiPrompt, RequestBeforeOptionBeforeFolder)
{
    ModelFolder folder("hf-t5-c");
    FolderModel plain(folder.path);
    Engine bare(plain.handle, {{"scores", "1"}});
    auto none = trace_of(bare), ba = trace_of(bare, "ba "), so = trace_of(bare, "so "),
         guha = trace_of(bare, "guha: ");
    ASSERT_TRUE(none != ba && ba != so && so != guha && none != guha);
    write_text(folder.path + "/stet.json", "{\"prompt\": \"ba \"}");
    folder.config.insert(folder.config.find('{') + 1,
                         "\"task_specific_params\":{\"a\":{\"prefix\":\"so \",\"x\":1},\"b\":"
                         "{\"num_beams\":4},\"c\":{\"prefix\":\"guha: \"}},");
    folder.save();
    FolderModel m(folder.path);
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    Options scores = {{"scores", "1"}};
    auto engine_with = [&](const char *key, const char *value) {
        return std::make_unique<Engine>(m.handle, Options{{"scores", "1"}, {key, value}});
    };
    Engine usual(m.handle, scores);
    EXPECT_EQ(trace_of(usual), ba);
    EXPECT_EQ(trace_of(usual, "so "), so);
    EXPECT_EQ(trace_of(usual, ""), none);
    EXPECT_EQ(trace_of(*engine_with("prompt", "so ")), so);
    EXPECT_EQ(trace_of(*engine_with("prompt", "")), none);
    EXPECT_EQ(trace_of(*engine_with("task", "a")), so);
    auto c = engine_with("task", "c");
    EXPECT_EQ(trace_of(*c), guha);
    EXPECT_EQ(trace_of(*c, "ba "), ba);
    auto unknown = engine_with("task", "b");
    EXPECT_EQ(unknown->status, STET_E_INVALID);
    EXPECT_NE(std::string(unknown->err.message).find("has: a, c"), std::string::npos)
        << unknown->err.message;
    Engine both(m.handle, {{"prompt", "x"}, {"task", "a"}});
    EXPECT_EQ(both.status, STET_E_INVALID);
    Engine no_tasks(plain.handle, {{"task", "a"}});
    EXPECT_EQ(no_tasks.status, STET_E_INVALID);
    EXPECT_NE(std::string(no_tasks.err.message).find("lists no tasks"), std::string::npos);
}

TEST(ApiPrompt, TheCallersStringsAreCopied)
{
    Model m("hf-t5-c");
    Engine want(m.handle, {{"scores", "1"}, {"prompt", "so "}});
    std::string mine = "so ";
    Engine g(m.handle, {{"scores", "1"}, {"prompt", mine.c_str()}});
    Engine bare(m.handle, {{"scores", "1"}});
    mine = "xxx";
    EXPECT_EQ(trace_of(g), trace_of(want));
    Queue q;
    std::string text = "lomu yozu pe jeki ce mu", prompt = "so ";
    stet_request r = tagged(text, 1);
    r.prompt = prompt.c_str();
    ASSERT_EQ(stet_submit(bare.handle, q.handle, &r, 1, nullptr, nullptr, nullptr), STET_OK);
    prompt.assign("yyy");
    Event e = std::move(q.wait(1).begin()->second);
    ASSERT_EQ(e.status, STET_OK);
    EXPECT_EQ(e.result.sentences().at(0).score,
              correct_with(want, text, nullptr).sentences().at(0).score);
}

TEST(ApiPrompt, TokensHaveNone)
{
    Model m("hf-t5-c");
    Engine bare(m.handle), g(m.handle, {{"prompt", "so tu "}});
    for (const Line &line : fixture_lines()) {
        EXPECT_EQ(answer_to(g, line.source).tokens, answer_to(bare, line.source).tokens);
    }
    stet_request r{};
    int32_t id = 5;
    stet_result *out = nullptr;
    Error err;
    r.struct_size = sizeof r;
    r.flags = STET_REQ_TOKENS;
    r.tokens = &id;
    r.n_tokens = 1;
    r.prompt = "";
    EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &out, nullptr, &err), STET_OK) << err.message;
    stet_result_release(out);
    r.prompt = "so ";
    EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &out, nullptr, &err), STET_E_INVALID);
    EXPECT_NE(std::string(err.message).find("STET_REQ_TOKENS"), std::string::npos) << err.message;
}

// ---- Bounds -------------------------------------------------------------------------------------

TEST(ApiPrompt, LeavesRoomForText)
{
    Model m("hf-t5-c");
    Tokenizer t(fixture("hf-t5-c"));
    std::string prompt;
    while (t.ids(prompt).size() < 12) {
        prompt += "so tu ";
    }
    std::string exact = std::to_string(t.ids(prompt).size() + 8);
    std::string less = std::to_string(t.ids(prompt).size() + 7);
    Engine fits(m.handle, {{"prompt", prompt.c_str()}, {"max_input_length", exact.c_str()}});
    EXPECT_EQ(fits.status, STET_OK) << fits.err.message;
    Engine full(m.handle, {{"prompt", prompt.c_str()}, {"max_input_length", less.c_str()}});
    EXPECT_EQ(full.status, STET_E_INVALID);
    EXPECT_NE(std::string(full.err.message).find("max_input_length"), std::string::npos);
    Engine short_input(m.handle, {{"max_input_length", less.c_str()}});
    std::string text = "bace difo";
    stet_request r = request(text);
    stet_result *out = nullptr;
    Error err;
    r.prompt = prompt.c_str();
    EXPECT_EQ(stet_correct_batch(short_input.handle, &r, 1, &out, nullptr, &err), STET_E_TOO_LONG);
    EXPECT_NE(std::string(err.message).find("prompt"), std::string::npos) << err.message;
    r.prompt = nullptr;
    EXPECT_EQ(stet_correct_batch(short_input.handle, &r, 1, &out, nullptr, &err), STET_OK);
    stet_result_release(out);
}

// Long sentences are cut so that prompt and part fit, and every part has the prompt.
TEST(ApiPrompt, LongSentencesAreReadInParts)
{
    Model m("hf-t5-c");
    Tokenizer t(fixture("hf-t5-c"));
    Engine g(m.handle, {{"prompt", "grammar: "}, {"max_input_length", "24"}, {"scores", "1"}});
    ASSERT_EQ(g.status, STET_OK) << g.err.message;
    std::string text;
    for (int i = 0; i < 30; i++) {
        text += i % 3 == 0 ? "bace " : "lomu yozu ";
    }
    text.pop_back();
    Result r = correct_with(g, text, nullptr);
    auto parts = r.sentences();
    ASSERT_GT(parts.size(), 5u);
    uint64_t at = 0;
    for (const stet_sentence &s : parts) {
        EXPECT_EQ(s.src_off, at);
        at += s.src_len;
        std::vector<int32_t> source = t.ids("grammar: " + text.substr(s.src_off, s.src_len));
        EXPECT_LE(source.size(), 24u);
        EXPECT_EQ(s.score, answer_to(g, source).sentence.score);
    }
    EXPECT_EQ(at, text.size());
    expect_edits_make(r, text);
}

TEST(ApiPrompt, WrongOnesAreRefused)
{
    Model m("hf-t5-c");
    std::string most(4096, 'a'), long_one(4097, 'a');
    Engine too_long(m.handle, {{"prompt", long_one.c_str()}});
    EXPECT_EQ(too_long.status, STET_E_INVALID);
    EXPECT_NE(std::string(too_long.err.message).find("4096"), std::string::npos);
    Engine no_utf8(m.handle, {{"prompt", "a\xFF"}});
    EXPECT_EQ(no_utf8.status, STET_E_INVALID);
    Engine g(m.handle, {{"max_input_length", "4200"}});
    std::string text = "bace";
    stet_result *out = nullptr;
    stet_request r = request(text);
    r.prompt = most.c_str();
    EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &out, nullptr, nullptr), STET_OK);
    stet_result_release(out);
    for (const char *bad : {long_one.c_str(), "\xC3"}) {
        r.prompt = bad;
        Error err;
        EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &out, nullptr, &err), STET_E_INVALID);
        EXPECT_NE(std::string(err.message).find("prompt"), std::string::npos) << err.message;
    }
}

// A program of the time before has a shorter request, and what lies behind it is not read.
TEST(ApiPrompt, OlderRequestsHaveNone)
{
    Model m("hf-t5-c");
    Engine g(m.handle, {{"scores", "1"}});
    std::string text = "lomu yozu pe jeki ce mu";
    stet_request list[2] = {request(text), request(text)};
    stet_result *out[2] = {};
    list[0].struct_size = offsetof(stet_request, prompt);
    list[0].prompt = reinterpret_cast<const char *>(uintptr_t{8});
    ASSERT_EQ(stet_correct_batch(g.handle, list, 1, out, nullptr, nullptr), STET_OK);
    ASSERT_EQ(stet_correct_batch(g.handle, list + 1, 1, out + 1, nullptr, nullptr), STET_OK);
    Result a(out[0]), b(out[1]);
    EXPECT_EQ(a.sentences().at(0).score, b.sentences().at(0).score);
}

// ---- stet.json ----------------------------------------------------------------------------------

TEST(ApiFolderSettings, MinEditScoreIsTheEnginesDefault)
{
    ModelFolder folder("hf-t5-c");
    FolderModel plain(folder.path);
    write_text(folder.path + "/stet.json", "{\"min_edit_score\": -0.25}");
    FolderModel m(folder.path);
    Engine usual(m.handle), none(m.handle, {{"min_edit_score", "none"}});
    Engine want(plain.handle, {{"min_edit_score", "-0.25"}}), all(plain.handle);
    size_t fewer = 0;
    for (const Line &line : fixture_lines()) {
        std::string text = correct(all, line.text).text(), some = correct(want, line.text).text();
        EXPECT_EQ(correct(usual, line.text).text(), some);
        EXPECT_EQ(correct(none, line.text).text(), text);
        fewer += text != some;
    }
    EXPECT_GT(fewer, 0u);
}

} // namespace
