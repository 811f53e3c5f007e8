// Broken and odd tokenizer.json files. Every refusal must have its code and say what is wrong and
// where.
#include "json_builder.h"
#include "tokenizer_support.h"

namespace
{

using namespace json;

void expect_refused(const std::string &file, const std::string &part,
                    stet_status want = STET_E_FORMAT)
{
    Tokenizer k(file);
    EXPECT_EQ(k.status, want) << k.err.message << "\n" << file.substr(0, 300);
    EXPECT_NE(std::string(k.err.message).find(part), std::string::npos)
        << k.err.message << "\n wanted: " << part;
    EXPECT_NE(std::string(k.err.message).find("test.json"), std::string::npos) << k.err.message;
}

void expect_ids(const std::string &file, const std::string &text, const std::vector<int32_t> &want)
{
    Tokenizer k(file);
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    EXPECT_EQ(k.ids(text), want) << text;
    check_laws(k, text);
}

TEST(JsonModel, TheSmallOnesWork)
{
    expect_ids(bpe(), "abab", {4, 4});
    expect_ids(bpe(), "bazb", {2, 1, 0, 2});
    expect_ids(unigram(), "ab c", {1, 5, 1, 0});
    expect_ids(unigram(), "", {});
}

TEST(JsonModel, CutAtEveryByte)
{
    for (const std::string &file : {bpe(), unigram(), read_file(fixture("uni_t5.json"))}) {
        for (size_t n = 1; n + 1 < file.size(); n += file.size() > 5000 ? 97 : 1) {
            Tokenizer k(file.substr(0, n));
            ASSERT_EQ(k.status, STET_E_FORMAT) << n << ": " << k.err.message;
            ASSERT_NE(std::string(k.err.message).find("line"), std::string::npos);
        }
    }
}

TEST(JsonModel, OneByteChanged)
{
    for (const char *name : {"bpe_bart.json", "uni_xlmr.json", "bpe_marks.json"}) {
        std::string file = read_file(fixture(name));
        for (size_t i = 1; i < file.size(); i += i < 1500 ? 3 : 151) {
            for (int x : {0x01, 0x03, 0x10}) {
                std::string changed = file;
                changed[i] = static_cast<char>(changed[i] ^ x);
                Tokenizer k(changed);
                if (k.status == STET_OK) {
                    check_laws(k, "the \xFF cat\xE2\x96\x81 ...don't");
                } else {
                    ASSERT_STRNE(k.err.message, "");
                }
            }
        }
    }
}

TEST(JsonModel, Syntax)
{
    expect_refused("{", "line 1");
    expect_refused("{}", "model: missing");
    expect_refused(R"({"model":{"type":"BPE"},"model":{}})", "duplicate");
    expect_refused(R"({"model":[]})", "model: must be an object");
    expect_refused(R"({"model":{}})", "model.type: missing");
    expect_refused(R"({"model":{"type":"WordPiece"}})", "\"WordPiece\" is not supported",
                   STET_E_MODEL);
    Tokenizer ok(bpe());
    stet_error err = {};
    err.struct_size = sizeof err;
    steti_tokenizer *t = nullptr;
    EXPECT_EQ(steti_tokenizer_open_json("{", size_t{500} << 20, "big.json", &t, &err),
              STET_E_MODEL);
    EXPECT_NE(std::string(err.message).find("big.json"), std::string::npos);
}

TEST(JsonModel, DeepNesting)
{
    std::string deep;
    for (int i = 0; i < 10000; i++) {
        deep += R"({"type":"Sequence","normalizers":[)";
    }
    for (int i = 0; i < 10000; i++) {
        deep += "]}";
    }
    expect_refused(unigram(member("normalizer", deep)), "nested deeper");
    std::string twenty;
    for (int i = 0; i < 20; i++) {
        twenty += R"({"type":"Sequence","normalizers":[)";
    }
    twenty += R"({"type":"Strip","strip_left":true,"strip_right":true})";
    for (int i = 0; i < 20; i++) {
        twenty += "]}";
    }
    expect_ids(unigram(member("normalizer", twenty)), "  ab ", {1, 5});
    std::string many = R"({"type":"Strip"})";
    for (int i = 0; i < 100; i++) {
        many += R"(,{"type":"Strip"})";
    }
    expect_refused(unigram(member("normalizer", sequence("normalizers", many))), "more than",
                   STET_E_MODEL);
}

TEST(JsonModel, Vocabulary)
{
    auto with = [](const std::string &vocab) {
        return bpe_model(R"("vocab":)" + vocab + R"(,"merges":[])");
    };
    expect_refused(with("{}"), "no pieces");
    expect_refused(with("[]"), "model.vocab: must be an object");
    expect_refused(with(R"({"a":0,"b":0})"), "both have id 0");
    expect_refused(with(R"({"a":-1})"), "id -1 of \"a\" is out of range");
    expect_refused(with(R"({"a":2147483648})"), "out of range");
    expect_refused(with(R"({"a":4294967296})"), "out of range");
    expect_refused(with(R"({"a":1000000})"), "out of range");
    expect_refused(with(R"({"a":1.5})"), "must be an integer");
    expect_refused(with(R"({"a":true})"), "must be an integer");
    expect_refused(with(R"({"a":9223372036854775808})"), "line");
    expect_refused(with("{\"" + std::string(70000, 'a') + "\":0}"), "at most 65535", STET_E_MODEL);
    // Holes are legal: ids nobody has.
    Tokenizer k(bpe_model(R"("vocab":{"a":3,"b":9},"merges":[],"unk_token":"a")"));
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    EXPECT_EQ(steti_tokenizer_vocab_size(k.t), 10);
    EXPECT_EQ(k.ids("ab"), (std::vector<int32_t>{3, 9}));
    EXPECT_EQ(k.decode({0, 9, 5, 3}), "b a");
    EXPECT_EQ(k.piece(5), "");
}

TEST(JsonModel, Merges)
{
    const std::string vocab = R"("vocab":{"<unk>":0,"a":1,"b":2,"ab":3},"unk_token":"<unk>",)";
    auto with = [&](const std::string &merges) {
        return bpe_model(vocab + R"("merges":)" + merges);
    };
    expect_ids(with(R"(["a b"])"), "ab", {3});
    expect_ids(with(R"([["a","b"]])"), "ab", {3});
    expect_ids(with("[]"), "ab", {1, 2});
    expect_refused(with(R"(["a b c"])"), "merge 0, \"a b c\", must be two pieces");
    expect_refused(with(R"(["ab"])"), "must be two pieces");
    expect_refused(with(R"([""])"), "must be two pieces");
    expect_refused(with(R"(["a b","a x"])"), "merge 1, \"a\" and \"x\": the second is not in");
    expect_refused(with(R"(["x a"])"), "the first is not in");
    expect_refused(with(R"([["ab","ab"]])"), "what they make is not in");
    expect_refused(with(R"([["a"]])"), "merge 0 must be");
    expect_refused(with("[7]"), "merge 0 must be");
    expect_refused(with(R"([["a",7]])"), "two strings");
    expect_refused(with(R"([["a",""]])"), "the second");
    expect_refused(with("{}"), "model.merges: must be a list");
    // Of equal merges the later one counts: "ab" comes after "bb".
    expect_ids(bpe_model(R"("vocab":{"<unk>":0,"a":1,"b":2,"ab":3,"bb":4},"unk_token":"<unk>",
                            "merges":["a b","b b","a b"])"),
               "abb", {1, 4});
}

TEST(JsonModel, BpeOptions)
{
    const std::string base = R"("vocab":{"<unk>":0,"a":1},"merges":[],)";
    expect_refused(bpe_model(base + R"("unk_token":"<x>")"), "model.unk_token: \"<x>\" is not in");
    expect_refused(bpe_model(base + R"("unk_token":7)"), "model.unk_token: must be a string");
    expect_refused(bpe_model(base + R"("dropout":0.1)"), "model.dropout", STET_E_MODEL);
    expect_refused(bpe_model(base + R"("continuing_subword_prefix":"##")"), "only \"\"",
                   STET_E_MODEL);
    expect_refused(bpe_model(base + R"("end_of_word_suffix":"</w>")"), "only \"\"", STET_E_MODEL);
    expect_refused(bpe_model(base + R"("fuse_unk":1)"), "true or false");
    expect_ids(bpe_model(base + R"("dropout":0,"unk_token":"<unk>","fuse_unk":true)"), "xya",
               {0, 1});
    expect_ids(bpe_model(base + R"("dropout":null,"unk_token":"<unk>")"), "xya", {0, 0, 1});
    expect_ids(
        bpe_model(R"("vocab":{"<unk>":0,"a":1,"b":2,"ab":3},"merges":[],"ignore_merges":true)"),
        "ab", {3});
    // Without <unk> characters vanish, their bytes belong to the piece before.
    Tokenizer k(bpe_model(R"("vocab":{"a":0},"merges":[])"));
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    EXPECT_EQ(k.ids("xaxxa"), (std::vector<int32_t>{0, 0}));
    EXPECT_EQ(k.encode("xaxxa")[0].end, 4u);
    EXPECT_EQ(k.ids("xyz").size(), 0u);
}

TEST(JsonModel, ByteLevelNeedsEveryByte)
{
    const std::string level = member("pre_tokenizer", R"({"type":"ByteLevel"})");
    expect_refused(bpe_model(R"("vocab":{"a":0},"merges":[])", level), "no piece for byte 0x00");
    expect_refused(bpe_model(byte_vocab("A"), level), "byte 0x41");
    ASSERT_EQ(Tokenizer(bpe_model(byte_vocab(""), level)).status, STET_OK);
    expect_refused(
        bpe_model(byte_vocab(""), level + added(R"({"id":0,"content":"!","special":true})")),
        "special token");
}

TEST(JsonModel, Unigram)
{
    expect_refused(unigram_model(R"("vocab":[["a",-1]])"), "model.unk_id: missing");
    expect_refused(unigram_model(R"("unk_id":1,"vocab":[["a",-1]])"), "model.unk_id: 1;");
    expect_refused(unigram_model(R"("unk_id":-2,"vocab":[["a",-1]])"), "model.unk_id: -2;");
    expect_refused(unigram_model(R"("unk_id":0,"vocab":[])"), "no pieces");
    expect_refused(unigram_model(R"("unk_id":0,"vocab":{"a":0})"), "must be a list");
    expect_refused(unigram_model(R"("unk_id":0,"vocab":[["a"]])"), "piece 0");
    expect_refused(unigram_model(R"("unk_id":0,"vocab":[["a",-1],["b","c"]])"), "piece 1");
    expect_refused(unigram_model(R"("unk_id":0,"vocab":[[1,-1]])"), "piece 0");
    expect_refused(unigram_model(R"("unk_id":0,"vocab":[["a",NaN]])"), "line");
    expect_refused(unigram_model(R"("unk_id":0,"vocab":[["a",1e999]])"), "line");
    expect_refused(unigram_model(R"("unk_id":0,"vocab":[["",0]])"), "all pieces are empty");
    // Scores as integers; of equal texts the later one counts.
    expect_ids(unigram_model(R"("unk_id":0,"vocab":[["<u>",0],["a",-3],["a",-1],["b",-2]])"), "ab",
               {2, 3});
}

TEST(JsonModel, NormalizersAndPreTokenizers)
{
    auto normalizer = [](const std::string &v) { return unigram(member("normalizer", v)); };
    auto pre = [](const std::string &v) { return unigram_with(member("pre_tokenizer", v)); };
    for (const char *name : {"NFC", "NFKC", "Lowercase", "BertNormalizer", "Nmt", "Odd"}) {
        expect_refused(normalizer(std::string(R"({"type":")") + name + "\"}"),
                       std::string("normalizer.type: \"") + name + "\" is not supported",
                       STET_E_MODEL);
    }
    std::string grow = R"({"type":"Replace","pattern":{"String":"a"},"content":")" +
                       std::string(200, 'a') + R"("})";
    ASSERT_EQ(Tokenizer(normalizer(grow)).status, STET_OK);
    expect_refused(normalizer(sequence("normalizers", grow + "," + grow)), "times as long",
                   STET_E_MODEL);
    expect_refused(bpe(member("decoder", sequence("decoders", grow + "," + grow))),
                   "decoder: a text could become", STET_E_MODEL);
    expect_refused(normalizer("{}"), "normalizer.type: missing");
    expect_refused(normalizer("7"), "normalizer: must be an object");
    expect_refused(normalizer(R"({"type":"Replace","pattern":{"String":""},"content":"x"})"),
                   "normalizer.pattern: empty");
    expect_refused(normalizer(R"x({"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":"x"})x"),
                   "\"(a+)+$\" is not supported", STET_E_MODEL);
    expect_refused(normalizer(R"({"type":"Replace","content":"x"})"),
                   "normalizer.pattern: missing");
    expect_refused(normalizer(R"({"type":"Precompiled","precompiled_charsmap":"!!!!"})"), "base64");
    expect_refused(normalizer(R"({"type":"Precompiled","precompiled_charsmap":"AAAA"})"),
                   "precompiled_charsmap");
    expect_refused(normalizer(R"({"type":"Precompiled","precompiled_charsmap":"/////wAAAAA="})"),
                   "precompiled_charsmap");
    expect_refused(normalizer(R"({"type":"Sequence","normalizers":[7]})"), "normalizers[0]");
    for (const char *name : {"FixedLength", "BertPreTokenizer", "Digits", "Whitespace"}) {
        expect_refused(pre(std::string(R"({"type":")") + name + R"(","length":0})"),
                       std::string("\"") + name + "\" is not supported", STET_E_MODEL);
    }
    expect_refused(
        pre(R"x({"type":"Split","pattern":{"Regex":"(x+x+)+y"},"behavior":"Isolated"})x"),
        "pre_tokenizer.pattern: the regular expression", STET_E_MODEL);
    expect_refused(pre(R"({"type":"Metaspace","replacement":""})"), "one character");
    expect_refused(pre(R"({"type":"Metaspace","replacement":"ab"})"), "one character");
    expect_refused(pre(R"({"type":"Metaspace","replacement":"_","prepend_scheme":"odd"})"),
                   "prepend_scheme");
    expect_refused(pre(R"({"type":"Metaspace","replacement":"_","prepend_scheme":"first",
                           "add_prefix_space":false})"),
                   "contradicts");
}

