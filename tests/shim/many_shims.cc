#include "many_shims.h"

#include "fake_blas.h"

#include <cstring>
#include <vector>

extern "C" {
#include "cuda_internal.h"
}

namespace stet_shim
{
namespace
{

void misuse(const std::string &what)
{
    if (shims().problem.empty()) {
        shims().problem = what;
    }
}

// ---- Devices ------------------------------------------------------------------------------------

// The device whose memory holds p; -1: none.
int owner_of(const void *p)
{
    const char *at = static_cast<const char *>(p);
    auto it = device().memory.upper_bound(at);
    if (it == device().memory.begin()) {
        return -1;
    }
    --it;
    return at < it->first + it->second ? shims().owner[it->first] : -1;
}

void expect_owner(const void *p, int index, const char *call)
{
    int owner = owner_of(p);
    if (owner >= 0 && owner != index) {
        misuse(std::string(call) + ": device " + std::to_string(index) + " is given memory of " +
               std::to_string(owner));
    }
}

// Streams are told apart: the stream of device i.
int streams[kShims];

int stream_device(void *stream)
{
    return static_cast<int>(static_cast<int *>(stream) - streams);
}

int device_open(int index, steti_cuda_props *props, void **stream)
{
    int code = index < kShims ? runtime()->device_open(0, props, stream) : 101;
    *stream = code == 0 ? &streams[index] : *stream;
    shims().bound = index;
    return code;
}

int bind_device(int index)
{
    shims().bound = index;
    return runtime()->bind(index < kShims ? 0 : index);
}

int mem_alloc(size_t bytes, void **out)
{
    int code = runtime()->mem_alloc(bytes, out);
    if (code == 0) {
        shims().owner[static_cast<char *>(*out)] = shims().bound;
    }
    return code;
}

int copy(void *dst, const void *src, size_t bytes, steti_cuda_direction way, void *stream)
{
    expect_owner(dst, stream_device(stream), "copy");
    expect_owner(src, stream_device(stream), "copy");
    return runtime()->copy(dst, src, bytes, way, stream);
}

int launch(const steti_cuda_launch *l, void *stream)
{
    for (size_t i = 0; i < l->arg_bytes / 8; i++) {
        const void *p;
        std::memcpy(&p, static_cast<const char *>(l->arg) + 8 * i, sizeof p);
        expect_owner(p, stream_device(stream), "launch");
    }
    return runtime()->launch(l, stream);
}

int device_count(int *out)
{
    *out = kShims;
    return 0;
}

int copy_peer(void *dst, int dst_device, const void *src, int src_device, size_t bytes,
              void *stream)
{
    expect_owner(dst, dst_device, "copy_peer");
    expect_owner(src, src_device, "copy_peer");
    if (stream_device(stream) != dst_device) {
        misuse("copy_peer: not a stream of the target");
    }
    shims().peer_copies++;
    return runtime()->copy(dst, src, bytes, STETI_ON_DEVICE, stream);
}

const steti_cuda_runtime *many_runtime()
{
    static const steti_cuda_runtime table = [] {
        steti_cuda_runtime rt = *runtime();
        rt.device_open = device_open;
        rt.bind = bind_device;
        rt.mem_alloc = mem_alloc;
        rt.copy = copy;
        rt.launch = launch;
        rt.device_count = device_count;
        rt.copy_peer = copy_peer;
        return rt;
    }();
    return &table;
}

// ---- NCCL ---------------------------------------------------------------------------------------

struct Comm {
    int rank, n, device;
};

struct Told {
    const void *src;
    void *dst;
    size_t bytes;
    const Comm *comm;
};

bool in_group;
std::vector<Told> told;

int count_nccl()
{
    return ++nccl().calls == nccl().fail_at ? 5 : 0;
}

int init_all(void **comms, int n, const int *devices)
{
    if (int code = count_nccl()) {
        return code;
    }
    for (int i = 0; i < n; i++) {
        comms[i] = new Comm{i, n, devices[i]};
    }
    nccl().live += n;
    return 0;
}

int destroy(void *comm)
{
    delete static_cast<Comm *>(comm);
    nccl().live--;
    return 0;
}

int abort_comm(void *comm)
{
    nccl().aborted++;
    return destroy(comm);
}

int group_start()
{
    if (int code = count_nccl()) {
        return code;
    }
    if (in_group) {
        misuse("group_start in a group");
    }
    in_group = true;
    return 0;
}

// What a device would do by the end of its stream.
int group_end()
{
    if (!in_group) {
        misuse("group_end without group_start");
    }
    in_group = false;
    std::vector<Told> list = std::move(told);
    told.clear();
    if (int code = count_nccl()) {
        return code;
    }
    if (list.empty() || list.size() != static_cast<size_t>(list[0].comm->n)) {
        return 3; /* some rank was not told, after its failure */
    }
    for (size_t i = 0; i < list.size(); i++) {
        const Told &t = list[i];
        if (t.comm->rank != static_cast<int>(i) || t.bytes != list[0].bytes) {
            misuse("broadcast: ranks differ");
        }
        expect_owner(t.dst, t.comm->device, "broadcast");
        if (t.dst != list[0].src) {
            std::memcpy(t.dst, list[0].src, t.bytes);
        }
    }
    nccl().broadcasts++;
    nccl().bytes += list[0].bytes;
    return 0;
}

int broadcast(const void *src, void *dst, size_t bytes, void *comm, void *stream)
{
    const Comm *c = static_cast<Comm *>(comm);
    if (int code = count_nccl()) {
        return code;
    }
    if (!in_group || stream_device(stream) != c->device) {
        misuse("broadcast: outside a group, or on another device's stream");
    }
    told.push_back({src, dst, bytes, c});
    return 0;
}

int async_error(void *, int *code)
{
    *code = nccl().late_error;
    return count_nccl();
}

// ---- The backend --------------------------------------------------------------------------------

stet_status open_many(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    steti_cuda_tuning tuning = steti_cuda_default_tuning;
    tuning = peers_switch().has_library ? with_library(tuning, 1, 16) : tuning;
    return steti_cuda_open_with(many_runtime(), o->device_index, &tuning, out, err);
}

stet_status peers_many(steti_backend *const *contexts, int n, steti_peers **out,
                       steti_peers_note *note, stet_error *err)
{
    const PeersSwitch &s = peers_switch();
    steti_cuda_peers_way way = {s.has_nccl ? nccl_table() : nullptr, "it is switched off",
                                s.is_always};
    return steti_cuda_peers_open(&way, contexts, n, out, note, err);
}

} // namespace

Shims &shims()
{
    static Shims s;
    return s;
}

Nccl &nccl()
{
    static Nccl n;
    return n;
}

PeersSwitch &peers_switch()
{
    static PeersSwitch s;
    return s;
}

const steti_nccl *nccl_table()
{
    static const steti_nccl table = {[](int code) { return code == 5 ? "made to fail" : "odd"; },
                                     [](int *out) {
                                         *out = nccl().version;
                                         return 0;
                                     },
                                     init_all,
                                     destroy,
                                     abort_comm,
                                     group_start,
                                     group_end,
                                     broadcast,
                                     async_error};
    return &table;
}

const steti_backend_ops *many_ops()
{
    static const steti_backend_ops table = [] {
        steti_backend_ops ops = steti_cuda_ops(open_many);
        steti_cuda_peers_ops(&ops, peers_many);
        return ops;
    }();
    return &table;
}

} // namespace stet_shim
