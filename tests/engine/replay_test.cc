// Replay against the engine itself and against a second computation; the costs of batches against
// a plain simulation.
#include "net_fixture.h"

#include <algorithm>
#include <array>
#include <queue>

extern "C" {
#include "replay.h"
}

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

constexpr int32_t END = 1;

steti_replay_options replay_options(const steti_draft_ops *draft, int window, int max_out,
                                    int32_t eos = END)
{
    steti_replay_options o{};
    o.draft = draft;
    o.draft_window = window;
    o.max_src = 64;
    o.max_out = max_out;
    o.eos = eos;
    return o;
}

std::vector<steti_counts> replay(const steti_replay_options &o, const std::vector<Ids> &sources,
                                 const std::vector<Ids> &answers)
{
    std::vector<steti_counts> counts(sources.size());
    steti_replay *r = nullptr;
    EXPECT_EQ(steti_replay_open(&o, &r, nullptr), STET_OK);
    for (size_t i = 0; i < sources.size(); i++) {
        steti_replay_pair pair{sources[i].data(), static_cast<int>(sources[i].size()),
                               answers[i].data(), static_cast<int>(answers[i].size())};
        EXPECT_EQ(steti_replay_run(r, &pair, &counts[i], nullptr), STET_OK);
    }
    steti_replay_close(r);
    return counts;
}

void expect_same(const steti_counts &got, const steti_counts &want, const std::string &where)
{
    EXPECT_EQ(got.passes, want.passes) << where;
    EXPECT_EQ(got.rows, want.rows) << where;
    EXPECT_EQ(got.drafted, want.drafted) << where;
    EXPECT_EQ(got.accepted, want.accepted) << where;
    EXPECT_EQ(got.reentries, want.reentries) << where;
}

// A source over a small vocabulary and an answer made from it by random edits.
void random_pair(std::mt19937 &rng, Ids *src, Ids *answer)
{
    unsigned vocab = 3 + rng() % 40, len = rng() % 50;
    src->clear();
    answer->clear();
    for (unsigned i = 0; i < len; i++) {
        src->push_back(static_cast<int32_t>(3 + rng() % vocab));
    }
    for (int32_t id : *src) {
        unsigned what = rng() % 16;
        if (what < 2) {
            answer->push_back(static_cast<int32_t>(3 + rng() % (vocab + 3)));
        }
        if (what != 0 && what != 2) {
            answer->push_back(id);
        }
    }
}

std::vector<steti_draft_piece> random_pieces(std::mt19937 &rng, size_t n)
{
    std::vector<steti_draft_piece> pieces(n);
    for (auto &p : pieces) {
        p.flags = static_cast<uint8_t>(rng() % 4);
        p.length = static_cast<uint8_t>(1 + rng() % 6);
        p.first = static_cast<uint16_t>('a' + rng() % 4);
    }
    return pieces;
}

// The decoding loop written out again, over vectors: which branch agrees longest with what is still
// to be said.
steti_counts play(const steti_draft_ops *ops, int window, const Ids &src, const Ids &answer,
                  const std::vector<steti_draft_piece> &pieces)
{
    steti_draft_limits l{64, 200, pieces.data(), static_cast<int>(pieces.size()), nullptr};
    steti_draft *d = nullptr;
    steti_counts c{};
    Ids said = answer;
    said.push_back(END);
    EXPECT_EQ(ops->open(&l, &d, nullptr), STET_OK);
    ops->begin(d, src.data(), static_cast<int>(src.size()));
    for (size_t at = 0; at < said.size();) {
        int best = -1, best_branch = 0;
        c.passes++;
        c.rows++;
        for (int b = 0; b <= ops->n_side; b++) {
            int budget = window > 0 ? window : 150;
            budget = b == 0 ? budget : std::min(budget, ops->side_length);
            Ids draft(static_cast<size_t>(budget) + 1);
            draft.resize(static_cast<size_t>(ops->propose(d, b, budget, draft.data())));
            size_t left = said.size() - 1 - at;
            auto end = draft.begin() + static_cast<long>(std::min(left, draft.size()));
            auto miss = std::mismatch(draft.begin(), end, said.begin() + static_cast<long>(at));
            int matched = static_cast<int>(miss.first - draft.begin());
            if (!draft.empty() && matched > best) {
                best = matched;
                best_branch = b;
            }
            c.rows += draft.size();
            c.drafted += draft.size();
        }
        size_t n = static_cast<size_t>(std::max(best, 0)) + 1;
        ops->accept(d, said.data() + at, static_cast<int>(n), best_branch, static_cast<int>(n) - 1);
        c.accepted += n - 1;
        at += n;
    }
    c.reentries = static_cast<uint64_t>(ops->reentries(d));
    ops->close(d);
    return c;
}

