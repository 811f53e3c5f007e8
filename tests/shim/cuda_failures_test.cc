// Every call of the runtime and every allocation of the CUDA backend fails once.
#include "tuned_backend.h"

using stet_shim::device;

namespace
{

stet_status RecordAndReplay(Backend *be, const steti_matrix *table, float *x)
{
    const steti_backend_ops *ops = be->ops;
    int32_t ids[] = {1, 0}, out_id[2];
    steti_embed_params e = {2, 16, table, ids, nullptr, nullptr, 1.0f, x};
    steti_argmax_params g = {2,       16,      x,      table,   nullptr, 1.0f,
                             nullptr, nullptr, out_id, nullptr, nullptr};
    steti_recording *r = nullptr;
    stet_error why = NewError(), *err = &be->err;
    STETI_TRY(ops->record_begin(be->b, 2, err));
    stet_status st = ops->embed(be->b, &e, err);
    st = st != STET_OK ? st : ops->argmax(be->b, &g, err);
    stet_status ended = ops->record_end(be->b, &r, st == STET_OK ? err : &why);
    st = st != STET_OK ? st : ended;
    EXPECT_EQ(r == nullptr, st != STET_OK);
    for (int n = 1; st == STET_OK && n <= 2; n++) {
        st = ops->replay(be->b, r, n, err);
    }
    st = st != STET_OK ? st : ops->sync(be->b, err);
    ops->free_recording(be->b, r);
    return st;
}

/* Everything that the engine does with a backend; *b stays open for the caller to look at. */
stet_status WholeLife(Backend *be)
{
    const steti_backend_ops *ops = be->ops;
    static const float data[64] = {1.0f};
    int32_t ids[] = {1, 0}, pos[] = {0, 1}, counts[] = {1, 2}, begin[] = {0, 0, 1}, out_id[2];
    steti_adjust adjust[] = {{1, 2.0f}};
    steti_tensor src = {data, STETI_F32, 2, {4, 16}};
    steti_matrix *m[2] = {nullptr, nullptr};
    void *x = nullptr, *y = nullptr;
    stet_status st = ops->pack_matrix(be->b, &src, nullptr, STETI_I8, &m[0], &be->err);
    auto step = [&](stet_status next) {
        st = next;
        return st == STET_OK;
    };
    if (st == STET_OK && step(ops->pack_matrix(be->b, &src, nullptr, STETI_F32, &m[1], &be->err)) &&
        step(ops->mem_alloc(be->b, 512, &x, &be->err)) &&
        step(ops->mem_alloc(be->b, 512, &y, &be->err)) &&
        step(ops->upload(be->b, x, data, sizeof data, &be->err)) &&
        step(ops->reserve(be->b, 4, 16, 8, &be->err))) {
        float *fx = static_cast<float *>(x), *fy = static_cast<float *>(y), host[4];
        steti_embed_params e = {2, 16, m[1], ids, pos, fx, 1.0f, fy};
        steti_norm_params n = {2, 16, STETI_NORM_RMS, 1e-5f, fx, nullptr, fx, nullptr, fy};
        steti_linear_part parts[2] = {};
        steti_linear_params l = {2, 16, fx, 2, parts};
        steti_attention_params a = {};
        steti_argmax_params g = {2,      16,    fx,     m[0],    nullptr, 1.0f,
                                 adjust, begin, out_id, nullptr, nullptr};
        for (int i = 0; i < 2; i++) {
            parts[i].w = m[i];
            parts[i].out = fy;
            parts[i].ld_out = 4;
            parts[i].row_map = ids;
        }
        a.n_rows = 2;
        a.n_heads = 1;
        a.head_dim = 8;
        a.q = a.k = a.v = fx;
        a.ld_q = a.ld_kv = a.ld_out = 8;
        a.key_begin = ids;
        a.key_count = counts;
        a.out = fy;
        step(ops->embed(be->b, &e, &be->err)) && step(ops->norm(be->b, &n, &be->err)) &&
            step(ops->linear(be->b, &l, &be->err)) && step(ops->attention(be->b, &a, &be->err)) &&
            step(ops->argmax(be->b, &g, &be->err)) && step(ops->copy(be->b, y, x, 64, &be->err)) &&
            step(ops->download(be->b, host, y, sizeof host, &be->err)) &&
            step(ops->sync(be->b, &be->err)) && step(RecordAndReplay(be, m[0], fx));
    }
    ops->mem_free(be->b, x);
    ops->mem_free(be->b, y);
    ops->free_matrix(be->b, m[0]);
    ops->free_matrix(be->b, m[1]);
    return st;
}

/* Opens and lives with the call number n of the runtime failing; STET_OK when there was none. */
stet_status LifeWithFailure(uint64_t n, int code, std::string *message)
{
    steti_backend *b = nullptr;
    stet_error err = NewError();
    device().calls = 0;
    device().fail_at = n;
    device().fail_code = code;
    stet_status st =
        steti_cuda_open_with(stet_shim::runtime(), 0, &steti_cuda_default_tuning, &b, &err);
    if (st == STET_OK) {
        Backend be(stet_shim::ops(), b);
        st = WholeLife(&be);
        err = be.err;
        device().fail_at = 0;
        steti_alloc_fail_nth(0, 0);
        if (st == STET_E_DEVICE) {
            EXPECT_EQ(be.ops->sync(be.b, &be.err), STET_E_DEVICE) << "call " << n;
            EXPECT_NE(std::string(be.err.message).find("cannot be used any more"),
                      std::string::npos)
                << be.err.message;
            EXPECT_EQ(WholeLife(&be), STET_E_DEVICE);
        } else {
            EXPECT_EQ(WholeLife(&be), STET_OK) << "call " << n << ": " << be.err.message;
        }
    }
    device().fail_at = 0;
    *message = err.message;
    return st;
}

TEST(Failures, EveryCallOfTheRuntimeMayFail)
{
    steti_alloc_stats before, after;
    steti_alloc_get_stats(&before);
    for (int code : {700, stet_shim::kOutOfMemory}) {
        int n_nomem = 0, n_device = 0;
        stet_status st = STET_E_DEVICE;
        for (uint64_t n = 1; st != STET_OK; n++) {
            std::string message;
            st = LifeWithFailure(n, code, &message);
            ASSERT_TRUE(st == STET_OK || st == STET_E_DEVICE ||
                        (st == STET_E_NOMEM && code == stet_shim::kOutOfMemory))
                << "call " << n << ": " << message;
            n_nomem += st == STET_E_NOMEM;
            n_device += st == STET_E_DEVICE;
            if (st == STET_E_DEVICE && code == 700) {
                EXPECT_NE(message.find("made to fail: "), std::string::npos) << message;
                EXPECT_NE(message.find("cuda:0: "), std::string::npos) << message;
            }
            ASSERT_EQ(stet_shim::live(), 0u) << "call " << n;
            steti_alloc_get_stats(&after);
            ASSERT_EQ(after.live_count, before.live_count) << "call " << n;
        }
        EXPECT_GT(n_device, 40);
        EXPECT_EQ(n_nomem, code == 700 ? 0 : 9 + 18)
            << "3 pinned, ring, 2 matrices, 2 blocks, scratch; 18 calls that make a recording";
    }
}

TEST(Failures, EveryAllocationOfTheHostMayFail)
{
    steti_alloc_stats before, after;
    stet_status st = STET_E_NOMEM;
    int failures = 0;
    steti_alloc_get_stats(&before);
    for (uint64_t n = 1; st != STET_OK; n++) {
        std::string message;
        steti_alloc_fail_nth(n, 0);
        st = LifeWithFailure(0, 0, &message);
        steti_alloc_fail_nth(0, 0);
        ASSERT_TRUE(st == STET_OK || st == STET_E_NOMEM) << message;
        failures += st != STET_OK;
        steti_alloc_get_stats(&after);
        ASSERT_EQ(after.live_count, before.live_count) << "allocation " << n;
        ASSERT_EQ(stet_shim::live(), 0u) << "allocation " << n;
    }
    EXPECT_EQ(failures, 7) << "the context, scratch, a recording, and two for each matrix";
}

TEST(Failures, OpsAllocateNothing)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    steti_alloc_stats before, after;
    steti_linear_part part = {};
    int32_t id[8];
    part.w = be->Pack(std::vector<float>(64 * 64, 0.5f), 64, 64, STETI_I8);
    part.out = be->Up(std::vector<float>(8 * 64));
    part.ld_out = 64;
    steti_linear_params p = {8, 64, be->Up(std::vector<float>(8 * 64, 1.0f)), 1, &part};
    steti_argmax_params a = {8,       64,      p.x, part.w,  nullptr, 1.0f,
                             nullptr, nullptr, id,  nullptr, nullptr};
    be->Reserve(8, 64, 8);
    size_t blocks = stet_shim::live();
    steti_alloc_get_stats(&before);
    EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK);
    EXPECT_EQ(be->ops->argmax(be->b, &a, &be->err), STET_OK);
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.calls, before.calls);
    EXPECT_EQ(stet_shim::live(), blocks);
}

/* The device of the tests must see what it is there to see. */
TEST(Failures, PointersToTheWrongSideAreSeen)
{
    std::unique_ptr<Backend> be = OpenTuned(steti_cuda_default_tuning);
    std::vector<float> host(16, 1.0f);
    float *x = be->Up(host);
    steti_norm_params n = {1, 16, STETI_NORM_RMS, 1e-5f, x, nullptr, host.data(), nullptr, x};
    EXPECT_EQ(be->ops->norm(be->b, &n, &be->err), STET_E_DEVICE);
    EXPECT_NE(std::string(be->err.message).find("pointer to the host"), std::string::npos)
        << be->err.message;
    EXPECT_NE(std::string(be->err.message).find("kernel norm"), std::string::npos);
    be = OpenTuned(steti_cuda_default_tuning);
    EXPECT_EQ(be->ops->upload(be->b, host.data(), host.data(), 4, &be->err), STET_E_DEVICE);
    be = OpenTuned(steti_cuda_default_tuning);
    x = be->Up(host);
    EXPECT_EQ(be->ops->download(be->b, host.data(), x + 30, 16, &be->err), STET_E_DEVICE);
}

} // namespace
