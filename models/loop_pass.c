/* Several passes of the decoder by the device itself (decode_loop.h). */
#include "recorded.h"

void steti_session_place(const struct steti_session *s, int slot, struct steti_loop_seq *seq)
{
    seq->self_begin = slot * steti_kv_slot_rows(&s->kv);
    seq->cross_begin = slot * s->limits.max_src;
    seq->cross_count = s->kv.src_len[slot];
}

static int has_scores(const struct steti_loop_params *p)
{
    for (int i = 0; i < p->n_seqs; i++) {
        if (p->seqs[i].logprob != NULL) {
            return 1;
        }
    }
    return 0;
}

stet_status steti_model_loop(struct steti_session *s, struct steti_loop *loop, int max_rows,
                             struct steti_loop_params *p, int *done, stet_error *err)
{
    enum steti_pass kind = has_scores(p) ? STETI_PASS_SCORES : STETI_PASS_DECODE;
    *done = 0;
    STETI_TRY(steti_find_recording(s, kind, max_rows, &p->recording, err));
    if (p->recording == NULL) {
        return steti_may_be_recorded(s, kind, max_rows)
                   ? steti_fail(err, STET_E_CANCELLED, "loop: a pass has to run op by op first")
                   : STET_OK;
    }
    p->ids = s->ids;
    p->pos = s->pos;
    p->key_begin = s->begin;
    p->key_count = s->count;
    p->row_map = s->map_row;
    p->cross_begin = s->cross_begin;
    p->cross_count = s->cross_count;
    p->tail_count = s->limits.max_side > 0 ? s->tail_count : NULL;
    *done = 1;
    return s->ops->loop_run(s->backend, loop, p, err);
}
