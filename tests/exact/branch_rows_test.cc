// A row of a side branch has the logits of the same tokens on the trunk alone, to the bit, whatever
// stands in the rows that it must not read; and so have the rows that follow once a branch was
// adopted.
#include "exact_cases.h"

#include <cmath>

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

constexpr int SLOTS = 3, TGT = 32, SRC = 40, SIDE = 20;

// One continuation in a pass: tokens from position `fork` on; side < 0: the trunk's own.
struct Branch {
    int slot = 0, fork = 0, side = -1;
    Ids before, tokens; // what stands before it, and it
    size_t next = 0;    // how many of its rows are in the pass
    std::vector<size_t> rows;
};

struct Session {
    Session(const Net &net, int n_slots, int max_side)
    {
        steti_session_limits l{128, n_slots, SRC, TGT, max_side};
        EXPECT_EQ(steti_session_open(net.model, net.backend, &l, &s, nullptr), STET_OK);
        vocab = static_cast<size_t>(net.spec.vocab_size);
        for (int i = 0; i < n_slots; i++) {
            steti_kv_acquire(&s.kv);
        }
    }
    ~Session()
    {
        steti_session_close(&s);
    }
    void encode(const Ids &src, int32_t slot)
    {
        int32_t len = static_cast<int32_t>(src.size());
        steti_encode_batch b{1, len, src.data(), &len, &slot};
        ASSERT_EQ(steti_model_encode(&s, &b, nullptr), STET_OK);
    }
    // NaN in rows [from, to) of a slot, side rows included.
    void poison(int slot, int from, int to)
    {
        const ptrdiff_t d = s.kv.limits.d, first = slot * steti_kv_slot_rows(&s.kv);
        for (int l = 0; l < s.kv.limits.n_layers; l++) {
            for (float *base : {steti_kv_self_k(&s.kv, l), steti_kv_self_v(&s.kv, l)}) {
                std::fill(base + (first + from) * d, base + (first + to) * d, NAN);
            }
        }
    }
    // All branches in one pass, rows dealt at random. Row r's logits are result[r * vocab ...].
    std::vector<float> run(std::vector<Branch> *branches, std::mt19937 &rng, bool with_sides)
    {
        Ids ids, pos, slots, fork, side;
        size_t left = 0;
        for (auto &b : *branches) {
            left += b.tokens.size();
        }
        while (left > 0) {
            Branch &b = (*branches)[rng() % branches->size()];
            if (b.next == b.tokens.size()) {
                continue;
            }
            b.rows.push_back(ids.size());
            ids.push_back(b.tokens[b.next]);
            pos.push_back(b.fork + static_cast<int32_t>(b.next++));
            slots.push_back(b.slot);
            fork.push_back(b.fork);
            side.push_back(b.side);
            left--;
        }
        std::vector<float> logits(ids.size() * vocab);
        Ids out(ids.size());
        steti_decode_batch batch{static_cast<int>(ids.size()),
                                 ids.data(),
                                 pos.data(),
                                 slots.data(),
                                 out.data(),
                                 nullptr,
                                 logits.data(),
                                 with_sides ? fork.data() : nullptr,
                                 with_sides ? side.data() : nullptr,
                                 nullptr,
                                 nullptr};
        EXPECT_EQ(steti_model_decode(&s, &batch, nullptr), STET_OK);
        return logits;
    }
    steti_session s{};
    size_t vocab = 0;
};

