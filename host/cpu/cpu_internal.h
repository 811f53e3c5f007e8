/* cpu_internal.h - what the files of the CPU backend share.
 *
 * op_*.c       check the arguments, cut the work into jobs, hand the jobs to threads
 * kernels_*.c  do one job on one thread with one instruction set; reached through struct
 *              steti_kernels
 *
 * README.md in this folder holds the numerics and draws the layouts.
 */
#ifndef STETI_CPU_INTERNAL_H
#define STETI_CPU_INTERNAL_H

#include "backend.h"
#include "check.h"
#include "thread.h"

#define STETI_LANES 16 /* outputs in a panel, and accumulators in a reduction */

/* Rows of zeros fill the last panel; an int8 panel is also filled with zeros up to a multiple of 4
 * inputs.
 *   F32: values[panel][k][16]
 *   I8:  values[panel][k / 4][16][4] */
struct steti_matrix {
    struct steti_matrix_shape shape; /* first: see check.h */
    enum steti_dtype compute;
    int n_panels;
    size_t panel_bytes;
    size_t bytes; /* everything, for the statistics */
    void *values;
    float *scale;          /* I8: [n_panels * 16] */
    int32_t *offset_fixup; /* I8: [n_panels * 16], 128 * sum of the row's weights */
};

/* Some panels of one product, for all rows. */
struct steti_gemm_job {
    const struct steti_matrix *w;
    int panel_begin, panel_end;
    int n_rows, n_in;
    const float *x;  /* F32 */
    const int8_t *q; /* I8: quantised rows, stride ld_q bytes */
    int64_t ld_q;
    const float *row_scale; /* I8 */
    float alpha;
    const float *bias;
    enum steti_act act;
    const float *factor;
    int64_t ld_factor;
    const float *residual;
    int64_t ld_residual;
    float *out; /* column 0 is output out_column0 of the matrix */
    int64_t ld_out;
    int out_column0;
    const int32_t *row_map;
};

/* One row and one head. The keys stand in two stretches of memory, the second may be empty. scores
 * has room for all of them, rounded up to 16. */
struct steti_attend_job {
    int head_dim;
    int count[2]; /* keys of each stretch */
    float scale;
    const float *q, *k[2], *v[2]; /* k and v: first key of each stretch */
    int64_t ld_kv;
    const float *bias; /* of the first key, then of all others; NULL: none */
    float *scores;
    float *out;
};

/* Best value of a stretch of the vocabulary and the sum of exp(value - best). */
struct steti_best {
    float value, sum;
    int32_t id;  /* -1: nothing seen */
    int32_t nan; /* not 0: a NaN was seen */
};

/* One instruction set. All functions are pure jobs for one thread. */
struct steti_kernels {
    const char *isa;  /* value of option isa */
    const char *text; /* for caps */
    int row_tile;
    /* Writes n rounded up to 64 bytes to q in this instruction set's own form. */
    void (*quantize_row)(const float *x, int n, int8_t *q, float *scale);
    /* Plain int8 values for weights; same rounding. n bytes are written. */
    void (*quantize_weights)(const float *x, int n, int8_t *q, float *scale);
    void (*gemm_f32)(const struct steti_gemm_job *j);
    void (*gemm_i8)(const struct steti_gemm_job *j);
    void (*norm_row)(const struct steti_norm_params *p, int row);
    void (*embed_row)(const struct steti_embed_params *p, int row);
    void (*attend)(const struct steti_attend_job *j);
    /* Adds the n values of ids first_id ... to *best; values has room for n rounded up to 16. */
    void (*scan)(float *values, int n, int32_t first_id, int want_sum, struct steti_best *best);
    /* *a becomes the best of both; b stands later in the vocabulary. */
    void (*merge)(struct steti_best *a, const struct steti_best *b);
};

extern const struct steti_kernels steti_kernels_portable;
#ifdef STETI_X86
extern const struct steti_kernels steti_kernels_avx2, steti_kernels_avx2vnni, steti_kernels_avx512;
#endif

/* A tile of logits: columns computed before they are looked at, and rows kept at once. */
#define STETI_TILE_COLUMNS 256
#define STETI_TILE_ROWS 48
/* The vocabulary is cut into this many stretches whatever the number of threads: the order of sums
 * over it must not depend on them. */
#define STETI_SEGMENTS 64

struct steti_backend {
    const struct steti_kernels *k;
    struct steti_pool *pool;
    int threads;
    size_t weight_bytes;
    struct steti_limits limits;
    void *scratch; /* one block; the members below point into it */
    int8_t *q;     /* [max_rows, ld_q] */
    int64_t ld_q;
    float *row_scale; /* [max_rows] */
    float *scores;    /* [threads, ld_scores] */
    int64_t ld_scores;
    float *tiles;            /* [threads, STETI_TILE_ROWS, STETI_TILE_COLUMNS] */
    struct steti_best *best; /* [max_rows, STETI_SEGMENTS] */
};

/* Opens with the given kernels: what open does after choosing. Tests bring kernels of their own. */
stet_status steti_cpu_open_with(const struct steti_kernels *k, int threads,
                                struct steti_backend **out, stet_error *err);

stet_status steti_cpu_pack_matrix(struct steti_backend *b, const struct steti_tensor *src,
                                  const struct steti_tensor *scale, enum steti_dtype compute,
                                  struct steti_matrix **out, stet_error *err);
void steti_cpu_free_matrix(struct steti_backend *b, struct steti_matrix *m);

stet_status steti_cpu_embed(struct steti_backend *b, const struct steti_embed_params *p,
                            stet_error *err);
stet_status steti_cpu_norm(struct steti_backend *b, const struct steti_norm_params *p,
                           stet_error *err);
stet_status steti_cpu_linear(struct steti_backend *b, const struct steti_linear_params *p,
                             stet_error *err);
stet_status steti_cpu_attention(struct steti_backend *b, const struct steti_attention_params *p,
                                stet_error *err);
stet_status steti_cpu_argmax(struct steti_backend *b, const struct steti_argmax_params *p,
                             stet_error *err);

/* Quantises rows x[0 .. n_rows) into b->q and b->row_scale. */
void steti_cpu_quantize(struct steti_backend *b, const float *x, int n_rows, int n_in);

/* A part's share [*begin, *end) of n things, in units of `unit` where possible. */
void steti_cpu_share(int n, int unit, int part, int n_parts, int *begin, int *end);

/* How many threads a job of so many multiply-adds is worth. */
int steti_cpu_parts(const struct steti_backend *b, int64_t macs);

#endif
