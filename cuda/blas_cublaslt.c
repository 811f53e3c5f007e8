/* blas_cublaslt.c - cuBLASLt behind blas.h. It is opened while the program runs: the plug-in must
 * work on machines that have the CUDA runtime and no more. */
#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "blas.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

/* The functions used. Those called _internal are what the header's own inline functions call to
 * fill a descriptor in place. */
#define FUNCTIONS(XX)                                                                              \
    XX(cublasLtCreate)                                                                             \
    XX(cublasLtDestroy)                                                                            \
    XX(cublasLtGetVersion)                                                                         \
    XX(cublasLtMatmul)                                                                             \
    XX(cublasLtMatmulAlgoConfigGetAttribute)                                                       \
    XX(cublasLtMatmulAlgoGetHeuristic)                                                             \
    XX(cublasLtMatmulDescInit_internal)                                                            \
    XX(cublasLtMatmulDescSetAttribute)                                                             \
    XX(cublasLtMatmulPreferenceInit_internal)                                                      \
    XX(cublasLtMatmulPreferenceSetAttribute)                                                       \
    XX(cublasLtMatrixLayoutInit_internal)

struct lib {
    cublasLtHandle_t handle;
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

_Static_assert(sizeof(struct steti_blas_algo) == sizeof(cublasLtMatmulAlgo_t),
               "an algorithm is kept as these words");

/* The library has a function for these texts; this one works before it is open. */
static const char *error_text(int code)
{
    switch ((cublasStatus_t)code) {
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED: no device that it can use";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED: too little memory";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
        return "CUBLAS_STATUS_ARCH_MISMATCH: not for this device";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
        return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
        return "an error of cuBLASLt";
    }
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* Everything is column-major there: our c is its d = w^T a, with the rows as columns. */
struct described {
    cublasLtMatmulDescOpaque_t op;
    cublasLtMatrixLayoutOpaque_t w, a, c;
};

static int layout(const struct lib *l, cublasLtMatrixLayoutOpaque_t *out, cudaDataType_t type,
                  int32_t rows, int32_t columns, int64_t ld)
{
    return (int)l->cublasLtMatrixLayoutInit_internal(out, sizeof *out, type, (uint64_t)rows,
                                                     (uint64_t)columns, ld);
}

static int describe(const struct lib *l, const struct steti_blas_product *p, struct described *d)
{
    static const struct {
        cublasComputeType_t compute;
        cudaDataType_t scale, in, out;
    } types[] = {
        [STETI_CUDA_F32] = {CUBLAS_COMPUTE_32F_PEDANTIC, CUDA_R_32F, CUDA_R_32F, CUDA_R_32F},
        [STETI_CUDA_I8] = {CUBLAS_COMPUTE_32I, CUDA_R_32I, CUDA_R_8I, CUDA_R_32I},
        [STETI_CUDA_BF16] = {CUBLAS_COMPUTE_32F, CUDA_R_32F, CUDA_R_16BF, CUDA_R_32F},
    };
    const cublasOperation_t turned = CUBLAS_OP_T;
    cudaDataType_t in = types[p->type].in;
    int code = (int)l->cublasLtMatmulDescInit_internal(&d->op, sizeof d->op, types[p->type].compute,
                                                       types[p->type].scale);
    code = code != 0 ? code
                     : (int)l->cublasLtMatmulDescSetAttribute(&d->op, CUBLASLT_MATMUL_DESC_TRANSA,
                                                              &turned, sizeof turned);
    code = code != 0 ? code : layout(l, &d->w, in, p->n_in, p->n_out, p->ld_w);
    code = code != 0 ? code : layout(l, &d->a, in, p->n_in, p->n_rows, p->ld_a);
    return code != 0 ? code : layout(l, &d->c, types[p->type].out, p->n_out, p->n_rows, p->ld_c);
}

/* No memory of its own, no sums in parts; what blas.h says about alignment. */
static int prefer(const struct lib *l, cublasLtMatmulPreferenceOpaque_t *out)
{
    static const cublasLtMatmulPreferenceAttributes_t aligned[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const uint64_t workspace = 0;
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE, bytes = 16;
    int code = (int)l->cublasLtMatmulPreferenceInit_internal(out, sizeof *out);
    code = code != 0
               ? code
               : (int)l->cublasLtMatmulPreferenceSetAttribute(
                     out, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    code = code != 0
               ? code
               : (int)l->cublasLtMatmulPreferenceSetAttribute(
                     out, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes);
    for (size_t i = 0; code == 0 && i < sizeof aligned / sizeof *aligned; i++) {
        code = (int)l->cublasLtMatmulPreferenceSetAttribute(out, aligned[i], &bytes, sizeof bytes);
    }
    return code;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Beside the CUDA runtime that this plug-in uses. */
static void *open_beside_runtime(const char *name)
{
    char path[PATH_MAX];
    const void *address = __extension__(const void *) cudaGetDevice;
    Dl_info info;
    const char *slash =
        dladdr(address, &info) != 0 && info.dli_fname != NULL ? strrchr(info.dli_fname, '/') : NULL;
    int n = slash == NULL ? -1
                          : snprintf(path, sizeof path, "%.*s/%s", (int)(slash - info.dli_fname),
                                     info.dli_fname, name);
    return n > 0 && n < (int)sizeof path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

/* The version that this was compiled for comes first. What the process has loaded already, or the
 * system's loader finds, comes before the runtime's folder. */
static void *open_library(void)
{
    static const char *const names[] = {"libcublasLt.so." TEXT(CUBLAS_VER_MAJOR), "libcublasLt.so",
                                        "libcublasLt.so.13", "libcublasLt.so.12"};
    void *found = NULL;
    for (size_t i = 0; found == NULL && i < sizeof names / sizeof *names; i++) {
        found = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        found = found != NULL ? found : open_beside_runtime(names[i]);
    }
    return found;
}

/* The name of a function that is missing, or NULL. */
static const char *find_functions(void *from, struct lib *l)
{
    void *symbol;
#define FIND(name)                                                                                 \
    symbol = dlsym(from, #name);                                                                   \
    if (symbol == NULL) {                                                                          \
        return #name;                                                                              \
    }                                                                                              \
    memcpy(&l->name, &symbol, sizeof symbol); /* ISO C has no cast from data to functions */
    FUNCTIONS(FIND)
#undef FIND
    return NULL;
}

/* A library of another version may not know what is asked of it: better seen here. */
static stet_status try_descriptors(const struct lib *l, stet_error *err)
{
    cublasLtMatmulPreferenceOpaque_t preference;
    struct described d;
    int code = prefer(l, &preference);
    for (int32_t type = STETI_CUDA_F32; code == 0 && type <= STETI_CUDA_BF16; type++) {
        struct steti_blas_product p = {.type = type, .n_rows = 65, .n_out = 64, .n_in = 64};
        p.ld_a = p.ld_w = p.ld_c = 64;
        code = describe(l, &p, &d);
    }
    return code == 0 ? STET_OK
                     : steti_fail(err, STET_E_DEVICE, "cuBLASLt %zu refuses a descriptor: %s",
                                  l->cublasLtGetVersion(), error_text(code));
}

static stet_status fill(struct lib *l, stet_error *err)
{
    void *from = open_library();
    const char *missing;
    int code;
    if (from == NULL) {
        const char *why = dlerror();
        return steti_fail(err, STET_E_DEVICE, "there is no cuBLASLt: %.200s",
                          why != NULL ? why : "the system's loader does not find it");
    }
    missing = find_functions(from, l);
    if (missing != NULL) {
        dlclose(from);
        return steti_fail(err, STET_E_DEVICE, "this cuBLASLt has no function %s", missing);
    }
    /* From here on it stays loaded: what it registers with the driver has no way back. */
    STETI_TRY(try_descriptors(l, err));
    code = (int)l->cublasLtCreate(&l->handle);
    return code == 0 ? STET_OK
                     : steti_fail(err, STET_E_DEVICE, "cublasLtCreate: %s", error_text(code));
}

static stet_status open_cublaslt(void **handle, stet_error *err)
{
    struct lib *l = steti_calloc(1, sizeof *l);
    stet_status st;
    *handle = NULL;
    if (l == NULL) {
        return steti_fail_nomem(err, "the functions of cuBLASLt", sizeof *l);
    }
    st = fill(l, err);
    if (st != STET_OK) {
        steti_free(l);
        return st;
    }
    *handle = l;
    return STET_OK;
}

static void close_cublaslt(void *handle)
{
    struct lib *l = handle;
    if (l != NULL) {
        l->cublasLtDestroy(l->handle);
        steti_free(l);
    }
}

static size_t version(void *handle)
{
    return ((struct lib *)handle)->cublasLtGetVersion();
}

/* ---- Products -------------------------------------------------------------------------------- */

/* The preference keeps other ones away; this looks at what came. */
static int sums_in_parts(const struct lib *l, const cublasLtMatmulAlgo_t *algo)
{
    int32_t parts = 0;
    uint32_t scheme = 0;
    size_t n;
    return l->cublasLtMatmulAlgoConfigGetAttribute(algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts,
                                                   sizeof parts, &n) != CUBLAS_STATUS_SUCCESS ||
           l->cublasLtMatmulAlgoConfigGetAttribute(algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
                                                   &scheme, sizeof scheme,
                                                   &n) != CUBLAS_STATUS_SUCCESS ||
           parts > 1 || scheme != CUBLASLT_REDUCTION_SCHEME_NONE;
}

static int candidates(void *handle, const struct steti_blas_product *p, int most,
                      struct steti_blas_algo *out, int *n)
{
    cublasLtMatmulHeuristicResult_t found[16];
    cublasLtMatmulPreferenceOpaque_t preference;
    struct lib *l = handle;
    struct described d;
    int n_found = 0, code = describe(l, p, &d);
    *n = 0;
    memset(found, 0, sizeof found);
    code = code != 0 ? code : prefer(l, &preference);
    code = code != 0
               ? code
               : (int)l->cublasLtMatmulAlgoGetHeuristic(l->handle, &d.op, &d.w, &d.a, &d.c, &d.c,
                                                        &preference, most < 16 ? most : 16, found,
                                                        &n_found);
    for (int i = 0; code == 0 && i < n_found; i++) {
        if (found[i].state == CUBLAS_STATUS_SUCCESS && found[i].workspaceSize == 0 &&
            !sums_in_parts(l, &found[i].algo)) {
            memcpy(&out[(*n)++], &found[i].algo, sizeof *out);
        }
    }
    return code == CUBLAS_STATUS_NOT_SUPPORTED ? 0 : code; /* it has nothing for this shape */
}

static int run(void *handle, const struct steti_blas_product *p, const struct steti_blas_algo *algo,
               void *stream)
{
    static const float f[] = {0.0f, 1.0f};
    static const int32_t i[] = {0, 1};
    int is_i8 = p->type == STETI_CUDA_I8, add = p->add != 0;
    const void *alpha = is_i8 ? (const void *)&i[1] : (const void *)&f[1];
    const void *beta = is_i8 ? (const void *)&i[add] : (const void *)&f[add];
    cublasLtMatmulAlgo_t as;
    struct lib *l = handle;
    struct described d;
    int code = describe(l, p, &d);
    memcpy(&as, algo, sizeof as);
    return code != 0 ? code
                     : (int)l->cublasLtMatmul(l->handle, &d.op, alpha, p->w, &d.w, p->a, &d.a, beta,
                                              p->c, &d.c, p->c, &d.c, &as, NULL, 0, stream);
}

const struct steti_blas *steti_blas_cublaslt(void)
{
    static const struct steti_blas table = {
        .name = "cuBLASLt",
        .error_text = error_text,
        .open = open_cublaslt,
        .close = close_cublaslt,
        .version = version,
        .candidates = candidates,
        .run = run,
    };
    return &table;
}
