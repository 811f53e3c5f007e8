// The loop of the CUDA backend by itself: against the same recording replayed row by row, with
// wrong parameters, and with every call of the runtime failing once.
#include "tiny_decoder.h"

using stet_shim::device;

namespace
{

void ExpectSame(const Output &got, const Output &want, const std::string &at)
{
    EXPECT_EQ(got.ids, want.ids) << at;
    EXPECT_EQ(got.ended, want.ended) << at;
    ASSERT_EQ(got.scores.size(), want.scores.size()) << at;
    EXPECT_EQ(std::memcmp(got.scores.data(), want.scores.data(), got.scores.size() * sizeof(float)),
              0)
        << at;
}

/* Texts that make drafts right and wrong: what greedy decoding gives, changed here and there. */
std::vector<std::vector<int32_t>> Texts(const std::vector<Output> &want)
{
    std::vector<std::vector<int32_t>> texts;
    for (const Output &o : want) {
        texts.push_back(o.ids);
    }
    if (texts[0].size() > 3) {
        texts[0].erase(texts[0].begin() + 2);
    }
    if (texts[1].size() > 4) {
        texts[1][3] = 11;
    }
    texts[3].clear();
    return texts;
}

/* Calls until all have ended; several where `most` passes do not do. */
int RunToTheEnd(TinyDecoder *d, steti_loop *loop, Sentences *s, int most)
{
    int calls = 0;
    std::vector<size_t> live;
    do {
        std::vector<steti_loop_seq> now;
        live.clear();
        for (size_t i = 0; i < s->seqs.size(); i++) {
            if (s->seqs[i].state == STETI_LOOP_RUNNING) {
                live.push_back(i);
                now.push_back(s->seqs[i]);
            }
        }
        if (live.empty()) {
            return calls;
        }
        steti_loop_params p = d->Params(&now);
        p.max_passes = most;
        EXPECT_EQ(d->be->ops->loop_run(d->be->b, loop, &p, &d->be->err), STET_OK)
            << d->be->err.message;
        EXPECT_GE(p.n_passes, 1);
        EXPECT_LE(p.n_passes, most);
        for (size_t k = 0; k < live.size(); k++) {
            s->seqs[live[k]] = now[k];
        }
    } while (++calls < 100 && !::testing::Test::HasFailure());
    return calls;
}

class LoopRun : public ::testing::Test
{
  protected:
    ~LoopRun() override
    {
        device().has_while = 1;
        device().fail_at = 0;
    }
};

TEST_F(LoopRun, IsTheRecordingReplayedRowByRow)
{
    for (int has_while : {1, 0}) {
        device().has_while = has_while;
        TinyDecoder d;
        ASSERT_EQ(d.Record(), STET_OK) << d.be->err.message;
        for (int n_start : {1, 2}) {
            std::vector<Output> want;
            for (int i = 0; i < TinyDecoder::kSlots; i++) {
                want.push_back(Greedy(&d, i, n_start));
            }
            for (auto draft : {STETI_LOOP_GREEDY, STETI_LOOP_SAD, STETI_LOOP_EDIT}) {
                steti_loop_options o = Options(draft, n_start);
                steti_loop *loop = nullptr;
                ASSERT_EQ(d.be->ops->loop_open(d.be->b, &o, &loop, &d.be->err), STET_OK);
                for (int most : {1, 3, 16}) {
                    Sentences s(&d, Texts(want));
                    RunToTheEnd(&d, loop, &s, most);
                    for (size_t i = 0; i < want.size(); i++) {
                        ExpectSame(s.Result(i), want[i],
                                   "sentence " + std::to_string(i) + " draft " +
                                       std::to_string(draft) + " passes " + std::to_string(most));
                    }
                }
                d.be->ops->loop_close(d.be->b, loop);
            }
        }
    }
}

TEST_F(LoopRun, OneLaunchTwoCopiesAndNoMemory)
{
    TinyDecoder d;
    ASSERT_EQ(d.Record(), STET_OK);
    steti_loop_options o = Options(STETI_LOOP_EDIT);
    steti_loop *loop = nullptr;
    steti_alloc_stats before, after;
    ASSERT_EQ(d.be->ops->loop_open(d.be->b, &o, &loop, &d.be->err), STET_OK);
    for (int round = 0; round < 2; round++) {
        Sentences s(&d, {{3, 4}, {2}, {}, {8, 8, 8}});
        steti_loop_params p = d.Params(&s.seqs);
        uint64_t launches = device().graph_launches, copies = device().copies;
        size_t blocks = stet_shim::live();
        steti_alloc_get_stats(&before);
        ASSERT_EQ(d.be->ops->loop_run(d.be->b, loop, &p, &d.be->err), STET_OK);
        steti_alloc_get_stats(&after);
        EXPECT_EQ(device().graph_launches, launches + 1);
        EXPECT_EQ(device().copies, copies + 2);
        EXPECT_EQ(after.calls, before.calls);
        EXPECT_EQ(stet_shim::live(), blocks + (round == 0)) << "the graph is made once";
    }
    EXPECT_EQ(stet_shim::work_of(d.recording->loop_exec),
              (std::vector<std::string>{"rows", "while"}));
    d.be->ops->loop_close(d.be->b, loop);
}

/* Loops and recordings end in any order, and a graph is not taken for another one's. */
TEST_F(LoopRun, LoopsAndRecordingsAreIndependent)
{
    TinyDecoder d;
    ASSERT_EQ(d.Record(), STET_OK);
    Output want = Greedy(&d, 0, 1), two = Greedy(&d, 0, 2);
    for (int n_start : {1, 2, 1}) { /* the next one's memory may stand where this one's stood */
        steti_loop_options o = Options(STETI_LOOP_EDIT, n_start);
        steti_loop *loop = nullptr, *other = nullptr;
        ASSERT_EQ(d.be->ops->loop_open(d.be->b, &o, &loop, &d.be->err), STET_OK);
        ASSERT_EQ(d.be->ops->loop_open(d.be->b, &o, &other, &d.be->err), STET_OK);
        for (steti_loop *l : {loop, other, loop}) {
            Sentences s(&d, {{2, 3, 4}});
            RunToTheEnd(&d, l, &s, 16);
            ExpectSame(s.Result(0), n_start == 1 ? want : two, std::to_string(n_start));
        }
        d.be->ops->loop_close(d.be->b, other);
        d.be->ops->free_recording(d.be->b, d.recording);
        ASSERT_EQ(d.Record(), STET_OK);
        Sentences s(&d, {{2, 3, 4}});
        RunToTheEnd(&d, loop, &s, 16);
        ExpectSame(s.Result(0), n_start == 1 ? want : two, "new recording");
        d.be->ops->loop_close(d.be->b, loop);
    }
    d.be->ops->loop_close(d.be->b, nullptr);
}

/* Each change alone makes the call invalid, and none does anything. */
TEST_F(LoopRun, WrongParametersAreRefused)
{
    TinyDecoder d;
    ASSERT_EQ(d.Record(false), STET_OK);
    steti_loop_options o = Options(STETI_LOOP_EDIT);
    steti_loop *loop = nullptr;
    ASSERT_EQ(d.be->ops->loop_open(d.be->b, &o, &loop, &d.be->err), STET_OK);
    using Change = std::function<void(steti_loop_params *, steti_loop_seq *)>;
    const std::vector<std::pair<const char *, Change>> changes = {
        {"sentences", [](auto *p, auto *) { p->n_seqs = TinyDecoder::kSlots + 1; }},
        {"no sentence", [](auto *p, auto *) { p->n_seqs = 0; }},
        {"passes", [](auto *p, auto *) { p->max_passes = kPasses + 1; }},
        {"no pass", [](auto *p, auto *) { p->max_passes = 0; }},
        {"window", [](auto *p, auto *) { p->window = -1; }},
        {"stop", [](auto *p, auto *) { p->stop_done = 0; }},
        {"budget", [](auto *p, auto *) { p->budget = 1; }},
        {"rows", [](auto *p, auto *s) { p->budget = 1000, s[0].n_text = s[1].n_text = 19; }},
        {"recording", [](auto *p, auto *) { p->recording = nullptr; }},
        {"array", [](auto *p, auto *) { p->row_map = p->seqs[0].out; }},
        {"no array", [](auto *p, auto *) { p->key_count = nullptr; }},
        {"text", [](auto *, auto *s) { s[1].n_text = 21; }},
        {"no text", [](auto *, auto *s) { s[1].text = nullptr; }},
        {"token of the text",
         [](auto *, auto *s) {
             static const int32_t far[] = {3, TinyDecoder::kVocab};
             s[1].text = far;
         }},
        {"token of the output", [](auto *, auto *s) { s[1].out[0] = -1, s[1].n_out = 1; }},
        {"output", [](auto *, auto *s) { s[1].most_out = kMostOut + 1; }},
        {"full output", [](auto *, auto *s) { s[1].n_out = kMostOut; }},
        {"scores", [](auto *, auto *s) { s[1].logprob = reinterpret_cast<float *>(s[1].out); }},
        {"keys", [](auto *, auto *s) { s[1].cross_count = TinyDecoder::kSlotRows + 1; }},
        {"no keys", [](auto *, auto *s) { s[1].cross_count = 0; }},
        {"place", [](auto *, auto *s) { s[1].from = 3; }},
        {"expected place", [](auto *, auto *s) { s[1].expected = -1; }}};
    auto run = [&](const Change &change) {
        Sentences s(&d, {{3, 4}, {2, 6}, {}, {}, {}}); /* memory for one sentence too many */
        for (steti_loop_seq &seq : s.seqs) {
            seq.logprob = nullptr;
        }
        steti_loop_params p = d.Params(&s.seqs);
        p.n_seqs = 2;
        if (change) {
            change(&p, s.seqs.data());
        }
        return d.be->ops->loop_run(d.be->b, loop, &p, &d.be->err);
    };
    for (const auto &[name, change] : changes) {
        uint64_t launches = device().graph_launches;
        EXPECT_EQ(run(change), STET_E_INVALID) << name;
        EXPECT_EQ(device().graph_launches, launches) << name;
    }
    EXPECT_EQ(run(nullptr), STET_OK) << d.be->err.message;
    d.be->ops->loop_close(d.be->b, loop);
}

TEST_F(LoopRun, WrongOptionsAreRefused)
{
    TinyDecoder d;
    auto open = [&](const std::function<void(steti_loop_options *)> &change) {
        steti_loop_options o = Options(STETI_LOOP_SAD);
        steti_loop *loop = nullptr;
        change(&o);
        stet_status st = d.be->ops->loop_open(d.be->b, &o, &loop, &d.be->err);
        EXPECT_EQ(st == STET_OK, loop != nullptr);
        d.be->ops->loop_close(d.be->b, loop);
        return st;
    };
    EXPECT_EQ(open([](auto *) {}), STET_OK);
    EXPECT_EQ(open([](auto *o) { o->max_seqs = 0; }), STET_E_INVALID);
    EXPECT_EQ(open([](auto *o) { o->max_out = 0; }), STET_E_INVALID);
    EXPECT_EQ(open([](auto *o) { o->max_passes = STETI_LOOP_PASSES_MAX + 1; }), STET_E_INVALID);
    EXPECT_EQ(open([](auto *o) { o->n_start = STETI_LOOP_START_MAX + 1; }), STET_E_INVALID);
    EXPECT_EQ(open([](auto *o) { o->n_ends = 0; }), STET_E_INVALID);
    EXPECT_EQ(open([](auto *o) { o->draft = static_cast<steti_loop_draft>(3); }), STET_E_INVALID);
    EXPECT_EQ(open([](auto *o) { o->max_seqs = 1 << 24, o->max_text = 1 << 12; }), STET_E_INVALID);
}

/* ---- Failures -------------------------------------------------------------------------------- */

/* What is opened, run twice and closed, from the recording on. */
stet_status Life(TinyDecoder *d)
{
    static const steti_loop_piece pieces[4] = {{3, 2, 'a'}, {2, 1, 'b'}, {1, 1, 'c'}, {3, 9, 'd'}};
    steti_loop_options o = Options(STETI_LOOP_EDIT);
    steti_loop *loop = nullptr;
    o.pieces = pieces;
    o.n_pieces = 4;
    stet_status st = d->recording == nullptr ? d->Record() : STET_OK;
    st = st == STET_OK ? d->be->ops->loop_open(d->be->b, &o, &loop, &d->be->err) : st;
    for (int i = 0; i < 2 && st == STET_OK; i++) {
        Sentences s(d, {{3, 4}, {2, 6}});
        steti_loop_params p = d->Params(&s.seqs);
        p.max_passes = 2;
        st = d->be->ops->loop_run(d->be->b, loop, &p, &d->be->err);
    }
    d->be->ops->loop_close(d->be->b, loop);
    return st;
}

struct Failed {
    int calls = 0, nomem = 0, device = 0;
};

/* Call number n of a life fails with this code. False: there are not so many. */
bool FailOnce(uint64_t n, int code, Failed *count)
{
    TinyDecoder d;
    uint64_t at = device().calls + n;
    device().fail_at = at;
    device().fail_code = code;
    stet_status st = Life(&d);
    bool has_failed = device().calls >= at;
    device().fail_at = 0;
    count->calls++;
    count->nomem += st == STET_E_NOMEM;
    count->device += st == STET_E_DEVICE;
    EXPECT_TRUE(st == STET_OK || st == STET_E_DEVICE ||
                (st == STET_E_NOMEM && code == stet_shim::kOutOfMemory))
        << "call " << n << ": " << st << " " << d.be->err.message;
    EXPECT_EQ(Life(&d), st == STET_E_DEVICE ? STET_E_DEVICE : STET_OK) << "call " << n;
    return has_failed;
}

/* A call whose failure goes unnoticed is one of those that free something, or finds out later. */
TEST_F(LoopRun, EveryCallOfTheRuntimeMayFail)
{
    for (int has_while : {1, 0}) {
        for (int code : {700, stet_shim::kOutOfMemory}) {
            Failed count;
            bool is_oom = code == stet_shim::kOutOfMemory;
            device().has_while = has_while;
            for (uint64_t n = 1; FailOnce(n, code, &count); n++) {
                ASSERT_EQ(stet_shim::live(), 0u) << "call " << n;
            }
            EXPECT_GT(count.calls, 50);
            EXPECT_LE(count.calls - count.nomem - count.device, 4);
            EXPECT_EQ(count.nomem > 12, is_oom) << count.nomem;
            EXPECT_GT(count.device, is_oom ? 10 : 40);
        }
    }
}

TEST_F(LoopRun, EveryAllocationOfTheHostMayFail)
{
    stet_status st = STET_E_NOMEM;
    int failures = 0;
    for (uint64_t n = 1; st != STET_OK; n++) {
        TinyDecoder d;
        steti_alloc_fail_nth(n, 0);
        st = Life(&d);
        steti_alloc_fail_nth(0, 0);
        ASSERT_TRUE(st == STET_OK || st == STET_E_NOMEM) << d.be->err.message;
        failures += st != STET_OK;
        EXPECT_EQ(Life(&d), STET_OK) << d.be->err.message;
    }
    EXPECT_EQ(failures, 3) << "the recording, the loop, and its pieces for a moment";
}

} // namespace
