#include "shim_internal.h"

#include <cstdlib>
#include <cstring>

extern "C" {
#include "cuda_internal.h"
}

namespace stet_shim
{

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
    device().spoilt = true;
    return code;
}

int count_call(const char *name)
{
    Device &d = device();
    if (++d.calls == d.fail_at) {
        return fail(d.fail_code, std::string("made to fail: ") + name);
    }
    return 0;
}

int call_outside(const char *name)
{
    int code = count_call(name);
    return code != 0                       ? code
           : device().capturing == nullptr ? 0
                                           : fail(900, std::string("in a capture: ") + name);
}

namespace
{

const char *error_text(int code)
{
    return code == kOutOfMemory ? "out of memory" : device().problem.c_str();
}

int device_open(int index, steti_cuda_props *props, void **stream)
{
    if (int code = call_outside("device_open")) {
        return code;
    }
    if (index != 0) {
        return fail(101, "invalid device ordinal");
    }
    *props = {"shim", 0, 0, 48 * 1024, device().has_while};
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
    int code = call_outside("mem_alloc");
    return code != 0 ? code : take(&device().memory, bytes, out);
}
int mem_free(void *p)
{
    // not counted: nobody looks at its result
    return device().capturing != nullptr ? fail(900, "in a capture: mem_free")
                                         : give(&device().memory, p);
}
int pinned_alloc(size_t bytes, void **out)
{
    int code = call_outside("pinned_alloc");
    return code != 0 ? code : take(&device().pinned, bytes, out);
}
int pinned_free(void *p)
{
    return device().capturing != nullptr ? fail(900, "in a capture: pinned_free")
                                         : give(&device().pinned, p);
}

int clear(void *dst, size_t bytes, void *)
{
    if (int code = count_call("clear")) {
        return code;
    }
    Node n;
    n.kind = Node::clear;
    n.dst = dst;
    n.bytes = bytes;
    return submit(n);
}

int copy(void *dst, const void *src, size_t bytes, steti_cuda_direction way, void *)
{
    if (int code = count_call("copy")) {
        return code;
    }
    Node n;
    n.kind = Node::copy;
    n.dst = dst;
    n.src = src;
    n.bytes = bytes;
    n.way = way;
    return submit(n);
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
    if (int code = count_call("launch")) {
        return code;
    }
    if (l->arg_bytes != kernels[l->kernel].arg_bytes || l->shared_bytes > 48 * 1024) {
        return fail(1, "launch: wrong size of arguments or too much shared memory");
    }
    Node n;
    n.kind = Node::launch;
    n.work = *l;
    n.arg.resize((l->arg_bytes + 7) / 8);
    std::memcpy(n.arg.data(), l->arg, l->arg_bytes);
    return submit(n);
}

int check_clear(const Node &n)
{
    return inside(device().memory, n.dst, n.bytes) ? 0 : fail(1, "clear: not device memory");
}

int check_copy(const Node &n)
{
    Device &d = device();
    if (inside(d.memory, n.dst, n.bytes) != (n.way != STETI_TO_HOST) ||
        inside(d.memory, n.src, n.bytes) != (n.way != STETI_TO_DEVICE)) {
        return fail(1, "copy: a pointer is on the wrong side, or the range leaves its block");
    }
    const void *host = n.way == STETI_TO_DEVICE ? n.src : n.dst;
    if (d.capturing != nullptr && n.way != STETI_ON_DEVICE && !inside(d.pinned, host, n.bytes)) {
        return fail(900, "in a capture: copy of host memory that is not pinned");
    }
    return 0;
}

int check_launch(const Node &n)
{
    for (size_t i = 0; i < n.arg.size(); i++) {
        if (is_host_pointer(n.arg[i])) {
            return fail(700, "launch: word " + std::to_string(i) + " is a pointer to the host");
        }
    }
    return 0;
}

int run_launch(const Node &n)
{
    Device &d = device();
    int kernel = n.work.kernel;
    bool is_product =
        kernel >= STETI_CUDA_linear_f32_serial && kernel <= STETI_CUDA_linear_bf16_chunked;
    d.launches[kernel]++;
    d.clock += is_product ? 1.0 : 0.0;
    if (d.before) {
        d.before(n.work.kernel, n.arg.data());
    }
    std::string problem = run({kernels[kernel].run, n.arg.data(), static_cast<int>(n.work.grid_x),
                               static_cast<int>(n.work.grid_y), static_cast<int>(n.work.threads),
                               n.work.shared_bytes, d.order});
    return problem.empty() ? 0 : fail(719, problem);
}

int sync_stream(void *)
{
    return call_outside("sync");
}

// An event remembers the time at which it was recorded.
int event_create(void **event)
{
    int code = call_outside("event_create");
    *event = code == 0 ? new double(-1) : nullptr;
    device().events += code == 0;
    return code;
}

int event_destroy(void *event)
{
    delete static_cast<double *>(event);
    device().events--;
    return 0;
}

int event_record(void *event, void *)
{
    if (int code = call_outside("event_record")) {
        return code;
    }
    *static_cast<double *>(event) = device().clock;
    return 0;
}

int event_elapsed(float *ms, void *begin, void *end)
{
    double from = *static_cast<double *>(begin), to = *static_cast<double *>(end);
    if (int code = call_outside("event_elapsed")) {
        return code;
    }
    *ms = static_cast<float>(to - from);
    return from >= 0 && to >= from ? 0
                                   : fail(400, "events that were not recorded, or not in order");
}

// As the real launch, but with long chunks for few rows and short ones for many. (A recording has
// at least 8 rows to the host.)
int launch_control(const steti_cuda_launch *l, void *stream)
{
    steti_cuda_launch changed = *l;
    steti_cuda_linear_args a;
    if (l->kernel == STETI_CUDA_linear_f32_serial || l->kernel == STETI_CUDA_linear_f32_chunked) {
        std::memcpy(&a, l->arg, sizeof a);
        a.chunk = a.n_rows > 8 ? 24 : 48;
        changed.arg = &a;
    }
    return launch(&changed, stream);
}

stet_status open_default(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    device().order = Order::ascending;
    return steti_cuda_open_with(runtime(), o->device_index, &steti_cuda_default_tuning, out, err);
}

stet_status open_small_chunks(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    steti_cuda_tuning tuning = chunks(48, 8);
    device().order = Order::shuffled;
    return steti_cuda_open_with(runtime(), o->device_index, &tuning, out, err);
}

stet_status open_control(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    static steti_cuda_runtime rt = *runtime();
    steti_cuda_tuning tuning = chunks(48, 8);
    rt.launch = launch_control;
    return steti_cuda_open_with(&rt, o->device_index, &tuning, out, err);
}

} // namespace

