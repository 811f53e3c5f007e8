// A C++17 program that knows stet only as it is installed: hands in the lines of a file and takes
// the answers from a completion queue.
#include <fstream>
#include <iostream>
#include <map>
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
using Queue = std::unique_ptr<stet_cq, Release<stet_cq, stet_cq_destroy>>;
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

// Waits until all lines are there: they may be done in any order.
static std::map<uint64_t, std::string> take_answers(stet_cq *queue, size_t n)
{
    std::map<uint64_t, std::string> answers;
    while (answers.size() < n) {
        stet_event events[4];
        int64_t some = stet_cq_poll(queue, events, sizeof events[0], 4, -1);
        for (int64_t i = 0; i < some; i++) {
            Result result(events[i].result);
            size_t len = 0;
            const char *text = stet_result_text(result.get(), &len);
            answers[events[i].tag] = std::string(text != nullptr ? text : "", len);
        }
    }
    return answers;
}

static int correct(stet_engine *engine, const std::vector<std::string> &lines, stet_error *err)
{
    std::vector<stet_request> requests;
    stet_cq *queue = nullptr;
    for (const std::string &line : lines) {
        stet_request r = {};
        r.struct_size = sizeof r;
        r.text = line.data();
        r.len = line.size();
        r.tag = requests.size();
        requests.push_back(r);
    }
    if (stet_cq_create(&queue, err) != STET_OK) {
        return 1;
    }
    Queue queue_owner(queue);
    size_t accepted = 0;
    stet_status status =
        stet_submit(engine, queue, requests.data(), requests.size(), nullptr, &accepted, err);
    for (const auto &[tag, text] : take_answers(queue, accepted)) {
        std::cout << text;
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
