// The host's allocator and log hook, in a process of their own.
#include "api_fixture.h"
#include "plugin_env.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

using namespace stet_test;

namespace
{

struct Counter {
    std::atomic<long> blocks{0}, calls{0}, bytes{0};
};

void *count_alloc(void *ctx, size_t size, size_t align)
{
    Counter *c = static_cast<Counter *>(ctx);
    EXPECT_EQ(align & (align - 1), 0u);
    EXPECT_EQ(size % align, 0u);
    c->blocks++;
    c->calls++;
    c->bytes += static_cast<long>(size);
    return std::aligned_alloc(align, size);
}

void count_free(void *ctx, void *p, size_t size)
{
    Counter *c = static_cast<Counter *>(ctx);
    c->blocks--;
    c->bytes -= static_cast<long>(size);
    std::free(p);
}

void count_line(void *ctx, int32_t level, const char *component, const char *line, size_t len)
{
    EXPECT_LE(level, STET_LOG_INFO);
    EXPECT_EQ(std::strlen(line), len);
    EXPECT_EQ(std::strchr(line, '\n'), nullptr);
    EXPECT_NE(component[0], '\0');
    ++*static_cast<int *>(ctx);
}

TEST(ApiHooks, AllocatorAndLogAreUsedForEverything)
{
    static Counter counter; // the hooks stay
    static int lines;
    Error err;
    stet_hooks hooks{};
    hooks.struct_size = sizeof hooks;
    hooks.log_level = STET_LOG_INFO;
    hooks.log = count_line;
    hooks.log_ctx = &lines;
    hooks.mem_alloc = count_alloc;
    EXPECT_EQ(stet_set_hooks(&hooks, &err), STET_E_INVALID) << "only one of two";
    EXPECT_EQ(stet_set_hooks(nullptr, &err), STET_E_INVALID);
    hooks.mem_free = count_free;
    hooks.mem_ctx = &counter;
    hooks.struct_size = 8;
    EXPECT_EQ(stet_set_hooks(&hooks, &err), STET_E_INVALID);
    hooks.struct_size = sizeof hooks;
    ASSERT_EQ(stet_set_hooks(&hooks, &err), STET_OK) << err.message;
    {
        PluginPath nowhere("/nonexistent");
        Model m("edgeformer-a", {{"device", "auto"}, {"intra_threads", "2"}});
        ASSERT_EQ(m.status, STET_OK) << m.err.message;
        Engine g(m.handle);
        Result r = correct(g, "Bace difo guha. Jeki lomu.");
        EXPECT_GT(counter.calls, 50);
        EXPECT_EQ(stet_set_hooks(&hooks, &err), STET_E_INVALID) << "a handle exists";
    }
    EXPECT_EQ(counter.blocks, 0);
    EXPECT_EQ(counter.bytes, 0);
    EXPECT_GT(lines, 0) << "device auto tells why it took the processor";
}

// What was allocated without the host's allocator would be freed with it.
TEST(ApiHooks, TooLateOnceThereIsAQueue)
{
    stet_cq *q = nullptr;
    stet_hooks hooks{};
    Error err;
    hooks.struct_size = sizeof hooks;
    ASSERT_EQ(stet_cq_create(&q, nullptr), STET_OK);
    EXPECT_EQ(stet_set_hooks(&hooks, &err), STET_E_INVALID);
    EXPECT_NE(err.message[0], '\0');
    stet_cq_destroy(q);
    EXPECT_EQ(stet_set_hooks(&hooks, &err), STET_E_INVALID) << "there was one";
}

} // namespace
