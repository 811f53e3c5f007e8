// stet_submit and stet_cancel: what is accepted, what is refused, and the one event of each.
#include "async_fixture.h"

#include <cstddef>
#include <set>
#include <thread>

using namespace stet_test;

namespace
{

TEST(ApiSubmit, EveryRequestHasOneEventWithItsTagAndText)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    std::vector<stet_request> r;
    for (const auto &t : sample_texts()) {
        r.push_back(tagged(t, 1000 + r.size()));
    }
    auto s = submit(g, q, r);
    ASSERT_EQ(s.status, STET_OK) << s.err.message;
    EXPECT_EQ(std::set<uint64_t>(s.ids.begin(), s.ids.end()).size(), r.size());
    auto events = q.wait(r.size());
    for (size_t i = 0; i < r.size(); i++) {
        Event &e = events[1000 + i];
        EXPECT_EQ(e.id, s.ids[i]);
        ASSERT_EQ(e.status, STET_OK) << e.message;
        EXPECT_EQ(e.result.text(), correct(g, sample_texts()[i]).text());
        stet_stats t = e.result.stats();
        EXPECT_EQ(t.requests, 1u);
        EXPECT_GE(t.total_ns, t.queue_ns);
        EXPECT_EQ(stet_result_tokens(e.result.handle, nullptr), nullptr);
    }
    EXPECT_TRUE(q.take().empty());
    EXPECT_EQ(submit(g, q, {}).status, STET_OK);
    Error err;
    const std::string short_text = "ba ce"; // outlives the request
    stet_request one = tagged(short_text, 5);
    EXPECT_EQ(stet_submit(g.handle, q.handle, &one, 1, nullptr, nullptr, &err), STET_OK);
    EXPECT_EQ(q.wait(1).count(5), 1u);
}

TEST(ApiSubmit, IdsAreNeverUsedAgain)
{
    EditingModel m;
    Engine g(m.handle, {{"queue_size", "2"}, {"max_decoding_length", "8"}});
    Queue q;
    std::set<uint64_t> ids;
    uint64_t first = 0;
    for (size_t i = 0; i < 3000; i++) {
        auto s = submit(g, q, {tagged(i % 2 ? "." : "ba", i)});
        ASSERT_EQ(s.status, STET_OK) << s.err.message;
        first = first != 0 ? first : s.ids[0];
        EXPECT_TRUE(ids.insert(s.ids[0]).second) << "id " << s.ids[0] << " came twice";
        if (i % 2 != 0) {
            EXPECT_EQ(q.wait(2).size(), 2u);
            EXPECT_EQ(stet_cancel(g.handle, first), STET_OK) << "completed long ago";
        }
    }
    EXPECT_EQ(stats_of(g).cancelled_requests, 0u);
}

TEST(ApiSubmit, AcceptsUpToTheFirstThatItCannot)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    std::string text = "ba ce";
    std::vector<stet_request> r(5, tagged(text, 0));
    for (size_t i = 0; i < r.size(); i++) {
        r[i].tag = i;
    }
    r[2].flags = 0x80;
    auto s = submit(g, q, r);
    EXPECT_EQ(s.status, STET_E_INVALID);
    EXPECT_EQ(s.accepted, 2u);
    EXPECT_NE(std::string(s.err.message).find("0x80"), std::string::npos) << s.err.message;
    auto events = q.wait(2);
    EXPECT_EQ(events.count(0) + events.count(1), 2u);
    EXPECT_EQ(stet_engine_drain(g.handle, 0, nullptr), STET_OK);
    EXPECT_TRUE(q.take().empty()) << "no event for what was not accepted";
}

stet_status status_of(const Engine &g, const Queue &q, const stet_request &r)
{
    Error err;
    size_t accepted = 99;
    stet_status st = stet_submit(g.handle, q.handle, &r, 1, nullptr, &accepted, &err);
    EXPECT_EQ(accepted, st == STET_OK ? 1u : 0u);
    EXPECT_EQ(st == STET_OK, err.message[0] == '\0') << err.message;
    return st;
}

