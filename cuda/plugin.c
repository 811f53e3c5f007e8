#include "plugin.h"

#include <stdlib.h>
#include <string.h>

#include "cuda_internal.h"
#include "cuda_peers.h"
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

/* What the environment says about attention by cuDNN, see README.md; o->library is NULL where there
 * shall be none. */
static stet_status read_environment(struct steti_cuda_sdpa_options *o, stet_error *err)
{
    const char *word = secure_getenv("STET_CUDNN"), *folder = secure_getenv("STET_CACHE_DIR");
    word = word != NULL && word[0] != '\0' ? word : "encoder";
    memset(o, 0, sizeof *o);
    o->cache_folder = folder != NULL && folder[0] != '\0' ? folder : NULL;
    if (strcmp(word, "off") == 0) {
        return STET_OK;
    }
    if (strcmp(word, "encoder") != 0 && strcmp(word, "all") != 0) {
        return steti_fail(err, STET_E_INVALID,
                          "STET_CUDNN is \"%.40s\": set it to encoder, all or off", word);
    }
#ifdef STETI_CUDNN /* the build found its headers */
    o->library = steti_sdpa_cudnn();
#endif
    o->kinds = 1u << STETI_ATTN_ENCODER;
    o->kinds |= strcmp(word, "all") == 0 ? 1u << STETI_ATTN_CROSS : 0;
    return STET_OK;
}

static stet_status open_real(const struct steti_backend_options *o, struct steti_backend **out,
                             stet_error *err)
{
    struct steti_cuda_tuning tuning = steti_cuda_default_tuning;
    struct steti_cuda_sdpa_options sdpa;
    stet_status st;
    *out = NULL;
    STETI_TRY(read_environment(&sdpa, err));
    tuning.blas = steti_blas_cublaslt();
    tuning.cache_folder = sdpa.cache_folder;
    STETI_TRY(steti_cuda_open_with(steti_cudart(), o->device_index, &tuning, out, err));
    st = sdpa.library != NULL ? steti_cuda_use_sdpa(*out, &sdpa, err) : STET_OK;
    if (st != STET_OK) {
        table.close(*out);
        *out = NULL;
    }
    return st;
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

/* Before any thread of the program can ask for it. */
__attribute__((constructor)) static void fill_table(void)
{
    table = steti_cuda_ops(open_real);
    table.set_log = set_log;
    table.count_devices = count_real;
    steti_cuda_peers_ops(&table, peers_real);
}

const struct steti_backend_ops *steti_backend_plugin(void)
{
    return &table;
}
