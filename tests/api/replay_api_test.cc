// stet_replay through stet.h alone: what it reports, what it refuses, and how it hands out the
// report.
#include "api_fixture.h"

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <filesystem>

using namespace stet_test;

namespace
{

using Lines = std::vector<std::string>;

class Replay : public ::testing::Test
{
  protected:
    Replay()
    {
        in.struct_size = sizeof in;
        in.folder = folder.c_str();
        in.source_name = "source.txt";
    }
    // Keeps the lines; calls with the same name are further answers.
    void set(const Lines &source, const std::vector<Lines> &answer_lists)
    {
        texts.clear();
        lines = {source};
        lines.insert(lines.end(), answer_lists.begin(), answer_lists.end());
        for (const Lines &list : lines) {
            texts.emplace_back();
            for (const std::string &line : list) {
                texts.back().push_back({line.data(), line.size()});
            }
        }
        answers.clear();
        for (size_t i = 1; i < texts.size(); i++) {
            answers.push_back({"answers.txt", texts[i].data()});
        }
        in.sources = texts[0].data();
        in.n_sources = texts[0].size();
        in.answers = answers.data();
        in.n_answers = answers.size();
    }
    stet_status run(const Options &o = {}, uint32_t format = STET_REPORT_JSON)
    {
        size_t needed = 0;
        report.assign(1u << 20, 'x');
        stet_status st = stet_replay(&in, o.data(), o.size(), format, report.data(), report.size(),
                                     &needed, &err);
        report.resize(st == STET_OK ? needed : 0);
        return st;
    }
    // The nth number (from 0) that stands behind a key.
    double number(const std::string &key, int nth = 0) const
    {
        std::string quoted = "\"" + key + "\":";
        size_t at = report.find(quoted);
        for (; nth > 0 && at != std::string::npos; nth--) {
            at = report.find(quoted, at + 1);
        }
        EXPECT_NE(at, std::string::npos) << key;
        return at != std::string::npos ? std::strtod(&report[at + quoted.size()], nullptr) : -1;
    }
    bool says(const std::string &what) const
    {
        return std::string(err.message).find(what) != std::string::npos;
    }