TEST(ApiSubmit, FieldsOutOfRangeAreRefused)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    const std::string text = "ba ce";
    const stet_request good = request(text);
    size_t accepted = 0;
    for (int32_t priority = -11; priority <= 11; priority++) {
        stet_request r = good;
        r.priority = priority;
        r.tag = static_cast<uint64_t>(priority + 100);
        bool is_legal = priority >= -STET_PRIORITY_MAX && priority <= STET_PRIORITY_MAX;
        EXPECT_EQ(status_of(g, q, r), is_legal ? STET_OK : STET_E_INVALID) << priority;
        accepted += is_legal;
    }
    EXPECT_EQ(q.wait(accepted).size(), 19u);
    std::vector<stet_request> bad(7, good);
    bad[0].text = nullptr;
    bad[1].flags = 1u << 31;
    bad[2].struct_size = 0;
    bad[3].struct_size = 23;
    bad[4].struct_size = offsetof(stet_request, tokens) + 4;
    bad[5].struct_size = UINT32_MAX - 7;
    bad[6].flags = STET_REQ_TOKENS | STET_REQ_SENTENCE;
    for (size_t i = 0; i < bad.size(); i++) {
        EXPECT_EQ(status_of(g, q, bad[i]), STET_E_INVALID) << i;
    }
    EXPECT_EQ(stats_of(g).refused_requests, 0u) << "counts STET_E_BUSY only";
}

TEST(ApiSubmit, TextsOf16MiBAndNotAByteMore)
{
    EditingModel m;
    Engine g(m.handle, {{"queue_tokens", "10"}});
    Queue q;
    std::string text((static_cast<size_t>(16) << 20) + 1, '.');
    stet_request r = tagged(text, 1);
    EXPECT_EQ(status_of(g, q, r), STET_E_TOO_LONG);
    r.len--;
    EXPECT_EQ(status_of(g, q, r), STET_OK) << "more tokens than queue_tokens, but alone";
    auto events = q.wait(1);
    EXPECT_EQ(events[1].status, STET_OK) << events[1].message;
    EXPECT_EQ(events[1].result.text().size(), r.len);
    r.text = nullptr;
    r.len = 0;
    EXPECT_EQ(status_of(g, q, r), STET_OK);
    EXPECT_EQ(q.wait(1)[1].result.text(), "");
}

TEST(ApiSubmit, TextsAreCopied)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    std::string text = "Bace difo guha.", want = correct(g, text).text();
    std::vector<int32_t> tokens = {5, 6, 7, 8, 9};
    submit(g, q, {tagged(text, 1), token_request(tokens, 2)});
    text.assign(text.size(), 'X');
    tokens.assign(tokens.size(), 3);
    auto events = q.wait(2);
    EXPECT_EQ(events[1].result.text(), want);
    std::vector<int32_t> again = {5, 6, 7, 8, 9};
    submit(g, q, {token_request(again, 3)});
    EXPECT_EQ(tokens_of(events[2].result), tokens_of(q.wait(1)[3].result));
}

// ---- Programs compiled with an older header -----------------------------------------------------

// stet_request as version 0.1 had it.
struct OldRequest {
    uint32_t struct_size, flags;
    const char *text;
    size_t len;
};

TEST(ApiSubmit, RequestsOfVersion01)
{
    static_assert(sizeof(OldRequest) == offsetof(stet_request, tokens),
                  "the header grew elsewhere");
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    const auto &texts = sample_texts();
    std::vector<OldRequest> old;
    for (const auto &t : texts) {
        old.push_back({sizeof(OldRequest), 0, t.data(), t.size()});
    }
    auto list = reinterpret_cast<const stet_request *>(old.data());
    std::vector<stet_result *> results(old.size());
    std::vector<uint64_t> ids(old.size());
    Error err;
    ASSERT_EQ(stet_correct_batch(g.handle, list, old.size(), results.data(), nullptr, &err),
              STET_OK)
        << err.message;
    ASSERT_EQ(stet_submit(g.handle, q.handle, list, old.size(), ids.data(), nullptr, &err),
              STET_OK);
    std::map<uint64_t, std::string> got;
    while (got.size() < old.size()) {
        for (auto &e : q.take(5, a_minute)) {
            EXPECT_EQ(e.tag, 0u);
            got[e.id] = e.result.text();
        }
    }
    for (size_t i = 0; i < old.size(); i++) {
        EXPECT_EQ(got[ids[i]], Result(results[i]).text());
    }
    old[3].struct_size = sizeof(stet_request);
    size_t accepted = 99;
    EXPECT_EQ(stet_submit(g.handle, q.handle, list, old.size(), nullptr, &accepted, &err),
              STET_E_INVALID);
    EXPECT_EQ(accepted, 3u) << "in an array the same in every element";
    EXPECT_NE(std::string(err.message).find("struct_size"), std::string::npos);
    for (size_t n = 0; n < 3;) {
        n += q.take(3, a_minute).size();
    }
}

