// quantize_fixture.h - stet_quantize into a temporary folder.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "api_fixture.h"
#include "model_folder.h"
#include "net_fixture.h"

namespace stet_test
{

class Quantized
{
  public:
    Quantized()
    {
        std::string name = (std::filesystem::temp_directory_path() / "stet-test-XXXXXX").string();
        EXPECT_NE(mkdtemp(name.data()), nullptr);
        root = name;
        path = root + "/out";
        report.struct_size = sizeof report;
    }
    Quantized(const std::string &from, const char *type) : Quantized()
    {
        status = run(from, {{"compute_type", type}});
    }
    ~Quantized()
    {
        std::filesystem::remove_all(root);
    }
    Quantized(const Quantized &) = delete;
    Quantized &operator=(const Quantized &) = delete;

    stet_status run(const std::string &from, const Options &o,
                    const std::vector<std::string> &lines = {})
    {
        std::vector<stet_text> texts;
        for (const std::string &line : lines) {
            texts.push_back({line.data(), line.size()});
        }
        stet_quantize_input in{};
        in.struct_size = sizeof in;
        in.from = from.c_str();
        in.to = path.c_str();
        in.texts = texts.data();
        in.n_texts = texts.size();
        in.texts_name = "lines.txt";
        return stet_quantize(&in, o.data(), o.size(), &report, &err);
    }
    bool says(const std::string &text) const
    {
        return std::string(err.message).find(text) != std::string::npos;
    }
    bool left_nothing() const
    {
        return std::filesystem::is_empty(root);
    }

    std::string root, path;
    stet_quantize_report report{};
    Error err;
    stet_status status = STET_OK;
};

} // namespace stet_test
