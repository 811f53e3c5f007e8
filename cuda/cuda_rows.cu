/* cuda_rows.cu - the packed rows of the next pass: one warp for every sentence.
 *
 * Where a sentence's rows stand, and how many it may have, depends on all sentences before it.
 * Every warp finds that out by itself, from a few words of each sentence: one launch does all. */
#include "cuda_kernels.h"
#include "dev.h"
#include "dev_loop.h"

/* What a sentence asks of a pass: rows that it must have (0: it has ended), and tokens that it
 * would draft. */
struct demand {
    int needed, wanted;
};

/* What all of them get, and this warp's own. */
struct plan {
    int n_live, needed,
        most;       /* sentences, rows that they must have, longest draft that one wants */
    int total;      /* rows */
    int row, share; /* of this warp's sentence: its first row, and tokens it may draft */
};

/* Tokens that one pass may still draft: it emits one more than matched. */
DEV_FN int room_left(const struct steti_cuda_loop_seq *s)
{
    return s->most_out - s->now.n_out > 1 ? s->most_out - s->now.n_out - 1 : 0;
}

DEV_FN struct demand demand_of(const struct steti_cuda_loop_head *head,
                               const struct steti_cuda_loop_seq *s)
{
    struct demand d = {0, 0};
    if (s->now.state == STETI_CUDA_LOOP_RUNNING) {
        d.needed = s->now.n_out == 0 ? head->n_start : 1;
        d.wanted = dev_least(dev_least(head->window, room_left(s)), s->now.draftable);
    }
    return d;
}

DEV_FN int sum_warp(int v)
{
    for (int mask = DEV_WARP / 2; mask > 0; mask /= 2) {
        v += DEV_XOR_INT(v, mask);
    }
    return v;
}

/* Every sentence as if the budget were no limit. */
DEV_FN struct plan plan_freely(const struct steti_cuda_rows_args *a, int mine, int lane)
{
    const struct steti_cuda_loop_head *head = dev_loop_head(a->base);
    struct plan p = {0, 0, 0, 0, 0, head->budget};
    for (int i = lane; i < head->n_seqs; i += DEV_WARP) {
        struct demand d = demand_of(head, dev_loop_seqs(a->base) + i);
        p.n_live += d.needed > 0;
        p.needed += d.needed;
        p.total += d.needed + d.wanted;
        p.row += i < mine ? d.needed + d.wanted : 0;
        p.most = d.wanted > p.most ? d.wanted : p.most;
    }
    p.n_live = sum_warp(p.n_live);
    p.needed = sum_warp(p.needed);
    p.total = sum_warp(p.total);
    p.row = sum_warp(p.row);
    p.most = DEV_MAX_INT(p.most);
    return p;
}

/* One sentence after the other: what one does not draft is left to those after it. The warp goes
 * through all of them together, 32 at a time by way of shared memory. */
DEV_FN void plan_in_turn(const struct steti_cuda_rows_args *a, struct plan *p, int mine, int lane,
                         struct demand *shared)
{
    const struct steti_cuda_loop_head *head = dev_loop_head(a->base);
    int free_rows = head->budget - p->needed, left = p->n_live, row = 0;
    for (int base = 0; base < head->n_seqs; base += DEV_WARP) {
        int n = dev_least(DEV_WARP, head->n_seqs - base);
        if (lane < n) {
            shared[lane] = demand_of(head, dev_loop_seqs(a->base) + base + lane);
        }
        DEV_SYNC_WARP();
        for (int k = 0; k < n; k++) {
            struct demand d = shared[k];
            if (d.needed > 0) {
                int share = free_rows / left, used = dev_least(d.wanted, share > 0 ? share : 0);
                p->row = base + k == mine ? row : p->row;
                p->share = base + k == mine ? share : p->share;
                row += d.needed + used;
                free_rows -= used;
                left--;
            }
        }
        DEV_SYNC_WARP();
    }
    p->total = row;
}

/* The row of token `id` at position `pos`. */
DEV_FN void write_row(const struct steti_cuda_rows_args *a, const struct steti_cuda_loop_seq *s,
                      int row, int32_t id, int pos)
{
    a->ids[row] = id;
    a->key_begin[row] = s->self_begin;
    a->key_count[row] = pos + 1;
    a->map_row[row] = s->self_begin + pos;
    a->cross_begin[row] = s->cross_begin;
    a->cross_count[row] = s->cross_count;
    if (a->pos != 0) {
        a->pos[row] = pos;
    }
    if (a->tail_count != 0) {
        a->tail_count[row] = 0;
    }
}

/* Token number i of a sentence's rows: start tokens that have no row yet or the last token, then
 * the draft. */
DEV_FN int32_t token_of(const struct steti_cuda_loop_head *head,
                        const struct steti_cuda_loop_seq *s, int needed, const int32_t *draft,
                        int i)
{
    if (i >= needed) {
        return draft[i - needed];
    }
    return s->now.n_out > 0 ? s->now.tail[0] : head->start[i];
}

DEV_FN void write_rows(const struct steti_cuda_rows_args *a, struct steti_cuda_loop_seq *s,
                       const struct plan *p, int lane)
{
    const struct steti_cuda_loop_head *head = dev_loop_head(a->base);
    struct demand d = demand_of(head, s);
    int from = s->now.from, share = p->share > 0 ? p->share : 0;
    int pos = head->n_start + s->now.n_out - d.needed, drafted = dev_least(d.wanted, share);
    const int32_t *draft = a->base + s->text + (from > 0 ? from : 0);
    for (int i = lane; i < d.needed + drafted; i += DEV_WARP) {
        write_row(a, s, p->row + i, token_of(head, s, d.needed, draft, i), pos + i);
    }
    if (lane == 0) {
        int proposed = dev_least(dev_least(head->window, share), room_left(s));
        proposed = from < 0 ? 0 : dev_least(proposed, s->n_text - from);
        s->now.row = p->row + d.needed - 1;
        s->now.drafted = drafted;
        s->now.proposed = proposed;
        s->now.reentries += proposed > 0 && s->now.found && s->now.after_miss;
    }
}

/* A warp for every sentence; each of them plans for all, and the first also says whether there is
 * a pass. What one warp changes of its sentence no other reads. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_rows(struct steti_cuda_rows_args a)
{
    DEV_SHARED(struct demand, shared);
    struct steti_cuda_loop_head *head = dev_loop_head(a.base);
    int lane = dev_thread() % DEV_WARP, warp = dev_thread() / DEV_WARP;
    int mine = (dev_block_x() * dev_n_threads() + dev_thread()) / DEV_WARP;
    struct plan p = plan_freely(&a, mine, lane);
    int goes_on = p.n_live > 0 && head->n_passes < head->max_passes &&
                  head->n_seqs - p.n_live < head->stop_done;
    if (goes_on && (int64_t)p.most * p.n_live > head->budget - p.needed) {
        plan_in_turn(&a, &p, mine, lane, shared + warp * DEV_WARP);
    }
    if (goes_on && mine < head->n_seqs &&
        dev_loop_seqs(a.base)[mine].now.state == STETI_CUDA_LOOP_RUNNING) {
        write_rows(&a, dev_loop_seqs(a.base) + mine, &p, lane);
    }
    if (mine == 0 && lane == 0) {
        head->n_rows = goes_on ? p.total : STETI_CUDA_LOOP_OVER;
        *a.live = goes_on ? p.total : 0;
        if (a.has_condition) {
            DEV_SET_CONDITION(a.condition, goes_on);
        }
    }
}
