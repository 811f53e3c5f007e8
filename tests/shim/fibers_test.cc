// The fiber shim itself: kernels made for one rule each, right ones and wrong ones.
#include "fibers.h"

#include "dev.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

using stet_shim::Order;

namespace
{

const Order kOrders[] = {Order::ascending, Order::descending, Order::shuffled};

std::string RunKernel(void (*kernel)(const void *), const void *arg, int threads = 128,
                      size_t shared = 4096, Order order = Order::ascending, int grid_x = 1)
{
    return stet_shim::run({kernel, arg, grid_x, 1, threads, shared, order});
}

// ---- Barriers

struct Numbers {
    int *in, *out;
};

// out = in backwards, through shared memory, `rounds` times over.
void Reverse(const void *arg)
{
    DEV_SHARED(int, shared);
    const Numbers *a = static_cast<const Numbers *>(arg);
    int i = dev_thread(), n = dev_n_threads(), at = dev_block_x() * n;
    shared[i] = a->in[at + i];
    DEV_SYNC();
    a->out[at + i] = shared[n - 1 - i];
}

TEST(Fibers, ABlockMeetsAtItsBarrier)
{
    for (Order order : kOrders) {
        std::vector<int> in(3 * 256), out(3 * 256);
        for (size_t i = 0; i < in.size(); i++) {
            in[i] = static_cast<int>(i);
        }
        Numbers a = {in.data(), out.data()};
        ASSERT_EQ(RunKernel(Reverse, &a, 256, 1024, order, 3), "");
        for (int b = 0; b < 3; b++) {
            for (int i = 0; i < 256; i++) {
                ASSERT_EQ(out[b * 256 + i], b * 256 + 255 - i);
            }
        }
    }
}

// The same without the barrier.
void ReverseAtOnce(const void *arg)
{
    DEV_SHARED(int, shared);
    const Numbers *a = static_cast<const Numbers *>(arg);
    int i = dev_thread();
    shared[i] = a->in[i];
    a->out[i] = shared[dev_n_threads() - 1 - i];
}

TEST(Fibers, AMissingBarrierShowsInSomeOrder)
{
    std::vector<int> in(64), want(64);
    for (int i = 0; i < 64; i++) {
        in[i] = i;
        want[i] = 63 - i;
    }
    for (Order order : kOrders) {
        std::vector<int> out(64);
        Numbers a = {in.data(), out.data()};
        ASSERT_EQ(RunKernel(ReverseAtOnce, &a, 64, 256, order), "");
        EXPECT_NE(out, want);
    }
}

void TwoKindsOfBarrier(const void *)
{
    if (dev_thread() % DEV_WARP < 7) {
        DEV_SYNC();
    } else {
        DEV_SYNC_WARP();
    }
}
void SomeEndEarly(const void *)
{
    if (dev_thread() >= 32) {
        DEV_SYNC();
    }
}
void LanesEndEarly(const void *)
{
    if (dev_thread() % DEV_WARP != 5) {
        DEV_SUM16(1.0f);
    }
}
void TwoPlaces(const void *)
{
    if (dev_thread() < 32) {
        DEV_SYNC();
    } else {
        DEV_SYNC();
    }
}
void WarpInTwoPlaces(const void *)
{
    if (dev_thread() % 2 == 0) {
        DEV_SUM16(1.0f);
    } else {
        DEV_SUM16(2.0f);
    }
}
void Nothing(const void *)
{
}

TEST(Fibers, DivergentBarriersFailTheLaunch)
{
    for (auto kernel :
         {TwoKindsOfBarrier, SomeEndEarly, LanesEndEarly, TwoPlaces, WarpInTwoPlaces}) {
        for (Order order : kOrders) {
            std::string problem = RunKernel(kernel, nullptr, 64, 0, order);
            EXPECT_NE(problem.find("divergent barrier"), std::string::npos) << problem;
            EXPECT_NE(problem.find("line"), std::string::npos) << problem;
            EXPECT_EQ(RunKernel(Nothing, nullptr), "") << "the next launch is not harmed";
        }
    }
}

TEST(Fibers, ImpossibleLaunchesAreRefused)
{
    EXPECT_NE(RunKernel(Nothing, nullptr, 0), "");
    EXPECT_NE(RunKernel(Nothing, nullptr, 33), "");
    EXPECT_NE(RunKernel(Nothing, nullptr, 2048), "");
    EXPECT_NE(RunKernel(Nothing, nullptr, 32, 0, Order::ascending, 0), "");
}

// ---- Memory

void SumOfShared(const void *arg)
{
    DEV_SHARED(float, shared);
    float *out = *static_cast<float *const *>(arg);
    if (dev_thread() < 16) {
        shared[dev_thread()] = 1.0f;
    }
    DEV_SYNC();
    if (dev_thread() == 0) {
        for (int i = 0; i < 16; i++) {
            out[0] += shared[i];
        }
        out[1] = out[0] + shared[16]; // never written
    }
}

TEST(Fibers, UnwrittenSharedMemoryIsNan)
{
    for (int again = 0; again < 2; again++) {
        float out[2] = {0, 0};
        float *arg = out;
        ASSERT_EQ(RunKernel(SumOfShared, &arg, 32, 17 * sizeof(float)), "");
        EXPECT_EQ(out[0], 16.0f);
        EXPECT_TRUE(std::isnan(out[1]));
    }
}

void Misaligned(const void *arg)
{
    uint32_t to[4];
    dev_load_16(to, *static_cast<char *const *>(arg) + 4 * (dev_thread() == 9));
}

TEST(Fibers, LoadsFromMisalignedAddressesAreFaults)
{
    alignas(16) char memory[32] = {};
    char *arg = memory;
    std::string problem = RunKernel(Misaligned, &arg, 32, 0);
    EXPECT_NE(problem.find("thread 9"), std::string::npos) << problem;
}

// ---- Collectives

struct Lanes {
    const float *in;
    float *sum, *largest, *partner;
    int *largest_int, *largest_half;
};

void Collect(const void *arg)
{
    const Lanes *a = static_cast<const Lanes *>(arg);
    int i = dev_thread();
    float v = a->in[i];
    a->sum[i] = DEV_SUM16(v);
    a->largest[i] = DEV_MAX_WARP(v);
    a->partner[i] = DEV_XOR_FLOAT(v, 3);
    a->largest_int[i] = DEV_MAX_INT(static_cast<int>(v * 100));
    a->largest_half[i] = DEV_MAX_INT16(static_cast<int>(v * 100));
}

TEST(Collectives, EveryLaneOfItsWarp)
{
    constexpr int n = 96;
    std::mt19937 rng(5);
    std::vector<float> in(n), sum(n), largest(n), partner(n);
    std::vector<int> largest_int(n), largest_half(n);
    for (float &x : in) {
        x = static_cast<float>(static_cast<int32_t>(rng())) * 0x1p-31f;
    }
    for (Order order : kOrders) {
        Lanes a = {in.data(),      sum.data(),         largest.data(),
                   partner.data(), largest_int.data(), largest_half.data()};
        ASSERT_EQ(RunKernel(Collect, &a, n, 0, order), "");
        for (int i = 0; i < n; i++) {
            float tree[16], most = -2;
            int most_half = -1000, most_int = -1000;
            for (int l = 0; l < 32; l++) {
                float v = in[i / 32 * 32 + l];
                most = std::max(most, v);
                most_int = std::max(most_int, static_cast<int>(v * 100));
                if (l / 16 == i % 32 / 16) {
                    tree[l % 16] = v;
                    most_half = std::max(most_half, static_cast<int>(v * 100));
                }
            }
            for (int half = 8; half > 0; half /= 2) {
                for (int l = 0; l < half; l++) {
                    tree[l] += tree[l + half];
                }
            }
            ASSERT_EQ(sum[i], tree[0]);
            ASSERT_EQ(largest[i], most);
            ASSERT_EQ(partner[i], in[i ^ 3]);
            ASSERT_EQ(largest_int[i], most_int);
            ASSERT_EQ(largest_half[i], most_half);
        }
    }
}

void LargestOfSome(const void *arg)
{
    float *v = *static_cast<float *const *>(arg);
    v[dev_thread()] = DEV_MAX_WARP(v[dev_thread()]);
}

TEST(Collectives, NanIsNotTheLargest)
{
    std::vector<float> v(32, NAN), all(32, NAN);
    float *arg = v.data(), *arg_all = all.data();
    v[7] = -3.0f;
    ASSERT_EQ(RunKernel(LargestOfSome, &arg, 32), "");
    ASSERT_EQ(RunKernel(LargestOfSome, &arg_all, 32), "");
    EXPECT_EQ(v, std::vector<float>(32, -3.0f));
    EXPECT_TRUE(std::isnan(all[0]) && std::isnan(all[31]));
}

// Matrices in plain order; the kernels pick the fragments as PTX describes them.
struct Product {
    const int8_t *a, *b; // a [16][32], b [32][8]
    int32_t *c;          // [16][8]
};

uint32_t FourBytes(const int8_t *from, int stride)
{
    uint32_t word = 0;
    for (int i = 0; i < 4; i++) {
        word |= static_cast<uint32_t>(static_cast<uint8_t>(from[i * stride])) << (8 * i);
    }
    return word;
}

void MultiplyS8(const void *arg)
{
    const Product *p = static_cast<const Product *>(arg);
    int g = dev_thread() / 4, t = dev_thread() % 4;
    uint32_t a[4], b[2];
    int32_t c[4] = {1000, 2000, 3000, 4000};
    for (int i = 0; i < 4; i++) {
        a[i] = FourBytes(p->a + (g + i % 2 * 8) * 32 + i / 2 * 16 + t * 4, 1);
    }
    for (int i = 0; i < 2; i++) {
        b[i] = FourBytes(p->b + (i * 16 + t * 4) * 8 + g, 8);
    }
    DEV_MMA_S8(c, a, b);
    for (int i = 0; i < 4; i++) {
        p->c[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = c[i] - 1000 * (i + 1);
    }
}

TEST(Collectives, ProductsOfBytes)
{
    std::mt19937 rng(6);
    std::vector<int8_t> a(16 * 32), b(32 * 8);
    std::vector<int32_t> c(16 * 8);
    for (auto *v : {&a, &b}) {
        for (int8_t &x : *v) {
            x = static_cast<int8_t>(rng());
        }
    }
    Product p = {a.data(), b.data(), c.data()};
    ASSERT_EQ(RunKernel(MultiplyS8, &p, 32), "");
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 8; j++) {
            int want = 0;
            for (int k = 0; k < 32; k++) {
                want += a[i * 32 + k] * b[k * 8 + j];
            }
            ASSERT_EQ(c[i * 8 + j], want) << i << " " << j;
        }
    }
}

