/* check.h - argument checks that every backend runs before it dispatches an op.
 *
 * They catch errors of the caller (sizes that do not fit, pointers that are missing, rows over the
 * reserved limits) and give STET_E_INVALID with the op's name and the figure that is wrong. They
 * read the host arrays once and touch no backend memory.
 */
#ifndef STETI_CHECK_H
#define STETI_CHECK_H

#include "backend.h"

/* The first member of every backend's struct steti_matrix. */
struct steti_matrix_shape {
    int n_out, n_in;
};

/* What reserve was asked for. */
struct steti_limits {
    int max_rows, max_in, max_keys;
};

/* Longest row of an int8 matrix: 255 * 128 * 65536 still fits the 32-bit sums of every kernel. */
#define STETI_I8_MAX_IN 65536

stet_status steti_check_pack(const struct steti_tensor *src, const struct steti_tensor *scale,
                             enum steti_dtype compute, stet_error *err);
stet_status steti_check_reserve(int max_rows, int max_in, int max_keys, stet_error *err);
stet_status steti_check_embed(const struct steti_embed_params *p, stet_error *err);
stet_status steti_check_norm(const struct steti_norm_params *p, stet_error *err);
stet_status steti_check_linear(const struct steti_linear_params *p, const struct steti_limits *l,
                               stet_error *err);
stet_status steti_check_attention(const struct steti_attention_params *p,
                                  const struct steti_limits *l, stet_error *err);
stet_status steti_check_argmax(const struct steti_argmax_params *p, const struct steti_limits *l,
                               stet_error *err);

/* The same in two parts, for what is checked once and run with other rows each time: what the
 * parameters are, which reads no host array, and what the arrays hold. Row maps are checked one by
 * one, as that of part number `part`; NULL is legal. */
stet_status steti_check_embed_shape(const struct steti_embed_params *p, stet_error *err);
stet_status steti_check_embed_rows(const struct steti_embed_params *p, stet_error *err);
stet_status steti_check_linear_shape(const struct steti_linear_params *p,
                                     const struct steti_limits *l, stet_error *err);
stet_status steti_check_row_map(const int32_t *map, int n_rows, int part, stet_error *err);
stet_status steti_check_attention_shape(const struct steti_attention_params *p,
                                        const struct steti_limits *l, stet_error *err);
stet_status steti_check_attention_rows(const struct steti_attention_params *p,
                                       const struct steti_limits *l, stet_error *err);

/* Of loops: ranges and sizes. What ids the arrays hold, and how rows fit the recording, is the
 * backend's to check. */
stet_status steti_check_loop_options(const struct steti_loop_options *o, stet_error *err);
stet_status steti_check_loop(const struct steti_loop_params *p, const struct steti_loop_options *o,
                             stet_error *err);

#endif
