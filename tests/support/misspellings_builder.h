// misspellings_builder.h - the bytes of a misspellings.table, whole or broken, made without the
// script that writes real ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace stet_test
{

using Rows = std::map<std::string, std::string>; // misspelling -> word

// What a table is made of. Tests change single parts.
struct TableParts {
    std::string magic = "stetmsp1", words, rows;
    std::vector<uint32_t> ends, blocks;
    uint32_t n_rows = 0;
    std::vector<size_t> row_at; // where each row begins in `rows`

    std::string bytes() const
    {
        std::string out = magic;
        auto put = [&out](size_t n) {
            for (int i = 0; i < 4; i++) {
                out.push_back(static_cast<char>(n >> 8 * i & 255));
            }
        };
        for (size_t n : {size_t{n_rows}, ends.size(), words.size(), rows.size()}) {
            put(n);
        }
        std::for_each(ends.begin(), ends.end(), put);
        std::for_each(blocks.begin(), blocks.end(), put);
        return out + words + rows;
    }
};

// Appends a row to a table. `shared`: bytes of the row before; not written at a block's beginning.
inline void add_row(TableParts *t, size_t shared, const std::string &rest, size_t word)
{
    bool begins_block = t->n_rows++ % 16 == 0;
    t->row_at.push_back(t->rows.size());
    if (begins_block) {
        t->blocks.push_back(static_cast<uint32_t>(t->rows.size()));
    }
    t->rows.push_back(static_cast<char>(begins_block ? rest.size() : shared << 4 | rest.size()));
    t->rows += rest;
    t->rows.push_back(static_cast<char>(word & 255));
    t->rows.push_back(static_cast<char>(word >> 8));
}

inline void add_word(TableParts *t, const std::string &word)
{
    t->words += word;
    t->ends.push_back(static_cast<uint32_t>(t->words.size()));
}

// The table of rows. Only a block's first may have more than 15 bytes that are not shared: other
// such rows are taken out of *rows. With rng, some rows share fewer bytes than they could.
inline TableParts table_parts(Rows *rows, std::mt19937 *rng = nullptr)
{
    TableParts t;
    std::map<std::string, size_t> numbers;
    std::string last;
    for (auto at = rows->begin(); at != rows->end();) {
        const std::string &key = at->first, &word = at->second;
        size_t shared = 0, most = std::min({size_t{15}, key.size() - 1, last.size()});
        while (shared < most && key[shared] == last[shared]) {
            shared++;
        }
        bool begins_block = t.n_rows % 16 == 0;
        size_t needed = key.size() > 15 ? key.size() - 15 : 0;
        if (!begins_block && shared < needed) {
            at = rows->erase(at);
            continue;
        }
        if (rng != nullptr && shared > needed && (*rng)() % 4 == 0) {
            shared = needed + (*rng)() % (shared - needed + 1);
        }
        if (numbers.count(word) == 0) {
            numbers.emplace(word, numbers.size());
            add_word(&t, word);
        }
        add_row(&t, shared, begins_block ? key : key.substr(shared), numbers[word]);
        last = key;
        ++at;
    }
    return t;
}

inline std::string table_bytes(Rows rows)
{
    return table_parts(&rows).bytes();
}

} // namespace stet_test
