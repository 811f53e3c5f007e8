#include "shim_device.h"

#include <cstdlib>
#include <cstring>

extern "C" {
#include "cuda_internal.h"
}

namespace stet_shim
{
namespace
{

using Blocks = std::map<const char *, size_t>;

// The block that [p, p + n) lies in.
bool inside(const Blocks &blocks, const void *p, size_t n)
{
    const char *at = static_cast<const char *>(p);
    auto it = blocks.upper_bound(at);
    if (it == blocks.begin()) {
        return false;
    }
    --it;
    return at + n <= it->first + it->second;
}

int fail(int code, const std::string &why)
{
    device().problem = why;
    return code;
}

// Counts a call; not 0 when it is the one that must fail.
int count_call(const char *name)
{
    Device &d = device();
    if (++d.calls == d.fail_at) {
        return fail(d.fail_code, std::string("made to fail: ") + name);
    }
    return 0;
}

const char *error_text(int code)
{
    return code == kOutOfMemory ? "out of memory" : device().problem.c_str();
}

int device_open(int index, steti_cuda_props *props, void **stream)
{
    if (int code = count_call("device_open")) {
        return code;
    }
    if (index != 0) {
        return fail(101, "invalid device ordinal");
    }
    *props = {"shim", 0, 0, 48 * 1024};
    *stream = &device();
    device().streams++;
    return 0;
}

int device_close(void *)
{
    device().streams--;
    return 0;
}

int bind_device(int index)
{
    int code = count_call("bind");
    return code != 0 ? code : index == 0 ? 0 : fail(101, "invalid device ordinal");
}

int take(Blocks *blocks, size_t bytes, void **out)
{
    void *p = nullptr;
    *out = nullptr;
    if (bytes > size_t{1} << 40 || posix_memalign(&p, 256, bytes) != 0) {
        return fail(kOutOfMemory, "out of memory");
    }
    if (bytes < size_t{1} << 20) { // large blocks: leave untouched pages untouched
        std::memset(p, 0xff, bytes);
    }
    (*blocks)[static_cast<char *>(p)] = bytes;
    *out = p;
    return 0;
}

int give(Blocks *blocks, void *p)
{
    if (p == nullptr) {
        return 0;
    }
    if (blocks->erase(static_cast<char *>(p)) == 0) {
        return fail(1, "freed what is not allocated");
    }
    std::free(p);
    return 0;
}

int mem_alloc(size_t bytes, void **out)
{
    int code = count_call("mem_alloc");
    return code != 0 ? code : take(&device().memory, bytes, out);
}
int mem_free(void *p)
{
    return give(&device().memory, p);
}
int pinned_alloc(size_t bytes, void **out)
{
    int code = count_call("pinned_alloc");
    return code != 0 ? code : take(&device().pinned, bytes, out);
}
int pinned_free(void *p)
{
    return give(&device().pinned, p);
}

int clear(void *dst, size_t bytes, void *)
{
    if (int code = count_call("clear")) {
        return code;
    }
    if (!inside(device().memory, dst, bytes)) {
        return fail(1, "clear: not device memory");
    }
    std::memset(dst, 0, bytes);
    return 0;
}

int copy(void *dst, const void *src, size_t bytes, steti_cuda_direction way, void *)
{
    Device &d = device();
    if (int code = count_call("copy")) {
        return code;
    }
    if (inside(d.memory, dst, bytes) != (way != STETI_TO_HOST) ||
        inside(d.memory, src, bytes) != (way != STETI_TO_DEVICE)) {
        return fail(1, "copy: a pointer is on the wrong side, or the range leaves its block");
    }
    d.bytes_to_device += way == STETI_TO_DEVICE ? bytes : 0;
    d.bytes_to_host += way == STETI_TO_HOST ? bytes : 0;
    std::memcpy(dst, src, bytes);
    return 0;
}

// A word of a kernel's struct that looks like an address of this process but is none of the
// device's. Heap, stack and mappings of a 64-bit program are above this bound.
bool is_host_pointer(uint64_t word)
{
    constexpr uint64_t kLowest = 0x500000000000, kEnd = 0x800000000000;
    const char *p;
    std::memcpy(&p, &word, sizeof p);
    return word >= kLowest && word < kEnd && !inside(device().memory, p, 1);
}

struct Kernel {
    void (*run)(const void *arg);
    size_t arg_bytes;
};

const Kernel kernels[] = {
#define KERNEL(name, args)                                                                         \
    {[](const void *arg) { steti_cuda_##name(*static_cast<const args *>(arg)); }, sizeof(args)},
    STETI_CUDA_KERNEL_MAP(KERNEL)
#undef KERNEL
};

int launch(const steti_cuda_launch *l, void *)
{
    Device &d = device();
    if (int code = count_call("launch")) {
        return code;
    }
    if (l->arg_bytes != kernels[l->kernel].arg_bytes || l->shared_bytes > 48 * 1024) {
        return fail(1, "launch: wrong size of arguments or too much shared memory");
    }
    for (size_t i = 0; i < l->arg_bytes / 8; i++) {
        uint64_t word;
        std::memcpy(&word, static_cast<const char *>(l->arg) + 8 * i, 8);
        if (is_host_pointer(word)) {
            return fail(700, "launch: word " + std::to_string(i) + " is a pointer to the host");
        }
    }
    d.launches[l->kernel]++;
    std::string problem =
        run({kernels[l->kernel].run, l->arg, static_cast<int>(l->grid_x),
             static_cast<int>(l->grid_y), static_cast<int>(l->threads), l->shared_bytes, d.order});
    return problem.empty() ? 0 : fail(719, problem);
}

int sync_stream(void *)
{
    return count_call("sync");
}

// As the real launch, but with short chunks for one row and longer ones for several.
int launch_control(const steti_cuda_launch *l, void *stream)
{
    steti_cuda_launch changed = *l;
    steti_cuda_linear_args a;
    if (l->kernel == STETI_CUDA_linear_f32_serial || l->kernel == STETI_CUDA_linear_f32_chunked) {
        std::memcpy(&a, l->arg, sizeof a);
        a.chunk = a.n_rows > 1 ? 24 : 48;
        changed.arg = &a;
    }
    return launch(&changed, stream);
}

stet_status open_default(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    device().order = Order::ascending;
    return steti_cuda_open_with(runtime(), o->device_index, &steti_cuda_default_tuning, out, err);
}

constexpr steti_cuda_tuning kSmallChunks = {48, 8};

stet_status open_small_chunks(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    device().order = Order::shuffled;
    return steti_cuda_open_with(runtime(), o->device_index, &kSmallChunks, out, err);
}

stet_status open_control(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    static steti_cuda_runtime rt = *runtime();
    rt.launch = launch_control;
    return steti_cuda_open_with(&rt, o->device_index, &kSmallChunks, out, err);
}

} // namespace

Device &device()
{
    static Device *d = new Device; // kernels may be told of it until the process ends
    return *d;
}

size_t live()
{
    Device &d = device();
    return d.memory.size() + d.pinned.size() + static_cast<size_t>(d.streams);
}

const steti_cuda_runtime *runtime()
{
    static const steti_cuda_runtime rt = {
        kOutOfMemory, error_text,   device_open, device_close, bind_device, mem_alloc,
        mem_free,     pinned_alloc, pinned_free, clear,        copy,        launch,
        sync_stream,  nullptr,      nullptr}; // there is one device: many_shims.h has several
    return &rt;
}

const steti_backend_ops *ops()
{
    static const steti_backend_ops table = steti_cuda_ops(open_default);
    return &table;
}

const steti_backend_ops *ops_small_chunks()
{
    static const steti_backend_ops table = steti_cuda_ops(open_small_chunks);
    return &table;
}

const steti_backend_ops *ops_control()
{
    static const steti_backend_ops table = steti_cuda_ops(open_control);
    return &table;
}

} // namespace stet_shim
