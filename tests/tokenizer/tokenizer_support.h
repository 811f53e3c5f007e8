// What the tokenizer tests share: a tokenizer that closes itself, and the laws of tokenizer.h.
#ifndef TOKENIZER_SUPPORT_H
#define TOKENIZER_SUPPORT_H

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
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

// ---- Fixture files: fields between tabs, bytes that are not plain written \\xNN

inline std::vector<std::string> split(const std::string &s, char at)
{
    std::vector<std::string> out;
    std::stringstream in(s);
    for (std::string part; std::getline(in, part, at);) {
        out.push_back(part);
    }
    if (!s.empty() && s.back() == at) {
        out.emplace_back();
    }
    return out;
}

template <typename T> std::vector<T> numbers(const std::string &s)
{
    std::vector<T> out;
    std::stringstream in(s);
    for (T v; in >> v;) {
        out.push_back(v);
    }
    return out;
}

inline std::string unescape(const std::string &s)
{
    std::string out;
    for (size_t i = 0; i < s.size(); i++) {
        if (s[i] == '\\') {
            out += static_cast<char>(std::stoi(s.substr(i + 2, 2), nullptr, 16));
            i += 3;
        } else {
            out += s[i];
        }
    }
    return out;
}

inline std::vector<std::string> lines_of(const std::string &name)
{
    std::vector<std::string> lines = split(read_file(fixture(name)), '\n');
    lines.pop_back(); // the file ends with a line end
    return lines;
}

// FNV-1a, as the fixtures have it.
inline std::string hash_of(const std::string &s)
{
    uint32_t h = 0x811C9DC5u;
    char text[16];
    for (char c : s) {
        h = (h ^ static_cast<unsigned char>(c)) * 0x01000193u;
    }
    snprintf(text, sizeof text, "%08x", h);
    return text;
}

inline std::string join(const std::vector<int32_t> &ids)
{
    std::string out;
    for (int32_t id : ids) {
        out += (out.empty() ? "" : " ") + std::to_string(id);
    }
    return out;
}

// A SentencePiece file, or a tokenizer.json: what begins with a brace.
struct Tokenizer {
    steti_tokenizer *t = nullptr;
    stet_error err = {};
    stet_status status;

    explicit Tokenizer(const std::string &model)
    {
        err.struct_size = sizeof err;
        bool json = !model.empty() && model[0] == '{';
        status = json
                     ? steti_tokenizer_open_json(model.data(), model.size(), "test.json", &t, &err)
                     : steti_tokenizer_open_spm(model.data(), model.size(), "test.model", &t, &err);
        EXPECT_EQ(t != nullptr, status == STET_OK);
    }
    explicit Tokenizer(steti_tokenizer *opened) : t(opened), status(STET_OK)
    {
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

inline std::string repeat(const std::string &s, size_t n)
{
    std::string out;
    while (n-- > 0) {
        out += s;
    }
    return out;
}

inline uint64_t live_blocks()
{
    steti_alloc_stats s;
    steti_alloc_get_stats(&s);
    return s.live_count;
}

// Fails the 1st, 2nd, ... allocation of one run of `work`, until it passes. `work` returns a status
// and must leave nothing behind.
template <typename F> void fail_each_allocation(bool sticky, F work)
{
    for (uint64_t n = 1;; n++) {
        uint64_t before = live_blocks();
        steti_alloc_fail_nth(n, sticky);
        stet_status st = work();
        steti_alloc_fail_nth(0, 0);
        ASSERT_EQ(live_blocks(), before) << "allocation " << n;
        if (st == STET_OK) {
            ASSERT_GT(n, 1u);
            return;
        }
        ASSERT_EQ(st, STET_E_NOMEM) << "allocation " << n;
        ASSERT_LT(n, 10000u);
    }
}

#endif
