#include "fake_stet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "utf8.h"

static const struct {
    const char *from, *to;
} rules[] = {
    {"teh", "the"},
    {"alot", "a lot"},
    {" xdel", ""},
    {"xcut ", ""},
    {"a xboth", "one xbo"},
    {"on\nto", "onto"},
    {"  two", " two"},
    {"xbar", "|||"},
    {"in cases", "in most cases"},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x99\x82\xc3\xa9"},
    {"caf\xc3\xa9", "coffee"},
    {"xlong", "01234567890123456789012345678901234567890123456789"},
};

struct stet_model {
    int refs;
};

const char *stet_version(void)
{
    return STET_VERSION;
}

stet_status stet_set_hooks(const stet_hooks *hooks, stet_error *err)
{
    (void)hooks;
    (void)err;
    return STET_OK;
}

/* ---- options ---- */

static int is_number(const char *s)
{
    return s[0] != '\0' && strspn(s, "0123456789") == strlen(s);
}

static int is_one_of(const char *list, const char *value)
{
    char padded[64], wanted[64];
    snprintf(padded, sizeof padded, " %s ", list);
    snprintf(wanted, sizeof wanted, " %s ", value);
    return strstr(padded, wanted) != NULL;
}

static const struct {
    const char *key, *legal;
} known[] = {
    {"device", "auto cpu cuda"},
    {"device_index", NULL},
    {"compute_type", "auto int8 bfloat16 float16 float32"},
    {"intra_threads", NULL},
    {"batch_size", NULL},
    {"batch_type", "examples tokens"},
    {"queue_size", NULL},
    {"max_input_length", NULL},
    {"max_decoding_length", NULL},
    {"decoding", "aggressive greedy"},
    {"draft", "edit tree sad none all"},
    {"draft_window", NULL},
    {"memory_limit", NULL},
    {"verify", "0 1"},
    {"scores", "0 1"},
};

static stet_status check_option(const stet_option *o, stet_error *err)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].key, o->key) != 0) {
            continue;
        }
        if (known[i].legal != NULL ? is_one_of(known[i].legal, o->value) : is_number(o->value)) {
            return STET_OK;
        }
        return steti_fail(err, STET_E_INVALID, "option %s cannot be \"%s\"", o->key, o->value);
    }
    return steti_fail(err, STET_E_INVALID, "unknown option %s", o->key);
}

static stet_status check_options(const stet_option *options, size_t n, stet_error *err)
{
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(check_option(&options[i], err));
        if (strcmp(options[i].key, "device") == 0 && strcmp(options[i].value, "cuda") == 0) {
            return steti_fail(err, STET_E_DEVICE, "device cuda is not there");
        }
    }
    return STET_OK;
}

/* ---- models and engines ---- */

static stet_status check_folder(const char *path, stet_error *err)
{
    if (strstr(path, "missing") != NULL) {
        return steti_fail(err, STET_E_IO, "%s/config.json: No such file or directory", path);
    }
    if (strstr(path, "broken") != NULL) {
        return steti_fail(err, STET_E_MODEL, "%s: tensor shared.weight is missing", path);
    }
    return STET_OK;
}

stet_status stet_model_load(const char *path, const stet_option *options, size_t n_options,
                            stet_model **out, stet_error *err)
{
    *out = NULL;
    STETI_TRY(check_options(options, n_options, err));
    STETI_TRY(check_folder(path, err));
    *out = steti_calloc(1, sizeof **out);
    if (*out == NULL) {
        return steti_fail_nomem(err, "a model", sizeof **out);
    }
    (*out)->refs = 1;
    return STET_OK;
}

void stet_model_release(stet_model *model)
{
    if (model != NULL && --model->refs == 0) {
        steti_free(model);
    }
}

