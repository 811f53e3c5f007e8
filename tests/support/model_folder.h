// model_folder.h - a changed copy of a fixture in a temporary folder.
#pragma once

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

extern "C" {
#include "weights.h"
}

#include <gtest/gtest.h>

namespace stet_test
{

inline std::string read_text(const std::string &path)
{
    std::ifstream f(path, std::ios::binary);
    std::stringstream s;
    s << f.rdbuf();
    return s.str();
}

inline void write_text(const std::string &path, const std::string &text)
{
    std::ofstream(path, std::ios::binary) << text;
}

struct RawTensor {
    std::string dtype;
    std::vector<int64_t> shape;
    std::string bytes;
};

class ModelFolder
{
  public:
    explicit ModelFolder(const std::string &fixture_name)
    {
        std::string from = std::string(STET_FIXTURES) + "/" + fixture_name;
        std::string name = (std::filesystem::temp_directory_path() / "stet-test-XXXXXX").string();
        EXPECT_NE(mkdtemp(name.data()), nullptr);
        path = name;
        for (const auto &entry : std::filesystem::directory_iterator(from)) {
            if (entry.path().filename() != "expected.safetensors") {
                std::filesystem::copy(entry.path(),
                                      std::filesystem::path(path) / entry.path().filename());
            }
        }
        config = read_text(path + "/config.json");
        read_tensors(from);
    }
    ~ModelFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    ModelFolder(const ModelFolder &) = delete;
    ModelFolder &operator=(const ModelFolder &) = delete;

    // Sets a key of config.json to a JSON value, given as text; "" removes the key.
    void set(const std::string &key, const std::string &value)
    {
        std::string quoted = "\"" + key + "\":";
        size_t at = config.find(quoted);
        if (at == std::string::npos) {
            config.insert(config.find('{') + 1, quoted + value + ",");
            return;
        }
        size_t end = config.find_first_of(",\n", at);
        bool comma = config[end] == ',';
        config.replace(at, end - at + (value.empty() && comma ? 1 : 0),
                       value.empty() ? "" : quoted + " " + value);
    }

    float *f32(const std::string &name)
    {
        RawTensor &t = tensors.at(name);
        EXPECT_EQ(t.dtype, "F32");
        return reinterpret_cast<float *>(t.bytes.data());
    }

    void save() const
    {
        write_text(path + "/config.json", config);
        save_tensors();
    }

    std::string path, config;
    std::map<std::string, RawTensor> tensors;

  private:
    void read_tensors(const std::string &folder)
    {
        steti_weights *w = nullptr;
        ASSERT_EQ(steti_weights_open(folder.c_str(), &w, nullptr), STET_OK);
        for (size_t i = 0; i < steti_weights_count(w); i++) {
            const steti_tensor *t = steti_weights_at(w, i);
            RawTensor raw;
            raw.dtype = steti_dtype_name(t->dtype);
            raw.shape.assign(t->shape, t->shape + t->rank);
            raw.bytes.assign(static_cast<const char *>(t->data), steti_tensor_bytes(t));
            tensors[steti_weights_name(w, i)] = raw;
        }
        steti_weights_close(w);
    }

    void save_tensors() const
    {
        std::string header, data;
        for (const auto &[name, t] : tensors) {
            std::string shape;
            for (int64_t n : t.shape) {
                shape += (shape.empty() ? "" : ",") + std::to_string(n);
            }
            header += (header.empty() ? "{\"" : ",\"") + name + "\":{\"dtype\":\"" + t.dtype +
                      "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
                      std::to_string(data.size()) + "," +
                      std::to_string(data.size() + t.bytes.size()) + "]}";
            data += t.bytes;
        }
        header += "}";
        uint64_t n = header.size();
        std::string length(8, '\0');
        std::memcpy(length.data(), &n, 8);
        write_text(path + "/model.safetensors", length + header + data);
    }
};

} // namespace stet_test
