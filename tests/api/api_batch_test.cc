// Batches: order, bad requests among good ones, long sentences, and what is passed through
// untouched.
#include "async_fixture.h"

#include <cstring>
#include <random>

using namespace stet_test;

namespace
{

TEST(ApiBatch, EqualsItsRequestsAlone)
{
    EditingModel m;
    Engine g(m.handle), alone(m.handle, {{"batch_size", "1"}});
    std::vector<stet_request> requests;
    for (const auto &t : sample_texts()) {
        requests.push_back(request(t));
    }
    std::vector<stet_result *> results(requests.size());
    std::vector<stet_status> statuses(requests.size(), 77);
    Error err;
    ASSERT_EQ(stet_correct_batch(g.handle, requests.data(), requests.size(), results.data(),
                                 statuses.data(), &err),
              STET_OK)
        << err.message;
    for (size_t i = 0; i < results.size(); i++) {
        Result r(results[i]);
        EXPECT_EQ(statuses[i], STET_OK);
        EXPECT_EQ(r.text(), correct(alone, sample_texts()[i]).text());
    }
    EXPECT_EQ(stet_correct_batch(g.handle, nullptr, 0, nullptr, nullptr, &err), STET_OK);
}

TEST(ApiBatch, BadRequestsDoNotDisturbGoodOnes)
{
    EditingModel m;
    Engine g(m.handle);
    std::string text = "Bace difo guha.";
    std::vector<stet_request> r(7, request(text));
    r[1].struct_size = 3;
    r[2].flags = 0x80;
    r[3].text = nullptr;
    r[4].len = (static_cast<size_t>(1) << 30) + 1;
    r[5].text = nullptr;
    r[5].len = 0;
    const stet_status want[] = {STET_OK,         STET_E_INVALID, STET_E_INVALID, STET_E_INVALID,
                                STET_E_TOO_LONG, STET_OK,        STET_OK};
    stet_result *results[7];
    stet_status statuses[7];
    Error err;
    std::memset(static_cast<void *>(results), 0x5a, sizeof results);
    EXPECT_EQ(stet_correct_batch(g.handle, r.data(), 7, results, statuses, &err), STET_E_INVALID);
    EXPECT_NE(std::string(err.message).find("struct_size"), std::string::npos) << err.message;
    for (int i = 0; i < 7; i++) {
        Result done(results[i]);
        EXPECT_EQ(statuses[i], want[i]) << i;
        ASSERT_EQ(results[i] != nullptr, want[i] == STET_OK) << i;
    }
}

TEST(ApiBatch, NullsAreRefusedAndResultsCleared)
{
    EditingModel m;
    Engine g(m.handle);
    std::string text = "ba ce";
    stet_request r = request(text);
    stet_status status = 77;
    stet_result *out = reinterpret_cast<stet_result *>(&r);
    EXPECT_EQ(stet_correct_batch(nullptr, &r, 1, &out, &status, nullptr), STET_E_INVALID);
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(status, STET_E_INVALID);
    out = reinterpret_cast<stet_result *>(&r);
    EXPECT_EQ(stet_correct_batch(g.handle, nullptr, 1, &out, nullptr, nullptr), STET_E_INVALID);
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, nullptr, nullptr, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_correct(g.handle, "x", 1, nullptr, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_correct(g.handle, nullptr, 1, &out, nullptr), STET_E_INVALID);
    EXPECT_EQ(stet_correct(g.handle, nullptr, 0, &out, nullptr), STET_OK);
    EXPECT_EQ(Result(out).text(), "");
}

TEST(ApiBatch, TextWithoutLettersIsPassedThrough)
{
    EditingModel m;
    Engine g(m.handle);
    for (const std::string &text :
         {std::string("12 + 13 = 25.\n...\n\t"), std::string(5, '\0'), std::string(" \n")}) {
        Result r = correct(g, text);
        EXPECT_EQ(r.text(), text);
        EXPECT_EQ(r.stats().sentences, 0u);
    }
}

// Sentences over max_input_length are cut into parts, and every byte with a letter in it belongs to
// a part.
TEST(ApiBatch, LongSentencesAreCutIntoParts)
{
    EditingModel m;
    Engine g(m.handle, {{"max_input_length", "16"}});
    std::mt19937 rng(2);
    std::string spaced, solid(3000, 'q');
    for (int i = 0; i < 600; i++) {
        spaced += std::string(1 + rng() % 9, static_cast<char>('a' + rng() % 26)) + " ";
    }
    for (const auto &text : {spaced, solid, spaced + solid}) {
        Result r = correct(g, text, STET_REQ_SENTENCE);
        auto parts = r.sentences();
        size_t covered = 0;
        for (const auto &p : parts) {
            EXPECT_LE(p.source_tokens, 16u);
            EXPECT_GE(p.src_off, covered);
            EXPECT_EQ(text.find_first_not_of(' ', covered) >= p.src_off, true)
                << "letters at " << covered << " skipped";
            covered = p.src_off + p.src_len;
        }
        EXPECT_EQ(text.find_first_not_of(' ', covered), std::string::npos)
            << "letters at the end skipped";
        EXPECT_GT(parts.size(), 20u);
    }
}

TEST(ApiBatch, ManySentencesInOneRequest)
{
    EditingModel m;
    Engine g(m.handle, {{"max_decoding_length", "8"}, {"batch_size", "16"}});
    std::string text;
    for (int i = 0; i < 700; i++) {
        text += "ba\n";
    }
    Result r = correct(g, text);
    auto s = r.sentences();
    ASSERT_EQ(s.size(), 700u) << "more than one chunk";
    for (size_t i = 0; i < s.size(); i++) {
        ASSERT_EQ(s[i].src_off, 3 * i);
        ASSERT_EQ(s[i].output_tokens, s[0].output_tokens);
    }
}

TEST(ApiBatch, EngineStatsAreTheSumOfResults)
{
    EditingModel m;
    Engine g(m.handle);
    stet_stats sum{}, total{};
    for (const auto &t : sample_texts()) {
        stet_stats s = correct(g, t).stats();
        sum.requests += s.requests;
        sum.sentences += s.sentences;
        sum.passes += s.passes;
        sum.drafted += s.drafted;
        sum.accepted += s.accepted;
        sum.unfinished += s.unfinished;
        sum.output_tokens += s.output_tokens;
    }
    total.struct_size = sizeof total;
    ASSERT_EQ(stet_engine_stats(g.handle, &total), STET_OK);
    EXPECT_EQ(total.requests, sum.requests);
    EXPECT_EQ(total.sentences, sum.sentences);
    EXPECT_EQ(total.passes, sum.passes);
    EXPECT_EQ(total.drafted, sum.drafted);
    EXPECT_EQ(total.accepted, sum.accepted);
    EXPECT_EQ(total.unfinished, sum.unfinished);
    EXPECT_EQ(total.output_tokens, sum.output_tokens);
}

} // namespace
