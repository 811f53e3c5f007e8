// loop_kernels.h - the kernels of the loop against a model that is a fixed answer.
//
// The "model" reads what the row arrays point at: every row writes its token into a memory of keys
// at map_row, and predicts what comes behind the tokens that its key range holds. So a row array
// that is wrong in one place gives a wrong token.
#pragma once

#include "fibers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "draft_play.h"

#include "dev.h"

extern "C" {
#include "cuda_kernels.h"
}

namespace stet_test
{

constexpr int32_t OTHER_END = 2, START = 0; // and END; texts and answers are made of larger ids
constexpr int KEYS = 200;                   // of one sentence

struct Played {
    Ids out;
    std::vector<float> sums;
    int state = 0, passes = 0, rows = 0, drafted = 0, accepted = 0, reentries = 0;
};

struct LoopSettings {
    int policy = STETI_CUDA_LOOP_EDIT;
    int window = 1000, budget = 5000, max_passes = 1000, stop_done = 1000, most_out = 100;
    Ids start{START};
    Ids ends{END, OTHER_END};
    Pieces pieces; // empty: nothing is known
    stet_shim::Order order = stet_shim::Order::ascending;
};

// A number of its own for every prefix: what the rows' sums are.
inline float sum_of(const Ids &prefix)
{
    uint32_t h = 7;
    for (int32_t id : prefix) {
        h = h * 31 + static_cast<uint32_t>(id);
    }
    return 1.0f + static_cast<float>(h % 100000);
}

class LoopWorld
{
  public:
    // nan_at[i]: the row of sentence i that predicts this token of the output has no answer; -1:
    // none.
    LoopWorld(const LoopSettings &settings, const std::vector<Ids> &all_texts,
              const std::vector<Ids> &all_answers, std::vector<int> nans = {})
        : set(settings), texts(all_texts), answers(all_answers), nan_at(std::move(nans))
    {
        nan_at.resize(texts.size(), -1);
        lay_out();
    }

    bool is_flattered = false;

    // Passes until the kernels want no more. Rows of every pass, as they were laid out.
    std::vector<int> run()
    {
        std::vector<int> rows;
        launch_rows();
        while (head()->n_rows != STETI_CUDA_LOOP_OVER && !::testing::Test::HasFatalFailure()) {
            rows.push_back(head()->n_rows);
            EXPECT_EQ(live, head()->n_rows);
            EXPECT_LE(head()->n_rows, std::max(set.budget, needed_rows()));
            one_pass();
        }
        EXPECT_EQ(live, 0);
        EXPECT_EQ(head()->n_passes, static_cast<int>(rows.size()));
        return rows;
    }

    void one_pass()
    {
        predict();
        if (is_flattered) {
            flatter();
        }
        launch_verdict();
        launch_rows();
    }

    steti_cuda_loop_head *head()
    {
        return reinterpret_cast<steti_cuda_loop_head *>(base());
    }
    steti_cuda_loop_seq *seq(size_t i)
    {
        return reinterpret_cast<steti_cuda_loop_seq *>(head() + 1) + i;
    }

    Played played(size_t i)
    {
        const steti_cuda_loop_seq *s = seq(i);
        Played p;
        p.state = s->now.state;
        p.passes = s->now.n_passes;
        p.reentries = s->now.reentries;
        p.out.assign(base() + s->out, base() + s->out + s->now.n_new);
        size_t n = p.out.size() + (p.state == STETI_CUDA_LOOP_ENDED);
        for (size_t k = 0; k < n; k++) {
            p.sums.push_back(
                dev_float(static_cast<uint32_t>(base()[s->sum + static_cast<int>(k)])));
        }
        for (int k = 0; k < p.passes; k++) {
            const int32_t *pass = base() + s->pass + 2 * k;
            p.drafted += pass[0];
            p.accepted += pass[1];
        }
        p.rows = p.drafted + p.passes + static_cast<int>(set.start.size()) - 1;
        return p;
    }

    // Of the pass at hand: tokens of each sentence's draft, -1 where it has none.
    std::vector<int> drafted()
    {
        std::vector<int> n;
        for (size_t i = 0; i < texts.size(); i++) {
            bool lives = seq(i)->now.state == STETI_CUDA_LOOP_RUNNING;
            n.push_back(lives ? seq(i)->now.drafted : -1);
        }
        return n;
    }

