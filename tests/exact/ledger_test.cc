// The ledger: random mixes of fixture, policy, window, batch, threads, instruction set and compute
// type, until a number of tokens was decoded both ways. STET_LEDGER_TOKENS and STET_LEDGER_SEED
// make it as long as one likes.
#include "exact_cases.h"

#include <cstdio>

using namespace stet_test;

namespace
{

unsigned long from_environment(const char *name, unsigned long otherwise)
{
    const char *text = std::getenv(name);
    return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

struct Ledger {
    size_t tokens = 0, differing_tokens = 0, differing_bits = 0, sentences = 0, passes = 0;

    void add(const Decoded &got, const Decoded &want)
    {
        size_t n = std::max(got.ids.size(), want.ids.size());
        for (size_t i = 0; i < n; i++) {
            differing_tokens +=
                i >= got.ids.size() || i >= want.ids.size() || got.ids[i] != want.ids[i];
        }
        for (size_t i = 0; i < std::min(got.logprob.size(), want.logprob.size()); i++) {
            differing_bits += std::memcmp(&got.logprob[i], &want.logprob[i], sizeof(float)) != 0;
        }
        differing_tokens += got.finished != want.finished || got.status != want.status;
        tokens += want.ids.size() + want.finished;
        passes += got.counts.passes;
        sentences++;
    }
};

TEST(Ledger, NoTokenDiffers)
{
    unsigned long goal = from_environment("STET_LEDGER_TOKENS", 3000),
                  seed = from_environment("STET_LEDGER_SEED", 1);
    const char *folder = std::getenv("STET_LEDGER_MODEL");
    std::mt19937 rng(static_cast<unsigned>(seed));
    Ledger ledger;
    while (ledger.tokens < goal) {
        std::string path =
            folder != nullptr ? folder : fixture(all_fixtures()[rng() % all_fixtures().size()]);
        enum steti_dtype compute = rng() % 2 ? STETI_I8 : STETI_F32;
        int threads = 1 + static_cast<int>(rng() % 3), window = static_cast<int>(rng() % 18);
        int batch = 1 + static_cast<int>(rng() % 12);
        const std::string &isa = all_isas()[rng() % all_isas().size()];
        const steti_draft_ops *policy = rng() % 2 ? &steti_draft_sad : &steti_draft_edit;
        Net net(path, compute, threads, isa.c_str());
        ASSERT_EQ(net.status, STET_OK) << net.err.message;
        auto sources = echo_sources(net, 20, rng(), 40);
        auto want = decode(net, engine_options(&steti_draft_none, 0, 1, 50), sources);
        auto got = decode(net, engine_options(policy, window, batch, 50), sources);
        for (size_t i = 0; i < sources.size(); i++) {
            ledger.add(got[i], want[i]);
        }
    }
    std::printf("ledger: seed %lu, %zu sentences, %zu tokens, %zu passes, %zu differing tokens, "
                "%zu differing logit bits\n",
                seed, ledger.sentences, ledger.tokens, ledger.passes, ledger.differing_tokens,
                ledger.differing_bits);
    EXPECT_EQ(ledger.differing_tokens, 0u);
    EXPECT_EQ(ledger.differing_bits, 0u);
    EXPECT_LT(ledger.passes, ledger.tokens) << "no draft was ever right";
}

} // namespace
