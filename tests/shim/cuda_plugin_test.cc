// The plug-in as a program loads it. Without a device, opening one is a failure that says so.
#include <gtest/gtest.h>

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" {
#include "plugin.h"
}

namespace
{

// The real NCCL, where it is installed: a block goes to itself and stays what it is.
void check_one_rank(const steti_backend_ops *ops, steti_backend *b)
{
    stet_error err = {};
    steti_peers *peers = nullptr;
    steti_peers_note note = {};
    void *block = nullptr, *none = nullptr;
    char sent[] = "as it was", back[sizeof sent] = "";
    int n = 0;
    err.struct_size = sizeof err;
    EXPECT_EQ(ops->count_devices(&n, &err), STET_OK) << err.message;
    EXPECT_GE(n, 1);
    setenv("STET_NCCL", "always", 1);
    ASSERT_EQ(ops->peers_open(&b, 1, &peers, &note, &err), STET_OK) << err.message;
    unsetenv("STET_NCCL");
    ASSERT_NE(peers, nullptr);
    std::printf("%s\n", note.text);
    ASSERT_EQ(ops->mem_alloc(b, sizeof sent, &block, &err), STET_OK) << err.message;
    EXPECT_EQ(ops->upload(b, block, sent, sizeof sent, &err), STET_OK) << err.message;
    EXPECT_EQ(ops->peers_memory(peers, block, sizeof sent, &none, &err), STET_OK) << err.message;
    EXPECT_EQ(ops->peers_finish(peers, &err), STET_OK) << err.message;
    EXPECT_EQ(ops->download(b, back, block, sizeof sent, &err), STET_OK) << err.message;
    EXPECT_STREQ(back, sent);
    ops->peers_close(peers);
    ops->mem_free(b, block);
}

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
    setenv("STET_CUDNN", "sometimes", 1);
    EXPECT_EQ(ops->open(&o, &b, &err), STET_E_INVALID);
    EXPECT_STREQ(err.message, "STET_CUDNN is \"sometimes\": set it to encoder, all or off");
    setenv("STET_CUDNN", "all", 1);
    if (ops->open(&o, &b, &err) != STET_OK) {
        EXPECT_EQ(b, nullptr);
        EXPECT_NE(std::string(err.message).find("device cuda:0: opening the device: "),
                  std::string::npos)
            << err.message;
        int n = -1;
        EXPECT_EQ(ops->count_devices(&n, &err), STET_E_DEVICE);
        EXPECT_NE(std::string(err.message).find("cudaGetDeviceCount: "), std::string::npos);
        GTEST_SKIP() << err.message;
    }
    EXPECT_EQ(ops->sync(b, &err), STET_OK) << err.message;
    check_one_rank(ops, b);
    ops->close(b);
    o.device_index = 1000;
    EXPECT_EQ(ops->open(&o, &b, &err), STET_E_DEVICE);
}

} // namespace
