#include "fake_sdpa.h"

#include "shim_device.h"

#include <cmath>
#include <cstring>
#include <new>
#include <vector>

extern "C" {
#include "alloc.h"
}

struct steti_sdpa_context {
    int unused;
};

struct steti_sdpa_plan {
    steti_sdpa_shape shape;
};

namespace stet_shim
{
namespace
{

enum { kNoMemory = 2, kUnsupported = 3, kFault = 9 };

int fail_sdpa(int code, const std::string &why)
{
    fake_sdpa().problem = why;
    return code;
}

int count_sdpa(const char *name)
{
    FakeSdpa &f = fake_sdpa();
    return ++f.calls == f.fail_at ? fail_sdpa(f.fail_code, std::string("made to fail: ") + name)
                                  : 0;
}

const char *problem_text(steti_sdpa_context *, int)
{
    return fake_sdpa().problem.c_str();
}

int open_fake(const char *, steti_sdpa_context **out)
{
    *out = nullptr;
    if (int code = count_sdpa("open")) {
        return code;
    }
    if (fake_sdpa().absent) {
        return fail_sdpa(1, "libfake.so: cannot open shared object file");
    }
    *out = new steti_sdpa_context();
    fake_sdpa().live++;
    return 0;
}

void close_fake(steti_sdpa_context *c)
{
    fake_sdpa().live -= c != nullptr;
    delete c;
}

int plan_fake(steti_sdpa_context *, const steti_sdpa_shape *shape, steti_sdpa_plan **out)
{
    *out = nullptr;
    if (int code = count_sdpa("plan")) {
        return code;
    }
    *out = new steti_sdpa_plan{*shape};
    fake_sdpa().plans++;
    fake_sdpa().live++;
    return 0;
}

void free_fake(steti_sdpa_plan *p)
{
    fake_sdpa().live -= p != nullptr;
    delete p;
}

std::string text_of(const steti_sdpa_shape &s)
{
    std::string text = "plan";
    for (int v : {s.heads, s.head_dim, s.batch, s.rows, s.keys, s.ragged, s.engine, s.kernel}) {
        text += " " + std::to_string(v);
    }
    return text;
}

int save_fake(steti_sdpa_context *, const steti_sdpa_plan *p, char **text, size_t *bytes)
{
    *text = nullptr;
    if (int code = count_sdpa("save")) {
        return code;
    }
    std::string s = text_of(p->shape);
    *text = steti_strndup(s.data(), s.size());
    *bytes = s.size();
    fake_sdpa().saved++;
    return *text == nullptr ? kNoMemory : 0;
}

int restore_fake(steti_sdpa_context *, const steti_sdpa_shape *shape, const char *text,
                 size_t bytes, steti_sdpa_plan **out)
{
    *out = nullptr;
    if (int code = count_sdpa("restore")) {
        return code;
    }
    if (std::string(text, bytes) != text_of(*shape)) {
        return fail_sdpa(kFault, "no plan of this shape");
    }
    *out = new steti_sdpa_plan{*shape};
    fake_sdpa().restored++;
    fake_sdpa().live++;
    return 0;
}

float widen(uint16_t h)
{
    uint32_t bits = static_cast<uint32_t>(h) << 16;
    float v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}

uint16_t narrow(float v)
{
    uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    return static_cast<uint16_t>(std::isnan(v) ? 0x7fc0 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// One row and head: q, out [d]; k, v with rows of `width`.
struct Head {
    const uint16_t *q, *k, *v;
    uint16_t *out;
    int d, keys;
    size_t width;
    float scale;
    bool is_flawed;
};

void attend(const Head &h)
{
    std::vector<float> weight(static_cast<size_t>(h.keys)), sum(static_cast<size_t>(h.d), 0.0f);
    float top = -INFINITY, total = 0;
    for (size_t j = 0; j < weight.size(); j++) {
        float s = 0;
        for (int i = 0; i < h.d; i++) {
            s = s + widen(h.q[i]) * widen(h.k[j * h.width + static_cast<size_t>(i)]);
        }
        weight[j] = s * h.scale;
        top = std::fmax(top, weight[j]);
    }
    for (float &w : weight) {
        w = std::exp(w - top);
        w = h.is_flawed ? widen(narrow(w)) : w;
        total = total + w;
    }
    for (size_t j = 0; j < weight.size(); j++) {
        for (size_t i = 0; i < sum.size(); i++) {
            sum[i] = sum[i] + weight[j] * widen(h.v[j * h.width + i]);
        }
    }
    for (size_t i = 0; i < sum.size(); i++) {
        h.out[i] = narrow(sum[i] / total);
    }
}

bool is_flawed(const steti_sdpa_plan *p, const steti_sdpa_call *c, int e)
{
    switch (fake_sdpa().flaw) {
    case Flaw::batch:
        return c->rows[1] > 0;
    case Flaw::position:
        return e > 0;
    case Flaw::neighbour:
        return e > 0 && c->keys[e - 1] > c->keys[e];
    case Flaw::rows:
        return c->rows[e] > 1;
    case Flaw::plan:
        return p->shape.keys > 64;
    default:
        return false;
    }
}

void run_entry(const steti_sdpa_plan *p, const steti_sdpa_call *c, int e)
{
    size_t width = static_cast<size_t>(p->shape.heads) * static_cast<size_t>(p->shape.head_dim);
    int extra = fake_sdpa().flaw == Flaw::overrun && e == 0 && c->rows[1] == 0;
    for (int r = 0; r < c->rows[e] + extra; r++) {
        for (int h = 0; h < p->shape.heads; h++) {
            size_t column = static_cast<size_t>(h) * static_cast<size_t>(p->shape.head_dim);
            size_t row = static_cast<size_t>(c->row_begin[e]) + static_cast<size_t>(r) * width;
            size_t key = static_cast<size_t>(c->key_begin[e]) + column;
            float scale = fake_sdpa().flaw == Flaw::scale ? 1.0f : c->scale;
            attend({c->q + row + column, c->k + key, c->v + key, c->out + row + column,
                    p->shape.head_dim, c->keys[e], width, scale, is_flawed(p, c, e)});
            // A masked weight of 0 times a NaN behind the last key.
            if (fake_sdpa().flaw == Flaw::nan && c->keys[e] % 64 != 0 && c->keys[e + 1] > 0 &&
                std::isnan(widen(c->v[c->key_begin[e + 1]]))) {
                c->out[row + column] = 0x7fc0;
            }
        }
    }
}

// What a call must be: its arrays are on the device, and its entries inside the plan and one behind
// the other.
bool is_legal(const steti_sdpa_plan *p, const steti_sdpa_call *c)
{
    size_t n = static_cast<size_t>(p->shape.batch);
    int width = p->shape.heads * p->shape.head_dim;
    if (!on_device(c->rows, 4 * n) || !on_device(c->keys, 4 * n) ||
        !on_device(c->row_begin, 4 * n + 4) || !on_device(c->key_begin, 4 * n + 4) ||
        c->row_begin[0] != 0 || c->key_begin[0] != 0) {
        return false;
    }
    for (size_t e = 0; e < n; e++) {
        if (c->rows[e] < 0 || c->rows[e] > p->shape.rows || c->keys[e] < 0 ||
            c->keys[e] > p->shape.keys || (c->rows[e] > 0) != (c->keys[e] > 0) ||
            c->row_begin[e + 1] != c->row_begin[e] + c->rows[e] * width ||
            c->key_begin[e + 1] != c->key_begin[e] + c->keys[e] * width) {
            return false;
        }
    }
    size_t rows = 2 * static_cast<size_t>(c->row_begin[n]);
    size_t keys = 2 * static_cast<size_t>(c->key_begin[n]);
    return on_device(c->q, rows) && on_device(c->out, rows) && on_device(c->k, keys) &&
           on_device(c->v, keys) && reinterpret_cast<uintptr_t>(c->k) % 16 == 0 &&
           reinterpret_cast<uintptr_t>(c->v) % 16 == 0 &&
           reinterpret_cast<uintptr_t>(c->out) % 16 == 0;
}

int run_fake(steti_sdpa_context *, const steti_sdpa_plan *p, const steti_sdpa_call *c, void *stream)
{
    if (int code = count_sdpa("run")) {
        return code;
    }
    if (stream != &device() || !is_legal(p, c)) {
        return fail_sdpa(kFault, "a call that is none of its plan");
    }
    for (int e = 0; e < p->shape.batch; e++) {
        run_entry(p, c, e);
    }
    fake_sdpa().runs++;
    return 0;
}

} // namespace

FakeSdpa &fake_sdpa()
{
    static FakeSdpa *f = new FakeSdpa;
    return *f;
}

const steti_sdpa *fake_sdpa_table()
{
    static const steti_sdpa table = {
        "fake",
        [](int code) { return static_cast<int>(code == kUnsupported); },
        [](int code) { return static_cast<int>(code == kNoMemory); },
        problem_text,
        open_fake,
        close_fake,
        [](const steti_sdpa_context *) { return fake_sdpa().version.c_str(); },
        plan_fake,
        free_fake,
        [](const steti_sdpa_plan *) { return fake_sdpa().workspace; },
        save_fake,
        restore_fake,
        run_fake,
    };
    return &table;
}

steti_cuda_sdpa_options fake_sdpa_options()
{
    return {fake_sdpa_table(), nullptr, 1u << STETI_ATTN_ENCODER | 1u << STETI_ATTN_CROSS, 0};
}

} // namespace stet_shim
