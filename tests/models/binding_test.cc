// Folders whose tensors do not fit their config.json: one status, and a message that names folder
// and tensor.
#include "model_folder.h"
#include "net_fixture.h"

#include <functional>

using namespace stet_test;

namespace
{

using Change = std::function<void(ModelFolder &)>;

struct Case {
    const char *fixture;
    Change change;
    const char *says;
    const char *and_says;
};

Change without(const std::string &name)
{
    return [name](ModelFolder &m) { ASSERT_EQ(m.tensors.erase(name), 1u); };
}

Change with_shape(const std::string &name, std::vector<int64_t> shape)
{
    return [name, shape](ModelFolder &m) {
        RawTensor &t = m.tensors.at(name);
        size_t n = 1;
        for (int64_t s : shape) {
            n *= static_cast<size_t>(s);
        }
        t.shape = shape;
        t.bytes.resize(n * (t.dtype == "I8" ? 1 : 4));
    };
}

Change with_type(const std::string &name, const std::string &type, size_t element)
{
    return [name, type, element](ModelFolder &m) {
        RawTensor &t = m.tensors.at(name);
        t.bytes.resize(t.bytes.size() / (t.dtype == "I8" ? 1 : 4) * element);
        t.dtype = type;
    };
}

Change with_extra(const std::string &name)
{
    return [name](ModelFolder &m) {
        m.tensors[name] = RawTensor{"F32", {2}, std::string(8, '\0')};
    };
}

const Case cases[] = {
    {"edgeformer-a", without("shared.weight"), "encoder.embed_tokens.weight", "missing"},
    {"edgeformer-a", without("encoder.layers.1.self_attn.k_proj.weight"),
     "encoder.layers.1.self_attn.k_proj.weight", "missing"},
    {"edgeformer-a", without("encoder.layers.0.fc2.weight"), "encoder.layers.0.fc2.weight",
     "missing"},
    {"edgeformer-a", without("decoder.layers.0.encoder_attn.v_proj.weight"),
     "decoder.layers.0.encoder_attn.v_proj.weight", "missing"},
    {"edgeformer-a", without("decoder.layers.0.final_layer_norm.bias"),
     "decoder.layers.0.final_layer_norm.bias", "missing"},
    {"edgeformer-a", without("encoder.layers.0.self_attn_layer_norm.weight"),
     "encoder.layers.0.self_attn_layer_norm.weight", "missing"},
    {"edgeformer-b", without("shared.weight_scale"), "shared.weight_scale", "missing"},
    {"edgeformer-b", without("encoder.layers.0.fc1.weight_scale"),
     "encoder.layers.0.fc1.weight_scale", "missing"},
    {"edgeformer-b", with_shape("encoder.layers.0.fc1.weight_scale", {63}),
     "encoder.layers.0.fc1.weight_scale", "[63]"},
    {"edgeformer-b", with_type("encoder.layers.0.fc1.weight_scale", "F16", 2),
     "encoder.layers.0.fc1.weight_scale", "F16"},
    {"edgeformer-a", with_extra("encoder.layers.0.surprise"), "encoder.layers.0.surprise",
     "does not belong"},
    {"edgeformer-a", with_extra("zz"), "zz", "does not belong"},
    {"edgeformer-a", with_extra("encoder.layers.2.fc1.weight"), "encoder.layers.2.fc1.weight",
     "does not belong"},
    {"edgeformer-a", with_extra("encoder.layers.0.q_lora.linear_u.weight"), "LoRA",
     "export_model.py"},
    {"edgeformer-a", with_shape("shared.weight", {287, 64}), "shared.weight", "[287, 64]"},
    {"edgeformer-a", with_shape("shared.weight", {288, 32}), "shared.weight", "[288, 64]"},
    {"edgeformer-a", with_shape("shared.weight", {288 * 64}), "shared.weight", "[18432]"},
    {"edgeformer-a", with_shape("decoder.layers.0.fc1.bias", {65}), "decoder.layers.0.fc1.bias",
     "[65]"},
    {"edgeformer-a", with_shape("decoder.layers.0.fc1.weight", {64, 64, 1}),
     "decoder.layers.0.fc1.weight", "[64, 64, 1]"},
    {"edgeformer-a", with_shape("encoder.layers.0.final_layer_norm.weight", {1}),
     "encoder.layers.0.final_layer_norm.weight", "[1]"},
    {"edgeformer-a", with_type("encoder.layers.0.fc1.weight", "I32", 4),
     "encoder.layers.0.fc1.weight", "I32"},
    {"edgeformer-a", with_type("encoder.layers.0.fc1.weight", "F64", 8),
     "encoder.layers.0.fc1.weight", "F64"},
    {"edgeformer-a", with_type("encoder.layers.0.fc1.weight", "I8", 1),
     "encoder.layers.0.fc1.weight_scale", "missing"},
    {"edgeformer-a", with_type("encoder.layers.0.fc1.bias", "I8", 1), "encoder.layers.0.fc1.bias",
     "I8"},
    {"transformer-learned", without("lm_head.weight"), "lm_head.weight", "missing"},
    {"transformer-learned", with_shape("lm_head.weight", {288, 8}), "lm_head.weight", "[288, 8]"},
    {"transformer-learned", without("encoder.embed_positions.weight"),
     "encoder.embed_positions.weight", "missing"},
    {"transformer-learned", with_shape("decoder.embed_positions.weight", {72, 40}),
     "decoder.embed_positions.weight", "[74, 40]"},
    {"transformer-learned", with_type("encoder.embed_positions.weight", "I8", 1),
     "encoder.embed_positions.weight", "I8"},
    {"transformer-learned", without("decoder.layernorm_embedding.bias"),
     "decoder.layernorm_embedding.bias", "missing"},
    {"transformer-learned", [](ModelFolder &m) { m.set("normalize_embedding", "false"); },
     "decoder.layernorm_embedding", "does not belong"},
    {"transformer-learned",
     [](ModelFolder &m) { m.set("position_embedding_type", "\"sinusoidal\""); },
     "embed_positions.weight", "does not belong"},
    {"transformer-pre", without("encoder.layer_norm.weight"), "encoder.layer_norm.weight",
     "missing"},
    {"transformer-pre", [](ModelFolder &m) { m.set("decoder_normalize_before", "false"); },
     "decoder.layer_norm", "does not belong"},
    {"transformer-post", [](ModelFolder &m) { m.set("encoder_layers", "3"); },
     "encoder.layers.2.self_attn.q_proj.weight", "missing"},
    {"transformer-post", [](ModelFolder &m) { m.set("encoder_layers", "1"); }, "encoder.layers.1",
     "does not belong"},
    {"transformer-post", [](ModelFolder &m) { m.set("d_model", "80"); }, "shared.weight",
     "[288, 80]"},
    {"transformer-post", [](ModelFolder &m) { m.set("decoder_ffn_dim", "57"); },
     "decoder.layers.0.fc1.weight", "[57, 40]"},
    {"transformer-post", [](ModelFolder &m) { m.set("vocab_size", "289"); }, "shared.weight",
     "[289, 40]"},
    {"transformer-post", [](ModelFolder &m) { m.set("tie_word_embeddings", "false"); },
     "lm_head.weight", "missing"},
};

TEST(Binding, EveryMistakeIsNamed)
{
    for (const Case &c : cases) {
        ModelFolder m(c.fixture);
        c.change(m);
        m.save();
        steti_alloc_stats before{}, after{};
        steti_alloc_get_stats(&before);
        {
            Net net(m.path);
            EXPECT_EQ(net.status, STET_E_MODEL) << c.says;
            std::string message = net.err.message;
            EXPECT_NE(message.find(m.path), std::string::npos) << message;
            EXPECT_NE(message.find(c.says), std::string::npos) << message;
            EXPECT_NE(message.find(c.and_says), std::string::npos) << message;
        }
        steti_alloc_get_stats(&after);
        EXPECT_EQ(after.live_count, before.live_count) << c.says;
    }
}

TEST(Binding, AliasesOfTiedTablesAreAccepted)
{
    ModelFolder m("edgeformer-a");
    auto want = decode(Net(m.path), engine_options(&steti_draft_none, 0, 1, 12), {{5, 6, 7}});
    m.tensors["lm_head.weight"] = m.tensors.at("shared.weight");
    m.tensors["decoder.embed_tokens.weight"] = m.tensors.at("shared.weight");
    m.tensors["encoder.embed_tokens.weight"] = m.tensors.at("shared.weight");
    std::fill(m.tensors["lm_head.weight"].bytes.begin(), m.tensors["lm_head.weight"].bytes.end(),
              '\0');
    m.save();
    Net aliased(m.path);
    ASSERT_EQ(aliased.status, STET_OK) << aliased.err.message;
    EXPECT_TRUE(
        decode(aliased, engine_options(&steti_draft_none, 0, 1, 12), {{5, 6, 7}})[0].same_bits(
            want[0]))
        << "tied: the table is the output layer, whatever the alias holds";
    m.tensors.erase("shared.weight");
    m.save();
    Net renamed(m.path);
    ASSERT_EQ(renamed.status, STET_OK) << renamed.err.message;
    EXPECT_TRUE(
        decode(renamed, engine_options(&steti_draft_none, 0, 1, 12), {{5, 6, 7}})[0].same_bits(
            want[0]));
}

TEST(Binding, FilesThatAreNotThereAreNamed)
{
    for (const char *file : {"config.json", "model.safetensors"}) {
        ModelFolder m("edgeformer-a");
        std::filesystem::remove(m.path + "/" + file);
        Net net(m.path);
        EXPECT_EQ(net.status, STET_E_IO);
        EXPECT_NE(std::string(net.err.message).find(file), std::string::npos) << net.err.message;
    }
    ModelFolder m("edgeformer-a");
    write_text(m.path + "/generation_config.json", "");
    Net net(m.path);
    EXPECT_EQ(net.status, STET_E_FORMAT) << "an empty file is a broken file";
    EXPECT_NE(std::string(net.err.message).find("generation_config.json"), std::string::npos)
        << net.err.message;
}

} // namespace
