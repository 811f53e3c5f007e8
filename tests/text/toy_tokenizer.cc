#include "toy_tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <unordered_map>

extern "C" {
#include "alloc.h"
#include "utf8.h"
}

namespace
{

const char kMark[] = "\xE2\x96\x81";

// Each word list entry stands for itself and, where marked with '_', begins a word.
const char kVocabulary[] =
    "<unk> </s> _ _a _b _c a b c ab bc _ab _abc . , ' - ( ) _( ! ? _. _, 1 2 3 _1 _2 _12 "
    "f i fi _f _fi x y _x _y \xE2\x81\x84 \xC3\xA9 _\xC3\xA9 " // fraction slash, e acute
    "_go _goes go es ing _going _school school s _s _to _the _The _is _good _very _I _do n t d o "
    "_not "
    "_has _have _been _was _being _He _She _dog _cat cat _today _day day day_ _alot _lot";

std::string WithMark(const std::string &s)
{
    std::string out;
    for (char c : s) {
        if (c == '_') {
            out += kMark;
        } else {
            out += c;
        }
    }
    return out;
}

const std::vector<std::string> &Vocabulary()
{
    static const std::vector<std::string> pieces = [] {
        std::vector<std::string> v;
        std::istringstream in(kVocabulary);
        for (std::string s; in >> s;) {
            v.push_back(WithMark(s));
        }
        return v;
    }();
    return pieces;
}

// Id of a piece that text may become, or -1.
int32_t Find(const std::string &piece)
{
    static const std::unordered_map<std::string, int32_t> ids = [] {
        std::unordered_map<std::string, int32_t> m;
        for (size_t i = 2; i < Vocabulary().size(); i++) {
            m.emplace(Vocabulary()[i], static_cast<int32_t>(i));
        }
        return m;
    }();
    auto it = ids.find(piece);
    return it == ids.end() ? -1 : it->second;
}

// One character after normalising, and the source bytes it stands for.
struct Unit {
    std::string text;
    size_t begin, end;
};

std::string Utf8(uint32_t cp)
{
    char out[4];
    return std::string(out, static_cast<size_t>(steti_utf8_encode(cp, out)));
}

std::vector<std::string> Expand(uint32_t cp)
{
    if (cp >= 0xFF01 && cp <= 0xFF5E) {
        return {Utf8(cp - 0xFF01 + 0x21)};
    }
    if (cp == 0xFB01) {
        return {"f", "i"};
    }
    if (cp == 0xBD) {
        return {"1", "\xE2\x81\x84", "2"};
    }
    return {Utf8(cp)};
}

std::vector<Unit> Units(const std::string &text)
{
    std::vector<Unit> units;
    size_t gap = 0; // where white space before the next character begins
    for (size_t i = 0; i < text.size();) {
        uint32_t cp;
        int k = steti_utf8_decode(text.data() + i, text.size() - i, &cp);
        size_t n = static_cast<size_t>(k < 0 ? -k : k), end = i + n;
        if (!steti_cp_is_space(cp)) {
            if (gap < i || units.empty()) {
                units.push_back({kMark, gap, i});
            }
            for (const std::string &s : Expand(cp)) {
                units.push_back({s, i, i});
            }
            units.back().end = end; // of several, the last has the bytes
            gap = end;
        }
        i = end;
    }
    if (!units.empty()) {
        units.back().end = text.size();
    }
    return units;
}

} // namespace

namespace toy
{

const steti_tokenizer *Tokenizer()
{
    static const char handle = 0;
    return reinterpret_cast<const steti_tokenizer *>(&handle);
}

int32_t VocabSize()
{
    return static_cast<int32_t>(Vocabulary().size());
}

int32_t Id(const std::string &piece)
{
    const auto &v = Vocabulary();
    auto it = std::find(v.begin(), v.end(), WithMark(piece));
    EXPECT_NE(it, v.end()) << "no piece " << piece;
    return static_cast<int32_t>(it - v.begin());
}

std::vector<int32_t> Ids(const std::string &pieces)
{
    std::vector<int32_t> ids;
    std::istringstream in(pieces);
    for (std::string s; in >> s;) {
        ids.push_back(Id(s));
    }
    return ids;
}

std::vector<steti_piece> Encode(const std::string &text)
{
    const std::vector<Unit> units = Units(text);
    std::vector<steti_piece> pieces;
    for (size_t u = 0; u < units.size();) {
        int32_t best = kUnk;
        size_t best_units = 1;
        std::string s;
        for (size_t k = u; k < units.size() && k < u + 8; k++) {
            s += units[k].text;
            int32_t id = Find(s);
            if (id >= 0) {
                best = id;
                best_units = k - u + 1;
            }
        }
        auto end = static_cast<uint32_t>(units[u + best_units - 1].end);
        bool joins_unknown = best == kUnk && !pieces.empty() && pieces.back().id == kUnk;
        if (joins_unknown) {
            pieces.back().end = end;
        } else {
            pieces.push_back({best, static_cast<uint32_t>(units[u].begin), end});
        }
        u += best_units;
    }
    return pieces;
}

std::string Decode(const std::vector<int32_t> &ids)
{
    steti_buf b = {};
    EXPECT_EQ(steti_tokenizer_decode(Tokenizer(), ids.data(), ids.size(), &b, nullptr, nullptr),
              STET_OK);
    std::string s(b.data == nullptr ? "" : b.data, b.len);
    steti_buf_free(&b);
    return s;
}

std::string Normalize(const std::string &text)
{
    std::string out;
    for (const Unit &u : Units(text)) {
        out += u.text == kMark ? " " : u.text;
    }
    return out.empty() ? out : out.substr(1);
}

} // namespace toy

extern "C" {

void steti_tokenizer_piece_info(const steti_tokenizer *, int32_t id, steti_piece_info *out)
{
    const std::string &s = Vocabulary()[static_cast<size_t>(id)];
    size_t mark = s.compare(0, 3, kMark) == 0 ? 3 : 0;
    *out = {s.data() + mark, s.size() - mark, s.data(), s.size(), mark > 0, 0};
}

int32_t steti_tokenizer_vocab_size(const steti_tokenizer *)
{
    return toy::VocabSize();
}

int32_t steti_tokenizer_unk_id(const steti_tokenizer *)
{
    return toy::kUnk;
}

stet_status steti_tokenizer_decode(const steti_tokenizer *, const int32_t *ids, size_t n,
                                   steti_buf *out, uint32_t *ends, stet_error *err)
{
    size_t start = out->len;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= toy::VocabSize()) {
            return STET_E_INVALID;
        }
        std::string s = Vocabulary()[static_cast<size_t>(ids[i])];
        if (ids[i] == toy::kUnk) {
            s = " \xE2\x81\x87 ";
        } else if (s == "</s>") {
            s.clear();
        }
        if (out->len == start && s.compare(0, 3, kMark) == 0) {
            s.erase(0, 3);
        }
        for (size_t at; (at = s.find(kMark)) != std::string::npos;) {
            s.replace(at, 3, " ");
        }
        stet_status st = steti_buf_append(out, s.data(), s.size(), err);
        if (st != STET_OK) {
            return st;
        }
        if (ends != nullptr) {
            ends[i] = static_cast<uint32_t>(out->len - start);
        }
    }
    return STET_OK;
}

} // extern "C"