    std::string folder = fixture("edgeformer-a");
    std::vector<Lines> lines;
    std::vector<std::vector<stet_text>> texts;
    std::vector<stet_replay_answers> answers;
    stet_replay_input in{};
    std::string report;
    Error err;
};

TEST_F(Replay, CountsOfIdsCanBeToldByHand)
{
    in.flags = STET_REPLAY_IDS;
    in.folder = nullptr;
    // Unchanged; one token replaced; all of it new.
    set({"5 6 7 8 9", " 5 6\t7 8 9 ", "5 6"}, {{"5 6 7 8 9", "5 6 20 8 9", "30 31 32"}});
    ASSERT_EQ(run({{"draft", "sad"}, {"batch_size", "2"}}), STET_OK) << err.message;
    // 1; to 20, 8, 9 and the end; then 30, 31, 32, the end.
    EXPECT_EQ(number("passes"), 1 + 3 + 4);
    EXPECT_EQ(number("rows"), 6 + (6 + 1 + 2) + (3 + 1 + 1 + 1));
    EXPECT_EQ(number("accepted"), 5 + 2 + 1);
    EXPECT_EQ(number("passes_p50"), 3);
    EXPECT_EQ(number("passes_p90"), 4);
    EXPECT_EQ(number("source_tokens"), 12);
    EXPECT_EQ(number("answer_tokens"), 13);
    EXPECT_EQ(number("lock_step_passes"), 3 + 4);
    EXPECT_EQ(number("continuous_passes"), 1 + 4);
    EXPECT_EQ(number("saving_percent"), 0);
    EXPECT_NEAR(number("tokens_per_pass"), 13.0 / 8, 1e-3);
}

TEST_F(Replay, PoliciesStandInOneOrderWhateverIsAsked)
{
    set({"bace difo guha."}, {{"bace guha."}});
    ASSERT_EQ(run({{"draft", "none,sad,edit,none"}}), STET_OK) << err.message;
    size_t edit = report.find("\"edit\""), sad = report.find("\"sad\""),
           none = report.find("\"none\"");
    EXPECT_TRUE(edit < sad && sad < none && none != std::string::npos) << report;
    EXPECT_EQ(report.find("\"tree\""), std::string::npos);
    ASSERT_EQ(run({{"draft", "edit,none"}}), STET_OK);
    EXPECT_EQ(report.find("saving"), std::string::npos) << "nothing to compare with";
    std::string all;
    ASSERT_EQ(run(), STET_OK);
    all = report;
    ASSERT_EQ(run({{"draft", "all"}, {"draft_window", "auto"}, {"batch_size", "32"}}), STET_OK);
    EXPECT_EQ(report, all) << "these are the defaults";
}

TEST_F(Replay, AnyBytesAreText)
{
    set(sample_texts(), {sample_texts()});
    ASSERT_EQ(run({{"draft", "edit"}}), STET_OK) << err.message;
    EXPECT_EQ(number("passes"), static_cast<double>(sample_texts().size()))
        << "what does not change takes one pass";
    EXPECT_EQ(number("rejected"), 0);
}

TEST_F(Replay, SeveralAnswersHaveATotal)
{
    set({"bace difo", "guha"}, {{"bace difo", "guha"}, {"difo", "je ki lo"}});
    ASSERT_EQ(run({{"draft", "edit"}}), STET_OK);
    EXPECT_EQ(number("passes", 2), number("passes", 0) + number("passes", 1));
    EXPECT_EQ(number("rows", 2), number("rows", 0) + number("rows", 1));
    EXPECT_EQ(number("sentences", 2), 4);
    EXPECT_EQ(number("source_tokens", 2), 2 * number("source_tokens", 0));
    ASSERT_EQ(run({{"draft", "edit"}}, STET_REPORT_TEXT), STET_OK);
    EXPECT_NE(report.find("all answers: 4 sentences"), std::string::npos) << report;
}

TEST_F(Replay, NumbersHaveAPointInEveryLocale)
{
    set({"bace difo guha"}, {{"bace guha"}});
    bool found = false;
    for (const char *name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"}) {
        found = found || std::setlocale(LC_ALL, name) != nullptr;
    }
    if (!found) {
        GTEST_SKIP() << "no locale with a decimal comma is installed";
    }
    for (uint32_t format : {STET_REPORT_TEXT, STET_REPORT_JSON}) {
        std::setlocale(LC_ALL, "C");
        ASSERT_EQ(run({}, format), STET_OK);
        std::string dot = report;
        for (const char *name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"}) {
            std::setlocale(LC_ALL, name);
        }
        EXPECT_EQ(run({}, format), STET_OK);
        EXPECT_EQ(report, dot);
    }
    std::setlocale(LC_ALL, "C");
}

TEST_F(Replay, EverySentenceCanBeListed)
{
    in.flags = STET_REPLAY_IDS | STET_REPLAY_PER_SENTENCE;
    in.folder = nullptr;
    set({"5 6 7", ""}, {{"5 6 7", "8"}});
    ASSERT_EQ(run({{"draft", "sad"}}), STET_OK);
    EXPECT_NE(report.find("\"sentences\":{\"passes\":[1,2],\"rows\":[4,2],\"accepted\":[3,0],"
                          "\"reentries\":[0,0]}"),
              std::string::npos)
        << report;
}

TEST_F(Replay, ReportsFitTheBufferTheyAreGiven)
{
    set({"bace difo"}, {{"bace"}});
    ASSERT_EQ(run(), STET_OK);
    std::string whole = report;
    for (size_t cap : {size_t{0}, size_t{1}, size_t{10}, whole.size(), whole.size() + 1}) {
        std::string buf(whole.size() + 8, '#');
        size_t needed = 0;
        EXPECT_EQ(stet_replay(&in, nullptr, 0, STET_REPORT_JSON, cap > 0 ? buf.data() : nullptr,
                              cap, &needed, &err),
                  STET_OK);
        EXPECT_EQ(needed, whole.size());
        size_t n = cap > 0 ? std::min(cap - 1, whole.size()) : 0;
        EXPECT_EQ(buf.compare(0, n, whole, 0, n), 0);
        EXPECT_TRUE(cap == 0 || buf[n] == '\0');
        EXPECT_EQ(buf[n + 1], '#') << "wrote behind the buffer";
    }
}

TEST_F(Replay, OnlyTheTokenizerIsNeeded)
{
    std::string name = (std::filesystem::temp_directory_path() / "stet-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    in.folder = name.c_str();
    set({"bace difo guha"}, {{"bace guha"}});
    EXPECT_EQ(run(), STET_E_IO);
    EXPECT_TRUE(says("spiece.model")) << err.message;
    std::filesystem::copy(folder + "/spiece.model", name + "/spiece.model");
    EXPECT_EQ(run(), STET_OK) << err.message;
    std::filesystem::remove_all(name);
    EXPECT_EQ(run(), STET_E_IO);
    EXPECT_TRUE(says(name)) << err.message;
}

TEST_F(Replay, WrongOptionsAreRefusedByName)
{
    set({"bace"}, {{"bace"}});
    const Options bad = {{"draft", "best"},      {"draft", ""},        {"draft", "edit,"},
                         {"draft", "edit,,sad"}, {"draft", "Edit"},    {"draft_window", "-1"},
                         {"batch_size", "0"},    {"batch_size", "x"},  {"device", "cpu"},
                         {"verify", "1"},        {"nothing", "at all"}};
    for (const stet_option &o : bad) {
        EXPECT_EQ(run({o}), STET_E_INVALID) << o.key << " " << o.value;
        EXPECT_TRUE(says(o.key)) << err.message;
    }
    EXPECT_EQ(run({{"draft", "best"}}), STET_E_INVALID);
    EXPECT_TRUE(says("tree")) << "what is possible: " << err.message;
}

TEST_F(Replay, WrongIdsAreRefusedWithTheirPlace)
{
    in.flags = STET_REPLAY_IDS;
    for (const char *bad :
         {"5 x", "5 -6", "5,6", "2147483648", "99999999999999999999", "5 6x", "1.5"}) {
        set({"5 6", "7"}, {{"5 6", bad}});
        in.folder = nullptr;
        EXPECT_EQ(run(), STET_E_FORMAT) << bad;
        EXPECT_TRUE(says("answers.txt, line 2")) << err.message;
    }
    set({"2147483647"}, {{""}});
    EXPECT_EQ(run(), STET_OK) << err.message;
    in.folder = folder.c_str();
    EXPECT_EQ(run(), STET_E_FORMAT);
    EXPECT_TRUE(says("source.txt, line 1") && says("vocabulary")) << err.message;
    set({"5 1"}, {{"5"}});
    EXPECT_EQ(run(), STET_E_FORMAT) << "1 is the end of a sentence";
    EXPECT_TRUE(says("leave it out")) << err.message;
}

TEST_F(Replay, SentencesThatAreTooLongAreRefused)
{
    std::string longest;
    for (int i = 0; i < 65536; i++) {
        longest += "7 ";
    }
    in.flags = STET_REPLAY_IDS;
    in.folder = nullptr;
    set({"5"}, {{longest}});
    EXPECT_EQ(run({{"draft", "edit"}}), STET_OK) << err.message;
    set({longest + "7"}, {{"5"}});
    EXPECT_EQ(run(), STET_E_TOO_LONG);
    EXPECT_TRUE(says("source.txt, line 1")) << err.message;
}

TEST_F(Replay, WrongArgumentsAreRefused)
{
    auto refused = [this](const char *what) {
        err.message[0] = '\0';
        EXPECT_EQ(run(), STET_E_INVALID) << what;
        EXPECT_STRNE(err.message, "");
    };
    auto fresh = [this] {
        in = stet_replay_input{};
        in.struct_size = sizeof in;
        in.folder = folder.c_str();
        in.source_name = "source.txt";
        set({"bace"}, {{"bace"}});
    };
    fresh(), in.struct_size = 8, refused("struct_size");
    fresh(), in.flags = 64, refused("flags");
    fresh(), in.folder = nullptr, refused("texts without a folder");
    fresh(), in.n_sources = 0, refused("no source");
    fresh(), in.n_answers = 0, refused("no answers");
    fresh(), in.sources = nullptr, refused("sources");
    fresh(), in.source_name = nullptr, refused("source_name");
    fresh(), in.answers = nullptr, refused("answers");
    fresh(), answers[0].name = nullptr, refused("name");
    fresh(), answers[0].texts = nullptr, refused("texts");
    fresh(), texts[1][0].data = nullptr, refused("a text");
    fresh();
    EXPECT_EQ(run({}, 2), STET_E_INVALID);
    char buf[1];
    EXPECT_EQ(stet_replay(nullptr, nullptr, 0, 0, buf, 1, nullptr, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_replay(&in, nullptr, 0, 0, nullptr, 1, nullptr, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_replay(&in, nullptr, 1, 0, buf, 1, nullptr, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_replay(&in, nullptr, 0, 0, buf, 1, nullptr, nullptr), STET_OK);
}

} // namespace
