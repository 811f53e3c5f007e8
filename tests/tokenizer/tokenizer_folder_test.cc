// Which files of a folder make its tokenizer.
#include "json_builder.h"
#include "tokenizer_support.h"

#include <cstdlib>
#include <unistd.h>

namespace
{

class Folder : public testing::Test
{
  protected:
    std::string path;
    std::vector<std::string> files;
    stet_error err = {};
    steti_tokenizer *t = nullptr;

    void SetUp() override
    {
        std::string name = testing::TempDir() + "stet_tokenizer_XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        path = name;
        err.struct_size = sizeof err;
    }
    void TearDown() override
    {
        steti_tokenizer_close(t);
        for (const std::string &f : files) {
            unlink(f.c_str());
        }
        rmdir(path.c_str());
    }
    void put(const std::string &name, const std::string &data)
    {
        files.push_back(path + "/" + name);
        std::ofstream(files.back(), std::ios::binary) << data;
    }
};

TEST_F(Folder, NamesAreLookedForInOrder)
{
    put("tokenizer.model", read_file(fixture("uni_identity.model")));
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_EQ(steti_tokenizer_vocab_size(t), 1000);
    steti_tokenizer_close(t);
    put("spiece.model", read_file(fixture("bpe_rules.model")));
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_EQ(steti_tokenizer_vocab_size(t), 1500);
}

TEST_F(Folder, AMissingFileIsNamed)
{
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_IO);
    EXPECT_NE(std::string(err.message).find("spiece.model"), std::string::npos) << err.message;
    EXPECT_NE(std::string(err.message).find("tokenizer.model"), std::string::npos) << err.message;
    EXPECT_EQ(steti_tokenizer_open((path + "/nowhere").c_str(), &t, &err), STET_E_IO);
}

TEST_F(Folder, ABrokenFileIsNamed)
{
    put("spiece.model", read_file(fixture("uni_rules.model")).substr(0, 1000));
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_FORMAT);
    EXPECT_NE(std::string(err.message).find(path + "/spiece.model"), std::string::npos)
        << err.message;
    EXPECT_NE(std::string(err.message).find("offset"), std::string::npos) << err.message;
}

TEST_F(Folder, OpeningSurvivesEveryFailedAllocation)
{
    put("spiece.model", read_file(fixture("uni_identity.model")));
    fail_each_allocation(false, [&] {
        steti_tokenizer *k = nullptr;
        stet_status st = steti_tokenizer_open(path.c_str(), &k, &err);
        steti_tokenizer_close(k);
        return st;
    });
}

TEST_F(Folder, EveryNameIsListedWhenNoneIsThere)
{
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_IO);
    for (const char *name : {"tokenizer.json", "spiece.model", "sentencepiece.bpe.model",
                             "tokenizer.model", "vocab.json", "merges.txt", "source.spm"}) {
        EXPECT_NE(std::string(err.message).find(name), std::string::npos) << err.message;
    }
}

TEST_F(Folder, TokenizerJsonIsTakenWhereTheFamilyNeedsIt)
{
    put("tokenizer.json", read_file(fixture("uni_xlmr.json")));
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "tokenizer.json unigram");
    steti_tokenizer_close(t);
    put("sentencepiece.bpe.model", read_file(fixture("uni_rules.model")));
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "sentencepiece unigram");
    steti_tokenizer_close(t);
    put("config.json", R"({"model_type":"mbart"})");
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "tokenizer.json unigram");
    steti_tokenizer_close(t);
    put("config.json", R"({"model_type":"t5")"); // broken: for the model to complain about
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "sentencepiece unigram");
}

TEST_F(Folder, ABrokenJsonFileIsNamed)
{
    put("tokenizer.json", "{\"model\":\n{\"type\":\"BPE\",}}");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_FORMAT);
    EXPECT_NE(std::string(err.message).find(path + "/tokenizer.json"), std::string::npos);
    EXPECT_NE(std::string(err.message).find("line 2"), std::string::npos) << err.message;
}