int check(const Node &n)
{
    switch (n.kind) {
    case Node::clear:
        return check_clear(n);
    case Node::copy:
        return check_copy(n);
    case Node::launch:
        return check_launch(n);
    default:
        return 0;
    }
}

int perform(const Node &n)
{
    Device &d = device();
    if (int code = check(n)) {
        return code;
    }
    switch (n.kind) {
    case Node::clear:
        std::memset(n.dst, 0, n.bytes);
        return 0;
    case Node::copy:
        d.copies++;
        d.bytes_to_device += n.way == STETI_TO_DEVICE ? n.bytes : 0;
        d.bytes_to_host += n.way == STETI_TO_HOST ? n.bytes : 0;
        std::memcpy(n.dst, n.src, n.bytes);
        return 0;
    case Node::launch:
        return run_launch(n);
    case Node::library:
        return n.call();
    default:
        return run_loop(n);
    }
}

int submit(const Node &n)
{
    Device &d = device();
    if (d.capturing == nullptr) {
        return perform(n);
    }
    int code = check(n);
    if (code == 0) {
        d.capturing->nodes.push_back(n);
    }
    return code;
}

Device &device()
{
    static Device *d = new Device; // kernels may be told of it until the process ends
    return *d;
}

size_t live()
{
    Device &d = device();
    return d.memory.size() + d.pinned.size() + static_cast<size_t>(d.streams + d.events) +
           d.graphs.size() + d.execs.size();
}

bool on_device(const void *p, size_t n)
{
    return inside(device().memory, p, n);
}

int submit_library(const std::function<int()> &work)
{
    Node n;
    n.kind = Node::library;
    n.call = work;
    return submit(n);
}

steti_cuda_tuning chunks(int chunk, int chunked_rows)
{
    steti_cuda_tuning tuning = steti_cuda_default_tuning;
    tuning.chunk = chunk;
    tuning.chunked_rows = chunked_rows;
    return tuning;
}

const steti_cuda_runtime *runtime()
{
    static const steti_cuda_runtime rt = [] {
        steti_cuda_runtime t = {};
        t.out_of_memory = kOutOfMemory;
        t.error_text = error_text;
        t.device_open = device_open;
        t.device_close = device_close;
        t.bind = bind_device;
        t.mem_alloc = mem_alloc;
        t.mem_free = mem_free;
        t.pinned_alloc = pinned_alloc;
        t.pinned_free = pinned_free;
        t.clear = clear;
        t.copy = copy;
        t.launch = launch;
        t.sync = sync_stream;
        t.event_create = event_create;
        t.event_destroy = event_destroy;
        t.event_record = event_record;
        t.event_elapsed = event_elapsed;
        add_graph_calls(&t);
        return t;
    }();
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
