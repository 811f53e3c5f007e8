// oracle_draft.h - a draft policy that knows the answer and is right, or wrong, exactly as a test
// wants it.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

extern "C" {
#include "draft.h"
}

namespace stet_test
{

// What to propose when `at` tokens were emitted: at most `budget` tokens.
using Plan = std::function<std::vector<int32_t>(size_t at, int budget)>;
// The same with several branches.
using BranchPlan = std::function<std::vector<int32_t>(size_t at, int branch, int budget)>;

struct OracleStage {
    std::map<const int32_t *, Plan> plans; // by source pointer
    std::map<const int32_t *, BranchPlan> branch_plans;
    std::set<std::pair<size_t, int>> seen; // (position, drafted tokens that matched) of every pass
    std::set<std::pair<int, int>> won;     // (branch, drafted tokens that matched)
    size_t passes = 0, matched = 0, passes_after_match = 0, passes_after_side = 0;
};

inline OracleStage &stage()
{
    static OracleStage s;
    return s;
}

struct OracleDraft {
    BranchPlan plan;
    size_t at = 0;
    bool matched_before = false, side_before = false;
};

inline OracleDraft *oracle_of(steti_draft *d)
{
    return reinterpret_cast<OracleDraft *>(d);
}

inline stet_status oracle_open(const steti_draft_limits *, steti_draft **out, stet_error *)
{
    *out = reinterpret_cast<steti_draft *>(new OracleDraft);
    return STET_OK;
}

inline void oracle_begin(steti_draft *d, const int32_t *src, int)
{
    auto branches = stage().branch_plans.find(src);
    *oracle_of(d) = OracleDraft{};
    if (branches != stage().branch_plans.end()) {
        oracle_of(d)->plan = branches->second;
        return;
    }
    const Plan &plan = stage().plans.at(src);
    oracle_of(d)->plan = [plan](size_t at, int branch, int budget) {
        return branch == 0 ? plan(at, budget) : std::vector<int32_t>{};
    };
}

inline int oracle_propose(steti_draft *d, int branch, int budget, int32_t *out)
{
    std::vector<int32_t> ids = oracle_of(d)->plan(oracle_of(d)->at, branch, budget);
    int n = 0;
    for (; n < budget && n < static_cast<int>(ids.size()); n++) {
        out[n] = ids[static_cast<size_t>(n)];
    }
    return n;
}

inline void oracle_accept(steti_draft *d, const int32_t *, int n, int branch, int matched)
{
    OracleDraft *o = oracle_of(d);
    stage().seen.insert({o->at, matched});
    stage().won.insert({branch, matched});
    stage().passes_after_side += o->side_before;
    o->side_before = o->side_before || (branch > 0 && matched > 0);
    stage().passes++;
    stage().passes_after_match += o->matched_before;
    stage().matched += static_cast<size_t>(matched);
    o->matched_before = o->matched_before || matched > 0;
    o->at += static_cast<size_t>(n);
}

inline const steti_draft_ops *oracle_draft()
{
    static const steti_draft_ops ops = [] {
        steti_draft_ops o{};
        o.name = "oracle";
        o.about = "knows the answer";
        o.open = oracle_open;
        o.close = [](steti_draft *d) { delete oracle_of(d); };
        o.begin = oracle_begin;
        o.propose = oracle_propose;
        o.accept = oracle_accept;
        o.reentries = [](const steti_draft *) { return 0; };
        return o;
    }();
    return &ops;
}

// The same with as many branches as a pass can have.
inline const steti_draft_ops *oracle_tree(int side_length = 16)
{
    static steti_draft_ops ops = *oracle_draft();
    ops.n_side = STETI_DRAFT_BRANCHES - 1;
    ops.side_length = side_length;
    return &ops;
}

} // namespace stet_test
