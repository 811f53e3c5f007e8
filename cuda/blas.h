/* blas.h - what the backend asks of a library of matrix products, as a table of functions.
 *
 * blas_cublaslt.c fills it with cuBLASLt; tests fill it with libraries of their own, which sum in
 * the backend's order or in another one. cuda_blas.h says where the backend uses it: only for
 * shapes in which a probe found the library's bits to be those of the backend's own kernels.
 *
 * Functions that return int give 0 or an error code that error_text explains. `handle` is what
 * `open` gave; it belongs to the device that was the thread's own at that time, and one thread at a
 * time uses it. Matrices are row-major memory of the device.
 */
#ifndef STETI_BLAS_H
#define STETI_BLAS_H

#include <stddef.h>
#include <stdint.h>

#include "cuda_kernels.h"
#include "status.h"

/* One way to make a product: what the library calls an algorithm, in its own words. Worth keeping
 * in a file, for the same version of the library on the same kind of device. */
struct steti_blas_algo {
    uint64_t word[8];
};

/* c[r, o] = sum over k of a[r, k] w[o, k], plus what c held before where `add` is not 0.
 *   STETI_CUDA_F32   a, w, c float; products and sums in float32, no tensor cores that round
 *   STETI_CUDA_I8    a, w int8, c int32, exact; n_in is a multiple of 4
 *   STETI_CUDA_BF16  a, w bfloat16, c float; sums in float32
 * a, w and c are aligned to 16 bytes; ld_w and ld_c fill 16 bytes a whole number of times, and
 * so does n_out. */
struct steti_blas_product {
    int32_t type; /* enum steti_cuda_type */
    int32_t n_rows, n_out, n_in;
    const void *a, *w;
    void *c;
    int64_t ld_a, ld_w, ld_c; /* elements */
    int32_t add;
};

struct steti_blas {
    const char *name; /* "cuBLASLt" */
    const char *(*error_text)(int code);

    /* STET_E_DEVICE where the library is not there or does not work: the message says why.
     * STET_E_NOMEM. */
    stet_status (*open)(void **handle, stet_error *err);
    void (*close)(void *handle); /* NULL is legal */
    size_t (*version)(void *handle);

    /* Up to `most` ways to make this product, the one that the library thinks best first: *n of
     * them, 0 where it has none. None of them cuts a sum into parts that are added at the end, and
     * none needs memory of its own. a, w and c are not read. */
    int (*candidates)(void *handle, const struct steti_blas_product *p, int most,
                      struct steti_blas_algo *out, int *n);

    /* Makes one product on the stream, in order with its other work. Where it gives a code, c holds
     * anything. Allocates nothing. */
    int (*run)(void *handle, const struct steti_blas_product *p, const struct steti_blas_algo *algo,
               void *stream);
};

/* The real one. */
const struct steti_blas *steti_blas_cublaslt(void);

#endif
