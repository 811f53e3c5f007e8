// How many passes the scheduler asks a device for that makes several by itself.
#include <cstdint>
#include <map>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "scheduler.h"
}

namespace
{

struct Asked {
    int n, most, until_done;
    bool operator==(const Asked &o) const
    {
        return n == o.n && most == o.most && until_done == o.until_done;
    }
};
std::ostream &operator<<(std::ostream &to, const Asked &a)
{
    return to << a.n << " slots, " << a.most << " passes until " << a.until_done << " done";
}

// Sentences that take so many passes of 1 ms each; a call of `pass` is {n, 1, 0}.
struct Device {
    std::map<int, std::vector<int>> requests; // passes of the sentences that have not begun
    std::map<int, int> left;                  // by slot
    std::vector<Asked> asked;
    std::map<int, stet_status> ended;
    uint64_t now = 0;
    uint64_t encode_ns = 0;

    static Device &self(void *ctx)
    {
        return *static_cast<Device *>(ctx);
    }
    int run(const int *slots, int n, int most, int until_done)
    {
        int passes = 0, done = 0;
        while (passes < most && done < until_done) {
            done = 0;
            for (int i = 0; i < n; i++) {
                left[slots[i]] -= left[slots[i]] > 0;
                done += left[slots[i]] == 0;
            }
            now += 1000000;
            passes++;
        }
        return passes;
    }
};

steti_sched_ops device_ops()
{
    steti_sched_ops ops{};
    ops.begin = [](void *ctx, int request, int slot, int *more) {
        auto &todo = Device::self(ctx).requests[request];
        if (todo.empty()) {
            return 0;
        }
        Device::self(ctx).left[slot] = todo.front();
        todo.erase(todo.begin());
        *more = !todo.empty();
        return 10;
    };
    ops.encode = [](void *ctx, const int *, int) {
        Device::self(ctx).now += Device::self(ctx).encode_ns;
    };
    ops.pass = [](void *ctx, const int *slots, int n) {
        Device::self(ctx).asked.push_back({n, 1, 0});
        Device::self(ctx).run(slots, n, 1, n + 1);
    };
    ops.passes = [](void *ctx, const int *slots, int n, int most, int until_done) {
        Device::self(ctx).asked.push_back({n, most, until_done});
        return Device::self(ctx).run(slots, n, most, until_done);
    };
    ops.is_done = [](void *ctx, int slot) { return Device::self(ctx).left[slot] == 0 ? 1 : 0; };
    ops.finish = [](void *, int) { return stet_status{STET_OK}; };
    ops.drop = [](void *, int) {};
    ops.complete = [](void *ctx, int request, stet_status st) {
        Device::self(ctx).ended[request] = st;
    };
    return ops;
}

class SchedPasses : public ::testing::Test
{
  protected:
    SchedPasses() : clock{[](void *ctx) { return Device::self(ctx).now; }, &device}
    {
    }
    ~SchedPasses() override
    {
        steti_sched_close(s);
    }
    void open(int n_slots, int most, bool has_passes = true)
    {
        steti_sched_options o{};
        ops = device_ops();
        ops.passes = has_passes ? ops.passes : nullptr;
        o.max_requests = 8;
        o.n_slots = n_slots;
        o.encode_rows = 100;
        o.encode_worth = 1;
        o.most_passes = most;
        o.clock = &clock;
        o.ops = &ops;
        o.ctx = &device;
        ASSERT_EQ(steti_sched_open(&o, &s, nullptr), STET_OK);
    }
    void add(int id, std::vector<int> passes, uint64_t deadline = 0)
    {
        steti_sched_request r{device.now, deadline, 0};
        device.requests[id] = std::move(passes);
        steti_sched_add(s, id, &r);
    }
    std::vector<Asked> run()
    {
        device.asked.clear();
        while (steti_sched_step(s) != 0) {
        }
        return device.asked;
    }
    Device device;
    steti_clock clock;
    steti_sched_ops ops{};
    steti_sched *s = nullptr;
};

TEST_F(SchedPasses, OneRequestIsLeftAlone)
{
    open(4, 8);
    add(0, {3});
    EXPECT_EQ(run(), (std::vector<Asked>{{1, 8, 1}}));
    add(1, {3, 10});
    EXPECT_EQ(run(), (std::vector<Asked>{{2, 8, 2}, {1, 8, 1}}));
}

// Who waits for a slot gets it as soon as one is free.
TEST_F(SchedPasses, AllSlotsInUse)
{
    open(2, 8);
    add(0, {5, 3, 4});
    EXPECT_EQ(run(), (std::vector<Asked>{{2, 8, 1}, {2, 8, 2}}));
}

// Of several requests the one that ends is told at once.
TEST_F(SchedPasses, SeveralRequests)
{
    open(4, 8);
    add(0, {2});
    add(1, {6});
    EXPECT_EQ(run(), (std::vector<Asked>{{2, 8, 1}, {1, 8, 1}}));
}

// A sentence that is begun and waits for company in the encoder, and one that has a free slot.
TEST_F(SchedPasses, WhoMayJoinIsWaitedFor)
{
    steti_sched_options o{};
    ops = device_ops();
    o = {8, 4, 100, 40, 0, 8, &clock, &ops, &device};
    ASSERT_EQ(steti_sched_open(&o, &s, nullptr), STET_OK);
    device.encode_ns = 1000;
    add(0, {20});
    steti_sched_step(s);
    add(1, {1});
    steti_sched_step(s);
    ASSERT_EQ(device.asked.size(), 2u);
    EXPECT_EQ(device.asked[0], (Asked{1, 8, 1}));
    EXPECT_EQ(device.asked[1], (Asked{1, 1, 0})) << "10 of 40 tokens are gathered";
}

TEST_F(SchedPasses, NoMorePassesThanTheDeadlineLeaves)
{
    open(4, 8);
    add(0, {1});
    run(); /* now a pass is known to take 1 ms */
    add(1, {30}, device.now + 12500000);
    auto asked = run();
    EXPECT_EQ(asked, (std::vector<Asked>{{1, 8, 1}, {1, 4, 1}, {1, 1, 0}}));
    EXPECT_EQ(device.ended[1], STET_E_DEADLINE);
}

TEST_F(SchedPasses, OneByOneWhereThereIsNoOtherWay)
{
    open(2, 8, false);
    add(0, {2});
    EXPECT_EQ(run(), (std::vector<Asked>{{1, 1, 0}, {1, 1, 0}}));
    steti_sched_close(s);
    open(2, 1);
    add(0, {2});
    EXPECT_EQ(run(), (std::vector<Asked>{{1, 1, 0}, {1, 1, 0}}));
}

} // namespace
