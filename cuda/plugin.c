#include "plugin.h"

#include <stdlib.h>
#include <string.h>

#include "cuda_internal.h"
#include "cuda_peers.h"

static stet_status open_real(const struct steti_backend_options *o, struct steti_backend **out,
                             stet_error *err)
{
    return steti_cuda_open_with(steti_cudart(), o->device_index, &steti_cuda_default_tuning, out,
                                err);
}

static stet_status count_real(int *out, stet_error *err)
{
    int code = steti_cudart()->device_count(out);
    return code == 0 ? STET_OK
                     : steti_fail(err, STET_E_DEVICE, "device cuda: cudaGetDeviceCount: %s",
                                  steti_cudart()->error_text(code));
}

/* STET_NCCL: "never", or "always", to try NCCL where there is one device. */
static stet_status peers_real(struct steti_backend *const *contexts, int n,
                              struct steti_peers **out, struct steti_peers_note *note,
                              stet_error *err)
{
    const char *asked = secure_getenv("STET_NCCL");
    struct steti_cuda_peers_way way = {.is_always = asked != NULL && strcmp(asked, "always") == 0};
    char why[160] = "STET_NCCL is never";
    if ((n > 1 || way.is_always) && (asked == NULL || strcmp(asked, "never") != 0)) {
        way.nccl = steti_nccl_real(why, sizeof why);
    }
    way.why_not = why;
    return steti_cuda_peers_open(&way, contexts, n, out, note, err);
}

static struct steti_backend_ops table;

/* Before any thread of the program can ask for it. */
__attribute__((constructor)) static void fill_table(void)
{
    table = steti_cuda_ops(open_real);
    table.count_devices = count_real;
    steti_cuda_peers_ops(&table, peers_real);
}

const struct steti_backend_ops *steti_backend_plugin(void)
{
    return &table;
}