    void launch_rows()
    {
        steti_cuda_rows_args a{};
        a.base = base();
        a.live = &live;
        int32_t **to[] = {&a.ids,     &a.pos,         &a.key_begin,   &a.key_count,
                          &a.map_row, &a.cross_begin, &a.cross_count, &a.tail_count};
        for (size_t i = 0; i < 8; i++) {
            arrays[i].assign(static_cast<size_t>(std::max(set.budget, needed_rows())) + 8, -77);
            *to[i] = arrays[i].data();
        }
        launch(
            [](const void *p) { steti_cuda_rows(*static_cast<const steti_cuda_rows_args *>(p)); },
            &a, 4 * 32 * 2 * sizeof(int32_t));
        for (const auto &array : arrays) { // nothing behind the rows that there are
            for (size_t r = static_cast<size_t>(live); r < array.size(); r++) {
                ASSERT_EQ(array[r], -77);
            }
        }
    }

    // The draft's first wrong token looks right to the next verdict: one token too many is
    // accepted.
    void flatter()
    {
        for (size_t i = 0; i < texts.size(); i++) {
            const steti_cuda_loop_now &now = seq(i)->now;
            steti_cuda_best *row = &best[static_cast<size_t>(now.row)];
            int k = 0;
            while (k < now.drafted &&
                   row[k].id == arrays[0][static_cast<size_t>(now.row + 1 + k)]) {
                k++;
            }
            if (now.state == STETI_CUDA_LOOP_RUNNING && k < now.drafted) {
                row[k] = {1.5f, 1.0f, arrays[0][static_cast<size_t>(now.row + 1 + k)], 0};
            }
        }
    }

    void launch_verdict()
    {
        steti_cuda_verdict_args a{};
        std::vector<uint32_t> packed;
        for (const auto &p : set.pieces) {
            packed.push_back(p.flags | static_cast<uint32_t>(p.length) << 8 |
                             static_cast<uint32_t>(p.first) << 16);
        }
        a.base = base();
        a.best = best.data();
        a.pieces = packed.empty() ? nullptr : packed.data();
        a.n_pieces = static_cast<int32_t>(packed.size());
        launch(
            [](const void *p) {
                steti_cuda_verdict(*static_cast<const steti_cuda_verdict_args *>(p));
            },
            &a, 0);
    }

  private:
    int32_t *base()
    {
        return block.data() + base_at;
    }
    int needed_rows() const
    {
        return static_cast<int>(texts.size() * set.start.size());
    }

    void launch(void (*kernel)(const void *), const void *arg, size_t shared)
    {
        int grid = static_cast<int>(texts.size() + 3) / 4 + 1; // a block too many does nothing
        ASSERT_EQ(stet_shim::run({kernel, arg, grid, 1, 128, shared, set.order}), "");
    }

