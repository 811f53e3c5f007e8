// What the tokenizer tests share: a tokenizer that closes itself, and the laws of tokenizer.h.
#ifndef TOKENIZER_SUPPORT_H
#define TOKENIZER_SUPPORT_H

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" {
#include "alloc.h"
#include "tokenizer.h"
}

inline std::string read_file(const std::string &path)
{
    std::ifstream f(path, std::ios::binary);
    EXPECT_TRUE(f.good()) << path;
    return std::string(std::istreambuf_iterator<char>(f), {});
}

inline std::string fixture(const std::string &name)
{
    return std::string(STET_FIXTURES) + "/tokenizer/" + name;
}

struct Tokenizer {
    steti_tokenizer *t = nullptr;
    stet_error err = {};
    stet_status status;

    explicit Tokenizer(const std::string &model)
    {
        err.struct_size = sizeof err;
        status = steti_tokenizer_open_spm(model.data(), model.size(), "test.model", &t, &err);
        EXPECT_EQ(t != nullptr, status == STET_OK);
    }
    ~Tokenizer()
    {
        steti_tokenizer_close(t);
    }
    Tokenizer(const Tokenizer &) = delete;
    Tokenizer &operator=(const Tokenizer &) = delete;

    std::vector<steti_piece> encode(const std::string &text) const
    {
        steti_pieces p = {};
        stet_error e = {};
        EXPECT_EQ(steti_tokenizer_encode(t, text.data(), text.size(), &p, &e), STET_OK)
            << e.message;
        std::vector<steti_piece> out(p.data, p.data + p.len);
        steti_pieces_free(&p);
        return out;
    }
    std::vector<int32_t> ids(const std::string &text) const
    {
        std::vector<int32_t> out;
        for (const steti_piece &p : encode(text)) {
            out.push_back(p.id);
        }
        return out;
    }
    std::string piece(int32_t id) const
    {
        size_t len = 0;
        const char *s = steti_tokenizer_piece(t, id, &len);
        return s == nullptr ? "" : std::string(s, len);
    }
    std::string decode(const std::vector<int32_t> &ids, std::vector<uint32_t> *ends = nullptr) const
    {
        steti_buf b;
        stet_error e = {};
        std::vector<uint32_t> where(ids.size() + 1);
        steti_buf_init(&b);
        EXPECT_EQ(steti_tokenizer_decode(t, ids.data(), ids.size(), &b, where.data(), &e), STET_OK)
            << e.message;
        std::string out(b.data == nullptr ? "" : b.data, b.len);
        steti_buf_free(&b);
        where.pop_back();
        if (ends != nullptr) {
            *ends = where;
        }
        return out;
    }
};

// The offset laws, and that ids are ids that text may become.
inline void check_laws(const Tokenizer &k, const std::string &text,
                       const std::vector<steti_piece> &p)
{
    for (size_t i = 0; i < p.size(); i++) {
        ASSERT_LE(p[i].begin, p[i].end) << i;
        ASSERT_EQ(p[i].begin, i == 0 ? 0u : p[i - 1].end) << i;
        ASSERT_GE(p[i].id, 0);
        ASSERT_LT(p[i].id, steti_tokenizer_vocab_size(k.t));
        ASSERT_NE(p[i].id, steti_tokenizer_eos_id(k.t));
        ASSERT_NE(p[i].id, steti_tokenizer_bos_id(k.t));
        ASSERT_NE(p[i].id, steti_tokenizer_pad_id(k.t));
    }
    if (!p.empty()) {
        ASSERT_EQ(p.back().end, text.size());
    }
}

inline void check_laws(const Tokenizer &k, const std::string &text)
{
    check_laws(k, text, k.encode(text));
}

#endif
