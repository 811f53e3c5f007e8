// A C++17 program that knows stet only as it is installed: corrects the lines of a file in one
// batch.
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <stet.h>

template <class T, void (*release)(T *)> struct Release {
    void operator()(T *p) const
    {
        release(p);
    }
};
using Model = std::unique_ptr<stet_model, Release<stet_model, stet_model_release>>;
using Engine = std::unique_ptr<stet_engine, Release<stet_engine, stet_engine_destroy>>;
using Result = std::unique_ptr<stet_result, Release<stet_result, stet_result_release>>;

static std::vector<std::string> read_lines(const char *path)
{
    std::ifstream in(path, std::ios::binary);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line + "\n");
    }
    return lines;
}

static int correct(stet_engine *engine, const std::vector<std::string> &lines, stet_error *err)
{
    std::vector<stet_request> requests;
    std::vector<stet_result *> results(lines.size());
    for (const std::string &line : lines) {
        requests.push_back({sizeof(stet_request), 0, line.data(), line.size()});
    }
    stet_status status =
        stet_correct_batch(engine, requests.data(), requests.size(), results.data(), nullptr, err);
    for (stet_result *raw : results) {
        Result result(raw);
        size_t len = 0;
        const char *text = raw != nullptr ? stet_result_text(raw, &len) : "";
        std::cout << std::string(text, len);
    }
    return status == STET_OK && !lines.empty() ? 0 : 1;
}

int main(int argc, char **argv)
{
    stet_error err = {};
    stet_model *model = nullptr;
    stet_engine *engine = nullptr;
    err.struct_size = sizeof err;
    if (argc != 3) {
        std::cerr << "usage: consumer MODEL FILE\n";
        return 1;
    }
    if (stet_model_load(argv[1], nullptr, 0, &model, &err) != STET_OK) {
        std::cerr << err.message << "\n";
        return 1;
    }
    Model model_owner(model);
    if (stet_engine_create(model, nullptr, 0, &engine, &err) != STET_OK) {
        std::cerr << err.message << "\n";
        return 1;
    }
    Engine engine_owner(engine);
    int failed = correct(engine, read_lines(argv[2]), &err);
    if (failed != 0) {
        std::cerr << stet_status_name(err.code) << ": " << err.message << "\n";
    }
    return failed;
}