class BranchRows : public ::testing::TestWithParam<std::tuple<std::string, int>>
{
  protected:
    Ids random_ids(size_t n)
    {
        Ids ids;
        for (size_t i = 0; i < n; i++) {
            ids.push_back(static_cast<int32_t>(rng() % static_cast<unsigned>(net.spec.vocab_size)));
        }
        return ids;
    }
    // Every row of the branches against the same tokens alone, in a cache without side rows.
    size_t differing(const std::vector<Branch> &branches, const std::vector<float> &got)
    {
        size_t n = 0;
        for (const Branch &b : branches) {
            Branch whole;
            whole.tokens = b.before;
            whole.tokens.insert(whole.tokens.end(), b.tokens.begin(), b.tokens.end());
            alone.encode(sources[static_cast<size_t>(b.slot)], 0);
            alone.poison(0, 0, TGT);
            std::vector<Branch> one{whole};
            auto want = alone.run(&one, rng, false);
            for (size_t i = 0; i < b.tokens.size(); i++) {
                n += std::memcmp(&want[(b.before.size() + i) * alone.vocab],
                                 &got[b.rows[i] * alone.vocab], alone.vocab * sizeof(float)) != 0;
            }
        }
        return n;
    }
    // The trunk goes on in this pass, and up to three branches leave it somewhere, some of them
    // where it was accepted long ago.
    void add_branches(std::vector<Branch> *all, int slot, const Ids &accepted)
    {
        Branch trunk;
        int used = 0;
        trunk.slot = slot;
        trunk.fork = static_cast<int>(accepted.size());
        trunk.before = accepted;
        trunk.tokens = random_ids(1 + rng() % 7);
        Ids whole = accepted;
        whole.insert(whole.end(), trunk.tokens.begin(), trunk.tokens.end());
        all->push_back(trunk);
        for (unsigned k = rng() % 4; k > 0; k--) {
            Branch b;
            b.slot = slot;
            b.fork = 1 + static_cast<int>(rng() % whole.size());
            b.before.assign(whole.begin(), whole.begin() + b.fork);
            b.tokens = random_ids(1 + rng() % 6);
            b.side = used + static_cast<int>(rng() % 2);
            used = b.side + static_cast<int>(b.tokens.size());
            if (used <= SIDE) {
                all->push_back(b);
            }
        }
    }

    std::mt19937 rng{71};
    Net net{fixture(std::get<0>(GetParam())),
            std::get<1>(GetParam()) % 2 != 0 ? STETI_I8 : STETI_F32,
            1 + std::get<1>(GetParam()) / 2};
    Session session{net, SLOTS, SIDE}, alone{net, 1, 0};
    std::vector<Ids> sources = std::vector<Ids>(SLOTS);
};

TEST_P(BranchRows, HaveTheBitsOfTheirTokensAlone)
{
    size_t branch_rows = 0, adopted = 0;
    for (int round = 0; round < 15 * scale(); round++) {
        std::vector<Branch> before, pass, after;
        for (int slot = 0; slot < SLOTS; slot++) {
            Ids &src = sources[static_cast<size_t>(slot)];
            src = random_ids(rng() % (SRC - 1));
            src.push_back(net.spec.eos_id);
            session.encode(src, slot);
            session.poison(slot, 0, TGT + SIDE);
            Branch b;
            b.slot = slot;
            b.tokens = random_ids(1 + rng() % 10);
            before.push_back(b);
            add_branches(&pass, slot, b.tokens);
        }
        ASSERT_EQ(differing(before, session.run(&before, rng, true)), 0u);
        ASSERT_EQ(differing(pass, session.run(&pass, rng, true)), 0u) << "round " << round;
        for (const Branch &b : pass) {
            branch_rows += b.side >= 0 ? b.tokens.size() : 0;
            bool is_first = after.empty() || after.back().slot != b.slot;
            if (b.side < 0 || !is_first) {
                continue;
            }
            int n = static_cast<int>(1 + rng() % b.tokens.size());
            ASSERT_EQ(steti_kv_adopt(&session.s.kv, b.slot, b.side, b.fork, n, nullptr), STET_OK);
            session.poison(b.slot, b.fork + n, TGT + SIDE);
            Branch next;
            next.slot = b.slot;
            next.fork = b.fork + n;
            next.before = b.before;
            next.before.insert(next.before.end(), b.tokens.begin(), b.tokens.begin() + n);
            next.tokens = random_ids(1 + rng() % 4);
            after.push_back(next);
            adopted++;
        }
        if (!after.empty()) {
            ASSERT_EQ(differing(after, session.run(&after, rng, true)), 0u) << "round " << round;
        }
    }
    EXPECT_GT(branch_rows, 100u);
    EXPECT_GT(adopted, 20u);
}

// 0, 1: float32 and int8 on one thread; 2, 3: on two.
INSTANTIATE_TEST_SUITE_P(Fixtures, BranchRows,
                         ::testing::Combine(::testing::ValuesIn(all_fixtures()),
                                            ::testing::Values(0, 1)));
INSTANTIATE_TEST_SUITE_P(Threads, BranchRows,
                         ::testing::Combine(::testing::Values("edgeformer-b"),
                                            ::testing::Values(2, 3)));

} // namespace
