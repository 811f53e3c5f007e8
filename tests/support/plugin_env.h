// plugin_env.h - the environment variable that says where a plug-in is, set as long as this lives.
#pragma once

#include <cstdlib>
#include <string>

namespace stet_test
{

// The library, or with `as_folder` the folder, of a stub of tests/plugins.
inline std::string stub_path(const std::string &name, bool as_folder = false)
{
    return std::string(STET_STUBS) + "/" + name + (as_folder ? "" : "/libstet_cuda.so");
}

class PluginPath
{
  public:
    explicit PluginPath(const std::string &path)
    {
        setenv("STET_PLUGIN_PATH", path.c_str(), 1);
    }
    ~PluginPath()
    {
        unsetenv("STET_PLUGIN_PATH");
    }
    PluginPath(const PluginPath &) = delete;
    PluginPath &operator=(const PluginPath &) = delete;
};

} // namespace stet_test
