// Which file is taken for a plug-in, and what is said of files that are none.
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "plugin_env.h"

extern "C" {
#include "log.h"
#include "plugin_load.h"
}

#include <gtest/gtest.h>

using namespace stet_test;

namespace
{

struct Loaded {
    stet_status status;
    const steti_backend_ops *ops;
    std::string message;
};

Loaded load(const char *device = "cuda")
{
    Loaded l{77, reinterpret_cast<const steti_backend_ops *>(&l), ""};
    stet_error err{};
    err.struct_size = sizeof err;
    l.status = steti_plugin_load(device, &l.ops, &err);
    l.message = err.message;
    EXPECT_EQ(l.status == STET_OK, l.ops != nullptr);
    EXPECT_EQ(l.status == STET_OK, l.message.empty()) << l.message;
    return l;
}

void expect_refusal(const Loaded &l, const std::vector<std::string> &words)
{
    EXPECT_EQ(l.status, STET_E_DEVICE);
    EXPECT_EQ(l.message.rfind("device cuda: ", 0), 0u) << l.message;
    for (const auto &w : words) {
        EXPECT_NE(l.message.find(w), std::string::npos) << l.message << " does not say " << w;
    }
}

std::string in_temp(const std::string &name)
{
    return ::testing::TempDir() + "stet_plugin_" + std::to_string(getpid()) + "_" + name;
}

TEST(PluginLoad, FileOrFolder)
{
    const steti_backend_ops *first;
    {
        PluginPath path(stub_path("works"));
        Loaded l = load();
        ASSERT_EQ(l.status, STET_OK) << l.message;
        EXPECT_EQ(l.ops->api_version, STETI_BACKEND_API);
        first = l.ops;
    }
    PluginPath path(stub_path("works", true));
    EXPECT_EQ(load().ops, first) << "it is loaded once";
}

// A name without a slash is a file here, and nothing that the loader looks for elsewhere.
TEST(PluginLoad, FileInTheWorkingFolder)
{
    char before[4096];
    ASSERT_NE(getcwd(before, sizeof before), nullptr);
    ASSERT_EQ(chdir(stub_path("works", true).c_str()), 0);
    PluginPath path("libstet_cuda.so");
    EXPECT_EQ(load().status, STET_OK);
    ASSERT_EQ(chdir(before), 0);
    expect_refusal(load(), {"\"libstet_cuda.so\"", "STET_PLUGIN_PATH"});
}

// It has a log of its own, which leads to the host's hook.
TEST(PluginLoad, LogLinesReachTheHost)
{
    std::vector<std::string> lines;
    auto hook = [](void *ctx, int32_t, const char *component, const char *line, size_t len) {
        static_cast<std::vector<std::string> *>(ctx)->push_back(component + std::string(": ") +
                                                                std::string(line, len));
    };
    PluginPath path(stub_path("works"));
    for (uint32_t level : {STET_LOG_INFO, STET_LOG_WARN}) {
        steti_log_set_hook(hook, &lines, level);
        Loaded l = load();
        ASSERT_EQ(l.status, STET_OK) << l.message;
        steti_backend_options o = {1, nullptr, 3};
        steti_backend *b = nullptr;
        ASSERT_EQ(l.ops->open(&o, &b, nullptr), STET_OK);
        l.ops->close(b);
        EXPECT_EQ(lines, std::vector<std::string>{"stub: opened with index 3"})
            << "and only the levels that the host asked for";
    }
    steti_log_set_hook(nullptr, nullptr, 0);
}

TEST(PluginLoad, OneTableForAllThreads)
{
    PluginPath path(stub_path("lost"));
    std::vector<Loaded> got(8);
    std::vector<std::thread> threads;
    for (auto &g : got) {
        threads.emplace_back([&g] { g = load(); });
    }
    for (auto &t : threads) {
        t.join();
    }
    for (const auto &g : got) {
        EXPECT_EQ(g.status, STET_OK) << g.message;
        EXPECT_EQ(g.ops, got[0].ops);
    }
}

TEST(PluginLoad, NothingThere)
{
    PluginPath path("/nonexistent/libstet_cuda.so");
    expect_refusal(load(), {"\"/nonexistent/libstet_cuda.so\"", "STET_PLUGIN_PATH", "No such file",
                            "use device cpu"});
}

// A folder without it, and a path that is longer than any.
TEST(PluginLoad, NothingThatFits)
{
    {
        PluginPath path(::testing::TempDir());
        expect_refusal(load(), {"STET_PLUGIN_PATH", "No such file"});
    }
    PluginPath path("/" + std::string(5000, 'x'));
    expect_refusal(load(), {"STET_PLUGIN_PATH", "too long", "use device cpu"});
}

TEST(PluginLoad, NoLibrary)
{
    for (const std::string &contents :
         {std::string(), std::string("text\n"), "\177ELF" + std::string(4000, 'x')}) {
        std::string name = in_temp("text.so");
        std::ofstream(name, std::ios::binary) << contents;
        PluginPath path(name);
        expect_refusal(load(), {name, "cannot be opened", "use device cpu"});
        unlink(name.c_str());
    }
}

// The beginning of a library, as a copy that was broken off leaves it.
TEST(PluginLoad, HalfALibrary)
{
    std::ifstream in(stub_path("works"), std::ios::binary);
    std::string whole((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    ASSERT_GT(whole.size(), 4096u);
    std::string name = in_temp("half.so");
    std::ofstream(name, std::ios::binary) << whole.substr(0, 100);
    PluginPath path(name);
    expect_refusal(load(), {name, "cannot be opened"});
    unlink(name.c_str());
}

TEST(PluginLoad, OtherLibraries)
{
    {
        PluginPath path(stub_path("no_symbol"));
        expect_refusal(load(), {stub_path("no_symbol"), STETI_PLUGIN_ENTRY});
    }
    {
        PluginPath path(stub_path("no_table"));
        expect_refusal(load(), {stub_path("no_table"), "version 0"});
    }
    PluginPath path(stub_path("other_version"));
    expect_refusal(load(), {stub_path("other_version"), "version 77",
                            "version " + std::to_string(STETI_BACKEND_API)});
}

// One that failed does not stand in the way of the next.
TEST(PluginLoad, AgainAfterAFailure)
{
    {
        PluginPath path(stub_path("other_version"));
        EXPECT_EQ(load().status, STET_E_DEVICE);
        EXPECT_EQ(load().status, STET_E_DEVICE);
    }
    PluginPath path(stub_path("works"));
    EXPECT_EQ(load().status, STET_OK);
}

// Without the variable; no machine has a device of this name. An empty one is as good as none.
TEST(PluginLoad, NowhereToBeFound)
{
    for (int is_set = 0; is_set < 2; is_set++) {
        if (is_set) {
            setenv("STET_PLUGIN_PATH", "", 1);
        }
        Loaded l = load("abacus");
        EXPECT_EQ(l.status, STET_E_DEVICE);
        for (const char *w : {"device abacus: ", "libstet_abacus.so", "STET_PLUGIN_PATH",
                              "No such file", "use device cpu"}) {
            EXPECT_NE(l.message.find(w), std::string::npos) << l.message;
        }
    }
    unsetenv("STET_PLUGIN_PATH");
}

} // namespace
