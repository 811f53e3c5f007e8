#include "plugin.h"

#include <stdlib.h>

#include "cuda_internal.h"
#include "log.h"

static stet_status open_real(const struct steti_backend_options *o, struct steti_backend **out,
                             stet_error *err)
{
    struct steti_cuda_tuning tuning = steti_cuda_default_tuning;
    tuning.blas = steti_blas_cublaslt();
    tuning.cache_folder = secure_getenv("STET_CACHE_DIR");
    return steti_cuda_open_with(steti_cudart(), o->device_index, &tuning, out, err);
}

/* The plug-in has its own copy of host/base. Only the first call counts: contexts that were opened
 * after it may be writing lines. */
static void set_log(steti_log_fn fn, void *ctx, uint32_t level)
{
    static int is_set;
    if (!is_set) {
        steti_log_set_hook(fn, ctx, level);
        is_set = 1;
    }
}

static struct steti_backend_ops table;

/* Before any thread of the program can ask for it. */
__attribute__((constructor)) static void fill_table(void)
{
    table = steti_cuda_ops(open_real);
    table.set_log = set_log;
}

const struct steti_backend_ops *steti_backend_plugin(void)
{
    return &table;
}
