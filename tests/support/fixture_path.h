// fixture_path.h - where the small models are.
#pragma once

#include <string>

namespace stet_test
{

inline std::string fixture(const std::string &name)
{
    return std::string(STET_FIXTURES) + "/" + name;
}

} // namespace stet_test
