/* Encoder and decoder passes: what a call brings is checked, row arrays are made of it, and the
 * forward goes over them, recorded where it can be. */
#include <string.h>

#include "layers.h"
#include "recorded.h"

static stet_status check_encode(const struct steti_session *s, const struct steti_encode_batch *b,
                                stet_error *err)
{
    int rows = 0;
    for (int i = 0; i < b->n_seqs; i++) {
        if (b->len[i] < 1 || b->len[i] > s->limits.max_src || b->slots[i] < 0 ||
            b->slots[i] >= s->limits.n_slots) {
            return steti_fail(err, STET_E_INVALID,
                              "encode: sentence %d has %d tokens in slot %d, limits are %d and %d",
                              i, b->len[i], b->slots[i], s->limits.max_src, s->limits.n_slots);
        }
        rows += b->len[i];
    }
    if (rows != b->n_rows || rows > s->limits.max_rows) {
        return steti_fail(err, STET_E_INVALID, "encode: %d rows, limit %d", b->n_rows,
                          s->limits.max_rows);
    }
    return STET_OK;
}

/* Positions, key ranges inside the batch, and the cross rows for each row's keys and values. */
static void plan_encode(struct steti_session *s, const struct steti_encode_batch *b)
{
    int r = 0;
    for (int i = 0; i < b->n_seqs; i++) {
        int first = r;
        for (int t = 0; t < b->len[i]; t++, r++) {
            s->pos[r] = t;
            s->begin[r] = first;
            s->count[r] = b->len[i];
            s->map_row[r] = b->slots[i] * s->limits.max_src + t;
        }
    }
}

stet_status steti_model_encode(struct steti_session *s, const struct steti_encode_batch *b,
                               stet_error *err)
{
    int done = 0;
    STETI_TRY(check_encode(s, b, err));
    plan_encode(s, b);
    if (s->buckets != NULL && b->n_rows > 0) {
        memcpy(s->ids, b->ids, (size_t)b->n_rows * sizeof *s->ids);
        STETI_TRY(steti_replay_pass(s, STETI_PASS_ENCODE, b->n_rows, &done, err));
    }
    if (!done) {
        STETI_TRY(steti_forward_encode(s, b->ids, b->n_rows, err));
        s->n_by_ops++;
    }
    for (int i = 0; i < b->n_seqs; i++) {
        s->kv.src_len[b->slots[i]] = b->len[i];
    }
    return s->ops->sync(s->backend, err);
}

static stet_status check_branch(const struct steti_session *s, const struct steti_decode_batch *b,
                                int r, stet_error *err)
{
    int fork = b->fork[r], pos = b->pos[r];
    if (fork < 1 || fork > pos || pos - fork >= s->limits.max_side - b->side[r]) {
        return steti_fail(err, STET_E_INVALID,
                          "decode: row %d, position %d of a branch that begins at position %d and "
                          "side row %d, limit %d side rows",
                          r, pos, fork, b->side[r], s->limits.max_side);
    }
    return STET_OK;
}

static stet_status check_decode(const struct steti_session *s, const struct steti_decode_batch *b,
                                stet_error *err)
{
    if (b->n_rows < 0 || b->n_rows > s->limits.max_rows) {
        return steti_fail(err, STET_E_INVALID, "decode: %d rows, limit %d", b->n_rows,
                          s->limits.max_rows);
    }
    if ((b->fork == NULL) != (b->side == NULL)) {
        return steti_fail(err, STET_E_INVALID, "decode: branches need both fork and side");
    }
    for (int r = 0; r < b->n_rows; r++) {
        int slot = b->slots[r];
        if (slot < 0 || slot >= s->limits.n_slots || s->kv.src_len[slot] < 1) {
            return steti_fail(err, STET_E_INVALID,
                              "decode: row %d uses slot %d, which holds no sentence", r, slot);
        }
        if (b->pos[r] < 0 || b->pos[r] >= s->limits.max_tgt) {
            return steti_fail(err, STET_E_INVALID, "decode: row %d has position %d, limit %d", r,
                              b->pos[r], s->limits.max_tgt);
        }
        if (b->side != NULL && b->side[r] >= 0) {
            STETI_TRY(check_branch(s, b, r, err));
        }
    }
    return STET_OK;
}

/* Key ranges: cached rows up to the row's own, or its branch's; and all rows of the source. */
static void plan_decode(struct steti_session *s, const struct steti_decode_batch *b)
{
    int slot_rows = steti_kv_slot_rows(&s->kv);
    for (int r = 0; r < b->n_rows; r++) {
        int slot = b->slots[r], branch = b->side != NULL && b->side[r] >= 0;
        s->begin[r] = slot * slot_rows;
        s->count[r] = b->pos[r] + 1;
        s->map_row[r] = s->begin[r] + b->pos[r];
        s->tail[r] = s->tail_count[r] = 0;
        if (branch) {
            s->count[r] = b->fork[r];
            s->tail[r] = s->begin[r] + s->limits.max_tgt + b->side[r];
            s->tail_count[r] = b->pos[r] - b->fork[r] + 1;
            s->map_row[r] = s->tail[r] + b->pos[r] - b->fork[r];
        }
        s->cross_begin[r] = slot * s->limits.max_src;
        s->cross_count[r] = s->kv.src_len[slot];
    }
}

static int is_recorded(const struct steti_session *s, const struct steti_decode_batch *b)
{
    return s->buckets != NULL && b->out_logits == NULL &&
           (b->adjust_begin == NULL || b->adjust_begin[0] == b->adjust_begin[b->n_rows]);
}

/* As the forward over b, if there is memory for it (*done); results are in b after a failure,
 * too. */
static stet_status decode_recorded(struct steti_session *s, const struct steti_decode_batch *b,
                                   int *done, stet_error *err)
{
    size_t bytes = (size_t)b->n_rows * sizeof *s->ids;
    enum steti_pass kind = b->out_logprob != NULL ? STETI_PASS_SCORES : STETI_PASS_DECODE;
    stet_status st;
    memcpy(s->ids, b->ids, bytes);
    memcpy(s->pos, b->pos, bytes);
    STETI_TRY(steti_replay_pass(s, kind, b->n_rows, done, err));
    if (!*done) {
        return STET_OK;
    }
    st = s->ops->sync(s->backend, err);
    memcpy(b->out_ids, s->out_ids, bytes);
    if (b->out_logprob != NULL) {
        memcpy(b->out_logprob, s->out_logprob, bytes);
    }
    return st;
}

stet_status steti_model_decode(struct steti_session *s, const struct steti_decode_batch *b,
                               stet_error *err)
{
    int done = 0;
    STETI_TRY(check_decode(s, b, err));
    if (b->n_rows == 0) {
        return STET_OK;
    }
    plan_decode(s, b);
    if (is_recorded(s, b)) {
        STETI_TRY(decode_recorded(s, b, &done, err));
    }
    if (done) {
        return STET_OK;
    }
    STETI_TRY(steti_forward_decode(s, b, err));
    s->n_by_ops++;
    return s->ops->sync(s->backend, err);
}
