// Recordings of the CUDA backend: the bits of ops called one by one, what a graph holds, and what
// is refused.
#include <algorithm>
#include <cstddef>

#include "recorded_pass.h"

using stet_shim::device;

namespace
{

using Names = std::vector<std::string>;

/* ---- Bits ------------------------------------------------------------------------------------ */

struct Bucket {
    int max_rows;
    steti_dtype type;
    Tuning tuning;
};

/* Beyond the live rows. */
enum class Behind {
    poison, // numbers that no kernel may use
    rows    // those of a replay with all rows
};

/* Bytes that differ between n rows of a recording made on `rt` and the same ops. */
size_t DifferenceOf(const Bucket &c, int n, Behind behind, const steti_cuda_runtime *rt)
{
    std::unique_ptr<Backend> plain = OpenTuned(c.tuning), recorded = OpenTuned(c.tuning);
    RecordedPass want(plain.get(), c.max_rows, c.type), got(recorded.get(), c.max_rows, c.type);
    want.FillRows(0, n, 9);
    EXPECT_EQ(want.Ops(n), STET_OK) << plain->err.message;
    recorded->b->rt = rt;
    EXPECT_EQ(got.Record(), STET_OK) << recorded->err.message;
    if (behind == Behind::poison) {
        size_t bytes = steti_cuda_rows_bytes(c.max_rows, STETI_RECORD_ARRAYS);
        std::memset(recorded->b->scratch->pinned, 0x81, bytes);
        std::memset(recorded->b->scratch->rows, 0x81, bytes);
    } else {
        got.FillRows(0, c.max_rows, 10);
        EXPECT_EQ(got.Replay(c.max_rows), STET_OK) << recorded->err.message;
        got.Reset();
    }
    got.FillRows(0, n, 9);
    EXPECT_EQ(got.Replay(n), STET_OK) << recorded->err.message;
    return DifferingBytes(got.Everything(), want.Everything());
}

TEST(Recordings, HaveTheBitsOfTheOpsForEveryNumberOfRows)
{
    const Bucket buckets[] = {{8, STETI_F32, {48, 8}},      {16, STETI_I8, {48, 8}},
                              {33, STETI_F32, {48, 1000}},  {40, STETI_F32, {48, 0}},
                              {40, STETI_I8, {32, 0}},      {40, STETI_I8, {32, 1000}},
                              {40, STETI_BF16, {32, 1000}}, {40, STETI_BF16, {32, 0}}};
    for (const Bucket &c : buckets) {
        for (int n : {1, 7, 8, 9, 16, 31, 32, 33, 40}) {
            if (n <= c.max_rows) {
                ASSERT_EQ(DifferenceOf(c, n, Behind::poison, stet_shim::runtime()), 0u)
                    << n << " of " << c.max_rows << " rows, " << steti_dtype_name(c.type);
            }
        }
    }
}

/* A launch whose kernel is not told how many rows there are. */
int LaunchAllRows(const steti_cuda_launch *l, void *stream)
{
    static const size_t at[] = {
#define LIVE(name, args) offsetof(args, live),
        STETI_CUDA_OP_KERNEL_MAP(LIVE)
#undef LIVE
    };
    std::vector<uint64_t> arg((l->arg_bytes + 7) / 8);
    std::memcpy(arg.data(), l->arg, l->arg_bytes);
    arg[at[l->kernel] / 8] = 0;
    steti_cuda_launch changed = *l;
    changed.arg = arg.data();
    return stet_shim::runtime()->launch(&changed, stream);
}

TEST(Recordings, TheCheckSeesKernelsThatIgnoreTheNumberOfRows)
{
    steti_cuda_runtime mutant = *stet_shim::runtime();
    mutant.launch = LaunchAllRows;
    for (steti_dtype type : {STETI_F32, STETI_I8, STETI_BF16}) {
        Bucket c = {16, type, {32, 8}};
        EXPECT_EQ(DifferenceOf(c, 5, Behind::rows, stet_shim::runtime()), 0u);
        EXPECT_GT(DifferenceOf(c, 5, Behind::rows, &mutant), 0u);
    }
}

/* Many rows of a large vocabulary, which argmax does in groups, here of 8 rows: each takes its own
 * part of the live rows. */
TEST(Recordings, GroupsOfRowsHaveTheirOwnAnswers)
{
    std::unique_ptr<Backend> plain = OpenTuned({48, 8}), be = OpenTuned({48, 8});
    RecordedPass want(plain.get(), 20, STETI_I8), got(be.get(), 20, STETI_I8);
    be->b->tile_bytes = 8 * 2 * sizeof(steti_cuda_best);
    ASSERT_EQ(got.Record(), STET_OK) << be->err.message;
    Names work = stet_shim::work_of(got.recording->exec);
    EXPECT_EQ(std::count(work.begin(), work.end(), "argmax_merge"), 3);
    for (int n : {20, 1, 7, 8, 9, 15, 16, 17}) {
        want.Reset();
        got.Reset();
        want.FillRows(0, n, 5);
        got.FillRows(0, n, 5);
        ASSERT_EQ(want.Ops(n), STET_OK);
        ASSERT_EQ(got.Replay(n), STET_OK) << be->err.message;
        ASSERT_EQ(DifferingBytes(got.Everything(), want.Everything()), 0u) << n << " rows";
    }
}

/* ---- What a graph holds ---------------------------------------------------------------------- */

TEST(Graph, HasOneCopyInOneCopyOutAndTheKernelsInOrder)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 16, STETI_I8);
    uint64_t before = device().launches[STETI_CUDA_norm];
    ASSERT_EQ(pass.Record(), STET_OK) << be->err.message;
    EXPECT_EQ(device().launches[STETI_CUDA_norm], before) << "nothing runs while it is written";
    Names ops = {"embed",     "norm",     "quantize",  "linear_i8_serial", "attention",
                 "on device", "quantize", "argmax_i8", "argmax_merge"};
    EXPECT_EQ(stet_shim::work_of(pass.recording->ops.graph), ops);
    ops.insert(ops.begin(), "to device");
    ops.push_back("to host");
    EXPECT_EQ(stet_shim::work_of(pass.recording->exec), ops);
    EXPECT_EQ(pass.recording->n_arrays, 7);
    for (int n : {16, 3}) {
        pass.FillRows(0, n, 2);
        uint64_t calls = device().calls, copies = device().copies, graphs = device().graph_launches;
        ASSERT_EQ(pass.Replay(n), STET_OK) << be->err.message;
        EXPECT_EQ(device().graph_launches, graphs + 1);
        EXPECT_EQ(device().copies, copies + 3) << "in, on the device, out";
        EXPECT_LE(device().calls, calls + 4) << "twice bind, the launch, sync";
    }
}

