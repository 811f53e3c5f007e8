// fiber_switch.h - stacks, and the step from one to the other. On x86-64 a few instructions; on
// other processors (and with STET_SHIM_UCONTEXT) ucontext, which also saves the signal mask and is
// slower.
#pragma once

#include <cstddef>
#include <memory>

#if !defined(__x86_64__) || defined(STET_SHIM_UCONTEXT)
#include <ucontext.h>
#endif

namespace stet_shim
{

struct Fiber {
    std::unique_ptr<unsigned char[]> stack; // empty: the stack of the program itself
#if defined(__x86_64__) && !defined(STET_SHIM_UCONTEXT)
    void *top = nullptr; // where the saved registers are
#else
    ucontext_t context;
#endif
    void *fake_stack = nullptr; // AddressSanitizer's
    const void *bottom = nullptr;
    size_t size = 0;
};

// A fiber that will begin in `entry`, which must not return. Stacks are kept and used again.
void start_fiber(Fiber *f, void (*entry)());

// Saves the running fiber in *from and goes on in *to.
void switch_fiber(Fiber *from, Fiber *to);

} // namespace stet_shim
