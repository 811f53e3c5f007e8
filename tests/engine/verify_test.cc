// The accept rule, exhaustively over a small alphabet, against what greedy decoding would do. The
// same check must see what is wrong with rules that are nearly right.
extern "C" {
#include "verify.h"
}

#include <vector>

#include <gtest/gtest.h>

namespace
{

using Ids = std::vector<int32_t>;
using Rule = steti_verdict (*)(const int32_t *, int, const int32_t *, int32_t);

constexpr int32_t END = 1;

// predicted[j] is what the model says after draft[0 .. j): it is what greedy decoding says as long
// as the draft was what greedy decoding said. So greedy decoding is followed token by token until
// it leaves the draft or ends.
bool is_right(Rule rule, const Ids &draft, const Ids &predicted)
{
    Ids greedy;
    bool ended = false;
    for (size_t j = 0; j <= draft.size() && !ended; j++) {
        greedy.push_back(predicted[j]);
        ended = predicted[j] == END;
        if (j < draft.size() && draft[j] != predicted[j]) {
            break;
        }
    }
    steti_verdict v = rule(draft.data(), static_cast<int>(draft.size()), predicted.data(), END);
    return v.emitted == static_cast<int>(greedy.size()) && v.matched == v.emitted - 1 &&
           (v.finished != 0) == ended;
}

// All drafts and predictions up to four tokens over three ids, one of them the end of a sentence.
size_t count_wrong(Rule rule)
{
    static const int32_t alphabet[] = {END, 5, 6};
    size_t wrong = 0;
    for (int n = 0; n <= 4; n++) {
        size_t cases = 1;
        for (int i = 0; i < 2 * n + 1; i++) {
            cases *= 3;
        }
        for (size_t code = 0; code < cases; code++) {
            Ids all;
            for (size_t rest = code, i = 0; i < static_cast<size_t>(2 * n + 1); i++, rest /= 3) {
                all.push_back(alphabet[rest % 3]);
            }
            wrong +=
                !is_right(rule, Ids(all.begin(), all.begin() + n), Ids(all.begin() + n, all.end()));
        }
    }
    return wrong;
}

TEST(Verify, IsWhatGreedyDecodingSays)
{
    EXPECT_EQ(count_wrong(steti_verify), 0u);
}

steti_verdict one_too_many(const int32_t *draft, int n, const int32_t *predicted, int32_t eos)
{
    steti_verdict v = steti_verify(draft, n, predicted, eos);
    if (v.emitted <= n) {
        v.matched++;
        v.emitted++;
        v.finished = predicted[v.matched] == eos;
    }
    return v;
}

steti_verdict no_bonus(const int32_t *draft, int n, const int32_t *predicted, int32_t eos)
{
    steti_verdict v = steti_verify(draft, n, predicted, eos);
    v.emitted -= v.matched == n && n > 0;
    return v;
}

steti_verdict passes_over_end(const int32_t *draft, int n, const int32_t *predicted, int32_t eos)
{
    steti_verdict v = {0, 0, 0};
    while (v.matched < n && draft[v.matched] == predicted[v.matched]) {
        v.matched++;
    }
    v.emitted = v.matched + 1;
    v.finished = predicted[v.matched] == eos;
    return v;
}

steti_verdict off_by_one(const int32_t *draft, int n, const int32_t *predicted, int32_t eos)
{
    steti_verdict v = {0, 0, 0};
    while (v.matched < n && draft[v.matched] == predicted[v.matched + 1]) {
        v.matched++;
    }
    v.emitted = v.matched + 1;
    v.finished = predicted[v.matched] == eos;
    return v;
}

steti_verdict any_match(const int32_t *draft, int n, const int32_t *predicted, int32_t eos)
{
    steti_verdict v = {0, 0, 0};
    for (int i = 0; i < n; i++) {
        v.matched += draft[i] == predicted[i] && predicted[i] != eos;
    }
    v.emitted = v.matched + 1;
    v.finished = predicted[v.matched] == eos;
    return v;
}

steti_verdict never_finishes(const int32_t *draft, int n, const int32_t *predicted, int32_t eos)
{
    steti_verdict v = steti_verify(draft, n, predicted, eos);
    v.finished = v.finished && v.matched < n;
    return v;
}

TEST(Verify, WrongRulesAreSeen)
{
    for (Rule rule :
         {one_too_many, no_bonus, passes_over_end, off_by_one, any_match, never_finishes}) {
        EXPECT_GT(count_wrong(rule), 10u);
    }
}

} // namespace
