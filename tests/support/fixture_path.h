// fixture_path.h - where the small models are: in the tree that the test was built from, or where
// the environment variable STET_FIXTURES says, for tests that run on another machine.
#pragma once

#include <cstdlib>
#include <string>

namespace stet_test
{

inline std::string fixture(const std::string &name)
{
    const char *elsewhere = std::getenv("STET_FIXTURES");
    return std::string(elsewhere != nullptr ? elsewhere : STET_FIXTURES) + "/" + name;
}

} // namespace stet_test
