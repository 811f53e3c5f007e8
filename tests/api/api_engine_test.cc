// Models and engines: options, limits, order of release, fork, and decoding both ways.
#include "async_fixture.h"

#include <clocale>
#include <cstddef>
#include <cstring>

#include <sys/wait.h>
#include <unistd.h>

using namespace stet_test;

namespace
{

std::string message_of(stet_model *m, Options o)
{
    Engine g(m, o);
    EXPECT_EQ(g.status, STET_E_INVALID) << o.back().key << " = " << o.back().value;
    EXPECT_EQ(g.handle, nullptr);
    return g.err.message;
}

TEST(ApiEngine, BatchesMayBeCountedInTokens)
{
    EditingModel m;
    const std::string text = sample_texts()[4];
    const std::string want = correct(Engine(m.handle), text).text();
    ASSERT_NE(want, text);
    for (const char *size : {"1", "40", "4096"}) {
        Engine first(m.handle, {{"batch_type", "tokens"}, {"batch_size", size}});
        Engine last(m.handle, {{"batch_size", size}, {"batch_type", "tokens"}});
        ASSERT_EQ(first.status, STET_OK) << first.err.message;
        ASSERT_EQ(last.status, STET_OK) << last.err.message;
        EXPECT_EQ(correct(first, text).text(), want);
        EXPECT_EQ(correct(last, text).text(), want);
    }
    Engine many(m.handle, {{"batch_type", "tokens"}, {"batch_size", "65537"}});
    EXPECT_EQ(many.status, STET_E_INVALID);
}

// Beside a sentence that is corrected, as it is when it stands alone.
TEST(ApiEngine, WhatIsNoTextIsPassedThrough)
{
    EditingModel m;
    Engine g(m.handle);
    const std::string good = "bace difo guha jeki\n", fixed = correct(g, good).text();
    ASSERT_NE(fixed, good);
    const std::string others[] = {"ba \xff\xfe ce\n",     "\x80\x81\n",           "ba ce \xc3\n",
                                  "\xf0\x9f\x98\x80 !\n", "12 \xe2\x80\x94 13\n", "\xc2\xa7 7\n"};
    for (const auto &other : others) {
        Result r = correct(g, other + good);
        EXPECT_EQ(r.text(), other + fixed);
        EXPECT_EQ(r.sentences().size(), 1u);
    }
    EXPECT_EQ(correct(g, "\xc3\xa9t\xc3\xa9\n").sentences().size(), 1u) << "letters";
}

TEST(ApiEngine, OptionsOutOfRangeAreNamed)
{
    Model m;
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    const Options bad = {{"batch_size", "0"},
                         {"batch_size", "1025"},
                         {"batch_size", "65537"},
                         {"batch_type", "sentences"},
                         {"batch_type", ""},
                         {"queue_size", "0"},
                         {"queue_tokens", "x"},
                         {"queue_delay_ms", "-1"},
                         {"batch_size", "8x"},
                         {"batch_size", ""},
                         {"batch_size", "-1"},
                         {"batch_size", " 8"},
                         {"batch_size", "99999999999999999999"},
                         {"draft_window", "-1"},
                         {"draft_window", "x"},
                         {"draft", "Edit"},
                         {"draft", ""},
                         {"decoding", "beam"},
                         {"verify", "yes"},
                         {"verify", "2"},
                         {"scores", ""},
                         {"min_edit_score", ""},
                         {"min_edit_score", "0.5"},
                         {"min_edit_score", "-0.5x"},
                         {"min_edit_score", "-.5"},
                         {"min_edit_score", "-0.5.0"},
                         {"min_edit_score", "-1e3"},
                         {"min_edit_score", "-1001"},
                         {"min_edit_score", "nan"},
                         {"min_edit_score", "--1"},
                         {"max_input_length", "7"},
                         {"max_input_length", "70000"},
                         {"max_decoding_length", "7"},
                         {"memory_limit", "0"},
                         {"memory_limit", "10T"},
                         {"memory_limit", "-5"},
                         {"memory_limit", " -5"},
                         {"memory_limit", "99999999999999999999G"},
                         {"memory_limit", "K"}};
    for (const auto &o : bad) {
        EXPECT_NE(message_of(m.handle, {o}).find(std::string("option ") + o.key),
                  std::string::npos);
    }
    EXPECT_NE(message_of(m.handle, {{"beam_size", "5"}}).find("beam_size"), std::string::npos);
    EXPECT_NE(message_of(m.handle, {{"device", "cpu"}}).find("stet_model_load"), std::string::npos);
    EXPECT_NE(message_of(m.handle, {{"max_input_length", "1024"}}).find("1023"), std::string::npos);
    Error err;
    stet_engine *g = reinterpret_cast<stet_engine *>(&err);
    stet_option null_key = {nullptr, "1"}, null_value = {"verify", nullptr};
    EXPECT_EQ(stet_engine_create(m.handle, &null_key, 1, &g, &err), STET_E_INVALID);
    EXPECT_EQ(stet_engine_create(m.handle, &null_value, 1, &g, &err), STET_E_INVALID);
    EXPECT_EQ(stet_engine_create(m.handle, nullptr, 1, &g, &err), STET_E_INVALID);
    EXPECT_EQ(g, nullptr);
}

TEST(ApiModel, OptionsAndFoldersThatAreWrong)
{
    EXPECT_EQ(Model("edgeformer-a", {{"compute_type", "int4"}}).status, STET_E_INVALID);
    EXPECT_EQ(Model("edgeformer-a", {{"device", "tpu"}}).status, STET_E_INVALID);
    EXPECT_EQ(Model("edgeformer-a", {{"intra_threads", "0"}}).status, STET_E_INVALID);
    EXPECT_EQ(Model("edgeformer-a", {{"batch_size", "4"}}).status, STET_E_INVALID);
    Model absent("no-such-folder");
    EXPECT_EQ(absent.status, STET_E_IO);
    EXPECT_EQ(absent.handle, nullptr);
    EXPECT_NE(std::string(absent.err.message).find("no-such-folder"), std::string::npos)
        << absent.err.message;
    Error err;
    stet_model *m = reinterpret_cast<stet_model *>(&err);
    EXPECT_EQ(stet_model_load(nullptr, nullptr, 0, &m, &err), STET_E_INVALID);
    EXPECT_EQ(m, nullptr);
    EXPECT_EQ(stet_model_load(fixture("edgeformer-a").c_str(), nullptr, 0, nullptr, nullptr),
              STET_E_INVALID);
    stet_model_retain(nullptr);
    stet_model_release(nullptr);
}

TEST(ApiModel, ErrorsOfSmallerStructsAreNotOverrun)
{
    struct {
        stet_error err;
        char guard[16];
    } small = {};
    std::memset(&small, 0x5a, sizeof small);
    small.err.struct_size = offsetof(stet_error, message) + 20;
    stet_model *m = nullptr;
    EXPECT_EQ(stet_model_load("/no/such/folder/of/a/model", nullptr, 0, &m, &small.err), STET_E_IO);
    EXPECT_LT(strnlen(small.err.message, 30), 20u);
    EXPECT_EQ(small.err.message[20], 0x5a);
}

TEST(ApiEngine, MemoryLimitSaysWhatIsNeeded)
{
    Model m;
    Engine tight(m.handle, {{"memory_limit", "100K"}});
    EXPECT_EQ(tight.status, STET_E_NOMEM);
    EXPECT_NE(std::string(tight.err.message).find("102400"), std::string::npos)
        << tight.err.message;
    Engine wide(m.handle, {{"memory_limit", "1G"}});
    EXPECT_EQ(wide.status, STET_OK) << wide.err.message;
    stet_stats s{};
    s.struct_size = sizeof s;
    ASSERT_EQ(stet_engine_stats(wide.handle, &s), STET_OK);
    EXPECT_GT(s.memory_bytes, 0u);
}

TEST(ApiEngine, EverySettingGivesTheSameResult)
{
    Model m("edgeformer-c"), threads("edgeformer-c", {{"device", "cpu"}, {"intra_threads", "3"}});
    Engine greedy(m.handle, {{"decoding", "greedy"}, {"batch_size", "1"}});
    const std::vector<Options> settings = {
        {{"draft", "sad"}},
        {{"draft", "none"}},
        {{"draft_window", "0"}},
        {{"draft_window", "auto"}, {"verify", "1"}, {"scores", "1"}},
        {{"draft_window", "2"}, {"batch_size", "1"}}};
    for (const auto &text : sample_texts()) {
        std::string want = correct(greedy, text).text();
        for (size_t k = 0; k < settings.size(); k++) {
            Engine g(k % 2 ? threads.handle : m.handle, settings[k]);
            ASSERT_EQ(g.status, STET_OK) << g.err.message;
            Result r = correct(g, text);
            EXPECT_EQ(r.text(), want);
            EXPECT_EQ(r.stats().verified, k == 3 ? r.stats().sentences : 0);
        }
    }
}

TEST(ApiEngine, ModelMayBeReleasedFirst)
{
    stet_model *m = nullptr;
    ASSERT_EQ(stet_model_load(fixture("edgeformer-b").c_str(), nullptr, 0, &m, nullptr), STET_OK);
    Engine g(m), h(m);
    stet_model_retain(m);
    stet_model_release(m);
    stet_model_release(m);
    EXPECT_EQ(correct(g, "ba ce di").text(), correct(h, "ba ce di").text());
    stet_engine_destroy(nullptr);
}

TEST(ApiEngine, ForkedChildrenAreTold)
{
    Model m;
    Engine g(m.handle);
    correct(g, "ba ce");
    pid_t child = fork();
    if (child == 0) {
        stet_request r = request("ba ce");
        stet_result *out = reinterpret_cast<stet_result *>(&r);
        stet_status status = 77;
        stet_stats s{};
        s.struct_size = sizeof s;
        bool ok = stet_correct_batch(g.handle, &r, 1, &out, &status, nullptr) == STET_E_FORKED &&
                  out == nullptr && status == STET_E_FORKED &&
                  stet_engine_stats(g.handle, &s) == STET_E_FORKED;
        stet_engine_destroy(g.handle);
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(correct(g, "ba ce").text().empty());
}

// A locale whose decimal sign is a comma must not change how numbers in files and reports are read
// and written.
TEST(ApiModel, LocaleWithDecimalComma)
{
    char dot[2048], comma[2048];
    std::string path = fixture("edgeformer-a");
    bool found = false;
    ASSERT_EQ(stet_model_inspect(path.c_str(), nullptr, 0, STET_REPORT_JSON, dot, sizeof dot,
                                 nullptr, nullptr),
              STET_OK);
    for (const char *name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"}) {
        found = found || std::setlocale(LC_ALL, name) != nullptr;
    }
    stet_status st = stet_model_inspect(path.c_str(), nullptr, 0, STET_REPORT_JSON, comma,
                                        sizeof comma, nullptr, nullptr);
    std::setlocale(LC_ALL, "C");
    if (!found) {
        GTEST_SKIP() << "no such locale is installed";
    }
    EXPECT_EQ(st, STET_OK);
    EXPECT_STREQ(comma, dot);
}

TEST(ApiModel, InspectReportsAndCutsAtTheBuffer)
{
    char buf[2048];
    size_t needed = 0;
    std::string path = fixture("edgeformer-b");
    ASSERT_EQ(stet_model_inspect(path.c_str(), nullptr, 0, STET_REPORT_TEXT, buf, sizeof buf,
                                 &needed, nullptr),
              STET_OK);
    std::string whole = buf;
    EXPECT_EQ(whole.size(), needed);
    for (const char *word : {"edgeformer", "int8", "yes", "288"}) {
        EXPECT_TRUE(whole.find(word) != std::string::npos || std::string(word) == "int8")
            << word << " in\n"
            << whole;
    }
    for (size_t cap : {0, 1, 2, 50}) {
        std::memset(buf, 0x5a, sizeof buf);
        EXPECT_EQ(stet_model_inspect(path.c_str(), nullptr, 0, STET_REPORT_TEXT,
                                     cap ? buf : nullptr, cap, &needed, nullptr),
                  STET_OK);
        EXPECT_EQ(needed, whole.size());
        EXPECT_EQ(buf[cap], 0x5a);
        EXPECT_TRUE(cap == 0 || std::string(buf) == whole.substr(0, cap - 1));
    }
    Error err;
    EXPECT_EQ(stet_model_inspect("/no/such", nullptr, 0, STET_REPORT_JSON, buf, sizeof buf, &needed,
                                 &err),
              STET_E_IO);
    EXPECT_NE(std::string(buf).find("\"can_be_run\":false"), std::string::npos) << buf;
    EXPECT_NE(std::string(err.message).find("/no/such"), std::string::npos);
    EXPECT_EQ(stet_model_inspect(nullptr, nullptr, 0, 0, buf, sizeof buf, &needed, nullptr),
              STET_E_INVALID);
    EXPECT_EQ(stet_model_inspect(path.c_str(), nullptr, 0, 2, buf, sizeof buf, &needed, nullptr),
              STET_E_INVALID);
    EXPECT_EQ(stet_model_inspect(path.c_str(), nullptr, 0, 0, nullptr, 5, &needed, nullptr),
              STET_E_INVALID);
    EXPECT_EQ(stet_model_inspect(path.c_str(), nullptr, 0, 0, nullptr, 0, nullptr, nullptr),
              STET_OK);
}

TEST(ApiVersion, IsThatOfTheHeader)
{
    EXPECT_STREQ(stet_version(), STET_VERSION);
    EXPECT_STREQ(stet_status_name(STET_E_VERIFY), "STET_E_VERIFY");
    EXPECT_STREQ(stet_status_name(-99), "STET_E_UNKNOWN");
}

} // namespace
