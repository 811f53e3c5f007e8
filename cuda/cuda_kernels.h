/* cuda_kernels.h - the kernels and their arguments, as C and as CUDA.
 *
 * Every kernel takes one struct by value. All pointers in it are device pointers. README.md has a
 * table of what each one does, with its launch configuration.
 *
 * `live` is in each of those that ops launch: the number of rows that there are, or NULL for
 * n_rows. With it n_rows is what the grid was made for, and rows from *live on are neither read nor
 * written (dev_rows).
 */
#ifndef STETI_CUDA_KERNELS_H
#define STETI_CUDA_KERNELS_H

#include <stdint.h>

#include "loop_args.h"

/* name of the kernel without steti_cuda_, its argument; first those of ops */
#define STETI_CUDA_OP_KERNEL_MAP(XX)                                                               \
    XX(embed, steti_cuda_embed_args)                                                               \
    XX(norm, steti_cuda_norm_args)                                                                 \
    XX(quantize, steti_cuda_quantize_args)                                                         \
    XX(narrow, steti_cuda_narrow_args)                                                             \
    XX(linear_f32_serial, steti_cuda_linear_args)                                                  \
    XX(linear_f32_chunked, steti_cuda_linear_args)                                                 \
    XX(linear_i8_serial, steti_cuda_linear_args)                                                   \
    XX(linear_i8_chunked, steti_cuda_linear_args)                                                  \
    XX(linear_bf16_serial, steti_cuda_linear_args)                                                 \
    XX(linear_bf16_chunked, steti_cuda_linear_args)                                                \
    XX(epilogue, steti_cuda_epilogue_args)                                                         \
    XX(differ, steti_cuda_differ_args)                                                             \
    XX(attention, steti_cuda_attention_args)                                                       \
    XX(sdpa_pack, steti_cuda_sdpa_pack_args)                                                       \
    XX(sdpa_unpack, steti_cuda_sdpa_unpack_args)                                                   \
    XX(argmax_f32, steti_cuda_argmax_args)                                                         \
    XX(argmax_i8, steti_cuda_argmax_args)                                                          \
    XX(argmax_bf16, steti_cuda_argmax_args)                                                        \
    XX(argmax_merge, steti_cuda_argmax_args)
#define STETI_CUDA_KERNEL_MAP(XX)                                                                  \
    STETI_CUDA_OP_KERNEL_MAP(XX)                                                                   \
    XX(verdict, steti_cuda_verdict_args)                                                           \
    XX(rows, steti_cuda_rows_args)

enum steti_cuda_kernel {
#define STETI_CUDA_KERNEL_ENUM(name, args) STETI_CUDA_##name,
    STETI_CUDA_KERNEL_MAP(STETI_CUDA_KERNEL_ENUM)
#undef STETI_CUDA_KERNEL_ENUM
        STETI_CUDA_KERNEL_COUNT
};

/* Weights, the outputs cut into panels (the last one filled with zeros).
 *   F32: panels of 32 outputs, values[panel][k][32]
 *   I8:  panels of 16 outputs, k in steps of 32 (filled with zeros):
 *        values[panel][step][lane][16 bytes], the fragments of DEV_MMA_S8
 *   BF16: the same with steps of 16, for DEV_MMA_BF16 */
#define STETI_CUDA_PANEL_F32 32
#define STETI_CUDA_PANEL_MMA 16
#define STETI_CUDA_STEP_I8 32
#define STETI_CUDA_STEP_BF16 16
#define STETI_CUDA_STEP_BYTES 512
enum steti_cuda_type { STETI_CUDA_F32, STETI_CUDA_I8, STETI_CUDA_BF16 };
struct steti_cuda_weights {
    const void *values;
    const float *scale; /* I8: [n_out, filled up to whole panels] */
    int32_t n_out, n_in;
    int32_t type; /* enum steti_cuda_type */
    int32_t zero; /* as in the other structs: no padding, tests look at every word for pointers */
};

struct steti_cuda_embed_args {
    struct steti_cuda_weights table;
    const int32_t *ids, *pos; /* [n_rows] */
    const float *positions;   /* [max_pos, d] or NULL */
    float *out;               /* [n_rows, d] */
    const int32_t *live;
    float scale;
    int32_t n_rows, d, zero;
};

struct steti_cuda_norm_args {
    const float *x, *residual, *gamma, *beta; /* residual and beta may be NULL */
    float *out;
    const int32_t *live;
    float eps;
    int32_t n_rows, d, is_rms;
};

/* One quantised row: bytes with stride ld_q, zeros behind n_in up to a multiple of 64. */
struct steti_cuda_quantize_args {
    const float *x; /* [n_rows, n_in] */
    int8_t *q;      /* [n_rows, ld_q] */
    float *scale;   /* [n_rows] */
    const int32_t *live;
    int64_t ld_q;
    int32_t n_rows, n_in;
};

/* Rows rounded to bfloat16 (ties to even), zeros behind n_in up to a multiple of 64. */
struct steti_cuda_narrow_args {
    const float *x; /* [n_rows, n_in] */
    uint16_t *h;    /* [n_rows, ld_h] */
    const int32_t *live;
    int64_t ld_h;
    int32_t n_rows, n_in;
};

