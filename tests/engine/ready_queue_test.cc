// The queue of requests against a sorted list.
extern "C" {
#include "ready_queue.h"
}

#include <algorithm>
#include <climits>
#include <random>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace
{

using Item = std::tuple<int64_t, uint64_t, int>; // key, turn, request

class Model
{
  public:
    void put(int request, int64_t key)
    {
        insert({key, turns_++, request});
    }
    void move_first(int64_t key)
    {
        int request = std::get<2>(items_.front());
        items_.erase(items_.begin());
        put(request, key);
    }
    void remove(int request)
    {
        items_.erase(std::remove_if(items_.begin(), items_.end(),
                                    [&](const Item &i) { return std::get<2>(i) == request; }),
                     items_.end());
    }
    bool has(int request) const
    {
        return std::any_of(items_.begin(), items_.end(),
                           [&](const Item &i) { return std::get<2>(i) == request; });
    }
    int first() const
    {
        return items_.empty() ? -1 : std::get<2>(items_.front());
    }
    int n() const
    {
        return static_cast<int>(items_.size());
    }

  private:
    void insert(const Item &i)
    {
        items_.insert(std::upper_bound(items_.begin(), items_.end(), i), i);
    }
    std::vector<Item> items_;
    uint64_t turns_ = 0;
};

void expect_same(const ready_queue &q, const Model &m)
{
    ASSERT_EQ(q.n, m.n());
    ASSERT_EQ(ready_queue_first(&q), m.first());
    for (int i = 0; i < q.cap; i++) {
        ASSERT_EQ(q.place[i] >= 0, m.has(i)) << "request " << i;
        ASSERT_TRUE(q.place[i] < 0 || q.heap[q.place[i]].request == i) << "request " << i;
    }
}

// Few different keys, so that ties are common, and now and then the ends of the range.
int64_t some_key(std::mt19937_64 &rng)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, 0, INT64_MIN + 1, INT64_MAX - 1};
    return rng() % 8 == 0 ? ends[rng() % 5] : static_cast<int64_t>(rng() % 7) - 3;
}

TEST(ReadyQueue, IsASortedList)
{
    for (unsigned seed = 1; seed <= 300; seed++) {
        std::mt19937_64 rng(seed);
        int cap = 1 + static_cast<int>(rng() % 40);
        ready_queue q;
        Model m;
        ASSERT_EQ(ready_queue_init(&q, cap, nullptr), STET_OK);
        for (int step = 0; step < 400; step++) {
            int request = static_cast<int>(rng() % static_cast<unsigned>(cap));
            int64_t key = some_key(rng);
            if (rng() % 3 == 0) {
                ready_queue_remove(&q, request);
                m.remove(request);
            } else if (!m.has(request)) {
                ready_queue_put(&q, request, key);
                m.put(request, key);
            } else {
                ready_queue_move_first(&q, key);
                m.move_first(key);
            }
            ASSERT_NO_FATAL_FAILURE(expect_same(q, m)) << "seed " << seed << ", step " << step;
        }
        ready_queue_free(&q);
    }
}

TEST(ReadyQueue, EqualKeysTakeTurns)
{
    ready_queue q;
    ASSERT_EQ(ready_queue_init(&q, 3, nullptr), STET_OK);
    for (int i = 0; i < 3; i++) {
        ready_queue_put(&q, i, 5);
    }
    for (int i = 0; i < 9; i++) {
        EXPECT_EQ(ready_queue_first(&q), i % 3);
        ready_queue_move_first(&q, 5);
    }
    ready_queue_free(&q);
}

TEST(ReadyQueue, EmptyAndAbsent)
{
    ready_queue q;
    ASSERT_EQ(ready_queue_init(&q, 2, nullptr), STET_OK);
    EXPECT_EQ(ready_queue_first(&q), -1);
    ready_queue_remove(&q, 0);
    ready_queue_put(&q, 1, 0);
    ready_queue_remove(&q, 0);
    EXPECT_EQ(ready_queue_first(&q), 1);
    ready_queue_remove(&q, 1);
    ready_queue_remove(&q, 1);
    EXPECT_EQ(q.n, 0);
    ready_queue_free(&q);
    ready_queue_free(&q);
}

} // namespace
