// stet_quantize on every family: the numbers in the new folder, and what the model makes of them.
#include "quantize_fixture.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace stet_test;

namespace
{

namespace fs = std::filesystem;

std::vector<std::string> all_fixtures()
{
    std::vector<std::string> names;
    for (const auto &e : fs::directory_iterator(STET_FIXTURES)) {
        if (fs::exists(e.path() / "config.json")) {
            names.push_back(e.path().filename().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

class Weights
{
  public:
    explicit Weights(const std::string &folder)
    {
        Error err;
        EXPECT_EQ(steti_weights_open(folder.c_str(), &handle, &err), STET_OK) << err.message;
    }
    ~Weights()
    {
        steti_weights_close(handle);
    }
    Weights(const Weights &) = delete;
    Weights &operator=(const Weights &) = delete;

    std::set<std::string> names() const
    {
        std::set<std::string> out;
        for (size_t i = 0; i < steti_weights_count(handle); i++) {
            out.insert(steti_weights_name(handle, i));
        }
        return out;
    }
    steti_tensor at(const std::string &name) const
    {
        steti_tensor t{};
        EXPECT_EQ(steti_weights_find(handle, name.c_str(), &t), 1) << name;
        return t;
    }
    std::string bytes(const std::string &name) const
    {
        steti_tensor t = at(name);
        return std::string(static_cast<const char *>(t.data), steti_tensor_bytes(&t));
    }
    // As the runtime computes with it in float32.
    std::vector<float> values(const std::string &name) const
    {
        steti_tensor t = at(name);
        std::vector<float> out(static_cast<size_t>(steti_tensor_count(&t)));
        if (t.dtype != STETI_I8) {
            EXPECT_EQ(steti_to_f32(t.data, t.dtype, out.size(), out.data(), nullptr), STET_OK);
            return out;
        }
        std::vector<float> scale = values(name + "_scale");
        for (size_t i = 0; i < out.size(); i++) {
            out[i] = static_cast<float>(static_cast<const int8_t *>(t.data)[i]) *
                     scale[i / static_cast<size_t>(t.shape[1])];
        }
        return out;
    }
    steti_weights *handle = nullptr;
};

std::vector<Decoded> decoded(const std::string &folder, steti_dtype compute)
{
    Net net(folder, compute);
    EXPECT_EQ(net.status, STET_OK) << net.err.message;
    if (net.status != STET_OK) {
        return {};
    }
    return decode(net, engine_options(&steti_draft_edit, 0, 4, 20),
                  random_sources(12, net.spec.vocab_size, 31, 20));
}

void expect_same_bits(const std::string &a, steti_dtype compute_a, const std::string &b,
                      steti_dtype compute_b)
{
    std::vector<Decoded> x = decoded(a, compute_a), y = decoded(b, compute_b);
    ASSERT_EQ(x.size(), y.size());
    ASSERT_FALSE(x.empty());
    for (size_t i = 0; i < x.size(); i++) {
        EXPECT_TRUE(x[i].same_bits(y[i])) << a << " sentence " << i;
    }
}

bool is_scale(const std::string &name)
{
    return name.size() > 6 && name.compare(name.size() - 6, 6, "_scale") == 0;
}

class QuantizeFixture : public ::testing::TestWithParam<std::string>
{
};

TEST_P(QuantizeFixture, Int8FolderGivesTheBitsOfComputeTypeInt8)
{
    const std::string from = fixture(GetParam());
    Quantized q(from, "int8");
    ASSERT_EQ(q.status, STET_OK) << q.err.message;
    expect_same_bits(from, STETI_I8, q.path, STETI_I8);
    Weights old(from), now(q.path);
    size_t matrices = 0;
    for (const std::string &name : now.names()) {
        steti_tensor t = now.at(name);
        matrices += t.dtype == STETI_I8;
        if (t.dtype != STETI_I8 && !is_scale(name)) {
            EXPECT_EQ(now.bytes(name), old.bytes(name)) << name;
        }
    }
    EXPECT_GT(matrices, 10u);
    EXPECT_LT(q.report.bytes_after, q.report.bytes_before + 1);
    EXPECT_EQ(q.report.bytes_after, fs::file_size(q.path + "/model.safetensors"));
}

TEST_P(QuantizeFixture, Float32FolderGivesTheSameBits)
{
    const std::string from = fixture(GetParam());
    Quantized q(from, "float32");
    ASSERT_EQ(q.status, STET_OK) << q.err.message;
    expect_same_bits(from, STETI_F32, q.path, STETI_F32);
    EXPECT_EQ(q.report.error, 0.0);
    EXPECT_EQ(q.report.worst_tensor[0], '\0');
}

// The nearest multiple of the step that the type has at x, ties to the even multiple.
double nearest(double x, steti_dtype type)
{
    int e = 0, bits = type == STETI_F16 ? 10 : 7, least = type == STETI_F16 ? -14 : -126;
    std::frexp(x, &e);
    double step = std::ldexp(1.0, std::max(e - 1, least) - bits);
    return std::nearbyint(x / step) * step;
}

void expect_rounded(const Weights &old, const Weights &now, steti_dtype type,
                    const stet_quantize_report &report)
{
    double noise = 0, power = 0;
    for (const std::string &name : now.names()) {
        steti_dtype was = old.at(name).dtype;
        std::vector<float> a = old.values(name), b = now.values(name);
        ASSERT_EQ(now.at(name).dtype, type) << name;
        ASSERT_EQ(a.size(), b.size()) << name;
        for (size_t i = 0; i < a.size(); i++) {
            double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
            ASSERT_EQ(y, nearest(x, type)) << name << " " << i;
            noise += was != type ? (x - y) * (x - y) : 0;
            power += was != type ? x * x : 0;
        }
    }
    double want = power > 0 ? std::sqrt(noise / power) : 0;
    EXPECT_TRUE(std::fabs(report.error - want) <= 1e-9) << report.error << " " << want;
    EXPECT_GE(report.worst_error, report.error);
}

TEST_P(QuantizeFixture, HalvesAreTheNearestOnesOfAllTensors)
{
    const std::string from = fixture(GetParam());
    for (auto [name, type] : {std::pair<const char *, steti_dtype>{"float16", STETI_F16},
                              std::pair<const char *, steti_dtype>{"bfloat16", STETI_BF16}}) {
        Quantized q(from, name);
        ASSERT_EQ(q.status, STET_OK) << q.err.message;
        Weights old(from), now(q.path);
        std::set<std::string> want;
        for (const std::string &n : old.names()) {
            if (!is_scale(n)) {
                want.insert(n);
            }
        }
        EXPECT_EQ(now.names(), want);
        expect_rounded(old, now, type, q.report);
        EXPECT_FALSE(decoded(q.path, STETI_F32).empty());
    }
}

TEST_P(QuantizeFixture, AllOtherFilesAreCopied)
{
    const std::string from = fixture(GetParam());
    Quantized q(from, "bfloat16");
    ASSERT_EQ(q.status, STET_OK) << q.err.message;
    uint64_t copied = 0;
    for (const auto &e : fs::directory_iterator(from)) {
        std::string name = e.path().filename().string();
        bool is_weights = e.path().extension() == ".safetensors";
        EXPECT_EQ(fs::exists(q.path + "/" + name), !is_weights || name == "model.safetensors");
        if (!is_weights && name != "config.json") {
            EXPECT_EQ(read_text(q.path + "/" + name), read_text(e.path().string())) << name;
            copied++;
        }
    }
    EXPECT_EQ(q.report.copied_files, copied);
}

INSTANTIATE_TEST_SUITE_P(All, QuantizeFixture, ::testing::ValuesIn(all_fixtures()),
                         [](const auto &one) {
                             std::string s = one.param;
                             std::replace(s.begin(), s.end(), '-', '_');
                             return s;
                         });

TEST(Quantize, ConfigSaysTheTypeAndIsOtherwiseTheSame)
{
    for (std::string key : {"torch_dtype", "dtype"}) {
        ModelFolder folder("edgeformer-a");
        folder.config.replace(folder.config.find("torch_dtype"), 11, "was_dtype");
        folder.config = "{\"x\": [\"dtype\", {\"dtype\":\"float32\", \"}\": \"\\\"}\"}] ,\r\n  \"" +
                        key + "\" :\t\"float32\"  ,\n" +
                        folder.config.substr(folder.config.find('{') + 1);
        folder.save();
        for (std::string type : {"int8", "bfloat16", "float16", "float32"}) {
            Quantized q(folder.path, type.c_str());
            ASSERT_EQ(q.status, STET_OK) << q.err.message;
            std::string config = read_text(q.path + "/config.json");
            EXPECT_NE(config.find("[\"dtype\", {\"dtype\":\"float32\", \"}\": \"\\\"}\"}] ,\r\n"),
                      std::string::npos)
                << config;
            EXPECT_NE(config.find("\"" + key + "\" :\t\"" + type + "\"  ,\n"), std::string::npos)
                << config;
            EXPECT_EQ(config.find("stet_int8") != std::string::npos, type == "int8") << config;
            Quantized again(q.path, "float32");
            ASSERT_EQ(again.status, STET_OK) << again.err.message;
            EXPECT_EQ(read_text(again.path + "/config.json"), folder.config);
        }
    }
}

TEST(Quantize, Int8StaysInt8BitForBit)
{
    const std::string from = fixture("edgeformer-b");
    Quantized q(from, "int8");
    ASSERT_EQ(q.status, STET_OK) << q.err.message;
    Weights old(from), now(q.path);
    EXPECT_EQ(old.names(), now.names());
    for (const std::string &name : now.names()) {
        EXPECT_EQ(old.at(name).dtype, now.at(name).dtype) << name;
        EXPECT_EQ(old.bytes(name), now.bytes(name)) << name;
    }
    EXPECT_EQ(q.report.quantized, 0u);
    EXPECT_EQ(read_text(q.path + "/config.json"), read_text(from + "/config.json"));
}

TEST(Quantize, WhatTheModelDoesNotUseIsKeptInFloatsAndLeftOutOfInt8)
{
    ModelFolder folder("hf-t5-a");
    folder.tensors["encoder.embed_tokens.weight"] = folder.tensors.at("shared.weight");
    folder.save();
    Quantized floats(folder.path, "bfloat16"), q(folder.path, "int8");
    ASSERT_EQ(floats.status, STET_OK) << floats.err.message;
    ASSERT_EQ(q.status, STET_OK) << q.err.message;
    EXPECT_EQ(Weights(floats.path).names().count("encoder.embed_tokens.weight"), 1u);
    EXPECT_EQ(Weights(q.path).names().count("encoder.embed_tokens.weight"), 0u);
    EXPECT_EQ(floats.report.left_out, 0u);
    EXPECT_EQ(q.report.left_out, 1u);
    expect_same_bits(folder.path, STETI_I8, q.path, STETI_I8);
}

TEST(Quantize, ErrorOfInt8IsThatOfItsNumbers)
{
    const std::string from = fixture("transformer-pre");
    Quantized q(from, "int8");
    ASSERT_EQ(q.status, STET_OK) << q.err.message;
    Weights old(from), now(q.path);
    double noise = 0, power = 0, worst = 0;
    std::string worst_name;
    for (const std::string &name : now.names()) {
        if (now.at(name).dtype != STETI_I8) {
            continue;
        }
        double n = 0, p = 0;
        std::vector<float> a = old.values(name);
        std::string codes = now.bytes(name);
        std::vector<float> scale = now.values(name + "_scale");
        for (size_t i = 0; i < a.size(); i++) {
            double y = static_cast<double>(static_cast<int8_t>(codes[i])) *
                       static_cast<double>(scale[i * scale.size() / a.size()]);
            n += (a[i] - y) * (a[i] - y);
            p += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        }
        noise += n;
        power += p;
        if (std::sqrt(n / p) > worst) {
            worst = std::sqrt(n / p);
            worst_name = name;
        }
    }
    EXPECT_TRUE(std::fabs(q.report.error - std::sqrt(noise / power)) <= 1e-12);
    EXPECT_TRUE(std::fabs(q.report.worst_error - worst) <= 1e-12);
    EXPECT_EQ(q.report.worst_tensor, worst_name);
    EXPECT_TRUE(q.report.error > 0.001 && q.report.error < 0.02) << q.report.error;
}

TEST(Quantize, ComparesTexts)
{
    const std::vector<std::string> lines = {"bace difo guha.", "", "Jeki lomu nape!",
                                            "ba ce di fo gu ha je ki lo mu na pe", [] {
                                                std::string s;
                                                for (int i = 0; i < 900; i++) {
                                                    s += "guha ";
                                                }
                                                return s;
                                            }()};
    Quantized same, other;
    ASSERT_EQ(same.run(fixture("edgeformer-a"), {{"compute_type", "float32"}}, lines), STET_OK)
        << same.err.message;
    EXPECT_EQ(same.report.lines, lines.size());
    EXPECT_EQ(same.report.equal_lines, lines.size());
    EXPECT_GT(same.report.tokens, 100u);
    EXPECT_EQ(same.report.equal_tokens, same.report.tokens);
    EXPECT_EQ(same.report.new_tokens, same.report.tokens);
    // A random model's choices are close: int8 changes some of them.
    ASSERT_EQ(other.run(fixture("edgeformer-a"), {{"intra_threads", "1"}}, lines), STET_OK)
        << other.err.message;
    EXPECT_EQ(other.report.lines, lines.size());
    EXPECT_EQ(other.report.tokens, same.report.tokens);
    EXPECT_GE(other.report.equal_lines, 1u); // the empty one
    EXPECT_LT(2 * other.report.equal_tokens, other.report.tokens + other.report.new_tokens);
    EXPECT_LE(other.report.equal_tokens, other.report.new_tokens);
    EXPECT_LT(other.report.equal_lines, lines.size());
}

} // namespace
