// The promise of exactness, through stet.h: whatever else is in flight, a request's text, tokens,
// edits, sentences and scores are, to the bit, those it has alone in a greedy engine of batch 1.
#include "async_fixture.h"
#include "exact_cases.h"

#include <cstring>
#include <random>
#include <tuple>

using namespace stet_test;

namespace
{

void add(std::string *s, const void *p, size_t n)
{
    s->append(static_cast<const char *>(p), n);
    s->push_back('|');
}

// All bits that must not change. Passes may: they depend on how the rows of a pass are shared.
std::string bits_of(const Result &r)
{
    size_t n = 0;
    const char *text = stet_result_text(r.handle, &n);
    std::string s;
    if (text != nullptr) {
        add(&s, text, n);
    }
    const int32_t *tokens = stet_result_tokens(r.handle, &n);
    if (tokens != nullptr) {
        add(&s, tokens, n * sizeof *tokens);
    }
    for (const auto &e : r.edits(STET_UNIT_BYTE)) {
        add(&s, &e.src_off, 4 * sizeof e.src_off);
        add(&s, e.text, e.text_len);
        add(&s, &e.score, sizeof e.score);
        add(&s, &e.sentence, sizeof e.sentence);
    }
    for (const auto &e : r.sentences()) {
        add(&s, &e.src_off, 2 * sizeof e.src_off);
        add(&s, &e.source_tokens, 2 * sizeof e.source_tokens);
        add(&s, &e.score, sizeof e.score);
    }
    return s;
}

struct Item {
    std::string text;
    std::vector<int32_t> tokens;
    bool is_tokens = false;
    std::string want;

    stet_request request() const
    {
        return is_tokens ? token_request(tokens) : stet_test::request(text);
    }
};

std::string random_sentences(std::mt19937 &rng, unsigned n)
{
    static const char *const words[] = {"ba", "ce", "difo", "guha", "Jeki", "lomu", "nape",
                                        "ri", "so", "tu",   "va",   "wexi", "yo",   "\xc3\xa9q"};
    std::string s;
    for (; n > 0; n--) {
        for (unsigned k = 1 + rng() % (rng() % 5 == 0 ? 40 : 6); k > 0; k--) {
            s += std::string(words[rng() % 14]) + (k > 1 ? " " : "");
        }
        s += rng() % 2 ? ". " : "\n";
    }
    return s;
}

std::vector<Item> random_items(size_t n, unsigned seed)
{
    std::mt19937 rng(seed);
    std::vector<Item> items(n);
    for (size_t i = 0; i < n; i++) {
        items[i].is_tokens = rng() % 4 == 0;
        items[i].text = random_sentences(rng, i == 0 ? 120 : rng() % 4);
        for (unsigned k = rng() % 40; k > 0; k--) {
            items[i].tokens.push_back(static_cast<int32_t>(3 + rng() % 280));
        }
    }
    items[0].is_tokens = false; // many sentences, done in any order
    return items;
}

void find_answers(stet_model *m, std::vector<Item> *items)
{
    Engine g(m, {{"batch_size", "1"}, {"decoding", "greedy"}, {"scores", "1"}});
    for (auto &item : *items) {
        stet_request r = item.request();
        stet_result *out = nullptr;
        ASSERT_EQ(stet_correct_batch(g.handle, &r, 1, &out, nullptr, nullptr), STET_OK);
        item.want = bits_of(Result(out));
    }
}

struct Setting {
    const char *draft, *window, *batch;
    size_t in_flight;
};

// Keeps so many requests in flight; one in five is a victim that is cancelled at some moment.
class Company
{
  public:
    Company(stet_model *m, const Setting &s, const std::vector<Item> &list, unsigned seed)
        : engine(m, {{"batch_size", s.batch},
                     {"draft", s.draft},
                     {"draft_window", s.window},
                     {"scores", "1"}}),
          items(list), rng(seed)
    {
        EXPECT_EQ(engine.status, STET_OK) << engine.err.message;
        while (next < items.size() || flying > 0) {
            while (next < items.size() && flying < s.in_flight) {
                hand_in();
            }
            take_back();
        }
    }
    size_t compared = 0, cancelled = 0, different = 0;

  private:
    void hand_in()
    {
        bool is_victim = rng() % 5 == 0;
        size_t k = is_victim ? rng() % items.size() : next++;
        stet_request r = items[k].request();
        r.tag = is_victim ? k + items.size() : k;
        r.priority = static_cast<int32_t>(rng() % 19) - 9;
        Submitted s = submit(engine, queue, {r});
        ASSERT_EQ(s.status, STET_OK) << s.err.message;
        flying++;
        if (is_victim) {
            victims.push_back(s.ids[0]);
        }
        if (!victims.empty() && rng() % 3 == 0) {
            EXPECT_EQ(stet_cancel(engine.handle, victims.back()), STET_OK);
            victims.pop_back();
        }
    }

