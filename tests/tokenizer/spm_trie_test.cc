// The double array against a plain map.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "spm_trie.h"
}

namespace
{

struct Trie {
    steti_spm_trie t = {};
    std::map<std::string, int32_t> keys; // std::string compares bytes as unsigned

    explicit Trie(const std::vector<std::string> &list)
    {
        std::vector<steti_spm_key> k;
        for (const std::string &s : list) {
            keys.emplace(s, static_cast<int32_t>(keys.size()));
        }
        for (const auto &[s, v] : keys) {
            k.push_back({s.data(), static_cast<uint32_t>(s.size()), v});
        }
        EXPECT_EQ(steti_spm_trie_build(k.data(), k.size(), &t, nullptr), STET_OK);
    }
    ~Trie()
    {
        steti_spm_trie_free(&t);
    }

    int32_t find(const std::string &s) const
    {
        uint32_t node = steti_spm_trie_walk(&t, 0, s.data(), s.size());
        return node == STETI_SPM_TRIE_NONE ? -1 : t.slots[node].value;
    }
    void check_all() const
    {
        for (const auto &[s, v] : keys) {
            ASSERT_EQ(find(s), v);
            std::string longer = s + "\x01";
            ASSERT_EQ(find(longer), keys.count(longer) != 0 ? keys.at(longer) : -1);
            if (s.size() > 1) {
                std::string shorter = s.substr(0, s.size() - 1);
                ASSERT_EQ(find(shorter), keys.count(shorter) != 0 ? keys.at(shorter) : -1);
            }
        }
    }
};

TEST(SpmTrie, NoKeys)
{
    Trie t({});
    int32_t v = 7;
    EXPECT_EQ(t.t.slots, nullptr);
    EXPECT_EQ(steti_spm_trie_longest(&t.t, "abc", 3, &v), 0u);
}

TEST(SpmTrie, EveryByteIsAnOrdinaryByte)
{
    std::vector<std::string> keys;
    for (int i = 0; i < 256; i++) {
        keys.emplace_back(1, static_cast<char>(i));
        keys.push_back(std::string(1, static_cast<char>(i)) + '\0');
        keys.push_back(std::string("\0x", 2) + static_cast<char>(i));
    }
    Trie t(keys);
    t.check_all();
}

TEST(SpmTrie, ALongKey)
{
    Trie t({std::string(60000, 'a'), "ab"});
    int32_t v = -1;
    t.check_all();
    EXPECT_EQ(steti_spm_trie_longest(&t.t, "abab", 4, &v), 2u);
    EXPECT_EQ(v, t.keys.at("ab"));
    EXPECT_EQ(t.find("a"), -1);
}

TEST(SpmTrie, RandomKeys)
{
    std::mt19937 rng(5);
    for (int round = 0; round < 60; round++) {
        unsigned letters = round % 3 == 0 ? 2 : round % 3 == 1 ? 20 : 256;
        std::vector<std::string> keys(1 + rng() % 800);
        for (std::string &k : keys) {
            for (unsigned n = 1 + rng() % 8; n > 0; n--) {
                k += static_cast<char>(rng() % letters);
            }
        }
        Trie t(keys);
        t.check_all();
        size_t bytes = 0;
        for (const auto &[s, v] : t.keys) {
            bytes += s.size();
        }
        EXPECT_LE(t.t.n_slots, 8 * bytes + 512) << "memory must stay in proportion to the keys";
    }
}

TEST(SpmTrie, LongestFindsTheLongest)
{
    Trie t({"a", "abc", "abcde"});
    int32_t v = -1;
    EXPECT_EQ(steti_spm_trie_longest(&t.t, "abcd", 4, &v), 3u);
    EXPECT_EQ(v, t.keys.at("abc"));
    EXPECT_EQ(steti_spm_trie_longest(&t.t, "abcde", 5, &v), 5u);
    EXPECT_EQ(steti_spm_trie_longest(&t.t, "ab", 2, &v), 1u);
    EXPECT_EQ(steti_spm_trie_longest(&t.t, "b", 1, &v), 0u);
    EXPECT_EQ(steti_spm_trie_longest(&t.t, "a", 0, &v), 0u);
}

} // namespace