TEST(JsonModel, AddedTokens)
{
    auto with = [](const std::string &tokens) { return bpe(added(tokens)); };
    expect_refused(with(R"({"id":9,"content":""})"), "added_tokens[0].content: empty");
    expect_refused(with(R"({"id":2,"content":"x"})"), "added_tokens[0].id: 2 is the id of \"b\"");
    expect_refused(with(R"({"id":9,"content":"a"})"), "vocabulary has \"a\" as 1");
    expect_refused(with(R"({"id":-1,"content":"x"})"), "added_tokens[0].id: -1");
    expect_refused(with(R"({"id":2147483648,"content":"x"})"), "out of range");
    expect_refused(with(R"({"content":"x"})"), "added_tokens[0].id: missing");
    expect_refused(with(R"({"id":9,"content":"x"},{"id":9,"content":"y"})"), "added_tokens[1].id");
    expect_refused(with(R"({"id":9,"content":"x","special":1})"), "added_tokens[0].special");
    expect_refused(with("7"), "added_tokens[0]: must be an object");
    expect_refused(bpe(member("added_tokens", "{}")), "added_tokens: must be a list");
    // The longest at the first place wins, also where they overlap or lie in each other.
    const std::string tokens = R"({"id":9,"content":"xy"},{"id":10,"content":"xyz"},
        {"id":11,"content":"yzz"},{"id":12,"content":"z"})";
    expect_ids(with(tokens), "xyzz", {10, 12});
    expect_ids(with(tokens), "axyyzzb", {1, 9, 11, 2});
    // Special ones are never found in a text.
    expect_ids(with(R"({"id":9,"content":"aa","special":true})"), "aa", {1, 1});
    expect_ids(bpe(added(R"({"id":4,"content":"ab","special":true})")), "ab", {1, 2});
    expect_ids(with(R"({"id":9,"content":" ","rstrip":true})"), "a    b", {1, 9, 9, 9, 9, 2});
}

