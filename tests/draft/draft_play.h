// draft_play.h - plays a policy against a fixed answer instead of a model: the answer is what the
// model says.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

extern "C" {
#include "alloc.h"
#include "draft.h"
}

#include <gtest/gtest.h>

#include "random_pieces.h"
#include "scale.h"

namespace stet_test
{

using Ids = std::vector<int32_t>;

constexpr int32_t END = 1; // end-of-sentence token; sources and answers are made of larger ids

// What one pass looked like.
struct PlayedPass {
    Ids draft;
    std::vector<Ids> side; // branches 1, 2, ...
    int winner = 0, matched = 0;
    bool operator==(const PlayedPass &o) const
    {
        return draft == o.draft && side == o.side && winner == o.winner && matched == o.matched;
    }
};

// The accept rule, written out again: longest agreeing prefix, then one token of the answer.
inline int matched_prefix(const Ids &draft, const Ids &answer, size_t at)
{
    size_t m = 0;
    while (m < draft.size() && at + m < answer.size() && answer[at + m] == draft[m] &&
           answer[at + m] != END) {
        m++;
    }
    return static_cast<int>(m);
}

// Sets winner and matched: the branch of which most is right, of equal ones the first.
inline void judge(PlayedPass *p, const Ids &answer, size_t at)
{
    p->winner = 0;
    p->matched = matched_prefix(p->draft, answer, at);
    for (size_t b = 0; b < p->side.size(); b++) {
        int m = matched_prefix(p->side[b], answer, at);
        if (m > p->matched) {
            p->matched = m;
            p->winner = static_cast<int>(b) + 1;
        }
    }
}

inline Ids propose(const steti_draft_ops *ops, steti_draft *d, int branch, int budget)
{
    Ids draft(static_cast<size_t>(budget) + 4, -77);
    int n = ops->propose(d, branch, budget, draft.data());
    EXPECT_TRUE(n >= 0 && n <= budget);
    EXPECT_EQ(draft[static_cast<size_t>(budget)], -77) << "wrote over the budget";
    draft.resize(static_cast<size_t>(n));
    return draft;
}

// `answer` ends with END. `window` caps each draft.
inline std::vector<PlayedPass> play(const steti_draft_ops *ops, const Ids &src, const Ids &answer,
                                    int window, int *reentries = nullptr, const Pieces &pieces = {},
                                    const steti_draft_spelling *spelling = nullptr)
{
    steti_draft_limits l{64, 96, pieces.empty() ? nullptr : pieces.data(),
                         static_cast<int>(pieces.size()), spelling};
    steti_draft *d = nullptr;
    std::vector<PlayedPass> passes;
    EXPECT_EQ(ops->open(&l, &d, nullptr), STET_OK);
    ops->begin(d, src.data(), static_cast<int>(src.size()));
    for (size_t at = 0; at < answer.size();) {
        PlayedPass p;
        p.draft = propose(ops, d, 0, std::min(window, 64));
        for (int b = 1; b <= ops->n_side; b++) {
            p.side.push_back(propose(ops, d, b, std::min(window, 64)));
            EXPECT_LE(static_cast<int>(p.side.back().size()), ops->side_length);
        }
        judge(&p, answer, at);
        ops->accept(d, answer.data() + at, p.matched + 1, p.winner, p.matched);
        at += static_cast<size_t>(p.matched) + 1;
        passes.push_back(p);
    }
    if (reentries != nullptr) {
        *reentries = ops->reentries(d);
    }
    ops->close(d);
    return passes;
}

// For the ids of random_pair; sometimes the table ends too early.
inline Pieces small_table(std::mt19937 &rng)
{
    return random_pieces(rng, rng() % 4 == 0 ? 9 : 24);
}

// A source over a small vocabulary, and an answer made from it by random edits.
inline void random_pair(std::mt19937 &rng, Ids *src, Ids *answer)
{
    unsigned vocab = 2 + rng() % 12, len = rng() % 33;
    src->clear();
    answer->clear();
    for (unsigned i = 0; i < len; i++) {
        src->push_back(static_cast<int32_t>(3 + rng() % vocab));
    }
    for (size_t i = 0; i < src->size(); i++) {
        unsigned what = rng() % 24;
        if (what == 0) {
            answer->push_back(static_cast<int32_t>(3 + rng() % (vocab + 3)));
        } else if (what == 1) {
            answer->push_back(static_cast<int32_t>(3 + rng() % (vocab + 3)));
            answer->push_back((*src)[i]);
        } else if (what != 2) {
            answer->push_back((*src)[i]);
        }
        if (what == 3 && i > 4) {
            i -= 1 + rng() % 4; // says something twice
        }
        if (answer->size() > 80) {
            break;
        }
    }
    answer->push_back(END);
}

} // namespace stet_test
