// sched_traffic.h - random requests for the scheduler in simulated time, with admission in front.
// Everything follows from one seed.
#pragma once

#include "sched_sim.h"

#include <cmath>
#include <queue>

extern "C" {
#include "admission.h"
}

namespace stet_test
{

enum class Arrivals { POISSON, BURSTS, GIANT, CLOSED };

struct TrafficOptions {
    SimOptions sim;
    Arrivals arrivals = Arrivals::POISSON;
    int n = 40;            // arrivals
    double load = 1;       // of what the device can do
    int max_sentences = 5; // of a request, 1 ..
    int max_tokens = 40, max_passes = 15;
    uint64_t target_ns = 0; // deadline after the arrival; 0: none
    double deadlines = 0;   // how many have one
    double cancels = 0, failures = 0, lies = 0, empty = 0;
    bool priorities = false;
    bool alike = false;     // a sentence of more tokens takes more passes
    int clients = 4;        // of CLOSED
    uint64_t end_after = 0; // steps until everything is ended; 0: never
    uint64_t most_requests = 1000, most_tokens = 100000, most_delay_ns = 0;
    uint64_t seed = 1;
};

struct TrafficCounts {
    uint64_t arrived = 0, busy = 0, past = 0, accepted = 0, completed = 0;
    uint64_t in_time = 0, late = 0, expired = 0, cancelled = 0, failed = 0, ended = 0;
    uint64_t tokens_in_time = 0, passes = 0, end_ns = 0, duration_ns = 0;
};

// What a device can do when all slots are used all the time: nanoseconds a token of such sentences.
inline double full_ns_per_token(const SimOptions &o, double tokens, double passes)
{
    double slots = o.n_slots;
    double encode = o.device.encode_ns(o.encode_worth) / o.encode_worth;
    return o.device.pass_ns(o.n_slots) * passes / slots / tokens + encode +
           o.device.begin_ns / tokens;
}

class Traffic
{
  public:
    explicit Traffic(const TrafficOptions &options) : o(options), sim(o.sim), random_{o.seed}
    {
        admission_.max_requests = o.most_requests;
        admission_.max_tokens = o.most_tokens;
        admission_.max_delay_ns = o.most_delay_ns;
        owner_.resize(static_cast<size_t>(o.sim.max_requests));
        sim.on_finish = [this](int id, int tokens) {
            steti_admission_give_tokens(&admission_, static_cast<uint64_t>(tokens));
            owner_[static_cast<size_t>(id)].left -= static_cast<uint64_t>(tokens);
        };
        sim.on_complete = [this](int id) { completed(id); };
        double tokens = (1 + o.max_sentences) / 2.0 * (1 + o.max_tokens) / 2.0;
        double each = full_ns_per_token(o.sim, (1 + o.max_tokens) / 2.0, (1 + o.max_passes) / 2.0);
        gap_ns_ = tokens * each / o.load;
    }

    // Whether no rule was broken.
    bool run()
    {
        start();
        while (sim.ok() && (!arrivals_.empty() || !sim.is_idle())) {
            if (sim.is_idle()) {
                sim.now = std::max(sim.now, arrivals_.top());
            }
            arrive();
            cancel();
            sim.step();
            if (++steps_ == o.end_after) {
                sim.end_all(STET_E_SHUTDOWN);
            }
        }
        counts.end_ns = sim.now;
        counts.duration_ns = sim.now - base_;
        counts.passes = static_cast<uint64_t>(sim.n_passes());
        if (sim.ok()) {
            sim.check_empty();
            check_books();
        }
        return sim.ok();
    }

    const TrafficOptions o;
    SchedSim sim;
    TrafficCounts counts;

  private:
    struct Owner {
        uint64_t left = 0, generation = 0; // tokens not given back
    };
    struct Cancel {
        uint64_t at;
        int id;
        uint64_t generation;
        bool operator>(const Cancel &c) const
        {
            return at > c.at;
        }
    };
    template <class T> using Soonest = std::priority_queue<T, std::vector<T>, std::greater<T>>;

    uint64_t wait(double mean)
    {
        return static_cast<uint64_t>(-std::log1p(-random_.real()) * mean);
    }

    void start()
    {
        int n = o.arrivals == Arrivals::CLOSED ? o.clients : 1;
        for (int i = 0; i < n; i++) {
            arrivals_.push(wait(gap_ns_));
        }
        // A clock that has been running for hours, and one that has just begun.
        sim.now = random_.chance(0.5) ? UINT64_C(3600000000000) * 5 : 0;
        base_ = sim.now;
        Soonest<uint64_t> moved;
        for (; !arrivals_.empty(); arrivals_.pop()) {
            moved.push(base_ + arrivals_.top());
        }
        arrivals_ = moved;
    }

