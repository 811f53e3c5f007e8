/* stub_plugin.c - the processor's backend as the plug-in of a device, whole or broken as the macros
 * say. It has a copy of its own of everything below it, as every plug-in does. */
#include <stdatomic.h>
#include <stdio.h>

#include "cpu_backend.h"
#include "log.h"
#include "plugin_load.h"

#ifndef STUB_API
#define STUB_API STETI_BACKEND_API
#endif
#ifndef STUB_OPEN_STATUS
#define STUB_OPEN_STATUS STET_OK
#endif
#ifndef STUB_LOST_AT
#define STUB_LOST_AT 0 /* from this call of argmax on all fail; 0: none does */
#endif
#ifndef STUB_LOST_INDEX
#define STUB_LOST_INDEX -1 /* only those of this device; -1: of all */
#endif
#ifndef STUB_COUNT
#define STUB_COUNT 1 /* devices */
#endif

__attribute__((visibility("default"))) const struct steti_backend_ops *steti_backend_plugin(void);

static struct steti_backend_ops table;
static _Atomic int last_index, argmax_calls;
static struct steti_backend *_Atomic lost; /* the context of STUB_LOST_INDEX that was opened last */

/* Follows the host's hook from test to test, but writes nothing where it is the same: other threads
 * may be writing lines. */
static void set_log(steti_log_fn fn, void *ctx, uint32_t level)
{
    static steti_log_fn last_fn;
    static void *last_ctx;
    static uint32_t last_level;
    if (fn != last_fn || ctx != last_ctx || level != last_level) {
        steti_log_set_hook(fn, ctx, level);
        last_fn = fn;
        last_ctx = ctx;
        last_level = level;
    }
}

static stet_status stub_open(const struct steti_backend_options *o, struct steti_backend **out,
                             stet_error *err)
{
    *out = NULL;
    if (STUB_OPEN_STATUS != STET_OK) {
        return steti_fail(err, STUB_OPEN_STATUS, "device cuda:%d: stub: nothing is plugged in",
                          o->device_index);
    }
    atomic_store(&last_index, o->device_index);
    steti_log(STET_LOG_INFO, "stub", "opened number %d", o->device_index);
    STETI_TRY(steti_cpu_backend()->open(o, out, err));
    if (o->device_index == STUB_LOST_INDEX) {
        atomic_store(&lost, *out);
    }
    return STET_OK;
}

static void stub_caps(const struct steti_backend *b, struct steti_backend_caps *out)
{
    steti_cpu_backend()->caps(b, out);
    snprintf(out->name, sizeof out->name, "stub %d", atomic_load(&last_index));
}

static stet_status stub_argmax(struct steti_backend *b, const struct steti_argmax_params *p,
                               stet_error *err)
{
    int can_be_lost = STUB_LOST_AT > 0 && (STUB_LOST_INDEX < 0 || b == atomic_load(&lost));
    if (can_be_lost && atomic_fetch_add(&argmax_calls, 1) + 1 >= STUB_LOST_AT) {
        return steti_fail(err, STET_E_DEVICE, "device cuda:%d: stub: the plug was pulled",
                          STUB_LOST_INDEX < 0 ? atomic_load(&last_index) : STUB_LOST_INDEX);
    }
    return steti_cpu_backend()->argmax(b, p, err);
}

static stet_status stub_count(int *out, stet_error *err)
{
    (void)err;
    *out = STUB_COUNT;
    return STET_OK;
}

__attribute__((constructor)) static void fill_table(void)
{
    table = *steti_cpu_backend();
    table.api_version = STUB_API;
    table.open = stub_open;
    table.caps = stub_caps;
    table.argmax = stub_argmax;
    table.set_log = set_log;
    table.count_devices = stub_count;
}

const struct steti_backend_ops *steti_backend_plugin(void)
{
    return &table;
}