/* See struct steti_linear_part. */
struct steti_cuda_linear_part {
    struct steti_cuda_weights w;
    const float *bias, *factor, *residual;
    float *out;
    const int32_t *row_map;
    int64_t ld_factor, ld_residual, ld_out;
    int32_t act;
    int32_t panel_end; /* panels of this part and of those before it */
};

/* All parts have one type of weights. Sums are made in chunks of `chunk` inputs: each from 0 in
 * ascending order, then added in ascending order; a multiple of 16. */
#define STETI_CUDA_PARTS 8
struct steti_cuda_linear_args {
    const float *x;    /* F32: [n_rows, n_in] */
    const int8_t *q;   /* I8: [n_rows, ld_q] */
    const uint16_t *h; /* BF16: [n_rows, ld_q] */
    const float *row_scale;
    const int32_t *live;
    int64_t ld_q;
    int32_t n_rows, n_in, chunk, n_parts;
    struct steti_cuda_linear_part part[STETI_CUDA_PARTS];
};

/* What a product of the library's becomes. */
struct steti_cuda_epilogue_args {
    const void *raw; /* [n_rows, ld_raw]: float, or for I8 int32 */
    const float *row_scale;
    const int32_t *live;
    int64_t ld_raw;
    int32_t n_rows, zero;
    struct steti_cuda_linear_part part;
};

/* *found becomes 1 where a word of a is not the same in b, and is not written otherwise. */
struct steti_cuda_differ_args {
    const uint32_t *a, *b; /* [n_rows, n_out] */
    int32_t *found;
    const int32_t *live;
    int32_t n_rows, n_out;
};

struct steti_cuda_attention_args {
    const float *q, *k, *v;
    const int32_t *key_begin, *key_count, *tail_begin, *tail_count; /* tails may be NULL */
    const float *bias;                                              /* or NULL */
    const int32_t *query_pos, *live;
    float *out;
    int64_t ld_q, ld_kv, ld_out;
    float scale;
    int32_t n_rows, n_heads, head_dim, ld_bias, bias_zero;
    int32_t ld_scores; /* floats of shared memory that a warp has */
    int32_t zero;
};

/* Queries, keys and values of the entries of a batch, rounded to bfloat16, one behind the other
 * (sdpa.h). Queries are taken in order, keys of entry e from memory row key_source[e] on. */
struct steti_cuda_sdpa_pack_args {
    const float *q, *k, *v;
    uint16_t *to_q, *to_k, *to_v;
    const int32_t *rows, *keys, *row_begin, *key_begin, *key_source; /* [entries] */
    const int32_t *live;
    int64_t ld_q, ld_kv;
    int32_t n_rows, width; /* queries; elements of a row */
};

/* Rows of bfloat16 as float32. */
struct steti_cuda_sdpa_unpack_args {
    const uint16_t *h; /* [n_rows, width] */
    float *out;
    const int32_t *live;
    int64_t ld_out;
    int32_t n_rows, width;
};

/* Best value of a stretch of the vocabulary and the sum of exp(value - best). */
struct steti_cuda_best {
    float value, sum;
    int32_t id;  /* -1: nothing seen */
    int32_t nan; /* not 0: a NaN was seen */
};

struct steti_cuda_adjust {
    int32_t id;
    float factor;
};

/* A tile is 256 values of the vocabulary. */
#define STETI_CUDA_TILE 256
#define STETI_CUDA_SEGMENTS 64
struct steti_cuda_argmax_args {
    struct steti_cuda_weights table;
    const float *x;    /* F32: [n_rows, d] */
    const int8_t *q;   /* I8: [n_rows, ld_q] */
    const uint16_t *h; /* BF16: [n_rows, ld_q] */
    const float *row_scale;
    const int32_t *live;
    const float *bias; /* or NULL */
    /* of row r: adjust[adjust_begin[r] .. adjust_begin[r + 1]); both NULL: none */
    const struct steti_cuda_adjust *adjust;
    const int32_t *adjust_begin;
    struct steti_cuda_best *tile; /* [n_rows, n_tiles] */
    struct steti_cuda_best *best; /* [n_rows] */
    float *logits;                /* [n_rows, ld_logits] from the first tile on, or NULL */
    int64_t ld_q, ld_logits;
    float scale;
    int32_t n_rows, chunk, want_sum;
    int32_t n_tiles, first_tile; /* of the vocabulary; block x does tile first_tile + x */
    int32_t tiles_per_segment;
    int32_t first_row; /* of the pass, which `live` counts from its beginning */
};

/* The kernels. To C they are the host stubs that nvcc makes, which give a kernel its address. */
#if defined(__CUDACC__)
#define STETI_CUDA_DECLARE(name, args) extern "C" __global__ void steti_cuda_##name(struct args a);
#elif defined(__cplusplus)
#define STETI_CUDA_DECLARE(name, args) extern "C" void steti_cuda_##name(struct args a);
#else
#define STETI_CUDA_DECLARE(name, args) void steti_cuda_##name(struct args a);
#endif
STETI_CUDA_KERNEL_MAP(STETI_CUDA_DECLARE)
#undef STETI_CUDA_DECLARE

#endif
