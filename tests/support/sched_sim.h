// sched_sim.h - the scheduler in simulated time: a device that only takes time, requests that only
// have lengths, and a referee who sees every call that the scheduler makes. The first rule that is
// broken is kept in `broken`, with what happened in `complaint`; nothing is checked after it.
//
// Mutants put a mistake between scheduler and referee, to show that the referee sees it.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include "scheduler.h"
}

namespace stet_test
{

enum class Mutant {
    NONE,
    BEGINS_IN_SLOT_0,     // whatever slot is free
    ENCODES_TWICE,        // the first slot of every call once more
    SKIPS_AN_ENCODE,      // and passes the sentence nevertheless
    SPLITS_ENCODES,       // two calls for one
    ENCODES_TOO_MUCH,     // it does not see the time that the encoder takes
    LEAVES_A_SLOT_OUT,    // of a pass
    PASSES_A_SLOT_TWICE,  // in one pass
    PASSES_A_DONE_SLOT,   // instead of finishing it
    KEEPS_A_DROPPED_SLOT, // and so completes a request too early
    COMPLETES_TWICE,
    COMPLETES_NOTHING,
    TOUCHES_A_DEAD_REQUEST, // begins a sentence for one that is completed
    LOSES_A_CANCEL,
    LOSES_A_DEADLINE,
    STRETCHES_A_DEADLINE, // by less than a pass takes
    LOSES_A_PRIORITY,
    ADDS_LATE, // beside others: lets a request wait eight steps
    SLEEPS,    // does nothing in the first step that has something to do
    KEEPS_ADMISSION,
};

struct SimDevice {
    double begin_ns = 2e3;
    double encode_call_ns = 300e3, encode_row_ns = 3e3; // rows beyond the tile cost something
    double pass_call_ns = 1e6, pass_row_ns = 40e3;
    int encode_tile = 64, pass_tile = 8;
    double slow_chance = 0, slow_times = 1; // passes and encoder calls that take longer

