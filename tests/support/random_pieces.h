// random_pieces.h - made-up knowledge of a vocabulary's pieces, for the policies that use it.
#pragma once

#include <random>
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

} // namespace stet_test