    void arrive()
    {
        while (!arrivals_.empty() && arrivals_.top() <= sim.now) {
            uint64_t at = arrivals_.top();
            arrivals_.pop();
            bool again = counts.arrived + arrivals_.size() + 1 < static_cast<uint64_t>(o.n);
            if (o.arrivals == Arrivals::CLOSED) {
                if (!submit(at) && again) {
                    arrivals_.push(sim.now + wait(gap_ns_) + 1);
                }
                continue;
            }
            bool burst = o.arrivals == Arrivals::BURSTS;
            int n = burst ? random_.range(1, 2 * o.sim.n_slots) : 1;
            if (again) {
                arrivals_.push(at + wait(gap_ns_ * (burst ? o.sim.n_slots : 1)));
            }
            for (; n > 0; n--) {
                submit(at);
            }
        }
    }

    SimSentence make_sentence()
    {
        SimSentence s;
        s.tokens = random_.range(1, o.max_tokens);
        s.passes = random_.range(1, o.max_passes);
        if (o.alike) {
            s.passes = (s.tokens * o.max_passes + o.max_tokens - 1) / o.max_tokens;
        }
        if (random_.chance(o.failures)) {
            int kind = random_.range(0, 2);
            s.begin = kind == 0 ? STET_E_INVALID : STET_OK;
            s.finish = kind > 0 ? STET_E_DEVICE : STET_OK;
            s.passes = kind == 1 ? 0 : s.passes; // the encoder failed
        } else if (random_.chance(o.failures)) {
            s.passes = 0;
        }
        return s;
    }

    SimRequest make_request(uint64_t at)
    {
        SimRequest r;
        int n = random_.range(1, o.max_sentences);
        if (o.arrivals == Arrivals::GIANT && counts.arrived % 16 == 1) {
            n = 40 * o.max_sentences;
        }
        n = random_.chance(o.empty) ? 0 : n;
        r.arrival = at;
        r.priority = o.priorities ? random_.range(-9, 9) : 0;
        r.says_more = random_.chance(o.lies);
        for (int i = 0; i < n; i++) {
            r.sentences.push_back(make_sentence());
        }
        if (random_.chance(o.deadlines)) {
            r.deadline = at + 1 + o.target_ns;
        }
        return r;
    }

    // Whether it was taken in.
    bool submit(uint64_t at)
    {
        counts.arrived++;
        SimRequest r = make_request(at);
        steti_admission_need need{0, sim.now, r.deadline, 0};
        stet_error err{};
        err.struct_size = sizeof err;
        for (const SimSentence &s : r.sentences) {
            need.tokens += static_cast<uint64_t>(s.tokens);
        }
        admission_.ns_per_token = steti_sched_ns_per_token(sim.sched);
        stet_status st =
            sim.is_full() ? STET_E_BUSY : steti_admission_take(&admission_, &need, &err);
        counts.busy += st == STET_E_BUSY;
        counts.past += st == STET_E_DEADLINE;
        if (st != STET_OK) {
            if (!sim.is_full() && st == STET_E_BUSY && err.retry_after_ms < 1) {
                sim.complain("hint", "busy without a time to try again");
            }
            return false;
        }
        counts.accepted++;
        int id = sim.add(std::move(r));
        Owner &w = owner_[static_cast<size_t>(id)];
        w.left = need.tokens;
        w.generation++;
        if (random_.chance(o.cancels)) {
            double mean = 3 * gap_ns_ + 5 * o.sim.device.pass_call_ns;
            cancels_.push({sim.now + (random_.chance(0.2) ? 0 : wait(mean)), id, w.generation});
        }
        return true;
    }

    void cancel()
    {
        while (!cancels_.empty() && cancels_.top().at <= sim.now) {
            Cancel c = cancels_.top();
            cancels_.pop();
            if (owner_[static_cast<size_t>(c.id)].generation == c.generation) {
                sim.end(c.id, STET_E_CANCELLED); // completed or not
            }
        }
    }

