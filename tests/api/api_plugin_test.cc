// Devices of plug-ins through stet.h: a plug-in that hands out the processor's functions gives what
// the processor gives; one that is missing, broken or fails later is an error that says so.
#include "async_fixture.h"
#include "plugin_env.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

using namespace stet_test;

namespace
{

const char *const texts[] = {"Bace difo guha. Jeki lomu nape! Risotu?", "ba ce\ndi fo",
                             "so tu va we xi yo zu ba ce di fo gu ha", ""};

Options on(const char *device, const char *index = "0")
{
    return {{"device", device}, {"device_index", index}, {"intra_threads", "1"}};
}

struct Answer {
    std::string text;
    std::vector<uint32_t> score_bits;
    uint64_t passes = 0;
    bool operator==(const Answer &o) const
    {
        return text == o.text && score_bits == o.score_bits && passes == o.passes;
    }
};

Answer answer(const Engine &g, const char *text)
{
    Answer a;
    Result r = correct(g, text);
    a.text = r.text();
    a.passes = r.stats().passes;
    for (const auto &s : r.sentences()) {
        uint32_t bits;
        std::memcpy(&bits, &s.score, sizeof bits);
        a.score_bits.push_back(bits);
    }
    return a;
}

std::string message_of_load(const Options &o, stet_status want = STET_E_DEVICE)
{
    Model m("edgeformer-a", o);
    EXPECT_EQ(m.status, want);
    EXPECT_EQ(m.handle, nullptr);
    return m.err.message;
}

std::string inspect(const Options &o, stet_status want, uint32_t format = STET_REPORT_TEXT)
{
    char buf[8192];
    size_t needed = 0;
    EXPECT_EQ(stet_model_inspect(fixture("edgeformer-a").c_str(), o.data(), o.size(), format, buf,
                                 sizeof buf, &needed, nullptr),
              want);
    EXPECT_LT(needed, sizeof buf);
    return buf;
}

bool holds(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

// ---- One that works ----------------------------------------------------------------------------

class ApiPlugin : public ::testing::TestWithParam<const char *>
{
};

TEST_P(ApiPlugin, AnswersAreThoseOfTheSameBackendInTheLibrary)
{
    Model cpu("transformer-pre", on("cpu"));
    PluginPath path(stub_path("works"));
    Model plugged("transformer-pre", on(GetParam()));
    ASSERT_EQ(cpu.status, STET_OK);
    ASSERT_EQ(plugged.status, STET_OK) << plugged.err.message;
    const Options o = {{"scores", "1"}, {"draft_window", "8"}, {"verify", "1"}};
    Engine a(cpu.handle, o), b(plugged.handle, o);
    ASSERT_EQ(b.status, STET_OK) << b.err.message;
    size_t changed = 0;
    for (const char *t : texts) {
        Answer want = answer(a, t);
        EXPECT_TRUE(answer(b, t) == want) << t;
        changed += want.text != t;
    }
    EXPECT_GT(changed, 1u) << "a device that changes nothing shows nothing";
}

INSTANTIATE_TEST_SUITE_P(Devices, ApiPlugin, ::testing::Values("cuda", "auto"));

// A model on a plug-in, one on the processor, and their engines at the same time.
TEST(ApiPluginTogether, EachModelKeepsItsDevice)
{
    Model cpu("edgeformer-a");
    PluginPath path(stub_path("works"));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&cpu] {
            Model m("edgeformer-a", on("cuda"));
            ASSERT_EQ(m.status, STET_OK) << m.err.message;
            Engine g(m.handle), h(cpu.handle);
            EXPECT_EQ(correct(g, texts[0]).text(), correct(h, texts[0]).text());
        });
    }
    for (auto &t : threads) {
        t.join();
    }
}

// The plug-in may be gone from the disk: what is loaded stays.
TEST(ApiPluginTogether, EnginesNeedNoSearch)
{
    auto m = [] {
        PluginPath path(stub_path("works"));
        return std::make_unique<Model>("edgeformer-a", on("cuda"));
    }();
    ASSERT_EQ(m->status, STET_OK) << m->err.message;
    PluginPath path("/nonexistent");
    Engine g(m->handle);
    EXPECT_EQ(g.status, STET_OK) << g.err.message;
    EXPECT_EQ(message_of_load(on("cuda")).rfind("device cuda: ", 0), 0u);
}

