// Out of memory below the interface: reading a configuration, opening weights, model, session and
// engine.
#include "failing_alloc.h"
#include "net_fixture.h"

using namespace stet_test;

namespace
{

class OutOfMemory : public ::testing::TestWithParam<const char *>
{
};

TEST_P(OutOfMemory, ReadingTheConfiguration)
{
    fail_every_allocation("steti_spec_read", [] {
        steti_spec spec;
        return steti_spec_read(fixture(GetParam()).c_str(), &spec, nullptr);
    });
}

TEST_P(OutOfMemory, OpeningAModel)
{
    for (enum steti_dtype compute : {STETI_F32, STETI_I8}) {
        fail_every_allocation(
            "model", [compute] { return Net(fixture(GetParam()), compute, 1, "portable").status; });
    }
}

TEST_P(OutOfMemory, OpeningAndRunningAnEngine)
{
    Net net(fixture(GetParam()), STETI_F32, 1, "portable");
    ASSERT_EQ(net.status, STET_OK) << net.err.message;
    for (const steti_draft_ops *policy :
         {&steti_draft_none, &steti_draft_sad, &steti_draft_edit, &steti_draft_tree}) {
        fail_every_allocation("engine", [&net, policy] {
            auto o = engine_options(policy, 2, 3, 8);
            steti_engine *engine = nullptr;
            stet_status st = steti_engine_open(net.model, net.backend, &o, &engine, nullptr);
            if (st == STET_OK) {
                int32_t src[] = {5, 6, 7}, out[8];
                steti_job job{};
                job.src = src;
                job.n_src = 3;
                job.out = out;
                st = steti_engine_run(engine, &job, 1, nullptr);
            }
            steti_engine_close(engine);
            return st;
        });
    }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, OutOfMemory,
                         ::testing::Values("edgeformer-b", "transformer-learned", "hf-m2m-100-c"));

} // namespace
