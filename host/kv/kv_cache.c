#include "kv_cache.h"

#include <string.h>

#include "alloc.h"
#include "bytes.h"

/* Rows of one layer: self K, self V, cross K, cross V. */
static int layer_rows(const struct steti_kv_limits *l, size_t *rows)
{
    size_t per_slot = 2 * ((size_t)l->max_src + (size_t)l->max_tgt + (size_t)l->max_side);
    return steti_mul_size(per_slot, (size_t)l->n_slots, rows);
}

size_t steti_kv_bytes(const struct steti_kv_limits *l)
{
    size_t rows, n;
    if (l->n_slots < 1 || l->n_layers < 1 || l->d < 1 || l->max_src < 1 || l->max_tgt < 1 ||
        l->max_side < 0) {
        return 0;
    }
    if (!layer_rows(l, &rows) || !steti_mul_size(rows, (size_t)l->n_layers, &n) ||
        !steti_mul_size(n, (size_t)l->d, &n) || !steti_mul_size(n, sizeof(float), &n)) {
        return 0;
    }
    return n;
}

stet_status steti_kv_init(struct steti_kv_cache *kv, const struct steti_backend_ops *ops,
                          struct steti_backend *backend, const struct steti_kv_limits *l,
                          stet_error *err)
{
    size_t bytes = steti_kv_bytes(l);
    size_t n = (size_t)l->n_slots;
    stet_status st;
    void *mem = NULL;
    memset(kv, 0, sizeof *kv);
    if (bytes == 0) {
        return steti_fail(err, STET_E_INVALID,
                          "key/value cache: %d slots of %d + %d rows cannot be addressed",
                          l->n_slots, l->max_src, l->max_tgt);
    }
    kv->limits = *l;
    kv->ops = ops;
    kv->backend = backend;
    kv->tgt_len = steti_calloc(n, sizeof *kv->tgt_len);
    kv->src_len = steti_calloc(n, sizeof *kv->src_len);
    kv->taken = steti_calloc(n, sizeof *kv->taken);
    if (kv->tgt_len == NULL || kv->src_len == NULL || kv->taken == NULL) {
        st = steti_fail_nomem(err, "the key/value cache", n * 9);
        goto fail;
    }
    STETI_TRY_GOTO(ops->mem_alloc(backend, bytes, &mem, err), st, fail);
    kv->memory = mem;
    return STET_OK;
fail:
    steti_kv_free(kv);
    return st;
}

void steti_kv_free(struct steti_kv_cache *kv)
{
    if (kv->memory != NULL) {
        kv->ops->mem_free(kv->backend, kv->memory);
    }
    steti_free(kv->tgt_len);
    steti_free(kv->src_len);
    steti_free(kv->taken);
    memset(kv, 0, sizeof *kv);
}

int steti_kv_acquire(struct steti_kv_cache *kv)
{
    for (int s = 0; s < kv->limits.n_slots; s++) {
        if (!kv->taken[s]) {
            kv->taken[s] = 1;
            return s;
        }
    }
    return -1;
}

void steti_kv_release(struct steti_kv_cache *kv, int slot)
{
    kv->taken[slot] = 0;
    kv->tgt_len[slot] = 0;
    kv->src_len[slot] = 0;
}

int steti_kv_slot_rows(const struct steti_kv_cache *kv)
{
    return kv->limits.max_tgt + kv->limits.max_side;
}

/* Where part `which` of a layer starts: 0 self K, 1 self V, 2 cross K, 3 cross V. */
static float *part(const struct steti_kv_cache *kv, int layer, int which)
{
    const struct steti_kv_limits *l = &kv->limits;
    size_t self = (size_t)steti_kv_slot_rows(kv);
    size_t rows = 2 * ((size_t)l->max_src + self) * (size_t)l->n_slots * (size_t)layer;
    rows += (size_t)(which < 2 ? which : 2) * (size_t)l->n_slots * self;
    rows += (size_t)(which < 2 ? 0 : which - 2) * (size_t)l->n_slots * (size_t)l->max_src;
    return kv->memory + rows * (size_t)l->d;
}

float *steti_kv_self_k(const struct steti_kv_cache *kv, int layer)
{
    return part(kv, layer, 0);
}

float *steti_kv_self_v(const struct steti_kv_cache *kv, int layer)
{
    return part(kv, layer, 1);
}

float *steti_kv_cross_k(const struct steti_kv_cache *kv, int layer)
{
    return part(kv, layer, 2);
}

float *steti_kv_cross_v(const struct steti_kv_cache *kv, int layer)
{
    return part(kv, layer, 3);
}

void steti_kv_set_len(struct steti_kv_cache *kv, int slot, int len)
{
    kv->tgt_len[slot] = len > kv->limits.max_tgt ? kv->limits.max_tgt : len;
}

stet_status steti_kv_adopt(struct steti_kv_cache *kv, int slot, int side, int at, int n,
                           stet_error *err)
{
    const struct steti_kv_limits *l = &kv->limits;
    size_t d = (size_t)l->d, bytes = (size_t)n * d * sizeof(float);
    size_t first = (size_t)slot * (size_t)steti_kv_slot_rows(kv);
    size_t from = (first + (size_t)l->max_tgt + (size_t)side) * d, to = (first + (size_t)at) * d;
    if (side < 0 || at < 0 || n < 0 || side > l->max_side - n || at > l->max_tgt - n) {
        return steti_fail(err, STET_E_INVALID,
                          "key/value cache: %d side rows from %d cannot become rows from %d", n,
                          side, at);
    }
    for (int j = 0; j < l->n_layers; j++) {
        float *k = steti_kv_self_k(kv, j), *v = steti_kv_self_v(kv, j);
        STETI_TRY(kv->ops->copy(kv->backend, k + to, k + from, bytes, err));
        STETI_TRY(kv->ops->copy(kv->backend, v + to, v + from, bytes, err));
    }
    return STET_OK;
}

int steti_kv_is_valid(const struct steti_kv_cache *kv)
{
    for (int s = 0; s < kv->limits.n_slots; s++) {
        int free_slot = !kv->taken[s];
        if (kv->tgt_len[s] < 0 || kv->tgt_len[s] > kv->limits.max_tgt || kv->src_len[s] < 0 ||
            kv->src_len[s] > kv->limits.max_src) {
            return 0;
        }
        if (free_slot && (kv->tgt_len[s] != 0 || kv->src_len[s] != 0)) {
            return 0;
        }
    }
    return 1;
}
