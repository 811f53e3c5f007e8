#include <gtest/gtest.h>

#include <cstring>
#include <string>

extern "C" {
#include "status.h"
#include "utf8.h"
}

namespace
{

stet_error Error()
{
    stet_error e = {};
    e.struct_size = sizeof e;
    return e;
}

TEST(Status, EveryCodeHasItsNameAndText)
{
#define CHECK_ONE(name, value, text)                                                               \
    EXPECT_STREQ(stet_status_name(value), "STET_" #name);                                          \
    EXPECT_STREQ(stet_status_text(value), text);
    STET_STATUS_MAP(CHECK_ONE)
#undef CHECK_ONE
    EXPECT_EQ(STET_OK, 0);
    EXPECT_STREQ(stet_status_name(-1000), "STET_E_UNKNOWN");
    EXPECT_STREQ(stet_status_name(1), "STET_E_UNKNOWN");
    EXPECT_STRNE(stet_status_text(-1000), "");
}

TEST(Status, FailFillsTheErrorAndReturnsTheCode)
{
    stet_error e = Error();
    e.retry_after_ms = 7;
    EXPECT_EQ(steti_fail(&e, STET_E_MODEL, "%s: %d layers", "a/b", 3), STET_E_MODEL);
    EXPECT_EQ(e.code, STET_E_MODEL);
    EXPECT_EQ(e.retry_after_ms, 0u);
    EXPECT_STREQ(e.message, "a/b: 3 layers");
    EXPECT_EQ(steti_fail(nullptr, STET_E_IO, "%s", "x"), STET_E_IO);
}

TEST(Status, LongMessagesAreCutBetweenCharacters)
{
    for (size_t head = 480; head < 500; head++) {
        stet_error e = Error();
        std::string text =
            std::string(head, 'a') + "\xE2\x82\xAC\xF0\x9F\x98\x80" + std::string(100, 'b');
        steti_fail(&e, STET_E_IO, "%s", text.c_str());
        std::string m = e.message;
        EXPECT_EQ(steti_utf8_valid_prefix(m.data(), m.size()), m.size());
        EXPECT_EQ(m.find('?'), std::string::npos);
        EXPECT_EQ(text.compare(0, m.size(), m), 0);
        EXPECT_GE(m.size(), sizeof e.message - 5);
        EXPECT_LT(m.size(), sizeof e.message);
    }
}

TEST(Status, ControlCharactersAreReplaced)
{
    stet_error e = Error();
    steti_fail(&e, STET_E_IO, "a\n\x1b[31mb\x7f\tc");
    EXPECT_STREQ(e.message, "a??[31mb??c");
}

TEST(Status, InvalidBytesAreReplacedAndTheRestStays)
{
    stet_error e = Error();
    steti_fail(&e, STET_E_IO, "dir\xff/x\xE2\x82y: cannot be opened");
    EXPECT_STREQ(e.message, "dir?/x??y: cannot be opened");
    steti_fail(&e, STET_E_IO, "ends with \xff");
    EXPECT_STREQ(e.message, "ends with ?");
}

TEST(Status, ShorterStructsOfOlderCallersAreRespected)
{
    stet_error e = Error();
    std::memset(e.message, '#', sizeof e.message);
    e.struct_size = offsetof(stet_error, message) + 8;
    steti_fail(&e, STET_E_IO, "0123456789");
    EXPECT_STREQ(e.message, "0123456");
    EXPECT_EQ(e.message[8], '#');
    e.struct_size = offsetof(stet_error, message);
    e.message[0] = '#';
    EXPECT_EQ(steti_fail(&e, STET_E_BUSY, "x"), STET_E_BUSY);
    EXPECT_EQ(e.code, STET_E_BUSY);
    EXPECT_EQ(e.message[0], '#');
}

TEST(Status, ContextGoesBeforeTheMessage)
{
    stet_error e = Error();
    steti_fail(&e, STET_E_IO, "no such file");
    EXPECT_EQ(steti_fail_context(&e, STET_E_MODEL, "layer %d", 4), STET_E_MODEL);
    EXPECT_STREQ(e.message, "layer 4: no such file");
    EXPECT_EQ(e.code, STET_E_MODEL);
    std::string longest(2 * sizeof e.message, 'c');
    steti_fail_context(&e, STET_E_MODEL, "%s", longest.c_str());
    EXPECT_EQ(std::strlen(e.message), sizeof e.message - 1);
    EXPECT_EQ(steti_fail_context(nullptr, STET_E_MODEL, "x"), STET_E_MODEL);
}

TEST(Status, OutOfMemoryNamesWhatAndHowMuch)
{
    stet_error e = Error();
    EXPECT_EQ(steti_fail_nomem(&e, "the cache", 1234), STET_E_NOMEM);
    EXPECT_NE(std::strstr(e.message, "the cache"), nullptr);
    EXPECT_NE(std::strstr(e.message, "1234"), nullptr);
}

stet_status TryIt(stet_status s, int *reached)
{
    STETI_TRY(s);
    *reached = 1;
    return STET_OK;
}

TEST(Status, TryReturnsOnFailureOnly)
{
    int reached = 0;
    EXPECT_EQ(TryIt(STET_E_IO, &reached), STET_E_IO);
    EXPECT_EQ(reached, 0);
    EXPECT_EQ(TryIt(STET_OK, &reached), STET_OK);
    EXPECT_EQ(reached, 1);
}

} // namespace