struct ProductBf16 {
    const float *a, *b; // a [16][16], b [16][8], exact in bfloat16
    float *c;
};

uint32_t TwoHalves(float low, float high)
{
    return dev_bits(low) >> 16 | (dev_bits(high) & 0xffff0000u);
}

void MultiplyBf16(const void *arg)
{
    const ProductBf16 *p = static_cast<const ProductBf16 *>(arg);
    int g = dev_thread() / 4, t = dev_thread() % 4;
    uint32_t a[4], b[2];
    float c[4] = {0.5f, 0.5f, 0.5f, 0.5f};
    for (int i = 0; i < 4; i++) {
        const float *from = p->a + (g + i % 2 * 8) * 16 + i / 2 * 8 + t * 2;
        a[i] = TwoHalves(from[0], from[1]);
    }
    for (int i = 0; i < 2; i++) {
        const float *from = p->b + (i * 8 + t * 2) * 8 + g;
        b[i] = TwoHalves(from[0], from[8]);
    }
    DEV_MMA_BF16(c, a, b);
    for (int i = 0; i < 4; i++) {
        p->c[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = c[i];
    }
}

TEST(Collectives, ProductsOfBfloat16)
{
    std::mt19937 rng(7);
    std::vector<float> a(16 * 16), b(16 * 8), c(16 * 8);
    for (auto *v : {&a, &b}) {
        for (float &x : *v) {
            x = static_cast<float>(static_cast<int>(rng() % 255) - 127) / 64;
        }
    }
    ProductBf16 p = {a.data(), b.data(), c.data()};
    ASSERT_EQ(RunKernel(MultiplyBf16, &p, 32), "");
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 8; j++) {
            double want = 0.5; // all sums are exact
            for (int k = 0; k < 16; k++) {
                want += static_cast<double>(a[i * 16 + k]) * b[k * 8 + j];
            }
            ASSERT_EQ(c[i * 8 + j], static_cast<float>(want)) << i << " " << j;
        }
    }
}

} // namespace
