/* Matrix products of 8192 by 8192 by cuBLASLt: bfloat16 with float32 sums, and int8. The library is
 * looked for when it is needed, so that gpu_ceilings runs where it is not. */
#include "ceilings.h"

#include <cublasLt.h>
#include <dlfcn.h>
#include <stdio.h>

#define SIZE 8192

struct library {
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtMatmulDescCreate) desc_create;
    decltype(&cublasLtMatmulDescSetAttribute) desc_set;
    decltype(&cublasLtMatrixLayoutCreate) layout_create;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
    decltype(&cublasLtMatmul) matmul;
};

static int find(void *handle, const char *name, void **out)
{
    *out = dlsym(handle, name);
    if (*out == NULL) {
        note_failure(name, -1);
    }
    return *out == NULL ? -1 : 0;
}

static int load(struct library *l)
{
    void *handle = NULL;
    char name[32];
    snprintf(name, sizeof name, "libcublasLt.so.%d", CUDART_VERSION / 1000);
    handle = dlopen(name, RTLD_NOW);
    if (handle == NULL) {
        note_failure("dlopen of libcublasLt.so (is its folder in LD_LIBRARY_PATH?)", -1);
        return -1;
    }
    TRY(find(handle, "cublasLtCreate", (void **)&l->create));
    TRY(find(handle, "cublasLtMatmulDescCreate", (void **)&l->desc_create));
    TRY(find(handle, "cublasLtMatmulDescSetAttribute", (void **)&l->desc_set));
    TRY(find(handle, "cublasLtMatrixLayoutCreate", (void **)&l->layout_create));
    TRY(find(handle, "cublasLtMatmulPreferenceCreate", (void **)&l->preference_create));
    TRY(find(handle, "cublasLtMatmulPreferenceSetAttribute", (void **)&l->preference_set));
    TRY(find(handle, "cublasLtMatmulAlgoGetHeuristic", (void **)&l->heuristic));
    return find(handle, "cublasLtMatmul", (void **)&l->matmul);
}

struct product {
    const struct library *l;
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, c; /* a: both factors */
    cublasLtMatmulAlgo_t algo;
    void *factor[2], *result, *workspace;
    size_t workspace_bytes;
    int is_integer;
};

static int multiply(void *ctx, int run)
{
    const struct product *p = (const struct product *)ctx;
    float one = 1, zero = 0;
    int32_t int_one = 1, int_zero = 0;
    const void *alpha = p->is_integer ? (const void *)&int_one : (const void *)&one;
    const void *beta = p->is_integer ? (const void *)&int_zero : (const void *)&zero;
    return p->l->matmul(p->handle, p->desc, alpha, p->factor[run % 2], p->a, p->factor[1 - run % 2],
                        p->a, beta, p->result, p->c, p->result, p->c, &p->algo, p->workspace,
                        p->workspace_bytes, 0);
}

static int choose(struct product *p)
{
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t found;
    int n = 0;
    TRY(p->l->preference_create(&preference));
    TRY(p->l->preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                             &p->workspace_bytes, sizeof p->workspace_bytes));
    TRY(p->l->heuristic(p->handle, p->desc, p->a, p->a, p->c, p->c, preference, 1, &found, &n));
    if (n < 1) {
        note_failure("cublasLtMatmulAlgoGetHeuristic: it knows no algorithm", -1);
        return -1;
    }
    p->algo = found.algo;
    return 0;
}

/* The first factor transposed, the form that the tensor cores take as it is. */
static int describe(struct product *p, cudaDataType_t in, cudaDataType_t out)
{
    cublasOperation_t transposed = CUBLAS_OP_T;
    TRY(p->l->desc_create(&p->desc, p->is_integer ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                          p->is_integer ? CUDA_R_32I : CUDA_R_32F));
    TRY(p->l->desc_set(p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed));
    TRY(p->l->layout_create(&p->a, in, SIZE, SIZE, SIZE));
    TRY(p->l->layout_create(&p->c, out, SIZE, SIZE, SIZE));
    return choose(p);
}

static int measure(const struct library *l, cublasLtHandle_t handle, int is_integer)
{
    struct product p = {};
    double us = 0;
    size_t n = (size_t)SIZE * SIZE;
    p.l = l;
    p.handle = handle;
    p.is_integer = is_integer;
    p.workspace_bytes = (size_t)64 << 20;
    TRY(describe(&p, is_integer ? CUDA_R_8I : CUDA_R_16BF, is_integer ? CUDA_R_32I : CUDA_R_16BF));
    TRY(random_memory(n * 2, 1, !is_integer, &p.factor[0]));
    TRY(random_memory(n * 2, 2, !is_integer, &p.factor[1]));
    TRY(cudaMalloc(&p.result, n * 4));
    TRY(cudaMalloc(&p.workspace, p.workspace_bytes));
    TRY(time_us(multiply, &p, 20, &us));
    report(is_integer ? "int8_8192" : "bf16_8192", 2.0 * SIZE * SIZE * SIZE / us / 1e6,
           is_integer ? "TOP/s" : "TFLOP/s", "\"counts\": \"two operations a multiply-add\", ");
    TRY(cudaFree(p.factor[0]));
    TRY(cudaFree(p.factor[1]));
    TRY(cudaFree(p.result));
    return cudaFree(p.workspace);
}

int measure_products(void)
{
    static struct library l;
    cublasLtHandle_t handle;
    TRY(load(&l));
    TRY(l.create(&handle));
    TRY(measure(&l, handle, 0));
    return measure(&l, handle, 1);
}