TEST(Replay, EqualsASecondComputation)
{
    std::mt19937 rng(5);
    auto pieces = random_pieces(rng, 50);
    for (const steti_draft_ops *const *p = steti_draft_list(); *p != nullptr; p++) {
        for (int window : {0, 1, 2, 5, 17, 100}) {
            std::vector<Ids> src(60), answer(60);
            for (size_t i = 0; i < src.size(); i++) {
                random_pair(rng, &src[i], &answer[i]);
            }
            auto o = replay_options(*p, window, 150);
            o.pieces = pieces.data();
            o.n_pieces = static_cast<int>(pieces.size());
            auto got = replay(o, src, answer);
            for (size_t i = 0; i < src.size(); i++) {
                expect_same(got[i], play(*p, window, src[i], answer[i], pieces),
                            std::string((*p)->name) + ", window " + std::to_string(window));
            }
        }
    }
}

TEST(Replay, CountsThatCanBeToldByHand)
{
    Ids src{5, 6, 7, 8, 9, 10, 11}, changed = src;
    changed[3] = 20;
    for (const steti_draft_ops *ops : {&steti_draft_edit, &steti_draft_sad}) {
        auto c = replay(replay_options(ops, 0, 32), {src, {}, src}, {src, {}, {}});
        EXPECT_EQ(c[0].passes, 1u) << "nothing to correct: one pass";
        EXPECT_EQ(c[0].rows, 8u);
        EXPECT_EQ(c[0].accepted, 7u);
        EXPECT_EQ(c[1].passes, 1u) << "an empty sentence is its end";
        EXPECT_EQ(c[1].rows, 1u);
        EXPECT_EQ(c[2].passes, 1u) << "everything is deleted";
        EXPECT_EQ(c[2].accepted, 0u);
        EXPECT_EQ(replay(replay_options(ops, 3, 32), {src}, {src})[0].passes, 2u);
    }
    auto replaced = [&](const steti_draft_ops *ops) {
        return replay(replay_options(ops, 0, 32), {src}, {changed})[0].passes;
    };
    EXPECT_EQ(replaced(&steti_draft_edit), 2u) << "goes on behind the replaced token";
    EXPECT_EQ(replaced(&steti_draft_sad), 3u) << "needs a token of the source to come back";
    EXPECT_EQ(replaced(&steti_draft_none), 8u);
}

TEST(Replay, EndOfSentenceTokensAreNeverDrafted)
{
    Ids src{5, 6, END, 7}, answer{5, 6};
    auto c = replay(replay_options(&steti_draft_sad, 0, 32), {src}, {answer})[0];
    EXPECT_EQ(c.passes, 1u);
    EXPECT_EQ(c.drafted, 2u);
}

// Random models: what they answer is nonsense, but the counts must agree wherever it ends or is
// cut.
TEST(Replay, EqualsTheEngineOnItsOwnOutput)
{
    std::mt19937 rng(8);
    for (const char *name : {"edgeformer-a", "transformer-learned", "transformer-post"}) {
        Net net(fixture(name), STETI_F32, 1);
        ASSERT_EQ(net.status, STET_OK) << net.err.message;
        auto sources = random_sources(24, net.spec.vocab_size, 4, 40);
        auto pieces = random_pieces(rng, static_cast<size_t>(net.spec.vocab_size));
        for (const steti_draft_ops *const *p = steti_draft_list(); *p != nullptr; p++) {
            for (auto [window, batch, max_out] :
                 {std::array{0, 1, 50}, std::array{3, 4, 30}, std::array{6, 2, 9}}) {
                auto eo = engine_options(*p, window, batch, max_out);
                eo.pieces = pieces.data();
                eo.n_pieces = net.spec.vocab_size;
                auto decoded = decode(net, eo, sources);
                std::vector<Ids> answers;
                for (const auto &d : decoded) {
                    answers.push_back(d.ids);
                }
                auto ro = replay_options(*p, window, max_out, net.spec.eos_id);
                ro.pieces = pieces.data();
                ro.n_pieces = net.spec.vocab_size;
                auto got = replay(ro, sources, answers);
                for (size_t i = 0; i < got.size(); i++) {
                    expect_same(got[i], decoded[i].counts, std::string(name) + " " + (*p)->name);
                }
            }
        }
    }
}