TEST_F(Folder, VocabularyAndMergesAreTheSameTokenizer)
{
    put("vocab.json", read_file(fixture("bpe_pair_vocab.json")));
    put("merges.txt", read_file(fixture("bpe_pair_merges.txt")));
    Tokenizer json(read_file(fixture("bpe_gpt2.json")));
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "byte-level bpe");
    Tokenizer pair(t);
    t = nullptr;
    for (const std::string &line : lines_of("mixed_texts.txt")) {
        std::string text = unescape(line);
        ASSERT_EQ(pair.ids(text), json.ids(text)) << line;
        ASSERT_EQ(pair.decode(pair.ids(text)), json.decode(json.ids(text))) << line;
        check_laws(pair, text);
    }
    EXPECT_EQ(steti_tokenizer_eos_id(pair.t), 2);
    EXPECT_EQ(pair.ids("</s>").size() > 1, true);
    EXPECT_NE(pair.ids("a"), pair.ids(" a"));
    put("tokenizer_config.json", R"({"add_prefix_space":true})");
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    Tokenizer prefixed(t);
    t = nullptr;
    EXPECT_EQ(prefixed.ids("a"), pair.ids(" a"));
}

TEST_F(Folder, BrokenVocabulariesAndMergesAreNamed)
{
    const std::string vocab = json::byte_vocab("");
    const std::string bytes = vocab.substr(8, vocab.find('}') - 8);
    put("vocab.json", bytes + "}");
    put("merges.txt", "#version: 0.2\na b\n");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_FORMAT);
    EXPECT_NE(std::string(err.message).find("merges.txt"), std::string::npos) << err.message;
    EXPECT_NE(std::string(err.message).find("what they make"), std::string::npos) << err.message;
    put("merges.txt", "#version: 0.2\nab\n");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_FORMAT);
    EXPECT_NE(std::string(err.message).find("merge 0"), std::string::npos) << err.message;
    put("vocab.json", bytes + ",\"ab\":256}");
    put("merges.txt", "#version: 0.2\r\na b\r\n\r\n");
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    steti_tokenizer_close(t);
    t = nullptr;
    put("vocab.json", "{\"a\":0}");
    put("merges.txt", "");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_FORMAT);
    EXPECT_NE(std::string(err.message).find("no piece for byte"), std::string::npos) << err.message;
    put("vocab.json", "[]");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_FORMAT);
    EXPECT_NE(std::string(err.message).find("vocab.json"), std::string::npos) << err.message;
}

TEST_F(Folder, OpeningAPairSurvivesEveryFailedAllocation)
{
    put("vocab.json", read_file(fixture("bpe_pair_vocab.json")));
    put("merges.txt", read_file(fixture("bpe_pair_merges.txt")));
    put("config.json", "{}");
    for (bool sticky : {false, true}) {
        fail_each_allocation(sticky, [&] {
            steti_tokenizer *k = nullptr;
            stet_status st = steti_tokenizer_open(path.c_str(), &k, &err);
            steti_tokenizer_close(k);
            return st;
        });
    }
}

TEST_F(Folder, Bytes)
{
    put("config.json", R"({"model_type":"t5","vocab_size":384})");
    put("tokenizer_config.json", R"({"tokenizer_class":"ByT5Tokenizer"})");
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "bytes");
    EXPECT_EQ(steti_tokenizer_vocab_size(t), 384);
    EXPECT_EQ(steti_tokenizer_eos_id(t), 1);
    Tokenizer k(t);
    t = nullptr;
    EXPECT_EQ(k.ids("a\xC3\xA9"), (std::vector<int32_t>{100, 198, 172}));
    EXPECT_EQ(k.ids("\xFF"), (std::vector<int32_t>{242, 194, 192}));
    EXPECT_EQ(k.decode({1, 100, 198, 300, 172, 0, 383}), "a\xEF\xBF\xBD\xEF\xBF\xBD");
    for (const std::string &line : lines_of("mixed_texts.txt")) {
        std::string text = unescape(line);
        check_laws(k, text);
        std::vector<uint32_t> ends;
        std::string back = k.decode(k.ids(text), &ends);
        ASSERT_EQ(k.ids(back), k.ids(text));
        ASSERT_EQ(ends.empty() ? 0 : ends.back(), back.size());
    }
    steti_piece_info info;
    steti_tokenizer_piece_info(k.t, 100, &info);
    EXPECT_EQ(std::string(info.text, info.len), "a");
    EXPECT_FALSE(info.is_control);
    steti_tokenizer_piece_info(k.t, 1, &info);
    EXPECT_EQ(std::string(info.stored, info.stored_len), "</s>");
    EXPECT_TRUE(info.is_control);
}

// ---- SentencePiece files with other ids ---------------------------------------------------------

