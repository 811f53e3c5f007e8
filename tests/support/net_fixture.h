// net_fixture.h - a small model from tests/fixtures on a CPU context, for tests of the layers above
// the backend.
#pragma once

#include <climits>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "fixture_path.h"

extern "C" {
#include "alloc.h"
#include "cpu_backend.h"
#include "engine.h"
#include "model.h"
#include "safetensors.h"
}

#include <gtest/gtest.h>

namespace stet_test
{

// Spec, packed weights and one backend context. `ops` lets a test put its own backend in between.
class Net
{
  public:
    explicit Net(const std::string &folder, enum steti_dtype compute = STETI_F32, int threads = 1,
                 const char *isa = nullptr, const steti_backend_ops *backend_ops = nullptr,
                 const std::function<void(steti_spec *)> &change_spec = nullptr)
    {
        steti_backend_options bo{};
        steti_model_options mo{};
        ops = backend_ops != nullptr ? backend_ops : steti_cpu_backend();
        bo.threads = threads;
        bo.isa = isa;
        err.struct_size = sizeof err;
        status = steti_spec_read(folder.c_str(), &spec, &err);
        if (status == STET_OK && change_spec) {
            change_spec(&spec);
        }
        if (status == STET_OK) {
            status = ops->open(&bo, &backend, &err);
        }
        if (status == STET_OK) {
            status = steti_weights_open(folder.c_str(), &weights, &err);
        }
        if (status == STET_OK) {
            mo.ops = ops;
            mo.backend = backend;
            mo.compute = compute;
            status = steti_model_open(&spec, weights, folder.c_str(), &mo, &model, &err);
        }
    }

    ~Net()
    {
        steti_model_close(model);
        steti_weights_close(weights);
        if (backend != nullptr) {
            ops->close(backend);
        }
    }

    Net(const Net &) = delete;
    Net &operator=(const Net &) = delete;

    const steti_backend_ops *ops = nullptr;
    steti_backend *backend = nullptr;
    steti_weights *weights = nullptr;
    steti_model *model = nullptr;
    steti_spec spec{};
    stet_error err{};
    stet_status status = STET_OK;
};

// One decoded sentence with the bits that must not change.
struct Decoded {
    std::vector<int32_t> ids;
    std::vector<float> logprob; // one more than ids when the sentence ended by itself
    bool finished = false;
    stet_status status = STET_OK;
    steti_counts counts{};

    bool same_bits(const Decoded &o) const
    {
        return ids == o.ids && finished == o.finished && logprob.size() == o.logprob.size() &&
               (logprob.empty() ||
                std::memcmp(logprob.data(), o.logprob.data(), logprob.size() * sizeof(float)) == 0);
    }
};

inline steti_engine_options engine_options(const steti_draft_ops *draft, int window, int batch,
                                           int max_out = 64)
{
    steti_engine_options o{};
    o.draft = draft;
    o.draft_window = window;
    o.batch_size = batch;
    o.max_src = 60; // with special tokens it fits into the position tables of all fixtures
    o.max_out = max_out;
    o.scores = 1;
    o.clock = steti_clock_system();
    return o;
}

// Cancels a sentence before the pass that would be its pass number `passes` + 1.
struct Cancel {
    int passes = INT_MAX;
    int asked = 0;
    static int ask(void *ctx)
    {
        Cancel *c = static_cast<Cancel *>(ctx);
        return c->asked++ >= c->passes;
    }
};

// Decodes all sources in one call. `cancels`: NULL, or one for each source.
inline std::vector<Decoded> decode(const Net &net, const steti_engine_options &o,
                                   const std::vector<std::vector<int32_t>> &sources,
                                   std::vector<Cancel> *cancels = nullptr)
{
    std::vector<Decoded> result(sources.size());
    std::vector<steti_job> jobs(sources.size());
    std::vector<std::vector<int32_t>> out(sources.size());
    std::vector<std::vector<float>> logprob(sources.size());
    steti_engine *engine = nullptr;
    stet_error err{};
    err.struct_size = sizeof err;
    EXPECT_EQ(steti_engine_open(net.model, net.backend, &o, &engine, &err), STET_OK) << err.message;
    if (engine == nullptr) {
        return result;
    }
    for (size_t i = 0; i < sources.size(); i++) {
        out[i].resize(static_cast<size_t>(o.max_out));
        logprob[i].resize(static_cast<size_t>(o.max_out) + 1);
        jobs[i] = steti_job{};
        jobs[i].src = sources[i].data();
        jobs[i].n_src = static_cast<int>(sources[i].size());
        jobs[i].out = out[i].data();
        jobs[i].logprob = logprob[i].data();
        jobs[i].is_cancelled = cancels != nullptr ? Cancel::ask : nullptr;
        jobs[i].cancel_ctx = cancels != nullptr ? &(*cancels)[i] : nullptr;
    }
    steti_engine_run(engine, jobs.data(), jobs.size(), &err);
    for (size_t i = 0; i < sources.size(); i++) {
        size_t n = static_cast<size_t>(jobs[i].n_out);
        result[i].ids.assign(out[i].begin(), out[i].begin() + static_cast<long>(n));
        n += jobs[i].finished != 0 ? 1 : 0;
        result[i].logprob.assign(logprob[i].begin(), logprob[i].begin() + static_cast<long>(n));
        result[i].finished = jobs[i].finished != 0;
        result[i].status = jobs[i].status;
        result[i].counts = jobs[i].counts;
    }
    steti_engine_close(engine);
    return result;
}

// Random sources; small vocabularies so that n-grams repeat.
inline std::vector<std::vector<int32_t>> random_sources(size_t n, int vocab, unsigned seed,
                                                        int max_len = 40)
{
    std::mt19937 rng(seed);
    std::vector<std::vector<int32_t>> out(n);
    for (auto &s : out) {
        size_t len = rng() % static_cast<unsigned>(max_len + 1);
        for (size_t i = 0; i < len; i++) {
            s.push_back(static_cast<int32_t>(3 + rng() % static_cast<unsigned>(vocab - 3)));
        }
    }
    return out;
}

} // namespace stet_test
