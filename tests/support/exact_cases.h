// exact_cases.h - what the tests of exactness are run on.
#pragma once

#include "net_fixture.h"
#include "scale.h"

namespace stet_test
{

inline const std::vector<std::string> &all_fixtures()
{
    static const std::vector<std::string> names = {
        "edgeformer-a",     "edgeformer-b",    "edgeformer-c",
        "transformer-post", "transformer-pre", "transformer-learned",
        "hf-bart-a",        "hf-t5-a",         "hf-bart-c",
        "hf-mt5-b"}; // the last two have generation settings
    return names;
}

// The instruction sets that this processor has.
inline const std::vector<std::string> &all_isas()
{
    static const std::vector<std::string> names = [] {
        std::vector<std::string> found;
        for (const char *isa : {"portable", "avx2", "avx2vnni", "avx512", "neon"}) {
            steti_backend_options o{};
            steti_backend *b = nullptr;
            o.threads = 1;
            o.isa = isa;
            if (steti_cpu_backend()->open(&o, &b, nullptr) == STET_OK) {
                found.push_back(isa);
                steti_cpu_backend()->close(b);
            }
        }
        return found;
    }();
    return names;
}

// Sentences whose drafts are sometimes right, which is rare with random weights: outputs become
// sources again, and each sentence keeps the one of which most drafted tokens were accepted.
inline std::vector<std::vector<int32_t>> echo_sources(const Net &net, size_t n, unsigned seed,
                                                      int max_len = 30)
{
    auto sources = random_sources(n, net.spec.vocab_size, seed, max_len), best = sources;
    std::vector<uint64_t> accepted(n, 0);
    for (int round = 0; round < 5; round++) {
        auto out = decode(net, engine_options(&steti_draft_edit, 0, 4, max_len), sources);
        for (size_t i = 0; i < n; i++) {
            if (out[i].counts.accepted > accepted[i]) {
                accepted[i] = out[i].counts.accepted;
                best[i] = sources[i];
            }
            sources[i] = out[i].ids;
        }
    }
    return best;
}

// How many sentences differ in a token, in a bit of a log probability, in status or in being
// finished.
inline size_t count_differing(const std::vector<Decoded> &a, const std::vector<Decoded> &b)
{
    size_t n = 0;
    for (size_t i = 0; i < a.size(); i++) {
        n += !a[i].same_bits(b[i]) || a[i].status != b[i].status;
    }
    return n;
}

// Every sentence by plain greedy decoding, alone in an engine of its own.
inline std::vector<Decoded>
greedy_alone(const Net &net, const std::vector<std::vector<int32_t>> &sources, int max_out = 40)
{
    std::vector<Decoded> out;
    for (const auto &s : sources) {
        out.push_back(decode(net, engine_options(&steti_draft_none, 0, 1, max_out), {s})[0]);
    }
    return out;
}

} // namespace stet_test
