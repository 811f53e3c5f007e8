// client_cxx MODEL SENTENCES - stet in a C++17 program: handles that release themselves, four
// threads that hand in arrays of requests, and one that takes the events.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "stet.h"

namespace
{

constexpr size_t N_CALLS = 1000, N_PRODUCERS = 4, CHUNK = 8, CANCEL_LAG = 4;

// ---- What to copy: the handles --------------------------------------------------------------

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

struct Error : stet_error {
    Error() : stet_error{sizeof(stet_error), STET_OK, 0, 0, {}}
    {
    }
};

void check(bool good, const std::string &what)
{
    if (!good) {
        throw std::runtime_error("does not hold: " + what);
    }
}

void check_ok(stet_status status, const stet_error &err)
{
    if (status != STET_OK) {
        throw std::runtime_error(std::string(stet_status_name(status)) + ": " + err.message);
    }
}

std::string text_of(const Result &result)
{
    size_t len = 0;
    const char *text = stet_result_text(result.get(), &len);
    return {text, len};
}

// Calls one of the functions that make a handle.
template <class Handle, class Function, class... Args> Handle make(Function create, Args... args)
{
    Error err;
    typename Handle::pointer raw = nullptr;
    check_ok(create(args..., &raw, &err), err);
    return Handle(raw);
}

Engine open_engine(const char *folder)
{
    static const stet_option model_options[] = {{"device", "cpu"}, {"intra_threads", "1"}};
    static const stet_option engine_options[] = {{"queue_size", "64"},
                                                 {"max_decoding_length", "48"}};
    Model model = make<Model>(stet_model_load, folder, model_options, 2);
    // The engine keeps a reference of its own to the model.
    return make<Engine>(stet_engine_create, model.get(), engine_options, 2);
}

// ---- The calls ------------------------------------------------------------------------------

struct Call {
    const std::string *text = nullptr;
    uint64_t tag = 0, id = 0, deadline_ns = 0;
    bool accepted = false, cancelled = false;
};

struct Outcome {
    int events = 0;
    uint64_t id = 0;
    stet_status status = STET_OK;
    Result result;
    std::string message;
};

stet_request request_of(const Call &call)
{
    stet_request r{};
    r.struct_size = sizeof r;
    r.text = call.text->data();
    r.len = call.text->size();
    r.tag = call.tag;
    r.deadline_ns = call.deadline_ns;
    return r;
}

// ---- The thread that takes the events -------------------------------------------------------

class Consumer
{
  public:
    Consumer(stet_cq *queue, size_t n_calls) : queue_(queue), outcomes_(n_calls)
    {
        done_ = std::async(std::launch::async, [this] { run(); });
    }
    ~Consumer()
    {
        stop();
    }
    void stop()
    {
        stop_ = true;
        stet_cq_wakeup(queue_);
    }
    // The producers sleep here when the engine is busy.
    void wait_for_completion(uint32_t at_most_ms)
    {
        busy++;
        std::unique_lock<std::mutex> lock(mutex_);
        completion_.wait_for(lock, std::chrono::milliseconds(at_most_ms + 1));
    }
    // After draining: nothing more is put into the queue.
    std::vector<Outcome> finish()
    {
        stop();
        done_.get();
        return std::move(outcomes_);
    }
    std::atomic<size_t> busy{0};

  private:
    void run()
    {
        stet_event events[8];
        for (;;) {
            // Read before the queue is, which is complete when it says yes: no event is missed.
            bool stopping = stop_;
            int64_t n = stet_cq_poll(queue_, events, sizeof events[0], 8, stopping ? 0 : -1);
            check(n >= 0, "stet_cq_poll succeeds");
            if (n == 0 && stopping) {
                return;
            }
            for (int64_t i = 0; i < n; i++) {
                take(events[i]);
            }
            completion_.notify_all();
        }
    }
    void take(const stet_event &event)
    {
        Result result(event.result);
        check(event.tag < outcomes_.size(), "the tag is one of ours");
        Outcome &o = outcomes_[event.tag];
        o = {o.events + 1, event.id, event.status, std::move(result), event.message};
    }

