/* The rules of a folder in the rows of a pass: each row's list stands behind the one before it. */
#include <stdint.h>

#include "alloc.h"
#include "bytes.h"
#include "request.h"

/* Entries of the lists of so many rows; 0 on overflow. */
static size_t entries_of(const struct steti_spec *spec, const struct steti_session_limits *l,
                         int rows)
{
    size_t most = steti_token_rules_most(spec, l->max_src, l->max_tgt), entries;
    if (!steti_mul_size(most, (size_t)rows, &entries) || entries > INT32_MAX) {
        return 0; /* adjust_begin counts in int32 */
    }
    return entries;
}

int row_rules_bytes(const struct steti_spec *spec, const struct steti_session_limits *l, int rows,
                    size_t *bytes)
{
    size_t rules, entries;
    *bytes = 0;
    if (!steti_generation_has_rules(&spec->generation)) {
        return 1;
    }
    rules = steti_token_rules_bytes(spec, l->max_src, l->max_tgt);
    entries = entries_of(spec, l, rows);
    if (rules == 0 || entries == 0) {
        return 0;
    }
    *bytes = rules + entries * sizeof(struct steti_adjust) + ((size_t)rows + 1) * sizeof(int32_t);
    return 1;
}

stet_status row_rules_open(struct steti_engine *e, stet_error *err)
{
    const struct steti_session_limits *l = &e->session.limits;
    size_t rows = (size_t)e->rows_a_pass, entries;
    if (!steti_generation_has_rules(&e->spec->generation)) {
        return STET_OK;
    }
    entries = entries_of(e->spec, l, e->rows_a_pass);
    e->adjust = entries > 0 ? steti_calloc(entries, sizeof *e->adjust) : NULL;
    e->adjust_begin = steti_calloc(rows + 1, sizeof *e->adjust_begin);
    if (e->adjust == NULL || e->adjust_begin == NULL) {
        return steti_fail_nomem(err, "the lists of generation_config.json's rules",
                                entries * sizeof *e->adjust);
    }
    return steti_token_rules_open(e->spec, l->max_src, l->max_tgt, &e->rules, err);
}

void row_rules_close(struct steti_engine *e)
{
    steti_token_rules_close(e->rules);
    steti_free(e->adjust);
    steti_free(e->adjust_begin);
}

void row_rules_begin(struct steti_engine *e, const struct slot *s)
{
    const struct steti_spec *spec = e->spec;
    if (e->rules == NULL) {
        return;
    }
    steti_token_rules_begin(e->rules);
    steti_token_rules_source(e->rules, spec->src_prefix.id, spec->src_prefix.n);
    steti_token_rules_source(e->rules, s->job->src, s->job->n_src);
    steti_token_rules_source(e->rules, spec->src_suffix.id, spec->src_suffix.n);
    for (int i = 0; i < spec->start.n; i++) {
        steti_token_rules_push(e->rules, spec->start.id[i]);
    }
    for (int i = 0; i < s->job->n_out; i++) {
        steti_token_rules_push(e->rules, s->job->out[i]);
    }
}

void row_rules_skip(struct steti_engine *e, int row)
{
    if (e->rules != NULL) {
        e->adjust_begin[row + 1] = e->adjust_begin[row];
    }
}

void row_rules_write(struct steti_engine *e, int row)
{
    if (e->rules != NULL) {
        int at = e->adjust_begin[row];
        e->adjust_begin[row + 1] = at + steti_token_rules_write(e->rules, e->adjust + at);
    }
}

void row_rules_draft(struct steti_engine *e, int row)
{
    if (e->rules != NULL) {
        steti_token_rules_push(e->rules, e->ids[row]);
        row_rules_write(e, row);
    }
}

void row_rules_end_branch(struct steti_engine *e, const struct slot *s)
{
    if (e->rules != NULL) {
        steti_token_rules_truncate(e->rules, e->spec->start.n + s->job->n_out);
    }
}
