// Sharing requests out over devices: the choice itself, and, in simulated time, two and three
// schedulers side by side, each under its referee, with devices that fail.
#include "sched_sim.h"

#include <algorithm>
#include <map>
#include <memory>

#include <gtest/gtest.h>

extern "C" {
#include "device_share.h"
}

using namespace stet_test;

namespace
{

TEST(DeviceShare, FewestTokensAndOfEqualsTheFirst)
{
    steti_share s[3] = {};
    EXPECT_EQ(steti_share_choose(s, 3), 0);
    steti_share_take(&s[0], 3);
    EXPECT_EQ(steti_share_choose(s, 3), 1);
    steti_share_take(&s[1], 2);
    EXPECT_EQ(steti_share_choose(s, 3), 2);
    steti_share_take(&s[2], 2);
    EXPECT_EQ(steti_share_choose(s, 3), 1);
    steti_share_give(&s[0], 1);
    EXPECT_EQ(steti_share_choose(s, 3), 0);
    s[0].is_lost = 1;
    EXPECT_EQ(steti_share_choose(s, 3), 1);
    EXPECT_EQ(steti_share_working(s, 3), 2);
    s[1].is_lost = s[2].is_lost = 1;
    EXPECT_EQ(steti_share_choose(s, 3), -1);
    EXPECT_EQ(steti_share_working(s, 3), 0);
}

TEST(DeviceShare, CountsDoNotWrap)
{
    steti_share s = {};
    steti_share_take(&s, UINT64_MAX - 1);
    steti_share_take(&s, 5);
    EXPECT_EQ(s.tokens, UINT64_MAX);
    steti_share_give(&s, 7);
    EXPECT_EQ(s.tokens, UINT64_MAX - 7);
    s.tokens = 3;
    steti_share_give(&s, 4);
    EXPECT_EQ(s.tokens, 0u);
}

TEST(DeviceShare, SpeedsAddUp)
{
    steti_share s[3] = {{0, 0.1, 0}, {0, 300, 0}, {0, 600, 0}};
    EXPECT_EQ(steti_share_ns_per_token(s, 1), 0.1) << "of one device to the bit";
    EXPECT_NEAR(steti_share_ns_per_token(s + 1, 2), 200, 1e-9);
    s[1].is_lost = 1;
    EXPECT_NEAR(steti_share_ns_per_token(s + 1, 2), 600, 1e-9);
    s[0].is_lost = s[2].is_lost = 1;
    EXPECT_EQ(steti_share_ns_per_token(s, 3), 0.1) << "nobody waits for it";
}

// ---- Simulated ----------------------------------------------------------------------------------

enum class Mistake { none, always_the_first, gives_a_third };

struct Job {
    SimRequest request;
    uint64_t tokens = 0;
    int losses = 0, ends = 0;
    bool had_a_third = false;
    stet_status status = 77;
};

class Cluster
{
  public:
    Cluster(int n, uint64_t seed, Mistake m = Mistake::none)
        : shares(static_cast<size_t>(n)), mistake_(m), random_{seed}, owner_(static_cast<size_t>(n))
    {
        for (int i = 0; i < n; i++) {
            SimOptions o;
            o.seed = seed + static_cast<uint64_t>(i);
            sims.push_back(std::make_unique<SchedSim>(o));
            SchedSim *sim = sims.back().get();
            sim->on_complete = [this, i, sim](int id) {
                end(i, owner_[static_cast<size_t>(i)][id],
                    sim->requests[static_cast<size_t>(id)].status);
            };
        }
    }

    // Requests that come together or, with gap > 0, about so far apart.
    void make_jobs(int n, uint64_t gap)
    {
        uint64_t at = 0;
        for (int k = 0; k < n; k++) {
            Job j;
            at += gap > 0 ? random_.next() % (2 * gap) : 0;
            j.request.arrival = at;
            for (int s = random_.range(1, 3); s > 0; s--) {
                SimSentence sentence;
                sentence.tokens = random_.range(5, 40);
                sentence.passes = random_.range(0, 9);
                j.tokens += static_cast<uint64_t>(sentence.tokens);
                j.request.sentences.push_back(sentence);
            }
            jobs.push_back(j);
        }
    }

    void lose_at(int device, uint64_t when)
    {
        losses_.push_back({when, device});
        std::sort(losses_.begin(), losses_.end());
    }

    void run()
    {
        size_t next = 0;
        for (;;) {
            SchedSim *sim = earliest();
            uint64_t now = sim != nullptr ? sim->now : UINT64_MAX;
            if (!losses_.empty() && losses_.front().first <= now && next > 0) {
                int device = losses_.front().second;
                losses_.erase(losses_.begin());
                lose(device);
            } else if (next < jobs.size() && jobs[next].request.arrival <= now) {
                accept(static_cast<int>(next++));
            } else if (sim != nullptr) {
                sim->step();
            } else {
                return;
            }
        }
    }

    uint64_t end_of_all() const
    {
        uint64_t last = 0;
        for (const auto &s : sims) {
            last = s->now > last ? s->now : last;
        }
        return last;
    }

