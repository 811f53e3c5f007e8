/* cuda_stage_loop.c - sentences into the block of a loop, and back out of it. */
#include <math.h>
#include <string.h>

#include "cuda_loop.h"

#define HEAD_WORDS (sizeof(struct steti_cuda_loop_head) / sizeof(int32_t))
#define SEQ_WORDS (sizeof(struct steti_cuda_loop_seq) / sizeof(int32_t))
#define PASS_WORDS (sizeof(struct steti_cuda_loop_pass) / sizeof(int32_t))
#define ALIGN_WORDS 64

size_t steti_cuda_loop_base(const struct steti_loop_options *o)
{
    size_t words = (size_t)o->max_seqs * (size_t)o->max_text;
    return (words + ALIGN_WORDS - 1) / ALIGN_WORDS * ALIGN_WORDS;
}

size_t steti_cuda_loop_words(const struct steti_loop_options *o)
{
    size_t seq = SEQ_WORDS + PASS_WORDS * (size_t)o->max_passes + 2 * ((size_t)o->max_out + 1);
    return steti_cuda_loop_base(o) + HEAD_WORDS + (size_t)o->max_seqs * seq;
}

static struct steti_cuda_loop_head *head_of(const struct steti_loop *l)
{
    return (struct steti_cuda_loop_head *)(void *)(l->pinned + l->base);
}

static struct steti_cuda_loop_seq *seqs_of(const struct steti_loop *l)
{
    return (struct steti_cuda_loop_seq *)(void *)(l->pinned + l->base + HEAD_WORDS);
}

static void fill_head(const struct steti_loop *l, const struct steti_loop_params *p)
{
    struct steti_cuda_loop_head *h = head_of(l);
    memset(h, 0, sizeof *h);
    h->n_seqs = p->n_seqs;
    h->max_passes = p->max_passes;
    h->stop_done = p->stop_done;
    h->window = p->window;
    h->budget = p->budget;
    h->policy = (int32_t)l->o.draft;
    h->n_start = l->o.n_start;
    memcpy(h->start, l->start, sizeof h->start);
    h->n_ends = l->o.n_ends;
    memcpy(h->ends, l->ends, (size_t)l->o.n_ends * sizeof *h->ends);
}

static int is_end(const struct steti_loop *l, int32_t id)
{
    for (int i = 0; i < l->o.n_ends; i++) {
        if (l->ends[i] == id) {
            return 1;
        }
    }
    return 0;
}

/* The first token from `from` on that ends outputs, or n_text. */
static int next_end(const struct steti_loop *l, const struct steti_loop_seq *s, int from)
{
    while (from < s->n_text && !is_end(l, s->text[from])) {
        from++;
    }
    return from;
}

static void fill_now(const struct steti_loop *l, const struct steti_loop_seq *s,
                     struct steti_cuda_loop_now *now)
{
    int has_draft = l->o.draft != STETI_LOOP_GREEDY && s->from < s->n_text;
    memset(now, 0, sizeof *now);
    now->state = STETI_CUDA_LOOP_RUNNING;
    now->n_out = s->n_out;
    for (int k = 0; k < STETI_CUDA_LOOP_TAIL; k++) {
        now->tail[k] = k < s->n_out ? s->out[s->n_out - 1 - k] : -1;
    }
    now->expected = s->expected;
    now->after_miss = s->after_miss;
    now->from = has_draft ? s->from : -1;
    now->found = s->found;
    now->draftable = now->from >= 0 ? next_end(l, s, s->from) - s->from : 0;
}

/* Tokens that a call can add to an output. */
static size_t most_new(const struct steti_loop_params *p, const struct steti_loop_seq *s)
{
    int64_t draft = p->window < s->n_text ? p->window : s->n_text;
    int64_t most = (draft + 1) * p->max_passes, room = s->most_out - s->n_out;
    return (size_t)(most < room ? most : room);
}

void steti_cuda_loop_fill(struct steti_loop *l, const struct steti_loop_params *p,
                          struct steti_cuda_stretch *in, struct steti_cuda_stretch *out)
{
    int32_t text = 0;
    size_t n = (size_t)p->n_seqs, at = HEAD_WORDS + n * SEQ_WORDS;
    fill_head(l, p);
    in->n = at;
    for (size_t i = 0; i < n; i++) {
        const struct steti_loop_seq *s = &p->seqs[i];
        struct steti_cuda_loop_seq *to = &seqs_of(l)[i];
        memset(to, 0, sizeof *to);
        text -= s->n_text;
        to->text = text;
        to->n_text = s->n_text;
        to->has_ends = next_end(l, s, 0) < s->n_text;
        to->self_begin = s->self_begin;
        to->cross_begin = s->cross_begin;
        to->cross_count = s->cross_count;
        to->most_out = s->most_out;
        fill_now(l, s, &to->now);
        if (s->n_text > 0) {
            memcpy(l->pinned + l->base + text, s->text, (size_t)s->n_text * sizeof *s->text);
        }
        to->pass = (int32_t)at;
        at += PASS_WORDS * (size_t)p->max_passes;
        to->out = (int32_t)at;
        at += most_new(p, s) + 1;
        to->sum = (int32_t)at;
        at += most_new(p, s) + 1;
    }
    in->at = l->base - (size_t)-text;
    in->n += (size_t)-text;
    out->at = l->base;
    out->n = at;
}

int steti_cuda_loop_goes_on(const struct steti_loop *l)
{
    return head_of(l)->n_rows != STETI_CUDA_LOOP_OVER;
}

static void read_seq(const struct steti_loop *l, const struct steti_cuda_loop_seq *from,
                     struct steti_loop_seq *s)
{
    const int32_t *base = l->pinned + l->base;
    const float *sum = (const float *)(const void *)(base + from->sum);
    const struct steti_cuda_loop_now *now = &from->now;
    int n_sums = now->n_new + (now->state == STETI_CUDA_LOOP_ENDED);
    memcpy(s->out + s->n_out, base + from->out, (size_t)now->n_new * sizeof *s->out);
    for (int i = 0; s->logprob != NULL && i < n_sums; i++) {
        /* as argmax has it: the best value is the maximum, its own logarithm is 0 */
        s->logprob[s->n_out + i] = (float)-log((double)sum[i]);
    }
    memcpy(s->passes, base + from->pass, (size_t)now->n_passes * sizeof *s->passes);
    s->n_out = now->n_out;
    s->from = now->from;
    s->found = now->found;
    s->expected = now->expected;
    s->after_miss = now->after_miss;
    s->state = (enum steti_loop_state)now->state;
    s->n_passes = now->n_passes;
    s->reentries = now->reentries;
}

void steti_cuda_loop_read(const struct steti_loop *l, struct steti_loop_params *p)
{
    for (int i = 0; i < p->n_seqs; i++) {
        read_seq(l, &seqs_of(l)[i], &p->seqs[i]);
    }
    p->n_passes = head_of(l)->n_passes;
}
