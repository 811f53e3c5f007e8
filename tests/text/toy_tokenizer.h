// A tokenizer of a few dozen pieces that implements tokenizer.h for the tests of host/text.
//
// It normalises as the real ones do: white space becomes one word-boundary mark, full-width letters
// become ASCII, a few characters become several, and what it does not know becomes <unk>.
#ifndef STET_TESTS_TOY_TOKENIZER_H
#define STET_TESTS_TOY_TOKENIZER_H

#include <cstdint>
#include <string>
#include <vector>

extern "C" {
#include "tokenizer.h"
}

namespace toy
{

constexpr int32_t kUnk = 0;

// The handle that the functions of tokenizer.h take; there is one toy.
const steti_tokenizer *Tokenizer();
int32_t VocabSize();
// Id of a piece, written with '_' for the mark; fails the test when there is none.
int32_t Id(const std::string &piece);
std::vector<int32_t> Ids(const std::string &pieces); // separated by spaces
std::vector<steti_piece> Encode(const std::string &text);
std::string Decode(const std::vector<int32_t> &ids);
// What is left of a text for the model.
std::string Normalize(const std::string &text);

} // namespace toy

#endif
