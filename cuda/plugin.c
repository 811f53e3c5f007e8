#include "plugin.h"

#include <stdlib.h>
#include <string.h>

#include "cuda_internal.h"
#include "cuda_sdpa.h"
#include "log.h"

static struct steti_backend_ops table;

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

#ifdef STETI_CUDNN
/* The environment's word about cuDNN, see README.md. */
static stet_status use_cudnn(struct steti_backend *b, stet_error *err)
{
    const char *word = secure_getenv("STET_CUDNN"), *folder = secure_getenv("STET_CACHE_DIR");
    struct steti_cuda_sdpa_options o = {.library = steti_sdpa_cudnn(),
                                        .cache_folder =
                                            folder != NULL && folder[0] != '\0' ? folder : NULL,
                                        .kinds = 1u << STETI_ATTN_ENCODER};
    if (word == NULL || word[0] == '\0' || strcmp(word, "encoder") == 0) {
        return steti_cuda_use_sdpa(b, &o, err);
    }
    if (strcmp(word, "all") == 0) {
        o.kinds |= 1u << STETI_ATTN_CROSS;
        return steti_cuda_use_sdpa(b, &o, err);
    }
    if (strcmp(word, "off") != 0) {
        return steti_fail(err, STET_E_INVALID, "STET_CUDNN=%.40s: expected encoder, all or off",
                          word);
    }
    return STET_OK;
}
#else
/* The build found no headers of cuDNN. */
static stet_status use_cudnn(struct steti_backend *b, stet_error *err)
{
    (void)b;
    (void)err;
    return STET_OK;
}
#endif

static stet_status open_real(const struct steti_backend_options *o, struct steti_backend **out,
                             stet_error *err)
{
    stet_status st;
    STETI_TRY(steti_cuda_open_with(steti_cudart(), o->device_index, &steti_cuda_default_tuning, out,
                                   err));
    st = use_cudnn(*out, err);
    if (st != STET_OK) {
        table.close(*out);
        *out = NULL;
    }
    return st;
}

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
