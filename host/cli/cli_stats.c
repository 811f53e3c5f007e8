#include "cli_stats.h"

#include <math.h>
#include <sys/resource.h>

struct row {
    const char *key;
    const char *label;
    double value;
    int decimals;
};

#define ROWS_MAX 40

static double ratio(double a, double b)
{
    return b > 0 ? a / b : (double)NAN;
}

/* Peak resident memory of the process in bytes. */
static double peak_resident(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024 : (double)NAN;
}

static struct row *put(struct row *r, const char *key, const char *label, double value,
                       int decimals)
{
    r->key = key;
    r->label = label;
    r->value = value;
    r->decimals = decimals;
    return r + 1;
}

static struct row *put_counts(struct row *r, const stet_stats *s, const struct steti_cli_counts *c)
{
    double sentences = (double)s->sentences, passes = (double)s->passes;
    r = put(r, "lines", "lines", (double)c->lines, 0);
    r = put(r, "bytes", "bytes", (double)c->bytes, 0);
    r = put(r, "sentences", "sentences", sentences, 0);
    r = put(r, "edits", "edits", (double)c->edits, 0);
    r = put(r, "source_tokens", "source tokens", (double)s->source_tokens, 0);
    r = put(r, "output_tokens", "output tokens", (double)s->output_tokens, 0);
    r = put(r, "passes", "decoder passes", passes, 0);
    r = put(r, "passes_per_sentence", "passes per sentence", ratio(passes, sentences), 3);
    r = put(r, "tokens_per_pass", "tokens per pass", ratio((double)s->output_tokens, passes), 3);
    r = put(r, "batch_passes", "batch passes", (double)s->batch_passes, 0);
    r = put(r, "sentences_per_pass", "sentences per pass", ratio(passes, (double)s->batch_passes),
            3);
    r = put(r, "encoder_calls", "encoder calls", (double)s->encoder_calls, 0);
    r = put(r, "rows", "decoder rows", (double)s->rows, 0);
    r = put(r, "drafted", "drafted tokens", (double)s->drafted, 0);
    r = put(r, "accepted", "accepted", (double)s->accepted, 0);
    r = put(r, "rejected", "rejected", (double)s->rejected, 0);
    r = put(r, "reentries", "re-entries", (double)s->reentries, 0);
    r = put(r, "verified", "verified sentences", (double)s->verified, 0);
    return put(r, "unfinished", "left as they were", (double)s->unfinished, 0);
}

static struct row *put_times(struct row *r, const stet_stats *s, const struct steti_cli_counts *c)
{
    double total = (double)s->total_ns, sentences = (double)s->sentences;
    r = put(r, "load_ms", "load, ms", (double)c->load_ns / 1e6, 1);
    r = put(r, "tokenize_ms", "tokenize, ms", (double)s->tokenize_ns / 1e6, 1);
    r = put(r, "encode_ms", "encode, ms", (double)s->encode_ns / 1e6, 1);
    r = put(r, "decode_ms", "decode, ms", (double)s->decode_ns / 1e6, 1);
    r = put(r, "total_ms", "total, ms", total / 1e6, 1);
    r = put(r, "wall_ms", "with input and output, ms", (double)c->wall_ns / 1e6, 1);
    r = put(r, "ms_per_sentence", "ms per sentence", ratio(total / 1e6, sentences), 3);
    r = put(r, "sentences_per_second", "sentences per second", ratio(sentences, total / 1e9), 2);
    r = put(r, "source_tokens_per_second", "source tokens per second",
            ratio((double)s->source_tokens, total / 1e9), 1);
    return put(r, "output_tokens_per_second", "output tokens per second",
               ratio((double)s->output_tokens, total / 1e9), 1);
}

stet_status steti_stats_format(struct steti_buf *b, int json, const stet_stats *s,
                               const struct steti_cli_counts *c, stet_error *err)
{
    struct row rows[ROWS_MAX], *end = rows;
    end = put_counts(end, s, c);
    end = put_times(end, s, c);
    end = put(end, "engine_memory_bytes", "engine memory, bytes", (double)s->memory_bytes, 0);
    end = put(end, "peak_resident_bytes", "peak resident, bytes", peak_resident(), 0);
    for (const struct row *r = rows; r < end; r++) {
        if (json) {
            STETI_TRY(steti_buf_printf(b, err, "%s\"%s\":", r == rows ? "{" : ",", r->key));
        } else {
            STETI_TRY(steti_buf_printf(b, err, "%-26s ", r->label));
        }
        if (isfinite(r->value)) {
            STETI_TRY(steti_buf_printf(b, err, json ? "%.*f" : "%14.*f", r->decimals, r->value));
        } else {
            STETI_TRY(steti_buf_printf(b, err, json ? "%s" : "%14s", json ? "null" : "-"));
        }
        STETI_TRY(steti_buf_puts(b, json ? "" : "\n", err));
    }
    return json ? steti_buf_puts(b, "}\n", err) : STET_OK;
}
