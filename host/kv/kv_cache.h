/* kv_cache.h - keys and values that the decoder attends to, in slots whose length can be set back.
 *
 * One slot belongs to one sentence in flight:
 *
 *   self  K, V of layer l:  | slot 0: max_tgt + max_side rows | slot 1 ...       a row = d floats
 *   cross K, V of layer l:  | slot 0: max_src rows            | slot 1 ...
 *
 * Decoding writes the rows of drafted tokens behind the accepted ones. Rejecting a draft is setting
 * the length back: the rows are overwritten by the next pass. Further hypotheses of the same pass
 * have their rows in the slot's max_side last rows; the rows of the one that won are copied to
 * where they would stand had it been the only one. Cross rows are written once, by the encoder.
 */
#ifndef STETI_KV_CACHE_H
#define STETI_KV_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"

struct steti_kv_limits {
    int n_slots, n_layers, d; /* d = heads * head_dim */
    int max_src, max_tgt;     /* rows of one slot */
    int max_side;             /* rows for side branches, 0: there are none */
};

struct steti_kv_cache {
    struct steti_kv_limits limits;
    const struct steti_backend_ops *ops;
    struct steti_backend *backend;
    float *memory;    /* all of it, owned */
    int32_t *tgt_len; /* [n_slots] accepted rows */
    int32_t *src_len; /* [n_slots] encoder rows; 0 = not encoded */
    uint8_t *taken;   /* [n_slots] */
};

/* Bytes of backend memory that a cache with these limits takes. 0 when it overflows. */
size_t steti_kv_bytes(const struct steti_kv_limits *l);

stet_status steti_kv_init(struct steti_kv_cache *kv, const struct steti_backend_ops *ops,
                          struct steti_backend *backend, const struct steti_kv_limits *l,
                          stet_error *err);
void steti_kv_free(struct steti_kv_cache *kv); /* legal on a zeroed struct */

/* A free slot with both lengths 0, or -1. */
int steti_kv_acquire(struct steti_kv_cache *kv);
void steti_kv_release(struct steti_kv_cache *kv, int slot);

/* Rows of one slot in a layer's self memory: max_tgt + max_side. */
int steti_kv_slot_rows(const struct steti_kv_cache *kv);
/* Base of a layer's memory; rows of slot s start at s * steti_kv_slot_rows() (self) or s * max_src
 * (cross). */
float *steti_kv_self_k(const struct steti_kv_cache *kv, int layer);
float *steti_kv_self_v(const struct steti_kv_cache *kv, int layer);
float *steti_kv_cross_k(const struct steti_kv_cache *kv, int layer);
float *steti_kv_cross_v(const struct steti_kv_cache *kv, int layer);

/* Sets the number of accepted rows; never over max_tgt. */
void steti_kv_set_len(struct steti_kv_cache *kv, int slot, int len);

/* Copies side rows side .. side + n - 1 of a slot to its rows at .. at + n - 1, in all layers. */
stet_status steti_kv_adopt(struct steti_kv_cache *kv, int slot, int side, int at, int n,
                           stet_error *err);

/* 1 when all lengths are inside their limits and free slots are empty. For tests. */
int steti_kv_is_valid(const struct steti_kv_cache *kv);

#endif