// {"piece":id} of a model, <unk> and </s> in front, <pad> at the end.
std::string marian_vocab(const Tokenizer &k, int32_t n)
{
    std::string out = R"({"</s>":0,"<unk>":1)";
    for (int32_t id = 3; id < n; id++) {
        std::string piece;
        for (char c : k.piece(id)) {
            piece += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        }
        out += ",\"" + piece + "\":" + std::to_string(id - 1);
    }
    return out + ",\"<pad>\":" + std::to_string(n - 1) + "}";
}

void expect_mapped(const Tokenizer &k, const Tokenizer &plain, const std::vector<int32_t> &ids)
{
    for (const std::string &line : lines_of("mixed_texts.txt")) {
        std::string text = unescape(line);
        std::vector<int32_t> want;
        for (int32_t id : plain.ids(text)) {
            want.push_back(ids[static_cast<size_t>(id)]);
        }
        ASSERT_EQ(k.ids(text), want) << line;
        ASSERT_EQ(k.decode(want), plain.decode(plain.ids(text))) << line;
        check_laws(k, text);
    }
}

TEST_F(Folder, Marian)
{
    Tokenizer plain(read_file(fixture("uni_identity.model")));
    std::vector<int32_t> ids = {1, 1, 0};
    for (int32_t id = 3; id < 1000; id++) {
        ids.push_back(id - 1);
    }
    put("source.spm", read_file(fixture("uni_identity.model")));
    put("target.spm", read_file(fixture("uni_identity.model")));
    put("vocab.json", marian_vocab(plain, 1000));
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "marian");
    Tokenizer k(t);
    t = nullptr;
    EXPECT_EQ(steti_tokenizer_eos_id(k.t), 0);
    EXPECT_EQ(steti_tokenizer_unk_id(k.t), 1);
    EXPECT_EQ(steti_tokenizer_pad_id(k.t), 999);
    expect_mapped(k, plain, ids);
    // A piece that the list does not have is unknown.
    put("vocab.json", R"({"</s>":0,"<unk>":1,">>de<<":2})");
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    Tokenizer poor(t);
    t = nullptr;
    for (int32_t id : poor.ids("the cat")) {
        EXPECT_EQ(id, 1);
    }
    EXPECT_EQ(poor.decode({2, 0}), "");
    put("vocab.json", R"({"</s>":0})");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_FORMAT);
    EXPECT_NE(std::string(err.message).find("<unk>"), std::string::npos) << err.message;
}

TEST_F(Folder, FairseqIdsAreOneMore)
{
    Tokenizer plain(read_file(fixture("bpe_identity.model")));
    std::vector<int32_t> ids = {3, 0, 2};
    for (int32_t id = 3; id < 1000; id++) {
        ids.push_back(id + 1);
    }
    put("sentencepiece.bpe.model", read_file(fixture("bpe_identity.model")));
    put("config.json", R"({"model_type":"mbart","vocab_size":1027})");
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "sentencepiece of fairseq");
    EXPECT_EQ(steti_tokenizer_vocab_size(t), 1027);
    Tokenizer k(t);
    t = nullptr;
    expect_mapped(k, plain, ids);
    EXPECT_EQ(k.decode({1026, 1001, 0}), ""); // a language
    put("config.json", R"({"model_type":"bigbird_pegasus"})");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_MODEL);
    EXPECT_NE(std::string(err.message).find("pegasus"), std::string::npos) << err.message;
    put("config.json", R"({"model_type":"m2m_100"})");
    put("vocab.json", marian_vocab(plain, 1000));
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "sentencepiece with vocab.json");
}

TEST_F(Folder, FairseqDictionary)
{
    Tokenizer plain(read_file(fixture("bpe_identity.model")));
    std::vector<int32_t> ids = {3, 0, 2};
    std::string dict;
    for (int32_t id = 999; id >= 3; id--) {
        dict += plain.piece(id) + " " + std::to_string(id) + (id % 2 != 0 ? "\n" : "\r\n");
    }
    for (int32_t id = 3; id < 1000; id++) {
        ids.push_back(4 + 999 - id);
    }
    put("sentencepiece.bpe.model", read_file(fixture("bpe_identity.model")));
    put("dict.txt", dict + "madeupword0000 0\nextra 0 #fairseq:overwrite\n");
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    EXPECT_STREQ(steti_tokenizer_kind(t), "sentencepiece with dict.txt");
    Tokenizer k(t);
    t = nullptr;
    EXPECT_EQ(steti_tokenizer_vocab_size(k.t), 1003);
    EXPECT_EQ(k.piece(1002), "extra");
    expect_mapped(k, plain, ids);
    for (const char *bad : {"a\n", "a 1\nb x\n", " 1\n", "\n", "12\n"}) {
        put("dict.txt", bad);
        EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_FORMAT) << bad;
        EXPECT_NE(std::string(err.message).find("dict.txt: line"), std::string::npos);
    }
}