// A later version may have more fields.
TEST(ApiSubmit, LongerRequestsAreRead)
{
    struct Longer {
        stet_request known;
        uint64_t unknown[4];
    };
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    const std::string text = "ba ce difo";
    Longer list[2] = {{tagged(text, 1), {}}, {tagged(text, 2), {}}};
    list[0].known.struct_size = list[1].known.struct_size = sizeof(Longer);
    EXPECT_EQ(stet_submit(g.handle, q.handle, &list[0].known, 2, nullptr, nullptr, nullptr),
              STET_OK);
    EXPECT_EQ(q.wait(2).size(), 2u);
}

// ---- Tokens -------------------------------------------------------------------------------------

TEST(ApiTokens, LimitsAndIds)
{
    EditingModel m; // vocabulary of 288
    Engine g(m.handle, {{"max_input_length", "16"}});
    Queue q;
    const std::vector<int32_t> full(16, 20), over(17, 20), none;
    EXPECT_EQ(status_of(g, q, token_request(full, 1)), STET_OK);
    EXPECT_EQ(status_of(g, q, token_request(none, 2)), STET_OK);
    EXPECT_EQ(status_of(g, q, token_request(over, 3)), STET_E_TOO_LONG);
    for (int32_t bad : {-1, 288, INT32_MAX, INT32_MIN}) {
        EXPECT_EQ(status_of(g, q, token_request({5, bad}, 4)), STET_E_INVALID) << bad;
    }
    for (uint32_t flag : {STET_REQ_WRAPPED, STET_REQ_SENTENCE}) {
        stet_request r = token_request(full, 5);
        r.flags |= flag;
        EXPECT_EQ(status_of(g, q, r), STET_E_INVALID);
    }
    stet_request r = token_request(full, 6);
    r.tokens = nullptr;
    EXPECT_EQ(status_of(g, q, r), STET_E_INVALID);
    r = token_request(full, 7);
    r.text = reinterpret_cast<const char *>(8); // never read
    r.len = SIZE_MAX;
    EXPECT_EQ(status_of(g, q, r), STET_OK);
    auto events = q.wait(3);
    for (uint64_t tag : {1, 2, 7}) {
        Event &e = events[tag];
        ASSERT_EQ(e.status, STET_OK) << e.message;
        size_t len = 99;
        EXPECT_EQ(stet_result_text(e.result.handle, &len), nullptr);
        EXPECT_EQ(len, 0u);
        EXPECT_TRUE(e.result.edits(STET_UNIT_BYTE).empty());
        EXPECT_NE(stet_result_tokens(e.result.handle, nullptr), nullptr);
        ASSERT_EQ(e.result.sentences().size(), 1u);
        EXPECT_EQ(e.result.sentences()[0].output_tokens, tokens_of(e.result).size());
        EXPECT_EQ(e.result.stats().source_tokens, tag == 2 ? 0u : 16u);
    }
    EXPECT_EQ(tokens_of(events[1].result), tokens_of(events[7].result));
    EXPECT_EQ(stet_result_tokens(nullptr, nullptr), nullptr);
}

// ---- Too much in flight -------------------------------------------------------------------------

TEST(ApiBusy, QueueSize)
{
    EditingModel m;
    Engine g(m.handle, {{"queue_size", "3"}});
    Queue q;
    std::vector<stet_request> r(5, request(long_text()));
    for (size_t i = 0; i < r.size(); i++) {
        r[i].tag = i;
    }
    auto s = submit(g, q, r);
    EXPECT_EQ(s.status, STET_E_BUSY);
    EXPECT_EQ(s.accepted, 3u);
    EXPECT_NE(std::string(s.err.message).find("the limit is 3"), std::string::npos);
    stet_stats t = stats_of(g);
    EXPECT_EQ(t.accepted_requests, 3u);
    EXPECT_EQ(t.refused_requests, 1u);
    EXPECT_EQ(t.waiting + t.running, 3u);
    EXPECT_EQ(stet_cancel(g.handle, s.ids[1]), STET_OK);
    EXPECT_EQ(q.wait(1)[1].status, STET_E_CANCELLED);
    EXPECT_EQ(submit(g, q, {tagged("ba", 9)}).status, STET_OK) << "there is room again";
    stet_cancel(g.handle, s.ids[0]);
    stet_cancel(g.handle, s.ids[2]);
    EXPECT_EQ(q.wait(3).size(), 3u);
    t = stats_of(g);
    EXPECT_EQ(t.cancelled_requests, 3u);
    EXPECT_EQ(t.waiting + t.running, 0u);
}

