/* The report of stet_replay: for each list of answers, and for all together, a table with a column
 * for each policy, or the same as JSON. */
#include <stdio.h>
#include <string.h>

#include "replay_internal.h"

enum metric {
    PASSES,
    PASSES_MEAN,
    PASSES_P50,
    PASSES_P90,
    PASSES_P99,
    SAVING,
    TOKENS_PER_PASS,
    ROWS,
    ROWS_MEAN,
    DRAFTED,
    ACCEPTED,
    REJECTED,
    REENTRIES,
    LOCK_STEP,
    CONTINUOUS,
    N_METRICS
};

/* Saving is counted against this policy, where it is one of those asked for. */
#define BASELINE "sad"

static const struct {
    const char *key, *label;
    int decimals;
} metrics[N_METRICS] = {
    {"passes", "decoder passes", 0},
    {"passes_per_sentence", "passes per sentence", 2},
    {"passes_p50", "  p50", 0},
    {"passes_p90", "  p90", 0},
    {"passes_p99", "  p99", 0},
    {"saving_percent", "saving against " BASELINE ", %", 1},
    {"tokens_per_pass", "tokens per pass", 3},
    {"rows", "decoder rows", 0},
    {"rows_per_sentence", "rows per sentence", 2},
    {"drafted", "drafted tokens", 0},
    {"accepted", "accepted", 0},
    {"rejected", "rejected", 0},
    {"reentries", "re-entries", 0},
    {"lock_step_passes", "batches in lock step, passes", 0},
    {"continuous_passes", "continuous batching, passes", 0},
};

/* One list of answers, or all of them. */
struct block {
    const char *name;
    size_t first, n; /* in the counts of a policy */
    uint64_t source_tokens, answer_tokens;
    int baseline; /* index of the policy, or -1 */
    double values[REPLAY_MAX_POLICIES][N_METRICS];
};

static int baseline_of(const struct replay *r)
{
    for (int i = 0; i < r->n_policies; i++) {
        if (strcmp(r->policies[i].ops->name, BASELINE) == 0) {
            return i;
        }
    }
    return -1;
}

/* Nearest rank: the smallest number of passes that `percent` of the sentences do not exceed. */
static double percentile(const size_t *histogram, size_t n, size_t percent)
{
    size_t rank = n / 100 * percent + (n % 100 * percent + 99) / 100, seen = 0, passes = 0;
    while ((seen += histogram[passes]) < rank) {
        passes++;
    }
    return (double)passes;
}

static void put_percentiles(const struct replay *r, const struct steti_counts *counts, size_t n,
                            double *v)
{
    memset(r->histogram, 0, ((size_t)r->max_out + 1) * sizeof *r->histogram);
    for (size_t i = 0; i < n; i++) {
        r->histogram[counts[i].passes]++;
    }
    v[PASSES_P50] = percentile(r->histogram, n, 50);
    v[PASSES_P90] = percentile(r->histogram, n, 90);
    v[PASSES_P99] = percentile(r->histogram, n, 99);
}

static void summarise(const struct replay *r, int policy, const struct block *b, double *v)
{
    const struct steti_counts *counts = r->policies[policy].counts + b->first;
    size_t batch = (size_t)r->options.batch_size;
    for (size_t i = 0; i < b->n; i++) {
        v[PASSES] += (double)counts[i].passes;
        v[ROWS] += (double)counts[i].rows;
        v[DRAFTED] += (double)counts[i].drafted;
        v[ACCEPTED] += (double)counts[i].accepted;
        v[REENTRIES] += (double)counts[i].reentries;
    }
    v[PASSES_MEAN] = v[PASSES] / (double)b->n;
    v[ROWS_MEAN] = v[ROWS] / (double)b->n;
    v[TOKENS_PER_PASS] = (double)b->answer_tokens / v[PASSES];
    v[REJECTED] = v[DRAFTED] - v[ACCEPTED];
    put_percentiles(r, counts, b->n, v);
    v[LOCK_STEP] = (double)steti_replay_lock_step(counts, b->n, batch);
    v[CONTINUOUS] = (double)steti_replay_continuous(counts, b->n, batch, r->ends);
}