    void completed(int id)
    {
        const SimRequest &r = sim.requests[static_cast<size_t>(id)];
        Owner &w = owner_[static_cast<size_t>(id)];
        counts.completed++;
        bool in_time = r.done_at <= r.arrival + o.target_ns;
        counts.in_time += r.status == STET_OK && in_time;
        counts.late += r.status == STET_OK && !in_time;
        counts.expired += r.status == STET_E_DEADLINE;
        counts.cancelled += r.status == STET_E_CANCELLED;
        counts.ended += r.status == STET_E_SHUTDOWN;
        counts.failed += r.status == STET_E_INVALID || r.status == STET_E_DEVICE;
        if (r.status == STET_OK && in_time) {
            for (const SimSentence &s : r.sentences) {
                counts.tokens_in_time += static_cast<uint64_t>(s.tokens);
            }
        }
        if (o.sim.mutant != Mutant::KEEPS_ADMISSION) {
            steti_admission_give(&admission_, w.left);
        }
        if (o.arrivals == Arrivals::CLOSED &&
            counts.arrived + arrivals_.size() < static_cast<uint64_t>(o.n)) {
            arrivals_.push(sim.now + wait(gap_ns_));
        }
    }

    void check_books()
    {
        const TrafficCounts &c = counts;
        if (admission_.requests != 0 || admission_.tokens != 0) {
            sim.complain("admission", "%llu requests and %llu tokens are not given back",
                         static_cast<unsigned long long>(admission_.requests),
                         static_cast<unsigned long long>(admission_.tokens));
        }
        if (c.accepted != c.completed || c.arrived != c.accepted + c.busy + c.past ||
            c.completed != c.in_time + c.late + c.expired + c.cancelled + c.failed + c.ended) {
            sim.complain("books", "%llu accepted, %llu completed",
                         static_cast<unsigned long long>(c.accepted),
                         static_cast<unsigned long long>(c.completed));
        }
    }

    SimRandom random_;
    double gap_ns_ = 0; // between arrivals, on average
    uint64_t base_ = 0, steps_ = 0;
    steti_admission admission_{};
    std::vector<Owner> owner_;
    Soonest<uint64_t> arrivals_;
    Soonest<Cancel> cancels_;
};

// Anything that may come: every field of the options follows from the seed.
inline TrafficOptions random_traffic(uint64_t seed)
{
    TrafficOptions t;
    SimRandom r{seed};
    static const int slots[] = {1, 2, 3, 8, 16, 33};
    t.seed = r.next();
    t.sim.seed = r.next();
    t.sim.n_slots = slots[r.range(0, 5)];
    t.sim.max_requests = r.chance(0.2) ? r.range(1, 8) : 64;
    t.sim.encode_rows = r.chance(0.3) ? r.range(1, 300) : 1024;
    t.sim.encode_worth = r.chance(0.5) ? 1 : r.range(1, 128);
    t.sim.device.encode_tile = t.sim.encode_worth;
    t.sim.device.encode_row_ns = r.chance(0.5) ? 3e3 : 100e3;
    t.sim.device.begin_ns = r.chance(0.5) ? 2e3 : 200e3;
    t.sim.device.pass_tile = r.range(1, 16);
    t.sim.device.slow_chance = r.chance(0.3) ? 0.02 : 0;
    t.sim.device.slow_times = r.range(2, 1000);
    t.arrivals = static_cast<Arrivals>(r.range(0, 3));
    t.n = r.range(1, 40);
    t.load = 0.1 + 2 * r.real();
    t.max_sentences = r.chance(0.2) ? 50 : r.range(1, 6);
    t.max_tokens = r.chance(0.3) ? 256 : 30;
    t.max_passes = r.range(1, 30);
    t.target_ns = static_cast<uint64_t>(r.range(0, 200)) * 1000000;
    t.deadlines = r.chance(0.5) ? r.real() : 0;
    t.cancels = r.chance(0.5) ? r.real() : 0;
    t.failures = r.chance(0.4) ? 0.3 * r.real() : 0;
    t.lies = r.chance(0.4) ? 0.5 : 0;
    t.empty = r.chance(0.3) ? 0.3 : 0;
    t.priorities = r.chance(0.5);
    t.clients = r.range(1, 20);
    t.end_after = r.chance(0.2) ? static_cast<uint64_t>(r.range(1, 100)) : 0;
    t.most_requests = r.chance(0.3) ? static_cast<uint64_t>(r.range(1, 20)) : 1000;
    t.most_tokens = r.chance(0.3) ? static_cast<uint64_t>(r.range(1, 2000)) : 100000;
    t.most_delay_ns = r.chance(0.3) ? static_cast<uint64_t>(r.range(1, 100)) * 1000000 : 0;
    return t;
}

} // namespace stet_test