TEST(ApiBusy, QueueTokens)
{
    EditingModel m;
    Engine g(m.handle, {{"queue_tokens", "1000"}});
    Queue q;
    auto first = submit(g, q, {tagged(long_text(), 1)});
    ASSERT_EQ(first.status, STET_OK) << "larger than the budget, but there is no other";
    auto s = submit(g, q, {tagged("ba", 2)});
    EXPECT_EQ(s.status, STET_E_BUSY);
    EXPECT_NE(std::string(s.err.message).find("tokens in flight"), std::string::npos);
    stet_cancel(g.handle, first.ids[0]);
    EXPECT_EQ(q.wait(1)[1].status, STET_E_CANCELLED);
    EXPECT_EQ(submit(g, q, {tagged("ba", 3)}).status, STET_OK);
    EXPECT_EQ(q.wait(1)[3].status, STET_OK);
}

TEST(ApiBusy, QueueDelay)
{
    EditingModel m;
    Engine g(m.handle, {{"queue_delay_ms", "1"}}), patient(m.handle);
    Queue q;
    for (const Engine *e : {&g, &patient}) {
        auto first = submit(*e, q, {tagged(long_text(), 1)});
        ASSERT_EQ(first.status, STET_OK) << "an empty engine is never too slow";
        auto s = submit(*e, q, {tagged("ba", 2)});
        EXPECT_EQ(s.status, e == &g ? STET_E_BUSY : STET_OK);
        stet_result *out = nullptr;
        stet_cancel(e->handle, first.ids[0]);
        EXPECT_EQ(stet_correct(e->handle, "ba ce", 5, &out, nullptr), STET_OK);
        stet_result_release(out);
        EXPECT_EQ(q.wait(1 + s.accepted)[1].status, STET_E_CANCELLED);
    }
}

// ---- Deadlines ----------------------------------------------------------------------------------

TEST(ApiDeadline, PastNearAndFar)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    const std::string text = "ba ce";
    stet_request r = tagged(text, 1);
    r.deadline_ns = 1;
    EXPECT_EQ(status_of(g, q, r), STET_E_DEADLINE);
    r.deadline_ns = stet_clock_ns();
    EXPECT_EQ(status_of(g, q, r), STET_E_DEADLINE);
    r.deadline_ns = UINT64_MAX;
    EXPECT_EQ(status_of(g, q, r), STET_OK);
    r.deadline_ns = stet_clock_ns() + 3600000000000u;
    r.tag = 2;
    EXPECT_EQ(status_of(g, q, r), STET_OK);
    auto events = q.wait(2);
    EXPECT_EQ(events[1].status, STET_OK);
    EXPECT_EQ(events[2].status, STET_OK);
    stet_result *out = nullptr;
    stet_status status = 77;
    r.deadline_ns = 1;
    EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &out, &status, nullptr), STET_E_DEADLINE);
    EXPECT_EQ(status, STET_E_DEADLINE);
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(stats_of(g).expired_requests, 0u) << "none of these was accepted";
}

// Behind others, and alone but with more to do than there is time: the estimate of a new engine is
// 20 us for a token, and these sentences have many tokens for their few bytes.
TEST(ApiDeadline, PassesWhileInFlight)
{
    Model m; // whose outputs do not end
    Engine g(m.handle);
    Queue q;
    std::string text;
    for (int i = 0; i < 20000; i++) {
        text += "q\n";
    }
    stet_request r = tagged(text, 1);
    r.deadline_ns = stet_clock_ns() + 10001u * 20000u + 50000000u;
    ASSERT_EQ(status_of(g, q, r), STET_OK);
    auto events = q.wait(1);
    EXPECT_EQ(events[1].status, STET_E_DEADLINE) << "or this machine is very fast";
    EXPECT_GE(stet_clock_ns(), r.deadline_ns);
    EXPECT_EQ(stats_of(g).expired_requests, 1u);
    EXPECT_EQ(correct(g, "ba").text(), correct(g, "ba").text()) << "the engine goes on";
}

