// random_pieces.h - made-up knowledge of a vocabulary's pieces, for the policies that use it.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "draft.h"
}

namespace stet_test
{

using Pieces = std::vector<steti_draft_piece>; // by token id; empty: nothing is known

// A table in which every rule about pieces finds its cases: words of several pieces, pieces without
// characters, short and long ones, few first characters, punctuation.
inline Pieces random_pieces(std::mt19937 &rng, size_t n)
{
    Pieces table(n);
    unsigned words = rng() % 4;
    for (auto &p : table) {
        p.flags = static_cast<uint8_t>((rng() % 4 <= words ? STETI_PIECE_WORD : 0) |
                                       (rng() % 5 != 0 ? STETI_PIECE_ALNUM : 0));
        p.length = static_cast<uint8_t>(rng() % 6);
        p.first = static_cast<uint16_t>(p.length == 0 ? 0 : 'a' + rng() % 3);
    }
    return table;
}

// How made-up pieces are written; `inner` marks those that may stand inside a word. Of those with
// the same text the last one counts.
class Spelling
{
  public:
    Spelling(std::vector<std::string> texts, std::vector<bool> is_inner)
        : text(std::move(texts)), inner(std::move(is_inner))
    {
        for (size_t i = 0; i < text.size(); i++) {
            all.push_back({text[i].data(), static_cast<int>(text[i].size()), static_cast<int>(i)});
            if (inner[i] && !text[i].empty()) {
                sorted.push_back(all.back());
            }
        }
        auto as_text = [](const auto &t) {
            return std::string(t.data, static_cast<size_t>(t.len));
        };
        std::stable_sort(sorted.begin(), sorted.end(), [&](const auto &a, const auto &b) {
            return std::make_pair(as_text(a), -a.id) < std::make_pair(as_text(b), -b.id);
        });
        auto end = std::unique(sorted.begin(), sorted.end(), [&](const auto &a, const auto &b) {
            return as_text(a) == as_text(b);
        });
        sorted.erase(end, sorted.end());
        table = {all.data(), sorted.data(), static_cast<int>(all.size()),
                 static_cast<int>(sorted.size())};
    }
    Spelling(const Spelling &) = delete;
    Spelling &operator=(const Spelling &) = delete;
    // NULL: nothing is known.
    const steti_draft_spelling *view() const
    {
        return text.empty() ? nullptr : &table;
    }
    const std::vector<std::string> text; // by token id
    const std::vector<bool> inner;

  private:
    std::vector<steti_draft_text> all, sorted;
    steti_draft_spelling table{};
};

// Few letters, so that words resemble each other, and a full stop now and then.
inline std::shared_ptr<Spelling> random_spelling(std::mt19937 &rng, size_t n)
{
    std::vector<std::string> text(n);
    std::vector<bool> inner(n);
    for (size_t i = 0; i < n; i++) {
        size_t len = rng() % 8 == 0 ? rng() % 12 : 1 + rng() % 2;
        for (size_t k = 0; k < len; k++) {
            text[i] += "aabbcA'"[rng() % 7];
        }
        text[i] = rng() % 24 == 0 ? "." : text[i];
        inner[i] = rng() % 4 != 0;
    }
    return std::make_shared<Spelling>(text, inner);
}

} // namespace stet_test