stet_status stet_model_inspect(const char *path, const stet_option *options, size_t n_options,
                               uint32_t format, char *buf, size_t cap, size_t *needed,
                               stet_error *err)
{
    char report[10001];
    int runs = strstr(path, "broken") == NULL;
    STETI_TRY(check_options(options, n_options, err));
    if (format == STET_REPORT_JSON) {
        snprintf(report, sizeof report, "{\"family\":\"fake\",\"runs\":%s,\"options\":%zu}",
                 runs ? "true" : "false", n_options);
    } else {
        snprintf(report, sizeof report, "family   fake\nruns     %s\noptions  %zu\n",
                 runs ? "yes" : "no", n_options);
    }
    if (strstr(path, "long") != NULL) {
        memset(report, 'x', 10000);
        report[10000] = '\0';
    }
    *needed = strlen(report);
    if (cap > 0) {
        snprintf(buf, cap, "%s", report);
    }
    return check_folder(path, err);
}

/* Says what it was asked. */
stet_status stet_replay(const stet_replay_input *in, const stet_option *options, size_t n_options,
                        uint32_t format, char *buf, size_t cap, size_t *needed, stet_error *err)
{
    struct steti_buf b;
    stet_status st;
    steti_buf_init(&b);
    STETI_TRY(check_options(options, n_options, err));
    STETI_TRY(in->folder != NULL ? check_folder(in->folder, err) : STET_OK);
    st = steti_buf_printf(&b, err, "format %u, flags %u, folder %s, %zu options, %s\n", format,
                          in->flags, in->folder != NULL ? in->folder : "none", n_options,
                          in->source_name);
    for (size_t a = 0; st == STET_OK && a < in->n_answers; a++) {
        st = steti_buf_printf(&b, err, "%s:", in->answers[a].name);
        for (size_t i = 0; st == STET_OK && i < in->n_sources; i++) {
            stet_text s = in->sources[i], t = in->answers[a].texts[i];
            st = steti_buf_printf(&b, err, " [%.*s|%.*s]%s", (int)s.len, s.data, (int)t.len, t.data,
                                  i + 1 == in->n_sources ? "\n" : "");
        }
    }
    *needed = b.len;
    if (st == STET_OK) {
        snprintf(buf, cap, "%.*s", (int)b.len, b.data);
    }
    steti_buf_free(&b);
    return st;
}

/* "broken" and "missing" folders fail; the figures say what was asked. */
stet_status stet_quantize(const stet_quantize_input *in, const stet_option *options,
                          size_t n_options, stet_quantize_report *report, stet_error *err)
{
    STETI_TRY(check_options(options, n_options, err));
    STETI_TRY(check_folder(in->from, err));
    if (strstr(in->to, "full") != NULL) {
        return steti_fail(err, STET_E_IO, "%s: cannot be written: No space left on device", in->to);
    }
    report->bytes_before = 400000000;
    report->bytes_after = n_options > 0 ? 200000000 : 100400000;
    report->files_before = 3;
    report->files_after = 1;
    report->copied_files = 4;
    report->quantized = 26;
    report->converted = n_options;
    report->kept = 31;
    report->left_out = 1;
    report->error = strstr(in->from, "exact") != NULL ? 0.0 : 0.0071;
    if (report->error > 0.0) {
        report->worst_error = 0.0123;
        snprintf(report->worst_tensor, sizeof report->worst_tensor, "encoder.layers.0.fc1.weight");
    }
    for (size_t i = 0; i < in->n_texts; i++) {
        report->lines++;
        report->tokens += in->texts[i].len;
        report->new_tokens += in->texts[i].len + 1;
        report->equal_lines += in->texts[i].len % 2 == 0;
        report->equal_tokens += in->texts[i].len / 2 * 2;
    }
    return STET_OK;
}

