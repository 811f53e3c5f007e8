// Work of a pass: it must not grow with what the text repeats or with how long its words are.
//
// Work is counted, not timed: the layer is compiled once more with a call at every basic block
// (CMakeLists.txt), and the calls are counted. Copying a draft is one block whatever its length;
// that it is linear in what is proposed is clear from its one memcpy.
#include "draft_play.h"

namespace
{

uint64_t blocks_run;

} // namespace

extern "C" void __sanitizer_cov_trace_pc(void);
extern "C" void __sanitizer_cov_trace_pc(void)
{
    blocks_run++;
}

using namespace stet_test;

namespace
{

constexpr int N = 16384;

enum class Text { random, one_token, period_of_three, one_word, spelled };

Ids make_text(Text kind, int n)
{
    std::mt19937 rng(3);
    Ids ids;
    for (int i = 0; i < n; i++) {
        ids.push_back(kind == Text::random || kind == Text::one_word || kind == Text::spelled
                          ? static_cast<int32_t>(3 + rng() % 8000)
                          : 3 + (kind == Text::period_of_three ? i % 3 : 0));
    }
    return ids;
}

// Two letters each, the last piece among them; every fourth piece begins a word.
const Spelling &two_letters()
{
    static const auto made = [] {
        std::vector<std::string> text(9000);
        std::vector<bool> inner(9000);
        for (size_t i = 0; i < text.size(); i++) {
            text[i] = {static_cast<char>('a' + i % 16), static_cast<char>('a' + i / 16 % 16)};
            inner[i] = i % 4 != 0;
        }
        return std::make_unique<Spelling>(text, inner);
    }();
    return *made;
}

struct Work {
    uint64_t begin = 0, most = 0, total = 0; // of the source; of one pass; of all passes
};

// One token a pass, the source's own or, every second time, one that is not there: so there are as
// many misses, and as many passes, as there can be.
Work work_of(const steti_draft_ops *ops, Text kind, int n)
{
    Ids src = make_text(kind, n), out(64);
    steti_draft_piece word = {STETI_PIECE_WORD | STETI_PIECE_ALNUM, 2, 'w'};
    steti_draft_piece inside = {STETI_PIECE_ALNUM, 0, 0}; // a piece of a word without characters
    Pieces pieces(9000, kind == Text::one_word ? inside : word);
    for (size_t i = 0; i < pieces.size() && kind == Text::spelled; i++) {
        pieces[i].flags = i % 4 == 0 ? word.flags : inside.flags;
    }
    steti_draft_limits l{n, n, pieces.data(), static_cast<int>(pieces.size()),
                         kind == Text::spelled ? two_letters().view() : nullptr};
    steti_draft *d = nullptr;
    Work w;
    EXPECT_EQ(ops->open(&l, &d, nullptr), STET_OK);
    blocks_run = 0;
    ops->begin(d, src.data(), n);
    w.begin = blocks_run;
    for (int i = 0; i < n; i++) {
        int32_t token = i % 2 ? 8999 : src[static_cast<size_t>(i)];
        blocks_run = 0;
        for (int b = 0; b <= ops->n_side; b++) {
            ops->propose(d, b, 8, out.data());
        }
        ops->accept(d, &token, 1, 0, 0);
        w.most = std::max(w.most, blocks_run);
        w.total += blocks_run;
    }
    ops->close(d);
    return w;
}

class DraftWork : public ::testing::TestWithParam<const char *>
{
};

TEST_P(DraftWork, RepeatedTokensCostNoMoreThanRandomOnes)
{
    const steti_draft_ops *ops = steti_draft_find(GetParam());
    Work random = work_of(ops, Text::random, N);
    ASSERT_GT(random.total, static_cast<uint64_t>(N)) << "nothing was counted";
    for (Text kind : {Text::one_token, Text::period_of_three, Text::one_word}) {
        Work w = work_of(ops, kind, N);
        // The source is read once; the search of the nearest of up to N places halves them, which
        // is at most 15 steps of a few blocks for each of four lengths.
        EXPECT_LE(w.begin, 2 * random.begin);
        EXPECT_LE(w.most, random.most + 15 * 4 * 4) << "text " << static_cast<int>(kind);
        EXPECT_LE(w.total, 3 * random.total) << "text " << static_cast<int>(kind);
    }
}

// Eight times the text: eight times the work, but for the steps of the search.
TEST_P(DraftWork, IsLinearInTheText)
{
    const steti_draft_ops *ops = steti_draft_find(GetParam());
    for (Text kind :
         {Text::random, Text::one_token, Text::period_of_three, Text::one_word, Text::spelled}) {
        Work small = work_of(ops, kind, N / 8), large = work_of(ops, kind, N);
        EXPECT_LE(large.begin, 10 * small.begin) << "text " << static_cast<int>(kind);
        EXPECT_LE(large.total, 12 * small.total) << "text " << static_cast<int>(kind);
    }
}

// A word is compared and cut into pieces in a pass, but at most 32 bytes of it.
TEST_P(DraftWork, SpellingIsBoundedInAPass)
{
    const steti_draft_ops *ops = steti_draft_find(GetParam());
    Work small = work_of(ops, Text::spelled, N / 8), large = work_of(ops, Text::spelled, N);
    EXPECT_LE(large.most, small.most + small.most / 4 + 15 * 4 * 4);
    EXPECT_LE(large.most, 10000u);
}

INSTANTIATE_TEST_SUITE_P(Policies, DraftWork, ::testing::Values("sad", "edit", "tree"));

} // namespace