    double encode_ns(int rows) const
    {
        return encode_call_ns + encode_row_ns * (rows > encode_tile ? rows - encode_tile : 0);
    }
    double pass_ns(int rows) const
    {
        return pass_call_ns + pass_row_ns * (rows > pass_tile ? rows - pass_tile : 0);
    }
};

// splitmix64: the same numbers on every machine.
struct SimRandom {
    uint64_t state;
    uint64_t next()
    {
        uint64_t z = (state += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    double real()
    {
        return static_cast<double>(next() >> 11) * 0x1p-53;
    }
    bool chance(double p)
    {
        return real() < p;
    }
    int range(int first, int last)
    {
        return first + static_cast<int>(next() % static_cast<uint64_t>(last - first + 1));
    }
};

struct SimSentence {
    int tokens = 10, passes = 5; // 0 passes: done when encoded
    stet_status begin = STET_OK, finish = STET_OK;
};

struct SimRequest {
    uint64_t arrival = 0, deadline = 0;
    int priority = 0;
    bool says_more = false; // claims another sentence when there is none
    std::vector<SimSentence> sentences;

    // the referee's view of it
    bool live = false, ready = false, has_begun = false;
    int next = 0, finished = 0, in_slots = 0;
    int64_t key = 0;
    uint64_t turn = 0, done_at = 0;
    stet_status status = STET_OK, failure = STET_OK;
};

struct SimOptions {
    int max_requests = 64, n_slots = 8, encode_rows = 1024, encode_worth = 64, max_tokens = 0;
    SimDevice device;
    uint64_t seed = 1; // of the device's slow moments
    Mutant mutant = Mutant::NONE;
};

class SchedSim
{
  public:
    explicit SchedSim(const SimOptions &options)
        : o(options), requests(static_cast<size_t>(o.max_requests)),
          slots_(static_cast<size_t>(o.n_slots)), random_{o.seed}
    {
        steti_sched_options so{};
        so.max_requests = o.max_requests;
        so.n_slots = o.n_slots;
        so.encode_rows = o.encode_rows;
        so.encode_worth = o.encode_worth;
        so.max_tokens = o.max_tokens;
        so.clock = &clock_;
        so.ops = &ops();
        so.ctx = this;
        for (int i = o.max_requests - 1; i >= 0; i--) {
            free_ids_.push_back(i);
        }
        if (steti_sched_open(&so, &sched, nullptr) != STET_OK) {
            complain("open", "cannot open the scheduler");
        }
    }
    ~SchedSim()
    {
        steti_sched_close(sched);
    }
    SchedSim(const SchedSim &) = delete;
    SchedSim &operator=(const SchedSim &) = delete;

    bool is_full() const
    {
        return free_ids_.empty();
    }
    bool is_idle() const
    {
        return n_live_ == 0;
    }
    bool ok() const
    {
        return broken.empty();
    }
    int n_busy() const
    {
        return n_busy_;
    }
    int n_ready() const
    {
        return n_ready_;
    }
    int n_passes() const
    {
        return n_passes_;
    }

    // A number for the request, which arrived at r.arrival.
    int add(SimRequest r)
    {
        if (is_full()) {
            complain("numbers", "more than %d requests", o.max_requests);
            return 0;
        }
        int id = free_ids_.back();
        free_ids_.pop_back();
        SimRequest &q = requests[static_cast<size_t>(id)];
        q = std::move(r);
        q.live = q.ready = true;
        q.key = key_of(q);
        q.turn = turns_++;
        n_live_++;
        n_ready_++;
        newcomers_.insert({q.key, q.turn});
        if (q.deadline != 0) {
            deadlines_.insert({q.deadline, id});
        }
        if (o.mutant == Mutant::ADDS_LATE && n_busy_ > 0) {
            late_.push_back({n_steps_ + 8, id});
        } else {
            tell(id);
        }
        return id;
    }

    // Legal for a request that is completed, as long as its number is not used again.
    void end(int id, stet_status st)
    {
        const SimRequest &q = requests[static_cast<size_t>(id)];
        bool was_live = q.live;
        if (o.mutant != Mutant::LOSES_A_CANCEL) {
            steti_sched_end(sched, id, st);
        }
        check(!q.live, "cancel", "request %d goes on after it was ended", id);
        check(!was_live || q.status == st, "cancel", "request %d ended with %d instead of %d", id,
              q.status, st);
    }

    void end_all(stet_status st)
    {
        steti_sched_end_all(sched, st);
        check(is_idle() && n_busy_ == 0, "end all", "%d requests are left", n_live_);
    }

    // One step, and what must be true after each.
    void step()
    {
        uint64_t start = start_ = now;
        bool was_idle = n_busy_ == 0, could = could_encode();
        n_begun_ = n_encoded_ = n_completed_ = 0;
        tell_late();
        int passes = n_passes_;
        bool sleeps = o.mutant == Mutant::SLEEPS && n_live_ > 0 && n_steps_ == 0;
        int more = sleeps ? 1 : steti_sched_step(sched);
        n_steps_++;
        check(more == (n_live_ > 0), "return", "step says %d with %d requests", more, n_live_);
        check(!was_idle || n_ready_ == 0 || n_begun_ > 0, "idle start",
              "an idle engine does not begin one of %d requests", n_ready_);
        check(n_live_ == 0 || n_begun_ + n_completed_ + n_passes_ - passes > 0, "progress",
              "nothing happens with %d requests", n_live_);
        check(deadlines_.empty() || deadlines_.begin()->first > start, "deadline",
              "request %d runs on after a step that began %llu ns after its deadline",
              deadlines_.empty() ? -1 : deadlines_.begin()->second,
              deadlines_.empty() ? 0ull : ull(start - deadlines_.begin()->first));
        check(steti_sched_waiting(sched) == static_cast<int>(newcomers_.size()) ||
                  o.mutant == Mutant::ADDS_LATE,
              "counts", "%d requests wait, says the scheduler, but it is %d",
              steti_sched_waiting(sched), static_cast<int>(newcomers_.size()));
        held_ = could && could_encode() && n_encoded_ == 0 ? held_ + 1 : 0;
        check(held_ <= 4, "patience", "%d passes beside a free slot and a waiting sentence", held_);
    }

    // After everything.
    void check_empty()
    {
        check(n_busy_ == 0, "end", "%d slots are in use at the end", n_busy_);
        check(n_live_ == 0, "end", "%d requests are not completed at the end", n_live_);
        check(steti_sched_waiting(sched) == 0 && steti_sched_running(sched) == 0, "end",
              "the scheduler still counts requests");
    }

    __attribute__((format(printf, 3, 4))) void complain(const char *rule, const char *format, ...)
    {
        if (!broken.empty()) {
            return;
        }
        char text[256];
        va_list args;
        va_start(args, format);
        std::vsnprintf(text, sizeof text, format, args);
        va_end(args);
        broken = rule;
        complaint = std::string(rule) + ": " + text + ", at " + std::to_string(now) + " ns, step " +
                    std::to_string(n_steps_);
    }

    const SimOptions o;
    uint64_t now = 0;
    struct steti_sched *sched = nullptr;
    std::vector<SimRequest> requests;
    std::string broken, complaint;
    uint64_t slowest_step_part = 0; // longest encoder call or pass
    // What tests want to see; may be empty.
    std::function<void(int id, int sentence)> on_begin;
    std::function<void(int rows)> on_encode;
    std::function<void(const int *slots, int n)> on_pass;
    std::function<void(int id, int tokens)> on_finish;
    std::function<void(int id)> on_complete;
    int request_in(int slot) const
    {
        return slots_[static_cast<size_t>(slot)].request;
    }

  private:
    enum class State { FREE, BEGUN, ENCODED };
    struct Slot {
        State state = State::FREE;
        int request = -1, tokens = 0, left = 0, last_pass = -1;
        stet_status finish = STET_OK;
    };

    // As far as a key goes, the time of arrival less what the priority is worth.
    static int64_t key_of(const SimRequest &q)
    {
        __extension__ typedef __int128 wide;
        wide most = INT64_MAX, key = static_cast<wide>(q.arrival);
        key = (key < most ? key : most) - static_cast<wide>(q.priority) * 100000000;
        return static_cast<int64_t>(key < most ? key : most);
    }

    static unsigned long long ull(uint64_t x)
    {
        return x;
    }

    template <class... Args>
    void check(bool holds, const char *rule, const char *format, Args... args)
    {
        if (!holds) {
            complain_args(rule, format, args...);
        }
    }
    template <class... Args> void complain_args(const char *rule, const char *format, Args... args)
    {
        char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
        std::snprintf(text, sizeof text, format, args...);
#pragma GCC diagnostic pop
        complain(rule, "%s", text);
    }

    void tell(int id)
    {
        const SimRequest &q = requests[static_cast<size_t>(id)];
        steti_sched_request r{q.arrival, q.deadline, q.priority};
        if (o.mutant == Mutant::LOSES_A_DEADLINE) {
            r.deadline_ns = 0;
        } else if (o.mutant == Mutant::STRETCHES_A_DEADLINE && r.deadline_ns != 0) {
            r.deadline_ns += 900000;
        } else if (o.mutant == Mutant::LOSES_A_PRIORITY) {
            r.priority = 0;
        }
        steti_sched_add(sched, id, &r);
    }

    void tell_late()
    {
        while (!late_.empty() && late_.front().first <= n_steps_) {
            if (requests[static_cast<size_t>(late_.front().second)].live) {
                tell(late_.front().second);
            }
            late_.erase(late_.begin());
        }
    }

    bool could_encode() const
    {
        return n_gathered_ > 0 || (n_busy_ < o.n_slots && n_ready_ > 0);
    }

    Slot &slot(int i)
    {
        return slots_[static_cast<size_t>(i)];
    }

    bool is_slot(int i, const char *rule)
    {
        check(i >= 0 && i < o.n_slots, rule, "there is no slot %d", i);
        return i >= 0 && i < o.n_slots;
    }

    void not_ready(SimRequest &q)
    {
        n_ready_ -= q.ready;
        q.ready = false;
    }

    // Of those that had no turn yet, nobody whose key is smaller may wait. Against others a request
    // that had a turn may be ahead by no more than what priorities are worth.
    void check_turn(int id, SimRequest &q)
    {
        std::pair<int64_t, uint64_t> self{q.key, q.turn};
        if (q.has_begun && self.first > INT64_MIN + INT64_C(1800000000)) {
            self = {q.key - INT64_C(1800000000), 0};
        }
        if (!newcomers_.empty() && *newcomers_.begin() < self) {
            complain("order", "request %d overtakes one that came %lld ns before it", id,
                     static_cast<long long>(q.key - newcomers_.begin()->first));
        }
        if (!q.has_begun) {
            newcomers_.erase(self);
            q.has_begun = true;
        }
    }

    int begin(int id, int at, int *more)
    {
        SimRequest &q = requests[static_cast<size_t>(id)];
        check(q.live, "dead request", "a sentence of request %d begins, which is completed", id);
        if (o.mutant == Mutant::BEGINS_IN_SLOT_0) {
            at = 0;
        }
        if (!is_slot(at, "slot")) {
            return STET_E_INVALID;
        }
        check(slot(at).state == State::FREE, "slot", "a sentence begins in slot %d, in use", at);
        check(q.ready, "dead request", "request %d begins after it said that nothing is left", id);
        check(q.deadline == 0 || q.deadline > start_, "deadline",
              "a sentence of request %d begins after its deadline", id);
        bool first = !q.has_begun;
        check_turn(id, q);
        now += static_cast<uint64_t>(o.device.begin_ns);
        n_begun_++;
        int n = static_cast<int>(q.sentences.size());
        if (q.next >= n) {
            not_ready(q);
            if (first) { // what has no sentence never had a turn, for the scheduler
                q.has_begun = false;
            }
            return 0;
        }
        const SimSentence &s = q.sentences[static_cast<size_t>(q.next)];
        if (s.begin != STET_OK) {
            q.failure = q.failure != STET_OK ? q.failure : s.begin;
            not_ready(q);
            return s.begin;
        }
        slot(at) = {State::BEGUN, id, s.tokens, s.passes, -1, s.finish};
        n_busy_++;
        n_gathered_++;
        q.in_slots++;
        q.next++;
        *more = q.next < n || q.says_more;
        if (*more == 0) {
            not_ready(q);
        }
        if (on_begin) {
            on_begin(id, q.next - 1);
        }
        return s.tokens;
    }

    uint64_t slow(double ns)
    {
        bool is_slow = o.device.slow_chance > 0 && random_.chance(o.device.slow_chance);
        uint64_t t = static_cast<uint64_t>(ns * (is_slow ? o.device.slow_times : 1));
        slowest_step_part = t > slowest_step_part ? t : slowest_step_part;
        return t;
    }

    void encode(const int *list, int n)
    {
        int rows = 0, longest = 0;
        bool decoding = n_busy_ - n_gathered_ > n_done_;
        for (int i = 0; i < n; i++) {
            if (!is_slot(list[i], "encode")) {
                return;
            }
            Slot &s = slot(list[i]);
            check(s.state == State::BEGUN, "encode", "slot %d is encoded but not just begun",
                  list[i]);
            n_gathered_ -= s.state == State::BEGUN;
            s.state = State::ENCODED;
            n_done_ += s.left == 0;
            rows += s.tokens;
            longest = s.tokens > longest ? s.tokens : longest;
        }
        n_encoded_++;
        if (decoding) {
            check_encoder_share(rows - longest);
        }
        uint64_t ns = slow(o.device.encode_ns(rows));
        now += ns;
        hidden_ += o.mutant == Mutant::ENCODES_TOO_MUCH ? ns - 1 : 0;
        double each = static_cast<double>(ns) / rows;
        least_row_ns_ = least_row_ns_ == 0 || each < least_row_ns_ ? each : least_row_ns_;
        if (on_encode) {
            on_encode(rows);
        }
    }

    // Beside decoding: one call a pass, of about eight passes' time and one sentence. The scheduler
    // goes by means of what it measured, which lie between the extremes.
    void check_encoder_share(int rows)
    {
        double most = o.encode_worth;
        double fair = least_row_ns_ > 0 ? 8 * most_pass_ns_ / least_row_ns_ : o.encode_rows;
        most = fair > most ? fair : most;
        check(n_encoder_calls_++ == 0, "starvation", "two encoder calls between two passes");
        check(rows < most && rows < o.encode_rows, "starvation",
              "the encoder reads %d tokens more than a sentence while others are decoded", rows);
    }

    void pass(const int *list, int n)
    {
        for (int i = 0; i < n; i++) {
            if (!is_slot(list[i], "pass")) {
                return;
            }
            Slot &s = slot(list[i]);
            check(s.state == State::ENCODED, "pass", "slot %d is in a pass, not encoded", list[i]);
            check(s.left > 0, "pass", "slot %d is in a pass but done", list[i]);
            check(s.last_pass != n_passes_, "pass", "slot %d is in a pass twice", list[i]);
            s.last_pass = n_passes_;
            s.left--;
            n_done_ += s.left == 0;
            if (s.request >= 0) {
                check_in_time(s.request);
            }
        }
        check(n == n_busy_ - n_gathered_, "pass", "%d slots of %d are in a pass", n,
              n_busy_ - n_gathered_);
        if (on_pass) {
            on_pass(list, n);
        }
        uint64_t ns = slow(o.device.pass_ns(n));
        now += ns;
        most_pass_ns_ =
            static_cast<double>(ns) > most_pass_ns_ ? static_cast<double>(ns) : most_pass_ns_;
        n_passes_++;
        n_encoder_calls_ = 0;
    }

    void check_in_time(int id)
    {
        const SimRequest &q = requests[static_cast<size_t>(id)];
        check(q.live, "dead request", "a completed request %d is in a pass", id);
        check(q.deadline == 0 || q.deadline > now, "deadline",
              "request %d is in a pass after its deadline", id);
    }

    bool is_done(int at) const
    {
        const Slot &s = slots_[static_cast<size_t>(at)];
        return s.state == State::ENCODED && s.left == 0;
    }

    int release(int at, const char *what)
    {
        Slot s = slot(at);
        check(s.state != State::FREE, "slot", "slot %d is %s, but free", at, what);
        n_done_ -= is_done(at);
        n_gathered_ -= s.state == State::BEGUN;
        n_busy_ -= s.state != State::FREE;
        slot(at) = Slot();
        if (s.request >= 0) {
            requests[static_cast<size_t>(s.request)].in_slots--;
        }
        return s.request;
    }

    stet_status finish(int at)
    {
        check(is_done(at), "slot", "slot %d is finished, but not done", at);
        Slot s = slot(at);
        int id = release(at, "finished");
        if (id >= 0) {
            SimRequest &q = requests[static_cast<size_t>(id)];
            check(q.live, "dead request", "a sentence of request %d is finished after its end", id);
            q.finished++;
            q.failure = q.failure != STET_OK ? q.failure : s.finish;
            if (on_finish) {
                on_finish(id, s.tokens);
            }
        }
        return s.finish;
    }

    void complete(int id, stet_status st)
    {
        SimRequest &q = requests[static_cast<size_t>(id)];
        check(q.live, "completion", "request %d is completed twice", id);
        check(q.in_slots == 0, "completion", "request %d is completed with %d sentences in slots",
              id, q.in_slots);
        check(st != STET_OK || q.finished == static_cast<int>(q.sentences.size()), "completion",
              "request %d is completed after %d of %d sentences", id, q.finished,
              static_cast<int>(q.sentences.size()));
        check(q.failure == STET_OK || st == q.failure, "completion",
              "request %d failed with %d and is completed with %d", id, q.failure, st);
        if (!q.live) {
            return;
        }
        n_live_--;
        n_completed_++;
        not_ready(q);
        newcomers_.erase({q.key, q.turn});
        deadlines_.erase({q.deadline, id});
        q.live = false;
        q.status = st;
        q.done_at = now;
        free_ids_.push_front(id); // used again after all others: late calls must not go unseen
        if (on_complete) {
            on_complete(id);
        }
    }

    static SchedSim &self(void *ctx)
    {
        return *static_cast<SchedSim *>(ctx);
    }

    static uint64_t now_op(void *ctx)
    {
        return self(ctx).now - self(ctx).hidden_;
    }
    static int begin_op(void *ctx, int request, int at, int *more)
    {
        SchedSim &s = self(ctx);
        int tokens = s.begin(request, at, more);
        if (s.o.mutant == Mutant::TOUCHES_A_DEAD_REQUEST && tokens > 0 && s.last_dead_ >= 0) {
            int none = 0;
            s.begin(s.last_dead_, at, &none);
        }
        return tokens;
    }
    static void encode_op(void *ctx, const int *list, int n)
    {
        SchedSim &s = self(ctx);
        Mutant m = s.o.mutant;
        int half = m == Mutant::SPLITS_ENCODES ? n / 2 : m == Mutant::ENCODES_TWICE ? 1 : 0;
        if (half > 0) {
            s.encode(list, half);
        }
        int from = m == Mutant::SPLITS_ENCODES ? half : m == Mutant::SKIPS_AN_ENCODE ? 1 : 0;
        if (from < n) {
            s.encode(list + from, n - from);
        }
    }
    static void pass_op(void *ctx, const int *list, int n)
    {
        SchedSim &s = self(ctx);
        std::vector<int> all(list, list + n);
        if (s.o.mutant == Mutant::LEAVES_A_SLOT_OUT && n > 1) {
            all.pop_back();
        } else if (s.o.mutant == Mutant::PASSES_A_SLOT_TWICE && n > 1) {
            all.back() = all.front();
        }
        s.pass(all.data(), static_cast<int>(all.size()));
    }
    static int is_done_op(void *ctx, int at)
    {
        SchedSim &s = self(ctx);
        return s.is_done(at) && !(s.o.mutant == Mutant::PASSES_A_DONE_SLOT && s.n_busy_ > 1);
    }
    static stet_status finish_op(void *ctx, int at)
    {
        return self(ctx).finish(at);
    }
    static void drop_op(void *ctx, int at)
    {
        if (self(ctx).o.mutant != Mutant::KEEPS_A_DROPPED_SLOT) {
            self(ctx).release(at, "dropped");
        }
    }
    static void complete_op(void *ctx, int request, stet_status st)
    {
        SchedSim &s = self(ctx);
        if (s.o.mutant == Mutant::COMPLETES_NOTHING) {
            return;
        }
        s.complete(request, st);
        s.last_dead_ = request;
        if (s.o.mutant == Mutant::COMPLETES_TWICE) {
            s.complete(request, st);
        }
    }

    static const steti_sched_ops &ops()
    {
        static const steti_sched_ops table = {begin_op,   encode_op, pass_op, nullptr,
                                              is_done_op, finish_op, drop_op, complete_op};
        return table;
    }

    std::vector<Slot> slots_;
    std::deque<int> free_ids_;
    std::vector<std::pair<int, int>> late_;            // (step, request)
    std::set<std::pair<int64_t, uint64_t>> newcomers_; // (key, turn): no turn yet
    std::set<std::pair<uint64_t, int>> deadlines_;     // of live requests
    SimRandom random_;
    steti_clock clock_{now_op, this};
    uint64_t turns_ = 0, hidden_ = 0, start_ = 0;
    int n_live_ = 0, n_ready_ = 0, n_busy_ = 0, n_gathered_ = 0, n_done_ = 0;
    int n_steps_ = 0, n_passes_ = 0, n_encoder_calls_ = 0, held_ = 0, last_dead_ = -1;
    int n_begun_ = 0, n_encoded_ = 0, n_completed_ = 0; // in this step
    double least_row_ns_ = 0, most_pass_ns_ = 0;
};

} // namespace stet_test