TEST(ApiDeadline, NearerThanItsTurnIsBusy)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    auto first = submit(g, q, {tagged(long_text(), 1)});
    const std::string short_text = "ba"; // outlives the request
    stet_request r = tagged(short_text, 2);
    r.deadline_ns = stet_clock_ns() + 2000000;
    EXPECT_EQ(status_of(g, q, r), STET_E_BUSY);
    stet_cancel(g.handle, first.ids[0]);
    q.wait(1);
}

// ---- Cancelling ---------------------------------------------------------------------------------

TEST(ApiCancel, BeforeItsTurnWhileRunningAndAfter)
{
    EditingModel m;
    Engine g(m.handle, {{"batch_size", "1"}});
    Queue q;
    auto s = submit(g, q, {tagged(long_text(), 1), tagged(long_text(), 2), tagged("ba", 3)});
    ASSERT_EQ(s.status, STET_OK);
    while (stats_of(g).running == 0) {
        std::this_thread::yield();
    }
    EXPECT_EQ(stet_cancel(g.handle, s.ids[1]), STET_OK);
    EXPECT_EQ(stet_cancel(g.handle, s.ids[0]), STET_OK);
    EXPECT_EQ(stet_cancel(g.handle, s.ids[0]), STET_OK) << "twice";
    auto events = q.wait(3);
    EXPECT_EQ(events[1].status, STET_E_CANCELLED);
    EXPECT_EQ(events[2].status, STET_E_CANCELLED);
    EXPECT_EQ(events[3].status, STET_OK);
    for (uint64_t id : s.ids) {
        EXPECT_EQ(stet_cancel(g.handle, id), STET_OK) << "completed already";
    }
    EXPECT_TRUE(q.take().empty());
    EXPECT_EQ(stats_of(g).cancelled_requests, 2u);
}

TEST(ApiCancel, IdsThatNeverWere)
{
    EditingModel m;
    Engine g(m.handle), other(m.handle, {{"queue_size", "1"}});
    Queue q;
    EXPECT_EQ(stet_cancel(nullptr, 1), STET_E_INVALID);
    for (uint64_t id : {uint64_t{0}, uint64_t{1}, uint64_t{5000}, uint64_t{1} << 20,
                        (uint64_t{1} << 20) + 1, UINT64_MAX}) {
        EXPECT_EQ(stet_cancel(g.handle, id), STET_E_INVALID) << id;
    }
    auto s = submit(g, q, {tagged("ba", 1)});
    q.wait(1);
    EXPECT_EQ(stet_cancel(g.handle, s.ids[0] + (uint64_t{1} << 20)), STET_E_INVALID)
        << "a later use of the same place";
    EXPECT_EQ(stet_cancel(other.handle, s.ids[0]), STET_E_INVALID) << "another engine's";
}

// ---- NULL ---------------------------------------------------------------------------------------

TEST(ApiSubmit, Nulls)
{
    EditingModel m;
    Engine g(m.handle);
    Queue q;
    const std::string short_text = "ba"; // outlives the request
    stet_request r = tagged(short_text, 1);
    size_t accepted = 99;
    EXPECT_EQ(stet_submit(nullptr, q.handle, &r, 1, nullptr, &accepted, nullptr), STET_E_INVALID);
    EXPECT_EQ(accepted, 0u);
    EXPECT_EQ(stet_submit(g.handle, nullptr, &r, 1, nullptr, nullptr, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_submit(g.handle, q.handle, nullptr, 1, nullptr, nullptr, nullptr),
              STET_E_INVALID);
    EXPECT_EQ(stet_submit(g.handle, q.handle, nullptr, 0, nullptr, nullptr, nullptr), STET_OK);
    EXPECT_EQ(stet_engine_drain(nullptr, 0, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_engine_health(nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_engine_stats(nullptr, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_engine_stats(g.handle, nullptr), STET_E_INVALID);
    stet_result_retain(nullptr);
    stet_result_release(nullptr);
    stet_engine_destroy(nullptr);
    EXPECT_TRUE(q.take().empty());
}

} // namespace
