// The rules about the next token against a plain second computation, over random settings, sources
// and outputs, and along branches that are taken back.
extern "C" {
#include "token_rules.h"
}

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace
{

using Ids = std::vector<int32_t>;
using Changes = std::map<int32_t, float>;

constexpr int MAX_SRC = 24, MAX_TGT = 24;

// The settings once more, in the words of generation_config.json.
struct Settings {
    int vocab, no_repeat_ngram_size, encoder_no_repeat_ngram_size, min_length, n_start;
    float repetition_penalty, encoder_reward;
    Ids eos, begin_suppress;
    std::vector<Ids> bad_words;
};

bool ends_in(const Ids &ids, const Ids &tail)
{
    return tail.size() <= ids.size() &&
           std::equal(tail.begin(), tail.end(), ids.end() - static_cast<long>(tail.size()));
}

// Tokens that would complete an n-gram of `text` behind `prefix`.
std::set<int32_t> completions(const Ids &text, const Ids &prefix, int size)
{
    std::set<int32_t> out;
    for (size_t i = 0; size > 0 && i + static_cast<size_t>(size) <= text.size(); i++) {
        Ids run(text.begin() + static_cast<long>(i), text.begin() + static_cast<long>(i) + size);
        int32_t last = run.back();
        run.pop_back();
        if (ends_in(prefix, run)) {
            out.insert(last);
        }
    }
    return out;
}

std::set<int32_t> forbidden(const Settings &s, const Ids &source, const Ids &prefix)
{
    std::set<int32_t> out = completions(prefix, prefix, s.no_repeat_ngram_size);
    out.merge(completions(source, prefix, s.encoder_no_repeat_ngram_size));
    for (Ids word : s.bad_words) {
        int32_t last = word.back();
        word.pop_back();
        if (ends_in(prefix, word)) {
            out.insert(last);
        }
    }
    if (static_cast<int>(prefix.size()) < s.min_length) {
        out.insert(s.eos.begin(), s.eos.end());
    }
    if (static_cast<int>(prefix.size()) == s.n_start) {
        out.insert(s.begin_suppress.begin(), s.begin_suppress.end());
    }
    return out;
}

Changes plainly(const Settings &s, const Ids &source, const Ids &prefix)
{
    Changes out;
    auto never = forbidden(s, source, prefix);
    for (int32_t id = 0; id < s.vocab; id++) {
        bool rewarded = s.encoder_reward != 1 && std::count(source.begin(), source.end(), id) > 0;
        bool punished =
            s.repetition_penalty != 1 && std::count(prefix.begin(), prefix.end(), id) > 0;
        if (never.count(id) > 0) {
            out[id] = STETI_NEVER;
        } else if (rewarded || punished) {
            out[id] = (rewarded ? s.encoder_reward : 1) * (punished ? s.repetition_penalty : 1);
        }
    }
    return out;
}

Ids draw(std::mt19937 &rng, int vocab, size_t most)
{
    // Few different tokens, so that runs repeat.
    size_t n = rng() % (most + 1), kinds = 1 + rng() % 6;
    Ids out;
    for (size_t i = 0; i < n; i++) {
        out.push_back(static_cast<int32_t>((rng() % kinds * 37) % static_cast<unsigned>(vocab)));
    }
    return out;
}

Settings random_settings(std::mt19937 &rng)
{
    static const int vocabs[] = {2, 63, 64, 65, 200};
    static const float factors[] = {1.0f, 1.25f, 0.5f};
    Settings s{};
    s.vocab = vocabs[rng() % 5];
    s.no_repeat_ngram_size = static_cast<int>(rng() % 5);
    s.encoder_no_repeat_ngram_size = static_cast<int>(rng() % 5);
    s.min_length = static_cast<int>(rng() % 8);
    s.n_start = 1 + static_cast<int>(rng() % 2);
    s.repetition_penalty = factors[rng() % 3];
    s.encoder_reward = factors[rng() % 3];
    s.begin_suppress = draw(rng, s.vocab, 5);
    s.eos = {1};
    if (s.vocab > 2 && rng() % 2 == 0) {
        s.eos.push_back(37);
    }
    for (size_t n = rng() % 6; n > 0; n--) {
        Ids word = draw(rng, s.vocab, 4);
        word.resize(std::max<size_t>(word.size(), 2));
        s.bad_words.push_back(word);
    }
    return s;
}

steti_spec spec_of(const Settings &s)
{
    steti_spec spec{};
    steti_generation &g = spec.generation;
    spec.vocab_size = s.vocab;
    spec.eos_id = s.eos[0];
    spec.start.n = s.n_start;
    g.no_repeat_ngram = s.no_repeat_ngram_size;
    g.encoder_no_repeat_ngram = s.encoder_no_repeat_ngram_size;
    g.min_length = s.min_length;
    g.repeat_factor = s.repetition_penalty != 1 ? s.repetition_penalty : 0;
    g.encoder_factor = s.encoder_reward != 1 ? s.encoder_reward : 0;
    for (size_t i = 1; i < s.eos.size(); i++) {
        g.more_ends[g.n_more_ends++] = s.eos[i];
    }
    for (int32_t id : s.begin_suppress) {
        g.begin[g.n_begin++] = id;
    }
    for (const Ids &word : s.bad_words) {
        g.bad_words[g.n_bad_words++] = static_cast<int32_t>(word.size());
        for (int32_t id : word) {
            g.bad_words[g.n_bad_words++] = id;
        }
    }
    return spec;
}

class Rules
{
  public:
    explicit Rules(const Settings &settings) : spec(spec_of(settings))
    {
        EXPECT_EQ(steti_token_rules_open(&spec, MAX_SRC, MAX_TGT, &r, nullptr), STET_OK);
        list.resize(steti_token_rules_most(&spec, MAX_SRC, MAX_TGT) + 1);
    }
    ~Rules()
    {
        steti_token_rules_close(r);
    }
    Rules(const Rules &) = delete;
    Rules &operator=(const Rules &) = delete;

    void begin(const Ids &source)
    {
        size_t half = source.size() / 2;
        steti_token_rules_begin(r);
        steti_token_rules_source(r, source.data(), static_cast<int>(half));
        steti_token_rules_source(r, source.data() + half, static_cast<int>(source.size() - half));
    }
    // What is listed, after a look at its form.
    Changes changes()
    {
        list.back() = {-7, 7.0f};
        int n = steti_token_rules_write(r, list.data());
        EXPECT_LT(static_cast<size_t>(n), list.size()) << "longer than the most it can be";
        EXPECT_EQ(list.back().id, -7) << "written behind the most it can be";
        Changes out;
        for (int i = 0; i < n; i++) {
            const steti_adjust &a = list[static_cast<size_t>(i)];
            EXPECT_TRUE(i == 0 || list[static_cast<size_t>(i) - 1].id < a.id) << "ascending";
            out[a.id] = a.factor;
        }
        return out;
    }
    steti_spec spec;
    steti_token_rules *r = nullptr;
    std::vector<steti_adjust> list;
};

TEST(TokenRules, EqualAPlainSecondComputation)
{
    std::mt19937 rng(11);
    size_t compared = 0, never = 0, scaled = 0, empty = 0;
    for (int round = 0; round < 400; round++) {
        Settings s = random_settings(rng);
        Rules rules(s);
        for (int output = 0; output < 3; output++) {
            Ids source = draw(rng, s.vocab, MAX_SRC), prefix;
            rules.begin(source);
            for (int32_t id : draw(rng, s.vocab, MAX_TGT)) {
                auto want = plainly(s, source, prefix);
                ASSERT_EQ(rules.changes(), want) << "round " << round;
                for (const auto &change : want) {
                    never += change.second < 0;
                    scaled += change.second > 0;
                }
                empty += want.empty();
                compared++;
                prefix.push_back(id);
                steti_token_rules_push(rules.r, id);
            }
        }
    }
    EXPECT_TRUE(compared > 5000 && never > 5000 && scaled > 5000 && empty > 20)
        << compared << " " << never << " " << scaled << " " << empty;
}

// A draft's branches: rows of one are as if the others had never been looked at.
TEST(TokenRules, BranchesThatAreTakenBackLeaveNothingBehind)
{
    std::mt19937 rng(12);
    size_t branches = 0;
    for (int round = 0; round < 200; round++) {
        Settings s = random_settings(rng);
        Rules rules(s);
        Ids source = draw(rng, s.vocab, MAX_SRC), trunk = draw(rng, s.vocab, MAX_TGT / 2);
        rules.begin(source);
        for (int32_t id : trunk) {
            steti_token_rules_push(rules.r, id);
        }
        for (int b = 0; b < 4; b++, branches++) {
            Ids prefix = trunk;
            for (int32_t id : draw(rng, s.vocab, MAX_TGT / 2)) {
                prefix.push_back(id);
                steti_token_rules_push(rules.r, id);
                ASSERT_EQ(rules.changes(), plainly(s, source, prefix)) << "branch " << b;
            }
            steti_token_rules_truncate(rules.r, static_cast<int>(trunk.size()));
            ASSERT_EQ(steti_token_rules_length(rules.r), static_cast<int>(trunk.size()));
            ASSERT_EQ(rules.changes(), plainly(s, source, trunk));
            ASSERT_EQ(rules.changes(), plainly(s, source, trunk)) << "asked twice";
        }
    }
    EXPECT_EQ(branches, 800u);
}

// The longest lists that there are: every token of source and output is another one.
TEST(TokenRules, TheLongestListFits)
{
    for (int vocab : {40, 600}) {
        Settings s{};
        s.vocab = vocab;
        s.no_repeat_ngram_size = s.encoder_no_repeat_ngram_size = 1;
        s.min_length = MAX_TGT + 1;
        s.n_start = MAX_TGT;
        s.repetition_penalty = s.encoder_reward = 1.5f;
        s.eos = {1, 2, 3};
        for (int32_t i = 0; i < 12; i++) {
            s.begin_suppress.push_back((60 + i) % vocab);
            s.bad_words.push_back({(4 + MAX_TGT - 1) % vocab, (80 + i) % vocab});
        }
        Rules rules(s);
        Ids source, prefix;
        for (int32_t i = 0; i < MAX_SRC; i++) {
            source.push_back((100 + i) % vocab);
        }
        rules.begin(source);
        for (int32_t i = 0; i < MAX_TGT; i++) {
            prefix.push_back(4 + i);
            steti_token_rules_push(rules.r, 4 + i);
        }
        auto got = rules.changes();
        EXPECT_EQ(got, plainly(s, source, prefix));
        EXPECT_EQ(got.size(), rules.list.size() - 1) << "the bound is reached";
    }
}

// The steps at which a rule begins and ends to hold.
TEST(TokenRules, EdgesAreThoseOfTransformers)
{
    Settings s{};
    s.vocab = 50;
    s.repetition_penalty = s.encoder_reward = 1.0f;
    s.eos = {1, 9};
    s.n_start = 2;
    s.min_length = 3;
    s.encoder_no_repeat_ngram_size = 3;
    s.no_repeat_ngram_size = 2;
    s.begin_suppress = {20, 20};
    s.bad_words = {{0, 30}, {40, 0, 31}, {0, 5, 32}};
    Rules rules(s);
    rules.begin({7, 0, 5, 33, 0, 5, 33, 1});
    EXPECT_EQ(rules.changes(), (Changes{{1, STETI_NEVER}, {9, STETI_NEVER}}));
    steti_token_rules_push(rules.r, 0); // shorter than the words and the source's runs but one
    EXPECT_EQ(rules.changes(), (Changes{{1, STETI_NEVER}, {9, STETI_NEVER}, {30, STETI_NEVER}}));
    steti_token_rules_push(rules.r, 5);
    EXPECT_EQ(rules.changes(), (Changes{{1, STETI_NEVER},
                                        {9, STETI_NEVER},
                                        {20, STETI_NEVER},
                                        {32, STETI_NEVER},
                                        {33, STETI_NEVER}}));
    steti_token_rules_push(rules.r, 0);
    EXPECT_EQ(rules.changes(), (Changes{{5, STETI_NEVER}, {30, STETI_NEVER}}));
}

TEST(TokenRules, SizesThatOverflowAreRefused)
{
    Settings s{};
    s.vocab = 50;
    s.eos = {1};
    s.min_length = 1;
    steti_spec spec = spec_of(s);
    EXPECT_EQ(steti_token_rules_most(&spec, 1000, 1000), 1u);
    EXPECT_GT(steti_token_rules_bytes(&spec, 10, 10), 80u);
    steti_token_rules_close(nullptr);
}

} // namespace