    // What must be true in the end; "" if it is.
    std::string complaint() const
    {
        for (const auto &s : sims) {
            if (!s->ok()) {
                return s->complaint;
            }
        }
        for (const auto &s : shares) {
            if (s.tokens != 0) {
                return "tokens are left";
            }
        }
        bool is_any_left = steti_share_working(shares.data(), static_cast<int>(shares.size())) > 0;
        for (const Job &j : jobs) {
            bool may_fail = j.losses >= STETI_SHARE_MOST_LOSSES || !is_any_left;
            if (j.ends != 1) {
                return "a request has " + std::to_string(j.ends) + " ends";
            }
            if (j.had_a_third) {
                return "a request was given a third device";
            }
            if (j.status != STET_OK && !may_fail) {
                return "a request failed that a device was left for";
            }
        }
        return "";
    }

    std::vector<std::unique_ptr<SchedSim>> sims;
    std::vector<steti_share> shares;
    std::vector<Job> jobs;

  private:
    SchedSim *earliest()
    {
        SchedSim *best = nullptr;
        for (auto &s : sims) {
            if (!s->is_idle() && (best == nullptr || s->now < best->now)) {
                best = s.get();
            }
        }
        return best;
    }

    int choose()
    {
        int to = steti_share_choose(shares.data(), static_cast<int>(shares.size()));
        return to >= 0 && mistake_ == Mistake::always_the_first && !shares[0].is_lost ? 0 : to;
    }

    void accept(int job)
    {
        int to = choose();
        if (to < 0) {
            jobs[static_cast<size_t>(job)].ends++;
            jobs[static_cast<size_t>(job)].status = STET_E_DEVICE;
            return;
        }
        put(job, to);
    }

    void put(int job, int to)
    {
        Job &j = jobs[static_cast<size_t>(job)];
        SchedSim &sim = *sims[static_cast<size_t>(to)];
        if (sim.is_idle() && sim.now < j.request.arrival) {
            sim.now = j.request.arrival;
        }
        j.had_a_third |= j.losses >= STETI_SHARE_MOST_LOSSES;
        steti_share_take(&shares[static_cast<size_t>(to)], j.tokens);
        owner_[static_cast<size_t>(to)][sim.add(j.request)] = job;
    }

    void end(int device, int job, stet_status st)
    {
        Job &j = jobs[static_cast<size_t>(job)];
        steti_share_give(&shares[static_cast<size_t>(device)], j.tokens);
        bool is_poison = j.losses >= STETI_SHARE_MOST_LOSSES && mistake_ != Mistake::gives_a_third;
        int to = st == STET_E_DEVICE && !is_poison ? choose() : -1;
        if (to >= 0) {
            put(job, to);
        } else {
            j.ends++;
            j.status = st;
        }
    }

    void lose(int device)
    {
        size_t d = static_cast<size_t>(device);
        SchedSim &sim = *sims[d];
        std::set<int> hit;
        for (int slot = 0; slot < sim.o.n_slots; slot++) {
            if (sim.request_in(slot) >= 0) {
                hit.insert(owner_[d][sim.request_in(slot)]);
            }
        }
        for (int job : hit) {
            jobs[static_cast<size_t>(job)].losses++;
        }
        shares[d].is_lost = 1;
        sim.end_all(STET_E_DEVICE);
    }

    Mistake mistake_;
    SimRandom random_;
    std::vector<std::map<int, int>> owner_; // of each device: number -> job
    std::vector<std::pair<uint64_t, int>> losses_;
};

uint64_t time_of_a_burst(int n, Mistake m = Mistake::none)
{
    Cluster c(n, 3, m);
    c.make_jobs(60, 0);
    c.run();
    EXPECT_EQ(c.complaint(), "");
    return c.end_of_all();
}

TEST(DeviceShareSim, DevicesShareTheTime)
{
    uint64_t one = time_of_a_burst(1);
    EXPECT_LT(time_of_a_burst(2), 0.65 * static_cast<double>(one));
    EXPECT_LT(time_of_a_burst(3), 0.5 * static_cast<double>(one));
    EXPECT_GT(time_of_a_burst(2, Mistake::always_the_first), 0.9 * static_cast<double>(one))
        << "and it would be seen if they did not";
}

std::string course(uint64_t seed, Mistake m, size_t *again, size_t *failed)
{
    SimRandom random{seed};
    int n = random.range(2, 3);
    Cluster c(n, seed, m);
    c.make_jobs(random.range(1, 40), random.chance(0.5) ? 0 : 2000000);
    for (int i = 0; i < n; i++) {
        if (random.chance(0.6)) {
            c.lose_at(i, random.next() % 60000000);
        }
    }
    c.run();
    for (const Job &j : c.jobs) {
        *again += j.status == STET_OK && j.losses > 0;
        *failed += j.status != STET_OK;
    }
    return c.complaint();
}

TEST(DeviceShareSim, EverySeedKeepsTheRules)
{
    size_t again = 0, failed = 0;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        ASSERT_EQ(course(seed, Mistake::none, &again, &failed), "") << "seed " << seed;
    }
    EXPECT_GT(again, 300u);
    EXPECT_GT(failed, 150u);
}

TEST(DeviceShareSim, TheRefereeSeesMistakes)
{
    size_t seen = 0, again = 0, failed = 0;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        seen += !course(seed, Mistake::gives_a_third, &again, &failed).empty();
    }
    EXPECT_GT(seen, 0u);
}

} // namespace