    stet_cq *queue_;
    std::vector<Outcome> outcomes_; // the thread's own until finish()
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::condition_variable completion_;
    std::future<void> done_; // the last member: its destructor waits for the thread
};

// ---- The threads that hand in ---------------------------------------------------------------

struct Producer {
    stet_engine *engine;
    stet_cq *queue;
    Consumer &consumer;
    std::vector<Call> calls;
    size_t next = 0, next_cancel = 0;

    std::vector<Call> run()
    {
        while (next < calls.size()) {
            submit_chunk();
            cancel_some();
        }
        return std::move(calls);
    }
    void submit_chunk()
    {
        Error err;
        std::vector<stet_request> requests;
        uint64_t ids[CHUNK];
        size_t accepted = 0;
        for (size_t i = next; i < calls.size() && requests.size() < CHUNK; i++) {
            if (calls[i].tag % 10 == 8 && calls[i].deadline_ns == 0) {
                calls[i].deadline_ns = stet_clock_ns() + 300000;
            }
            requests.push_back(request_of(calls[i]));
        }
        stet_status status =
            stet_submit(engine, queue, requests.data(), requests.size(), ids, &accepted, &err);
        check((status == STET_OK) == (accepted == requests.size()), "accepted fits the status");
        for (size_t i = 0; i < accepted; i++) {
            calls[next].accepted = true;
            calls[next++].id = ids[i];
        }
        if (status == STET_E_BUSY) {
            consumer.wait_for_completion(err.retry_after_ms);
        } else if (status == STET_E_DEADLINE && calls[next].deadline_ns != 0) {
            next++; // refused for good
        } else {
            check_ok(status, err);
        }
    }
    void cancel_some()
    {
        for (; next_cancel + CANCEL_LAG <= next; next_cancel++) {
            Call &call = calls[next_cancel];
            if (call.tag % 7 == 6 && call.accepted) {
                call.cancelled = true;
                check(stet_cancel(engine, call.id) == STET_OK, "cancelling is always legal");
            }
        }
    }
};

std::vector<Call> share_of(size_t producer, const std::vector<std::string> &lines)
{
    std::vector<Call> calls;
    for (size_t tag = producer; tag < N_CALLS; tag += N_PRODUCERS) {
        calls.emplace_back();
        calls.back().text = &lines[tag % lines.size()];
        calls.back().tag = tag;
        calls.back().deadline_ns = tag % 10 == 3 ? 1 : 0; // past; 0 = none
    }
    return calls;
}

// ---- The checks -----------------------------------------------------------------------------

struct Counts {
    size_t done = 0, cancelled = 0, deadline = 0, busy = 0;
};

// The edits, applied to the source, give the text.
std::string apply_edits(const std::string &source, const Result &result)
{
    stet_edit edits[64];
    int64_t n = stet_result_edits(result.get(), STET_UNIT_BYTE, edits, sizeof edits[0], 0, 64);
    check(n >= 0 && n <= 64, "a sensible number of edits");
    std::string out;
    size_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        const stet_edit &e = edits[i];
        out.append(source, at, e.src_off - at).append(e.text, e.text_len);
        at = e.src_off + e.src_len;
    }
    return out.append(source, at, std::string::npos);
}

void check_outcome(const Call &call, const Outcome &outcome,
                   const std::vector<std::string> &expected, Counts &counts)
{
    check(outcome.events == (call.accepted ? 1 : 0), "one event for each accepted request");
    if (!call.accepted) {
        counts.deadline++;
        return;
    }
    check(outcome.id == call.id, "tag and id belong together");
    check((outcome.status == STET_OK) == (outcome.result != nullptr), "a result with success");
    if (outcome.status == STET_OK) {
        std::string text = text_of(outcome.result);
        check(call.deadline_ns != 1, "what is too late is not done");
        check(text == expected[call.tag % expected.size()], "same as the blocking call");
        check(text == apply_edits(*call.text, outcome.result), "the edits give the text");
        counts.done++;
    } else if (outcome.status == STET_E_CANCELLED) {
        check(call.cancelled, "only what was cancelled");
        counts.cancelled++;
    } else if (outcome.status == STET_E_DEADLINE) {
        check(call.deadline_ns != 0, "only what has a deadline");
        counts.deadline++;
    } else {
        throw std::runtime_error(stet_status_name(outcome.status) + (": " + outcome.message));
    }
}

