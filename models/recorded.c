#include "recorded.h"

#include "layers.h"

int steti_bucket_rows(int i, int max_rows)
{
    static const int first[] = {8, 16, 32, 64, 96, 128, 192, 256};
    int n_first = (int)(sizeof first / sizeof *first);
    int64_t rows = i < n_first ? first[i] : (int64_t)256 << (i - n_first + 1);
    return rows < max_rows ? (int)rows : max_rows;
}

int steti_bucket_of(int n, int max_rows)
{
    int i = 0;
    while (steti_bucket_rows(i, max_rows) < n) {
        i++;
    }
    return i;
}

static stet_status run_ops(struct steti_session *s, enum steti_pass kind, int n_rows,
                           stet_error *err)
{
    struct steti_decode_batch b = {.n_rows = n_rows,
                                   .ids = s->ids,
                                   .pos = s->pos,
                                   .out_ids = s->out_ids,
                                   .out_logprob = kind == STETI_PASS_SCORES ? s->out_logprob : NULL,
                                   /* rows without a branch have tails of no keys */
                                   .side = s->limits.max_side > 0 ? s->tail : NULL};
    return kind == STETI_PASS_ENCODE ? steti_forward_encode(s, s->ids, n_rows, err)
                                     : steti_forward_decode(s, &b, err);
}

static stet_status record(struct steti_session *s, enum steti_pass kind, int n_rows,
                          struct steti_recording **out, stet_error *err)
{
    stet_status st, ended;
    *out = NULL;
    STETI_TRY(s->ops->record_begin(s->backend, n_rows, err));
    st = run_ops(s, kind, n_rows, err);
    /* Which op failed is told already. */
    ended = s->ops->record_end(s->backend, out, st == STET_OK ? err : NULL);
    return st != STET_OK ? st : ended;
}

/* Called off once, a pass is worth another attempt when its ops have run since. */
static int may_try(const struct steti_session *s, const struct steti_bucket *b)
{
    return !b->has_no_memory &&
           (b->called_off == 0 || (b->called_off == 1 && b->passes_then != s->n_by_ops));
}

stet_status steti_find_recording(struct steti_session *s, enum steti_pass kind, int n_rows,
                                 struct steti_recording **out, stet_error *err)
{
    int i = steti_bucket_of(n_rows, s->limits.max_rows);
    struct steti_bucket *b = &s->buckets[kind][i];
    if (b->recording == NULL && may_try(s, b)) {
        stet_status st =
            record(s, kind, steti_bucket_rows(i, s->limits.max_rows), &b->recording, err);
        b->has_no_memory = st == STET_E_NOMEM;
        b->called_off += st == STET_E_CANCELLED;
        b->passes_then = s->n_by_ops;
        if (st != STET_OK && st != STET_E_NOMEM && st != STET_E_CANCELLED) {
            return st;
        }
    }
    *out = b->recording;
    return STET_OK;
}

int steti_may_be_recorded(const struct steti_session *s, enum steti_pass kind, int n_rows)
{
    const struct steti_bucket *b = &s->buckets[kind][steti_bucket_of(n_rows, s->limits.max_rows)];
    return !b->has_no_memory && b->called_off < 2;
}

stet_status steti_replay_pass(struct steti_session *s, enum steti_pass kind, int n_rows, int *done,
                              stet_error *err)
{
    struct steti_recording *r = NULL;
    *done = 0;
    STETI_TRY(steti_find_recording(s, kind, n_rows, &r, err));
    if (r == NULL) {
        return STET_OK;
    }
    *done = 1;
    return s->ops->replay(s->backend, r, n_rows, err);
}

void steti_free_recordings(struct steti_session *s)
{
    for (int kind = 0; s->buckets != NULL && kind < STETI_PASSES; kind++) {
        for (int i = 0; i < STETI_BUCKETS; i++) {
            if (s->buckets[kind][i].recording != NULL) {
                s->ops->free_recording(s->backend, s->buckets[kind][i].recording);
                s->buckets[kind][i].recording = NULL;
            }
        }
    }
}
