// scale.h - STET_TEST_SCALE=10 makes the random tests ten times longer.
#pragma once

#include <cstdlib>

namespace stet_test
{

inline int scale()
{
    const char *text = std::getenv("STET_TEST_SCALE");
    int n = text != nullptr ? static_cast<int>(std::strtol(text, nullptr, 10)) : 1;
    return n > 0 ? n : 1;
}

} // namespace stet_test
