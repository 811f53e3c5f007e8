// fake_sdpa.h - a library of attention behind cuda/sdpa.h, on the device of fibers.
//
// A row's bits depend on that row alone, unless a flaw is asked for. It counts what it is asked to
// do, looks at every pointer, and can be made to fail at any call.
#pragma once

#include <cstdint>
#include <string>

extern "C" {
#include "cuda_sdpa.h"
}

namespace stet_shim
{

// What the bits of a row depend on besides (weights are rounded to bfloat16 then), or what else is
// wrong.
enum class Flaw {
    none,
    batch,     // whether there are other sentences in the call
    position,  // whether its sentence is the second or a later one
    neighbour, // whether the sentence in front of it is longer
    rows,      // whether the call has other rows of its sentence
    plan,      // which plan is taken
    nan,       // what is in memory behind its keys
    scale,     // it takes no notice of the scale
    overrun    // it writes a row too many
};

struct FakeSdpa {
    Flaw flaw = Flaw::none;
    std::string version = "1.2.3";
    bool absent = false;  // the library cannot be opened
    size_t workspace = 0; // of its plans
    uint64_t calls = 0;   // of functions that can fail
    uint64_t fail_at = 0; // the call with this number fails; 0: none
    int fail_code = 9;    // 2: out of memory, 3: unsupported, other: a fault
    uint64_t plans = 0, restored = 0, saved = 0, runs = 0;
    int live = 0; // contexts and plans not given back
    std::string problem;
};

FakeSdpa &fake_sdpa();
const steti_sdpa *fake_sdpa_table();

// For both kinds, without a folder.
steti_cuda_sdpa_options fake_sdpa_options();

} // namespace stet_shim