static void fill_block(const struct replay *r, struct block *b)
{
    memset(b->values, 0, sizeof b->values);
    b->baseline = baseline_of(r);
    for (int i = 0; i < r->n_policies; i++) {
        summarise(r, i, b, b->values[i]);
    }
    for (int i = 0; b->baseline >= 0 && i < r->n_policies; i++) {
        b->values[i][SAVING] = 100 - 100 * b->values[i][PASSES] / b->values[b->baseline][PASSES];
    }
}

/* One list of answers; index n_answers is all of them, one after the other. */
static void make_block(const struct replay *r, size_t index, struct block *b)
{
    size_t n = r->in->n_sources, lists = r->in->n_answers;
    int all = index == lists;
    b->name = all ? "all answers" : r->in->answers[index].name;
    b->first = all ? 0 : index * n;
    b->n = all ? n * lists : n;
    b->source_tokens = (uint64_t)r->sources.n_ids * (all ? lists : 1);
    b->answer_tokens = 0;
    for (size_t i = all ? 0 : index; i < (all ? lists : index + 1); i++) {
        b->answer_tokens += r->answers[i].n_ids;
    }
    fill_block(r, b);
}

/* As printf's %f, but always with a point: the host's locale must not change a report. */
static void put_decimal(double v, int decimals, char out[32])
{
    unsigned long long scale = 1, scaled;
    for (int i = 0; i < decimals; i++) {
        scale *= 10;
    }
    scaled = (unsigned long long)((v < 0 ? -v : v) * (double)scale + 0.5);
    if (decimals == 0) {
        snprintf(out, 32, "%s%llu", v < 0 && scaled > 0 ? "-" : "", scaled);
    } else {
        snprintf(out, 32, "%s%llu.%0*llu", v < 0 && scaled > 0 ? "-" : "", scaled / scale, decimals,
                 scaled % scale);
    }
}

/* Saving has no meaning without a baseline. */
static int is_shown(const struct block *b, int m)
{
    return m != SAVING || b->baseline >= 0;
}

static stet_status text_block(const struct replay *r, const struct block *b, struct steti_buf *out,
                              stet_error *err)
{
    STETI_TRY(steti_buf_printf(out, err,
                               "%s: %zu sentences, %llu source tokens, %llu answer tokens\n"
                               "draft window ",
                               b->name, b->n, (unsigned long long)b->source_tokens,
                               (unsigned long long)b->answer_tokens));
    if (r->options.draft_window > 0) {
        STETI_TRY(steti_buf_printf(out, err, "%d", r->options.draft_window));
    } else {
        STETI_TRY(steti_buf_puts(out, "without limit", err));
    }
    STETI_TRY(
        steti_buf_printf(out, err, ", batches of %d\n\n%-28s", r->options.batch_size, "policy"));
    for (int i = 0; i < r->n_policies; i++) {
        STETI_TRY(steti_buf_printf(out, err, "%12s", r->policies[i].ops->name));
    }
    for (int m = 0; m < N_METRICS; m++) {
        if (!is_shown(b, m)) {
            continue;
        }
        STETI_TRY(steti_buf_printf(out, err, "\n%-28s", metrics[m].label));
        for (int i = 0; i < r->n_policies; i++) {
            char number[32];
            put_decimal(b->values[i][m], metrics[m].decimals, number);
            STETI_TRY(steti_buf_printf(out, err, "%12s", number));
        }
    }
    return steti_buf_puts(out, "\n", err);
}

