#include "window.h"

#include <string.h>

#define N_CANDIDATES 16
/* What is believed of drafted tokens before any was seen: 15 of 16 are right. */
#define PRIOR_TRIED 16
#define PRIOR_RIGHT 15
#define PRIOR_WEIGHT 8 /* counts that the belief over all depths stands for at each of them */
#define FORGET 4096    /* counts are halved here, so that old text weighs less */
/* Each so many choices another window is tried: all in turn at first, those near the best later. */
#define LOOK_EARLY 12
#define LOOK_LATE 48
#define EARLY (LOOK_EARLY * N_CANDIDATES * 2) /* choices */
/* With so many measured row counts the cost of others is believed, and only windows that promise
 * this share of the best are tried. */
#define BELIEVED 3
#define WORTH_A_LOOK 0.75

static const int candidates[N_CANDIDATES] = {0,  1,  2,  3,  4,  5,  7,   9,
                                             12, 16, 23, 31, 47, 63, 127, INT32_MAX};

void steti_window_init(struct steti_window *w, int longest, int tile)
{
    memset(w, 0, sizeof *w);
    w->longest = longest > 0 ? longest : 0;
    w->tile = tile > 0 ? tile : 1;
    w->branching = 1.0;
    for (int i = 0; i < STETI_WINDOW_DEPTH; i++) {
        w->allowed[i] = w->drafted[i] = 1;
    }
    w->all_tried = PRIOR_TRIED;
    w->all_right = PRIOR_RIGHT;
}

/* 1, 2, 3, 4, 6, 8, 12, 16, ... begin a bucket each. */
static int bucket_of(double rows)
{
    int b = 0;
    double begin = 2;
    while (b + 1 < STETI_WINDOW_BUCKETS && rows >= begin) {
        begin = b % 2 == 0 ? begin * 1.5 : begin / 1.5 * 2;
        b++;
    }
    return b;
}

/* The shape assumed where nothing was measured: flat up to a tile of rows, then one more unit for
 * each tile. */
static double prior_cost(const struct steti_window *w, double rows)
{
    return rows <= w->tile ? 1.0 : 1.0 + (rows - w->tile) / w->tile;
}

/* The nearest measured bucket from b on in a direction, or -1. */
static int next_seen(const struct steti_window *w, int b, int step)
{
    for (; b >= 0 && b < STETI_WINDOW_BUCKETS; b += step) {
        if (w->cost[b] != 0) {
            return b;
        }
    }
    return -1;
}

/* On the line through two measured buckets; never less than half of the cheaper one. */
static double on_line(const struct steti_window *w, int a, int b, double rows)
{
    double gap = w->rows[b] - w->rows[a];
    double slope = gap > 0 ? (w->cost[b] - w->cost[a]) / gap : 0;
    double x = w->cost[a] + (slope > 0 ? slope : 0) * (rows - w->rows[a]);
    double least = (w->cost[a] < w->cost[b] ? w->cost[a] : w->cost[b]) / 2;
    return x > least ? x : least;
}

/* From the two measured buckets around or next to this row count; from one and the assumed shape
 * where there is only one. */
static double cost_of(const struct steti_window *w, double rows)
{
    int b = bucket_of(rows), low, high;
    if (w->cost[b] != 0 && w->rows[b] > rows) {
        high = b;
        low = next_seen(w, b - 1, -1);
    } else {
        low = next_seen(w, b, -1);
        high = next_seen(w, b + 1, 1);
    }
    if (low < 0 && high >= 0) {
        low = high;
        high = next_seen(w, low + 1, 1);
    } else if (high < 0 && low >= 0) {
        high = low;
        low = next_seen(w, high - 1, -1);
    }
    if (low >= 0 && high >= 0) {
        return on_line(w, low, high, rows);
    }
    low = low >= 0 ? low : high;
    return low < 0 ? prior_cost(w, rows)
                   : w->cost[low] * prior_cost(w, rows) / prior_cost(w, w->rows[low]);
}

