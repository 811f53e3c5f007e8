// stored.h - the expected values of a fixture: expected.safetensors, or another file beside it.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "safetensors.h"
}

namespace stet_test
{

using Ids = std::vector<int32_t>;

class Stored
{
  public:
    explicit Stored(const std::string &folder, const std::string &file = "expected.safetensors")
    {
        stet_error err{};
        err.struct_size = sizeof err;
        EXPECT_EQ(steti_safetensors_open((folder + "/" + file).c_str(), &st, &err), STET_OK)
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

} // namespace stet_test
