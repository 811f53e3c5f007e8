/* Arguments of loops (decode_loop.h). */
#include "check.h"

static int is_between(int64_t v, int64_t low, int64_t high)
{
    return v >= low && v <= high;
}

stet_status steti_check_loop_options(const struct steti_loop_options *o, stet_error *err)
{
    int is_draft =
        o->draft == STETI_LOOP_GREEDY || o->draft == STETI_LOOP_SAD || o->draft == STETI_LOOP_EDIT;
    if (!is_draft || o->max_seqs < 1 || o->max_text < 0 || o->max_out < 1 || o->n_pieces < 0) {
        return steti_fail(err, STET_E_INVALID,
                          "loop: draft %d, %d sentences, texts of %d and outputs of %d tokens, %d "
                          "pieces",
                          (int)o->draft, o->max_seqs, o->max_text, o->max_out, o->n_pieces);
    }
    if (!is_between(o->max_passes, 1, STETI_LOOP_PASSES_MAX) ||
        !is_between(o->n_start, 1, STETI_LOOP_START_MAX) ||
        !is_between(o->n_ends, 1, STETI_LOOP_ENDS_MAX)) {
        return steti_fail(err, STET_E_INVALID,
                          "loop: %d passes, %d start tokens, %d end tokens: 1 to %d, %d and %d are "
                          "possible",
                          o->max_passes, o->n_start, o->n_ends, STETI_LOOP_PASSES_MAX,
                          STETI_LOOP_START_MAX, STETI_LOOP_ENDS_MAX);
    }
    return STET_OK;
}

static stet_status check_seq(const struct steti_loop_seq *s, const struct steti_loop_options *o,
                             int i, stet_error *err)
{
    if (!is_between(s->n_text, 0, o->max_text) || !is_between(s->most_out, 1, o->max_out) ||
        !is_between(s->n_out, 0, s->most_out - 1) || (s->n_text > 0 && s->text == NULL) ||
        s->out == NULL || s->passes == NULL) {
        return steti_fail(err, STET_E_INVALID,
                          "loop: sentence %d: text of %d tokens, output of %d of %d; limits are %d "
                          "and %d",
                          i, s->n_text, s->n_out, s->most_out, o->max_text, o->max_out);
    }
    if (s->self_begin < 0 || s->cross_begin < 0 || s->cross_count < 1 ||
        !is_between(s->from, -1, s->n_text) || !is_between(s->expected, 0, s->n_text)) {
        return steti_fail(err, STET_E_INVALID,
                          "loop: sentence %d: keys from %d, %d keys from %d of its source; drafts "
                          "go on at %d or %d of %d",
                          i, (int)s->self_begin, (int)s->cross_count, (int)s->cross_begin,
                          (int)s->from, (int)s->expected, s->n_text);
    }
    return STET_OK;
}

stet_status steti_check_loop(const struct steti_loop_params *p, const struct steti_loop_options *o,
                             stet_error *err)
{
    int64_t needed = 0;
    if (!is_between(p->n_seqs, 1, o->max_seqs) || !is_between(p->max_passes, 1, o->max_passes) ||
        p->window < 0 || p->stop_done < 1) {
        return steti_fail(err, STET_E_INVALID,
                          "loop: %d sentences, %d passes, a window of %d, stop at %d; limits are "
                          "%d sentences and %d passes",
                          p->n_seqs, p->max_passes, p->window, p->stop_done, o->max_seqs,
                          o->max_passes);
    }
    for (int i = 0; i < p->n_seqs; i++) {
        STETI_TRY(check_seq(&p->seqs[i], o, i, err));
        needed += p->seqs[i].n_out == 0 ? o->n_start : 1;
    }
    if (needed > p->budget) {
        return steti_fail(err, STET_E_INVALID, "loop: %d rows for sentences that need %lld",
                          p->budget, (long long)needed);
    }
    return STET_OK;
}

int steti_loop_rows(const struct steti_loop_params *p, const struct steti_loop_options *o)
{
    int64_t rows = 0;
    for (int i = 0; i < p->n_seqs; i++) {
        const struct steti_loop_seq *s = &p->seqs[i];
        int64_t draft = o->draft == STETI_LOOP_GREEDY ? 0 : s->n_text;
        int64_t room = (int64_t)s->most_out - s->n_out - 1;
        draft = draft < p->window ? draft : p->window;
        rows += (draft < room ? draft : room) + (s->n_out == 0 ? o->n_start : 1);
    }
    return rows < p->budget ? (int)rows : p->budget;
}
