#include "fibers.h"

#include "fiber_switch.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#define DEV_WARP 32
#include "dev_host.h"

steti_dev_position steti_dev_here;

namespace stet_shim
{
namespace
{

constexpr int kMaxThreads = 1024;

enum class State { ready, at_warp, at_block, done };

struct Thread {
    Fiber fiber;
    State state = State::ready;
    int line = 0;        // of the barrier it waits at
    unsigned parity = 0; // which of the two sets of slots its next collective uses
};

struct Block {
    const Launch *launch = nullptr;
    steti_dev_position position{};
    std::vector<Thread> threads{kMaxThreads};
    // [warp][parity][lane]
    std::vector<steti_dev_slot> slots{kMaxThreads * 2};
    void *shared = nullptr;
    int running = -1;
    std::string fault;
    Fiber scheduler;
};

Block &block()
{
    static Block *b = new Block; // never freed: fibers may still stand on its stacks
    return *b;
}

void thread_main()
{
    Block &b = block();
    b.launch->kernel(b.launch->arg);
    b.threads[b.running].state = State::done;
    b.threads[b.running].line = 0;
    switch_fiber(&b.threads[b.running].fiber, &b.scheduler);
}

// Leaves the running thread for the scheduler until it is let go.
void wait_as(State state, int line)
{
    Block &b = block();
    Thread &t = b.threads[b.running];
    t.state = state;
    t.line = line;
    switch_fiber(&t.fiber, &b.scheduler);
}

void run_thread(int i)
{
    Block &b = block();
    b.running = i;
    steti_dev_here = b.position;
    steti_dev_here.thread = i;
    switch_fiber(&b.scheduler, &b.threads[i].fiber);
}

std::string place(int i)
{
    const Thread &t = block().threads[i];
    std::string who = "thread " + std::to_string(i);
    switch (t.state) {
    case State::done:
        return who + " has ended";
    case State::at_warp:
        return who + " is at a barrier of its warp in line " + std::to_string(t.line);
    default:
        return who + " is at a barrier of the block in line " + std::to_string(t.line);
    }
}

// Two threads of [begin, end) that are not at the same place, as text; or that no one moves.
std::string divergence(int begin, int end)
{
    const std::vector<Thread> &t = block().threads;
    for (int i = begin + 1; i < end; i++) {
        if (t[i].state != t[begin].state || t[i].line != t[begin].line) {
            return "divergent barrier: " + place(begin) + ", " + place(i);
        }
    }
    return "";
}

// When all of [begin, end) wait in `state` they go on. Returns whether they did.
bool release(int begin, int end, State state)
{
    std::vector<Thread> &t = block().threads;
    for (int i = begin; i < end; i++) {
        if (t[i].state != state || t[i].line != t[begin].line) {
            return false;
        }
    }
    for (int i = begin; i < end; i++) {
        t[i].state = State::ready;
    }
    return true;
}

struct Orders {
    std::vector<int> warps, lanes;
};

Orders make_orders(const Launch &l, unsigned seed)
{
    Orders o;
    for (int i = 0; i < l.threads / DEV_WARP; i++) {
        o.warps.push_back(i);
    }
    for (int i = 0; i < DEV_WARP; i++) {
        o.lanes.push_back(i);
    }
    for (std::vector<int> *v : {&o.warps, &o.lanes}) {
        if (l.order == Order::descending) {
            std::reverse(v->begin(), v->end());
        } else if (l.order == Order::shuffled) {
            std::shuffle(v->begin(), v->end(), std::mt19937(seed));
        }
    }
    return o;
}

// Runs a warp until all its lanes wait for the block, have ended or cannot go on.
bool run_warp(int warp, const std::vector<int> &lanes)
{
    Block &b = block();
    int begin = warp * DEV_WARP;
    bool moved = false;
    do {
        for (int lane : lanes) {
            if (b.threads[begin + lane].state == State::ready && b.fault.empty()) {
                run_thread(begin + lane);
                moved = true;
            }
        }
    } while (b.fault.empty() && release(begin, begin + DEV_WARP, State::at_warp));
    return moved;
}

// Threads that will never go on leave frames behind, which AddressSanitizer would find again under
// the next thread on the same stack.
void abandon(int n)
{
    for (int i = 0; i < n; i++) {
        if (block().threads[i].state != State::done) {
            block().threads[i].fiber.stack.reset();
        }
    }
}

std::string why_stuck(int n)
{
    for (int w = 0; w < n; w += DEV_WARP) {
        std::string why = divergence(w, w + DEV_WARP);
        if (!why.empty()) {
            return why;
        }
    }
    return divergence(0, n);
}

std::string run_block(const Orders &orders)
{
    Block &b = block();
    int n = b.launch->threads;
    for (int i = 0; i < n; i++) {
        b.threads[i].state = State::ready;
        b.threads[i].parity = 0;
        b.threads[i].line = 0;
        start_fiber(&b.threads[i].fiber, thread_main);
    }
    b.fault.clear();
    for (;;) {
        bool moved = false;
        for (int w : orders.warps) {
            moved = run_warp(w, orders.lanes) || moved;
        }
        if (!b.fault.empty()) {
            return b.fault;
        }
        if (release(0, n, State::at_block)) {
            continue;
        }
        if (!moved) {
            break;
        }
    }
    bool all_done = std::all_of(b.threads.begin(), b.threads.begin() + n,
                                [](const Thread &t) { return t.state == State::done; });
    return all_done ? "" : why_stuck(n);
}

} // namespace

std::string run(const Launch &launch)
{
    Block &b = block();
    if (launch.threads < 1 || launch.threads > kMaxThreads || launch.threads % DEV_WARP != 0 ||
        launch.grid_x < 1 || launch.grid_y < 1 || launch.grid_y > 65535) {
        return "invalid configuration: " + std::to_string(launch.threads) + " threads, grid " +
               std::to_string(launch.grid_x) + " x " + std::to_string(launch.grid_y);
    }
    // Of exactly this size, so that AddressSanitizer sees an index behind it.
    std::unique_ptr<unsigned char[]> shared(new unsigned char[launch.shared_bytes + 1]);
    Orders orders = make_orders(launch, static_cast<unsigned>(launch.grid_x * 31 + launch.grid_y));
    std::string problem;
    b.launch = &launch;
    b.shared = shared.get();
    for (int y = 0; y < launch.grid_y && problem.empty(); y++) {
        for (int x = 0; x < launch.grid_x && problem.empty(); x++) {
            std::memset(b.shared, 0xff, launch.shared_bytes);
            b.position = {0, launch.threads, x, y};
            problem = run_block(orders);
            if (!problem.empty()) {
                abandon(launch.threads);
                problem += " (block " + std::to_string(x) + ", " + std::to_string(y) + ")";
            }
        }
    }
    return problem;
}

} // namespace stet_shim

using stet_shim::block;

void steti_dev_sync_block(int line)
{
    stet_shim::wait_as(stet_shim::State::at_block, line);
}

void steti_dev_sync_warp(int line)
{
    stet_shim::wait_as(stet_shim::State::at_warp, line);
}

const steti_dev_slot *steti_dev_exchange(const steti_dev_slot *mine, int line)
{
    int i = block().running, warp = i / DEV_WARP;
    unsigned parity = block().threads[i].parity++ % 2;
    steti_dev_slot *slots =
        &block().slots[static_cast<size_t>(warp * 2 + static_cast<int>(parity)) * DEV_WARP];
    slots[i % DEV_WARP] = *mine;
    stet_shim::wait_as(stet_shim::State::at_warp, line);
    return slots;
}

void *steti_dev_shared(void)
{
    return block().shared;
}

void steti_dev_fault(const char *what, int line)
{
    block().fault = std::string(what) + ": thread " + std::to_string(block().running) + ", line " +
                    std::to_string(line);
    stet_shim::wait_as(stet_shim::State::at_block, line);
}
