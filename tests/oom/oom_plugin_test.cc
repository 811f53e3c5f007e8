// Out of memory in the library with a device of a plug-in, which allocates by itself.
#include "failing_alloc.h"
#include "fixture_path.h"
#include "plugin_env.h"

#include <string>

extern "C" {
#include "stet.h"
}

using namespace stet_test;

namespace
{

stet_status live(const char *device, stet_model **model, const char *index = "0")
{
    const std::string folder = fixture("edgeformer-a");
    const stet_option model_options[] = {
        {"device", device}, {"intra_threads", "1"}, {"device_index", index}};
    const stet_option engine_options[] = {
        {"batch_size", "2"}, {"max_input_length", "16"}, {"max_decoding_length", "24"}};
    stet_engine *g = nullptr;
    stet_result *out = nullptr;
    stet_status st = stet_model_load(folder.c_str(), model_options, 3, model, nullptr);
    st = st == STET_OK ? stet_engine_create(*model, engine_options, 3, &g, nullptr) : st;
    st = st == STET_OK ? stet_correct(g, "bace difo", 9, &out, nullptr) : st;
    EXPECT_EQ(st == STET_OK, out != nullptr);
    stet_result_release(out);
    stet_engine_destroy(g);
    stet_model_release(*model);
    return st;
}

TEST(OutOfMemoryPlugin, ADeviceThatWorks)
{
    PluginPath path(stub_path("works"));
    fail_every_allocation("the life of a model on a plug-in", [] {
        stet_model *m = nullptr;
        return live("cuda", &m);
    });
}

TEST(OutOfMemoryPlugin, TwoParts)
{
    fail_every_allocation("the life of a model with two engines on the processor", [] {
        stet_model *m = nullptr;
        return live("cpu", &m, "0,1");
    });
}

// No failure may look like a device that is not there: then the processor would be taken, and that
// be told as the reason.
TEST(OutOfMemoryPlugin, ADeviceThatIsMissing)
{
    PluginPath path(stub_path("no_device"));
    fail_every_allocation("the life of a model on the processor instead", [] {
        stet_model *m = nullptr;
        return live("auto", &m);
    });
}

TEST(OutOfMemoryPlugin, Report)
{
    const std::string folder = fixture("edgeformer-a");
    PluginPath path(stub_path("works"));
    const stet_option device = {"device", "cuda"};
    for (uint32_t format : {STET_REPORT_TEXT, STET_REPORT_JSON}) {
        fail_every_allocation("stet_model_inspect with a plug-in", [&] {
            char buf[4096] = "";
            size_t needed = 0;
            stet_status st = stet_model_inspect(folder.c_str(), &device, 1, format, buf, sizeof buf,
                                                &needed, nullptr);
            EXPECT_TRUE(st != STET_OK || std::string(buf).find("stub 0") != std::string::npos);
            return st;
        });
    }
}

} // namespace
