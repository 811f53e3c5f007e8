// shim_device.h - a CUDA device made of the host's memory and of fibers, behind cuda/runtime.h.
//
// It is stricter than a device: memory has exactly the size asked for and holds NaN at first; every
// copy must lie inside one allocation of the right side; a kernel's struct may hold no pointer to
// the host; and any call can be made to fail. Captured work is checked when it is captured and when
// it is done.
#pragma once

#include "fibers.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

extern "C" {
#include "backend.h"
#include "runtime.h"
}

struct steti_cuda_tuning; // cuda_internal.h, which cannot stand beside another backend's

namespace stet_shim
{

struct Graph;

struct Device {
    Order order = Order::ascending;
    // Called before a kernel runs: a test that wants to see or spoil what it works on.
    std::function<void(steti_cuda_kernel kernel, const void *arg)> before;
    uint64_t calls = 0;   // of functions that can fail
    uint64_t fail_at = 0; // the call with this number fails; 0: none
    int fail_code = 700;
    uint64_t launches[STETI_CUDA_KERNEL_COUNT] = {};
    uint64_t bytes_to_device = 0, bytes_to_host = 0;
    double clock = 0; // milliseconds: a launch of a kernel that multiplies takes one
    uint64_t copies = 0, graph_launches = 0;
    int streams = 0, events = 0;
    int has_while = 1;          // of contexts that are opened
    Graph *capturing = nullptr; // the graph that work goes into instead of being done
    bool spoilt = false;        // a call failed since the capture began
    std::set<Graph *> graphs, execs;
    std::map<uint64_t, unsigned> conditions;       // of graphs that run
    std::string problem;                           // of the last failed call
    std::map<const char *, size_t> memory, pinned; // begin -> bytes
    size_t bytes() const                           // of both
    {
        size_t sum = 0;
        for (const auto *blocks : {&memory, &pinned}) {
            for (const auto &block : *blocks) {
                sum += block.second;
            }
        }
        return sum;
    }
};

Device &device();

// What is not given back yet: streams, events, blocks of memory, graphs.
size_t live();

// Does [p, p + n) lie in one block of the device?
bool on_device(const void *p, size_t n);

// The work of a library on the stream: done now, or put into the graph that is captured.
int submit_library(const std::function<int()> &work);

// The default tuning with other chunks and another edge between schedules.
steti_cuda_tuning chunks(int chunk, int chunked_rows);

// The work in a graph or in what was made of it, in order: the names of kernels, "clear",
// "to device", "to host", "on device", "while", "library".
std::vector<std::string> work_of(const void *graph_or_exec);

constexpr int kOutOfMemory = 2;

const steti_cuda_runtime *runtime();

// The backend on this device. `ops` has the numbers that the plug-in has; `ops_small_chunks` has
// chunks of 48 inputs, changes schedules at 9 rows and runs its threads in shuffled order;
// `ops_control` breaks the contract: its chunks depend on the number of rows.
const steti_backend_ops *ops();
const steti_backend_ops *ops_small_chunks();
const steti_backend_ops *ops_control();

} // namespace stet_shim
