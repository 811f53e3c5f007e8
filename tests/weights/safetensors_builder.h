// Builds safetensors bytes, right and wrong ones, in memory.
#ifndef STET_TESTS_SAFETENSORS_BUILDER_H
#define STET_TESTS_SAFETENSORS_BUILDER_H

#include <cstdint>
#include <string>

inline std::string Le64(uint64_t n)
{
    std::string s;
    for (int i = 0; i < 8; i++) {
        s.push_back(static_cast<char>(n >> (8 * i) & 0xff));
    }
    return s;
}

// A file of this header and this buffer.
inline std::string File(const std::string &header, const std::string &buffer = "")
{
    return Le64(header.size()) + header + buffer;
}

// One tensor entry, values given as JSON text.
inline std::string Entry(const std::string &name, const std::string &dtype,
                         const std::string &shape, const std::string &offsets)
{
    return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
}

// A file with one U8 tensor that owns the whole buffer.
inline std::string OneTensorFile(const std::string &name, const std::string &buffer)
{
    std::string n = std::to_string(buffer.size());
    return File("{" + Entry(name, "U8", "[" + n + "]", "[0," + n + "]") + "}", buffer);
}

#endif
