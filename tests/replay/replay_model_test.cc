// A replay of what the default model itself answers has the counts of the engine that decoded it:
// most drafts are accepted here, side branches win, and policies know the pieces.
#include "net_fixture.h"

#include <fstream>

extern "C" {
#include "piece_table.h"
#include "replay.h"
#include "tokenizer.h"
}

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

const std::string model_folder = std::string(STET_SOURCE_DIR) + "/models/stet-edge-en";
constexpr int MAX_TOKENS = 40;

class ReplayModel : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        if (!std::ifstream(model_folder + "/spiece.model").good()) {
            GTEST_SKIP() << "the default model is not there";
        }
        ASSERT_EQ(steti_tokenizer_open(model_folder.c_str(), &tokenizer, nullptr), STET_OK);
        ASSERT_EQ(piece_table_init(&table, tokenizer, nullptr), STET_OK);
        ASSERT_NE(table.data, nullptr);
    }
    void TearDown() override
    {
        piece_table_free(&table);
        steti_tokenizer_close(tokenizer);
    }
    // Every `step`th sentence of the data that is short enough.
    std::vector<Ids> sentences(int step)
    {
        std::ifstream in(std::string(STET_SOURCE_DIR) + "/tests/replay/data/ewt.source.txt");
        std::vector<Ids> out;
        int n = 0;
        for (std::string line; std::getline(in, line);) {
            steti_pieces pieces{};
            EXPECT_EQ(steti_tokenizer_encode(tokenizer, line.data(), line.size(), &pieces, nullptr),
                      STET_OK);
            if (pieces.len <= MAX_TOKENS && n++ % step == 0) {
                out.emplace_back();
                for (size_t i = 0; i < pieces.len; i++) {
                    out.back().push_back(pieces.data[i].id);
                }
            }
            steti_pieces_free(&pieces);
        }
        return out;
    }
    steti_tokenizer *tokenizer = nullptr;
    piece_table table{};
};

std::vector<steti_counts> replay(const steti_replay_options &o, const std::vector<Ids> &sources,
                                 const std::vector<Decoded> &answers)
{
    std::vector<steti_counts> counts(sources.size());
    steti_replay *r = nullptr;
    EXPECT_EQ(steti_replay_open(&o, &r, nullptr), STET_OK);
    for (size_t i = 0; i < sources.size(); i++) {
        const Ids &src = sources[i], &ids = answers[i].ids;
        steti_replay_pair pair{src.data(), static_cast<int>(src.size()), ids.data(),
                               static_cast<int>(ids.size())};
        EXPECT_EQ(steti_replay_run(r, &pair, &counts[i], nullptr), STET_OK);
    }
    steti_replay_close(r);
    return counts;
}

TEST_F(ReplayModel, TheTableKnowsHowPiecesAreWritten)
{
    const steti_draft_spelling &s = table.spelling;
    ASSERT_EQ(s.n_pieces, table.n);
    ASSERT_GT(s.n_inner, 500);
    std::string before;
    for (int i = 0; i < s.n_inner; i++) {
        const steti_draft_text &t = s.inner[i];
        std::string text(t.data, static_cast<size_t>(t.len));
        size_t len = 0;
        const char *piece = steti_tokenizer_piece(tokenizer, t.id, &len);
        ASSERT_EQ(text, std::string(piece, len)) << "no boundary before it";
        ASSERT_NE(text.compare(0, 3, "\xE2\x96\x81"), 0);
        ASSERT_LT(before, text) << "in order, and each text once";
        ASSERT_EQ(s.pieces[t.id].len, t.len);
        before = text;
    }
    for (const Ids &ids : sentences(100)) {
        std::string text;
        for (int32_t id : ids) {
            text += std::string(s.pieces[id].data, static_cast<size_t>(s.pieces[id].len));
        }
        EXPECT_EQ(text.find("\xE2\x96\x81"), std::string::npos) << text;
    }
    int eos = steti_tokenizer_eos_id(tokenizer);
    EXPECT_EQ(s.pieces[eos].len, 0) << "a control piece has no text";
}

TEST_F(ReplayModel, CountsEqualTheEngines)
{
    Net net(model_folder, STETI_I8, 1);
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    auto sources = sentences(24);
    ASSERT_GT(sources.size(), 25u);
    for (const steti_draft_ops *const *p = steti_draft_list(); *p != nullptr; p++) {
        for (auto [window, batch] : {std::pair{0, 1}, std::pair{5, 8}}) {
            auto eo = engine_options(*p, window, batch);
            eo.pieces = table.data;
            eo.n_pieces = table.n;
            eo.spelling = &table.spelling;
            auto decoded = decode(net, eo, sources);
            steti_replay_options ro{};
            ro.draft = *p;
            ro.draft_window = window;
            ro.max_src = MAX_TOKENS;
            ro.max_out = eo.max_out;
            ro.eos = net.spec.eos_id;
            ro.pieces = table.data;
            ro.n_pieces = table.n;
            ro.spelling = &table.spelling;
            auto got = replay(ro, sources, decoded);
            uint64_t accepted = 0;
            for (size_t i = 0; i < sources.size(); i++) {
                const steti_counts &want = decoded[i].counts;
                EXPECT_EQ(got[i].passes, want.passes) << (*p)->name << ", sentence " << i;
                EXPECT_EQ(got[i].rows, want.rows) << (*p)->name << ", sentence " << i;
                EXPECT_EQ(got[i].accepted, want.accepted) << (*p)->name << ", sentence " << i;
                EXPECT_EQ(got[i].reentries, want.reentries) << (*p)->name << ", sentence " << i;
                accepted += want.accepted;
            }
            EXPECT_TRUE(*p == &steti_draft_none || accepted > 10 * sources.size());
        }
    }
}

} // namespace
