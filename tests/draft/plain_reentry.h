// plain_reentry.h - the rules of edit and tree a second time, as one would say them: with plain
// searches over the source and without an index, and with words as strings.
#pragma once

#include <cstdlib>
#include <optional>
#include <tuple>

#include "draft_play.h"

namespace stet_test
{

// Tokens of its own, then the source from a position on.
struct PlainBranch {
    Ids own;
    int from = 0;
    bool operator==(const PlainBranch &o) const
    {
        return own == o.own && from == o.from;
    }
};

inline std::string lower(std::string s)
{
    for (char &c : s) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return s;
}

// What is still to be said of `word` after `said`, if that begins the word or the word with one
// slip put right at the first place where they differ.
inline std::optional<std::string> rest_of_word(const std::string &word, const std::string &said,
                                               bool mark_last)
{
    std::string small = lower(word), want = lower(said);
    auto begins_with_said = [&](const std::string &w) {
        return lower(w).compare(0, want.size(), want) == 0 && w.size() >= want.size();
    };
    if (begins_with_said(word)) {
        return word.substr(said.size());
    }
    size_t i = 0;
    while (i < word.size() && small[i] == want[i]) {
        i++;
    }
    std::string head = word.substr(0, i), tail = word.substr(i);
    std::vector<std::string> put_right;
    std::string missing = head + want[i] + tail;
    if (i == 0 && want.size() == 1) {
        return std::nullopt;
    }
    if (tail.size() >= 2 && want.size() >= i + 2) {
        put_right.push_back(head + tail[1] + tail[0] + tail.substr(2));
    }
    if (mark_last) {
        put_right.push_back(missing);
    }
    if (!tail.empty()) {
        put_right.push_back(head + tail.substr(1));
        put_right.push_back(head + want[i] + tail.substr(1));
    }
    put_right.push_back(missing);
    for (const auto &w : put_right) {
        if (begins_with_said(w)) {
            return w.substr(said.size());
        }
    }
    return std::nullopt;
}

class PlainReentry
{
  public:
    PlainReentry(Ids source, Pieces table, const Spelling *spelled)
        : src(std::move(source)), pieces(std::move(table)), spelling(spelled)
    {
    }

    // What tree drafts, the likeliest first, or with most = 1 what edit drafts.
    std::vector<PlainBranch> branches(size_t most) const
    {
        std::vector<PlainBranch> found;
        std::vector<PlainBranch> wanted{{{}, 0}};
        if (!out.empty()) {
            wanted = {{{}, match()}};
            auto word = respelled();
            if (word) {
                wanted.push_back(*word);
            } else if (match() < 0) {
                wanted.push_back({rest_after_last(), expected});
            }
            int next = next_word(expected);
            wanted.push_back({{}, expected});
            wanted.push_back({full_stop(), n()});
            if (most > 1) {
                for (int at : {second, next, next_word(next), expected - 1, expected + 1}) {
                    wanted.push_back({{}, at});
                }
            }
        }
        for (const auto &b : wanted) {
            bool is_new = std::find(found.begin(), found.end(), b) == found.end();
            bool is_empty = b.own.empty() && b.from >= n();
            if (b.from >= 0 && !is_empty && is_new && found.size() < most) {
                found.push_back(b);
            }
        }
        return found;
    }

    Ids copy(const PlainBranch &b, int window) const
    {
        Ids d = b.own;
        d.insert(d.end(), src.begin() + std::min(b.from, n()), src.end());
        d.resize(std::min(d.size(), static_cast<size_t>(window)));
        return d;
    }

    bool counts_as_reentry() const
    {
        return !out.empty() && match() >= 0 && match() < n() && missed;
    }

    // `branch`: the one that won, or nullptr when nothing was drafted.
    void accept(const PlayedPass &p, const Ids &emitted, const PlainBranch *branch)
    {
        missed = p.winner > 0 || p.matched < static_cast<int>(p.draft.size());
        out.insert(out.end(), emitted.begin(), emitted.end());
        int own = branch == nullptr ? 0 : static_cast<int>(branch->own.size());
        if (branch == nullptr) {
            expect(expected, emitted.back());
        } else if (p.matched >= own) {
            expect(std::min(branch->from + p.matched - own, n()), emitted.back());
        } else if (piece(emitted.back()).flags & STETI_PIECE_WORD) {
            expect(branch->from, emitted.back());
        } else {
            expected = branch->from;
            second = -1;
        }
    }

