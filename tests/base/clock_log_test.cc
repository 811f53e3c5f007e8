#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "clock.h"
#include "log.h"
}

namespace
{

TEST(Clock, SystemTimeDoesNotGoBack)
{
    const steti_clock *c = steti_clock_system();
    uint64_t last = steti_now(c);
    EXPECT_GT(last, 0u);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = steti_now(c);
        ASSERT_GE(now, last);
        last = now;
    }
}

TEST(Clock, TestsMayInstallTheirOwn)
{
    uint64_t time = 5;
    steti_clock c = {[](void *ctx) { return (*static_cast<uint64_t *>(ctx))++; }, &time};
    EXPECT_EQ(steti_now(&c), 5u);
    EXPECT_EQ(steti_now(&c), 6u);
}

struct Line {
    int32_t level;
    std::string component, text;
};

void Keep(void *ctx, int32_t level, const char *component, const char *line, size_t len)
{
    EXPECT_EQ(std::strlen(line), len);
    static_cast<std::vector<Line> *>(ctx)->push_back({level, component, std::string(line, len)});
}

TEST(Log, GoesToTheHookUpToTheLevel)
{
    std::vector<Line> lines;
    steti_log(STET_LOG_ERROR, "x", "nobody hears %d", 1);
    steti_log_set_hook(Keep, &lines, STET_LOG_WARN);
    steti_log(STET_LOG_ERROR, "a", "one %d", 1);
    steti_log(STET_LOG_WARN, "b", "two");
    steti_log(STET_LOG_INFO, "c", "three");
    steti_log_set_hook(nullptr, nullptr, 0);
    steti_log(STET_LOG_ERROR, "d", "four");
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].level, STET_LOG_ERROR);
    EXPECT_EQ(lines[0].component, "a");
    EXPECT_EQ(lines[0].text, "one 1");
    EXPECT_EQ(lines[1].text, "two");
}

TEST(Log, LongLinesAreCut)
{
    std::vector<Line> lines;
    std::string big(5000, 'x');
    steti_log_set_hook(Keep, &lines, STET_LOG_DEBUG);
    steti_log(STET_LOG_DEBUG, "a", "%s", big.c_str());
    steti_log_set_hook(nullptr, nullptr, 0);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0].text, big.substr(0, lines[0].text.size()));
    EXPECT_GE(lines[0].text.size(), 400u);
}

} // namespace
