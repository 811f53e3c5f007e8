#include "fiber_switch.h"

#include <cstdint>
#include <cstring>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STET_SHIM_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define STET_SHIM_ASAN
#endif

#ifdef STET_SHIM_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace stet_shim
{
namespace
{

#ifdef STET_SHIM_ASAN
constexpr size_t kStackBytes = 256 * 1024;
Fiber *left; // the fiber that the running one was entered from

void before_switch(Fiber *from, const Fiber *to)
{
    left = from;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->bottom, to->size);
}
void after_switch(Fiber *now)
{
    // A fiber without a stack is the program's: its bounds are learnt when it is left.
    bool learn = left != nullptr && left->stack == nullptr;
    __sanitizer_finish_switch_fiber(now != nullptr ? now->fake_stack : nullptr,
                                    learn ? &left->bottom : nullptr, learn ? &left->size : nullptr);
}
#else
constexpr size_t kStackBytes = 64 * 1024;
void before_switch(Fiber *, const Fiber *)
{
}
void after_switch(Fiber *)
{
}
#endif

void (*entry_of_next)();

void first_step()
{
    after_switch(nullptr);
    entry_of_next();
}

} // namespace

#if defined(__x86_64__) && !defined(STET_SHIM_UCONTEXT)

// Saves what a called function must keep, changes stacks, and returns on the other one.
extern "C" void stet_shim_switch(void **save, void *load);
asm(".text\n"
    ".type stet_shim_switch, @function\n"
    "stet_shim_switch:\n"
    "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n    popq %rbp\n"
    "    ret\n"
    ".size stet_shim_switch, . - stet_shim_switch\n");

static void prepare(Fiber *f)
{
    void **top = reinterpret_cast<void **>(f->stack.get() + kStackBytes - 64);
    top = reinterpret_cast<void **>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15});
    *--top = nullptr; // first_step never returns; its frame is aligned as after a call
    void (*begin)() = first_step;
    std::memcpy(--top, &begin, sizeof begin);
    for (int i = 0; i < 6; i++) {
        *--top = nullptr;
    }
    f->top = top;
}

static void change(Fiber *from, Fiber *to)
{
    stet_shim_switch(&from->top, to->top);
}

#else

static void prepare(Fiber *f)
{
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack.get();
    f->context.uc_stack.ss_size = kStackBytes;
    f->context.uc_link = nullptr;
    makecontext(&f->context, first_step, 0);
}

static void change(Fiber *from, Fiber *to)
{
    swapcontext(&from->context, &to->context);
}

#endif

void start_fiber(Fiber *f, void (*entry)())
{
    if (f->stack == nullptr) {
        f->stack.reset(new unsigned char[kStackBytes]);
        f->bottom = f->stack.get();
        f->size = kStackBytes;
    }
    f->fake_stack = nullptr;
    entry_of_next = entry;
    prepare(f);
}

void switch_fiber(Fiber *from, Fiber *to)
{
    before_switch(from, to);
    change(from, to);
    after_switch(from);
}

} // namespace stet_shim
