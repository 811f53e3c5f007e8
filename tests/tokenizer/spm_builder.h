// Builds SentencePiece files field by field, for tests that need a broken or an odd one.
#ifndef SPM_BUILDER_H
#define SPM_BUILDER_H

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace spm
{

enum Type { kNormal = 1, kUnknown = 2, kControl = 3, kUser = 4, kUnused = 5, kByte = 6 };
enum Kind { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };

inline const std::string kMark = "\xE2\x96\x81";

inline std::string varint(uint64_t v)
{
    std::string out;
    for (; v > 127; v >>= 7) {
        out += static_cast<char>(v | 128);
    }
    return out + static_cast<char>(v);
}

inline std::string field(uint64_t number, uint64_t value)
{
    return varint(number << 3) + varint(value);
}

inline std::string field(uint64_t number, const std::string &bytes)
{
    return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}

inline std::string le32(uint32_t v)
{
    std::string out;
    for (int i = 0; i < 4; i++) {
        out += static_cast<char>(v >> (8 * i));
    }
    return out;
}

inline std::string field(uint64_t number, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return varint(number << 3 | 5) + le32(bits);
}

inline std::string piece(const std::string &text, float score = 0, uint64_t type = kNormal)
{
    return field(1, field(1, text) + field(2, score) + (type == kNormal ? "" : field(3, type)));
}

// <unk>, <s>, </s> as ids 0, 1, 2.
inline std::string specials()
{
    return piece("<unk>", 0, kUnknown) + piece("<s>", 0, kControl) + piece("</s>", 0, kControl);
}

inline std::string trainer(uint64_t kind, bool byte_fallback = false)
{
    return field(2, field(3, kind) + (byte_fallback ? field(35, uint64_t{1}) : ""));
}

inline std::string byte_pieces(int count = 256)
{
    std::string out;
    for (int i = 0; i < count; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(i) & 0xFFu);
        out += piece(name, 0, kByte);
    }
    return out;
}

inline std::string normalizer(bool dummy, bool extra, bool escape)
{
    return field(3, field(3, uint64_t{dummy}) + field(4, uint64_t{extra}) +
                        field(5, uint64_t{escape}));
}

inline std::string charsmap(const std::vector<uint32_t> &units, const std::string &texts)
{
    std::string blob = le32(static_cast<uint32_t>(units.size() * 4));
    for (uint32_t unit : units) {
        blob += le32(unit);
    }
    return blob + texts;
}

inline std::string with_charsmap(const std::string &blob)
{
    return field(3, field(2, blob));
}

// One rule, one byte long: `from` becomes the text at offset `value`. 512 units: the root's
// children are in the second half.
inline std::vector<uint32_t> one_rule(unsigned char from, uint32_t value)
{
    std::vector<uint32_t> units(512, 0);
    uint32_t node = 256u ^ from;
    units[0] = 256u << 10;
    units[node] = 1u << 10 | 0x100u | from; // its value hangs one slot away
    units[node ^ 1u] = 0x80000000u | value;
    return units;
}

inline std::string self_test(const std::string &input, const std::string &expected)
{
    return field(4, field(1, field(1, input) + field(2, expected)));
}

// ids 3 ..: mark, a, b, ab, c
inline std::string small_model(uint64_t kind = kUnigram, const std::string &extra = "")
{
    return specials() + piece(kMark, -1) + piece("a", -2) + piece("b", -3) + piece("ab", -4) +
           piece("c", -5) + trainer(kind) + extra;
}

} // namespace spm

#endif
