#include "plugin.h"

#include "cuda_internal.h"

static stet_status open_real(const struct steti_backend_options *o, struct steti_backend **out,
                             stet_error *err)
{
    return steti_cuda_open_with(steti_cudart(), o->device_index, &steti_cuda_default_tuning, out,
                                err);
}

static struct steti_backend_ops table;

/* Before any thread of the program can ask for it. */
__attribute__((constructor)) static void fill_table(void)
{
    table = steti_cuda_ops(open_real);
}

const struct steti_backend_ops *steti_backend_plugin(void)
{
    return &table;
}
