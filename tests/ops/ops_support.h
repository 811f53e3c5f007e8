/* ops_support.h - the backends under test, and what the tests of ops need to drive one.
 *
 * A test is a body over a Target. To run all of them on another backend, add it to Targets().
 */
#ifndef OPS_SUPPORT_H
#define OPS_SUPPORT_H

#include <gtest/gtest.h>

#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "alloc.h"
#include "cpu_backend.h"
}

#include "shim_device.h"

struct Target {
    std::string name;
    const steti_backend_ops *ops;
    const char *isa;
    bool same_bits_as_portable;
    bool has_threads = true;
};

inline stet_error NewError()
{
    stet_error err = {};
    err.struct_size = sizeof err;
    return err;
}

/* An open backend with helpers. Everything it hands out is freed with it. */
class Backend
{
  public:
    Backend(const Target &t, int threads) : ops(t.ops)
    {
        steti_backend_options o = {threads, t.isa, 0};
        status = ops->open(&o, &b, &err);
        EXPECT_EQ(status, STET_OK) << err.message;
    }
    Backend(const steti_backend_ops *table, steti_backend *opened) : ops(table), b(opened)
    {
    }
    Backend(const Backend &) = delete;
    Backend &operator=(const Backend &) = delete;
    ~Backend()
    {
        for (steti_matrix *m : matrices) {
            ops->free_matrix(b, m);
        }
        for (void *p : blocks) {
            ops->mem_free(b, p);
        }
        ops->close(b);
    }

    float *Up(const std::vector<float> &v)
    {
        void *p = nullptr;
        EXPECT_EQ(ops->mem_alloc(b, v.size() * sizeof(float) + 64, &p, &err), STET_OK)
            << err.message;
        EXPECT_EQ(ops->upload(b, p, v.data(), v.size() * sizeof(float), &err), STET_OK);
        blocks.push_back(p);
        return static_cast<float *>(p);
    }
    std::vector<float> Down(const float *p, size_t n)
    {
        std::vector<float> v(n);
        EXPECT_EQ(ops->sync(b, &err), STET_OK) << err.message;
        EXPECT_EQ(ops->download(b, v.data(), p, n * sizeof(float), &err), STET_OK);
        return v;
    }
    steti_matrix *Pack(const void *data, steti_dtype type, int n_out, int n_in, steti_dtype compute,
                       const std::vector<float> *scale = nullptr)
    {
        steti_tensor src = {data, type, 2, {n_out, n_in}};
        steti_tensor s = {scale != nullptr ? scale->data() : nullptr, STETI_F32, 1, {n_out}};
        steti_matrix *m = nullptr;
        EXPECT_EQ(ops->pack_matrix(b, &src, scale != nullptr ? &s : nullptr, compute, &m, &err),
                  STET_OK)
            << err.message;
        matrices.push_back(m);
        return m;
    }
    steti_matrix *Pack(const std::vector<float> &w, int n_out, int n_in, steti_dtype compute)
    {
        return Pack(w.data(), STETI_F32, n_out, n_in, compute);
    }
    void Reserve(int rows, int in, int keys)
    {
        EXPECT_EQ(ops->reserve(b, rows, in, keys, &err), STET_OK) << err.message;
    }

    const steti_backend_ops *ops;
    steti_backend *b = nullptr;
    stet_status status = STET_OK;
    stet_error err = NewError();

  private:
    std::vector<steti_matrix *> matrices;
    std::vector<void *> blocks;
};

inline Target PortableTarget()
{
    return {"cpu_portable", steti_cpu_backend(), "portable", true};
}

/* The CUDA backend on fibers: with the numbers of the plug-in, whose sums have the CPU backend's
 * order where n_in is within a chunk, and with short chunks that change schedules at 9 rows. */
inline std::vector<Target> ShimTargets()
{
    return {{"cuda_shim", stet_shim::ops(), nullptr, true, false},
            {"cuda_shim_small_chunks", stet_shim::ops_small_chunks(), nullptr, false, false}};
}

/* The CUDA plug-in's table, where it was built and the machine has a device for it; else NULL. The
 * environment variable STET_CUDA_DEVICE names another file than the one that was built. */
inline const steti_backend_ops *CudaPlugin()
{
    const steti_backend_ops *ops = nullptr;
#ifdef STET_CUDA_PLUGIN
    const char *elsewhere = getenv("STET_CUDA_DEVICE");
    void *lib = dlopen(elsewhere != nullptr ? elsewhere : STET_CUDA_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    auto entry =
        lib == nullptr
            ? nullptr
            : reinterpret_cast<const steti_backend_ops *(*)()>(dlsym(lib, "steti_backend_plugin"));
    steti_backend_options o = {1, nullptr, 0};
    steti_backend *b = nullptr;
    if (entry != nullptr && entry()->open(&o, &b, nullptr) == STET_OK) {
        ops = entry();
        ops->close(b);
    }
#endif
    return ops;
}

/* Every instruction set that this machine has, the CUDA backend on fibers, and a CUDA device. */
inline std::vector<Target> Targets()
{
    std::vector<Target> all;
    for (const char *isa : {"portable", "avx2", "avx2vnni", "avx512", "neon"}) {
        steti_backend_options o = {1, isa, 0};
        steti_backend *b = nullptr;
        if (steti_cpu_backend()->open(&o, &b, nullptr) == STET_OK) {
            steti_cpu_backend()->close(b);
            all.push_back({std::string("cpu_") + isa, steti_cpu_backend(), isa, true});
        }
    }
    for (const Target &t : ShimTargets()) {
        all.push_back(t);
    }
    if (CudaPlugin() != nullptr) {
        all.push_back({"cuda", CudaPlugin(), nullptr, true, false});
    }
    return all;
}

class OpTest : public ::testing::TestWithParam<Target>
{
};

#define INSTANTIATE_FOR_ALL_TARGETS()                                                              \
    INSTANTIATE_TEST_SUITE_P(All, OpTest, ::testing::ValuesIn(Targets()),                          \
                             [](const auto &target) { return target.param.name; })

/* The same numbers everywhere: mt19937 is fixed by the standard, its distributions are not. */
class Rng
{
  public:
    explicit Rng(uint32_t seed) : engine(seed)
    {
    }
    float Float() /* -1 .. 1 */
    {
        return static_cast<float>(static_cast<int32_t>(engine())) * 0x1p-31f;
    }
    int Int(int n) /* 0 .. n - 1 */
    {
        return static_cast<int>(engine() % static_cast<uint32_t>(n));
    }
    std::vector<float> Floats(size_t n)
    {
        std::vector<float> v(n);
        for (float &x : v) {
            x = Float();
        }
        return v;
    }

  private:
    std::mt19937 engine;
};

inline size_t DifferingBytes(const float *a, const float *b, size_t n)
{
    const unsigned char *x = reinterpret_cast<const unsigned char *>(a);
    const unsigned char *y = reinterpret_cast<const unsigned char *>(b);
    size_t differ = 0;
    for (size_t i = 0; i < n * sizeof(float); i++) {
        differ += x[i] != y[i];
    }
    return differ;
}

inline size_t DifferingBytes(const std::vector<float> &a, const std::vector<float> &b)
{
    return a.size() == b.size() ? DifferingBytes(a.data(), b.data(), a.size()) : SIZE_MAX;
}

/* Written so that a NaN fails. */
inline ::testing::AssertionResult Near(double got, double want, double tolerance)
{
    if (!(std::fabs(got - want) <= tolerance)) {
        return ::testing::AssertionFailure()
               << got << " is not " << want << " within " << tolerance;
    }
    return ::testing::AssertionSuccess();
}

#endif
