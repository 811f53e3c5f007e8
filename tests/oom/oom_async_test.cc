// Out of memory while requests are in flight: the thread that lacks it is not the one that calls.
#include "failing_alloc.h"

#include <map>
#include <set>
#include <string>

extern "C" {
#include "stet.h"
}

using namespace stet_test;

namespace
{

const std::string folder = std::string(STET_FIXTURES) + "/transformer-pre";

const stet_option model_options[] = {{"device", "cpu"}, {"intra_threads", "1"}};

const std::vector<std::string> &texts()
{
    static const std::vector<std::string> list = {
        "bace difo. Guha jeki lomu!\nna pe ri", "", "12 34",
        "so tu va we xi yo zu ba ce di fo gu ha je ki lo mu na pe ri so tu va we\n\nxi yo zu"};
    return list;
}

std::vector<stet_request> make_requests(const std::vector<int32_t> &tokens)
{
    std::vector<stet_request> r(texts().size() + 1);
    for (size_t i = 0; i < r.size(); i++) {
        r[i] = stet_request{};
        r[i].struct_size = sizeof r[i];
        r[i].tag = i;
        if (i < texts().size()) {
            r[i].text = texts()[i].data();
            r[i].len = texts()[i].size();
        } else {
            r[i].flags = STET_REQ_TOKENS;
            r[i].tokens = tokens.data();
            r[i].n_tokens = tokens.size();
        }
    }
    return r;
}

// Everything that a result says.
std::string describe(const stet_result *r)
{
    size_t n = 0, n_tokens = 0;
    const char *text = stet_result_text(r, &n);
    const int32_t *tokens = stet_result_tokens(r, &n_tokens);
    std::string s(text != nullptr ? text : "", n);
    for (size_t i = 0; i < n_tokens; i++) {
        s += "|" + std::to_string(tokens[i]);
    }
    std::vector<stet_edit> edits(
        static_cast<size_t>(stet_result_edits(r, 0, nullptr, sizeof(stet_edit), 0, 0)));
    stet_result_edits(r, 0, edits.data(), sizeof(stet_edit), 0, edits.size());
    for (const auto &e : edits) {
        s += "|" + std::to_string(e.src_off) + "+" + std::to_string(e.src_len) + "=" +
             std::string(e.text, e.text_len) + "@" + std::to_string(e.sentence) + "*" +
             std::to_string(e.score);
    }
    return s;
}

struct World {
    World(const std::vector<stet_option> &options)
    {
        EXPECT_EQ(stet_model_load(folder.c_str(), model_options, 2, &model, nullptr), STET_OK);
        EXPECT_EQ(stet_engine_create(model, options.data(), options.size(), &engine, nullptr),
                  STET_OK);
        EXPECT_EQ(stet_cq_create(&cq, nullptr), STET_OK);
    }
    ~World()
    {
        stet_engine_destroy(engine);
        stet_model_release(model);
        stet_cq_destroy(cq);
    }
    World(const World &) = delete;
    World &operator=(const World &) = delete;
    stet_model *model = nullptr;
    stet_engine *engine = nullptr;
    stet_cq *cq = nullptr;
};

// One round of requests; STET_OK when all went well, else STET_E_NOMEM. `want`: what the results
// must say, filled by the first round.
stet_status run_round(const World &w, std::map<uint64_t, std::string> *want)
{
    const std::vector<int32_t> tokens = {20, 21, 22, 23, 24, 25};
    auto requests = make_requests(tokens);
    std::set<uint64_t> waiting;
    stet_status worst = STET_OK;
    for (const auto &r : requests) {
        stet_error err{};
        err.struct_size = sizeof err;
        stet_status st = stet_submit(w.engine, w.cq, &r, 1, nullptr, nullptr, &err);
        if (st == STET_OK) {
            waiting.insert(r.tag);
        } else {
            EXPECT_EQ(st, STET_E_NOMEM) << err.message;
            worst = st;
        }
    }
    while (!waiting.empty()) {
        stet_event e;
        int64_t n = stet_cq_poll(w.cq, &e, sizeof e, 1, 60000000);
        if (n != 1) {
            ADD_FAILURE() << waiting.size() << " requests have no event";
            return STET_E_INVALID;
        }
        EXPECT_EQ(waiting.erase(e.tag), 1u);
        if (e.status == STET_OK) {
            std::string text = describe(e.result);
            auto [at, is_new] = want->emplace(e.tag, text);
            EXPECT_EQ(at->second, text) << "a result that says OK must be whole";
        } else {
            EXPECT_EQ(e.status, STET_E_NOMEM) << e.message;
            EXPECT_NE(e.message[0], '\0');
            worst = e.status;
        }
        stet_result_release(e.result);
    }
    stet_event e;
    EXPECT_EQ(stet_cq_poll(w.cq, &e, sizeof e, 1, 0), 0);
    return worst;
}

// The driver may still be giving memory back when the last event is taken: drained is quiet, but
// also the end of an engine. So quiet is when nothing is in flight and the counts stand still.
void wait_until_quiet(const World &w)
{
    stet_stats s{};
    s.struct_size = sizeof s;
    do {
        stet_engine_stats(w.engine, &s);
    } while (s.waiting + s.running > 0);
}

void fail_all(const std::vector<stet_option> &options)
{
    World w(options);
    std::map<uint64_t, std::string> want;
    ASSERT_EQ(run_round(w, &want), STET_OK);
    ASSERT_EQ(want.size(), texts().size() + 1);
    wait_until_quiet(w);
    uint64_t failed = 0;
    for (bool sticky : {false, true}) {
        for (uint64_t n = 1;; n++) {
            wait_until_quiet(w);
            steti_alloc_fail_nth(n, sticky);
            stet_status st = run_round(w, &want);
            steti_alloc_fail_nth(0, 0);
            ASSERT_FALSE(testing::Test::HasFailure()) << "allocation " << n;
            if (st == STET_OK) {
                break;
            }
            failed++;
        }
        ASSERT_EQ(run_round(w, &want), STET_OK) << "afterwards";
    }
    EXPECT_GT(failed, 100u);
}

TEST(OutOfMemoryAsync, EveryAcceptedRequestHasItsEvent)
{
    uint64_t before = live_blocks();
    fail_all({{"batch_size", "2"}, {"scores", "1"}});
    EXPECT_EQ(live_blocks(), before) << "leaks";
}

TEST(OutOfMemoryAsync, WithALimit)
{
    uint64_t before = live_blocks();
    fail_all({{"batch_size", "3"}, {"memory_limit", "1G"}, {"draft", "tree"}});
    EXPECT_EQ(live_blocks(), before) << "leaks";
}

TEST(OutOfMemoryAsync, CreatingAQueue)
{
    fail_every_allocation("stet_cq_create", [] {
        stet_cq *q = nullptr;
        stet_status st = stet_cq_create(&q, nullptr);
        EXPECT_EQ(st == STET_OK, q != nullptr);
        stet_cq_destroy(q);
        return st;
    });
}

} // namespace