TEST(JsonModel, WhatTheEngineDoesItself)
{
    auto with = [](const std::string &key, const std::string &v) { return bpe(member(key, v)); };
    ASSERT_EQ(Tokenizer(with("truncation", R"({"max_length":8,"stride":7})")).status, STET_OK);
    expect_refused(with("truncation", R"({"max_length":8,"stride":8})"), "truncation.stride: 8");
    expect_refused(with("truncation", R"({"max_length":-8})"), "truncation.max_length: negative");
    expect_refused(with("truncation", "[]"), "truncation: must be an object");
    expect_refused(with("padding", R"({"strategy":{"Fixed":0}})"), "padding.strategy");
    ASSERT_EQ(Tokenizer(with("padding", R"({"strategy":"BatchLongest"})")).status, STET_OK);
    const std::string special = R"(,"special_tokens":{"b":{"id":"b","ids":[2],"tokens":["b"]}}})";
    const std::string a = R"({"Sequence":{"id":"A","type_id":0}})";
    auto post = [&](const std::string &single) {
        return with("post_processor",
                    R"({"type":"TemplateProcessing","single":[)" + single + "]" + special);
    };
    auto token = [](const std::string &id) {
        return R"({"SpecialToken":{"id":")" + id + R"(","type_id":0}})";
    };
    ASSERT_EQ(Tokenizer(post(a + "," + token("b"))).status, STET_OK);
    expect_refused(post(a + "," + token("x")), "\"x\" is not among special_tokens");
    expect_refused(post(token("b")), "must hold the text once", STET_E_MODEL);
    expect_refused(
        with("post_processor", R"({"type":"RobertaProcessing","sep":["b",1],"cls":["a",1]})"),
        "post_processor.sep: id 1 is \"a\", not \"b\"");
    expect_refused(with("post_processor", R"({"type":"RobertaProcessing","sep":["b",2]})"),
                   "post_processor.cls: missing");
    expect_refused(
        with("post_processor", R"({"type":"RobertaProcessing","sep":["b",99],"cls":["a",1]})"),
        "there is no id 99");
    expect_refused(with("post_processor", R"({"type":"Odd"})"), "\"Odd\" is not supported",
                   STET_E_MODEL);
}

