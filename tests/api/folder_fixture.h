// folder_fixture.h - models of changed folders, one with several kinds of tokenizer, and what their
// answers are compared with: tokens made beside stet.h, and requests of tokens.
#pragma once

#include <algorithm>
#include <functional>
#include <sstream>

#include "api_fixture.h"
#include "model_folder.h"

extern "C" {
#include "tokenizer.h"
}

namespace stet_test
{

// ---- Tokens, beside the library's calls ---------------------------------------------------------

class Tokenizer
{
  public:
    explicit Tokenizer(const std::string &folder)
    {
        EXPECT_EQ(steti_tokenizer_open(folder.c_str(), &t_, nullptr), STET_OK);
    }
    ~Tokenizer()
    {
        steti_tokenizer_close(t_);
    }
    Tokenizer(const Tokenizer &) = delete;
    Tokenizer &operator=(const Tokenizer &) = delete;
    std::vector<int32_t> ids(const std::string &text) const
    {
        steti_pieces p{};
        EXPECT_EQ(steti_tokenizer_encode(t_, text.data(), text.size(), &p, nullptr), STET_OK);
        std::vector<int32_t> out;
        for (size_t i = 0; i < p.len; i++) {
            out.push_back(p.data[i].id);
        }
        steti_pieces_free(&p);
        return out;
    }
    std::string text(const std::vector<int32_t> &ids) const
    {
        steti_buf b{};
        EXPECT_EQ(steti_tokenizer_decode(t_, ids.data(), ids.size(), &b, nullptr, nullptr),
                  STET_OK);
        std::string out(b.len > 0 ? b.data : "", b.len);
        steti_buf_free(&b);
        return out;
    }
    bool can_write(const std::vector<int32_t> &ids) const
    {
        int32_t most = ids.empty() ? 0 : *std::max_element(ids.begin(), ids.end());
        return most < steti_tokenizer_vocab_size(t_) &&
               std::find(ids.begin(), ids.end(), steti_tokenizer_unk_id(t_)) == ids.end() &&
               text(ids).find("\xEF\xBF\xBD") == std::string::npos;
    }

  private:
    steti_tokenizer *t_ = nullptr;
};

inline std::string words(const std::string &text)
{
    std::istringstream in(text);
    std::string word, out;
    while (in >> word) {
        out += word + " ";
    }
    return out;
}

struct Answer {
    std::vector<int32_t> tokens;
    stet_sentence sentence;
    uint64_t unfinished;
};

inline Answer answer_to(const Engine &g, const std::vector<int32_t> &source)
{
    stet_request r{};
    r.struct_size = sizeof r;
    r.flags = STET_REQ_TOKENS;
    r.tokens = source.data();
    r.n_tokens = source.size();
    stet_result *out = nullptr;
    Error err;
    EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &out, nullptr, &err), STET_OK) << err.message;
    Result result(out);
    size_t n = 0;
    const int32_t *ids = stet_result_tokens(out, &n);
    return {{ids, ids + n}, result.sentences().at(0), result.stats().unfinished};
}

inline Result correct_with(const Engine &g, const std::string &text, const char *prompt,
                           uint32_t flags = STET_REQ_SENTENCE)
{
    stet_request r = request(text, flags);
    stet_result *out = nullptr;
    Error err;
    r.prompt = prompt;
    EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &out, nullptr, &err), STET_OK) << err.message;
    return Result(out);
}

// The edits, applied here, make the text, and lie in the source.
inline void expect_edits_make(const Result &r, const std::string &source)
{
    std::string out;
    size_t at = 0;
    for (const stet_edit &e : r.edits(STET_UNIT_BYTE)) {
        ASSERT_GE(e.src_off, at);
        ASSERT_LE(e.src_off + e.src_len, source.size());
        out += source.substr(at, e.src_off - at) + std::string(e.text, e.text_len);
        at = e.src_off + e.src_len;
    }
    EXPECT_EQ(out + source.substr(at), r.text());
}

// ---- Folders ------------------------------------------------------------------------------------

inline Options one_thread()
{
    return {{"device", "cpu"}, {"intra_threads", "1"}};
}

struct FolderModel {
    explicit FolderModel(const std::string &path)
    {
        Options o = one_thread();
        status = stet_model_load(path.c_str(), o.data(), o.size(), &handle, &err);
    }
    ~FolderModel()
    {
        stet_model_release(handle);
    }
    FolderModel(const FolderModel &) = delete;
    FolderModel &operator=(const FolderModel &) = delete;
    stet_model *handle = nullptr;
    Error err;
    stet_status status;
};

// hf-t5-c with another tokenizer over its 288 ids.
struct Kind {
    const char *name;
    std::function<void(ModelFolder &)> change;
};

// Two merges over the 256 bytes and three special tokens.
inline std::string byte_level_json()
{
    std::string vocab = "\"<pad>\":0,\"</s>\":1,\"<unk>\":2", merges;
    int id = 3;
    auto put = [&](const std::string &piece) {
        bool escape = piece == "\"" || piece == "\\";
        vocab += ",\"" + (escape ? "\\" + piece : piece) + "\":" + std::to_string(id++);
    };
    for (int b = 0, other = 256; b < 256; b++) {
        bool shown = (b >= 33 && b <= 126) || (b >= 161 && b != 173);
        int cp = shown ? b : other++;
        std::string utf8 = cp < 128 ? std::string(1, static_cast<char>(cp))
                                    : std::string{static_cast<char>(0xC0 | cp >> 6),
                                                  static_cast<char>(0x80 | (cp & 63))};
        put(utf8);
    }
    for (const char *pair : {"\xC4\xA0 b", "b a",
                             "\xC4\xA0"
                             "b a",
                             "c e", ": b", "d i", "\xC4\xA0 d", "x b"}) {
        std::string joined = pair;
        joined.erase(joined.find(' '), 1);
        merges += std::string(merges.empty() ? "" : ",") + "\"" + pair + "\"";
        put(joined);
    }
    return "{\"version\":\"1.0\",\"added_tokens\":["
           "{\"id\":0,\"content\":\"<pad>\",\"special\":true},"
           "{\"id\":1,\"content\":\"</s>\",\"special\":true},"
           "{\"id\":2,\"content\":\"<unk>\",\"special\":true}],"
           "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":"
           "false,\"trim_offsets\":true,\"use_regex\":false},\"decoder\":{\"type\":\"ByteLevel\"},"
           "\"model\":{\"type\":\"BPE\",\"vocab\":{" +
           vocab + "},\"merges\":[" + merges + "]}}";
}

inline const std::vector<Kind> &kinds()
{
    static const std::vector<Kind> list = {
        {"SentencePiece", [](ModelFolder &) {}},
        {"ByteLevelBpe",
         [](ModelFolder &f) {
             std::filesystem::remove(f.path + "/spiece.model");
             write_text(f.path + "/tokenizer.json", byte_level_json());
         }},
        {"Bytes", [](ModelFolder &f) {
             std::filesystem::remove(f.path + "/spiece.model");
             write_text(f.path + "/tokenizer_config.json",
                        "{\"tokenizer_class\":\"ByT5Tokenizer\"}");
         }}};
    return list;
}

} // namespace stet_test
