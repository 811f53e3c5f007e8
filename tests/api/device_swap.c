#include "device_swap.h"

#include "api_internal.h"
#include "weights.h"

stet_status swap_device(stet_model *m, const char *folder, const struct steti_backend_ops *ops)
{
    struct steti_model_options o = {.ops = ops,
                                    .backend = m->backend,
                                    .compute = STETI_F32,
                                    .max_positions = API_MAX_TOKENS + 1};
    struct steti_weights *weights = NULL;
    struct steti_model *net = NULL;
    struct steti_spec spec;
    stet_status st;
    STETI_TRY(steti_spec_read(folder, &spec, NULL));
    STETI_TRY(steti_weights_open(folder, &weights, NULL));
    st = steti_model_open(&spec, weights, folder, &o, &net, NULL);
    steti_weights_close(weights);
    STETI_TRY(st);
    steti_model_close(m->net);
    m->net = net;
    m->ops = ops;
    return STET_OK;
}
