// Out of memory in a replay: its core, and the call of stet.h.
#include "failing_alloc.h"

#include <string>

extern "C" {
#include "replay.h"
#include "stet.h"
}

using namespace stet_test;

namespace
{

TEST(OutOfMemoryReplay, Core)
{
    for (const steti_draft_ops *const *p = steti_draft_list(); *p != nullptr; p++) {
        fail_every_allocation((*p)->name, [p] {
            steti_replay_options o{};
            steti_replay *r = nullptr;
            o.draft = *p;
            o.max_src = 8;
            o.max_out = 12;
            o.eos = 1;
            stet_status st = steti_replay_open(&o, &r, nullptr);
            EXPECT_EQ(st == STET_OK, r != nullptr);
            steti_replay_close(r);
            return st;
        });
    }
}

TEST(OutOfMemoryReplay, Call)
{
    const std::string folder = std::string(STET_FIXTURES) + "/edgeformer-a";
    const stet_text sources[] = {{"bace difo guha.", 15}, {"na pe", 5}};
    const stet_text first[] = {{"bace guha.", 10}, {"na pe", 5}}, second[] = {{"", 0}, {"pe", 2}};
    const stet_replay_answers answers[] = {{"first", first}, {"second", second}};
    stet_replay_input in{};
    in.struct_size = sizeof in;
    in.flags = STET_REPLAY_PER_SENTENCE;
    in.folder = folder.c_str();
    in.source_name = "source";
    in.sources = sources;
    in.n_sources = 2;
    in.answers = answers;
    in.n_answers = 2;
    for (uint32_t format : {STET_REPORT_TEXT, STET_REPORT_JSON}) {
        static char whole[16384];
        size_t want = 0;
        ASSERT_EQ(stet_replay(&in, nullptr, 0, format, whole, sizeof whole, &want, nullptr),
                  STET_OK);
        fail_every_allocation("stet_replay", [&] {
            static char buf[16384];
            size_t needed = 77;
            stet_error err{};
            err.struct_size = sizeof err;
            buf[0] = '\0';
            stet_status st = stet_replay(&in, nullptr, 0, format, buf, sizeof buf, &needed, &err);
            EXPECT_TRUE(st == STET_OK ? std::string(buf) == whole : buf[0] == '\0' && needed == 77);
            EXPECT_TRUE(st == STET_OK || err.message[0] != '\0');
            return st;
        });
    }
}

} // namespace
