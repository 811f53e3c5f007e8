/* cuda_blas.h - products of many rows by a matrix library, where its bits are the own kernels'.
 *
 * When a matrix is packed, its shape (outputs, inputs, type) gets a verdict. A shape passes when
 * some way of the library to multiply (a candidate) gave, for every row count of the probe and in
 * every output, the bits of the own kernels on random numbers, and took less time. Matrices of such
 * shapes keep a second, row-major copy of their weights, and products with more rows than the
 * tuning says go to the library: plain sums into b->raw, chunk by chunk, then the kernel
 * `epilogue`; in recordings, too. Nothing else changes: whether the library is there shows in the
 * time alone.
 *
 * Why the probe runs when a matrix is packed and not when scratch is reserved: the row-major copy
 * is made from the source, which is gone later; weight_bytes is complete before anybody sizes an
 * engine by it; and `scratch_bytes` knows which shapes need b->raw. The price is that the probe
 * does not know how many rows are going to be used. It goes up to tuning.blas_probe_rows, and no
 * call of the library ever has more rows than that.
 *
 *   cuda_blas.c   opening, verdicts, products
 *   cuda_probe.c  the probe
 *   cuda_cache.c  verdicts in a file
 *
 * One thread at a time per context, as everywhere in the backend.
 */
#ifndef STETI_CUDA_BLAS_H
#define STETI_CUDA_BLAS_H

#include "cuda_internal.h"

/* Wider matrices are vocabularies, with which `linear` never multiplies. */
#define STETI_CUDA_BLAS_WIDEST 16384
/* Candidates that a shape may have. */
#define STETI_CUDA_BLAS_MOST 16

struct steti_blas_verdict {
    int32_t n_out, n_in, type;
    int32_t passed;
    struct steti_blas_algo algo; /* where it passed */
    int is_from_file;            /* not compared yet with what the library offers today */
    int is_for_now;              /* says nothing about other runs: not kept in a file */
    char why[128];               /* one line, for people */
    struct steti_blas_verdict *next;
};

/* Opens the library that the tuning names, and reads the verdicts kept for it. Never fails: without
 * a library there is a line in the log and the own kernels do everything. */
void steti_cuda_library_open(struct steti_backend *b);
void steti_cuda_library_close(struct steti_backend *b); /* legal where none was opened */

/* What is known about a shape, found out now where nothing is. *out is NULL where no library is
 * used for it. A probe that fails for lack of memory is a verdict too; STET_E_DEVICE is the
 * device's failure, and STET_E_NOMEM is lack of memory for the verdict itself. */
stet_status steti_cuda_library_verdict(struct steti_backend *b, int n_out, int n_in, int32_t type,
                                       struct steti_blas_verdict **out, stet_error *err);

/* Finds out: sets passed, algo, why. The context has no ops under way and gets its scratch back as
 * it was. STET_E_NOMEM: not for the probe. */
stet_status steti_cuda_probe(struct steti_backend *b, struct steti_blas_verdict *v,
                             stet_error *err);

/* Looks at one row count, by v->algo, and sets passed: for a verdict that comes from a file. It is
 * also the first use of the candidate in this process, which must not be inside a recording. */
stet_status steti_cuda_probe_again(struct steti_backend *b, struct steti_blas_verdict *v,
                                   stet_error *err);

/* Up to STETI_CUDA_BLAS_MOST different candidates for a matrix. 0 where the library has none or
 * cannot say. */
int steti_cuda_library_candidates(struct steti_backend *b, const struct steti_blas_verdict *v,
                                  struct steti_blas_algo *out);

/* Bytes of b->raw for ops of so many rows; 0 where no matrix needs it. */
size_t steti_cuda_library_raw_bytes(const struct steti_backend *b, int max_rows);

/* 1 if an op of so many rows has a part that the library multiplies. */
int steti_cuda_library_takes_any(const struct steti_backend *b,
                                 const struct steti_linear_params *p);

/* Multiplies the parts of one type that the library takes, from rows that are prepared: bit i of
 * *done says that part i is finished. A part whose product fails is left to the own kernels, and so
 * are all later ones of the context; in a recording that is STET_E_CANCELLED. */
stet_status steti_cuda_library_parts(struct steti_backend *b, const struct steti_linear_params *p,
                                     int32_t type, uint64_t *done, stet_error *err);

/* One part, by the candidate of its matrix's verdict, whatever the number of rows. *code: what the
 * library said; where that is not 0, the part's output is as it was. */
stet_status steti_cuda_library_part(struct steti_backend *b, const struct steti_linear_params *p,
                                    const struct steti_linear_part *part, int *code,
                                    stet_error *err);

/* Row-major copy of a matrix: how long its rows are, in elements, and how long an element is, in
 * bytes. Rows and matrix are filled up with zeros. */
int64_t steti_cuda_rows_ld(int n_in, int32_t type);
size_t steti_cuda_rows_element(int32_t type);

/* Reads the verdicts that are kept for this device, library and numerics, if the tuning has a
 * folder for them. A file that is damaged or not meant for this context is left alone. */
void steti_cuda_cache_load(struct steti_backend *b);
/* Writes all verdicts. On failure there is a line in the log, and no further attempt. */
void steti_cuda_cache_save(struct steti_backend *b);
/* "f32", "i8", "bf16" */
const char *steti_cuda_type_name(int32_t type);

#endif
