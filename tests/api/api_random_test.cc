// Calls of stet.h in random order with random arguments, wrong ones among them: NULL, ids that are
// stale or made up, queues and engines that are gone, sizes that are not right. Nothing may crash,
// hang or leak, every status must be one that the header names, and every accepted request has one
// event. STET_TEST_SCALE makes it longer; the seed is in the name of the test.
#include "async_fixture.h"
#include "scale.h"

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <set>

using namespace stet_test;

namespace
{

constexpr size_t n_places = 3;

stet_engine *handle(const std::unique_ptr<Engine> &p)
{
    return p != nullptr ? p->handle : nullptr;
}

stet_cq *handle(const std::unique_ptr<Queue> &p)
{
    return p != nullptr ? p->handle : nullptr;
}

class Player
{
  public:
    explicit Player(unsigned seed) : rng(seed)
    {
        texts = sample_texts();
        texts.push_back("Risotu vawexi yozu. Ba ce di fo?");
        for (size_t i = 0; i < texts.size() * 10; i++) {
            texts_long += texts[i % texts.size()] + "\n";
        }
    }

    void play(int moves)
    {
        using Move = void (Player::*)();
        static const std::array<Move, 16> all = {
            &Player::open_engine, &Player::close_engine, &Player::open_queue,  &Player::close_queue,
            &Player::submit_some, &Player::submit_some,  &Player::submit_some, &Player::poll_one,
            &Player::poll_one,    &Player::cancel_one,   &Player::correct_one, &Player::wake,
            &Player::look,        &Player::drain,        &Player::use_result,  &Player::misuse};
        for (int i = 0; i < moves && !testing::Test::HasFailure(); i++) {
            (this->*all[below(all.size())])();
        }
        finish();
    }

    size_t n_accepted = 0, n_events = 0, n_done = 0;

  private:
    size_t below(size_t n)
    {
        return rng() % n;
    }
    bool seldom()
    {
        return below(10) == 0;
    }

    // ---- Engines and queues

    void open_engine()
    {
        size_t k = below(n_places);
        if (engines[k] != nullptr) {
            return;
        }
        static const char *const sizes[] = {"1", "2", "7", "100"};
        static const char *const drafts[] = {"edit", "tree", "sad", "none"};
        Options o = {{"queue_size", sizes[below(4)]},
                     {"batch_size", sizes[below(3)]},
                     {"draft", drafts[below(4)]},
                     {"queue_tokens", below(2) ? "50" : "100000"},
                     {"queue_delay_ms", below(3) ? "0" : "5"},
                     {"verify", seldom() ? "1" : "0"},
                     {"scores", below(2) ? "1" : "0"}};
        if (below(4) == 0) {
            o.push_back({"memory_limit", "3M"});
        }
        engines[k] = std::make_unique<Engine>(model.handle, o);
        ASSERT_EQ(engines[k]->status, STET_OK) << engines[k]->err.message;
        is_draining[k] = false;
    }

    void close_engine()
    {
        if (below(4) == 0) {
            engines[below(n_places)].reset();
        }
    }

    void open_queue()
    {
        size_t k = below(n_places);
        if (queues[k] == nullptr) {
            queues[k] = std::make_unique<Queue>();
        }
    }

    void close_queue()
    {
        size_t k = below(n_places);
        if (seldom() && queues[k] != nullptr) {
            queues[k].reset();
            n_events += waiting[k].size(); // dropped
            waiting[k].clear();
        }
    }

    // ---- Requests

    stet_request random_request()
    {
        const std::string &text = seldom() ? texts_long : texts[below(texts.size())];
        stet_request r = tagged(text, next_tag++, static_cast<uint32_t>(below(3)));
        if (below(5) == 0) {
            r.flags = STET_REQ_TOKENS;
            r.tokens = tokens.data();
            r.n_tokens = below(tokens.size() + 1);
        } else if (below(4) == 0) {
            r.prompt = below(3) ? "difo: " : "";
        }
        r.priority = static_cast<int32_t>(below(19)) - 9;
        r.deadline_ns = seldom() ? stet_clock_ns() + below(3000000) : 0;
        return r;
    }

