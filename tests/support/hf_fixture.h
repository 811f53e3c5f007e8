// hf_fixture.h - the folders of scripts/make_hf_fixtures.py with what transformers said of them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "net_fixture.h"

namespace stet_test
{

using Ids = std::vector<int32_t>;

// Tokens of an output in these folders, the end of the sentence included, unless the folder says.
constexpr int HF_MAX_OUT = 9;

inline int most_out(const steti_spec &spec)
{
    return spec.generation.max_out > 0 ? spec.generation.max_out : HF_MAX_OUT;
}

class Stored
{
  public:
    explicit Stored(const std::string &folder)
    {
        stet_error err{};
        err.struct_size = sizeof err;
        EXPECT_EQ(steti_safetensors_open((folder + "/expected.safetensors").c_str(), &st, &err),
                  STET_OK)
            << err.message;
    }
    ~Stored()
    {
        steti_safetensors_close(&st);
    }
    template <typename T> std::vector<T> get(const std::string &name) const
    {
        const steti_tensor *t = steti_safetensors_find(&st, name.c_str());
        std::vector<T> v(t != nullptr ? static_cast<size_t>(steti_tensor_count(t)) : 0);
        if (!v.empty()) {
            std::memcpy(v.data(), t->data, v.size() * sizeof(T));
        }
        return v;
    }
    // Lists of ids that stand one after the other, in one byte each, or in two.
    std::vector<Ids> lists(const std::string &ids, const std::string &lengths) const
    {
        const steti_tensor *t = steti_safetensors_find(&st, ids.c_str());
        auto bytes = get<uint8_t>(ids), n = get<uint8_t>(lengths);
        Ids flat(bytes.begin(), bytes.end());
        if (t != nullptr && t->dtype == STETI_I16) {
            auto wide = get<int16_t>(ids);
            flat.assign(wide.begin(), wide.end());
        }
        std::vector<Ids> out;
        size_t at = 0;
        for (uint8_t len : n) {
            out.emplace_back(flat.begin() + static_cast<long>(at),
                             flat.begin() + static_cast<long>(at) + len);
            at += len;
        }
        EXPECT_EQ(at, flat.size());
        return out;
    }
    steti_safetensors st{};
};

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
