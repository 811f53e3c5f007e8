/* stub_cublaslt.c - a library with the name of cuBLASLt and without what it is for. With
 * STUB_REFUSES it has all functions, of which the first one that is called refuses. */
#define STUB(name)                                                                                 \
    __attribute__((visibility("default"))) int name(void);                                         \
    int name(void)                                                                                 \
    {                                                                                              \
        return 7;                                                                                  \
    }

STUB(cublasLtCreate)
#ifdef STUB_REFUSES
STUB(cublasLtDestroy)
STUB(cublasLtGetVersion)
STUB(cublasLtMatmul)
STUB(cublasLtMatmulAlgoConfigGetAttribute)
STUB(cublasLtMatmulAlgoGetHeuristic)
STUB(cublasLtMatmulDescInit_internal)
STUB(cublasLtMatmulDescSetAttribute)
STUB(cublasLtMatmulPreferenceInit_internal)
STUB(cublasLtMatmulPreferenceSetAttribute)
STUB(cublasLtMatrixLayoutInit_internal)
#endif