TEST(Graph, RepeatedReplaysAllocateNothing)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 16, STETI_F32);
    steti_alloc_stats before, after;
    ASSERT_EQ(pass.Record(), STET_OK);
    pass.FillRows(0, 16, 2);
    size_t blocks = stet_shim::live();
    steti_alloc_get_stats(&before);
    for (int n = 0; n <= 16; n++) {
        ASSERT_EQ(pass.Replay(n), STET_OK) << be->err.message;
    }
    steti_alloc_get_stats(&after);
    EXPECT_EQ(after.calls, before.calls);
    EXPECT_EQ(stet_shim::live(), blocks);
}

/* Without waiting between them: the second may not change what the first one reads. */
TEST(Graph, OneReplayWaitsForTheOneAhead)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass a(be.get(), 8, STETI_F32), b(be.get(), 16, STETI_F32);
    ASSERT_EQ(a.Record(), STET_OK);
    ASSERT_EQ(b.Record(), STET_OK);
    a.FillRows(0, 8, 3);
    b.FillRows(0, 16, 4);
    ASSERT_EQ(be->ops->replay(be->b, a.recording, 8, &be->err), STET_OK);
    ASSERT_EQ(be->ops->replay(be->b, b.recording, 16, &be->err), STET_OK);
    EXPECT_GE(a.out_id[7], 0) << "finished by the second";
    EXPECT_EQ(b.out_id[0], -7) << "not waited for";
    ASSERT_EQ(be->ops->sync(be->b, &be->err), STET_OK);
    EXPECT_GE(b.out_id[15], 0);
}

