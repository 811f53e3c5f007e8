// Out of memory in stet_quantize: every allocation fails once, and nothing is left on the disk.
#include "failing_alloc.h"
#include "fixture_path.h"

#include <cstdlib>
#include <filesystem>
#include <string>

extern "C" {
#include "stet.h"
}

using namespace stet_test;

namespace
{

void quantize(const char *type, size_t n_texts)
{
    std::string root = (std::filesystem::temp_directory_path() / "stet-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(root.data()), nullptr);
    const std::string from = fixture("edgeformer-a"), to = root + "/out";
    const stet_text texts[] = {{"bace difo guha.", 15}, {"", 0}, {"na pe", 5}};
    const stet_option options[] = {
        {"compute_type", type}, {"device", "cpu"}, {"intra_threads", "1"}};
    fail_every_allocation("stet_quantize", [&] {
        stet_quantize_input in{};
        stet_quantize_report report{};
        stet_error err{};
        in.struct_size = sizeof in;
        in.from = from.c_str();
        in.to = to.c_str();
        in.texts = texts;
        in.n_texts = n_texts;
        in.texts_name = "texts";
        report.struct_size = sizeof report;
        err.struct_size = sizeof err;
        stet_status st = stet_quantize(&in, options, 3, &report, &err);
        EXPECT_EQ(st == STET_OK, std::filesystem::exists(to + "/model.safetensors"));
        EXPECT_EQ(st == STET_OK, report.quantized + report.converted > 0);
        EXPECT_TRUE(st == STET_OK || err.message[0] != '\0');
        std::filesystem::remove_all(to);
        EXPECT_TRUE(std::filesystem::is_empty(root));
        return st;
    });
    std::filesystem::remove_all(root);
}

TEST(OutOfMemoryQuantize, Int8)
{
    quantize("int8", 0);
}

TEST(OutOfMemoryQuantize, Float16)
{
    quantize("float16", 0);
}

TEST(OutOfMemoryQuantize, WithTexts)
{
    quantize("int8", 3);
}

} // namespace
