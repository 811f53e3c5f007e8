// hf_fixture.h - the folders of scripts/make_hf_fixtures.py with what transformers said of them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "net_fixture.h"
#include "stored.h"

namespace stet_test
{

// Tokens of an output in these folders, the end of the sentence included, unless the folder says.
constexpr int HF_MAX_OUT = 9;

inline int most_out(const steti_spec &spec)
{
    return spec.generation.max_out > 0 ? spec.generation.max_out : HF_MAX_OUT;
}

// A folder with the languages that its expected outputs were made for.
struct Folder {
    explicit Folder(const std::string &name, enum steti_dtype compute = STETI_F32, int threads = 1,
                    const char *isa = nullptr, std::function<void(steti_spec *)> change = nullptr)
        : path(fixture(name)), stored(path),
          net(path, compute, threads, isa, nullptr, [this, change](steti_spec *spec) {
              speak(spec);
              if (change) {
                  change(spec);
              }
          })
    {
        EXPECT_EQ(net.status, STET_OK) << net.err.message;
    }
    void speak(steti_spec *spec)
    {
        Ids prefix = stored.get<int32_t>("prefix"), suffix = stored.get<int32_t>("suffix");
        bool is_last = spec->language_place == STETI_LANGUAGE_LAST;
        if (spec->language_place != STETI_LANGUAGE_NONE) {
            steti_spec_set_source_language(spec, is_last ? suffix.back() : prefix.front());
        }
    }
    std::string path;
    Stored stored;
    Net net;
};

// The position tables of these folders are short.
inline steti_engine_options options(const Net &net, const steti_draft_ops *draft, int window,
                                    int batch)
{
    auto o = engine_options(draft, window, batch, most_out(net.spec));
    o.max_src = 40;
    return o;
}

} // namespace stet_test
