// Broken and odd model files. Every refusal must have its code and say what is wrong.
#include "spm_builder.h"
#include "tokenizer_support.h"

#include <limits>

namespace
{

using namespace spm;

void expect_refused(const std::string &model, const std::string &part,
                    stet_status want = STET_E_FORMAT)
{
    Tokenizer k(model);
    EXPECT_EQ(k.status, want) << k.err.message;
    EXPECT_NE(std::string(k.err.message).find(part), std::string::npos) << k.err.message;
    EXPECT_NE(std::string(k.err.message).find("test.model"), std::string::npos) << k.err.message;
}

void expect_ids(const std::string &model, const std::string &text, const std::vector<int32_t> &want)
{
    Tokenizer k(model);
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    EXPECT_EQ(k.ids(text), want) << text;
    check_laws(k, text);
}

TEST(SpmModel, TheSmallModelWorks)
{
    expect_ids(small_model(), "ab c", {3, 6, 3, 7});
    expect_ids(small_model(kBpe), "ab c", {3, 6, 3, 7});
}

TEST(SpmModel, CutAtEveryByte)
{
    // Where a field happens to end, the rest may be a smaller model; anything else must be refused.
    std::string model = specials() + piece(kMark, -1) + piece("a", -2) + piece("ab", -4) +
                        trainer(kBpe) +
                        with_charsmap(charsmap(one_rule('x', 0), std::string("a\0", 2))) +
                        self_test("a", kMark + " a");
    ASSERT_EQ(Tokenizer(model).status, STET_OK);
    size_t opened = 0;
    for (size_t n = 0; n < model.size(); n++) {
        std::string head(model.data(), n); // a copy of its own: a sanitizer sees reads past it
        Tokenizer k(head);
        opened += k.status == STET_OK;
        if (k.status != STET_OK) {
            ASSERT_EQ(k.status, STET_E_FORMAT) << n << ": " << k.err.message;
            ASSERT_STRNE(k.err.message, "");
        }
    }
    EXPECT_LE(opened, 6u);
}

TEST(SpmModel, ARealModelCutAnywhere)
{
    for (const char *name : {"uni_rules.model", "bpe_suffix.model"}) {
        std::string model = read_file(fixture(name));
        for (size_t n = 0; n < model.size(); n += n < 3000 || n + 3000 > model.size() ? 7 : 101) {
            std::string head(model.data(), n);
            stet_status st = Tokenizer(head).status;
            ASSERT_TRUE(st == STET_OK || st == STET_E_FORMAT) << n;
        }
    }
}

TEST(SpmModel, ARealModelWithOneByteChanged)
{
    std::string model = read_file(fixture("bpe_identity.model"));
    for (size_t i = 0; i < model.size(); i += 13) {
        for (int x : {0x01, 0x80, 0xFF}) {
            std::string changed = model;
            changed[i] = static_cast<char>(changed[i] ^ x);
            Tokenizer k(changed);
            if (k.status == STET_OK) {
                check_laws(k, "the \xFF cat\xE2\x96\x81");
            } else {
                ASSERT_STRNE(k.err.message, "");
            }
        }
    }
}

TEST(SpmModel, Nothing)
{
    expect_refused("", "no pieces");
    expect_refused(trainer(kUnigram), "no pieces");
}

TEST(SpmModel, WireFormat)
{
    const std::string good = small_model();
    expect_refused(good + std::string(11, '\x80'), "field number");
    expect_refused(good + std::string(10, '\xFF') + "\x01", "field number");
    expect_refused(good + std::string("\x00\x01", 2), "field number");
    expect_refused(good + varint(uint64_t{1} << 35) + "\x01", "field number");
    expect_refused(good + "\x08" + std::string(10, '\xFF') + "\x01", "value");
    expect_refused(good + "\x12\x7F" + "abc", "past the end");
    expect_refused(good + "\x12" + varint(uint64_t{1} << 63), "past the end");
    expect_refused(good + "\x12" + varint(~uint64_t{0}), "past the end");
    expect_refused(good + "\x12" + std::string(11, '\x80'), "length");
    expect_refused(good + "\x0D" + "abc", "value");
    expect_refused(good + "\x09" + "abcdefg", "value");
    for (const char *group : {"\x0B", "\x0C", "\x0E", "\x0F"}) {
        expect_refused(good + group, "wire type");
    }
    expect_refused("this is not a model", "");
    expect_refused(specials() + field(1, std::string("\x0A\x05"
                                                     "ab")),
                   "past the end");
}

TEST(SpmModel, UnknownFieldsAreSkipped)
{
    std::string odd = field(200, std::string("extension")) + field(536870911, uint64_t{1}) +
                      field(99, 1.5f) + varint(77 << 3 | 1) + "12345678";
    expect_ids(odd + small_model() + odd + field(2, odd) + field(3, odd) +
                   field(1, field(1, "z") + odd),
               "ab c", {3, 6, 3, 7});
    // A known number with another wire type is unknown too.
    expect_ids(small_model() + field(1, uint64_t{5}) + field(2, field(3, std::string("x"))), "ab",
               {3, 6});
}

TEST(SpmModel, TheLastScalarCountsAndMessagesMerge)
{
    std::string twice = field(1, field(1, std::string("x")) + field(2, 9.f) +
                                     field(1, std::string("a")) + field(2, -2.f));
    expect_ids(specials() + piece(kMark, -1) + twice + trainer(kUnigram), "a", {3, 4});
    // Trainer and normalizer come in two parts each, the first of them before the pieces.
    expect_ids(field(2, field(3, uint64_t{kWord})) + field(3, field(3, uint64_t{0})) +
                   small_model(kBpe) + field(3, field(5, uint64_t{0})),
               "ab a b", {6, 0, 4, 0, 5});
}

TEST(SpmModel, Pieces)
{
    expect_refused(small_model() + piece(""), "piece 8 is empty");
    expect_refused(small_model() + field(1, std::string()), "piece 8 is empty");
    expect_refused(small_model() + piece("ab"), "pieces 6 and 8");
    expect_refused(small_model() + piece("</s>", 0, kControl), "pieces 2 and 8");
    expect_refused(small_model(kBpe) + piece("</s>"), "pieces 2 and 8");
    expect_refused(piece("a") + trainer(kUnigram), "no piece of type UNKNOWN");
    expect_refused(small_model() + piece("<unk2>", 0, kUnknown), "pieces 0 and 8");
    expect_refused(specials() + trainer(kUnigram), "no piece of type NORMAL");
    expect_refused(specials() + trainer(kBpe), "no piece of type NORMAL");
    expect_refused(small_model() + piece("z", 0, 0), "type 0");
    expect_refused(small_model() + piece("z", 0, 7), "type 7");
    expect_refused(small_model() + piece("z", 0, ~uint64_t{0}), "type -1");
    for (float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
        expect_refused(small_model() + piece("z", bad), "score of piece 8");
    }
    for (float odd :
         {-0.f, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max()}) {
        EXPECT_EQ(Tokenizer(small_model() + piece("z", odd)).status, STET_OK);
    }
}

TEST(SpmModel, APieceMayHaveTheTextOfAControlPieceInAUnigramModel)
{
    Tokenizer k(small_model(kUnigram, piece("</s>", -1)));
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    EXPECT_EQ(k.ids("a</s>"), (std::vector<int32_t>{3, 4, 8}));
    EXPECT_EQ(k.decode({3, 4, 8}), "a</s>");
    EXPECT_EQ(k.decode({3, 4, 2}), "a");
}

TEST(SpmModel, APieceMayHoldANul)
{
    for (uint64_t kind : {kUnigram, kBpe}) {
        std::string nul("a\0b", 3);
        Tokenizer k(small_model(kind, piece(nul, -1) + piece(std::string(1, '\0'), -6) +
                                          piece(nul.substr(0, 2), -7)));
        ASSERT_EQ(k.status, STET_OK) << k.err.message;
        EXPECT_EQ(k.ids(nul), (std::vector<int32_t>{3, 8}));
        EXPECT_EQ(k.ids(std::string("\0c", 2)), (std::vector<int32_t>{3, 9, 7}));
        EXPECT_EQ(k.decode({3, 8}), nul);
    }
}

TEST(SpmModel, APieceMayHoldInvalidUtf8)
{
    Tokenizer k(small_model(kUnigram, piece("\xFF\xFE", -1) + piece("\xE2", -1)));
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    check_laws(k, "a\xFF\xFE\xE2\x96");
    EXPECT_EQ(k.decode({8}), "\xFF\xFE");
}

TEST(SpmModel, LongPieces)
{
    for (size_t n : {size_t{1000}, size_t{65535}}) {
        for (uint64_t kind : {kUnigram, kBpe}) {
            Tokenizer k(small_model(kind, piece(std::string(n, 'b'), -1)));
            ASSERT_EQ(k.status, STET_OK) << k.err.message;
            std::vector<int32_t> ids = k.ids(std::string(n, 'b'));
            EXPECT_EQ(ids.size(),
                      kind == kUnigram ? 2u : n + 1); // no pieces of half the length to merge
        }
    }
    expect_refused(small_model(kUnigram, piece(std::string(65536, 'b'))), "65536 bytes");
    expect_refused(small_model(kUnigram, piece(std::string(4 << 20, 'b'))), "4194304 bytes");
}

TEST(SpmModel, ManyEmptyPieces)
{
    std::string model = specials();
    for (int i = 0; i < 100000; i++) {
        model += std::string("\x0A\x00", 2);
    }
    expect_refused(model, "piece 3 is empty");
}

TEST(SpmModel, BytePieces)
{
    const std::string base = small_model();
    EXPECT_EQ(Tokenizer(base + byte_pieces() + trainer(kUnigram, true)).status, STET_OK);
    expect_refused(base + byte_pieces(), "byte_fallback is off");
    expect_refused(base + byte_pieces(255) + trainer(kUnigram, true), "<0xFF> is missing");
    expect_refused(base + byte_pieces(257) + trainer(kUnigram, true), "<0x00>");
    expect_refused(base + trainer(kUnigram, true), "<0x00> is missing");
    for (const char *bad : {"<0xZZ>", "<0xff>", "<0x0>", "0x00", "<0x000>", "<1x00>", "<0x00]"}) {
        expect_refused(trainer(kUnigram, true) + base + byte_pieces() + piece(bad, 0, kByte),
                       "byte piece 264");
    }
    expect_refused(trainer(kUnigram, true) + base + byte_pieces() +
                       piece(std::string("<0x\0"
                                         "0>",
                                         6),
                             0, kByte),
                   "byte piece 264");
}

TEST(SpmModel, ByteFallback)
{
    Tokenizer k(small_model() + byte_pieces() + trainer(kUnigram, true));
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    EXPECT_EQ(k.ids("a\xC3\xA9"), (std::vector<int32_t>{3, 4, 8 + 0xC3, 8 + 0xA9}));
    EXPECT_EQ(k.decode({3, 4, 8 + 0xC3, 8 + 0xA9}), "a\xC3\xA9");
    EXPECT_EQ(k.decode({8 + 0xC3, 4, 8 + 0xA9}), "\xEF\xBF\xBD"
                                                 "a\xEF\xBF\xBD");
    std::vector<uint32_t> ends;
    k.decode({4, 8 + 0xE4, 8 + 0xB8, 8 + 0xAD, 8 + 0xFF, 4}, &ends);
    EXPECT_EQ(ends, (std::vector<uint32_t>{1, 1, 1, 4, 7, 8}));
    // The last byte piece stands for the source character.
    std::vector<steti_piece> p = k.encode("\xC3\xA9"
                                          "a");
    ASSERT_EQ(p.size(), 4u);
    EXPECT_EQ(p[1].end, 0u);
    EXPECT_EQ(p[2].end, 2u);
}

TEST(SpmModel, UnknownCharactersInARowAreOnePiece)
{
    Tokenizer k(small_model());
    EXPECT_EQ(k.ids("xyza\xFF\xE4\xB8\xAD"), (std::vector<int32_t>{3, 0, 4, 0}));
    EXPECT_EQ(k.decode({3, 0, 4, 1, 2}), " \xE2\x81\x87 a");
    Tokenizer other(small_model(kUnigram, field(2, field(44, std::string("[?]")))));
    EXPECT_EQ(other.decode({0, 4, 0}), "[?]a[?]");
    Tokenizer none(small_model(kUnigram, field(2, field(44, std::string("\0x", 2)))));
    EXPECT_EQ(none.decode({0, 4, 0}), "a");
}

TEST(SpmModel, ControlTextsInTheTextStayText)
{
    for (const char *text : {"</s>", "<s>", "<unk>", "a</s>b", "<0x0A>"}) {
        Tokenizer k(small_model() + byte_pieces() + trainer(kUnigram, true));
        ASSERT_EQ(k.status, STET_OK);
        check_laws(k, text);
        EXPECT_EQ(k.decode(k.ids(text)), text);
        EXPECT_EQ(k.ids(text).size(), strlen(text) + 1);
    }
}

TEST(SpmModel, SpecialIds)
{
    // Other names; a name that is not a control piece; a model without.
    Tokenizer other(specials() + piece("[E]", 0, kControl) + piece("a", -1) +
                    field(2, field(47, std::string("[E]")) + field(46, std::string("a")) +
                                 field(48, std::string(""))));
    ASSERT_EQ(other.status, STET_OK) << other.err.message;
    EXPECT_EQ(steti_tokenizer_eos_id(other.t), 3);
    EXPECT_EQ(steti_tokenizer_bos_id(other.t), -1);
    EXPECT_EQ(steti_tokenizer_pad_id(other.t), -1);
    Tokenizer none(piece("<unk>", 0, kUnknown) + piece("a", -1));
    ASSERT_EQ(none.status, STET_OK);
    EXPECT_EQ(steti_tokenizer_eos_id(none.t), -1);
    EXPECT_EQ(steti_tokenizer_bos_id(none.t), -1);
}

TEST(SpmModel, KindsThatAreNotSupported)
{
    expect_refused(small_model(kWord), "WORD", STET_E_MODEL);
    expect_refused(small_model(kChar), "CHAR", STET_E_MODEL);
    expect_refused(small_model(0), "model_type 0", STET_E_MODEL);
    expect_refused(small_model(5), "model_type 5", STET_E_MODEL);
    expect_refused(small_model(~uint64_t{0}), "model_type -1", STET_E_MODEL);
    expect_refused(small_model() + field(5, field(2, std::string("rules"))), "denormalizer",
                   STET_E_MODEL);
    EXPECT_EQ(Tokenizer(small_model() + field(5, field(3, uint64_t{0}))).status, STET_OK);
}

TEST(SpmModel, UserDefinedPiecesWinAndUnusedOnesAreNotUsed)
{
    std::string model = small_model(kUnigram, piece("abc", -99, kUser));
    expect_ids(model, "abcab", {3, 8, 6});
    expect_ids(small_model(kBpe, piece("abc", -99, kUser)), "abcab", {3, 8, 6});
    std::string unused = specials() + piece(kMark, -1) + piece("a", -2) + piece("b", -3) +
                         piece("ab", 5, kUnused) + piece("abb", 4);
    expect_ids(unused + trainer(kUnigram), "ab", {3, 4, 5});
    expect_ids(unused + trainer(kBpe), "ab", {3, 4, 5}); // merged, then taken apart
    expect_ids(unused + trainer(kBpe), "abb", {3, 7});   // merged through an unused piece
}

TEST(SpmModel, AChainOfUnusedPiecesNeedsNoStack)
{
    std::string model = specials() + piece(kMark, -1) + piece("a", -1), text = "a";
    for (int n = 2; n <= 3000; n++) {
        text += 'a';
        model += piece(text, static_cast<float>(n), kUnused);
    }
    Tokenizer k(model + trainer(kBpe));
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    std::vector<int32_t> want(3001, 4);
    want[0] = 3;
    EXPECT_EQ(k.ids(text), want);
}

TEST(SpmModel, AllMixesOfWhitespaceOptions)
{
    const std::string texts[] = {"",   " ",        "   ",  "a",   " a",
                                 "a ", "  a  b  ", "\t a", kMark, kMark + " a " + kMark};
    for (int mix = 0; mix < 16; mix++) {
        bool dummy = mix & 1, extra = mix & 2, escape = mix & 4, suffix = mix & 8;
        Tokenizer k(small_model() + piece(" ", -3) + normalizer(dummy, extra, escape) +
                    field(2, field(24, uint64_t{suffix})));
        ASSERT_EQ(k.status, STET_OK);
        int32_t space = escape ? 3 : 8;
        std::vector<int32_t> want;
        if (dummy && !suffix) {
            want.push_back(space);
        }
        want.push_back(4);
        want.push_back(space);
        if (!extra) {
            want.push_back(space);
        }
        want.push_back(5);
        if (dummy && suffix) {
            want.push_back(space);
        }
        EXPECT_EQ(k.ids("a  b"), want) << mix;
        EXPECT_EQ(k.ids("").size(), 0u);
        EXPECT_EQ(k.ids("  ").size(), extra ? 0u : dummy ? 3u : 2u) << mix;
        for (const std::string &text : texts) {
            SCOPED_TRACE(mix);
            check_laws(k, text);
        }
    }
}

TEST(SpmModel, NormalizationRules)
{
    std::string rules = with_charsmap(charsmap(one_rule('x', 2), std::string("q\0ab\0", 5)));
    expect_ids(small_model(kUnigram, rules), "xc", {3, 6, 7});
    Tokenizer k(small_model(kUnigram, rules));
    std::vector<steti_piece> p = k.encode("xc");
    ASSERT_EQ(p.size(), 3u);
    EXPECT_EQ(p[1].begin, 0u);
    EXPECT_EQ(p[1].end, 1u);
    // A rule that writes nothing, and one that writes a space.
    expect_ids(
        small_model(kUnigram, with_charsmap(charsmap(one_rule('x', 0), std::string("\0", 1)))),
        "axbx", {3, 6});
    expect_ids(
        small_model(kUnigram, with_charsmap(charsmap(one_rule('x', 0), std::string(" \0", 2)))),
        "xaxxb", {3, 4, 3, 5});
}

TEST(SpmModel, BrokenNormalizationRules)
{
    auto refuse = [](const std::string &blob, const std::string &part) {
        expect_refused(small_model(kUnigram, with_charsmap(blob)), part);
    };
    for (size_t n = 1; n < 4; n++) {
        refuse(std::string(n, '\0'), "only");
    }
    refuse(le32(0), "0 bytes of tree");
    refuse(le32(4), "4 bytes of tree");
    refuse(le32(0xFFFFFFFF) + std::string(64, '\0'), "bytes of tree");
    refuse(le32(0x80000000) + std::string(64, '\0'), "bytes of tree");
    refuse(le32(6) + std::string(6, '\0'), "6 bytes of tree");
    EXPECT_EQ(Tokenizer(small_model(kUnigram, with_charsmap(""))).status, STET_OK);

    std::vector<uint32_t> units = one_rule('x', 0);
    refuse(charsmap(units, "no nul"), "NUL");
    refuse(charsmap(units, ""), "outside the texts");
    refuse(charsmap(one_rule('x', 2), std::string("a\0", 2)), "outside the texts");
    refuse(charsmap(one_rule('x', 0x7FFFFFFF), std::string("a\0", 2)), "outside the texts");
    refuse(charsmap(units, std::string(513, 'a') + '\0'), "513 bytes");
    EXPECT_EQ(Tokenizer(small_model(kUnigram,
                                    with_charsmap(charsmap(units, std::string(512, 'a') + '\0'))))
                  .status,
              STET_OK);
    units[0] = 512u << 10; // children outside the array
    refuse(charsmap(units, std::string("a\0", 2)), "unit 0 points outside the array");
    units[0] = 0xFFFFFu << 10 | 0x200u;
    refuse(charsmap(units, std::string("a\0", 2)), "unit 0 points outside the array");
}

TEST(SpmModel, ACycleInTheRulesEnds)
{
    // The child by 'x' is its own child by 'x', for ever, and has a value each time.
    std::vector<uint32_t> units(256, 0);
    units['x'] =
        static_cast<uint32_t>('x') << 10 | 0x100u | 'x'; // 'x' ^ 'x' = 0: back at the start
    units[0] = 0x80000000u;                              // the value; as a root, offset 0
    Tokenizer k(small_model(kUnigram, with_charsmap(charsmap(units, std::string("a\0", 2)))));
    ASSERT_EQ(k.status, STET_OK) << k.err.message;
    std::string text(1 << 20, 'x');
    check_laws(k, text);
    EXPECT_LE(k.ids(text).size(), text.size() / 256 + 2);
}

TEST(SpmModel, SelfTestSamples)
{
    EXPECT_EQ(
        Tokenizer(small_model(kUnigram, self_test("ab c", kMark + " ab " + kMark + " c"))).status,
        STET_OK);
    EXPECT_EQ(Tokenizer(small_model(kBpe, self_test("ab c", kMark + " ab " + kMark + " c"))).status,
              STET_OK);
    EXPECT_EQ(Tokenizer(small_model(kUnigram, self_test("", ""))).status, STET_OK);
    EXPECT_EQ(Tokenizer(small_model(kUnigram, self_test("xya", kMark + " xy a"))).status, STET_OK);
    std::string bytes = small_model() + byte_pieces() + trainer(kUnigram, true);
    EXPECT_EQ(Tokenizer(bytes + self_test("\xC3\xA9"
                                          "a",
                                          kMark + " <0xC3> <0xA9> a"))
                  .status,
              STET_OK);
    EXPECT_EQ(Tokenizer(bytes + self_test("a\xC3\xA9", kMark + " a <0xC3> <0xA9>")).status,
              STET_OK);

    std::string good = self_test("ab", kMark + " ab");
    for (const std::string &bad :
         {self_test("ab", kMark + " a b"), self_test("ab", kMark + " ab "), self_test("ab", ""),
          self_test("", "a"), self_test("ab", kMark), self_test("ab", " " + kMark + " ab"),
          self_test("ab", "<0x41>")}) {
        expect_refused(small_model(kUnigram, good + bad), "sample 1");
        expect_refused(small_model(kBpe, good + bad), "sample 1");
    }
    // Equal scores are equally right for a unigram model, not for BPE.
    std::string tie =
        specials() + piece(kMark, -1) + piece("a", -2) + piece("b", -2) + piece("ab", -4);
    EXPECT_EQ(Tokenizer(tie + trainer(kUnigram) + self_test("ab", kMark + " a b")).status, STET_OK);
    EXPECT_EQ(Tokenizer(tie + trainer(kUnigram) + self_test("ab", kMark + " ab")).status, STET_OK);
    expect_refused(tie + trainer(kBpe) + self_test("ab", kMark + " a b"), "sample 0");
}

TEST(SpmModel, MessagesShowNoControlCharacters)
{
    Tokenizer k(small_model(kUnigram, piece("\x1b[2Jz\n") + piece("\x1b[2Jz\n")));
    ASSERT_EQ(k.status, STET_E_FORMAT);
    for (const char *c = k.err.message; *c != '\0'; c++) {
        EXPECT_GE(static_cast<unsigned char>(*c), 0x20u);
    }
}

TEST(SpmModel, MemoryStaysInProportionToTheFile)
{
    for (const char *name : {"uni_rules.model", "bpe_identity.model"}) {
        std::string model = read_file(fixture(name));
        steti_alloc_stats before, after;
        steti_alloc_get_stats(&before);
        Tokenizer k(model);
        steti_alloc_get_stats(&after);
        EXPECT_LE(after.live_bytes - before.live_bytes, 12 * model.size() + 16384) << name;
    }
}

} // namespace
