// plain_reentry.h - the rules of edit and tree a second time, as one would say them: with plain
// searches over the source and without an index.
#pragma once

#include <cstdlib>
#include <tuple>

#include "draft_play.h"

namespace stet_test
{

class PlainReentry
{
  public:
    PlainReentry(Ids source, Pieces table) : src(std::move(source)), pieces(std::move(table))
    {
    }

    // What edit drafts, and where it begins in the source.
    int edit_place() const
    {
        return out.empty() ? 0 : match() >= 0 ? match() : expected;
    }
    Ids edit_draft(int window) const
    {
        return copy(edit_place(), window);
    }

    // Where tree's branches begin.
    std::vector<int> places() const
    {
        std::vector<int> found;
        std::vector<int> wanted{0};
        if (!out.empty()) {
            wanted = {match(), expected, second, next_word(expected), expected - 1, expected + 1};
        }
        for (int at : wanted) {
            bool is_new = std::find(found.begin(), found.end(), at) == found.end();
            if (at >= 0 && at < n() && is_new && found.size() < STETI_DRAFT_BRANCHES) {
                found.push_back(at);
            }
        }
        return found;
    }

    Ids copy(int from, int window) const
    {
        Ids d;
        for (int i = from; i < n() && i < from + window; i++) {
            d.push_back(src[static_cast<size_t>(i)]);
        }
        return d;
    }

    bool counts_as_reentry() const
    {
        return !out.empty() && match() >= 0 && missed;
    }

    // `from`: where the branch that won began, -1 when nothing was drafted.
    void accept(const PlayedPass &p, const Ids &emitted, int from)
    {
        int at = from >= 0 ? from + p.matched : expected;
        missed = p.winner > 0 || p.matched < static_cast<int>(p.draft.size());
        out.insert(out.end(), emitted.begin(), emitted.end());
        expect(std::min(at, n()), emitted.back());
    }

    // Where the output may go on after it has `id` where the source has position `at`.
    void expect(int at, int32_t id)
    {
        second = -1;
        if (at == n() || src[static_cast<size_t>(at)] == id) {
            expected = std::min(at + 1, n());
            return;
        }
        bool is_before = stands_before(at, id);
        expected = is_before ? at : next_word(at);
        second = is_before ? next_word(at) : at;
    }

    int expected = 0, second = -1;

  private:
    int n() const
    {
        return static_cast<int>(src.size());
    }
    steti_draft_piece piece(int32_t id) const
    {
        bool known = static_cast<size_t>(id) < pieces.size();
        return known ? pieces[static_cast<size_t>(id)]
                     : steti_draft_piece{STETI_PIECE_WORD | STETI_PIECE_ALNUM, 4, 0};
    }
    steti_draft_piece source_piece(int at) const
    {
        return piece(src[static_cast<size_t>(at)]);
    }
    // First characters of the words of the source, and its end.
    std::vector<int> borders() const
    {
        std::vector<int> b;
        for (int i = 0; i < n(); i++) {
            if (source_piece(i).flags & STETI_PIECE_WORD) {
                b.push_back(i);
            }
        }
        b.push_back(n());
        return b;
    }
    int next_word(int at) const
    {
        for (int b : borders()) {
            if (b > at) {
                return b;
            }
        }
        return n();
    }

    // Whether `id` was said before the word at `at`, and not in its place.
    bool stands_before(int at, int32_t id) const
    {
        steti_draft_piece said = piece(id), have = source_piece(at);
        bool said_begins = said.flags & STETI_PIECE_WORD,
             have_begins = have.flags & STETI_PIECE_WORD;
        bool said_word = said.flags & STETI_PIECE_ALNUM, have_word = have.flags & STETI_PIECE_ALNUM;
        if (said_begins != have_begins) {
            return have_begins; // a longer ending of the word before
        }
        if (said_word && have_word) {
            int characters = 0, first = 0;
            for (int i = next_word(at) - 1; i >= at; i--) {
                characters += source_piece(i).length;
                first = source_piece(i).first != 0 ? source_piece(i).first : first;
            }
            return said.length <= 3 && said.length < characters && said.first != first;
        }
        return !said_word && have_word; // a punctuation mark
    }

    // The end of the best occurrence of the output's last tokens: the one that agrees longest (four
    // tokens are enough), then the nearest, then the later one. -1: none that counts.
    int match() const
    {
        std::tuple<int, int, int> best{0, 0, -1};
        for (int e = 1; e <= n(); e++) {
            int agree = 0;
            while (agree < 4 && agree < e && agree < static_cast<int>(out.size()) &&
                   src[static_cast<size_t>(e - 1 - agree)] ==
                       out[out.size() - 1 - static_cast<size_t>(agree)]) {
                agree++;
            }
            best = std::max(best, {agree, -std::abs(e - expected), e});
        }
        auto [length, nearness, end] = best;
        if (length == 1 && -nearness > (piece(out.back()).length <= 3 ? 4 : 10)) {
            return -1;
        }
        return length > 0 ? end : -1;
    }

    Ids src, out;
    Pieces pieces;
    bool missed = false;
};

} // namespace stet_test