    // Where the output may go on after it has `id` where the source has position `at`.
    void expect(int at, int32_t id)
    {
        second = -1;
        compared = word_at(at, id);
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
    bool begins(int at) const
    {
        return at == 0 || (source_piece(at).flags & STETI_PIECE_WORD);
    }
    int next_word(int at) const
    {
        do {
            at++;
        } while (at < n() && !begins(at));
        return std::min(at, n());
    }
    int first_of_word(int at) const
    {
        while (!begins(at)) {
            at--;
        }
        return at;
    }
    // The source's word that the output's word stands for, n() for none.
    int word_at(int at, int32_t id) const
    {
        bool is_new = piece(id).flags & STETI_PIECE_WORD;
        if (at == n()) {
            return is_new || n() == 0 ? n() : first_of_word(n() - 1);
        }
        bool is_inside = !(source_piece(at).flags & STETI_PIECE_WORD);
        return is_new && is_inside ? at : first_of_word(at);
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
        bool is_word = piece(out.back()).flags & STETI_PIECE_WORD;
        if (length == 1 && -nearness > (is_word ? 6 : 2)) {
            return -1;
        }
        return length > 0 ? end : -1;
    }

    // What stands inside the word behind the nearest occurrence of the output's last token.
    Ids rest_after_last() const
    {
        std::pair<int, int> best{-1000, n()};
        for (int e = 1; e <= n(); e++) {
            if (src[static_cast<size_t>(e - 1)] == out.back()) {
                best = std::max(best, {-std::abs(e - expected), e});
            }
        }
        Ids rest;
        for (int i = best.second; i < n() && !begins(i); i++) {
            rest.push_back(src[static_cast<size_t>(i)]);
        }
        return rest.size() > 32 ? Ids{} : rest;
    }

    // The text of ids; nothing when it is not known or longer than 32 bytes.
    std::optional<std::string> written(const Ids &ids) const
    {
        std::string text;
        for (int32_t id : ids) {
            if (static_cast<size_t>(id) >= spelling->text.size() ||
                spelling->text[static_cast<size_t>(id)].empty()) {
                return std::nullopt;
            }
            text += spelling->text[static_cast<size_t>(id)];
        }
        return text.size() <= 32 ? std::optional<std::string>(text) : std::nullopt;
    }
    std::optional<Ids> cut(const std::string &text) const
    {
        Ids ids;
        for (size_t at = 0; at < text.size();) {
            size_t longest = 0;
            int32_t best = -1;
            for (size_t i = 0; i < spelling->text.size(); i++) {
                const std::string &t = spelling->text[i];
                if (spelling->inner[i] && t.size() >= longest && !t.empty() &&
                    text.compare(at, t.size(), t) == 0) {
                    longest = t.size();
                    best = static_cast<int32_t>(i);
                }
            }
            if (best < 0) {
                return std::nullopt;
            }
            ids.push_back(best);
            at += longest;
        }
        return ids;
    }
    std::optional<PlainBranch> respelled() const
    {
        if (spelling == nullptr || compared == n()) {
            return std::nullopt;
        }
        int next = next_word(compared);
        size_t begin = out.size() - 1;
        while (begin > 0 && !(piece(out[begin]).flags & STETI_PIECE_WORD)) {
            begin--;
        }
        auto word = written(Ids(src.begin() + compared, src.begin() + next));
        auto said = written(Ids(out.begin() + static_cast<long>(begin), out.end()));
        if (!word || !said) {
            return std::nullopt;
        }
        auto rest = rest_of_word(*word, *said, !(piece(out.back()).flags & STETI_PIECE_ALNUM));
        auto ids = rest ? cut(*rest) : std::nullopt;
        return ids ? std::optional<PlainBranch>({*ids, next}) : std::nullopt;
    }
    Ids full_stop() const
    {
        bool word_last = piece(out.back()).flags & STETI_PIECE_ALNUM;
        auto stop = spelling != nullptr ? cut(".") : std::nullopt;
        return expected == n() && word_last && stop ? *stop : Ids{};
    }

    Ids src, out;
    Pieces pieces;
    const Spelling *spelling;
    int compared = 0;
    bool missed = false;
};

} // namespace stet_test