TEST(Replay, RefusesWhatDoesNotFit)
{
    stet_error err{};
    err.struct_size = sizeof err;
    steti_replay *r = nullptr;
    auto good = replay_options(&steti_draft_tree, 4, 8);
    std::vector<steti_replay_options> bad(4, good);
    bad[0].draft = nullptr;
    bad[1].draft_window = -1;
    bad[2].max_src = -1;
    bad[3].max_out = 0;
    for (const auto &o : bad) {
        EXPECT_EQ(steti_replay_open(&o, &r, &err), STET_E_INVALID);
        EXPECT_EQ(r, nullptr);
    }
    ASSERT_EQ(steti_replay_open(&good, &r, &err), STET_OK);
    Ids src(65, 5);
    steti_counts c{};
    steti_replay_pair pair{src.data(), 65, src.data(), 65};
    EXPECT_EQ(steti_replay_run(r, &pair, &c, &err), STET_E_TOO_LONG);
    EXPECT_NE(std::string(err.message).find("65"), std::string::npos);
    pair.n_src = 64;
    EXPECT_EQ(steti_replay_run(r, &pair, &c, &err), STET_OK);
    EXPECT_EQ(c.accepted + c.passes, 8u) << "cut at max_out";
    steti_replay_close(r);
    steti_replay_close(nullptr);
}

TEST(Replay, NothingIsAllocatedBetweenOpenAndClose)
{
    for (const steti_draft_ops *const *p = steti_draft_list(); *p != nullptr; p++) {
        steti_alloc_stats before{}, after{};
        auto o = replay_options(*p, 0, 130);
        steti_replay *r = nullptr;
        std::mt19937 rng(3);
        Ids src, answer;
        ASSERT_EQ(steti_replay_open(&o, &r, nullptr), STET_OK);
        steti_alloc_get_stats(&before);
        for (int i = 0; i < 20; i++) {
            random_pair(rng, &src, &answer);
            steti_counts c{};
            steti_replay_pair pair{src.data(), static_cast<int>(src.size()), answer.data(),
                                   static_cast<int>(answer.size())};
            EXPECT_EQ(steti_replay_run(r, &pair, &c, nullptr), STET_OK);
        }
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.calls, before.calls);
        steti_replay_close(r);
    }
}

// ---- batches ----

// Pass by pass: every slot works on a sentence or is empty; `wait` keeps free slots empty until all
// are.
uint64_t simulate(const std::vector<steti_counts> &sentences, size_t size, bool wait)
{
    std::queue<uint64_t> waiting;
    std::vector<uint64_t> left(size, 0);
    uint64_t passes = 0;
    for (const auto &s : sentences) {
        waiting.push(s.passes);
    }
    for (;;) {
        bool all_free = std::all_of(left.begin(), left.end(), [](uint64_t n) { return n == 0; });
        if (all_free && waiting.empty()) {
            return passes;
        }
        for (auto &n : left) {
            if (n == 0 && !waiting.empty() && (!wait || all_free)) {
                n = waiting.front();
                waiting.pop();
            }
        }
        passes++;
        for (auto &n : left) {
            n -= n > 0;
        }
    }
}

TEST(Replay, CostsOfBatchesEqualAPlainSimulation)
{
    std::mt19937 rng(11);
    for (size_t n : {1, 2, 7, 64, 201}) {
        for (size_t size : {1, 2, 3, 8, 32, 300}) {
            std::vector<steti_counts> sentences(n);
            uint64_t sum = 0, most = 0;
            for (auto &s : sentences) {
                s.passes = 1 + rng() % (rng() % 5 == 0 ? 40 : 6);
                sum += s.passes;
                most = std::max(most, s.passes);
            }
            std::vector<uint64_t> ends(size, 99);
            uint64_t lock = steti_replay_lock_step(sentences.data(), n, size);
            uint64_t continuous = steti_replay_continuous(sentences.data(), n, size, ends.data());
            EXPECT_EQ(lock, simulate(sentences, size, true));
            EXPECT_EQ(continuous, simulate(sentences, size, false));
            EXPECT_LE(continuous, lock);
            EXPECT_GE(continuous, std::max(most, (sum + size - 1) / size));
            if (size == 1) {
                EXPECT_EQ(lock, sum);
                EXPECT_EQ(continuous, sum);
            }
        }
    }
}

} // namespace