TEST(JsonModel, Decoders)
{
    auto with = [](const std::string &v) { return bpe(member("decoder", v)); };
    EXPECT_EQ(Tokenizer(bpe()).decode({1, 2}), "a b");
    EXPECT_EQ(Tokenizer(with(R"({"type":"Fuse"})")).decode({1, 2}), "ab");
    // More to strip than there is.
    EXPECT_EQ(
        Tokenizer(with(R"({"type":"Strip","content":"a","start":99,"stop":0})")).decode({1, 1, 2}),
        "b");
    expect_refused(with(R"({"type":"Strip","content":"a","start":-1,"stop":0})"), "stripped",
                   STET_E_MODEL);
    expect_refused(with(R"({"type":"Strip","content":"a","start":0,"stop":9})"), "stripped",
                   STET_E_MODEL);
    expect_refused(with(R"({"type":"Replace","pattern":{"String":""},"content":"x"})"), "empty");
    expect_refused(with(R"({"type":"WordPiece"})"), "decoder.type: \"WordPiece\"", STET_E_MODEL);
    expect_refused(with(R"({"type":"Sequence","decoders":[{"type":"CTC"}]})"), "decoders[0]",
                   STET_E_MODEL);
    Tokenizer k(bpe());
    std::vector<int32_t> ids = {5};
    stet_error err = {};
    steti_buf b;
    steti_buf_init(&b);
    EXPECT_EQ(steti_tokenizer_decode(k.t, ids.data(), 1, &b, nullptr, &err), STET_E_INVALID);
}

} // namespace
