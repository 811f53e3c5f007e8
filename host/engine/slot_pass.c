/* One sentence's part of a pass: which rows it needs, and what to make of the predictions. */
#include <string.h>

#include "request.h"
#include "verify.h"

/* Where the end is forced it takes the last place, if there are two. */
int slot_most_out(const struct steti_engine *e)
{
    return e->options.max_out > 1 ? e->options.max_out - e->spec->forced_end : 1;
}

/* Tokens that this sentence may still draft in one branch: a pass emits one more than matched. */
static int room_left(const struct steti_engine *e, const struct steti_job *job)
{
    int left = slot_most_out(e) - job->n_out - 1;
    return left > 0 ? left : 0;
}

static int least(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* What ends a sentence is never drafted, and what is no token cannot be right. */
static int may_be_drafted(const struct steti_engine *e, int32_t id)
{
    return !steti_spec_is_end(e->spec, id) && id >= 0 && id < e->spec->vocab_size;
}

/* The decoder's position of emitted token number i. */
static int position_of(const struct steti_engine *e, int i)
{
    return e->around.start.n + i;
}

void slot_set_len(struct steti_engine *e, const struct slot *s)
{
    steti_kv_set_len(&e->session.kv, s->kv, position_of(e, s->job->n_out) - 1);
}

int slot_lead(const struct steti_engine *e, const struct slot *s)
{
    return s->job->n_out == 0 ? e->around.start.n - 1 : 0;
}

/* Fills the row of a token that is no guess. */
static void plan_token(struct steti_engine *e, const struct slot *s, int row, int32_t id, int pos)
{
    e->ids[row] = id;
    e->pos[row] = pos;
    e->row_slot[row] = s->kv;
    e->side[row] = -1;
}

/* The start tokens in front: what they predict is not looked at. */
static int plan_lead(struct steti_engine *e, struct slot *s, int row)
{
    s->n_lead = slot_lead(e, s);
    for (int i = 0; i < s->n_lead; i++) {
        plan_token(e, s, row + i, e->around.start.id[i], i);
        row_rules_skip(e, row + i);
    }
    return row + s->n_lead;
}

/* Fills the rows of a branch whose tokens stand in e->ids already; side < 0: the first branch. */
static void plan_branch(struct steti_engine *e, struct slot *s, int index, int row, int n, int side)
{
    int first = position_of(e, s->job->n_out);
    for (int i = 0; i < n; i++) {
        if (!may_be_drafted(e, e->ids[row + i])) {
            n = i;
            break;
        }
        e->pos[row + i] = first + i;
        e->row_slot[row + i] = s->kv;
        e->fork[row + i] = first;
        e->side[row + i] = side;
        row_rules_draft(e, row + i);
    }
    row_rules_end_branch(e, s);
    if (n > 0) {
        s->branch[s->n_branches].index = index;
        s->branch[s->n_branches].row = row;
        s->branch[s->n_branches++].n = n;
        s->n_rows += n;
    }
}

int slot_plan(struct steti_engine *e, struct slot *s, int row, int share)
{
    struct steti_job *job = s->job;
    int left = room_left(e, job), used = 0, side = 0;
    row_rules_begin(e, s);
    row = plan_lead(e, s, row);
    s->first_row = row;
    s->n_rows = 1;
    s->n_branches = 0;
    plan_token(e, s, row, job->n_out > 0 ? job->out[job->n_out - 1] : e->around.start.id[s->n_lead],
               position_of(e, job->n_out) - 1);
    row_rules_write(e, row);
    for (int b = 0; b <= e->policy->n_side; b++) {
        int longest = b == 0 || e->window < e->side_window ? e->window : e->side_window;
        int budget = least(longest, share - used, left);
        int at = row + s->n_rows, before = s->n_rows;
        int n = e->policy->propose(s->draft, b, budget > 0 ? budget : 0, e->ids + at);
        plan_branch(e, s, b, at, n, b == 0 ? -1 : side);
        side += b == 0 ? 0 : s->n_rows - before;
        used += s->n_rows - before;
    }
    return row + s->n_rows;
}

void slot_drop_draft(struct slot *s)
{
    s->n_rows = 1;
    s->n_branches = 0;
}

/* The row that predicts token i behind the last emitted one, along branch b (-1: no branch). */
static int row_of(const struct slot *s, int b, int i)
{
    return i == 0 || b < 0 ? s->first_row : s->branch[b].row + i - 1;
}

/* The branch of which most tokens are right; of equal ones the first. -1: nothing was drafted. */
static int best_branch(struct steti_engine *e, const struct slot *s, struct steti_verdict *best)
{
    int chosen = -1;
    *best = steti_verify(NULL, 0, e->predicted + s->first_row, e->spec->eos_id);
    for (int b = 0; b < s->n_branches; b++) {
        struct steti_verdict v;
        int n = s->branch[b].n;
        for (int i = 0; i <= n; i++) {
            e->branch_predicted[i] = e->predicted[row_of(s, b, i)];
        }
        v = steti_verify(e->ids + s->branch[b].row, n, e->branch_predicted, e->spec->eos_id);
        if (chosen < 0 || v.matched > best->matched) {
            *best = v;
            chosen = b;
        }
    }
    return chosen;
}

static void count_pass(struct steti_counts *c, const struct slot *s, int matched)
{
    c->passes++;
    c->rows += (uint64_t)s->n_rows + (uint64_t)s->n_lead;
    c->drafted += (uint64_t)s->n_rows - 1;
    c->accepted += (uint64_t)matched;
}

int follows_load(const struct steti_engine *e)
{
    return e->options.draft_window == STETI_WINDOW_AUTO && e->policy != &steti_draft_none;
}

static void observe_draft(struct steti_engine *e, const struct slot *s, int b, int matched)
{
    struct steti_window_draft d = {.window = e->window,
                                   .best = b >= 0 ? s->branch[b].n : 0,
                                   .all = s->n_rows - 1,
                                   .matched = matched};
    if (follows_load(e)) {
        steti_window_observe_draft(&e->follow, &d);
    }
}

stet_status slot_commit(struct steti_engine *e, struct slot *s, int *done, stet_error *err)
{
    struct steti_job *job = s->job;
    struct steti_verdict v;
    int b = best_branch(e, s, &v), first = job->n_out;
    int side = b >= 0 ? e->side[s->branch[b].row] : -1;
    for (int i = 0; i < v.emitted; i++) {
        int row = row_of(s, b, i);
        e->branch_predicted[i] = e->predicted[row];
        if (e->options.scores && job->logprob != NULL) {
            job->logprob[first + i] = e->logprob[row];
        }
    }
    job->n_out += v.emitted - v.finished;
    job->finished = v.finished;
    memcpy(job->out + first, e->branch_predicted, (size_t)(job->n_out - first) * sizeof *job->out);
    count_pass(&job->counts, s, v.matched);
    observe_draft(e, s, b, v.matched);
    e->policy->accept(s->draft, e->branch_predicted, v.emitted, b >= 0 ? s->branch[b].index : 0,
                      v.matched);
    *done = v.finished || job->n_out >= slot_most_out(e);
    if (side >= 0 && !*done) {
        int at = position_of(e, first);
        STETI_TRY(steti_kv_adopt(&e->session.kv, s->kv, side, at, v.matched, err));
    }
    slot_set_len(e, s);
    return STET_OK;
}