/* The counts of every sentence, as one array for each kind of count. */
static stet_status json_sentences(const struct steti_counts *c, size_t n, struct steti_buf *out,
                                  stet_error *err)
{
    static const struct {
        const char *key;
        size_t at;
    } fields[] = {{"passes", offsetof(struct steti_counts, passes)},
                  {"rows", offsetof(struct steti_counts, rows)},
                  {"accepted", offsetof(struct steti_counts, accepted)},
                  {"reentries", offsetof(struct steti_counts, reentries)}};
    STETI_TRY(steti_buf_puts(out, ",\"sentences\":{", err));
    for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
        STETI_TRY(steti_buf_printf(out, err, "%s\"%s\":[", f > 0 ? "," : "", fields[f].key));
        for (size_t i = 0; i < n; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&c[i] + fields[f].at, sizeof value);
            STETI_TRY(
                steti_buf_printf(out, err, "%s%llu", i > 0 ? "," : "", (unsigned long long)value));
        }
        STETI_TRY(steti_buf_puts(out, "]", err));
    }
    return steti_buf_puts(out, "}", err);
}

static stet_status json_policy(const struct replay *r, const struct block *b, int policy,
                               struct steti_buf *out, stet_error *err)
{
    STETI_TRY(steti_buf_printf(out, err, "\n{\"policy\":\"%s\"", r->policies[policy].ops->name));
    for (int m = 0; m < N_METRICS; m++) {
        if (is_shown(b, m)) {
            char number[32];
            put_decimal(b->values[policy][m],
                        metrics[m].decimals == 0 ? 0 : metrics[m].decimals + 1, number);
            STETI_TRY(steti_buf_printf(out, err, ",\"%s\":%s", metrics[m].key, number));
        }
    }
    return STET_OK;
}

/* A line for each policy: a difference between two reports shows where it is. */
static stet_status json_block(const struct replay *r, const struct block *b, int sentences,
                              struct steti_buf *out, stet_error *err)
{
    STETI_TRY(steti_buf_printf(
        out, err, "\"sentences\":%zu,\"source_tokens\":%llu,\"answer_tokens\":%llu,\"policies\":[",
        b->n, (unsigned long long)b->source_tokens, (unsigned long long)b->answer_tokens));
    for (int i = 0; i < r->n_policies; i++) {
        STETI_TRY(steti_buf_puts(out, i > 0 ? "," : "", err));
        STETI_TRY(json_policy(r, b, i, out, err));
        if (sentences) {
            STETI_TRY(json_sentences(r->policies[i].counts + b->first, b->n, out, err));
        }
        STETI_TRY(steti_buf_puts(out, "}", err));
    }
    return steti_buf_puts(out, "]}", err);
}

static stet_status write_json(const struct replay *r, struct steti_buf *out, stet_error *err)
{
    int sentences = (r->in->flags & STET_REPLAY_PER_SENTENCE) != 0;
    struct block b;
    STETI_TRY(steti_buf_printf(out, err, "{\"draft_window\":%d,\"batch_size\":%d,\"answers\":[",
                               r->options.draft_window > 0 ? r->options.draft_window : 0,
                               r->options.batch_size));
    for (size_t i = 0; i < r->in->n_answers; i++) {
        make_block(r, i, &b);
        STETI_TRY(steti_buf_puts(out, i > 0 ? ",\n{\"name\":" : "\n{\"name\":", err));
        STETI_TRY(steti_buf_json_string(out, b.name, strlen(b.name), err));
        STETI_TRY(steti_buf_puts(out, ",", err));
        STETI_TRY(json_block(r, &b, sentences, out, err));
    }
    STETI_TRY(steti_buf_puts(out, "]", err));
    if (r->in->n_answers > 1) {
        make_block(r, r->in->n_answers, &b);
        STETI_TRY(steti_buf_puts(out, ",\n\"total\":{", err));
        STETI_TRY(json_block(r, &b, 0, out, err));
    }
    return steti_buf_puts(out, "}\n", err);
}

stet_status replay_report(const struct replay *r, uint32_t format, struct steti_buf *b,
                          stet_error *err)
{
    size_t blocks = r->in->n_answers + (r->in->n_answers > 1);
    if (format == STET_REPORT_JSON) {
        return write_json(r, b, err);
    }
    for (size_t i = 0; i < blocks; i++) {
        struct block block;
        make_block(r, i, &block);
        STETI_TRY(steti_buf_puts(b, i > 0 ? "\n" : "", err));
        STETI_TRY(text_block(r, &block, b, err));
    }
    return STET_OK;
}
