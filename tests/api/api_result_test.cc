// Laws of a result: the edits, applied by hand, give the corrected text; offsets in all units name
// the same places.
#include "api_fixture.h"

#include <cmath>
#include <cstring>
#include <utility>

using namespace stet_test;

namespace
{

// Length of the sequence at s; an invalid maximal subpart counts as one unit (as stet.h's offsets
// do).
size_t unit_length(const std::string &s, size_t i, uint32_t *cp)
{
    auto byte = [&](size_t k) { return k < s.size() ? static_cast<unsigned char>(s[k]) : 0u; };
    unsigned c = byte(i), lo = 0x80, hi = 0xbf;
    size_t need = c < 0x80                 ? 1
                  : c >= 0xc2 && c <= 0xdf ? 2
                  : c >= 0xe0 && c <= 0xef ? 3
                  : c >= 0xf0 && c <= 0xf4 ? 4
                                           : 0;
    *cp = c < 0x80 ? c : 0xfffd;
    if (need < 2) {
        return 1;
    }
    lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : lo;
    hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : hi;
    for (size_t k = 1; k < need; k++) {
        if (byte(i + k) < lo || byte(i + k) > hi || i + k >= s.size()) {
            return k;
        }
        lo = 0x80;
        hi = 0xbf;
    }
    *cp = need == 4 ? 0x10000 : 0x800; // only the plane matters here
    return need;
}

uint64_t units_before(const std::string &s, size_t end, uint32_t unit)
{
    uint64_t n = 0;
    for (size_t i = 0; i < end;) {
        uint32_t cp;
        i += unit_length(s, i, &cp);
        n += unit == STET_UNIT_UTF16 && cp >= 0x10000 ? 2 : 1;
    }
    return unit == STET_UNIT_BYTE ? end : n;
}

void check_laws(const Result &r, const std::string &src)
{
    auto bytes = r.edits(STET_UNIT_BYTE);
    std::string out, corrected = r.text();
    size_t at = 0;
    for (const auto &e : bytes) {
        ASSERT_TRUE(e.src_off >= at && e.src_off + e.src_len <= src.size());
        out.append(src, at, e.src_off - at);
        ASSERT_EQ(out.size(), e.out_off);
        ASSERT_EQ(e.out_len, e.text_len);
        out.append(e.text, e.text_len);
        at = e.src_off + e.src_len;
        ASSERT_NE(src.substr(e.src_off, e.src_len), std::string(e.text, e.text_len))
            << "an edit that changes nothing";
        ASSERT_LT(e.sentence, r.sentences().size());
    }
    out.append(src, at, std::string::npos);
    ASSERT_EQ(out, corrected);
    for (uint32_t unit : {STET_UNIT_UTF16, STET_UNIT_CODEPOINT}) {
        auto edits = r.edits(unit);
        ASSERT_EQ(edits.size(), bytes.size());
        for (size_t i = 0; i < edits.size(); i++) {
            const stet_edit &b = bytes[i], &e = edits[i];
            EXPECT_EQ(e.src_off, units_before(src, b.src_off, unit));
            EXPECT_EQ(e.src_off + e.src_len, units_before(src, b.src_off + b.src_len, unit));
            EXPECT_EQ(e.out_off, units_before(corrected, b.out_off, unit));
            EXPECT_EQ(e.out_off + e.out_len, units_before(corrected, b.out_off + b.out_len, unit));
            EXPECT_EQ(e.text, b.text);
        }
    }
}

TEST(ApiResult, EditsAppliedByHandGiveTheText)
{
    size_t edits = 0;
    for (const char *name : {"edgeformer-a", "transformer-learned", "transformer-pre"}) {
        Model m(name);
        ASSERT_EQ(m.status, STET_OK) << m.err.message;
        Engine g(m.handle, {{"max_decoding_length", "64"}, {"max_input_length", "48"}});
        ASSERT_EQ(g.status, STET_OK) << g.err.message;
        for (const auto &text : sample_texts()) {
            for (uint32_t flags : {0u, STET_REQ_WRAPPED, STET_REQ_SENTENCE}) {
                Result r = correct(g, text, flags);
                check_laws(r, text);
                edits += r.edits(STET_UNIT_BYTE).size();
            }
        }
    }
    EXPECT_GT(edits, 20u) << "outputs that do not end make no edits";
}

TEST(ApiResult, SentencesAndCounts)
{
    Model m;
    Engine g(m.handle, {{"scores", "1"}});
    std::string text = "Bace difo guha. Jeki lomu nape!\n12 13.\nRisotu vawe";
    Result r = correct(g, text);
    auto s = r.sentences();
    stet_stats t = r.stats();
    ASSERT_EQ(s.size(), 3u) << "the line without a letter is passed through";
    EXPECT_EQ(text.substr(s[0].src_off, s[0].src_len), "Bace difo guha.");
    EXPECT_EQ(text.substr(s[1].src_off, s[1].src_len), "Jeki lomu nape!");
    EXPECT_EQ(text.substr(s[2].src_off, s[2].src_len), "Risotu vawe");
    uint64_t source = 0, output = 0, passes = 0;
    for (const auto &x : s) {
        source += x.source_tokens;
        output += x.output_tokens;
        passes += x.passes;
        EXPECT_TRUE(x.score <= 0.0f) << x.score;
        EXPECT_GT(x.passes, 0u);
    }
    EXPECT_EQ(t.requests, 1u);
    EXPECT_EQ(t.sentences, 3u);
    EXPECT_EQ(t.source_tokens, source);
    EXPECT_EQ(t.output_tokens, output);
    EXPECT_EQ(t.passes, passes);
    EXPECT_EQ(t.drafted, t.accepted + t.rejected);
    EXPECT_EQ(t.rows, t.passes + t.drafted);
    EXPECT_EQ(t.accepted + t.passes, t.output_tokens + t.sentences - t.unfinished);
    EXPECT_GE(t.total_ns, t.decode_ns);
    for (const auto &e : r.edits(STET_UNIT_BYTE)) {
        EXPECT_FALSE(e.score > 0.0f);
    }
    Result one = correct(g, text, STET_REQ_SENTENCE);
    EXPECT_EQ(one.sentences().size(), 1u);
    Engine without(m.handle);
    EXPECT_TRUE(std::isnan(correct(without, text).sentences()[0].score));
}

/* What is left are the edits of at least that score, as they were; the text has these and no
 * others. */
TEST(ApiResult, UnsureEditsAreLeftOut)
{
    Model m("transformer-pre");
    Options o = {{"max_decoding_length", "64"}, {"max_input_length", "48"}, {"scores", "1"}};
    Engine all(m.handle, o);
    o.push_back({"min_edit_score", ""});
    size_t kept = 0, left_out = 0;
    for (const char *limit : {"none", "-1000", "-2.5", "-1.25", "-0.75", "-0.25", "0"}) {
        o.back().value = limit;
        Engine some(m.handle, o);
        float least = limit[0] == 'n' ? -INFINITY : std::strtof(limit, nullptr);
        for (const std::string &text : sample_texts()) {
            Result whole = correct(all, text), part = correct(some, text);
            auto left = part.edits(STET_UNIT_BYTE);
            std::string expected;
            size_t at = 0, n = 0;
            for (const auto &e : whole.edits(STET_UNIT_BYTE)) {
                ASSERT_TRUE(e.score <= 0.0f) << "deletions have a score, too";
                if (e.score < least) {
                    left_out++;
                    continue;
                }
                kept++;
                expected += text.substr(at, e.src_off - at) + std::string(e.text, e.text_len);
                at = e.src_off + e.src_len;
                ASSERT_LT(n, left.size());
                EXPECT_EQ(left[n].src_off, e.src_off);
                EXPECT_EQ(left[n].out_off, expected.size() - e.text_len);
                n++;
            }
            EXPECT_EQ(n, left.size());
            EXPECT_EQ(part.text(), expected + text.substr(at));
            check_laws(part, text);
        }
    }
    EXPECT_GT(kept, 20u);
    EXPECT_GT(left_out, 20u);
}

TEST(ApiResult, WindowsOfTheLists)
{
    Model m;
    Engine g(m.handle);
    Result r = correct(g, "ba ce. Di fo. Gu ha. Je ki.");
    auto all = r.sentences();
    ASSERT_GE(all.size(), 2u);
    stet_sentence two[2] = {};
    int64_t n = static_cast<int64_t>(all.size());
    EXPECT_EQ(stet_result_sentences(r.handle, two, sizeof two[0], 1, 1), n);
    EXPECT_EQ(two[0].src_off, all[1].src_off);
    EXPECT_EQ(two[1].src_len, 0u) << "wrote over the capacity";
    EXPECT_EQ(stet_result_sentences(r.handle, two, sizeof two[0], 1000, 2), n);
    EXPECT_EQ(stet_result_sentences(r.handle, two, sizeof two[0] - 1, 0, 2), STET_E_INVALID);
    EXPECT_EQ(stet_result_sentences(r.handle, nullptr, sizeof two[0], 0, 2), STET_E_INVALID);
    EXPECT_EQ(stet_result_sentences(nullptr, two, sizeof two[0], 0, 2), STET_E_INVALID);
    stet_edit e;
    EXPECT_EQ(stet_result_edits(r.handle, 3, &e, sizeof e, 0, 1), STET_E_INVALID);
    EXPECT_EQ(stet_result_edits(r.handle, 0, &e, sizeof e + 8, 0, 1), STET_E_INVALID);
    EXPECT_EQ(stet_result_edits(r.handle, 0, nullptr, sizeof e, 0, 1), STET_E_INVALID);
    EXPECT_EQ(stet_result_edits(nullptr, 0, &e, sizeof e, 0, 1), STET_E_INVALID);
    EXPECT_GE(stet_result_edits(r.handle, 0, &e, sizeof e, 1000000, 1), 0);
    size_t len = 7;
    EXPECT_EQ(stet_result_text(nullptr, &len), nullptr);
    EXPECT_EQ(len, 0u);
    EXPECT_EQ(stet_result_text(r.handle, nullptr)[r.text().size()], '\0');
}

TEST(ApiResult, LivesLongerThanEngineAndModel)
{
    Result r;
    std::string text = "Bace difo guha jeki.", before;
    {
        Model m;
        Engine g(m.handle);
        Result made = correct(g, text);
        std::swap(r.handle, made.handle);
        before = r.text();
        stet_result_retain(r.handle);
        stet_result_release(r.handle);
    }
    EXPECT_EQ(r.text(), before);
    check_laws(r, text);
    stet_result_retain(nullptr);
    stet_result_release(nullptr);
}

TEST(ApiResult, StatsOfSmallerAndWrongSizes)
{
    Model m;
    Engine g(m.handle);
    Result r = correct(g, "ba ce");
    stet_stats s;
    std::memset(&s, 0x5a, sizeof s);
    s.struct_size = offsetof(stet_stats, source_tokens);
    ASSERT_EQ(stet_result_stats(r.handle, &s), STET_OK);
    EXPECT_EQ(s.requests, 1u);
    EXPECT_EQ(s.struct_size, offsetof(stet_stats, source_tokens));
    EXPECT_EQ(s.source_tokens, 0x5a5a5a5a5a5a5a5au) << "wrote over the caller's struct";
    for (uint32_t size : {0u, 4u, static_cast<uint32_t>(sizeof s) + 8}) {
        s.struct_size = size;
        EXPECT_EQ(stet_result_stats(r.handle, &s), STET_E_INVALID);
        EXPECT_EQ(stet_engine_stats(g.handle, &s), STET_E_INVALID);
    }
    EXPECT_EQ(stet_result_stats(nullptr, &s), STET_E_INVALID);
    EXPECT_EQ(stet_result_stats(r.handle, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_engine_stats(nullptr, &s), STET_E_INVALID);
    EXPECT_EQ(stet_engine_stats(g.handle, nullptr), STET_E_INVALID);
}

} // namespace