TEST_F(Folder, OpeningRenumberedPiecesSurvivesEveryFailedAllocation)
{
    put("sentencepiece.bpe.model", read_file(fixture("bpe_identity.model")));
    put("config.json", R"({"model_type":"mbart"})");
    auto open = [&] {
        steti_tokenizer *k = nullptr;
        stet_status st = steti_tokenizer_open(path.c_str(), &k, &err);
        steti_tokenizer_close(k);
        return st;
    };
    fail_each_allocation(false, open);
    unlink((path + "/sentencepiece.bpe.model").c_str());
    put("source.spm", read_file(fixture("uni_identity.model")));
    put("target.spm", read_file(fixture("bpe_identity.model")));
    put("vocab.json", R"({"</s>":0,"<unk>":1,"a":2})");
    fail_each_allocation(true, open);
    ASSERT_EQ(open(), STET_OK);
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK);
    fail_each_allocation(false, [&] { // with letters that have to be looked up
        steti_pieces p = {};
        std::string text = "a \u4e2d b";
        stet_status st = steti_tokenizer_encode(t, text.data(), text.size(), &p, &err);
        EXPECT_EQ(p.len > 0, st == STET_OK);
        steti_pieces_free(&p);
        return st;
    });
    unlink((path + "/vocab.json").c_str());
    put("spiece.model", read_file(fixture("uni_rules.model")));
    put("config.json", R"({"model_type":"pegasus"})");
    fail_each_allocation(false, open);
}

TEST_F(Folder, PegasusIdsAreMoreByTheOffset)
{
    Tokenizer plain(read_file(fixture("uni_rules.model")));
    put("spiece.model", read_file(fixture("uni_rules.model")));
    for (int32_t offset : {103, 0, 7}) {
        std::vector<int32_t> ids = {0, 1};
        for (int32_t id = 2; id < steti_tokenizer_vocab_size(plain.t); id++) {
            ids.push_back(id + offset);
        }
        put("config.json", R"({"model_type":"pegasus"})");
        put("tokenizer_config.json",
            offset == 103 ? "{}" : "{\"offset\":" + std::to_string(offset) + "}");
        ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
        EXPECT_STREQ(steti_tokenizer_kind(t), "sentencepiece of pegasus");
        Tokenizer k(t);
        t = nullptr;
        expect_mapped(k, plain, ids);
        EXPECT_EQ(k.decode({0, 1, 2 + offset / 2}).empty(), offset != 0) << "only of pretraining";
    }
    put("tokenizer_config.json", R"({"offset":100001})");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_MODEL);
    EXPECT_NE(std::string(err.message).find("offset"), std::string::npos) << err.message;
    put("spiece.model", read_file(fixture("bpe_identity.model")));
    put("tokenizer_config.json", "{}");
    EXPECT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_E_MODEL);
    EXPECT_NE(std::string(err.message).find("<pad>"), std::string::npos) << err.message;
}

TEST_F(Folder, ALetterOfTheOtherLanguageIsFoundByItsText)
{
    Tokenizer plain(read_file(fixture("uni_identity.model")));
    put("source.spm", read_file(fixture("uni_identity.model")));
    put("target.spm", read_file(fixture("uni_identity.model")));
    put("vocab.json", "{\"</s>\":0,\"<unk>\":1,\"\u4e2d\":2,\"\u4e2d\u6587\":3,\"x\":4}");
    ASSERT_EQ(steti_tokenizer_open(path.c_str(), &t, &err), STET_OK) << err.message;
    Tokenizer k(t);
    t = nullptr;
    EXPECT_EQ(k.ids("\u4e2dx\u4e2d\u6587x\u6587x</s>").front(), 2);
    EXPECT_EQ(k.ids("x\u4e2d\u6587x\u6587"), (std::vector<int32_t>{4, 3, 4, 1}));
    EXPECT_EQ(k.ids("x\u6587x\u4e2d\u6587\u4e2d"), (std::vector<int32_t>{4, 1, 4, 1}));
}

} // namespace
