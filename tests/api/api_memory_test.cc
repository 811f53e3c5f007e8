// memory_limit: what the library asks the host for never exceeds it, whatever the requests. The
// host's allocator counts, so this is a process of its own.
#include "async_fixture.h"
#include "misspellings_builder.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

using namespace stet_test;

namespace
{

struct Meter {
    std::atomic<int64_t> live{0}, peak{0};

    Meter()
    {
        stet_hooks hooks{};
        hooks.struct_size = sizeof hooks;
        hooks.mem_alloc = take;
        hooks.mem_free = give;
        hooks.mem_ctx = this;
        if (stet_set_hooks(&hooks, nullptr) != STET_OK) {
            std::abort();
        }
    }
    static void *take(void *ctx, size_t size, size_t align)
    {
        Meter *m = static_cast<Meter *>(ctx);
        int64_t now = m->live += static_cast<int64_t>(size), peak = m->peak;
        while (now > peak && !m->peak.compare_exchange_weak(peak, now)) {
        }
        return std::aligned_alloc(align, size);
    }
    static void give(void *ctx, void *p, size_t size)
    {
        static_cast<Meter *>(ctx)->live -= static_cast<int64_t>(size);
        std::free(p);
    }
};

Meter meter;

size_t number_after(const std::string &text, const std::string &words)
{
    size_t at = text.find(words);
    EXPECT_NE(at, std::string::npos) << text;
    return at == std::string::npos ? 0 : std::stoull(text.substr(at + words.size()));
}

// The figure that creation asks for.
size_t needed(stet_model *m, Options o)
{
    o.push_back({"memory_limit", "1"});
    Engine g(m, o);
    EXPECT_EQ(g.status, STET_E_NOMEM);
    return number_after(g.err.message, "bytes, but ");
}

stet_status create_with(stet_model *m, Options o, size_t limit)
{
    std::string text = std::to_string(limit);
    o.push_back({"memory_limit", text.c_str()});
    return Engine(m, o).status;
}

TEST(ApiMemory, CreationWorksWithTheFigureThatItAskedFor)
{
    for (const char *threads : {"1", "6"}) {
        EditingModel m(threads);
        for (const char *batch : {"1", "9", "64"}) {
            for (const char *queue : {"1", "1000", "40000"}) {
                for (const char *length : {"8", "70"}) {
                    for (const char *draft : {"edit", "tree", "sad", "none"}) {
                        Options o = {{"batch_size", batch},
                                     {"queue_size", queue},
                                     {"max_input_length", length},
                                     {"draft", draft},
                                     {"scores", length[0] == '8' ? "1" : "0"}};
                        size_t n = needed(m.handle, o);
                        EXPECT_EQ(create_with(m.handle, o, n), STET_OK)
                            << batch << ' ' << queue << ' ' << length << ' ' << draft;
                        EXPECT_EQ(create_with(m.handle, o, n - 1), STET_E_NOMEM);
                    }
                }
            }
        }
    }
    EXPECT_EQ(meter.live, 0);
}

// ---- Requests of all kinds ----------------------------------------------------------------------

std::string repeat(const std::string &what, size_t n)
{
    std::string s;
    while (s.size() < n) {
        s += what;
    }
    return s;
}

const std::vector<std::string> &kinds_of_text()
{
    static const std::vector<std::string> texts = {
        "Bace difo guha. Jeki lomu nape!",
        repeat("Risotu vawexi, yozu ba. ", 1500),
        repeat("ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu ", 4000),
        repeat("q\n", 6000),
        repeat("a. ", 1500),
        std::string(12000, 'y'),
        repeat("\xef\xb7\xba", 1500),  // one character that normalises to eighteen
        repeat("\xff\xfe ba ", 2000),  // broken bytes
        repeat("\xe3\x8c\x80\n", 900), // a square of five letters
        repeat("1 2 3.\n", 50000),     // nothing to do
        repeat("x\n\n", 400),
    };
    return texts;
}

struct Load {
    const Engine *engine;
    const Queue *queue;
    std::atomic<size_t> accepted{0}, busy{0}, too_large{0};
};

void count_refusal(Load *load, const Submitted &s)
{
    std::string why = s.err.message;
    EXPECT_TRUE(s.status == STET_E_BUSY || s.status == STET_E_TOO_LONG) << why;
    EXPECT_TRUE(why.find("memory_limit") != std::string::npos ||
                why.find("in flight") != std::string::npos)
        << why;
    EXPECT_NE(why.find_first_of("0123456789"), std::string::npos) << why;
    load->busy += s.status == STET_E_BUSY;
    load->too_large += s.status == STET_E_TOO_LONG;
}

void submit_many(Load *load, unsigned seed, int n)
{
    std::mt19937 rng(seed);
    const std::vector<int32_t> tokens(40, 20);
    for (int i = 0; i < n; i++) {
        size_t k = rng() % (kinds_of_text().size() + 1);
        stet_request r = k == 0 ? token_request(tokens) : request(kinds_of_text()[k - 1]);
        r.tag = k;
        if (k > 0 && rng() % 4 == 0) {
            r.flags = rng() % 2 ? STET_REQ_SENTENCE : STET_REQ_WRAPPED;
            r.tag = 1000;
        }
        Submitted s = submit(*load->engine, *load->queue, {r});
        if (s.status != STET_OK) {
            count_refusal(load, s);
            continue;
        }
        load->accepted++;
        if (rng() % 8 == 0) {
            EXPECT_EQ(stet_cancel(load->engine->handle, s.ids[0]), STET_OK);
        }
    }
}

// The largest text without letters that is taken in: as large again later, if nothing was lost.
size_t largest_text(const Engine &g)
{
    static const std::string dots(static_cast<size_t>(1) << 20, '.');
    size_t lo = 0, hi = dots.size() + 1;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        stet_result *out = nullptr;
        stet_status st = stet_correct(g.handle, dots.data(), mid, &out, nullptr);
        EXPECT_TRUE(st == STET_OK || st == STET_E_TOO_LONG);
        *(st == STET_OK ? &lo : &hi) = mid;
        stet_result_release(out);
    }
    return lo;
}