size_t number_of(const std::string &json, const std::string &key)
{
    size_t at = json.find("\"" + key + "\":");
    EXPECT_NE(at, std::string::npos) << key;
    return at == std::string::npos ? 0 : std::strtoull(&json[at + key.size() + 3], nullptr, 10);
}

// Weights that a plug-in holds are seen by no allocator of the library.
TEST(ApiPluginTogether, MemoryLimitCountsItsWeights)
{
    PluginPath path(stub_path("works"));
    std::string cpu = inspect(on("cpu"), STET_OK, STET_REPORT_JSON);
    std::string plugged = inspect(on("cuda"), STET_OK, STET_REPORT_JSON);
    size_t weights = number_of(plugged, "weight_bytes");
    size_t want = number_of(cpu, "least_memory_limit");
    size_t found = number_of(plugged, "least_memory_limit");
    EXPECT_EQ(weights, number_of(cpu, "weight_bytes"));
    EXPECT_GT(weights, 300000u);
    EXPECT_LT(found > want ? found - want : want - found, weights / 10) << want << " " << found;
}

TEST(ApiPluginIndex, ReachesThePlugin)
{
    PluginPath path(stub_path("works"));
    EXPECT_TRUE(holds(inspect(on("cuda", "3"), STET_OK), "\ndevice             stub 3\n"));
    std::string json = inspect(on("cuda", "255"), STET_OK, STET_REPORT_JSON);
    EXPECT_TRUE(holds(json, "\"device\":\"stub 255\"")) << json;
    EXPECT_TRUE(holds(json, "{\"device\":\"cuda\",\"can_be_used\":true,\"name\":\"stub 255\","
                            "\"compute_types\":\"float32, int8\"}"));
}

TEST(ApiPluginIndex, Lists)
{
    PluginPath path(stub_path("works"));
    const std::vector<std::pair<const char *, std::vector<uint32_t>>> lists = {
        {"7", {7}},          {"0,1", {0, 1}},     {"5-7,2", {5, 6, 7, 2}},
        {"255,0", {255, 0}}, {"3-3,001", {3, 1}}, {"all", {0, 1, 2}}};
    for (const auto &[value, want] : lists) {
        Model m("edgeformer-a", on("cuda", value));
        ASSERT_EQ(m.status, STET_OK) << m.err.message;
        Engine g(m.handle);
        std::vector<uint32_t> found;
        stet_device_state s{};
        s.struct_size = sizeof s;
        while (stet_engine_device(g.handle, found.size(), &s) == STET_OK) {
            EXPECT_EQ(s.name, "stub " + std::to_string(s.device_index));
            found.push_back(s.device_index);
        }
        EXPECT_EQ(found, want) << value;
    }
    Model most("edgeformer-a", on("cuda", "0-63"));
    EXPECT_EQ(most.status, STET_OK) << most.err.message;
}

// A machine without the device has one processor, whatever list was meant for the others.
TEST(ApiPluginIndex, AutoTakesAsManyParts)
{
    PluginPath path(stub_path("no_device"));
    for (const char *value : {"2,5", "all"}) {
        Model m("edgeformer-a", on("auto", value));
        ASSERT_EQ(m.status, STET_OK) << m.err.message;
        Engine g(m.handle);
        stet_device_state s{};
        s.struct_size = sizeof s;
        EXPECT_EQ(stet_engine_device(g.handle, 1, &s) == STET_OK, value[0] == '2');
        EXPECT_EQ(correct(g, "").text(), "");
    }
}

TEST(ApiPluginIndex, WrongValues)
{
    for (const char *value : {"256", "-1", "x", "", "0,", ",0", "0,0", "1-0", "0-", "0-1,1", "0-64",
                              "all,0", "0 ,1", "99999999999", "0-256"}) {
        EXPECT_TRUE(holds(message_of_load(on("cuda", value), STET_E_INVALID), "0 to 255")) << value;
    }
    for (const char *value : {"1", "0,2", "1,0", "0-1,3"}) {
        EXPECT_TRUE(holds(message_of_load(on("cpu", value), STET_E_INVALID), "device_index"));
    }
    EXPECT_TRUE(holds(message_of_load({{"device_index", "1"}}, STET_E_INVALID), "device cuda"))
        << "the default is the processor";
    EXPECT_TRUE(holds(message_of_load({{"device", "tpu"}}, STET_E_INVALID), "cpu, cuda or auto"));
}