    void take_back()
    {
        for (const auto &e : queue.take(5, a_minute)) {
            flying--;
            if (e.status == STET_E_CANCELLED && e.tag >= items.size()) {
                cancelled++;
                continue;
            }
            ASSERT_EQ(e.status, STET_OK) << e.message;
            compared++;
            different += bits_of(e.result) != items[e.tag % items.size()].want;
        }
    }

    Queue queue;
    Engine engine;
    const std::vector<Item> &items;
    std::mt19937 rng;
    std::vector<uint64_t> victims;
    size_t next = 0, flying = 0;
};

class ApiCompany : public ::testing::TestWithParam<std::tuple<const char *, const char *>>
{
};

TEST_P(ApiCompany, ChangesNothing)
{
    auto [name, threads] = GetParam();
    Model m(name, {{"device", "cpu"}, {"intra_threads", threads}});
    ASSERT_EQ(m.status, STET_OK);
    // Two threads wait for each other at every op: slow where the processors are taken.
    auto items = random_items(static_cast<size_t>((threads[0] == '1' ? 50 : 10) * scale()), 7);
    find_answers(m.handle, &items);
    size_t cancelled = 0, compared = 0;
    for (const char *draft : {"edit", "tree", "sad", "none"}) {
        for (const Setting &s : {Setting{draft, "auto", "1", 8}, Setting{draft, "0", "4", 32},
                                 Setting{draft, "auto", "64", 128}, Setting{draft, "3", "16", 1}}) {
            Company c(m.handle, s, items, 3);
            EXPECT_EQ(c.different, 0u) << draft << " batch " << s.batch << ", " << s.in_flight
                                       << " in flight, of " << c.compared;
            EXPECT_GE(c.compared, items.size());
            cancelled += c.cancelled;
            compared += c.compared;
        }
    }
    EXPECT_GT(cancelled, 0u);
}

INSTANTIATE_TEST_SUITE_P(Models, ApiCompany,
                         ::testing::Values(std::make_tuple("transformer-pre", "1"),
                                           std::make_tuple("transformer-pre", "2"),
                                           std::make_tuple("transformer-learned", "1"),
                                           std::make_tuple("edgeformer-a", "1")));

// Results of texts are worth comparing only where something is edited.
TEST(ApiCompanyTexts, HaveManyEditsAndSentencesOutOfOrder)
{
    EditingModel m;
    auto items = random_items(60, 7);
    Engine g(m.handle, {{"batch_size", "16"}});
    Result r = correct(g, items[0].text);
    EXPECT_GT(r.sentences().size(), 50u);
    EXPECT_GT(r.edits(STET_UNIT_BYTE).size(), 50u);
    uint32_t before = 0;
    for (const auto &e : r.edits(STET_UNIT_BYTE)) {
        EXPECT_GE(e.sentence, before);
        before = e.sentence;
    }
}

// The output of a request of tokens is that of the decoding core, to the bit of its score.
TEST(ApiTokens, EqualTheCoresOutput)
{
    for (const char *name : {"transformer-pre", "edgeformer-c"}) {
        Net net(fixture(name));
        auto sources = random_sources(40, net.spec.vocab_size, 5);
        auto want = greedy_alone(net, sources, 24);
        Model m(name, {{"device", "cpu"}, {"intra_threads", "1"}, {"compute_type", "float32"}});
        Engine g(m.handle, {{"scores", "1"}});
        Queue q;
        for (size_t i = 0; i < sources.size(); i++) {
            ASSERT_EQ(submit(g, q, {token_request(sources[i], i)}).status, STET_OK);
        }
        for (const auto &[tag, e] : q.wait(sources.size())) {
            EXPECT_EQ(tokens_of(e.result), want[tag].ids);
            double sum = 0;
            for (float x : want[tag].logprob) {
                sum += static_cast<double>(x);
            }
            float mean = static_cast<float>(sum / static_cast<double>(want[tag].logprob.size()));
            float score = e.result.sentences()[0].score;
            EXPECT_EQ(std::memcmp(&mean, &score, sizeof mean), 0) << mean << ' ' << score;
            EXPECT_EQ(e.result.stats().unfinished, want[tag].finished ? 0u : 1u);
        }
    }
}

} // namespace
