// The kernels of the decode loop, on fibers: what comes out is the answer, and every count is that
// of the host's policies (steti_replay).
#include "loop_kernels.h"

#include "plain_reentry.h"

extern "C" {
#include "replay.h"
}

using namespace stet_test;
using stet_shim::Order;

namespace
{

// Edit as the loop has it, without tokens of its own: the rules of plain_reentry.h as a policy.
struct PlainEdit {
    static Pieces &pieces()
    {
        static Pieces table;
        return table;
    }
    explicit PlainEdit(Ids src) : rule(std::move(src), pieces(), nullptr)
    {
    }
    PlainReentry rule;
    PlainBranch place;
    Ids draft;
    int reentries = 0;
};

// One object at a time.
const steti_draft_ops *plain_edit()
{
    static std::unique_ptr<PlainEdit> now;
    static steti_draft_ops ops = steti_draft_none;
    ops.begin = [](steti_draft *, const int32_t *src, int n) {
        now = std::make_unique<PlainEdit>(Ids(src, src + n));
    };
    ops.propose = [](steti_draft *, int, int budget, int32_t *out) {
        auto found = now->rule.branches(1);
        bool is_own = !found.empty() && !found[0].own.empty();
        now->place = found.empty() || is_own ? PlainBranch{{}, now->rule.expected} : found[0];
        now->draft = now->rule.copy(now->place, budget);
        now->reentries += !now->draft.empty() && now->rule.counts_as_reentry();
        std::copy(now->draft.begin(), now->draft.end(), out);
        return static_cast<int>(now->draft.size());
    };
    ops.accept = [](steti_draft *, const int32_t *emitted, int n, int, int matched) {
        PlayedPass p;
        p.draft = now->draft;
        p.matched = matched;
        now->rule.accept(p, Ids(emitted, emitted + n), p.draft.empty() ? nullptr : &now->place);
    };
    ops.reentries = [](const steti_draft *) { return now->reentries; };
    return &ops;
}

steti_counts replayed(const steti_draft_ops *draft, const LoopSettings &s, const Ids &text,
                      const Ids &answer)
{
    steti_replay_options o{};
    steti_replay_pair pair{text.data(), static_cast<int>(text.size()), answer.data(),
                           static_cast<int>(answer.size())};
    steti_replay *r = nullptr;
    steti_counts counts{};
    PlainEdit::pieces() = s.pieces;
    o.draft = draft;
    o.draft_window = s.window;
    o.max_src = 200;
    o.max_out = s.most_out;
    o.eos = END;
    EXPECT_EQ(steti_replay_open(&o, &r, nullptr), STET_OK);
    EXPECT_EQ(steti_replay_run(r, &pair, &counts, nullptr), STET_OK);
    steti_replay_close(r);
    return counts;
}

struct Pairs {
    std::vector<Ids> texts, answers;
};

// Now and then a text that holds an end, that is empty, or that is longer than a warp is wide.
Pairs random_pairs(std::mt19937 &rng, size_t n)
{
    Pairs p;
    p.texts.resize(n);
    p.answers.resize(n);
    for (size_t i = 0; i < n; i++) {
        random_pair(rng, &p.texts[i], &p.answers[i]);
        auto &text = p.texts[i], &answer = p.answers[i];
        answer.erase(std::remove(answer.begin(), answer.end(), END), answer.end());
        if (rng() % 6 == 0) {
            text.insert(text.end(), text.begin(), text.end());
        }
        if (rng() % 5 == 0) {
            text.insert(text.begin() + static_cast<long>(rng() % (text.size() + 1)), END);
        }
    }
    return p;
}

void expect_answers(LoopWorld *world, const LoopSettings &s, const Pairs &p)
{
    for (size_t i = 0; i < p.texts.size(); i++) {
        Played got = world->played(i);
        Ids want = p.answers[i], prefix;
        bool is_cut = want.size() >= static_cast<size_t>(s.most_out);
        want.resize(std::min(want.size(), static_cast<size_t>(s.most_out)));
        ASSERT_EQ(got.out, want) << "sentence " << i;
        ASSERT_EQ(got.state, is_cut ? STETI_CUDA_LOOP_FULL : STETI_CUDA_LOOP_ENDED);
        for (size_t k = 0; k < got.sums.size(); k++) {
            ASSERT_EQ(got.sums[k], sum_of(prefix)) << "sentence " << i << " token " << k;
            prefix.push_back(k < want.size() ? want[k] : END);
        }
    }
}

// A length limit now and then cuts in an answer, or lets none but one token out. Greedy decoding
// takes many passes and has few cases.
LoopSettings random_settings(std::mt19937 &rng)
{
    LoopSettings s;
    s.policy = rng() % 16 == 0  ? STETI_CUDA_LOOP_GREEDY
               : rng() % 2 == 0 ? STETI_CUDA_LOOP_SAD
                                : STETI_CUDA_LOOP_EDIT;
    s.window = std::vector<int>{1000, 1000, 16, 3, 1}[rng() % 5];
    s.most_out = std::vector<int>{100, 100, 100, 12, 1}[rng() % 5];
    s.order = std::vector<Order>{Order::ascending, Order::descending, Order::shuffled}[rng() % 3];
    s.pieces = rng() % 3 != 0 ? random_pieces(rng, 40) : Pieces{};
    s.ends = {END};
    return s;
}

TEST(LoopKernels, TokensAreTheAnswersAndCountsThoseOfTheHostsPolicies)
{
    const steti_draft_ops *const policies[] = {&steti_draft_none, &steti_draft_sad, plain_edit()};
    std::mt19937 rng(5);
    uint64_t reentries = 0, accepted[3] = {}, pairs[3] = {};
    for (int round = 0; round < 100 * scale(); round++) {
        LoopSettings s = random_settings(rng);
        Pairs p = random_pairs(rng, 1 + rng() % 60);
        LoopWorld world(s, p.texts, p.answers);
        world.run();
        expect_answers(&world, s, p);
        for (size_t i = 0; i < p.texts.size() && !HasFatalFailure(); i++) {
            Played got = world.played(i);
            steti_counts want = replayed(policies[s.policy], s, p.texts[i], p.answers[i]);
            std::string at = "round " + std::to_string(round) + " sentence " + std::to_string(i) +
                             " policy " + std::to_string(s.policy);
            ASSERT_EQ(static_cast<uint64_t>(got.passes), want.passes) << at;
            ASSERT_EQ(static_cast<uint64_t>(got.rows), want.rows) << at;
            ASSERT_EQ(static_cast<uint64_t>(got.drafted), want.drafted) << at;
            ASSERT_EQ(static_cast<uint64_t>(got.accepted), want.accepted) << at;
            ASSERT_EQ(static_cast<uint64_t>(got.reentries), want.reentries) << at;
            reentries += want.reentries;
            accepted[s.policy] += want.accepted;
            pairs[s.policy]++;
        }
    }
    EXPECT_GT(reentries, 100u);
    EXPECT_EQ(accepted[0], 0u);
    EXPECT_GT(accepted[1], 100u);
    EXPECT_GT(accepted[2], 100u);
    EXPECT_GT(pairs[0], 50u);
    EXPECT_GT(pairs[1], 1000u);
    EXPECT_GT(pairs[2], 1000u);
}

// What the test above would say of a verdict that accepts one token too many.
TEST(LoopKernels, OneTokenTooManyIsSeen)
{
    LoopSettings s;
    Pairs p = {{{5, 6, 7, 8, 9}}, {{5, 6, 17, 8, 9}}};
    LoopWorld right(s, p.texts, p.answers), wrong(s, p.texts, p.answers);
    wrong.is_flattered = true;
    right.run();
    wrong.run();
    EXPECT_EQ(right.played(0).out, p.answers[0]);
    EXPECT_NE(wrong.played(0).out, p.answers[0]);
}

TEST(LoopKernels, Examples)
{
    LoopSettings s;
    Ids text = {5, 6, 7, 8, 9, 10};
    Pairs p = {{text, text, text, {}, text, text},
               {text,                      // all of it
                {5, 6, 17, 8, 9, 10},      // a word replaced
                {5, 8, 9, 10},             // two left out
                {11, 12},                  // nothing to draft from
                {5, 6, 7, 8, 9, 10, 11},   // one more
                {5, 6, 17, 7, 8, 9, 10}}}; // one put in
    std::vector<int> want_passes = {1, 2, 2, 3, 2, 3};
    LoopWorld world(s, p.texts, p.answers);
    world.run();
    expect_answers(&world, s, p);
    for (size_t i = 0; i < p.texts.size(); i++) {
        EXPECT_EQ(world.played(i).passes, want_passes[i]) << i;
    }
    s.window = 0;
    LoopWorld greedy(s, p.texts, p.answers);
    greedy.run();
    expect_answers(&greedy, s, p);
    EXPECT_EQ(greedy.played(0).passes, 7);
}

// Each of several ends ends an output, and none of them is ever drafted.
TEST(LoopKernels, SeveralEnds)
{
    LoopSettings s;
    Pairs p = {{{5, OTHER_END, 7}, {END, OTHER_END}, {5, 6, END}, {OTHER_END}},
               {{5, 7}, {}, {5, 6}, {5, 7}}};
    for (const Ids &ends : {Ids{END, OTHER_END}, Ids{OTHER_END, END}}) {
        s.ends = ends; // the last one is what the model says
        LoopWorld world(s, p.texts, p.answers);
        world.launch_rows();
        EXPECT_EQ(world.drafted(), (std::vector<int>{1, 0, 2, 0}));
        LoopWorld whole(s, p.texts, p.answers);
        whole.run();
        expect_answers(&whole, s, p);
    }
}

// The rows that a sentence has before its first token are those of all start tokens.
TEST(LoopKernels, TwoStartTokens)
{
    std::mt19937 rng(8);
    for (int round = 0; round < 6; round++) {
        LoopSettings s = random_settings(rng);
        s.start = {START, 40};
        Pairs p = random_pairs(rng, 9);
        LoopWorld world(s, p.texts, p.answers);
        world.run();
        expect_answers(&world, s, p);
    }
}

// plan_rows of host/engine/slots.c, written again.
std::vector<int> shares(const std::vector<int> &wanted, int budget)
{
    std::vector<int> used;
    int free_rows = budget, left = 0;
    for (int w : wanted) {
        free_rows -= w >= 0;
        left += w >= 0;
    }
    for (int w : wanted) {
        used.push_back(w < 0 ? -1 : std::max(0, std::min(w, free_rows / left)));
        free_rows -= std::max(0, used.back());
        left -= w >= 0;
    }
    return used;
}

TEST(LoopKernels, RowsAreSharedAsTheHostSharesThem)
{
    std::mt19937 rng(6);
    int limited = 0, passes = 0;
    for (int round = 0; round < 15; round++) {
        LoopSettings s = random_settings(rng), unlimited;
        Pairs p = random_pairs(rng, 1 + rng() % 70);
        s.policy = STETI_CUDA_LOOP_EDIT;
        s.budget = static_cast<int>(p.texts.size() * (1 + rng() % 12));
        LoopWorld world(s, p.texts, p.answers);
        for (world.launch_rows(); world.head()->n_rows > 0 && !HasFatalFailure(); passes++) {
            std::vector<int> wanted, got = world.drafted();
            for (size_t i = 0; i < p.texts.size(); i++) {
                const auto &now = world.seq(i)->now;
                int room = s.most_out - now.n_out - 1;
                wanted.push_back(got[i] < 0 ? -1 : std::min({now.draftable, s.window, room}));
            }
            ASSERT_EQ(got, shares(wanted, s.budget)) << "round " << round;
            limited += got != wanted;
            world.one_pass();
        }
        expect_answers(&world, s, p);
    }
    EXPECT_GT(limited, 20);
    EXPECT_GT(passes - limited, 20);
}

TEST(LoopKernels, ARowWithoutAnAnswerStopsItsSentenceOnly)
{
    std::mt19937 rng(7);
    for (int round = 0; round < 6; round++) {
        LoopSettings s = random_settings(rng);
        s.most_out = 100;
        Pairs p = random_pairs(rng, 12);
        std::vector<int> nan_at(12, -1);
        size_t sick = rng() % 12;
        nan_at[sick] = static_cast<int>(rng() % (p.answers[sick].size() + 1));
        LoopWorld world(s, p.texts, p.answers, nan_at);
        world.run();
        Played got = world.played(sick);
        EXPECT_EQ(got.state, STETI_CUDA_LOOP_NAN);
        EXPECT_EQ(got.out, Ids(p.answers[sick].begin(), p.answers[sick].begin() + nan_at[sick]));
        EXPECT_EQ(got.sums.size(), got.out.size());
        LoopWorld well(s, p.texts, p.answers);
        well.run();
        for (size_t i = 0; i < 12; i++) {
            Played a = world.played(i), b = well.played(i);
            EXPECT_TRUE(i == sick || (a.out == b.out && a.sums == b.sums && a.rows == b.rows &&
                                      a.state == STETI_CUDA_LOOP_ENDED));
        }
    }
}

TEST(LoopKernels, EndsWhereItIsToldTo)
{
    std::mt19937 rng(9);
    LoopSettings s;
    s.window = 2;
    Pairs p = random_pairs(rng, 30);
    LoopWorld free_world(s, p.texts, p.answers);
    size_t all = free_world.run().size();
    std::vector<int> lengths;
    for (size_t i = 0; i < 30; i++) {
        lengths.push_back(free_world.played(i).passes);
    }
    std::sort(lengths.begin(), lengths.end());
    ASSERT_GT(all, 10u);
    for (int most : {1, 3, 8}) {
        s.max_passes = most;
        LoopWorld world(s, p.texts, p.answers);
        EXPECT_EQ(world.run().size(), static_cast<size_t>(most));
    }
    s.max_passes = 1000;
    for (int done : {1, 5, 30}) {
        s.stop_done = done;
        LoopWorld world(s, p.texts, p.answers);
        EXPECT_EQ(world.run().size(), static_cast<size_t>(lengths[static_cast<size_t>(done) - 1]));
    }
}

} // namespace
