/* stet_replay: which policies take how many passes for given answers. Only the tokenizer of the
 * folder is opened. */
#include <string.h>

#include "alloc.h"
#include "file_map.h"
#include "replay_internal.h"

#define DEFAULT_BATCH 32

static int has_null_answers(const stet_replay_input *in)
{
    for (size_t i = 0; i < in->n_answers; i++) {
        if (in->answers[i].name == NULL || in->answers[i].texts == NULL) {
            return 1;
        }
    }
    return 0;
}

static stet_status check_input(const stet_replay_input *in, uint32_t format, stet_error *err)
{
    const uint32_t known = STET_REPLAY_IDS | STET_REPLAY_PER_SENTENCE;
    if (in == NULL || in->struct_size < sizeof *in) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_replay: the input is NULL, or its struct_size is smaller than this "
                          "version of stet expects");
    }
    if ((in->flags & ~known) != 0 || format > STET_REPORT_JSON) {
        return steti_fail(err, STET_E_INVALID, "stet_replay: unknown flags or report format");
    }
    if (in->n_sources == 0 || in->n_answers == 0) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_replay: there must be at least one source and one list of answers");
    }
    if (in->folder == NULL && (in->flags & STET_REPLAY_IDS) == 0) {
        return steti_fail(err, STET_E_INVALID, "stet_replay: texts need a folder with a tokenizer");
    }
    if (in->source_name == NULL || in->sources == NULL || in->answers == NULL ||
        has_null_answers(in)) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_replay: names, sources and answers must not be NULL");
    }
    return STET_OK;
}

static stet_status open_tokenizer(struct replay *r, stet_error *err)
{
    if (r->in->folder == NULL) {
        return STET_OK;
    }
    STETI_TRY(steti_folder_check(r->in->folder, err));
    STETI_TRY(steti_tokenizer_open(r->in->folder, &r->tokenizer, err));
    return piece_table_init(&r->table, r->tokenizer, err);
}

static stet_status read_texts(struct replay *r, stet_error *err)
{
    size_t n = r->in->n_answers;
    int longest = 0;
    r->answers = steti_calloc(n, sizeof *r->answers);
    if (r->answers == NULL) {
        return steti_fail_nomem(err, "the answers of a replay", n * sizeof *r->answers);
    }
    STETI_TRY(replay_texts_read(r, r->in->sources, r->in->source_name, &r->sources, err));
    for (size_t i = 0; i < n; i++) {
        const stet_replay_answers *a = &r->in->answers[i];
        STETI_TRY(replay_texts_read(r, a->texts, a->name, &r->answers[i], err));
        longest = r->answers[i].longest > longest ? r->answers[i].longest : longest;
    }
    /* No answer is cut, and no draft is shorter because the output is nearly full. */
    r->max_out = r->sources.longest + longest + 2;
    return STET_OK;
}

static stet_status reserve(struct replay *r, stet_error *err)
{
    size_t pairs = r->in->n_sources * r->in->n_answers, batch = (size_t)r->options.batch_size;
    const struct steti_draft_ops *const *list = steti_draft_list();
    if (pairs / r->in->n_answers != r->in->n_sources) {
        return steti_fail_nomem(err, "the counts of a replay", SIZE_MAX);
    }
    for (int i = 0; list[i] != NULL; i++) {
        struct replay_policy *p = &r->policies[r->n_policies];
        if ((r->options.drafts >> i & 1) == 0 || r->n_policies == REPLAY_MAX_POLICIES) {
            continue;
        }
        p->counts = steti_calloc(pairs, sizeof *p->counts);
        if (p->counts == NULL) {
            return steti_fail_nomem(err, "the counts of a replay", pairs * sizeof *p->counts);
        }
        p->ops = list[i];
        r->n_policies++;
    }
    r->ends = steti_calloc(batch, sizeof *r->ends);
    r->histogram = steti_calloc((size_t)r->max_out + 1, sizeof *r->histogram);
    if (r->ends == NULL || r->histogram == NULL) {
        return steti_fail_nomem(err, "the summary of a replay",
                                batch * sizeof *r->ends + (size_t)r->max_out * sizeof(size_t));
    }
    return STET_OK;
}

