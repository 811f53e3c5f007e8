#include "backends.h"

#include <dlfcn.h>
#include <string.h>

#include "cpu_backend.h"
#include "log.h"

/* The CUDA backend is a plug-in, so that a host without the toolkit needs no CUDA library. */
#define CUDA_PLUGIN "libstet_cuda.so"
#define CUDA_ENTRY "steti_cuda_backend"

static stet_status open_plugin(const struct steti_backend_ops **out, stet_error *err)
{
    typedef const struct steti_backend_ops *(*entry_fn)(void);
    void *lib = dlopen(CUDA_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    void *symbol = lib != NULL ? dlsym(lib, CUDA_ENTRY) : NULL;
    entry_fn entry;
    if (symbol == NULL) {
        const char *why = dlerror();
        if (lib != NULL) {
            dlclose(lib);
        }
        return steti_fail(err, STET_E_DEVICE, "device cuda: the plug-in cannot be used: %s",
                          why != NULL ? why : CUDA_PLUGIN);
    }
    memcpy(&entry, &symbol, sizeof entry);
    *out = entry();
    if (*out == NULL || (*out)->api_version != STETI_BACKEND_API) {
        dlclose(lib);
        return steti_fail(err, STET_E_DEVICE,
                          "device cuda: %s was built for another version of stet", CUDA_PLUGIN);
    }
    /* The plug-in stays loaded: its functions are in use until the process ends. */
    return STET_OK;
}

stet_status steti_backend_select(const char *device, const struct steti_backend_ops **out,
                                 stet_error *err)
{
    if (strcmp(device, "cpu") == 0) {
        *out = steti_cpu_backend();
        return STET_OK;
    }
    if (strcmp(device, "cuda") == 0) {
        return open_plugin(out, err);
    }
    if (open_plugin(out, NULL) != STET_OK) {
        steti_log(STET_LOG_INFO, "api", "device auto: no CUDA plug-in, using the processor");
        *out = steti_cpu_backend();
    }
    return STET_OK;
}
