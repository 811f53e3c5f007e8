// What stet_quantize refuses, with a message that says why and nothing left on the disk.
#include "quantize_fixture.h"

#include <cmath>
#include <csignal>
#include <limits>
#include <sys/resource.h>

using namespace stet_test;

namespace
{

namespace fs = std::filesystem;

void expect_refused(const std::string &from, const char *type, const std::string &message,
                    stet_status want = STET_E_MODEL)
{
    Quantized q(from, type);
    EXPECT_EQ(q.status, want) << type;
    EXPECT_TRUE(q.says(message)) << q.err.message;
    EXPECT_TRUE(q.left_nothing());
    EXPECT_EQ(q.report.bytes_after, 0u);
}

TEST(QuantizeRefusal, ValuesThatAreNoNumbers)
{
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (float wrong : {nan, inf, -inf}) {
        for (const char *name :
             {"encoder.layers.1.fc1.weight", "decoder.layers.0.final_layer_norm.bias"}) {
            ModelFolder folder("edgeformer-a");
            folder.f32(name)[17] = wrong;
            folder.save();
            for (const char *type : {"int8", "bfloat16", "float16", "float32"}) {
                expect_refused(folder.path, type,
                               std::string("tensor \"") + name + "\": element 17 is " +
                                   (std::isnan(wrong) ? "NaN" : "an infinity"));
            }
        }
    }
}

TEST(QuantizeRefusal, ScalesThatAreNoNumbers)
{
    const std::string name = "encoder.layers.0.fc1.weight_scale";
    ModelFolder folder("edgeformer-b");
    folder.f32(name)[3] = std::numeric_limits<float>::infinity();
    folder.save();
    expect_refused(folder.path, "int8", name + "\": element 3 is an infinity");
    for (const char *type : {"bfloat16", "float16", "float32"}) {
        expect_refused(folder.path, type, "encoder.layers.0.fc1.weight\": element ");
    }
}

TEST(QuantizeRefusal, ValuesThatFloat16DoesNotHave)
{
    ModelFolder folder("transformer-post");
    folder.f32("decoder.layers.0.fc2.weight")[40] = -65520.0f;
    folder.save();
    expect_refused(folder.path, "float16",
                   "tensor \"decoder.layers.0.fc2.weight\": element 40 is -65520, which is too "
                   "large for F16");
    EXPECT_EQ(Quantized(folder.path, "bfloat16").status, STET_OK);
    EXPECT_EQ(Quantized(folder.path, "int8").status, STET_OK);
    folder.f32("decoder.layers.0.fc2.weight")[40] = 65519.0f;
    folder.save();
    EXPECT_EQ(Quantized(folder.path, "float16").status, STET_OK);
    folder.f32("decoder.layers.0.fc2.weight")[40] = std::numeric_limits<float>::max();
    folder.save();
    expect_refused(folder.path, "bfloat16", "too large for BF16");
}

TEST(QuantizeRefusal, FoldersThatStetCannotRun)
{
    ModelFolder missing("edgeformer-a"), unknown("hf-bart-a"), config("hf-t5-a");
    missing.tensors.erase("encoder.layers.0.fc1.weight");
    missing.save();
    expect_refused(missing.path, "int8", "\"encoder.layers.0.fc1.weight\" is missing");
    unknown.tensors["strange.weight"] = unknown.tensors.begin()->second;
    unknown.save();
    expect_refused(unknown.path, "float32", "\"strange.weight\" does not belong");
    config.set("model_type", "\"longt5\"");
    config.save();
    expect_refused(config.path, "int8", "model_type");
    fs::resize_file(config.path + "/model.safetensors", 100);
    expect_refused(config.path, "int8", "model.safetensors", STET_E_FORMAT);
    expect_refused("nowhere", "int8", "nowhere: cannot be opened", STET_E_IO);
}

TEST(QuantizeRefusal, PlacesWhereNothingCanBeWritten)
{
    Quantized q;
    const std::string from = fixture("hf-t5-a");
    fs::create_directory(q.path);
    write_text(q.path + "/x", "old");
    EXPECT_EQ(q.run(from, {}), STET_E_IO);
    EXPECT_TRUE(q.says(q.path + ": is there already and is not empty")) << q.err.message;
    EXPECT_EQ(read_text(q.path + "/x"), "old");
    q.path = q.root + "/out/x";
    EXPECT_EQ(q.run(from, {}), STET_E_IO);
    q.path = q.root + "/missing/x";
    EXPECT_EQ(q.run(from, {}), STET_E_IO);
    EXPECT_TRUE(q.says("missing/x: cannot be made")) << q.err.message;
    ModelFolder folder("hf-t5-a");
    q.path = folder.path + "/";
    EXPECT_EQ(q.run(folder.path, {}), STET_E_IO);
    EXPECT_TRUE(q.says("is the folder that is read")) << q.err.message;
    EXPECT_EQ(std::distance(fs::directory_iterator(q.root), fs::directory_iterator()), 1);
    fs::remove_all(q.root + "/out");
    fs::create_directory(q.root + "/out");
    q.path = q.root + "/out/";
    EXPECT_EQ(q.run(from, {}), STET_OK) << q.err.message;
    EXPECT_TRUE(fs::exists(q.root + "/out/model.safetensors"));
}

// The limit strikes in config.json, in the tokenizer's file, in the header of the weights, in their
// data.
TEST(QuantizeRefusal, FullDisks)
{
    auto before = std::signal(SIGXFSZ, SIG_IGN);
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    for (rlim_t most : {0, 200, 1000, 5000, 20000, 100000}) {
        Quantized q;
        rlimit small = old;
        small.rlim_cur = most;
        ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
        stet_status st = q.run(fixture("edgeformer-a"), {});
        setrlimit(RLIMIT_FSIZE, &old);
        EXPECT_EQ(st, STET_E_IO) << most;
        EXPECT_TRUE(q.says("cannot be written: File too large")) << q.err.message;
        EXPECT_TRUE(q.left_nothing()) << most;
    }
    std::signal(SIGXFSZ, before);
}

TEST(QuantizeRefusal, TextsOfFoldersWithoutTokenizer)
{
    Quantized q;
    EXPECT_EQ(q.run(fixture("hf-bart-a"), {}, {"a"}), STET_E_IO) << q.err.message;
    EXPECT_TRUE(q.left_nothing());
}

TEST(QuantizeRefusal, WrongArguments)
{
    Quantized q;
    const std::string from = fixture("hf-t5-a");
    EXPECT_EQ(q.run(from, {{"compute_type", "int4"}}), STET_E_INVALID);
    EXPECT_TRUE(q.says("use int8, bfloat16, float16 or float32")) << q.err.message;
    EXPECT_EQ(q.run(from, {{"batch_size", "1"}}), STET_E_INVALID);
    EXPECT_TRUE(q.says("batch_size belongs to stet_engine_create")) << q.err.message;
    stet_quantize_input in{};
    EXPECT_EQ(stet_quantize(nullptr, nullptr, 0, &q.report, &q.err), STET_E_INVALID);
    EXPECT_EQ(stet_quantize(&in, nullptr, 0, &q.report, nullptr), STET_E_INVALID);
    in.struct_size = sizeof in;
    EXPECT_EQ(stet_quantize(&in, nullptr, 0, &q.report, &q.err), STET_E_INVALID);
    in.from = from.c_str();
    in.to = "";
    EXPECT_EQ(stet_quantize(&in, nullptr, 0, &q.report, &q.err), STET_E_INVALID);
    in.to = q.path.c_str();
    in.n_texts = 1;
    EXPECT_EQ(stet_quantize(&in, nullptr, 0, &q.report, &q.err), STET_E_INVALID);
    in.n_texts = 0;
    EXPECT_EQ(stet_quantize(&in, nullptr, 0, nullptr, &q.err), STET_E_INVALID);
    stet_quantize_report report{};
    EXPECT_EQ(stet_quantize(&in, nullptr, 0, &report, &q.err), STET_E_INVALID);
    EXPECT_TRUE(q.left_nothing());
}

} // namespace