std::vector<std::string> correct_blocking(stet_engine *engine,
                                          const std::vector<std::string> &lines)
{
    Error err;
    std::vector<stet_request> requests;
    std::vector<stet_result *> results(lines.size());
    std::vector<std::string> texts;
    for (const std::string &line : lines) {
        Call call;
        call.text = &line;
        requests.push_back(request_of(call));
    }
    check_ok(
        stet_correct_batch(engine, requests.data(), requests.size(), results.data(), nullptr, &err),
        err);
    size_t changed = 0;
    for (size_t i = 0; i < lines.size(); i++) {
        texts.push_back(text_of(Result(results[i])));
        changed += texts[i] != lines[i];
    }
    check(changed >= 5, "the model changes enough for a comparison");
    return texts;
}

std::vector<Call> produce(stet_engine *engine, stet_cq *queue, Consumer &consumer,
                          const std::vector<std::string> &lines)
{
    std::vector<std::future<std::vector<Call>>> futures;
    std::vector<Call> calls;
    for (size_t p = 0; p < N_PRODUCERS; p++) {
        futures.push_back(std::async(std::launch::async, [&, p] {
            return Producer{engine, queue, consumer, share_of(p, lines)}.run();
        }));
    }
    for (auto &future : futures) {
        std::vector<Call> part = future.get();
        calls.insert(calls.end(), part.begin(), part.end());
    }
    return calls;
}

std::vector<std::string> read_lines(const char *path)
{
    std::ifstream in(path, std::ios::binary);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    check(!lines.empty(), std::string(path) + " has sentences");
    return lines;
}

Counts run(const char *folder, const char *path)
{
    const std::vector<std::string> lines = read_lines(path);
    std::vector<std::string> expected;
    std::vector<Call> calls;
    std::vector<Outcome> outcomes;
    Counts counts;
    {
        Queue queue = make<Queue>(stet_cq_create); // before the engine, and so destroyed after it
        Engine engine = open_engine(folder);
        check(stet_engine_health(engine.get()) == STET_HEALTH_READY, "a new engine is ready");
        expected = correct_blocking(engine.get(), lines);
        Consumer consumer(queue.get(), N_CALLS);
        calls = produce(engine.get(), queue.get(), consumer, lines);
        Error err;
        check_ok(stet_engine_drain(engine.get(), 0, &err), err);
        check(stet_engine_health(engine.get()) == STET_HEALTH_DRAINING, "the engine is draining");
        outcomes = consumer.finish();
        counts.busy = consumer.busy;
    }
    // The results outlive the engine.
    for (const Call &call : calls) {
        check_outcome(call, outcomes[call.tag], expected, counts);
    }
    check(counts.done + counts.cancelled + counts.deadline == N_CALLS, "one outcome for each");
    check(counts.done > 0 && counts.cancelled > 0 && counts.deadline > 0 && counts.busy > 0,
          "all cases came up");
    return counts;
}

void watch()
{
    std::this_thread::sleep_for(std::chrono::seconds(120));
    std::fputs("client_cxx: not ready after 120 s\n", stderr);
    std::_Exit(1);
}

} // namespace

int main(int argc, char **argv)
{
    std::thread(watch).detach();
    try {
        check(argc == 3, "two arguments: MODEL SENTENCES");
        Counts c = run(argv[1], argv[2]);
        std::printf("ok: %zu done, %zu cancelled, %zu deadline, %zu busy\n", c.done, c.cancelled,
                    c.deadline, c.busy);
        return 0;
    } catch (const std::exception &e) {
        std::fprintf(stderr, "client_cxx: %s\n", e.what());
        return 1;
    }
}
