// Builds small tokenizer.json files, for tests that need a broken or an odd one.
#ifndef JSON_BUILDER_H
#define JSON_BUILDER_H

#include <string>

namespace json
{

// ,"key":value
inline std::string member(const std::string &key, const std::string &value)
{
    return ",\"" + key + "\":" + value;
}

inline std::string added(const std::string &tokens)
{
    return member("added_tokens", "[" + tokens + "]");
}

inline std::string sequence(const std::string &key, const std::string &steps)
{
    return R"({"type":"Sequence",")" + key + "\":[" + steps + "]}";
}

inline std::string bpe_model(const std::string &model, const std::string &rest = "")
{
    return R"({"model":{"type":"BPE",)" + model + "}" + rest + "}";
}

// 0 <unk>, 1 a, 2 b, 3 c (by no merge), 4 ab
inline std::string bpe(const std::string &rest = "")
{
    return bpe_model(R"("unk_token":"<unk>","vocab":{"<unk>":0,"a":1,"b":2,"ba":3,"ab":4},)"
                     R"("merges":["a b"])",
                     rest);
}

inline std::string unigram_model(const std::string &model, const std::string &rest = "")
{
    return R"({"model":{"type":"Unigram",)" + model + "}" + rest + "}";
}

inline std::string unigram_with(const std::string &rest)
{
    return unigram_model(R"("unk_id":0,"vocab":[["<unk>",0],["\u2581",-1],["a",-2],["b",-3],)"
                         R"(["x",-9],["ab",-4]])",
                         rest);
}

// 0 <unk>, 1 mark, 2 a, 3 b, 4 x, 5 ab; a mark before every word
inline std::string unigram(const std::string &rest = "")
{
    return unigram_with(rest + R"(,"pre_tokenizer":{"type":"Metaspace","replacement":"\u2581"})"
                               R"(,"decoder":{"type":"Metaspace","replacement":"\u2581"})");
}

// The 256 characters that bytes are written as, without one of them; ids in order.
inline std::string byte_vocab(const std::string &without)
{
    std::string vocab;
    int id = 0, other = 0x100;
    for (int byte = 0; byte < 256; byte++) {
        bool visible = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        char text[16];
        snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(visible ? byte : other++));
        if (without.empty() || byte != without[0]) {
            vocab += (vocab.empty() ? "" : ",") + std::string("\"") + text + "\":" +
                     std::to_string(byte == 33  ? 0
                                    : byte == 0 ? 33
                                                : id);
        }
        id++;
    }
    return "\"vocab\":{" + vocab + "},\"merges\":[]";
}

} // namespace json

#endif
