// The plug-in as a program loads it. Without a device, opening one is a failure that says so.
#include <gtest/gtest.h>

#include <dlfcn.h>

#include <cstdlib>
#include <string>

extern "C" {
#include "plugin.h"
}

namespace
{

TEST(Plugin, LoadsAndSaysWhetherThereIsADevice)
{
    const char *elsewhere = std::getenv("STET_CUDA_DEVICE"); // on another machine
    void *lib = dlopen(elsewhere != nullptr ? elsewhere : STET_CUDA_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(lib, nullptr) << dlerror();
    auto entry =
        reinterpret_cast<decltype(&steti_backend_plugin)>(dlsym(lib, "steti_backend_plugin"));
    ASSERT_NE(entry, nullptr) << dlerror();
    const steti_backend_ops *ops = entry();
    ASSERT_NE(ops, nullptr);
    EXPECT_EQ(ops->api_version, STETI_BACKEND_API);
    steti_backend_options o = {1, nullptr, 0};
    steti_backend *b = nullptr;
    stet_error err = {};
    err.struct_size = sizeof err;
    if (ops->open(&o, &b, &err) != STET_OK) {
        EXPECT_EQ(b, nullptr);
        EXPECT_NE(std::string(err.message).find("device cuda:0: opening the device: "),
                  std::string::npos)
            << err.message;
        GTEST_SKIP() << err.message;
    }
    EXPECT_EQ(ops->sync(b, &err), STET_OK) << err.message;
    ops->close(b);
    o.device_index = 1000;
    EXPECT_EQ(ops->open(&o, &b, &err), STET_E_DEVICE);
}

} // namespace
