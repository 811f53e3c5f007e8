// Limits of a session, and calls that do not fit them.
#include "net_fixture.h"

using namespace stet_test;

namespace
{

class Session : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        steti_session_limits l{16, 2, 8, 10, 0};
        ASSERT_EQ(net.status, STET_OK) << net.err.message;
        ASSERT_EQ(steti_session_open(net.model, net.backend, &l, &s, nullptr), STET_OK);
        err.struct_size = sizeof err;
    }
    void TearDown() override
    {
        steti_session_close(&s);
        steti_session_close(&s); // twice is legal
    }
    stet_status encode(std::vector<int32_t> ids, int32_t len, int32_t slot)
    {
        steti_encode_batch b{1, static_cast<int>(ids.size()), ids.data(), &len, &slot};
        return steti_model_encode(&s, &b, &err);
    }
    stet_status decode_row(int32_t id, int32_t pos, int32_t slot)
    {
        int32_t out;
        steti_decode_batch b{1,       &id,     &pos,    &slot,   &out,   nullptr,
                             nullptr, nullptr, nullptr, nullptr, nullptr};
        return steti_model_decode(&s, &b, &err);
    }
    Net net{fixture("transformer-learned")};
    steti_session s{};
    stet_error err{};
};

TEST_F(Session, LimitsAreChecked)
{
    const steti_session_limits bad[] = {{0, 1, 1, 1, 0}, {1, 0, 1, 1, 0},  {1, 1, 0, 1, 0},
                                        {1, 1, 1, 0, 0}, {1, 1, 73, 1, 0}, {1, 1, 1, 73, 0}};
    for (const auto &l : bad) {
        steti_session other{};
        EXPECT_EQ(steti_session_open(net.model, net.backend, &l, &other, &err), STET_E_INVALID);
        EXPECT_STRNE(err.message, "");
        steti_session_close(&other);
    }
    steti_session_limits most{1, 1, 72, 72, 0};
    steti_session other{};
    EXPECT_EQ(steti_session_open(net.model, net.backend, &most, &other, &err), STET_OK)
        << err.message;
    steti_session_close(&other);
}

TEST_F(Session, CallsOverTheLimitsAreRefused)
{
    EXPECT_EQ(decode_row(0, 0, 0), STET_E_INVALID) << "slot 0 holds no sentence";
    EXPECT_EQ(encode({5, 1}, 2, 2), STET_E_INVALID) << "no such slot";
    EXPECT_EQ(encode({5, 1}, 2, -1), STET_E_INVALID);
    EXPECT_EQ(encode({5, 1}, 3, 0), STET_E_INVALID) << "lengths and rows differ";
    EXPECT_EQ(encode({}, 0, 0), STET_E_INVALID);
    EXPECT_EQ(encode({5, 5, 5, 5, 5, 5, 5, 5, 1}, 9, 0), STET_E_INVALID) << "longer than max_src";
    EXPECT_EQ(encode({288, 1}, 2, 0), STET_E_INVALID) << "not in the vocabulary";
    ASSERT_EQ(encode({5, 1}, 2, 0), STET_OK) << err.message;
    EXPECT_EQ(decode_row(0, 0, 0), STET_OK) << err.message;
    EXPECT_EQ(decode_row(0, 10, 0), STET_E_INVALID);
    EXPECT_EQ(decode_row(0, -1, 0), STET_E_INVALID);
    EXPECT_EQ(decode_row(0, 0, 1), STET_E_INVALID);
    EXPECT_EQ(decode_row(-1, 0, 0), STET_E_INVALID);
    steti_decode_batch none{};
    EXPECT_EQ(steti_model_decode(&s, &none, &err), STET_OK) << "no rows are no work";
    none.n_rows = 17;
    EXPECT_EQ(steti_model_decode(&s, &none, &err), STET_E_INVALID);
}

// max_tgt is 10: positions 0 .. 9; 4 side rows.
TEST_F(Session, BranchesOutOfTheirLimitsAreRefused)
{
    steti_session_limits l{16, 2, 8, 10, 4};
    struct Row {
        int32_t pos, fork, side;
        stet_status want;
    };
    const Row rows[] = {{1, 1, 0, STET_OK},         {4, 1, 0, STET_OK},
                        {5, 1, 0, STET_E_INVALID}, // side row 4
                        {1, 1, 3, STET_OK},         {2, 1, 3, STET_E_INVALID},
                        {1, 1, 4, STET_E_INVALID},  {1, 1, INT32_MAX, STET_E_INVALID},
                        {1, 2, 0, STET_E_INVALID}, // before its branch
                        {0, 0, 0, STET_E_INVALID}, // nothing to leave
                        {1, -1, 0, STET_E_INVALID}, {9, INT32_MIN, 0, STET_E_INVALID},
                        {9, 9, 0, STET_OK},         {10, 9, 0, STET_E_INVALID},
                        {1, INT32_MIN, -1, STET_OK}}; // no branch: fork is not read
    steti_session_close(&s);
    ASSERT_EQ(steti_session_open(net.model, net.backend, &l, &s, nullptr), STET_OK);
    ASSERT_EQ(encode({5, 1}, 2, 0), STET_OK) << err.message;
    for (const Row &r : rows) {
        int32_t id = 5, slot = 0, out;
        steti_decode_batch b{1,       &id,     &r.pos,  &slot,   &out,   nullptr,
                             nullptr, &r.fork, &r.side, nullptr, nullptr};
        err.message[0] = '\0';
        EXPECT_EQ(steti_model_decode(&s, &b, &err), r.want)
            << "position " << r.pos << " fork " << r.fork << " side " << r.side;
        EXPECT_EQ(err.message[0] == '\0', r.want == STET_OK);
        b.fork = nullptr;
        EXPECT_EQ(steti_model_decode(&s, &b, &err), STET_E_INVALID) << "only one array";
    }
    l.max_side = -1;
    steti_session other{};
    EXPECT_EQ(steti_session_open(net.model, net.backend, &l, &other, &err), STET_E_INVALID);
    steti_session_close(&other);
}

TEST_F(Session, BytesAreWhatIsReserved)
{
    steti_alloc_stats before{}, after{};
    steti_session_limits l{40, 3, 20, 30, 9};
    steti_session other{};
    steti_alloc_get_stats(&before);
    ASSERT_EQ(steti_session_open(net.model, net.backend, &l, &other, nullptr), STET_OK);
    steti_session_close(&other);
    steti_alloc_get_stats(&before);
    ASSERT_EQ(steti_session_open(net.model, net.backend, &l, &other, nullptr), STET_OK);
    steti_alloc_get_stats(&after);
    size_t used = after.live_bytes - before.live_bytes, said = steti_session_bytes(&net.spec, &l);
    EXPECT_LE(used, said + 8192);
    EXPECT_GE(used + 64, said);
    steti_session_close(&other);
}

TEST_F(Session, OnlyTheRowsOfThePositionTableThatAreNeeded)
{
    steti_model_options mo{};
    steti_model *small = nullptr;
    mo.ops = net.ops;
    mo.backend = net.backend;
    mo.compute = STETI_F32;
    mo.max_positions = 9;
    ASSERT_EQ(steti_model_open(&net.spec, net.weights, "folder", &mo, &small, &err), STET_OK)
        << err.message;
    EXPECT_EQ(steti_model_max_positions(small), 9);
    steti_session_limits l{4, 1, 10, 5, 0};
    steti_session other{};
    EXPECT_EQ(steti_session_open(small, net.backend, &l, &other, &err), STET_E_INVALID);
    steti_model_close(small);
    steti_model_close(nullptr);
}

} // namespace
