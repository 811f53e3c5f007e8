// api_stress [--seconds N] [--threads N] [--seed N] [--model FOLDER]
//
// Threads that do everything stet.h allows, at the same time: submit, cancel, poll, wake, correct
// and wait, read counts, open and close engines and queues. Checked throughout: every accepted
// request has exactly one event, and every text is the one that an engine with nothing else to do
// gives. Prints what happened; the exit status is 1 when something was wrong.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "stet.h"

namespace
{

using Rng = std::mt19937;

constexpr int n_engines = 3, n_queues = 4, n_texts = 48;

struct Config {
    int seconds = 5, threads = 24;
    unsigned seed = 1;
    std::string model = std::string(STET_FIXTURES) + "/transformer-pre";
};

struct Text {
    std::string text, want;
    std::vector<int32_t> tokens, want_tokens;
};

struct Counts {
    std::atomic<uint64_t> accepted{0}, refused{0}, events{0}, dropped{0}, ok{0}, cancelled{0},
        expired{0}, shut_down{0}, no_memory{0}, cancels{0}, batches{0}, engines{0}, queues{0},
        drains{0}, wrong{0};
};

Counts counts;
std::vector<Text> texts;
stet_model *models[2];
std::atomic<uint64_t> next_tag{1};
std::atomic<bool> is_over{false};

unsigned below(Rng &rng, unsigned n)
{
    return static_cast<unsigned>(rng() % n);
}

void complain(const char *what, const char *detail)
{
    if (counts.wrong++ < 20) {
        std::fprintf(stderr, "WRONG: %s: %s\n", what, detail);
    }
}

void check(bool is_right, const char *what, const char *detail = "")
{
    if (!is_right) {
        complain(what, detail);
    }
}

struct Error : stet_error {
    Error() : stet_error{}
    {
        struct_size = sizeof(stet_error);
    }
};

// A handle that many use and one may replace; meanwhile there is nothing to use.
template <class T> struct Shared {
    T *handle = nullptr;
    std::shared_mutex lock;
    std::atomic<bool> is_closing{false};

    std::shared_lock<std::shared_mutex> use()
    {
        return is_closing ? std::shared_lock<std::shared_mutex>()
                          : std::shared_lock<std::shared_mutex>(lock);
    }
};

struct EngineBox : Shared<stet_engine> {
    std::atomic<uint64_t> epoch{0};
    bool has_memory_limit = false;
    uint64_t queue_size = 0;
};

struct Pending {
    size_t text;
    bool is_tokens, has_deadline, may_lack_memory;
};

struct QueueBox : Shared<stet_cq> {
    std::mutex pending_lock;
    std::map<uint64_t, Pending> pending; // by tag
};

EngineBox engines[n_engines];
QueueBox queues[n_queues];

// ---- Opening and closing ------------------------------------------------------------------------

void open_engine(EngineBox &box, Rng &rng)
{
    static const char *const drafts[] = {"edit", "tree", "sad", "none"};
    std::string batch = std::to_string(1 + below(rng, 16)), window = below(rng, 2) ? "auto" : "0";
    box.queue_size = 4 + below(rng, 60);
    std::string size = std::to_string(box.queue_size);
    box.has_memory_limit = below(rng, 3) == 0;
    std::vector<stet_option> o = {
        {"max_decoding_length", "24"},         {"max_input_length", "64"},
        {"batch_size", batch.c_str()},         {"queue_size", size.c_str()},
        {"draft", drafts[below(rng, 4)]},      {"draft_window", window.c_str()},
        {"scores", below(rng, 2) ? "1" : "0"}, {"queue_delay_ms", below(rng, 4) ? "0" : "200"}};
    if (box.has_memory_limit) {
        o.push_back({"memory_limit", below(rng, 2) ? "4M" : "6M"});
    }
    Error err;
    stet_status st =
        stet_engine_create(models[below(rng, 2)], o.data(), o.size(), &box.handle, &err);
    check(st == STET_OK, "stet_engine_create", err.message);
    counts.engines++;
    box.epoch++;
}

void reopen_engine(Rng &rng)
{
    EngineBox &box = engines[below(rng, n_engines)];
    if (box.is_closing.exchange(true)) {
        return;
    }
    {
        std::unique_lock<std::shared_mutex> all(box.lock);
        if (below(rng, 2) == 0) {
            stet_status st = stet_engine_drain(box.handle, stet_clock_ns() + 20000000, nullptr);
            check(st == STET_OK || st == STET_E_DEADLINE, "stet_engine_drain");
            check(stet_engine_health(box.handle) == STET_HEALTH_DRAINING, "health when drained");
            counts.drains++;
        }
        stet_engine_destroy(box.handle);
        open_engine(box, rng);
    }
    box.is_closing = false;
}

void reopen_queue(Rng &rng)
{
    QueueBox &box = queues[below(rng, n_queues)];
    if (box.is_closing.exchange(true)) {
        return;
    }
    {
        std::unique_lock<std::shared_mutex> all(box.lock);
        stet_cq_destroy(box.handle);
        counts.dropped += box.pending.size();
        box.pending.clear();
        check(stet_cq_create(&box.handle, nullptr) == STET_OK, "stet_cq_create");
        counts.queues++;
    }
    box.is_closing = false;
}

// ---- Events -------------------------------------------------------------------------------------

bool is_right(const stet_result *r, const Pending &p)
{
    const Text &t = texts[p.text];
    size_t n = 0;
    if (p.is_tokens) {
        const int32_t *ids = stet_result_tokens(r, &n);
        return std::vector<int32_t>(ids, ids + n) == t.want_tokens;
    }
    const char *text = stet_result_text(r, &n);
    return text != nullptr && std::string(text, n) == t.want;
}

void check_event(const stet_event &e, const Pending &p)
{
    counts.events++;
    check((e.status == STET_OK) == (e.result != nullptr), "result of an event", e.message);
    check((e.status == STET_OK) == (e.message[0] == '\0'), "message of an event", e.message);
    switch (e.status) {
    case STET_OK:
        counts.ok++;
        check(is_right(e.result, p), "text of a result", texts[p.text].text.c_str());
        break;
    case STET_E_CANCELLED:
        counts.cancelled++;
        break;
    case STET_E_DEADLINE:
        counts.expired++;
        check(p.has_deadline, "deadline of a request that has none", e.message);
        break;
    case STET_E_SHUTDOWN:
        counts.shut_down++;
        break;
    case STET_E_NOMEM:
    case STET_E_TOO_LONG:
        counts.no_memory++;
        check(p.may_lack_memory, "out of memory without a limit", e.message);
        break;
    default:
        complain("status of an event", e.message);
    }
    stet_result_release(e.result);
}

// The queue is in use, or nobody else is left.
void take_events(QueueBox &box, size_t max, int64_t timeout_us)
{
    std::vector<stet_event> ev(max);
    int64_t n = stet_cq_poll(box.handle, ev.data(), sizeof ev[0], max, timeout_us);
    check(n >= 0, "stet_cq_poll");
    for (int64_t i = 0; i < n; i++) {
        const stet_event &e = ev[static_cast<size_t>(i)];
        Pending p{};
        {
            std::lock_guard<std::mutex> hold(box.pending_lock);
            auto at = box.pending.find(e.tag);
            if (at == box.pending.end()) {
                complain("an event nobody waits for", e.message);
                stet_result_release(e.result);
                continue;
            }
            p = at->second;
            box.pending.erase(at);
        }
        check_event(e, p);
    }
}

void poll_some(Rng &rng)
{
    QueueBox &box = queues[below(rng, n_queues)];
    auto hold = box.use();
    if (!hold) {
        return;
    }
    if (below(rng, 2) == 0) {
        pollfd fd = {stet_cq_fd(box.handle), POLLIN, 0};
        poll(&fd, 1, 5);
        take_events(box, 1 + below(rng, 20), 0);
    } else {
        take_events(box, 1 + below(rng, 20), below(rng, 3000));
    }
}

// ---- Requests -----------------------------------------------------------------------------------

struct Known {
    int engine;
    uint64_t epoch, id;
};

stet_request make_request(Rng &rng, const EngineBox &box, Pending *p)
{
    stet_request r{};
    r.struct_size = sizeof r;
    *p =
        Pending{below(rng, n_texts), below(rng, 5) == 0, below(rng, 10) == 0, box.has_memory_limit};
    const Text &t = texts[p->text];
    r.tag = next_tag++;
    r.priority = static_cast<int32_t>(below(rng, 19)) - 9;
    r.deadline_ns = p->has_deadline ? stet_clock_ns() + 1000 + below(rng, 50000000) : 0;
    if (p->is_tokens) {
        r.flags = STET_REQ_TOKENS;
        r.tokens = t.tokens.data();
        r.n_tokens = t.tokens.size();
    } else {
        r.text = t.text.data();
        r.len = t.text.size();
    }
    return r;
}

void submit_some(Rng &rng, std::vector<Known> *known)
{
    int k = static_cast<int>(below(rng, n_engines));
    EngineBox &box = engines[k];
    QueueBox &queue = queues[below(rng, n_queues)];
    auto hold = box.use();
    auto hold_queue = queue.use();
    if (!hold || !hold_queue) {
        return;
    }
    size_t n = 1 + below(rng, 6), accepted = 99;
    std::vector<stet_request> r(n);
    std::vector<Pending> p(n);
    std::vector<uint64_t> ids(n);
    for (size_t i = 0; i < n; i++) {
        r[i] = make_request(rng, box, &p[i]);
        std::lock_guard<std::mutex> lock(queue.pending_lock);
        queue.pending[r[i].tag] = p[i];
    }
    Error err;
    stet_status st =
        stet_submit(box.handle, queue.handle, r.data(), n, ids.data(), &accepted, &err);
    check(accepted <= n && (st == STET_OK) == (accepted == n), "accepted", err.message);
    check(st == STET_OK || st == STET_E_BUSY || st == STET_E_DEADLINE, "stet_submit", err.message);
    check(st != STET_E_BUSY || err.retry_after_ms >= 1, "retry_after_ms", err.message);
    counts.accepted += accepted;
    counts.refused += n - accepted;
    for (size_t i = 0; i < n; i++) {
        if (i < accepted) {
            known->push_back({k, box.epoch, ids[i]});
        } else {
            std::lock_guard<std::mutex> lock(queue.pending_lock);
            queue.pending.erase(r[i].tag);
        }
    }
}

void cancel_some(Rng &rng, std::vector<Known> *known)
{
    if (known->empty()) {
        return;
    }
    size_t at =
        below(rng, 2) ? known->size() - 1 : below(rng, static_cast<unsigned>(known->size()));
    Known k = (*known)[at];
    auto hold = engines[k.engine].use();
    if (hold && engines[k.engine].epoch == k.epoch) {
        check(stet_cancel(engines[k.engine].handle, k.id) == STET_OK, "stet_cancel");
        check(stet_cancel(engines[k.engine].handle, 0) == STET_E_INVALID, "stet_cancel of no id");
        counts.cancels++;
    }
    if (known->size() > 200) {
        known->clear();
    }
}

void correct_some(Rng &rng)
{
    EngineBox &box = engines[below(rng, n_engines)];
    auto hold = box.use();
    if (!hold) {
        return;
    }
    size_t n = 1 + below(rng, 5);
    std::vector<stet_request> r(n);
    std::vector<Pending> p(n);
    std::vector<stet_result *> results(n);
    std::vector<stet_status> statuses(n, 77);
    for (size_t i = 0; i < n; i++) {
        r[i] = make_request(rng, box, &p[i]);
    }
    Error err;
    stet_correct_batch(box.handle, r.data(), n, results.data(), statuses.data(), &err);
    for (size_t i = 0; i < n; i++) {
        check((statuses[i] == STET_OK) == (results[i] != nullptr), "result of a batch");
        check(statuses[i] == STET_OK || (statuses[i] == STET_E_DEADLINE && p[i].has_deadline) ||
                  ((statuses[i] == STET_E_NOMEM || statuses[i] == STET_E_TOO_LONG) &&
                   box.has_memory_limit),
              "status of a batch", err.message);
        check(results[i] == nullptr || is_right(results[i], p[i]), "text of a batch");
        stet_result_release(results[i]);
    }
    counts.batches++;
}

void look_at_engine(Rng &rng)
{
    EngineBox &box = engines[below(rng, n_engines)];
    auto hold = box.use();
    if (!hold) {
        return;
    }
    stet_stats s{};
    s.struct_size = sizeof s;
    check(stet_engine_stats(box.handle, &s) == STET_OK, "stet_engine_stats");
    check(s.waiting + s.running <= box.queue_size, "requests in an engine");
    check(stet_engine_health(box.handle) == STET_HEALTH_READY, "stet_engine_health");
}

void wake_one(Rng &rng)
{
    QueueBox &box = queues[below(rng, n_queues)];
    auto hold = box.use();
    if (!hold) {
        return;
    }
    stet_cq_wakeup(box.handle);
}

void run_thread(unsigned seed)
{
    Rng rng(seed);
    std::vector<Known> known;
    while (!is_over) {
        unsigned what = below(rng, 1000);
        if (what < 400) {
            submit_some(rng, &known);
        } else if (what < 740) {
            poll_some(rng);
        } else if (what < 840) {
            cancel_some(rng, &known);
        } else if (what < 910) {
            correct_some(rng);
        } else if (what < 960) {
            look_at_engine(rng);
        } else if (what < 998) {
            wake_one(rng);
        } else if (what < 999) {
            reopen_engine(rng);
        } else {
            reopen_queue(rng);
        }
    }
}

// ---- The whole ----------------------------------------------------------------------------------

std::string random_text(Rng &rng)
{
    static const char *const words[] = {"ba",   "ce",     "difo",  "guha", "Jeki",
                                        "lo.",  "munape", "ri!",   "so",   "tu",
                                        "va\n", "wexi",   "yo zu", "12",   "\xff\xfe"};
    std::string s;
    for (unsigned n = below(rng, below(rng, 8) == 0 ? 120 : 16); n > 0; n--) {
        s += std::string(words[below(rng, 15)]) + " ";
    }
    return s;
}

// What an engine gives that does one sentence at a time.
bool make_texts(Rng &rng)
{
    const stet_option o[] = {
        {"max_decoding_length", "24"}, {"max_input_length", "64"}, {"batch_size", "1"}};
    stet_engine *g = nullptr;
    if (stet_engine_create(models[0], o, 3, &g, nullptr) != STET_OK) {
        return false;
    }
    texts.resize(n_texts);
    for (auto &t : texts) {
        stet_request r[2]{};
        stet_result *out[2];
        size_t n = 0;
        t.text = random_text(rng);
        for (unsigned k = below(rng, 40); k > 0; k--) {
            t.tokens.push_back(static_cast<int32_t>(3 + below(rng, 280)));
        }
        r[0].struct_size = r[1].struct_size = sizeof r[0];
        r[0].text = t.text.data();
        r[0].len = t.text.size();
        r[1].flags = STET_REQ_TOKENS;
        r[1].tokens = t.tokens.data();
        r[1].n_tokens = t.tokens.size();
        if (stet_correct_batch(g, r, 2, out, nullptr, nullptr) != STET_OK) {
            return false;
        }
        t.want = std::string(stet_result_text(out[0], &n));
        t.want.assign(stet_result_text(out[0], nullptr), n);
        const int32_t *ids = stet_result_tokens(out[1], &n);
        t.want_tokens.assign(ids, ids + n);
        stet_result_release(out[0]);
        stet_result_release(out[1]);
    }
    stet_engine_destroy(g);
    return true;
}

bool open_all(const Config &c, Rng &rng)
{
    for (int i = 0; i < 2; i++) {
        const stet_option o[] = {{"device", "cpu"}, {"intra_threads", i == 0 ? "1" : "2"}};
        Error err;
        if (stet_model_load(c.model.c_str(), o, 2, &models[i], &err) != STET_OK) {
            std::fprintf(stderr, "%s\n", err.message);
            return false;
        }
    }
    if (!make_texts(rng)) {
        std::fprintf(stderr, "the model does not run\n");
        return false;
    }
    for (auto &box : engines) {
        open_engine(box, rng);
    }
    for (auto &box : queues) {
        check(stet_cq_create(&box.handle, nullptr) == STET_OK, "stet_cq_create");
    }
    return true;
}

// Engines first: what is in flight then ends, and every request must have its event.
void close_all()
{
    for (auto &box : engines) {
        stet_engine_destroy(box.handle);
    }
    for (auto &box : queues) {
        for (int i = 0; i < 1000 && !box.pending.empty(); i++) {
            take_events(box, 100, 0);
        }
        check(box.pending.empty(), "a request without an event");
        stet_event e;
        for (int i = 0; i < 100; i++) { // what is left are wake-ups
            check(stet_cq_poll(box.handle, &e, sizeof e, 1, 0) == 0, "one event too many");
        }
        stet_cq_destroy(box.handle);
    }
    stet_model_release(models[0]);
    stet_model_release(models[1]);
}

void print_counts()
{
    const struct {
        const char *name;
        const std::atomic<uint64_t> &n;
    } rows[] = {{"accepted", counts.accepted},
                {"refused", counts.refused},
                {"events", counts.events},
                {"events dropped", counts.dropped},
                {"done", counts.ok},
                {"cancelled", counts.cancelled},
                {"past deadline", counts.expired},
                {"shut down", counts.shut_down},
                {"no memory", counts.no_memory},
                {"calls of cancel", counts.cancels},
                {"batches", counts.batches},
                {"engines opened", counts.engines},
                {"queues opened", counts.queues},
                {"drains", counts.drains},
                {"WRONG", counts.wrong}};
    for (const auto &row : rows) {
        std::printf("%-16s %10" PRIu64 "\n", row.name, row.n.load());
    }
    std::fflush(stdout);
}

bool read_arguments(int argc, char **argv, Config *c)
{
    for (int i = 1; i < argc; i += 2) {
        std::string key = argv[i];
        if (i + 1 == argc) {
            return false;
        }
        int value = static_cast<int>(std::strtol(argv[i + 1], nullptr, 10));
        if (key == "--seconds") {
            c->seconds = value;
        } else if (key == "--threads") {
            c->threads = value;
        } else if (key == "--seed") {
            c->seed = static_cast<unsigned>(value);
        } else if (key == "--model") {
            c->model = argv[i + 1];
        } else {
            return false;
        }
    }
    return true;
}

} // namespace

int main(int argc, char **argv)
{
    Config c;
    if (!read_arguments(argc, argv, &c)) {
        std::fprintf(stderr, "usage: api_stress [--seconds N] [--threads N] [--seed N] "
                             "[--model FOLDER]\n");
        return 2;
    }
    Rng rng(c.seed);
    if (!open_all(c, rng)) {
        return 2;
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < c.threads; i++) {
        threads.emplace_back(run_thread, static_cast<unsigned>(rng()));
    }
    std::this_thread::sleep_for(std::chrono::seconds(c.seconds));
    is_over = true;
    for (auto &t : threads) {
        t.join();
    }
    close_all();
    check(counts.events + counts.dropped == counts.accepted, "events and accepted requests differ");
    print_counts();
    return counts.wrong == 0 ? 0 : 1;
}