    void lay_out()
    {
        size_t n = texts.size(), words = 0;
        for (const auto &t : texts) {
            words += t.size();
        }
        base_at = words;
        words += 32 + 32 * n;
        size_t pass_at = words - base_at;
        words += 2 * n * passes_kept();
        size_t out_at = words - base_at;
        words += 2 * n * (static_cast<size_t>(set.most_out) + 1);
        block.assign(words, 0x7fc00000);
        fill_head();
        size_t text = 0;
        for (size_t i = 0; i < n; i++) {
            std::copy(texts[i].begin(), texts[i].end(), block.data() + text);
            fill_seq(i, static_cast<int>(text) - static_cast<int>(base_at));
            seq(i)->pass = static_cast<int>(pass_at + 2 * i * passes_kept());
            seq(i)->out =
                static_cast<int>(out_at + 2 * i * (static_cast<size_t>(set.most_out) + 1));
            seq(i)->sum = seq(i)->out + set.most_out + 1;
            text += texts[i].size();
        }
        keys.assign(n * KEYS, -1);
    }
    size_t passes_kept() const
    {
        return static_cast<size_t>(std::min(set.max_passes, set.most_out + 1));
    }
    void fill_head()
    {
        steti_cuda_loop_head *h = head();
        *h = {};
        h->n_seqs = static_cast<int>(texts.size());
        h->max_passes = set.max_passes;
        h->stop_done = set.stop_done;
        h->window = set.window;
        h->budget = set.budget;
        h->policy = set.policy;
        h->n_start = static_cast<int>(set.start.size());
        std::copy(set.start.begin(), set.start.end(), h->start);
        h->n_ends = static_cast<int>(set.ends.size());
        std::copy(set.ends.begin(), set.ends.end(), h->ends);
    }
    bool is_end(int32_t id) const
    {
        return std::find(set.ends.begin(), set.ends.end(), id) != set.ends.end();
    }
    void fill_seq(size_t i, int text)
    {
        steti_cuda_loop_seq *s = seq(i);
        *s = {};
        s->text = text;
        s->n_text = static_cast<int>(texts[i].size());
        s->self_begin = static_cast<int>(i) * KEYS;
        s->cross_begin = static_cast<int>(i) * 1000;
        s->cross_count = s->n_text + 1;
        s->most_out = set.most_out;
        s->now.from = set.policy == STETI_CUDA_LOOP_GREEDY || texts[i].empty() ? -1 : 0;
        while (s->now.from == 0 && s->now.draftable < s->n_text &&
               !is_end(texts[i][static_cast<size_t>(s->now.draftable)])) {
            s->now.draftable++;
        }
        s->has_ends = s->now.draftable < s->n_text;
    }

    // What stands behind a prefix of the output: the answer's next token while it is the answer's
    // beginning, else something, now and then what the text would make one expect.
    steti_cuda_best behind(size_t i, const Ids &prefix, int32_t next_drafted)
    {
        const Ids &answer = answers[i];
        bool is_right = prefix.size() <= answer.size() &&
                        std::equal(prefix.begin(), prefix.end(), answer.begin());
        steti_cuda_best b = {1.5f, sum_of(prefix), 0, 0};
        if (is_right) {
            b.id = prefix.size() < answer.size() ? answer[prefix.size()] : set.ends.back();
            b.nan = static_cast<int>(prefix.size()) == nan_at[i];
        } else {
            b.id = rng() % 2 == 0 ? next_drafted : 3 + static_cast<int32_t>(rng() % 20);
            b.nan = rng() % 4 == 0;
            b.value = rng() % 4 == 0 ? -INFINITY : 0.5f;
        }
        return b;
    }
    void predict()
    {
        size_t n = static_cast<size_t>(live);
        const auto &[ids, pos, begin, count, map, cross_begin, cross_count, tails] = arrays;
        best.assign(n + 1, {NAN, NAN, -1, 1});
        for (size_t r = 0; r < n; r++) {
            keys.at(static_cast<size_t>(map[r])) = ids[r];
            ASSERT_EQ(map[r], begin[r] + pos[r]);
            ASSERT_EQ(count[r], pos[r] + 1);
            ASSERT_EQ(tails[r], 0);
        }
        for (size_t r = 0; r < n; r++) {
            size_t i = static_cast<size_t>(begin[r]) / KEYS;
            ASSERT_EQ(cross_begin[r], static_cast<int>(i) * 1000);
            ASSERT_EQ(cross_count[r], static_cast<int>(texts[i].size()) + 1);
            auto first = keys.begin() + begin[r];
            Ids prefix(first, first + count[r]);
            size_t n_start = std::min(set.start.size(), prefix.size());
            ASSERT_TRUE(std::equal(prefix.begin(), prefix.begin() + static_cast<long>(n_start),
                                   set.start.begin()));
            prefix.erase(prefix.begin(), prefix.begin() + static_cast<long>(n_start));
            best[r] = behind(i, prefix, r + 1 < n ? ids[r + 1] : END);
        }
    }

    LoopSettings set;
    std::vector<Ids> texts, answers;
    std::vector<int> nan_at;
    std::vector<int32_t> block;
    size_t base_at = 0;
    int32_t live = 0;
    std::vector<int32_t> arrays[8];
    std::vector<int32_t> keys;
    std::vector<steti_cuda_best> best;
    std::mt19937 rng{99};
};

} // namespace stet_test
