// The ledger: random mixes of fixture, policy, piece table, window, batch, threads, instruction set
// and compute type, with sentences that are cancelled on the way, until a number of tokens was
// decoded both ways. STET_LEDGER_TOKENS and STET_LEDGER_SEED make it as long as one likes,
// STET_LEDGER_MODEL takes another model, STET_LEDGER_REPORT names a file for its counts
// (perf/lossless/ledger.sh).
#include "exact_cases.h"
#include "random_pieces.h"
#include "wrapped_ops.h"

#include <cstdio>
#include <fstream>
#include <map>
#include <memory>

using namespace stet_test;

namespace
{

using Sources = std::vector<std::vector<int32_t>>;

constexpr int MAX_OUT = 50, SETTINGS = 8; // settings that one set of sentences is decoded in

unsigned long from_environment(const char *name, unsigned long otherwise)
{
    const char *text = std::getenv(name);
    return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

// What one set of sentences is decoded with. Half of the sets compare scores that are hashes of
// complete rows of logits, because a log probability does not have all their bits.
struct Setting {
    std::string isa;
    enum steti_dtype compute = STETI_F32;
    int threads = 1;
    bool all_logits = false;
    steti_engine_options options{};
    Pieces pieces;
    std::shared_ptr<Spelling> spelling;
};

struct Ledger {
    size_t sets = 0, sentences = 0, tokens = 0, passes = 0, accepted = 0, full_rows = 0;
    size_t cancelled = 0, cancelled_tokens = 0;
    size_t differing_tokens = 0, differing_bits = 0;
    std::map<std::string, std::map<std::string, size_t>> tokens_by;

    // How many tokens and scores differ; of a cancelled sentence in those that it has.
    void compare(const Decoded &got, const Decoded &want, bool was_cancelled)
    {
        size_t n = was_cancelled ? got.ids.size() : std::max(got.ids.size(), want.ids.size());
        for (size_t i = 0; i < n; i++) {
            differing_tokens +=
                i >= got.ids.size() || i >= want.ids.size() || got.ids[i] != want.ids[i];
        }
        n = was_cancelled ? got.logprob.size() : std::max(got.logprob.size(), want.logprob.size());
        for (size_t i = 0; i < n; i++) {
            differing_bits += i >= got.logprob.size() || i >= want.logprob.size() ||
                              std::memcmp(&got.logprob[i], &want.logprob[i], sizeof(float)) != 0;
        }
        if (!was_cancelled) {
            differing_tokens += got.finished != want.finished || got.status != want.status;
        }
    }

    void add(const Setting &s, const Decoded &got, const Decoded &want)
    {
        bool was_cancelled = got.status == STET_E_CANCELLED;
        size_t n = want.ids.size() + want.finished;
        compare(got, want, was_cancelled);
        passes += got.counts.passes;
        accepted += got.counts.accepted;
        if (was_cancelled) {
            cancelled++;
            cancelled_tokens += got.ids.size();
            return;
        }
        sentences++;
        tokens += n;
        full_rows += s.all_logits ? n : 0;
        tokens_by["policy"][s.options.draft->name] += n;
        tokens_by["compute type"][s.compute == STETI_I8 ? "int8" : "float32"] += n;
        tokens_by["threads"][std::to_string(s.threads)] += n;
        tokens_by["instruction set"][s.isa] += n;
        tokens_by["pieces"][s.pieces.empty() ? "unknown" : "random table"] += n;
    }

    void write(const char *path) const
    {
        std::ofstream f(path);
        f << "| count | value |\n|---|---:|\n"
          << "| tokens compared | " << tokens << " |\n"
          << "| of them with all logits of their row | " << full_rows << " |\n"
          << "| sentences | " << sentences << " |\n"
          << "| cancelled sentences, beside these | " << cancelled << " |\n"
          << "| their tokens, also compared | " << cancelled_tokens << " |\n"
          << "| passes | " << passes << " |\n"
          << "| drafted tokens accepted | " << accepted << " |\n"
          << "| **differing tokens** | **" << differing_tokens << "** |\n"
          << "| **differing scores (bits)** | **" << differing_bits << "** |\n\n"
          << "| tokens by | | |\n|---|---|---:|\n";
        for (const auto &[what, counts] : tokens_by) {
            for (const auto &[value, n] : counts) {
                f << "| " << what << " | " << value << " | " << n << " |\n";
            }
        }
    }
};

// Portable float32 kernels are a hundred times slower than the others, and more threads than
// processors wait for each other most of the time: both are taken seldom and for a part of the
// sentences.
const std::string &random_isa(std::mt19937 &rng, bool may_be_slow)
{
    size_t n = all_isas().size(), i = rng() % n;
    return all_isas()[i == 0 && n > 1 && !may_be_slow ? 1 + rng() % (n - 1) : i];
}

bool is_slow(const Setting &s)
{
    return s.threads > 2 || s.isa == "portable";
}

Setting random_setting(std::mt19937 &rng, const Setting &reference, int vocab)
{
    Setting s = reference;
    const steti_draft_ops *const *policies = steti_draft_list();
    s.isa = random_isa(rng, rng() % 8 == 0);
    unsigned threads = rng() % 16;
    s.threads = threads < 5 ? 2 : threads == 5 ? 3 : 1;
    if (rng() % 4 != 0) {
        s.pieces = random_pieces(rng, 1 + rng() % static_cast<unsigned>(vocab + 20));
    }
    s.options =
        engine_options(policies[rng() % 4], STETI_WINDOW_AUTO + static_cast<int>(rng() % 18),
                       1 + static_cast<int>(rng() % 12), MAX_OUT);
    s.options.pieces = s.pieces.empty() ? nullptr : s.pieces.data();
    s.options.n_pieces = static_cast<int>(s.pieces.size());
    if (s.pieces.size() % 4 != 0) { /* draws from numbers of its own: the settings stay the same */
        std::mt19937 letters(static_cast<unsigned>(s.pieces.size()));
        s.spelling = random_spelling(letters, s.pieces.size());
        s.options.spelling = s.spelling->view();
    }
    return s;
}

std::unique_ptr<Net> open_net(const std::string &folder, const Setting &s)
{
    auto net = std::make_unique<Net>(folder, s.compute, s.threads, s.isa.c_str(),
                                     s.all_logits ? hashing_ops() : nullptr);
    EXPECT_EQ(net->status, STET_OK) << net->err.message;
    return net;
}

// One set of sentences: greedy and alone on one thread, then in several settings.
void compare_set(Ledger *ledger, std::mt19937 &rng, const std::string &folder, size_t n,
                 unsigned long goal)
{
    Setting reference;
    reference.isa = random_isa(rng, false);
    reference.compute = rng() % 2 ? STETI_I8 : STETI_F32;
    reference.all_logits = ledger->sets++ % 2 != 0;
    auto net = open_net(folder, reference);
    ASSERT_EQ(net->status, STET_OK);
    Sources sources = echo_sources(*net, n, rng(), 40);
    auto want = decode(*net, engine_options(&steti_draft_none, 0, 1, MAX_OUT), sources);
    for (int k = 0; k < SETTINGS && ledger->tokens < goal; k++) {
        Setting s = random_setting(rng, reference, net->spec.vocab_size);
        auto other = open_net(folder, s);
        auto end = sources.begin() + static_cast<long>(is_slow(s) ? (n + 7) / 8 : n);
        Sources some(sources.begin(), end);
        std::vector<Cancel> cancels(some.size());
        for (auto &c : cancels) {
            c.passes = rng() % 8 == 0 ? static_cast<int>(rng() % 12) : INT_MAX;
        }
        auto got = decode(*other, s.options, some, &cancels);
        for (size_t i = 0; i < got.size(); i++) {
            ledger->add(s, got[i], want[i]);
        }
    }
}

TEST(Ledger, NoTokenDiffers)
{
    unsigned long goal = from_environment("STET_LEDGER_TOKENS", 10000),
                  seed = from_environment("STET_LEDGER_SEED", 1);
    const char *folder = std::getenv("STET_LEDGER_MODEL"), *report = nullptr;
    std::mt19937 rng(static_cast<unsigned>(seed));
    Ledger ledger;
    while (ledger.tokens < goal && !HasFatalFailure()) {
        const auto &names = all_fixtures();
        std::string path = folder != nullptr ? folder : fixture(names[rng() % names.size()]);
        compare_set(&ledger, rng, path, goal < 100000 ? 8 : 48, goal);
    }
    std::printf("ledger: seed %lu, %zu sentences, %zu cancelled, %zu tokens, %zu passes, "
                "%zu differing tokens, %zu differing logit bits\n",
                seed, ledger.sentences, ledger.cancelled, ledger.tokens, ledger.passes,
                ledger.differing_tokens, ledger.differing_bits);
    report = std::getenv("STET_LEDGER_REPORT");
    if (report != nullptr) {
        ledger.write(report);
    }
    EXPECT_EQ(ledger.differing_tokens, 0u);
    EXPECT_EQ(ledger.differing_bits, 0u);
    EXPECT_LT(ledger.passes, ledger.tokens) << "no draft was ever right";
    EXPECT_GT(ledger.full_rows, 0u);
    EXPECT_GT(ledger.cancelled_tokens, 0u);
}

} // namespace