TEST(Graph, OutlivesAReserveThatGrows)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 16, STETI_I8);
    ASSERT_EQ(pass.Record(), STET_OK);
    pass.FillRows(0, 9, 2);
    ASSERT_EQ(pass.Replay(9), STET_OK);
    std::vector<float> want = pass.Everything();
    size_t blocks = stet_shim::live();
    be->Reserve(100, 256, 30);
    EXPECT_EQ(stet_shim::live(), blocks + 2) << "the old scratch is still in use";
    pass.Reset();
    ASSERT_EQ(pass.Replay(9), STET_OK) << be->err.message;
    EXPECT_EQ(DifferingBytes(pass.Everything(), want), 0u);
    be->ops->free_recording(be->b, pass.recording);
    pass.recording = nullptr;
    EXPECT_EQ(stet_shim::live(), blocks - 2) << "new scratch; old scratch and the two graphs gone";
}

/* What a loop on the device does: the ops again and again in a graph of its own, over rows that it
 * writes where the recording has them. */
TEST(Graph, OpsCanBePutIntoAnother)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 8, STETI_F32);
    const steti_cuda_runtime *rt = be->b->rt;
    steti_cuda_graph g = {}, body = {};
    steti_cuda_condition condition;
    void *exec = nullptr;
    ASSERT_EQ(pass.Record(), STET_OK);
    pass.FillRows(0, 8, 2);
    ASSERT_EQ(pass.Replay(8), STET_OK);
    int32_t *ids = steti_cuda_find_array(pass.recording, pass.ids.data());
    ASSERT_NE(ids, nullptr);
    EXPECT_EQ(std::vector<int32_t>(ids, ids + 8), pass.ids);
    EXPECT_EQ(steti_cuda_find_array(pass.recording, pass.out_id.data()), nullptr);
    ASSERT_EQ(rt->graph_create(&g), 0);
    ASSERT_EQ(steti_cuda_add_recording(be->b, pass.recording, &g, &be->err), STET_OK);
    ASSERT_EQ(rt->condition_create(&g, 0, &condition), 0);
    ASSERT_EQ(rt->while_add(&g, condition, &body), 0);
    ASSERT_EQ(steti_cuda_add_recording(be->b, pass.recording, &body, &be->err), STET_OK);
    ASSERT_EQ(rt->exec_create(&g, &exec), 0);
    uint64_t before = device().launches[STETI_CUDA_argmax_merge];
    std::swap(ids[0], ids[1]); // what the first two rows find changes places with them, or not
    ids[2] = ids[3] = 5;
    *pass.recording->live = 3;
    steti_cuda_best old = pass.recording->best[3];
    ASSERT_EQ(rt->exec_launch(exec, be->b->stream), 0) << device().problem;
    EXPECT_EQ(device().launches[STETI_CUDA_argmax_merge], before + 1) << "a loop of no rounds";
    EXPECT_EQ(pass.recording->best[3].id, old.id) << "row 3 is not live";
    rt->exec_free(exec);
    rt->graph_free(&g);
}

TEST(Graph, ALoopOnTheFibersEndsOrFails)
{
    const steti_cuda_runtime *rt = stet_shim::runtime();
    steti_cuda_graph g = {}, body = {};
    steti_cuda_condition condition = 0;
    void *exec = nullptr;
    ASSERT_EQ(rt->graph_create(&g), 0);
    EXPECT_NE(rt->while_add(&g, condition, &body), 0) << "a condition of no graph";
    ASSERT_EQ(rt->condition_create(&g, 1, &condition), 0);
    ASSERT_EQ(rt->while_add(&g, condition, &body), 0);
    ASSERT_EQ(rt->exec_create(&g, &exec), 0);
    EXPECT_NE(rt->exec_launch(exec, nullptr), 0);
    EXPECT_EQ(device().problem, "a loop does not end");
    rt->exec_free(exec);
    rt->graph_free(&g);
    EXPECT_EQ(stet_shim::live(), 0u);
}

