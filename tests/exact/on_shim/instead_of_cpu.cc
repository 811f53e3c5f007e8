// Takes the place of the processor's backend at link time (--wrap in CMakeLists.txt): the bodies of
// tests/exact then run on the CUDA backend's kernels. It has one "instruction set", the portable
// one, so that tests that go through all of them run once.
//
// STET_MUTANT=chunks_by_rows: sums of products are cut by the number of rows, which breaks the
// contract. STET_MUTANT=library_unproven: a matrix library with another order of sums for many rows
// multiplies, and no probe looks at it. STET_MUTANT=library is no mutant: a library that a probe
// took.
//
// STET_CUDA_DEVICE=libstet_cuda.so: the plug-in's first device in place of the fibers; tests that
// look into the backend's memory (Rows, BranchRows, NotANumber) cannot run there.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
#include "cpu_backend.h"

const steti_backend_ops *__wrap_steti_cpu_backend(void);
}

#include "fake_blas.h"

namespace
{

// What a library is used for, and why not, is told in the plug-in's log.
void print_line(void *, int32_t, const char *component, const char *line, size_t len)
{
    std::fprintf(stderr, "%s: %.*s\n", component, static_cast<int>(len), line);
}

const steti_backend_ops *plugin(const char *path)
{
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *entry = lib != nullptr ? dlsym(lib, "steti_backend_plugin") : nullptr;
    if (entry == nullptr) {
        std::fprintf(stderr, "STET_CUDA_DEVICE: %s\n", dlerror());
        std::exit(2);
    }
    auto ops = reinterpret_cast<const steti_backend_ops *(*)()>(entry)();
    if (ops->set_log != nullptr) {
        ops->set_log(print_line, nullptr, STET_LOG_INFO);
    }
    return ops;
}

const steti_backend_ops *shim()
{
    if (const char *path = std::getenv("STET_CUDA_DEVICE")) {
        static const steti_backend_ops *device = plugin(path);
        return device;
    }
    static const char *mutant = std::getenv("STET_MUTANT");
    auto is = [](const char *name) { return mutant != nullptr && std::strcmp(mutant, name) == 0; };
    return is("chunks_by_rows")     ? stet_shim::ops_control()
           : is("library_unproven") ? stet_shim::ops_library_unproven()
           : is("library")          ? stet_shim::ops_library()
                                    : stet_shim::ops_small_chunks();
}

stet_status open_portable(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    *out = nullptr;
    if (o->isa != nullptr && std::strcmp(o->isa, "portable") != 0) {
        return steti_fail(err, STET_E_DEVICE, "the shim has no %s", o->isa);
    }
    return shim()->open(o, out, err);
}

} // namespace

const steti_backend_ops *__wrap_steti_cpu_backend(void)
{
    static steti_backend_ops ops = *shim();
    ops.open = open_portable;
    return &ops;
}
