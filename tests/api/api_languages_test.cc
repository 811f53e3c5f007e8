// Languages as options of an engine, against what transformers made of folders that force them, and
// against folders that say the same in their files.
#include <algorithm>

#include "api_fixture.h"
#include "model_folder.h"

extern "C" {
#include "safetensors.h"
}

using namespace stet_test;

namespace
{

using Ids = std::vector<int32_t>;

// Letters, and languages at some ids; every other id is a piece that no text makes.
std::string tokenizer_json(size_t n, const std::map<size_t, std::string> &languages)
{
    std::string vocab, added;
    for (size_t id = 0; id < n; id++) {
        std::string piece = "piece" + std::to_string(id);
        piece = id >= 10 && id < 36 ? std::string(1, static_cast<char>('a' + id - 10)) : piece;
        piece = id == 3 ? "<unk>" : piece;
        if (languages.count(id) != 0) {
            piece = languages.at(id);
            added += std::string(added.empty() ? "" : ",") + "{\"id\":" + std::to_string(id) +
                     ",\"content\":\"" + piece + "\",\"special\":true}";
        }
        vocab += (id > 0 ? ",\"" : "\"") + piece + "\":" + std::to_string(id);
    }
    return "{\"added_tokens\":[" + added +
           "],\"normalizer\":null,\"pre_tokenizer\":null,\"decoder\":null,\"model\":{\"type\":"
           "\"BPE\",\"unk_token\":\"<unk>\",\"vocab\":{" +
           vocab + "},\"merges\":[]}}";
}

struct LanguageFolder : ModelFolder {
    LanguageFolder(const std::string &name, size_t n, std::map<size_t, std::string> languages)
        : ModelFolder(name)
    {
        write_text(path + "/tokenizer.json", tokenizer_json(n, languages));
    }
    void tokenizer_says(const std::string &text) const
    {
        write_text(path + "/tokenizer_config.json", text);
    }
    // A key of generation_config.json, or of config.json where that is not there.
    void force(const std::string &key, int id)
    {
        std::string file = path + "/generation_config.json";
        std::string keep = config;
        config = read_text(file);
        set(key, std::to_string(id));
        write_text(file, config);
        config = keep;
    }
};

struct Loaded {
    explicit Loaded(const std::string &path)
    {
        Options o = {{"device", "cpu"}, {"intra_threads", "1"}};
        status = stet_model_load(path.c_str(), o.data(), o.size(), &handle, &err);
    }
    ~Loaded()
    {
        stet_model_release(handle);
    }
    Loaded(const Loaded &) = delete;
    Loaded &operator=(const Loaded &) = delete;
    stet_model *handle = nullptr;
    Error err;
    stet_status status;
};

struct Talker : Engine {
    Talker(const Loaded &m, Options o)
        : Engine(m.handle, [&] {
              o.push_back({"max_decoding_length", "9"});
              o.push_back({"max_input_length", "40"});
              o.push_back({"verify", "1"});
              return o;
          }())
    {
    }
    std::vector<Ids> answers(const std::vector<Ids> &sources) const
    {
        std::vector<Ids> out;
        for (const Ids &s : sources) {
            stet_request r{};
            stet_result *result = nullptr;
            Error e;
            size_t n = 0;
            r.struct_size = sizeof r;
            r.flags = STET_REQ_TOKENS;
            r.tokens = s.data();
            r.n_tokens = s.size();
            EXPECT_EQ(stet_correct_batch(handle, &r, 1, &result, nullptr, &e), STET_OK)
                << e.message;
            const int32_t *ids = stet_result_tokens(result, &n);
            out.emplace_back(ids, ids + n);
            stet_result_release(result);
        }
        return out;
    }
    bool says(const std::string &part) const
    {
        return std::string(err.message).find(part) != std::string::npos;
    }
};

std::vector<Ids> sources()
{
    std::vector<Ids> out;
    for (int32_t i = 0; i < 40; i++) {
        Ids ids;
        for (int32_t k = 0; k < 3 + i % 6; k++) {
            ids.push_back(10 + (i * 7 + k * 5) % 100);
        }
        out.push_back(ids);
    }
    return out;
}

// Lists of ids in expected.safetensors: one byte each, one after the other.
std::vector<Ids> stored(const std::string &folder, const std::string &ids, const std::string &n)
{
    steti_safetensors st{};
    std::vector<Ids> out;
    EXPECT_EQ(
        steti_safetensors_open((fixture(folder) + "/expected.safetensors").c_str(), &st, nullptr),
        STET_OK);
    const steti_tensor *a = steti_safetensors_find(&st, ids.c_str());
    const steti_tensor *b = steti_safetensors_find(&st, n.c_str());
    EXPECT_TRUE(a != nullptr && b != nullptr && a->dtype != STETI_I16);
    const auto *flat = static_cast<const uint8_t *>(a->data),
               *len = static_cast<const uint8_t *>(b->data);
    for (int64_t i = 0; i < steti_tensor_count(b); i++) {
        out.emplace_back(flat, flat + len[i]);
        flat += len[i];
    }
    steti_safetensors_close(&st);
    return out;
}

TEST(ApiLanguages, OutputsAreThoseOfTransformers)
{
    const struct {
        const char *folder, *source, *target;
        size_t n;
        std::map<size_t, std::string> languages;
    } cases[] = {
        {"hf-m2m-100-a", "en", nullptr, 170, {{167, "__de__"}, {168, "__en__"}}},
        {"hf-m2m-100-b", "eng_Latn", "ron_Latn", 190, {{188, "eng_Latn"}, {185, "ron_Latn"}}},
        {"hf-mbart-a", "en_XX", "ro_RO", 180, {{176, "en_XX"}, {177, "ro_RO"}}},
        {"hf-mbart-b", "en_XX", "ro_RO", 140, {{137, "en_XX"}, {138, "ro_RO"}}},
    };
    for (const auto &c : cases) {
        LanguageFolder folder(c.folder, c.n, c.languages);
        Loaded m(folder.path);
        ASSERT_EQ(m.status, STET_OK) << m.err.message;
        Options o = {{"source_language", c.source}};
        if (c.target != nullptr) {
            o.push_back({"target_language", c.target});
        }
        Talker g(m, o);
        ASSERT_EQ(g.status, STET_OK) << g.err.message;
        auto in = stored(c.folder, "sources", "source_lengths");
        ASSERT_GT(in.size(), 100u);
        EXPECT_EQ(g.answers(in), stored(c.folder, "outputs", "output_lengths")) << c.folder;
    }
}

// A target that is named is what the folder would have to force; engines of one model differ.
TEST(ApiLanguages, TheTargetIsForced)
{
    LanguageFolder folder("hf-m2m-100-b", 190, {{180, "__fr__"}, {185, "__de__"}, {188, "__en__"}});
    folder.tokenizer_says("{\"src_lang\":\"en\"}");
    Loaded m(folder.path);
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    LanguageFolder french("hf-m2m-100-b", 190, {{180, "__fr__"}, {188, "__en__"}});
    french.tokenizer_says("{\"src_lang\":\"en\"}");
    french.force("forced_bos_token_id", 180);
    Loaded f(french.path);
    auto in = sources();
    Talker usual(m, {}), fr(m, {{"target_language", "fr"}}),
        fr2(m, {{"target_language", "__fr__"}}), want(f, {}), other(m, {{"source_language", "fr"}});
    ASSERT_EQ(want.status, STET_OK) << want.err.message;
    auto expected = want.answers(in), before = usual.answers(in);
    EXPECT_EQ(fr.answers(in), expected);
    EXPECT_EQ(fr2.answers(in), expected);
    EXPECT_NE(expected, before);
    EXPECT_NE(other.answers(in), before);
    EXPECT_EQ(usual.answers(in), before);
}

TEST(ApiLanguages, OldMbartStartsWithTheTarget)
{
    LanguageFolder folder("hf-mbart-a", 180, {{170, "fr_XX"}, {176, "en_XX"}, {177, "ro_RO"}});
    folder.tokenizer_says("{\"src_lang\":\"en_XX\",\"tgt_lang\":\"fr_XX\"}");
    Loaded m(folder.path);
    LanguageFolder french("hf-mbart-a", 180, {{176, "en_XX"}});
    french.tokenizer_says("{\"src_lang\":\"en_XX\"}");
    french.force("decoder_start_token_id", 170);
    Loaded f(french.path);
    Talker usual(m, {}), ro(m, {{"target_language", "ro_RO"}}),
        fr(m, {{"target_language", "fr_XX"}}), want(f, {});
    auto in = sources();
    EXPECT_EQ(fr.answers(in), want.answers(in));
    EXPECT_EQ(usual.answers(in), ro.answers(in)) << "the folder's start token, and not tgt_lang";
    EXPECT_NE(usual.answers(in), want.answers(in));
}

TEST(ApiLanguages, MarianReadsTheTarget)
{
    LanguageFolder folder("hf-marian-a", 150, {{100, ">>deu<<"}, {101, ">>fra<<"}});
    Loaded m(folder.path);
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    Talker plain(m, {}), deu(m, {{"target_language", "deu"}}),
        fra(m, {{"target_language", ">>fra<<"}});
    auto in = sources(), with_deu = in, with_fra = in;
    for (size_t i = 0; i < in.size(); i++) {
        with_deu[i].insert(with_deu[i].begin(), 100);
        with_fra[i].insert(with_fra[i].begin(), 101);
    }
    EXPECT_EQ(deu.answers(in), plain.answers(with_deu));
    EXPECT_EQ(fra.answers(in), plain.answers(with_fra));
    EXPECT_NE(deu.answers(in), plain.answers(in));
    Talker source(m, {{"source_language", "deu"}});
    EXPECT_EQ(source.status, STET_E_INVALID);
    EXPECT_TRUE(source.says("not told the language of its input")) << source.err.message;
}

TEST(ApiLanguages, TheFoldersLanguagesAreDefaults)
{
    LanguageFolder folder("hf-m2m-100-a", 170, {{160, "__fr__"}, {167, "__de__"}, {168, "__en__"}});
    Loaded silent(folder.path);
    ASSERT_EQ(silent.status, STET_OK) << silent.err.message;
    folder.tokenizer_says("{\"src_lang\":\"en\",\"tgt_lang\":\"de\"}");
    Loaded m(folder.path);
    ASSERT_EQ(m.status, STET_OK) << m.err.message;
    auto in = sources();
    Talker usual(m, {}), want(silent, {{"source_language", "en"}, {"target_language", "de"}}),
        no_target(silent, {{"source_language", "en"}}), neither(silent, {});
    EXPECT_EQ(usual.answers(in), want.answers(in));
    EXPECT_NE(usual.answers(in), no_target.answers(in));
    EXPECT_EQ(neither.status, STET_E_INVALID);
    EXPECT_TRUE(neither.says("source_language") && neither.says("fr, de, en"))
        << neither.err.message;
    folder.tokenizer_says("{\"src_lang\":\"xx\"}");
    Loaded broken(folder.path);
    EXPECT_EQ(broken.status, STET_E_MODEL);
    EXPECT_NE(std::string(broken.err.message).find("src_lang: \"xx\""), std::string::npos);
}

TEST(ApiLanguages, UnknownOnesAreRefused)
{
    LanguageFolder folder("hf-m2m-100-a", 170, {{160, "__fr__"}, {168, "__en__"}});
    folder.tokenizer_says("{\"src_lang\":\"en\"}");
    Loaded m(folder.path);
    for (const char *key : {"source_language", "target_language"}) {
        for (const char *name : {"xx", "piece7", "a", "<unk>", "_fr_"}) {
            Talker g(m, {{key, name}});
            EXPECT_EQ(g.status, STET_E_INVALID) << name;
            EXPECT_TRUE(g.says(key) && g.says(name) && g.says("fr, en")) << g.err.message;
        }
        Talker none(m, {{key, ""}});
        EXPECT_EQ(none.status, STET_E_INVALID);
        Model t5("hf-t5-c");
        Engine without(t5.handle, {{key, "en"}});
        EXPECT_EQ(without.status, STET_E_INVALID);
        EXPECT_NE(std::string(without.err.message).find(key), std::string::npos);
    }
    LanguageFolder bare("hf-marian-a", 150, {});
    Loaded marian(bare.path);
    Talker g(marian, {{"target_language", "deu"}});
    EXPECT_EQ(g.status, STET_E_INVALID);
    EXPECT_TRUE(g.says("no piece")) << g.err.message;
}

} // namespace