/* ---- What is refused ------------------------------------------------------------------------- */

stet_status NotAnOp(Backend *be, int which, void *memory)
{
    float f = 0;
    steti_tensor src = {&f, STETI_F32, 2, {1, 1}};
    steti_matrix *m = nullptr;
    void *p = nullptr;
    switch (which) {
    case 0:
        return be->ops->mem_alloc(be->b, 4, &p, &be->err);
    case 1:
        return be->ops->upload(be->b, memory, &f, 4, &be->err);
    case 2:
        return be->ops->download(be->b, &f, memory, 4, &be->err);
    case 3:
        return be->ops->pack_matrix(be->b, &src, nullptr, STETI_F32, &m, &be->err);
    case 4:
        return be->ops->reserve(be->b, 9, 9, 9, &be->err);
    case 5:
        return be->ops->record_begin(be->b, 1, &be->err);
    default:
        return be->ops->sync(be->b, &be->err);
    }
}

TEST(Refused, WhatIsNoOpWhileARecordingIsMade)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 16, STETI_F32);
    ASSERT_EQ(be->ops->record_begin(be->b, 16, &be->err), STET_OK);
    for (int which = 0; which < 7; which++) {
        EXPECT_EQ(NotAnOp(be.get(), which, pass.x), STET_E_INVALID) << which;
    }
    EXPECT_EQ(pass.Ops(16), STET_OK) << be->err.message;
    EXPECT_EQ(be->ops->record_end(be->b, &pass.recording, &be->err), STET_OK) << be->err.message;
    pass.FillRows(0, 4, 2);
    EXPECT_EQ(pass.Replay(4), STET_OK) << be->err.message;
}

TEST(Refused, ARecordingLeftOpenEndsWithTheContext)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    be->Reserve(4, 16, 4);
    ASSERT_EQ(be->ops->record_begin(be->b, 4, &be->err), STET_OK);
    be.reset();
    EXPECT_EQ(stet_shim::live(), 0u);
    EXPECT_EQ(device().capturing, nullptr);
}

TEST(Refused, NumbersOfRowsThatDoNotFit)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 16, STETI_F32);
    EXPECT_EQ(be->ops->record_begin(be->b, 0, &be->err), STET_E_INVALID);
    EXPECT_EQ(be->ops->record_begin(be->b, 17, &be->err), STET_E_INVALID);
    EXPECT_EQ(be->ops->record_end(be->b, &pass.recording, &be->err), STET_E_INVALID);
    ASSERT_EQ(be->ops->record_begin(be->b, 16, &be->err), STET_OK);
    EXPECT_EQ(pass.Ops(15), STET_E_INVALID);
    EXPECT_NE(std::string(be->err.message).find("recording of 16 rows"), std::string::npos)
        << be->err.message;
    EXPECT_EQ(be->ops->record_end(be->b, &pass.recording, &be->err), STET_E_INVALID);
    EXPECT_EQ(pass.recording, nullptr);
    ASSERT_EQ(pass.Record(), STET_OK) << "the context is as it was: " << be->err.message;
    EXPECT_EQ(pass.Replay(17), STET_E_INVALID);
    EXPECT_EQ(pass.Replay(-1), STET_E_INVALID);
    EXPECT_EQ(pass.Replay(0), STET_OK);
}

