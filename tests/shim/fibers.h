// fibers.h - runs a CUDA kernel on the processor: every thread of a block is a fiber, blocks run
// one after the other. The kernel is the source that nvcc compiles, built with STETI_CUDA_SHIM;
// what it calls is declared in cuda/dev_host.h.
//
// What it sees that a device does not tell: threads that meet at different barriers or not at all,
// shared memory that is read before it is written (it is filled with NaN), and, by running the same
// kernel in several orders, results that depend on the order of threads. What it does not see: bank
// conflicts, time, and races that no order of whole stretches between barriers shows.
#pragma once

#include <cstddef>
#include <string>

namespace stet_shim
{

// The order in which warps and lanes run between two barriers.
enum class Order { ascending, descending, shuffled };

struct Launch {
    void (*kernel)(const void *arg);
    const void *arg;
    int grid_x, grid_y, threads;
    size_t shared_bytes;
    Order order;
};

// Empty when all threads ended; else what went wrong, and where.
std::string run(const Launch &launch);

} // namespace stet_shim
