// async_fixture.h - completion queues and events that release themselves.
#pragma once

#include "api_fixture.h"

#include <map>
#include <poll.h>

namespace stet_test
{

constexpr int64_t a_minute = 60000000;

// Of the random models the one whose outputs end: with the others every sentence is left as it was.
struct EditingModel : Model {
    explicit EditingModel(const char *threads = "1")
        : Model("transformer-pre", {{"device", "cpu"}, {"intra_threads", threads}})
    {
    }
};

struct Event {
    uint64_t id = 0, tag = 0;
    stet_status status = 77;
    Result result;
    std::string message;
};

class Queue
{
  public:
    Queue()
    {
        status = stet_cq_create(&handle, &err);
    }
    ~Queue()
    {
        stet_cq_destroy(handle);
    }
    Queue(const Queue &) = delete;
    Queue &operator=(const Queue &) = delete;

    // What the descriptor says, without waiting.
    bool is_readable() const
    {
        pollfd fd = {stet_cq_fd(handle), POLLIN, 0};
        return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN) != 0;
    }

    std::vector<Event> take(size_t max = 100, int64_t timeout_us = 0) const
    {
        std::vector<stet_event> raw(max);
        int64_t n = stet_cq_poll(handle, raw.data(), sizeof raw[0], max, timeout_us);
        EXPECT_GE(n, 0);
        std::vector<Event> out;
        for (int64_t i = 0; i < n; i++) {
            const stet_event &e = raw[static_cast<size_t>(i)];
            EXPECT_EQ(e.status == STET_OK, e.result != nullptr);
            EXPECT_EQ(e.status == STET_OK, e.message[0] == '\0') << e.message;
            EXPECT_EQ(e.reserved, 0u);
            Event own;
            own.id = e.id;
            own.tag = e.tag;
            own.status = e.status;
            own.result.handle = e.result;
            own.message = e.message;
            out.push_back(std::move(own));
        }
        return out;
    }

    // The next n events by their tag; fewer only when none comes for a minute.
    std::map<uint64_t, Event> wait(size_t n) const
    {
        std::map<uint64_t, Event> out;
        while (out.size() < n) {
            auto some = take(7, a_minute);
            if (some.empty()) {
                ADD_FAILURE() << "only " << out.size() << " of " << n << " events came";
                break;
            }
            for (auto &e : some) {
                uint64_t tag = e.tag;
                EXPECT_EQ(out.count(tag), 0u) << "two events for tag " << tag;
                out[tag] = std::move(e);
            }
        }
        return out;
    }

    stet_cq *handle = nullptr;
    Error err;
    stet_status status;
};

struct Submitted {
    stet_status status = 77;
    size_t accepted = 99;
    std::vector<uint64_t> ids;
    Error err;
};

inline Submitted submit(const Engine &g, const Queue &q, const std::vector<stet_request> &r)
{
    Submitted s;
    s.ids.assign(r.size(), 0);
    s.status =
        stet_submit(g.handle, q.handle, r.data(), r.size(), s.ids.data(), &s.accepted, &s.err);
    EXPECT_EQ(s.status == STET_OK, s.accepted == r.size()) << s.err.message;
    EXPECT_TRUE(s.status == STET_OK || s.err.code == s.status);
    EXPECT_TRUE(s.status != STET_E_BUSY || s.err.retry_after_ms >= 1);
    for (size_t i = 0; i < s.ids.size(); i++) {
        EXPECT_EQ(s.ids[i] != 0, i < s.accepted);
    }
    return s;
}

inline stet_request tagged(const std::string &text, uint64_t tag, uint32_t flags = 0)
{
    stet_request r = request(text, flags);
    r.tag = tag;
    return r;
}

inline stet_request token_request(const std::vector<int32_t> &tokens, uint64_t tag = 0)
{
    stet_request r{};
    r.struct_size = sizeof r;
    r.flags = STET_REQ_TOKENS;
    r.tokens = tokens.data();
    r.n_tokens = tokens.size();
    r.tag = tag;
    return r;
}

inline std::vector<int32_t> tokens_of(const Result &r)
{
    size_t n = 99;
    const int32_t *p = stet_result_tokens(r.handle, &n);
    return std::vector<int32_t>(p, p + n);
}

// Keeps an engine busy for a while: nothing that a test does meanwhile takes as long.
inline const std::string &long_text()
{
    static const std::string text = [] {
        std::string s;
        for (int i = 0; i < 20000; i++) {
            s += "ba ce difo guha\n";
        }
        return s;
    }();
    return text;
}

inline stet_stats stats_of(const Engine &g)
{
    stet_stats s{};
    s.struct_size = sizeof s;
    EXPECT_EQ(stet_engine_stats(g.handle, &s), STET_OK);
    return s;
}

} // namespace stet_test