std::vector<std::string> texts_without_limit(stet_model *m)
{
    Engine g(m);
    std::vector<std::string> out = {""};
    for (const auto &t : kinds_of_text()) {
        out.push_back(correct(g, t).text());
    }
    return out;
}

void wait_until_idle(const Engine &g)
{
    for (stet_stats s = stats_of(g); s.waiting + s.running > 0; s = stats_of(g)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

class ApiMemoryLimit : public ::testing::TestWithParam<size_t>
{
};

TEST_P(ApiMemoryLimit, IsNeverExceeded)
{
    Queue q;
    int64_t outside = meter.live; // the queue belongs to no engine
    EditingModel m;
    auto want = texts_without_limit(m.handle);
    Options o = {{"batch_size", "8"}, {"queue_size", "500"}, {"scores", "1"}};
    size_t limit = needed(m.handle, o) + GetParam();
    std::string limit_text = std::to_string(limit);
    o.push_back({"memory_limit", limit_text.c_str()});
    Engine g(m.handle, o);
    ASSERT_EQ(g.status, STET_OK) << g.err.message;
    meter.peak = meter.live.load();
    size_t largest = largest_text(g), done = 0, lacking = 0;
    for (unsigned round = 0; round < 2; round++) {
        Load load;
        load.engine = &g;
        load.queue = &q;
        std::vector<std::thread> threads;
        for (unsigned k = 0; k < 4; k++) {
            threads.emplace_back([&load, k, round] { submit_many(&load, 10 * round + k, 20); });
        }
        for (auto &t : threads) {
            t.join();
        }
        wait_until_idle(g);
        EXPECT_LE(meter.peak - outside, static_cast<int64_t>(limit));
        size_t n = 0;
        for (auto events = q.take(50, a_minute); n < load.accepted;) {
            for (const auto &e : events) {
                n++;
                done += e.status == STET_OK;
                bool lacks = e.status == STET_E_NOMEM || e.status == STET_E_TOO_LONG;
                lacking += lacks;
                EXPECT_TRUE(!lacks || e.message.find("memory_limit") != std::string::npos)
                    << e.message;
                EXPECT_TRUE(e.status == STET_OK || lacks || e.status == STET_E_CANCELLED)
                    << e.message;
                if (e.status == STET_OK && e.tag > 0 && e.tag < want.size()) {
                    EXPECT_EQ(e.result.text(), want[e.tag]);
                }
            }
            events = n < load.accepted ? q.take(50, a_minute) : std::vector<Event>();
        }
        EXPECT_TRUE(q.take().empty());
        EXPECT_GT(load.accepted, 0u);
        std::printf("limit %zu: peak %lld, accepted %zu, busy %zu, too large %zu, done %zu, "
                    "lacking %zu\n",
                    limit, static_cast<long long>(meter.peak - outside), load.accepted.load(),
                    load.busy.load(), load.too_large.load(), done, lacking);
    }
    EXPECT_GT(done, 0u);
    EXPECT_EQ(largest_text(g), largest) << "bytes that were taken and not given back";
    EXPECT_LE(meter.peak - outside, static_cast<int64_t>(limit));
}

INSTANTIATE_TEST_SUITE_P(Beyond, ApiMemoryLimit,
                         ::testing::Values(0, 20000, 150000, 600000, 2000000, 30000000));

int64_t held_by_engine(stet_model *m, const Options &o)
{
    int64_t before = meter.live;
    Engine g(m, o);
    EXPECT_EQ(g.status, STET_OK) << g.err.message;
    return meter.live - before;
}

// What the room for the meant text takes is in the figure, but for what a block takes for itself.
TEST(ApiMemory, AFolderWithMisspellings)
{
    std::string folder = (std::filesystem::temp_directory_path() / "stet-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    std::filesystem::copy(fixture("transformer-pre"), folder);
    std::ofstream(folder + "/misspellings.table", std::ios::binary)
        << table_bytes({{"bcae", "bace"}, {"dfio", "ba ce di fo gu ha"}, {"guah", "guha"}});
    int64_t outside = meter.live;
    const stet_option options[] = {{"device", "cpu"}, {"intra_threads", "1"}};
    Model m("no such folder"); // releases what is loaded here
    ASSERT_EQ(stet_model_load(folder.c_str(), options, 2, &m.handle, nullptr), STET_OK);
    std::filesystem::remove_all(folder);
    std::string text;
    for (int i = 0; i < 40; i++) {
        text += i % 9 == 8 ? "guah.\n" : i % 2 == 0 ? "Bcae " : "dfio ";
    }
    for (const char *length : {"16", "70"}) {
        Options o = {{"max_input_length", length}, {"queue_size", "500"}};
        Options off = o;
        off.push_back({"misspellings", "0"});
        EXPECT_GT(held_by_engine(m.handle, o), held_by_engine(m.handle, off));
        EXPECT_LE(held_by_engine(m.handle, o) - held_by_engine(m.handle, off),
                  static_cast<int64_t>(needed(m.handle, o) - needed(m.handle, off)) + 128);
        size_t limit = needed(m.handle, o) + 60000;
        std::string limit_text = std::to_string(limit);
        o.push_back({"memory_limit", limit_text.c_str()});
        Engine g(m.handle, o);
        ASSERT_EQ(g.status, STET_OK) << g.err.message;
        meter.peak = meter.live.load();
        Result r = correct(g, text);
        EXPECT_GT(r.sentences().size(), 3u);
        EXPECT_LE(meter.peak - outside, static_cast<int64_t>(limit));
    }
}

TEST(ApiMemory, ManyShortSentencesInLittleMemory)
{
    Queue q;
    int64_t outside = meter.live;
    EditingModel m;
    const std::string text = repeat("q\n", 80000);
    std::string want = correct(Engine(m.handle), text).text();
    size_t accepted = 0;
    for (size_t beyond = 400000; beyond < 20000000; beyond += beyond / 2) {
        size_t limit = needed(m.handle, {}) + beyond;
        std::string limit_text = std::to_string(limit);
        Engine g(m.handle, {{"memory_limit", limit_text.c_str()}});
        meter.peak = meter.live.load();
        Submitted s = submit(g, q, {tagged(text, 1)});
        if (s.status == STET_OK) {
            accepted++;
            auto events = q.wait(1);
            ASSERT_EQ(events[1].status, STET_OK)
                << events[1].message << ": accepted with " << beyond;
            EXPECT_EQ(events[1].result.text(), want);
        } else {
            EXPECT_EQ(s.status, STET_E_TOO_LONG);
            EXPECT_GT(number_after(s.err.message, "the request needs "),
                      number_after(s.err.message, "memory_limit leaves "));
        }
        EXPECT_LE(meter.peak - outside, static_cast<int64_t>(limit));
    }
    EXPECT_GT(accepted, 0u);
}

// Results that nobody takes are refused as busy, and taking them makes room.
TEST(ApiMemory, ResultsThatAreNotTakenCount)
{
    Queue q;
    EditingModel m;
    size_t limit = needed(m.handle, {}) + 300000;
    std::string limit_text = std::to_string(limit);
    Engine g(m.handle, {{"memory_limit", limit_text.c_str()}});
    const std::string text = repeat("Bace difo guha. ", 2000);
    Submitted s;
    size_t n = 0;
    do {
        s = submit(g, q, {tagged(text, n++)});
        wait_until_idle(g);
    } while (s.status == STET_OK);
    EXPECT_EQ(s.status, STET_E_BUSY);
    EXPECT_GE(s.err.retry_after_ms, 1u);
    stet_result *out = nullptr;
    Error err;
    EXPECT_EQ(stet_correct(g.handle, text.data(), text.size(), &out, &err), STET_E_NOMEM)
        << "a blocking call does not wait for ever";
    EXPECT_EQ(q.wait(n - 1).size(), n - 1);
    EXPECT_EQ(submit(g, q, {tagged(text, 0)}).status, STET_OK);
    EXPECT_EQ(q.wait(1)[0].status, STET_OK);
}

// Four callers that wait: their results are theirs as soon as they are done.
TEST(ApiMemory, BlockingCalls)
{
    int64_t outside = meter.live;
    EditingModel m;
    size_t limit = needed(m.handle, {}) + 100000;
    std::string limit_text = std::to_string(limit);
    Engine g(m.handle, {{"memory_limit", limit_text.c_str()}});
    const std::string text = repeat("Bace difo guha. ", 1500);
    std::string want = correct(Engine(m.handle), text).text();
    meter.peak = meter.live.load();
    std::vector<std::thread> callers;
    for (int k = 0; k < 4; k++) {
        callers.emplace_back([&] {
            for (int i = 0; i < 10; i++) {
                stet_result *out = nullptr;
                Error err;
                EXPECT_EQ(stet_correct(g.handle, text.data(), text.size(), &out, &err), STET_OK)
                    << err.message;
                EXPECT_EQ(Result(out).text(), want);
            }
        });
    }
    for (auto &t : callers) {
        t.join();
    }
    int64_t in_hand = 4 * 40000;
    EXPECT_LE(meter.peak - outside, static_cast<int64_t>(limit) + in_hand);
}

} // namespace
