#include "backends.h"

#include <string.h>

#include "cpu_backend.h"
#include "log.h"
#include "plugin_load.h"

static const char *const names[] = {"cpu", "cuda", NULL};

const char *const *steti_device_names(void)
{
    return names;
}

static stet_status open_one(const char *name, const struct steti_backend_options *o,
                            struct steti_device *out, stet_error *err)
{
    struct steti_device d = {.name = name, .ops = steti_cpu_backend()};
    if (strcmp(name, "cpu") != 0) {
        STETI_TRY(steti_plugin_load(name, &d.ops, err));
    }
    STETI_TRY(d.ops->open(o, &d.backend, err));
    *out = d;
    return STET_OK;
}

static const char *known_name(const char *name)
{
    const char *const *known = names;
    while (known[1] != NULL && strcmp(*known, name) != 0) {
        known++;
    }
    return *known;
}

stet_status steti_device_open(const char *name, const struct steti_backend_options *o,
                              struct steti_device *out, stet_error *err)
{
    stet_error why = {.struct_size = sizeof why};
    stet_status st;
    memset(out, 0, sizeof *out);
    if (strcmp(name, "auto") != 0) {
        return open_one(known_name(name), o, out, err);
    }
    st = open_one("cuda", o, out, &why);
    if (st == STET_E_DEVICE) {
        steti_log(STET_LOG_WARN, "device", "auto takes the processor: %s", why.message);
        return open_one("cpu", o, out, err);
    }
    return st != STET_OK ? steti_fail(err, st, "%s", why.message) : STET_OK;
}
