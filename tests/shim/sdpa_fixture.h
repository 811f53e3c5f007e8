// sdpa_fixture.h - attention on the device of fibers, with a library behind it or without.
#pragma once

#include "fake_sdpa.h"
#include "tuned_backend.h"

#include <functional>

extern "C" {
#include "log.h"
}

// Log lines of the backend, as long as it lives.
class LogLines
{
  public:
    LogLines()
    {
        steti_log_set_hook(
            [](void *ctx, int32_t level, const char *, const char *line, size_t len) {
                static_cast<LogLines *>(ctx)->text +=
                    std::to_string(level) + " " + std::string(line, len) + "\n";
            },
            this, STET_LOG_INFO);
    }
    ~LogLines()
    {
        steti_log_set_hook(nullptr, nullptr, 0);
    }
    LogLines(const LogLines &) = delete;
    LogLines &operator=(const LogLines &) = delete;
    bool Say(const std::string &words) const
    {
        return text.find(words) != std::string::npos;
    }
    std::string text;
};

inline std::unique_ptr<Backend> OpenWith(const steti_cuda_sdpa_options *o)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    if (o != nullptr) {
        EXPECT_EQ(steti_cuda_use_sdpa(be->b, o, &be->err), STET_OK) << be->err.message;
    }
    return be;
}

inline std::unique_ptr<Backend> OpenWithFake()
{
    steti_cuda_sdpa_options o = stet_shim::fake_sdpa_options();
    return OpenWith(&o);
}

// Rows of packed sentences over a memory of keys and values. `n_heads` heads of 8.
struct Rows {
    int n_heads = 1, head_dim = 8;
    std::vector<int32_t> begin, count, tail, n_tail; // of each row; tails may be empty
    std::vector<float> q, k, v;
    steti_attention_kind kind = STETI_ATTN_CROSS;
    steti_dtype compute = STETI_BF16;

    int width() const
    {
        return n_heads * head_dim;
    }
    // n rows more on these keys.
    void Add(int n, int first_key, int keys)
    {
        begin.insert(begin.end(), static_cast<size_t>(n), first_key);
        count.insert(count.end(), static_cast<size_t>(n), keys);
    }
    void Fill(int memory_rows)
    {
        Rng rng(11);
        size_t w = static_cast<size_t>(width());
        q = rng.Floats(begin.size() * w);
        k = rng.Floats(static_cast<size_t>(memory_rows) * w);
        v = rng.Floats(static_cast<size_t>(memory_rows) * w);
    }
    Rows Only(const std::vector<size_t> &rows) const
    {
        Rows r = *this;
        size_t w = static_cast<size_t>(width());
        r.begin.clear();
        r.count.clear();
        r.q.clear();
        for (size_t i : rows) {
            r.begin.push_back(begin[i]);
            r.count.push_back(count[i]);
            r.q.insert(r.q.end(), q.begin() + static_cast<long>(i * w),
                       q.begin() + static_cast<long>(i * w + w));
        }
        return r;
    }
};

// The op. `before` is called when all is on the device, `after` with what the op gave.
inline stet_status Attend(Backend *be, const Rows &r, std::vector<float> *out,
                          const float *bias = nullptr,
                          const std::function<void()> &before = nullptr,
                          const std::function<void(stet_status)> &after = nullptr)
{
    size_t n = r.begin.size() * static_cast<size_t>(r.width());
    std::vector<int32_t> pos(r.begin.size(), 0);
    steti_attention_params p = {};
    float *to = be->Up(std::vector<float>(n));
    p.n_rows = static_cast<int>(r.begin.size());
    p.n_heads = r.n_heads;
    p.head_dim = r.head_dim;
    p.kind = r.kind;
    p.scale = 0.5f;
    p.q = be->Up(r.q);
    p.k = be->Up(r.k);
    p.v = be->Up(r.v);
    p.ld_q = p.ld_kv = p.ld_out = r.width();
    p.key_begin = r.begin.data();
    p.key_count = r.count.data();
    p.tail_begin = r.tail.empty() ? nullptr : r.tail.data();
    p.tail_count = r.tail.empty() ? nullptr : r.n_tail.data();
    p.out = to;
    p.bias = bias;
    p.ld_bias = 1024;
    p.query_pos = pos.data();
    p.compute = r.compute;
    if (before) {
        before();
    }
    stet_status st = be->ops->attention(be->b, &p, &be->err);
    stet_shim::device().fail_at = 0;
    if (after) {
        after(st);
    }
    if (st == STET_OK) {
        *out = be->Down(to, n);
    }
    return st;
}

inline std::vector<float> Attended(Backend *be, const Rows &r, const float *bias = nullptr)
{
    std::vector<float> out;
    EXPECT_EQ(Attend(be, r, &out, bias), STET_OK) << be->err.message;
    return out;
}

// Sentences of these lengths, as an encoder has them.
inline Rows Sentences(const std::vector<int> &lengths, steti_attention_kind kind)
{
    Rows r;
    int at = 0;
    for (int n : lengths) {
        r.Add(n, at, n);
        at += n;
    }
    r.kind = kind;
    r.Fill(at);
    return r;
}
