// fake_blas.h - matrix libraries behind cuda/blas.h, for the device made of fibers: with the
// backend's own order of sums, and with orders that a probe must see.
#pragma once

#include "shim_device.h"

#include <vector>

extern "C" {
#include "blas.h"
}

namespace stet_shim
{

enum class Sums {
    ours,           // the order of dev_gemm.h
    reversed_many,  // descending k for more than 64 rows
    one_output_off, // at 65 rows, the first output of the last row is another number
    nothing,        // leaves c as it is
    always_adds,    // adds to what c held, asked to or not
    refuses_nine,   // an error at 9 rows
};

struct Way {
    Sums sums = Sums::ours;
    double ms = 0.05; // that a product takes
};

struct FakeBlas {
    std::vector<Way> ways = {Way()};
    bool is_there = true;
    size_t version = 130100;
    uint64_t calls = 0;   // of functions that can fail
    uint64_t fail_at = 0; // the call with this number fails; 0: none
    uint64_t runs = 0;
    int most_rows = 0; // of one product
    int open = 0;      // handles
    int misuses = 0;   // what blas.h forbids: pointers, alignment, lengths
    uint64_t last_way = 0;
};

FakeBlas &fake_blas();
const steti_blas *fake_library();

// The tuning with the library, for more rows than `rows`; the probe goes up to `probe_rows`.
steti_cuda_tuning with_library(steti_cuda_tuning tuning, int rows, int probe_rows);

// As `ops`, with the library for more than one row.
const steti_backend_ops *ops_library_always();

// As ops_small_chunks, with the library for more than 8 rows. `unproven`: its sums for many rows
// have another order and no probe looks at them, which breaks the contract.
const steti_backend_ops *ops_library();
const steti_backend_ops *ops_library_unproven();

} // namespace stet_shim