    void spoil(stet_request *r)
    {
        switch (below(8)) {
        case 0:
            r->flags |= 1u << (3 + below(29));
            break;
        case 1:
            r->priority = below(2) ? 10 : INT32_MIN;
            break;
        case 2:
            r->text = nullptr;
            r->tokens = nullptr;
            r->len = r->n_tokens = 1 + below(5);
            break;
        case 3:
            r->struct_size = static_cast<uint32_t>(below(sizeof *r)) | 1u; // older sizes are legal
            break;
        case 4:
            r->len = SIZE_MAX - below(5);
            r->n_tokens = SIZE_MAX - below(5);
            break;
        case 5:
            r->flags = STET_REQ_TOKENS;
            r->tokens = bad_tokens.data();
            r->n_tokens = bad_tokens.size();
            break;
        case 6:
            r->prompt = "\xFF";
            break;
        default:
            r->deadline_ns = 1 + below(1000);
        }
    }

    void submit_some()
    {
        size_t e = below(n_places), q = below(n_places), accepted = 99;
        std::vector<stet_request> r(1 + below(4));
        for (auto &one : r) {
            one = random_request();
            if (seldom()) {
                spoil(&one);
            }
        }
        Error err;
        std::vector<uint64_t> got(r.size());
        stet_status st = stet_submit(handle(engines[e]), handle(queues[q]), r.data(), r.size(),
                                     seldom() ? nullptr : got.data(), &accepted, &err);
        static const std::set<stet_status> legal = {
            STET_OK,        STET_E_BUSY,     STET_E_DEADLINE, STET_E_TOO_LONG,
            STET_E_INVALID, STET_E_SHUTDOWN, STET_E_NOMEM};
        ASSERT_EQ(legal.count(st), 1u) << st << ' ' << err.message;
        ASSERT_EQ(st == STET_OK, accepted == r.size());
        ASSERT_TRUE(st != STET_E_BUSY || err.retry_after_ms > 0);
        ASSERT_TRUE(accepted == 0 || (engines[e] != nullptr && !is_draining[e]));
        n_accepted += accepted;
        for (size_t i = 0; i < accepted; i++) {
            waiting[q].insert(r[i].tag);
            ids.push_back(got[i]);
        }
    }

    void poll_one()
    {
        size_t q = below(n_places);
        if (queues[q] != nullptr) {
            take(q, queues[q]->take(1 + below(6), static_cast<int64_t>(below(2000))));
        }
    }

    void take(size_t q, std::vector<Event> events)
    {
        for (auto &e : events) {
            static const std::set<stet_status> legal = {STET_OK,         STET_E_CANCELLED,
                                                        STET_E_DEADLINE, STET_E_SHUTDOWN,
                                                        STET_E_NOMEM,    STET_E_TOO_LONG};
            EXPECT_EQ(legal.count(e.status), 1u) << e.message;
            EXPECT_EQ(waiting[q].erase(e.tag), 1u) << "tag " << e.tag;
            n_events++;
            n_done += e.status == STET_OK;
            if (e.status == STET_OK && seldom()) {
                kept.push_back(std::move(e.result));
            }
        }
    }

    void cancel_one()
    {
        uint64_t id = seldom() || ids.empty() ? rng() : ids[below(ids.size())];
        stet_status st = stet_cancel(handle(engines[below(n_places)]), id);
        EXPECT_TRUE(st == STET_OK || st == STET_E_INVALID);
    }

    void correct_one()
    {
        std::vector<stet_request> r(1 + below(3));
        std::vector<stet_result *> out(r.size());
        for (auto &one : r) {
            one = random_request();
            if (seldom()) {
                spoil(&one);
            }
        }
        stet_status st = stet_correct_batch(handle(engines[below(n_places)]), r.data(), r.size(),
                                            seldom() ? nullptr : out.data(), nullptr, nullptr);
        EXPECT_NE(st, STET_E_BUSY);
        for (auto *one : out) {
            Result owned(one);
        }
    }

    // ---- The rest

    void wake()
    {
        stet_cq_wakeup(handle(queues[below(n_places)]));
    }