stet_status stet_engine_create(stet_model *model, const stet_option *options, size_t n_options,
                               stet_engine **out, stet_error *err)
{
    (void)model;
    *out = NULL;
    STETI_TRY(check_options(options, n_options, err));
    *out = steti_calloc(1, sizeof **out);
    if (*out == NULL) {
        return steti_fail_nomem(err, "an engine", sizeof **out);
    }
    for (size_t i = 0; i < n_options; i++) {
        (*out)->verify |=
            strcmp(options[i].key, "verify") == 0 && strcmp(options[i].value, "1") == 0;
        (*out)->scores |=
            strcmp(options[i].key, "scores") == 0 && strcmp(options[i].value, "1") == 0;
    }
    (*out)->stats.memory_bytes = 4096;
    return STET_OK;
}

void stet_engine_destroy(stet_engine *engine)
{
    steti_free(engine);
}

stet_status stet_engine_stats(stet_engine *engine, stet_stats *out)
{
    uint32_t size = out->struct_size;
    *out = engine->stats;
    out->struct_size = size;
    return STET_OK;
}

/* ---- correcting ---- */

void stet_result_release(stet_result *r)
{
    if (r == NULL || --r->refs > 0) {
        return;
    }
    steti_buf_free(&r->text);
    steti_free(r->source);
    steti_free(r->edits);
    steti_free(r->sentences);
    steti_free(r);
}

