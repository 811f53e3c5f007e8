// Folders with generation settings: the settings decide what comes out, and drafts, batches and
// retries change nothing about it. Their ids are compared with those of transformers in
// hf_families_test.cc.
#include "exact_cases.h"
#include "hf_fixture.h"
#include "wrapped_ops.h"

#include <algorithm>
#include <numeric>

using namespace stet_test;

namespace
{

using Change = std::function<void(steti_generation *)>;

const std::vector<std::pair<const char *, Change>> &settings()
{
    static const std::vector<std::pair<const char *, Change>> all = {
        {"no_repeat_ngram_size", [](steti_generation *g) { g->no_repeat_ngram = 0; }},
        {"encoder_no_repeat_ngram_size",
         [](steti_generation *g) { g->encoder_no_repeat_ngram = 0; }},
        {"repetition_penalty", [](steti_generation *g) { g->repeat_factor = 0; }},
        {"encoder_repetition_penalty", [](steti_generation *g) { g->encoder_factor = 0; }},
        {"min_length", [](steti_generation *g) { g->min_length = 0; }},
        {"begin_suppress_tokens", [](steti_generation *g) { g->n_begin = 0; }},
        {"bad_words_ids", [](steti_generation *g) { g->n_bad_words = 0; }},
        {"eos_token_id", [](steti_generation *g) { g->n_more_ends = 0; }}};
    return all;
}

class Generation : public ::testing::TestWithParam<std::string>
{
  protected:
    // Inputs whose greedy ids are not those of transformers once the rules were changed.
    size_t count_wrong(const std::function<void(steti_spec *)> &change) const
    {
        Folder f(GetParam(), STETI_F32, 1, nullptr, change);
        auto sources = f.stored.lists("sources", "source_lengths");
        auto want = f.stored.lists("outputs", "output_lengths");
        auto got = decode(f.net, options(f.net, &steti_draft_none, 0, 8), sources);
        size_t wrong = 0;
        for (size_t i = 0; i < sources.size(); i++) {
            wrong += got[i].ids != want[i];
        }
        return wrong;
    }
};

TEST_P(Generation, WithoutTheSettingsOtherIdsComeOut)
{
    EXPECT_EQ(count_wrong(nullptr), 0u);
    EXPECT_GT(count_wrong([](steti_spec *spec) {
                  for (const auto &setting : settings()) {
                      setting.second(&spec->generation);
                  }
              }),
              150u);
}

TEST_P(Generation, EachSettingCounts)
{
    steti_generation whole = Folder(GetParam()).net.spec.generation;
    size_t n_settings = 0;
    for (const auto &setting : settings()) {
        steti_generation without = whole;
        setting.second(&without);
        if (std::memcmp(&without, &whole, sizeof whole) != 0) {
            n_settings++;
            EXPECT_GT(count_wrong([&](steti_spec *spec) { setting.second(&spec->generation); }), 5u)
                << setting.first;
        }
    }
    EXPECT_GE(n_settings, 3u);
}

// Rules for the wrong row, or with a branch's tokens left out, would show here.
TEST_P(Generation, ABatchThatFailsIsDecodedOneByOne)
{
    static const steti_backend_ops *cpu = steti_cpu_backend();
    static steti_backend_ops ops = *cpu;
    static int most_rows;
    most_rows = 6;
    ops.argmax = [](steti_backend *b, const steti_argmax_params *p, stet_error *err) {
        return p->n_rows > most_rows ? steti_fail(err, STET_E_DEVICE, "too many rows")
                                     : cpu->argmax(b, p, err);
    };
    Folder plain(GetParam());
    auto sources = plain.stored.lists("sources", "source_lengths");
    sources.resize(60);
    auto want = decode(plain.net, options(plain.net, &steti_draft_none, 0, 1), sources);
    Net net(plain.path, STETI_F32, 1, nullptr, &ops, [&](steti_spec *spec) { plain.speak(spec); });
    for (const steti_draft_ops *policy : {&steti_draft_sad, &steti_draft_edit, &steti_draft_tree}) {
        auto o = options(net, policy, 0, 5);
        o.verify = 1;
        EXPECT_EQ(count_differing(decode(net, o, sources), want), 0u) << policy->name;
    }
}

INSTANTIATE_TEST_SUITE_P(Folders, Generation,
                         ::testing::Values("hf-bart-c", "hf-mbart-c", "hf-marian-c", "hf-m2m-100-c",
                                           "hf-mt5-b", "hf-mt5-c"),
                         [](const auto &param) {
                             std::string name = param.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

// Drafts of more rows than there are lists: they become shorter, which changes nothing.
TEST(GenerationRules, LongOutputsHaveShorterDrafts)
{
    Folder f("hf-mt5-b");
    auto sources = random_sources(1, f.net.spec.vocab_size, 5, 40);
    sources[0].resize(535, 30);
    auto o = engine_options(&steti_draft_none, 0, 1, 540);
    o.max_src = 540;
    auto want = decode(f.net, o, sources);
    EXPECT_GT(want[0].ids.size(), 2u);
    o.draft = &steti_draft_tree;
    auto got = decode(f.net, o, sources);
    EXPECT_EQ(count_differing(got, want), 0u);
    EXPECT_GT(got[0].counts.drafted, 500u);
}

// A folder may leave nothing to choose: its sentences fail, and say why.
TEST(GenerationRules, WhereAllTokensAreForbiddenTheSentenceFails)
{
    Net net(fixture("hf-bart-c"), STETI_F32, 1, nullptr, nullptr, [](steti_spec *spec) {
        spec->generation.n_begin = spec->vocab_size;
        std::iota(spec->generation.begin, spec->generation.begin + spec->vocab_size, 0);
    });
    ASSERT_LE(net.spec.vocab_size, STETI_BEGIN_MAX);
    auto o = options(net, &steti_draft_edit, 0, 2);
    steti_engine *engine = nullptr;
    ASSERT_EQ(steti_engine_open(net.model, net.backend, &o, &engine, nullptr), STET_OK);
    int32_t src[] = {20, 21}, out[HF_MAX_OUT + 1];
    stet_error err{};
    err.struct_size = sizeof err;
    steti_job job{};
    job.src = src;
    job.n_src = 2;
    job.out = out;
    EXPECT_EQ(steti_engine_run(engine, &job, 1, &err), STET_E_MODEL);
    EXPECT_NE(std::string(err.message).find("generation settings forbid"), std::string::npos)
        << err.message;
    steti_engine_close(engine);
}

// Folders without settings pay nothing for them, and those with settings say what they take.
TEST(GenerationRules, MemoryIsCounted)
{
    Net net(fixture("hf-bart-c"));
    auto o = options(net, &steti_draft_edit, 0, 4);
    steti_spec with = net.spec, without = net.spec, huge = net.spec;
    for (const auto &setting : settings()) {
        setting.second(&without.generation);
    }
    // A row for each token of four outputs; a change for each token of an output and its end.
    size_t tokens = static_cast<size_t>(net.spec.start.n + o.max_out);
    size_t lists = 4 * tokens * (tokens + 1) * sizeof(steti_adjust);
    size_t bytes = steti_engine_bytes(&with, &o), less = steti_engine_bytes(&without, &o);
    EXPECT_GE(bytes, less + lists);
    EXPECT_LE(bytes, less + lists + 2048);
    without.generation = steti_generation{};
    EXPECT_EQ(steti_engine_bytes(&without, &o), less);
    huge.vocab_size = 1 << 24;
    o.max_out = 1 << 23;
    EXPECT_EQ(steti_engine_bytes(&huge, &o), 0u) << "lists are counted in int32";
    huge.generation = steti_generation{};
    EXPECT_GT(steti_engine_bytes(&huge, &o), 0u);
}

} // namespace