static stet_status replay_pairs(struct replay *r, struct steti_replay *core,
                                struct steti_counts *counts, stet_error *err)
{
    size_t n = r->in->n_sources;
    const struct replay_texts *src = &r->sources;
    for (size_t a = 0; a < r->in->n_answers; a++) {
        const struct replay_texts *ans = &r->answers[a];
        for (size_t i = 0; i < n; i++) {
            struct steti_replay_pair pair = {
                .src = src->ids + src->begin[i],
                .n_src = (int)(src->begin[i + 1] - src->begin[i]),
                .answer = ans->ids + ans->begin[i],
                .n_answer = (int)(ans->begin[i + 1] - ans->begin[i]),
            };
            STETI_TRY(steti_replay_run(core, &pair, &counts[a * n + i], err));
        }
    }
    return STET_OK;
}

static stet_status replay_policy(struct replay *r, const struct replay_policy *p, stet_error *err)
{
    struct steti_replay_options o = {
        .draft = p->ops,
        .draft_window = r->options.draft_window > 0 ? r->options.draft_window : 0,
        .max_src = r->sources.longest,
        .max_out = r->max_out,
        .eos = r->tokenizer != NULL ? steti_tokenizer_eos_id(r->tokenizer) : -1,
        .pieces = r->table.data,
        .n_pieces = r->table.n,
        .spelling = &r->table.spelling,
    };
    struct steti_replay *core = NULL;
    stet_status st;
    STETI_TRY(steti_replay_open(&o, &core, err));
    st = replay_pairs(r, core, p->counts, err);
    steti_replay_close(core);
    return st;
}

static stet_status replay_all(struct replay *r, stet_error *err)
{
    STETI_TRY(open_tokenizer(r, err));
    STETI_TRY(read_texts(r, err));
    STETI_TRY(reserve(r, err));
    for (int i = 0; i < r->n_policies; i++) {
        STETI_TRY(replay_policy(r, &r->policies[i], err));
    }
    return STET_OK;
}

static void close_replay(struct replay *r)
{
    for (int i = 0; i < REPLAY_MAX_POLICIES; i++) {
        steti_free(r->policies[i].counts);
    }
    for (size_t i = 0; r->answers != NULL && i < r->in->n_answers; i++) {
        replay_texts_free(&r->answers[i]);
    }
    steti_free(r->answers);
    replay_texts_free(&r->sources);
    steti_free(r->ends);
    steti_free(r->histogram);
    steti_pieces_free(&r->pieces);
    piece_table_free(&r->table);
    steti_tokenizer_close(r->tokenizer);
}

stet_status stet_replay(const stet_replay_input *input, const stet_option *options,
                        size_t n_options, uint32_t format, char *buf, size_t cap, size_t *needed,
                        stet_error *err)
{
    struct replay r;
    struct steti_buf text;
    stet_error local;
    stet_status st;
    err = api_error(err, &local);
    STETI_TRY(check_input(input, format, err));
    if (buf == NULL && cap > 0) {
        return steti_fail(err, STET_E_INVALID, "stet_replay: the buffer is NULL");
    }
    memset(&r, 0, sizeof r);
    r.in = input;
    api_options_defaults(&r.options);
    r.options.batch_size = DEFAULT_BATCH;
    STETI_TRY(api_options_parse(options, n_options, API_SCOPE_REPLAY, &r.options, err));
    steti_buf_init(&text);
    st = replay_all(&r, err);
    if (st == STET_OK) {
        st = replay_report(&r, format, &text, err);
    }
    if (st == STET_OK) {
        api_copy_report(&text, buf, cap, needed);
    }
    steti_buf_free(&text);
    close_replay(&r);
    return st;
}
