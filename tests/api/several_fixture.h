// several_fixture.h - engines on several devices: parts of the processor or fake devices, requests
// of every kind, and what their answers must be.
#pragma once

#include "async_fixture.h"
#include "fake_devices.h"

#include <cstring>
#include <random>
#include <thread>

extern "C" {
#include "alloc.h"
#include "device_swap.h"
}

namespace stet_test
{

inline const char *const several_folder = "transformer-pre"; // its outputs end

// ---- The log: hooks must come before the first handle -------------------------------------------

struct Log {
    std::mutex lock;
    std::vector<std::string> lines;
    std::vector<std::string> take()
    {
        std::lock_guard<std::mutex> guard(lock);
        return std::move(lines);
    }
};

inline Log &log_of_test()
{
    static Log log;
    return log;
}

inline const bool has_log = [] {
    stet_hooks hooks{};
    hooks.struct_size = sizeof hooks;
    hooks.log_level = STET_LOG_INFO;
    hooks.log = [](void *, int32_t, const char *component, const char *line, size_t) {
        std::lock_guard<std::mutex> guard(log_of_test().lock);
        log_of_test().lines.push_back(std::string(component) + ": " + line);
    };
    return stet_set_hooks(&hooks, nullptr) == STET_OK;
}();

// ---- Helpers ------------------------------------------------------------------------------------

inline Options parts(const char *list, const char *threads = "1")
{
    return {{"device", "cpu"}, {"device_index", list}, {"intra_threads", threads}};
}

inline const char *list_of(int n)
{
    static const char *const lists[] = {"", "0", "0,1", "0-2"};
    return lists[n];
}

// A model on n fake devices.
struct FakeModel : Model {
    explicit FakeModel(int n) : Model(several_folder, parts(list_of(n)))
    {
        reset_fake_devices();
        status = status == STET_OK
                     ? swap_device(handle, fixture(several_folder).c_str(), fake_ops())
                     : status;
    }
};

inline stet_device_state device_of(const Engine &g, size_t i)
{
    stet_device_state s{};
    s.struct_size = sizeof s;
    EXPECT_EQ(stet_engine_device(g.handle, i, &s), STET_OK);
    return s;
}

struct Ask {
    std::string text;
    std::vector<int32_t> tokens;
    uint32_t flags = 0;
    const char *prompt = nullptr;
};

// Requests of every kind.
inline std::vector<Ask> asks(size_t n, unsigned seed)
{
    static const char *const words[] = {"ba", "ce", "Difo", "guha", "jeki", "lomu", "12", "x"};
    std::mt19937 rng(seed);
    std::vector<Ask> list(n);
    for (size_t i = 0; i < n; i++) {
        Ask &a = list[i];
        if (i % 4 == 3) {
            a.flags = STET_REQ_TOKENS;
            for (unsigned k = rng() % 12; k > 0; k--) {
                a.tokens.push_back(static_cast<int32_t>(5 + rng() % 200));
            }
            continue;
        }
        a.flags = i % 4 == 1 ? STET_REQ_WRAPPED : i % 8 == 2 ? STET_REQ_SENTENCE : 0;
        a.prompt = i % 5 == 0 ? "guha: " : nullptr;
        for (unsigned k = rng() % (i % 7 == 0 ? 40 : 9); k > 0; k--) {
            a.text += std::string(words[rng() % 8]) + (rng() % 4 == 0 ? ".\n" : " ");
        }
    }
    return list;
}

inline stet_request request_of(const Ask &a, uint64_t tag)
{
    stet_request r =
        a.flags == STET_REQ_TOKENS ? token_request(a.tokens, tag) : tagged(a.text, tag, a.flags);
    r.prompt = a.prompt;
    return r;
}

// Everything in a result that may not depend on the device, which is all but times.
inline std::string bits_of(const Result &r)
{
    std::string s;
    auto add = [&s](const void *p, size_t n) {
        s.append(static_cast<const char *>(p), n);
        s.push_back('|');
    };
    size_t n = 0;
    const char *text = stet_result_text(r.handle, &n);
    const int32_t *tokens = stet_result_tokens(r.handle, nullptr);
    add(text != nullptr ? text : "", text != nullptr ? n : 0);
    if (tokens != nullptr) {
        stet_result_tokens(r.handle, &n);
        add(tokens, n * sizeof *tokens);
    }
    for (const auto &e : r.edits(STET_UNIT_BYTE)) {
        add(&e.src_off, 4 * sizeof e.src_off);
        add(e.text, e.text_len);
        add(&e.score, sizeof e.score);
    }
    for (const auto &e : r.sentences()) {
        add(&e, sizeof e);
    }
    stet_stats t = r.stats();
    uint64_t counts[] = {t.requests, t.sentences, t.source_tokens, t.output_tokens, t.passes,
                         t.drafted,  t.accepted,  t.verified,      t.unfinished};
    add(counts, sizeof counts);
    return s;
}

inline const Options exact = {{"scores", "1"}, {"draft_window", "4"}, {"verify", "1"}};

inline std::vector<std::string> answers(const std::vector<Ask> &list, const Options &o = exact)
{
    Model m(several_folder, parts("0"));
    Engine g(m.handle, o);
    std::vector<std::string> out;
    for (const auto &a : list) {
        stet_request r = request_of(a, 0);
        stet_result *result = nullptr;
        EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &result, nullptr, nullptr), STET_OK);
        out.push_back(bits_of(Result(result)));
    }
    return out;
}

inline std::vector<stet_request> requests_of(const std::vector<Ask> &list)
{
    std::vector<stet_request> out;
    for (size_t i = 0; i < list.size(); i++) {
        out.push_back(request_of(list[i], i));
    }
    return out;
}

inline uint64_t live_blocks()
{
    steti_alloc_stats s{};
    steti_alloc_get_stats(&s);
    return s.live_count;
}

// Whether a call on the device waits for the end of hold_fake_devices.
inline bool is_held_up(int device)
{
    std::lock_guard<std::mutex> guard(fake_devices().lock);
    return fake_devices().list[device].waits > 0;
}

} // namespace stet_test
