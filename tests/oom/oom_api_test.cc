// Out of memory in the calls of stet.h.
#include "failing_alloc.h"

#include <string>

#include "misspellings_builder.h"
#include "model_folder.h"

extern "C" {
#include "stet.h"
}

using namespace stet_test;

namespace
{

const std::string folder = std::string(STET_FIXTURES) + "/edgeformer-a";

const stet_option model_options[] = {{"device", "cpu"}, {"intra_threads", "1"}};
const stet_option engine_options[] = {{"batch_size", "2"},
                                      {"max_input_length", "16"},
                                      {"max_decoding_length", "24"},
                                      {"scores", "1"}};

stet_status load(stet_model **m)
{
    stet_error err{};
    err.struct_size = sizeof err;
    stet_status st = stet_model_load(folder.c_str(), model_options, 2, m, &err);
    EXPECT_EQ(st == STET_OK, *m != nullptr);
    EXPECT_TRUE(st == STET_OK || err.message[0] != '\0');
    return st;
}

TEST(OutOfMemoryApi, ModelLoad)
{
    fail_every_allocation("stet_model_load", [] {
        stet_model *m = nullptr;
        stet_status st = load(&m);
        stet_model_release(m);
        return st;
    });
}

TEST(OutOfMemoryApi, EngineCreate)
{
    stet_model *m = nullptr;
    ASSERT_EQ(load(&m), STET_OK);
    fail_every_allocation("stet_engine_create", [m] {
        stet_engine *g = nullptr;
        stet_status st = stet_engine_create(m, engine_options, 4, &g, nullptr);
        EXPECT_EQ(st == STET_OK, g != nullptr);
        stet_engine_destroy(g);
        return st;
    });
    stet_model_release(m);
}

TEST(OutOfMemoryApi, CorrectBatch)
{
    stet_model *m = nullptr;
    stet_engine *g = nullptr;
    ASSERT_EQ(load(&m), STET_OK);
    ASSERT_EQ(stet_engine_create(m, engine_options, 4, &g, nullptr), STET_OK);
    const std::string texts[] = {"bace difo. Guha jeki lomu!\nna pe ri",
                                 "so tu va we xi yo zu ba ce di fo gu ha je ki lo "
                                 "mu na pe ri so tu va we xi yo zu"};
    for (bool with_statuses : {false, true}) {
        fail_every_allocation("stet_correct_batch", [&] {
            stet_request r[2]{};
            stet_result *results[2];
            stet_status statuses[2] = {77, 77}, st;
            stet_error err{};
            err.struct_size = sizeof err;
            for (int i = 0; i < 2; i++) {
                r[i].struct_size = sizeof r[i];
                r[i].text = texts[i].data();
                r[i].len = texts[i].size();
            }
            st = stet_correct_batch(g, r, 2, results, with_statuses ? statuses : nullptr, &err);
            EXPECT_TRUE(st == STET_OK || err.code == st);
            stet_status first = STET_OK;
            for (int i = 0; i < 2; i++) {
                if (with_statuses) {
                    EXPECT_EQ(statuses[i] == STET_OK, results[i] != nullptr);
                    first = first == STET_OK ? statuses[i] : first;
                }
                stet_result_release(results[i]);
            }
            EXPECT_TRUE(!with_statuses || (first == STET_OK) == (st == STET_OK));
            return st;
        });
    }
    stet_engine_destroy(g);
    stet_model_release(m);
}

// stet.json, tasks, an engine's prompt and a request's.
TEST(OutOfMemoryApi, Prompts)
{
    ModelFolder changed("edgeformer-a");
    write_text(changed.path + "/stet.json", "{\"prompt\":\"ba ce: \",\"min_edit_score\":-5}");
    changed.set("task_specific_params", "{\"a\":{\"prefix\":\"di \"}}");
    changed.save();
    const stet_option task[] = {{"task", "a"}, {"max_decoding_length", "24"}};
    fail_every_allocation("the life of a prompt", [&] {
        stet_model *m = nullptr;
        stet_engine *g = nullptr;
        stet_result *out = nullptr;
        stet_request r{};
        r.struct_size = sizeof r;
        r.text = "bace difo";
        r.len = 9;
        r.prompt = "guha: ";
        stet_status st = stet_model_load(changed.path.c_str(), model_options, 2, &m, nullptr);
        st = st == STET_OK ? stet_engine_create(m, task, 2, &g, nullptr) : st;
        st = st == STET_OK ? stet_correct_batch(g, &r, 1, &out, nullptr, nullptr) : st;
        EXPECT_EQ(st == STET_OK, out != nullptr);
        stet_result_release(out);
        stet_engine_destroy(g);
        stet_model_release(m);
        return st;
    });
}

// A table of misspellings, the room for what was meant, and a text that is tokenized three times.
TEST(OutOfMemoryApi, Misspellings)
{
    ModelFolder changed("edgeformer-a");
    write_text(changed.path + "/misspellings.table",
               table_bytes({{"bcae", "bace"}, {"dfio", "di fo"}}));
    std::string text = "Bcae dfio";
    for (int i = 0; i < 60; i++) {
        text += " dfio";
    }
    fail_every_allocation("the life of a table of misspellings", [&] {
        stet_model *m = nullptr;
        stet_engine *g = nullptr;
        stet_result *out = nullptr;
        stet_request r{};
        r.struct_size = sizeof r;
        r.text = text.data();
        r.len = text.size();
        stet_status st = stet_model_load(changed.path.c_str(), model_options, 2, &m, nullptr);
        st = st == STET_OK ? stet_engine_create(m, engine_options, 4, &g, nullptr) : st;
        st = st == STET_OK ? stet_correct_batch(g, &r, 1, &out, nullptr, nullptr) : st;
        EXPECT_EQ(st == STET_OK, out != nullptr);
        stet_result_release(out);
        stet_engine_destroy(g);
        stet_model_release(m);
        return st;
    });
}

TEST(OutOfMemoryApi, Inspect)
{
    for (uint32_t format : {STET_REPORT_TEXT, STET_REPORT_JSON}) {
        char whole[4096];
        size_t want = 0;
        ASSERT_EQ(stet_model_inspect(folder.c_str(), model_options, 2, format, whole, sizeof whole,
                                     &want, nullptr),
                  STET_OK);
        fail_every_allocation("stet_model_inspect", [&] {
            char buf[4096] = "";
            size_t needed = 0;
            stet_status st = stet_model_inspect(folder.c_str(), model_options, 2, format, buf,
                                                sizeof buf, &needed, nullptr);
            EXPECT_TRUE(st != STET_OK || jansson().fail_at != 0 || std::string(buf) == whole)
                << "a report that says OK must be whole";
            return st;
        });
    }
}

} // namespace
