// config_text.h - config.json of small models as text, and what is read out of it.
#pragma once

#include <cstring>
#include <string>

extern "C" {
#include "spec.h"
}

namespace stet_test
{

// A config.json of the BART kind, with more keys behind the usual ones.
inline std::string bart_config(const std::string &type, int vocab, const std::string &more)
{
    return "{\"model_type\":\"" + type + "\",\"vocab_size\":" + std::to_string(vocab) +
           ",\"d_model\":24,\"encoder_layers\":2,\"decoder_layers\":1,"
           "\"encoder_attention_heads\":3,\"decoder_attention_heads\":2,\"encoder_ffn_dim\":32,"
           "\"decoder_ffn_dim\":16" +
           more + "}";
}

// generation: the text of generation_config.json, or NULL: there is none.
inline stet_status parse_config(const std::string &config, const char *generation, steti_spec *spec,
                                std::string *message)
{
    stet_error err{};
    err.struct_size = sizeof err;
    stet_status st = steti_spec_parse(config.data(), config.size(), generation,
                                      generation != nullptr ? std::strlen(generation) : 0,
                                      "/some/folder", spec, &err);
    *message = err.message;
    return st;
}

} // namespace stet_test
