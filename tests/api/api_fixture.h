// api_fixture.h - handles that release themselves, for tests through stet.h alone. The models are
// random: what they write is nonsense, but the laws of the interface hold for it.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "fixture_path.h"
#include "stet.h"

#include <gtest/gtest.h>

namespace stet_test
{

using Options = std::vector<stet_option>;

struct Error : stet_error {
    Error() : stet_error{}
    {
        struct_size = sizeof(stet_error);
    }
};

class Model
{
  public:
    explicit Model(const std::string &name = "edgeformer-a",
                   Options o = {{"device", "cpu"}, {"intra_threads", "1"}})
    {
        status = stet_model_load(fixture(name).c_str(), o.data(), o.size(), &handle, &err);
    }
    ~Model()
    {
        stet_model_release(handle);
    }
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;
    stet_model *handle = nullptr;
    Error err;
    stet_status status;
};

// Small limits keep the random outputs short.
class Engine
{
  public:
    explicit Engine(stet_model *m, Options o = {})
    {
        o.insert(o.begin(), {{"max_decoding_length", "24"}, {"batch_size", "4"}});
        status = stet_engine_create(m, o.data(), o.size(), &handle, &err);
    }
    ~Engine()
    {
        stet_engine_destroy(handle);
    }
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;
    stet_engine *handle = nullptr;
    Error err;
    stet_status status;
};

class Result
{
  public:
    Result() = default;
    explicit Result(stet_result *r) : handle(r)
    {
    }
    Result(Result &&o) noexcept : handle(o.handle)
    {
        o.handle = nullptr;
    }
    Result &operator=(Result &&o) noexcept
    {
        std::swap(handle, o.handle);
        return *this;
    }
    ~Result()
    {
        stet_result_release(handle);
    }
    std::string text() const
    {
        size_t n = 0;
        const char *p = stet_result_text(handle, &n);
        EXPECT_NE(p, nullptr);
        return p != nullptr ? std::string(p, n) : "";
    }
    std::vector<stet_edit> edits(uint32_t unit) const
    {
        int64_t n = stet_result_edits(handle, unit, nullptr, sizeof(stet_edit), 0, 0);
        EXPECT_GE(n, 0);
        std::vector<stet_edit> out(static_cast<size_t>(n));
        EXPECT_EQ(stet_result_edits(handle, unit, out.data(), sizeof(stet_edit), 0, out.size()), n);
        return out;
    }
    std::vector<stet_sentence> sentences() const
    {
        int64_t n = stet_result_sentences(handle, nullptr, sizeof(stet_sentence), 0, 0);
        EXPECT_GE(n, 0);
        std::vector<stet_sentence> out(static_cast<size_t>(n));
        EXPECT_EQ(stet_result_sentences(handle, out.data(), sizeof(stet_sentence), 0, out.size()),
                  n);
        return out;
    }
    stet_stats stats() const
    {
        stet_stats s{};
        s.struct_size = sizeof s;
        EXPECT_EQ(stet_result_stats(handle, &s), STET_OK);
        return s;
    }
    stet_result *handle = nullptr;
};

inline stet_request request(const std::string &text, uint32_t flags = 0)
{
    stet_request r{};
    r.struct_size = sizeof r;
    r.flags = flags;
    r.text = text.data();
    r.len = text.size();
    return r;
}

inline Result correct(const Engine &g, const std::string &text, uint32_t flags = 0)
{
    stet_request r = request(text, flags);
    stet_result *out = nullptr;
    Error err;
    EXPECT_EQ(stet_correct_batch(g.handle, &r, 1, &out, nullptr, &err), STET_OK) << err.message;
    return Result(out);
}

// The words of the fixtures' tokenizer and some that it has to spell.
inline const std::vector<std::string> &sample_texts()
{
    static const char broken[] = "nul\0byte \xff\xfe bad \xc3 utf\xe2\x82 end";
    static const std::vector<std::string> texts = {
        "",
        " ",
        "bace difo guha.",
        "Bace difo guha. Jeki lomu nape! Risotu?  Vawexi yozu.",
        "ba\tce\n\ndi fo\r\ngu ha je ki lo mu na pe ri so tu va we xi yo zu ba ce di fo gu ha je "
        "ki lo mu na pe",
        "12 + 13 = 25 ... !!!",
        "na\xc3\xafve \xf0\x9f\x98\x80 b\xcc\x81"
        "ace \xe2\x80\x94 di\xef\xac\x81o",
        std::string(broken, sizeof broken - 1),
        "\xed\xa0\x80\xf4\x90\x80\x80 ba ce",
        "x",
        std::string(400, 'y'),
    };
    return texts;
}

} // namespace stet_test
