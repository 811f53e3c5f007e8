// What a report says of a folder, whether it can be run or not.
#include "api_fixture.h"
#include "model_folder.h"

using namespace stet_test;

namespace
{

std::string report_of(const std::string &path, uint32_t format, Options o = {})
{
    std::string buf(8192, '\0');
    size_t n = 0;
    stet_model_inspect(path.c_str(), o.data(), o.size(), format, buf.data(), buf.size(), &n,
                       nullptr);
    buf.resize(n);
    return buf;
}

TEST(ApiInspect, TheReportSaysWhatARequestMeets)
{
    std::string text = report_of(fixture("hf-t5-c"), STET_REPORT_TEXT, {{"prompt", "fix: "}});
    for (const char *line : {"vocabulary         288 tokens, positions without limit\n",
                             "compute types      float32, int8\n", "source             TEXT </s>\n",
                             "decoder start      <pad>\n", "prompt             \"fix: \"\n",
                             " with 1 in flight\n", " with 128 in flight\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    }
    std::string json = report_of(fixture("hf-t5-c"), STET_REPORT_JSON);
    for (const char *part : {"\"max_positions\":null", "\"source_suffix_ids\":[1]",
                             "\"start_ids\":[0]", "\"memory_in_flight\":{\"1\":"}) {
        EXPECT_NE(json.find(part), std::string::npos) << part << json;
    }
}

TEST(ApiInspect, EveryPartsProblemIsTold)
{
    ModelFolder folder("hf-t5-c");
    std::filesystem::remove(folder.path + "/spiece.model");
    write_text(folder.path + "/stet.json", "{\"promt\":\"x\"}");
    folder.tensors.erase("decoder.final_layer_norm.weight");
    folder.save();
    std::string text = report_of(folder.path, STET_REPORT_TEXT);
    std::string json = report_of(folder.path, STET_REPORT_JSON);
    for (const char *problem : {"no tokenizer", "is not a key of this file", "final_layer_norm"}) {
        EXPECT_NE(text.find(problem), std::string::npos) << problem << text;
        EXPECT_NE(json.find(problem), std::string::npos) << problem << json;
    }
    EXPECT_NE(text.find("compute types      none\n"), std::string::npos) << text;
    write_text(folder.path + "/config.json", "{\"model_type\":\"longt5\"}");
    text = report_of(folder.path, STET_REPORT_TEXT);
    for (const char *problem : {"no tokenizer", "is not a key of this file", "longt5"}) {
        EXPECT_NE(text.find(problem), std::string::npos) << problem << text;
    }
}

} // namespace
