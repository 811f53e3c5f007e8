// The window that follows cost and load: on devices with made-up cost curves and made-up text the
// choice must be the one with the most emitted tokens per time, or close to it.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

extern "C" {
#include "window.h"
}

namespace
{

using Cost = std::function<double(double rows)>;

// A device and a text: drafts of up to `longest` tokens, each right with chance `right`.
struct World {
    Cost cost;
    double right;
    int longest;

    int matched(std::mt19937 &rng, int n) const
    {
        std::uniform_real_distribution<double> chance;
        int m = 0;
        while (m < n && chance(rng) < right) {
            m++;
        }
        return m;
    }
    // Emitted tokens per time of one sentence among n.
    double rate(int n, int window) const
    {
        int w = std::min(window, longest);
        double worth = (1 - std::pow(right, w + 1)) / (1 - right);
        return n * worth / cost(n * (1.0 + w));
    }
    double best_rate(int n) const
    {
        double best = 0;
        for (int w = 0; w <= longest; w++) {
            best = std::max(best, rate(n, w));
        }
        return best;
    }
};

// Emitted tokens per time over the last half of `passes`, as a share of the best fixed window's.
double share_of_best(const World &world, int n, int passes, int tile, double noise = 0)
{
    steti_window w;
    std::mt19937 rng(3);
    std::uniform_real_distribution<double> jitter(0, 1);
    steti_window_init(&w, 256, tile);
    double time = 0, emitted = 0;
    for (int p = 0; p < passes; p++) {
        int window = steti_window_choose(&w, n), drafted = std::min(window, world.longest);
        EXPECT_TRUE(window >= 0 && window <= 256);
        double rows = n * (1.0 + drafted), ns = world.cost(rows);
        double seen = ns * (jitter(rng) < noise ? 1 + 4 * jitter(rng) : 1);
        steti_window_observe_pass(&w, static_cast<int>(rows), static_cast<uint64_t>(seen));
        for (int i = 0; i < n; i++) {
            steti_window_draft d{window, drafted, drafted, world.matched(rng, drafted)};
            steti_window_observe_draft(&w, &d);
            emitted += p >= passes / 2 ? 1 + d.matched : 0;
        }
        time += p >= passes / 2 ? ns : 0;
    }
    return emitted / time / world.best_rate(n);
}

const Cost flat = [](double) { return 100000.0; };
const Cost linear = [](double rows) { return 20000.0 * rows; };
const Cost roofline = [](double rows) { return 100000.0 * std::max(1.0, rows / 184); };
const Cost steps = [](double rows) { return 30000.0 + 30000.0 * std::ceil(rows / 6); };

TEST(Window, ComesCloseToTheBestFixedWindow)
{
    for (const Cost &cost : {flat, linear, roofline, steps}) {
        for (double right : {0.3, 0.8, 0.95, 0.99}) {
            for (int n : {1, 4, 32, 128}) {
                for (int tile : {1, 6, 184}) {
                    World world{cost, right, 40};
                    double share = share_of_best(world, n, 3000, tile);
                    EXPECT_TRUE(share >= 0.85) << "right " << right << " sentences " << n
                                               << " tile " << tile << ": share " << share;
                }
            }
        }
    }
}

TEST(Window, OutliersDoNotMislead)
{
    for (const Cost &cost : {flat, linear, roofline, steps}) {
        World world{cost, 0.95, 40};
        double share = share_of_best(world, 8, 3000, 6, 0.1);
        EXPECT_TRUE(share >= 0.8) << share;
    }
}

TEST(Window, NoLimitWhereRowsAreFreeAndLessUnderLoad)
{
    steti_window alone, busy;
    steti_window_init(&alone, 200, 184);
    steti_window_init(&busy, 200, 184);
    for (int rows = 1; rows < 3000; rows += 1 + rows / 8) {
        steti_window_observe_pass(&alone, rows, static_cast<uint64_t>(roofline(rows)));
        steti_window_observe_pass(&busy, rows, static_cast<uint64_t>(roofline(rows)));
    }
    EXPECT_GE(steti_window_choose(&alone, 1), 63);
    int loaded = steti_window_choose(&busy, 64);
    EXPECT_LT(loaded, 16);
    EXPECT_GE(loaded, 1);
}

TEST(Window, StaysInsideItsLimitsWhateverItSees)
{
    for (int longest : {0, 1, 5, 300}) {
        steti_window w;
        std::mt19937 rng(9);
        steti_window_init(&w, longest, 0);
        for (int i = 0; i < 4000; i++) {
            int n = static_cast<int>(rng() % 40), window = steti_window_choose(&w, n);
            ASSERT_TRUE(window >= 0 && window <= longest);
            int best = window > 0 ? static_cast<int>(rng() % static_cast<unsigned>(window + 1)) : 0;
            int matched = best > 0 ? static_cast<int>(rng() % static_cast<unsigned>(best + 1)) : 0;
            steti_window_draft d{window, best, best * 3, matched};
            steti_window_observe_draft(&w, &d);
            steti_window_observe_pass(&w, static_cast<int>(rng() % 100000), rng() % 5 ? rng() : 0);
        }
    }
}

} // namespace
