// The families of Hugging Face's transformers: logits and greedy ids against what that library said
// of the same folders (scripts/make_hf_fixtures.py), and drafted decoding against greedy decoding.
#include "exact_cases.h"
#include "hf_fixture.h"

#include <algorithm>
#include <cmath>

extern "C" {
#include "relative_bias.h"
}

using namespace stet_test;

namespace
{

const std::vector<std::string> &hf_folders()
{
    static const std::vector<std::string> names = {
        "hf-bart-a",   "hf-bart-b",   "hf-bart-c",   "hf-mbart-a",   "hf-mbart-b",   "hf-mbart-c",
        "hf-marian-a", "hf-marian-b", "hf-marian-c", "hf-m2m-100-a", "hf-m2m-100-b", "hf-m2m-100-c",
        "hf-t5-a",     "hf-t5-b",     "hf-t5-c",     "hf-mt5-a",     "hf-mt5-b",     "hf-mt5-c"};
    return names;
}

std::vector<Decoded> greedy_each(const Net &net, const std::vector<Ids> &sources)
{
    std::vector<Decoded> out;
    for (const auto &s : sources) {
        out.push_back(decode(net, options(net, &steti_draft_none, 0, 1), {s})[0]);
    }
    return out;
}

class HfFolder : public ::testing::TestWithParam<std::string>
{
};

std::string name_of(const ::testing::TestParamInfo<std::string> &param)
{
    std::string name = param.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

// Logits of the last n rows of `target`, which goes through the decoder in one pass.
std::vector<float> last_logits(const Net &net, const Ids &source, const Ids &target, size_t n)
{
    steti_session s{};
    steti_session_limits l{256, 1, 256, 64, 0};
    size_t vocab = static_cast<size_t>(net.spec.vocab_size), rows = target.size();
    l.max_src = std::min(l.max_src, steti_model_max_positions(net.model));
    EXPECT_EQ(steti_session_open(net.model, net.backend, &l, &s, nullptr), STET_OK);
    int32_t len = static_cast<int32_t>(source.size()), slot = steti_kv_acquire(&s.kv);
    steti_encode_batch eb{1, len, source.data(), &len, &slot};
    EXPECT_EQ(steti_model_encode(&s, &eb, nullptr), STET_OK);
    Ids pos, slots(rows, slot), out(rows);
    for (size_t i = 0; i < rows; i++) {
        pos.push_back(static_cast<int32_t>(i));
    }
    std::vector<float> logits(rows * vocab);
    steti_decode_batch db{};
    db.n_rows = static_cast<int>(rows);
    db.ids = target.data();
    db.pos = pos.data();
    db.slots = slots.data();
    db.out_ids = out.data();
    db.out_logits = logits.data();
    EXPECT_EQ(steti_model_decode(&s, &db, nullptr), STET_OK);
    steti_session_close(&s);
    return {logits.end() - static_cast<long>(n * vocab), logits.end()};
}

TEST_P(HfFolder, LogitsAgree)
{
    Folder f(GetParam());
    size_t vocab = static_cast<size_t>(f.net.spec.vocab_size), banned = 0, checked = 0;
    const int32_t *bans = f.net.spec.banned;
    for (int k = 0; k < 3; k++) {
        std::string i = std::to_string(k);
        auto want = f.stored.get<float>("logits_" + i);
        auto got = last_logits(f.net, f.stored.get<int32_t>("src_" + i),
                               f.stored.get<int32_t>("tgt_" + i), want.size() / vocab);
        ASSERT_EQ(got.size(), want.size());
        ASSERT_FALSE(want.empty());
        float largest = 0.0f;
        for (float w : want) {
            largest = std::fmax(largest, std::fabs(w));
        }
        for (size_t j = 0; j < want.size(); j++) {
            bool is_banned = std::count(bans, bans + f.net.spec.n_banned, j % vocab) > 0;
            banned += is_banned;
            checked += !is_banned;
            if (is_banned) {
                ASSERT_TRUE(std::isinf(got[j]) && got[j] < 0);
            } else {
                ASSERT_FALSE(!(std::fabs(got[j] - want[j]) <= 1e-4f * largest))
                    << "case " << k << " value " << j << ": " << got[j] << " against " << want[j];
            }
        }
    }
    EXPECT_EQ(banned, 15 * static_cast<size_t>(f.net.spec.n_banned));
    EXPECT_GT(checked, 15 * (vocab - 16));
}

TEST_P(HfFolder, GreedyIdsAreEqual)
{
    Folder f(GetParam());
    auto sources = f.stored.lists("sources", "source_lengths");
    auto want = f.stored.lists("outputs", "output_lengths");
    ASSERT_EQ(sources.size(), 500u);
    ASSERT_EQ(want.size(), 500u);
    auto got = decode(f.net, options(f.net, &steti_draft_none, 0, 8), sources);
    size_t wrong = 0, ended = 0,
           full = static_cast<size_t>(most_out(f.net.spec) - f.net.spec.forced_end);
    for (size_t i = 0; i < sources.size(); i++) {
        wrong += got[i].ids != want[i] || got[i].status != STET_OK;
        ended += got[i].finished;
        // A full output may have been ended by force, which counts as cut.
        if (want[i].size() != full) {
            EXPECT_EQ(got[i].finished, want[i].size() < full) << "input " << i;
        }
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_GT(ended, 40u) << "some outputs end by themselves";
}

TEST_P(HfFolder, DecoderStartsAsInTransformers)
{
    Folder f(GetParam());
    Ids want = f.stored.get<int32_t>("starts"), prefix = f.stored.get<int32_t>("prefix");
    Ids suffix = f.stored.get<int32_t>("suffix");
    const steti_spec &s = f.net.spec;
    EXPECT_EQ(Ids(s.start.id, s.start.id + s.start.n), want);
    EXPECT_EQ(Ids(s.src_prefix.id, s.src_prefix.id + s.src_prefix.n), prefix);
    EXPECT_EQ(Ids(s.src_suffix.id, s.src_suffix.id + s.src_suffix.n), suffix);
}

// Sources and outputs of the folder: an output as the source is often rewritten to something near.
std::vector<Ids> some_sources(const Folder &f)
{
    auto sources = f.stored.lists("sources", "source_lengths");
    auto outputs = f.stored.lists("outputs", "output_lengths");
    std::vector<Ids> out;
    size_t every = scale() > 1 ? 4 : 20;
    for (size_t i = 0; i < sources.size(); i += every) {
        out.push_back(i % (2 * every) == 0 ? sources[i] : outputs[i]);
    }
    out[2].clear();
    return out;
}

TEST_P(HfFolder, DraftsAndBatchesChangeNoBit)
{
    for (enum steti_dtype compute : {STETI_F32, STETI_I8}) {
        std::vector<Decoded> want;
        std::vector<Ids> sources;
        uint64_t accepted = 0;
        for (const auto &isa : all_isas()) {
            for (int threads : {1, 2}) {
                Folder f(GetParam(), compute, threads, isa.c_str());
                if (want.empty()) {
                    sources = some_sources(f);
                    want = greedy_each(f.net, sources);
                }
                for (const steti_draft_ops *policy :
                     {&steti_draft_none, &steti_draft_sad, &steti_draft_edit, &steti_draft_tree}) {
                    for (int batch : {1, 3, 8}) {
                        auto o = options(f.net, policy, threads == 1 ? 0 : 3, batch);
                        o.verify = batch == 3;
                        auto got = decode(f.net, o, sources);
                        ASSERT_EQ(count_differing(got, want), 0u)
                            << policy->name << " batch " << batch << " isa " << isa << " threads "
                            << threads << " compute " << steti_dtype_name(compute);
                        for (const auto &d : got) {
                            accepted += d.counts.accepted;
                        }
                    }
                }
            }
        }
        EXPECT_GT(accepted, 20u);
    }
}

INSTANTIATE_TEST_SUITE_P(Folders, HfFolder, ::testing::ValuesIn(hf_folders()), name_of);

TEST(RelativeBias, BucketsAreThoseOfTransformers)
{
    for (const char *name : {"hf-t5-a", "hf-t5-b", "hf-t5-c", "hf-mt5-a", "hf-mt5-b", "hf-mt5-c"}) {
        Folder f(name);
        for (int is_encoder : {0, 1}) {
            auto want =
                f.stored.get<uint8_t>(is_encoder != 0 ? "buckets_encoder" : "buckets_decoder");
            ASSERT_EQ(want.size(), 401u);
            for (int i = 0; i < 401; i++) {
                ASSERT_EQ(steti_relative_bucket(&f.net.spec, is_encoder, i - 200),
                          want[static_cast<size_t>(i)])
                    << name << " distance " << i - 200;
            }
        }
    }
}

// Drafts that are right from the first pass on, where a forced token may stand between the start
// and the first token of the text.
TEST_P(HfFolder, TheAnswerAsDraftIsTakenWhole)
{
    Folder f(GetParam());
    auto sources = f.stored.lists("sources", "source_lengths");
    auto outputs = f.stored.lists("outputs", "output_lengths");
    auto greedy = decode(f.net, options(f.net, &steti_draft_none, 0, 4), sources);
    size_t one_pass = 0, chosen = 0;
    for (size_t i = 0; i < sources.size(); i++) {
        if (outputs[i] == sources[i]) {
            chosen++;
            auto got = decode(f.net, options(f.net, &steti_draft_edit, 0, 1), {sources[i]});
            one_pass += got[0].same_bits(greedy[i]) && got[0].counts.passes == 1;
        }
    }
    EXPECT_EQ(one_pass, chosen);
}

} // namespace
