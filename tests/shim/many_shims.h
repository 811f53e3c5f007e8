// many_shims.h - several of the devices of shim_device.h, which know whose memory is whose, and
// communicators of NCCL among them that check how they are used.
#pragma once

#include "shim_device.h"

extern "C" {
#include "cuda_peers.h"
}

namespace stet_shim
{

constexpr int kShims = 3;

struct Shims {
    int bound = -1;                    // the thread's device
    std::map<const char *, int> owner; // begin of a block -> device
    uint64_t peer_copies = 0;
    std::string problem; // the first misuse, "" if there is none
};
Shims &shims();

struct Nccl {
    int calls = 0, fail_at = 0; // of functions that can fail; 0: none
    int late_error = 0;         // what async_error tells
    int live = 0, aborted = 0;  // communicators
    int version = 22809;
    size_t broadcasts = 0, bytes = 0;
};
Nccl &nccl();
const steti_nccl *nccl_table();

// The backend on these devices. Peers use NCCL, or with STET's tests' switch off copies.
const steti_backend_ops *many_ops();
struct PeersSwitch {
    bool has_nccl = true, is_always = false;
    bool has_library = false; // of products: fake_blas.h
};
PeersSwitch &peers_switch();

} // namespace stet_shim