    void look()
    {
        stet_stats s{};
        s.struct_size = static_cast<uint32_t>(seldom() ? below(400) & ~size_t{7} : sizeof s);
        size_t e = below(n_places);
        stet_status st = stet_engine_stats(handle(engines[e]), &s);
        EXPECT_TRUE(st == STET_OK || st == STET_E_INVALID);
        int32_t want = engines[e] == nullptr ? STET_E_INVALID
                       : is_draining[e]      ? STET_HEALTH_DRAINING
                                             : STET_HEALTH_READY;
        EXPECT_EQ(stet_engine_health(handle(engines[e])), want);
    }

    void drain()
    {
        size_t e = below(n_places);
        if (!seldom()) {
            return;
        }
        stet_status st = stet_engine_drain(handle(engines[e]),
                                           below(2) ? 1 : stet_clock_ns() + 1000000, nullptr);
        EXPECT_TRUE(st == STET_OK || st == STET_E_DEADLINE || engines[e] == nullptr);
        is_draining[e] = true;
    }

    void use_result()
    {
        if (kept.empty()) {
            return;
        }
        Result &r = kept[below(kept.size())];
        uint32_t unit = static_cast<uint32_t>(below(4));
        stet_edit e;
        int64_t n = stet_result_edits(r.handle, unit, &e, seldom() ? 8 : sizeof e, below(5), 1);
        EXPECT_TRUE(n >= 0 || n == STET_E_INVALID);
        r.sentences();
        stet_result_retain(r.handle);
        stet_result_release(r.handle);
        if (seldom()) {
            kept.clear();
        }
    }

    void misuse()
    {
        stet_event e;
        size_t q = below(n_places);
        EXPECT_EQ(stet_cq_poll(handle(queues[q]), &e, sizeof e - 1, 1, -1), STET_E_INVALID);
        EXPECT_EQ(stet_cq_poll(handle(queues[q]), nullptr, sizeof e, 1, -1), STET_E_INVALID);
        EXPECT_EQ(stet_cq_poll(nullptr, &e, sizeof e, 1, -1), STET_E_INVALID);
        EXPECT_EQ(stet_cancel(handle(engines[below(n_places)]), 0), STET_E_INVALID);
        EXPECT_EQ(stet_submit(handle(engines[0]), handle(queues[q]), nullptr, 2, nullptr, nullptr,
                              nullptr),
                  STET_E_INVALID);
        EXPECT_EQ(stet_engine_stats(nullptr, nullptr), STET_E_INVALID);
        EXPECT_EQ(stet_result_edits(nullptr, 0, nullptr, sizeof(stet_edit), 0, 0), STET_E_INVALID);
        stet_result_release(nullptr);
        stet_cq_destroy(nullptr);
        stet_engine_destroy(nullptr);
    }

    void finish()
    {
        for (auto &e : engines) {
            e.reset();
        }
        for (size_t q = 0; q < n_places; q++) {
            for (int i = 0; queues[q] != nullptr && i < 10000 && queues[q]->is_readable(); i++) {
                take(q, queues[q]->take(50));
            }
            EXPECT_TRUE(waiting[q].empty()) << "requests without an event";
        }
        EXPECT_EQ(n_events, n_accepted);
    }

    std::mt19937 rng;
    EditingModel model;
    std::vector<std::string> texts;
    std::string texts_long;
    std::vector<int32_t> tokens = {5, 6, 7, 20, 30, 40, 41}, bad_tokens = {5, 1000};
    std::unique_ptr<Queue> queues[n_places];
    std::unique_ptr<Engine> engines[n_places];
    bool is_draining[n_places] = {};
    std::set<uint64_t> waiting[n_places];
    std::vector<uint64_t> ids;
    std::vector<Result> kept;
    uint64_t next_tag = 1;
};

class ApiRandom : public ::testing::TestWithParam<unsigned>
{
};

TEST_P(ApiRandom, Calls)
{
    Player p(GetParam());
    p.play(3000 * scale());
    EXPECT_GT(p.n_done, 100u);
}

INSTANTIATE_TEST_SUITE_P(Seed, ApiRandom, ::testing::Values(1, 2, 3, 4));

} // namespace