/* Chance that token i of a draft is right when those before it were. */
static double chance_of(const struct steti_window *w, int i)
{
    double usual = (double)w->all_right / w->all_tried;
    return (w->right[i] + PRIOR_WEIGHT * usual) / ((double)w->tried[i] + PRIOR_WEIGHT);
}

static int n_measured(const struct steti_window *w)
{
    int n = 0;
    for (int b = 0; b < STETI_WINDOW_BUCKETS; b++) {
        n += w->cost[b] != 0;
    }
    return n;
}

/* Index of the best candidate, and what each promises. Candidates over the limit count as the
 * limit; *last is the first of them. */
static int best_candidate(const struct steti_window *w, int n, int *last, double *rates)
{
    /* Of one sentence: tokens emitted, rows drafted, chance that all before were right. */
    double worth = 1, drafted = 0, alive = 1, best_rate = 0;
    int best = 0, done = 0;
    for (int c = 0; c < N_CANDIDATES; c++) {
        int length = candidates[c] < w->longest ? candidates[c] : w->longest;
        for (; done < length && done < STETI_WINDOW_DEPTH; done++) {
            double there = (double)w->drafted[done] / w->allowed[done];
            alive *= chance_of(w, done);
            worth += there * alive;
            drafted += there * w->branching;
        }
        rates[c] = worth / cost_of(w, n * (1 + drafted));
        if (rates[c] > best_rate) {
            best_rate = rates[c];
            best = c;
        }
        *last = c;
        if (length == w->longest) {
            break;
        }
    }
    return best;
}

int steti_window_choose(struct steti_window *w, int n)
{
    double rates[N_CANDIDATES];
    int last, best = best_candidate(w, n > 0 ? n : 1, &last, rates), c = best;
    uint32_t turn = ++w->n_choices;
    if (turn < EARLY && turn % LOOK_EARLY == 0) {
        c = (int)(turn / LOOK_EARLY) % (last + 1);
    } else if (turn >= EARLY && turn % LOOK_LATE == 0) {
        static const int steps[] = {1, -1, 3, -3, 2, -2};
        int to = c + steps[turn / LOOK_LATE % 6];
        c = to < 0 ? 0 : to > last ? last : to;
    }
    if (n_measured(w) >= BELIEVED && rates[c] < WORTH_A_LOOK * rates[best]) {
        c = best;
    }
    return candidates[c] < w->longest ? candidates[c] : w->longest;
}

void steti_window_observe_pass(struct steti_window *w, int rows, uint64_t ns)
{
    int b = bucket_of(rows);
    double x = (double)ns;
    if (rows < 1 || ns == 0) {
        return;
    }
    if (w->cost[b] == 0) {
        w->cost[b] = x;
        w->rows[b] = rows;
        return;
    }
    /* Much longer is something else on the machine, and much shorter says that what was measured
     * before was. Otherwise both ways at one rate: a lower quantile would favour row counts that
     * are measured often. */
    if (x < 0.5 * w->cost[b]) {
        w->cost[b] = x;
    }
    x = x > 1.5 * w->cost[b] ? 1.5 * w->cost[b] : x;
    w->cost[b] += (x - w->cost[b]) / 8;
    w->rows[b] += (rows - w->rows[b]) / 8;
}

static void count(uint32_t *of, uint32_t *these, int is_one)
{
    *of += 1;
    *these += is_one != 0;
    if (*of >= FORGET) {
        *of /= 2;
        *these /= 2;
    }
}

void steti_window_observe_draft(struct steti_window *w, const struct steti_window_draft *d)
{
    int depth = d->window < STETI_WINDOW_DEPTH ? d->window : STETI_WINDOW_DEPTH;
    for (int i = 0; i < depth; i++) {
        count(&w->allowed[i], &w->drafted[i], i < d->best);
        if (i < d->best && i <= d->matched) {
            count(&w->tried[i], &w->right[i], i < d->matched);
            count(&w->all_tried, &w->all_right, i < d->matched);
        }
    }
    if (d->best > 0) {
        w->branching += ((double)d->all / d->best - w->branching) / 32;
    }
}