TEST(Refused, WhatArgmaxCannotDoInARecording)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 4, STETI_F32);
    steti_adjust adjust[] = {{1, 2.0f}};
    int32_t begin[] = {0, 0, 1, 1, 1}, id[4];
    float logits[4 * RecordedPass::kVocab];
    steti_argmax_params plain = {4,       RecordedPass::kDim,
                                 pass.x,  pass.table,
                                 nullptr, 1.0f,
                                 nullptr, nullptr,
                                 id,      nullptr,
                                 nullptr};
    for (int which = 0; which < 3; which++) {
        steti_argmax_params p = plain;
        ASSERT_EQ(be->ops->record_begin(be->b, 4, &be->err), STET_OK);
        p.adjust = which == 0 ? adjust : nullptr;
        p.adjust_begin = which == 0 ? begin : nullptr;
        p.logits = which == 1 ? logits : nullptr;
        if (which == 2) {
            EXPECT_EQ(be->ops->argmax(be->b, &p, &be->err), STET_OK);
        }
        EXPECT_EQ(be->ops->argmax(be->b, &p, &be->err), STET_E_INVALID) << which;
        EXPECT_EQ(be->ops->record_end(be->b, &pass.recording, &be->err), STET_E_INVALID);
        EXPECT_EQ(pass.recording, nullptr);
    }
}

TEST(Refused, MoreArraysThanARecordingMayRead)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 4, STETI_F32);
    std::vector<std::vector<int32_t>> maps(STETI_RECORD_ARRAYS + 1, std::vector<int32_t>(4));
    std::vector<steti_linear_part> parts(maps.size());
    for (size_t i = 0; i < maps.size(); i++) {
        parts[i] = {};
        parts[i].w = pass.w[0];
        parts[i].out = pass.k;
        parts[i].ld_out = RecordedPass::kDim;
        parts[i].row_map = maps[i].data();
    }
    steti_linear_params p = {4, RecordedPass::kDim, pass.x, STETI_RECORD_ARRAYS, parts.data()};
    ASSERT_EQ(be->ops->record_begin(be->b, 4, &be->err), STET_OK);
    EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_OK) << be->err.message;
    p.n_parts++;
    EXPECT_EQ(be->ops->linear(be->b, &p, &be->err), STET_E_INVALID);
    EXPECT_EQ(be->ops->record_end(be->b, &pass.recording, &be->err), STET_E_INVALID);
}

/* What host arrays hold is looked at by every replay, as far as its rows go. */
TEST(Refused, RowsThatMakeNoSense)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 8, STETI_F32);
    ASSERT_EQ(pass.Record(), STET_OK);
    for (auto *array :
         {&pass.ids, &pass.pos, &pass.map, &pass.begin, &pass.count, &pass.tail_count}) {
        pass.FillRows(0, 8, 2);
        (*array)[6] = -1;
        EXPECT_EQ(pass.Replay(6), STET_OK) << be->err.message;
        EXPECT_EQ(pass.Replay(7), STET_E_INVALID);
        EXPECT_NE(std::string(be->err.message).find("row 6"), std::string::npos) << be->err.message;
    }
    pass.FillRows(0, 8, 2);
    pass.ids[7] = RecordedPass::kVocab;
    EXPECT_EQ(pass.Replay(8), STET_E_INVALID);
    pass.FillRows(0, 8, 2);
    EXPECT_EQ(pass.Replay(8), STET_OK);
}

TEST(Refused, ANanIsToldBySync)
{
    std::unique_ptr<Backend> be = OpenTuned({48, 8});
    RecordedPass pass(be.get(), 8, STETI_F32);
    ASSERT_EQ(pass.Record(), STET_OK);
    pass.FillRows(0, 8, 2);
    pass.k[pass.begin[5] * RecordedPass::kDim] = NAN; // memory of the fibers' device
    pass.tail_count[0] = 0;
    ASSERT_EQ(be->ops->replay(be->b, pass.recording, 6, &be->err), STET_OK);
    EXPECT_EQ(be->ops->sync(be->b, &be->err), STET_E_MODEL);
    EXPECT_NE(std::string(be->err.message).find("of 6: a logit is NaN"), std::string::npos)
        << be->err.message;
    EXPECT_EQ(pass.out_id[5], -1);
    EXPECT_EQ(pass.out_id[6], -7) << "not a row of this replay";
    EXPECT_EQ(be->ops->sync(be->b, &be->err), STET_OK) << "told once";
}

} // namespace
