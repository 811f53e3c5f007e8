// shim_internal.h - work on the device of fibers, done at once or put into a graph.
#pragma once

#include "shim_device.h"

#include <memory>

namespace stet_shim
{

using Blocks = std::map<const char *, size_t>;
bool inside(const Blocks &blocks, const void *p, size_t n);

// Returns the code; the device remembers why.
int fail(int code, const std::string &why);
// Counts a call; not 0 when it is the one that must fail. The second form fails in a capture, too.
int count_call(const char *name);
int call_outside(const char *name);

struct Node {
    enum Kind { launch, clear, copy, loop } kind = clear;
    steti_cuda_launch work{}; // its arg is not used, but:
    std::vector<uint64_t> arg;
    void *dst = nullptr;
    const void *src = nullptr;
    size_t bytes = 0;
    steti_cuda_direction way = STETI_ON_DEVICE;
    steti_cuda_condition condition = 0;
    std::shared_ptr<Graph> body;
};

struct Graph {
    std::vector<Node> nodes;
    std::map<steti_cuda_condition, unsigned> conditions; // their values at first
};

int check(const Node &n);   // the pointers
int perform(const Node &n); // checks, too
int submit(const Node &n);  // performs it, or puts it into the graph
int run_loop(const Node &n);
void add_graph_calls(steti_cuda_runtime *rt);

} // namespace stet_shim
