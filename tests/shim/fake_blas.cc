#include "fake_blas.h"

#include <cmath>
#include <cstring>

extern "C" {
#include "cuda_internal.h"
}

namespace stet_shim
{
namespace
{

constexpr int kFailed = 13;

bool fails()
{
    FakeBlas &f = fake_blas();
    return ++f.calls == f.fail_at;
}

const char *error_text(int)
{
    return "made to fail";
}

stet_status open_fake(void **handle, stet_error *err)
{
    FakeBlas &f = fake_blas();
    *handle = nullptr;
    if (!f.is_there || fails()) {
        return steti_fail(err, STET_E_DEVICE, "there is no library");
    }
    f.open++;
    *handle = &f;
    return STET_OK;
}

void close_fake(void *handle)
{
    fake_blas().open -= handle != nullptr;
}

size_t version(void *)
{
    return fake_blas().version;
}

int candidates(void *, const steti_blas_product *, int most, steti_blas_algo *out, int *n)
{
    *n = 0;
    if (fails()) {
        return kFailed;
    }
    for (size_t i = 0; i < fake_blas().ways.size() && *n < most; i++) {
        out[(*n)++] = {{i + 1, 77}};
    }
    return 0;
}

float half(const void *p, int64_t at)
{
    uint16_t bits;
    std::memcpy(&bits, static_cast<const char *>(p) + 2 * at, sizeof bits);
    uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float v;
    std::memcpy(&v, &wide, sizeof v);
    return v;
}

// The chain of one element from the inputs at a and w on.
float chain(const steti_blas_product *p, int64_t a, int64_t w, bool descending)
{
    const float *x = static_cast<const float *>(p->a) + a,
                *y = static_cast<const float *>(p->w) + w;
    float sum = 0;
    for (int i = 0; i < p->n_in && p->type == STETI_CUDA_F32; i++) {
        int k = descending ? p->n_in - 1 - i : i;
        sum = std::fma(x[k], y[k], sum);
    }
    for (int i = 0; i < p->n_in && p->type == STETI_CUDA_BF16; i += 16) { // as DEV_MMA_BF16
        int k = descending ? p->n_in - 16 - i : i;
        double step = sum;
        for (int end = k + 16; k < end; k++) {
            step += static_cast<double>(half(p->a, a + k)) * half(p->w, w + k);
        }
        sum = static_cast<float>(step);
    }
    return sum;
}

int32_t exact(const steti_blas_product *p, int64_t a, int64_t w)
{
    const int8_t *x = static_cast<const int8_t *>(p->a) + a;
    const int8_t *y = static_cast<const int8_t *>(p->w) + w;
    int32_t sum = 0;
    for (int k = 0; k < p->n_in; k++) {
        sum += x[k] * y[k];
    }
    return sum;
}

void one_element(const steti_blas_product *p, Sums sums, int r, int o)
{
    int64_t a = r * p->ld_a, w = o * p->ld_w, c = r * p->ld_c + o;
    bool off = sums == Sums::one_output_off && p->n_rows == 65 && r == 64 && o == 0;
    bool add = p->add != 0 || sums == Sums::always_adds;
    if (p->type == STETI_CUDA_I8) {
        int32_t *out = static_cast<int32_t *>(p->c) + c;
        *out = exact(p, a, w) + (add ? *out : 0) + off;
        return;
    }
    float *out = static_cast<float *>(p->c) + c;
    float v = chain(p, a, w, sums == Sums::reversed_many && p->n_rows > 64);
    v = add ? v + *out : v;
    *out = off ? std::nextafter(v, 1e30f) : v;
}

bool is_right(const steti_blas_product *p)
{
    int64_t size = p->type == STETI_CUDA_I8 ? 1 : p->type == STETI_CUDA_BF16 ? 2 : 4;
    auto there = [](const void *at, int64_t rows, int64_t ld, int64_t n, int64_t bytes) {
        return reinterpret_cast<uintptr_t>(at) % 16 == 0 && ld >= n &&
               on_device(at, static_cast<size_t>(((rows - 1) * ld + n) * bytes));
    };
    return p->n_rows > 0 && p->n_out > 0 && p->n_in > 0 && p->ld_w * size % 16 == 0 &&
           p->n_out % 4 == 0 && p->ld_c % 4 == 0 &&
           (p->type != STETI_CUDA_I8 || p->n_in % 4 == 0) &&
           there(p->a, p->n_rows, p->ld_a, p->n_in, size) &&
           there(p->w, p->n_out, p->ld_w, p->n_in, size) &&
           there(p->c, p->n_rows, p->ld_c, p->n_out, 4);
}

int multiply(const steti_blas_product &p, const Way &way, uint64_t name)
{
    FakeBlas &f = fake_blas();
    for (int i = 0; i < p.n_rows * p.n_out && way.sums != Sums::nothing; i++) {
        one_element(&p, way.sums, i / p.n_out, i % p.n_out);
    }
    device().clock += way.ms;
    f.runs++;
    f.most_rows = p.n_rows > f.most_rows ? p.n_rows : f.most_rows;
    f.last_way = name;
    return 0;
}

int run(void *, const steti_blas_product *p, const steti_blas_algo *algo, void *)
{
    FakeBlas &f = fake_blas();
    bool is_known = algo->word[0] >= 1 && algo->word[0] <= f.ways.size() && algo->word[1] == 77;
    if (!is_known || !is_right(p)) {
        f.misuses++;
        return kFailed;
    }
    const Way &way = f.ways[algo->word[0] - 1];
    if (fails() || (way.sums == Sums::refuses_nine && p->n_rows == 9)) {
        return kFailed;
    }
    return submit_library([c = *p, way, name = algo->word[0]] { return multiply(c, way, name); });
}

stet_status open_always(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    steti_cuda_tuning tuning = with_library(steti_cuda_default_tuning, 1, 9);
    fake_blas() = FakeBlas();
    fake_blas().ways[0].ms = 0.001; // an op may have many chunks
    device().order = Order::ascending;
    return steti_cuda_open_with(runtime(), o->device_index, &tuning, out, err);
}

stet_status open_with(const steti_backend_options *o, bool unproven, steti_backend **out,
                      stet_error *err)
{
    steti_cuda_tuning tuning = with_library(chunks(48, 8), 8, 70);
    tuning.blas_unproven = unproven;
    fake_blas().ways = {{unproven ? Sums::reversed_many : Sums::ours}};
    device().order = Order::shuffled;
    return steti_cuda_open_with(runtime(), o->device_index, &tuning, out, err);
}

stet_status open_library(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    return open_with(o, false, out, err);
}

stet_status open_unproven(const steti_backend_options *o, steti_backend **out, stet_error *err)
{
    return open_with(o, true, out, err);
}

} // namespace

FakeBlas &fake_blas()
{
    static FakeBlas f;
    return f;
}

const steti_blas *fake_library()
{
    static const steti_blas table = {"fakeblas", error_text, open_fake, close_fake,
                                     version,    candidates, run};
    return &table;
}

steti_cuda_tuning with_library(steti_cuda_tuning tuning, int rows, int probe_rows)
{
    tuning.blas = fake_library();
    tuning.blas_rows = rows;
    tuning.blas_probe_rows = probe_rows;
    return tuning;
}

const steti_backend_ops *ops_library_always()
{
    static const steti_backend_ops table = steti_cuda_ops(open_always);
    return &table;
}

const steti_backend_ops *ops_library()
{
    static const steti_backend_ops table = steti_cuda_ops(open_library);
    return &table;
}

const steti_backend_ops *ops_library_unproven()
{
    static const steti_backend_ops table = steti_cuda_ops(open_unproven);
    return &table;
}

} // namespace stet_shim
