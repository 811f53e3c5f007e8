// Out of memory in the scheduler: only opening it takes memory.
#include "failing_alloc.h"

extern "C" {
#include "scheduler.h"
}

using namespace stet_test;

namespace
{

TEST(OutOfMemoryScheduler, Open)
{
    fail_every_allocation("steti_sched_open", [] {
        steti_sched_options o{};
        steti_sched *s = reinterpret_cast<steti_sched *>(&o); // not NULL, to see that it is set
        o.max_requests = 100;
        o.n_slots = 8;
        stet_error err{};
        err.struct_size = sizeof err;
        stet_status st = steti_sched_open(&o, &s, &err);
        EXPECT_EQ(st == STET_OK, s != nullptr);
        EXPECT_TRUE(st == STET_OK || err.message[0] != '\0');
        steti_sched_close(s);
        return st;
    });
    steti_sched_close(nullptr);
}

} // namespace