/* Index of the rule that applies at p, or -1. */
static int match(const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        size_t len = strlen(rules[i].from);
        if (rules[i].from[0] == *p && len <= n && memcmp(p, rules[i].from, len) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static stet_status add_edit(stet_result *r, size_t off, int rule, float score, stet_error *err)
{
    void *p = r->edits;
    stet_edit *e;
    STETI_TRY(steti_grow(&p, &r->cap_edits, r->n_edits + 1, sizeof *r->edits, err));
    r->edits = p;
    e = &r->edits[r->n_edits++];
    memset(e, 0, sizeof *e);
    e->src_off = off;
    e->src_len = strlen(rules[rule].from);
    e->out_off = r->text.len;
    e->out_len = e->text_len = strlen(rules[rule].to);
    e->text = rules[rule].to;
    e->score = score;
    return steti_buf_puts(&r->text, rules[rule].to, err);
}

static stet_status add_sentence(stet_result *r, size_t begin, size_t end, float score,
                                stet_error *err)
{
    void *p = r->sentences;
    stet_sentence *s;
    STETI_TRY(steti_grow(&p, &r->cap_sentences, r->n_sentences + 1, sizeof *r->sentences, err));
    r->sentences = p;
    s = &r->sentences[r->n_sentences++];
    memset(s, 0, sizeof *s);
    s->src_off = begin;
    s->src_len = end - begin;
    s->source_tokens = s->output_tokens = 1;
    for (size_t i = begin; i < end; i++) {
        s->source_tokens += r->source[i] == ' ';
    }
    s->output_tokens = s->source_tokens;
    s->passes = 1;
    s->score = score;
    return STET_OK;
}

/* Bytes from p on that begin no rule and no sentence; at least 1. */
static size_t plain_run(const char *p, size_t n)
{
    static char stops[sizeof rules / sizeof rules[0] + 2];
    size_t run = 1;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        stops[i] = rules[i].from[0]; /* a blank is one of them */
    }
    while (run < n && p[run] != '\0' && strchr(stops, p[run]) == NULL) {
        run++;
    }
    return run;
}

static stet_status correct_into(stet_result *r, float score, stet_error *err)
{
    size_t begin = 0;
    for (size_t i = 0; i < r->source_len;) {
        int rule = match(r->source + i, r->source_len - i);
        if (rule >= 0) {
            STETI_TRY(add_edit(r, i, rule, score, err));
            i += strlen(rules[rule].from);
        } else {
            size_t run = plain_run(r->source + i, r->source_len - i);
            STETI_TRY(steti_buf_append(&r->text, r->source + i, run, err));
            i += run;
        }
        if (i == r->source_len || (i > 1 && r->source[i] == ' ' && r->source[i - 1] == '.')) {
            STETI_TRY(add_sentence(r, begin, i, score, err));
            begin = i + 1;
        }
    }
    return steti_buf_cstr(&r->text) != NULL ? STET_OK : steti_fail_nomem(err, "a text", 1);
}

int fake_holds(const stet_request *q, const char *word)
{
    return memmem(q->text, q->len, word, strlen(word)) != NULL;
}

static stet_status injected(const stet_engine *engine, const stet_request *q, stet_error *err)
{
    if (fake_holds(q, "!toolong")) {
        return steti_fail(err, STET_E_TOO_LONG, "the text is longer than the limit of 8 words");
    }
    if (fake_holds(q, "!verify") && engine->verify) {
        return steti_fail(err, STET_E_VERIFY, "token 3 is 17 when drafted and 18 when not");
    }
    if (fake_holds(q, "!device")) {
        return steti_fail(err, STET_E_DEVICE, "the device was lost");
    }
    return fake_holds(q, "!nomem") ? steti_fail_nomem(err, "a cache", 99) : STET_OK;
}

stet_status fake_correct(stet_engine *engine, const stet_request *q, stet_result **out,
                         stet_error *err)
{
    stet_result *r;
    float score = engine->scores ? -0.25f : NAN;
    stet_status st = injected(engine, q, err);
    *out = NULL;
    if (st != STET_OK) {
        return st;
    }
    r = steti_calloc(1, sizeof *r);
    if (r == NULL) {
        return steti_fail_nomem(err, "a result", sizeof *r);
    }
    r->refs = 1;
    r->source = steti_strndup(q->text, q->len);
    r->source_len = q->len;
    st = r->source != NULL ? correct_into(r, score, err) : steti_fail_nomem(err, "a text", q->len);
    if (st != STET_OK) {
        stet_result_release(r);
        return st;
    }
    *out = r;
    return STET_OK;
}

void fake_count(stet_engine *engine, const stet_result *r)
{
    stet_stats *s = &engine->stats;
    s->requests++;
    s->sentences += r->n_sentences;
    for (size_t i = 0; i < r->n_sentences; i++) {
        s->source_tokens += r->sentences[i].source_tokens;
        s->output_tokens += r->sentences[i].output_tokens;
    }
    s->passes += r->n_sentences + r->n_edits;
    s->batch_passes += r->n_sentences;
    s->encoder_calls++;
    s->total_ns += 1000000 * r->n_sentences;
}

const char *stet_result_text(const stet_result *r, size_t *len)
{
    if (len != NULL) {
        *len = r->text.len;
    }
    return r->text.data;
}

static size_t units(uint32_t unit, const char *p, size_t n)
{
    return unit == STET_UNIT_BYTE    ? n
           : unit == STET_UNIT_UTF16 ? steti_utf8_count_utf16(p, n)
                                     : steti_utf8_count(p, n);
}

int64_t stet_result_edits(const stet_result *r, uint32_t unit, stet_edit *out, size_t edit_size,
                          size_t first, size_t cap)
{
    if (edit_size != sizeof *out || unit > STET_UNIT_CODEPOINT) {
        return STET_E_INVALID;
    }
    for (size_t i = first; i < r->n_edits && i - first < cap; i++) {
        stet_edit e = r->edits[i];
        e.src_len = units(unit, r->source + e.src_off, (size_t)e.src_len);
        e.src_off = units(unit, r->source, (size_t)e.src_off);
        e.out_len = units(unit, r->text.data + e.out_off, (size_t)e.out_len);
        e.out_off = units(unit, r->text.data, (size_t)e.out_off);
        out[i - first] = e;
    }
    return (int64_t)r->n_edits;
}

int64_t stet_result_sentences(const stet_result *r, stet_sentence *out, size_t sentence_size,
                              size_t first, size_t cap)
{
    if (sentence_size != sizeof *out) {
        return STET_E_INVALID;
    }
    for (size_t i = first; i < r->n_sentences && i - first < cap; i++) {
        out[i - first] = r->sentences[i];
    }
    return (int64_t)r->n_sentences;
}