// ---- Compute types -----------------------------------------------------------------------------

Options computed(const char *device, const char *type)
{
    return {{"device", device}, {"intra_threads", "1"}, {"compute_type", type}};
}

TEST(ApiComputeType, Bfloat16DraftedIsGreedyAndNotFloat32)
{
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer does not know the fibers that stand for a device's threads";
#endif
    PluginPath path(stub_path("fibers"));
    std::vector<uint32_t> bits[2];
    for (const char *type : {"bfloat16", "float32"}) {
        Model m("transformer-pre", computed("cuda", type));
        ASSERT_EQ(m.status, STET_OK) << m.err.message;
        Engine greedy(m.handle, {{"decoding", "greedy"}, {"scores", "1"}});
        Engine drafted(m.handle, {{"scores", "1"}, {"draft_window", "8"}});
        ASSERT_EQ(drafted.status, STET_OK) << drafted.err.message;
        uint64_t saved = 0;
        for (const char *t : texts) {
            Answer want = answer(greedy, t), found = answer(drafted, t);
            EXPECT_EQ(found.text, want.text) << type;
            EXPECT_EQ(found.score_bits, want.score_bits) << type;
            saved += want.passes - found.passes;
            auto &all = bits[type[0] == 'f'];
            all.insert(all.end(), want.score_bits.begin(), want.score_bits.end());
        }
        EXPECT_GT(saved, 0u) << "nothing was drafted";
    }
    EXPECT_NE(bits[0], bits[1]) << "the option changes nothing";
}

TEST(ApiComputeType, ADeviceWithoutItSaysWhatItHas)
{
    const char *want = "option compute_type: \"bfloat16\" is not possible on device ";
    std::string message = message_of_load(computed("cpu", "bfloat16"), STET_E_INVALID);
    EXPECT_TRUE(holds(message, std::string(want) + "cpu, which computes in float32, int8: use"))
        << message;
    PluginPath path(stub_path("works"));
    for (const char *device : {"cuda", "auto"}) {
        message = message_of_load(computed(device, "bfloat16"), STET_E_INVALID);
        EXPECT_TRUE(holds(message, std::string(want) + "cuda, which")) << message;
    }
    PluginPath none(stub_path("no_device"));
    message = message_of_load(computed("auto", "bfloat16"), STET_E_INVALID);
    EXPECT_TRUE(holds(message, std::string(want) + "cpu, which")) << message;
}

TEST(ApiComputeType, Float16IsForStoringAlone)
{
    PluginPath path(stub_path("fibers"));
    std::string message = message_of_load(computed("cuda", "float16"), STET_E_INVALID);
    EXPECT_TRUE(holds(message, "use auto, int8, float32 or bfloat16")) << message;
}

TEST(ApiComputeType, TheReportTellsThoseOfTheDevice)
{
    PluginPath path(stub_path("fibers"));
    for (const char *device : {"cpu", "cuda", "auto"}) {
        bool has = device != std::string("cpu");
        std::string report = inspect(computed(device, "auto"), STET_OK);
        EXPECT_TRUE(holds(report, "\ndevice, cpu has    float32, int8\n")) << report;
        EXPECT_TRUE(holds(report, "\ndevice, cuda has   float32, int8, bfloat16\n")) << report;
        std::string types = has ? "float32, int8, bfloat16" : "float32, int8";
        EXPECT_TRUE(holds(report, "\ncompute types      " + types + "\n")) << report;
        report =
            inspect(computed(device, "bfloat16"), has ? STET_OK : STET_E_INVALID, STET_REPORT_JSON);
        EXPECT_TRUE(holds(report, ",\"compute_types\":\"" + types + "\",\"lang")) << report;
        EXPECT_EQ(holds(report, "\"can_be_run\":true"), has) << report;
    }
}

// ---- What cannot be used -----------------------------------------------------------------------

struct Broken {
    const char *stub;
    const char *says;
};

class ApiNoPlugin : public ::testing::TestWithParam<Broken>
{
};

TEST_P(ApiNoPlugin, CudaFailsAndAutoDoesNot)
{
    PluginPath path(stub_path(GetParam().stub));
    std::string message = message_of_load(on("cuda"));
    EXPECT_TRUE(holds(message, GetParam().says)) << message;
    Model m("edgeformer-a", on("auto"));
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    EXPECT_EQ(m.err.message[0], '\0');
    Engine g(m.handle);
    ASSERT_EQ(g.status, STET_OK) << g.err.message;
    EXPECT_EQ(stet_engine_health(g.handle), STET_HEALTH_READY);
    correct(g, texts[0]);
}

TEST_P(ApiNoPlugin, IsPartOfTheReport)
{
    PluginPath path(stub_path(GetParam().stub));
    std::string report = inspect(on("cpu"), STET_OK);
    EXPECT_TRUE(holds(report, "\ndevice, cpu        yes: cpu (")) << report;
    EXPECT_TRUE(holds(report, "\ndevice, cuda       no: ")) << report;
    EXPECT_TRUE(holds(report, GetParam().says)) << report;
    EXPECT_TRUE(holds(report, "\ncan be run         yes\n")) << report;
    report = inspect(on("cuda"), STET_E_DEVICE);
    EXPECT_TRUE(holds(report, "\ncan be run         no: device cuda")) << report;
    report = inspect(on("auto"), STET_OK, STET_REPORT_JSON);
    EXPECT_TRUE(holds(report, "{\"device\":\"cuda\",\"can_be_used\":false,\"reason\":\"device "))
        << report;
    EXPECT_TRUE(holds(report, "\"device\":\"cpu (")) << report;
}

INSTANTIATE_TEST_SUITE_P(Stubs, ApiNoPlugin,
                         ::testing::Values(Broken{"not_there", "STET_PLUGIN_PATH"},
                                           Broken{"no_symbol", "steti_backend_plugin"},
                                           Broken{"no_table", "version 0"},
                                           Broken{"other_version", "version 77"},
                                           Broken{"no_device", "cuda:0: stub: nothing is plugged"}),
                         [](const auto &p) { return std::string(p.param.stub); });

// A machine that is short of memory is no reason to decode elsewhere.
TEST(ApiNoMemory, IsNotTakenForAMissingDevice)
{
    PluginPath path(stub_path("no_memory"));
    for (const char *device : {"cuda", "auto"}) {
        EXPECT_TRUE(holds(message_of_load(on(device), STET_E_NOMEM), "nothing is plugged in"));
    }
    EXPECT_EQ(inspect(on("cuda"), STET_E_NOMEM).size(), 0u);
}

// ---- One that fails later ----------------------------------------------------------------------

TEST(ApiPluginLost, EngineIsDeadAndSaysSo)
{
    PluginPath path(stub_path("lost"));
    Model m("transformer-pre", on("cuda"));
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    Engine g(m.handle);
    Queue q;
    ASSERT_EQ(stet_engine_health(g.handle), STET_HEALTH_READY);
    size_t accepted = 0;
    for (uint64_t i = 0; i < 8; i++) {
        accepted += submit(g, q, {tagged(texts[0], i)}).accepted;
    }
    auto events = q.wait(accepted);
    ASSERT_EQ(events.size(), accepted);
    size_t failed = 0, explained = 0;
    for (const auto &[tag, e] : events) {
        EXPECT_TRUE(e.status == STET_OK || e.status == STET_E_DEVICE) << e.message;
        EXPECT_EQ(e.status == STET_OK, e.message.empty());
        failed += e.status == STET_E_DEVICE;
        explained += holds(e.message, "device cuda:0: stub: the plug was pulled");
    }
    EXPECT_GT(failed, 0u);
    EXPECT_GT(explained, 0u) << "those in flight tell what the plug-in said";
    for (int i = 0; i < 10000 && stet_engine_health(g.handle) != STET_HEALTH_DEAD; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(stet_engine_health(g.handle), STET_HEALTH_DEAD);
    Submitted s = submit(g, q, {tagged("ba", 1)});
    EXPECT_EQ(s.status, STET_E_DEVICE);
    EXPECT_TRUE(holds(s.err.message, "destroy the engine")) << s.err.message;
}

} // namespace
