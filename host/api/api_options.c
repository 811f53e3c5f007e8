#include "api_options.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compute_types.h"
#include "engine.h"
#include "tensor.h"

#define MAX_REPLAY_BATCH 1024
#define TOKENS_A_SLOT 32 /* an ordinary sentence; shorter ones leave some of the tokens unused */
#define API_ALL_DRAFTS (~0u) /* bits without a policy mean nothing */

void api_options_defaults(struct api_options *o)
{
    memset(o, 0, sizeof *o);
    memcpy(o->device, "cpu", 4);
    o->devices.n = 1;
    o->compute = API_COMPUTE_AUTO;
    o->stored = STETI_I8;
    o->draft = &steti_draft_edit;
    o->draft_window = STETI_WINDOW_AUTO;
    o->drafts = API_ALL_DRAFTS;
    o->batch_size = 8;
    o->misspellings = 1;
    o->min_edit_score = NAN;
    o->queue_size = 1024;
    o->queue_tokens = 1 << 20;
}

typedef stet_status (*setter)(struct api_options *o, const char *key, const char *value,
                              stet_error *err);

static stet_status wrong(const char *key, const char *value, const char *legal, stet_error *err)
{
    return steti_fail(err, STET_E_INVALID, "option %s: \"%.60s\" is not possible, use %s", key,
                      value, legal);
}

/* The library's number readers skip white space and take signs. */
static int starts_with_digit(const char *value)
{
    return value[0] >= '0' && value[0] <= '9';
}

static stet_status parse_int(const char *key, const char *value, int lo, int hi, int *out,
                             stet_error *err)
{
    char *end;
    long v;
    errno = 0;
    v = strtol(value, &end, 10);
    if (!starts_with_digit(value) || errno != 0 || *end != '\0' || v < lo || v > hi) {
        return steti_fail(err, STET_E_INVALID,
                          "option %s: \"%.60s\" is not possible, use a whole number from %d to %d",
                          key, value, lo, hi);
    }
    *out = (int)v;
    return STET_OK;
}

static stet_status parse_switch(const char *key, const char *value, int *out, stet_error *err)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0) {
        return wrong(key, value, "0 or 1", err);
    }
    *out = value[0] == '1';
    return STET_OK;
}

static stet_status set_device(struct api_options *o, const char *key, const char *value,
                              stet_error *err)
{
    if (strcmp(value, "auto") != 0 && strcmp(value, "cpu") != 0 && strcmp(value, "cuda") != 0) {
        return wrong(key, value, "cpu, cuda or auto", err);
    }
    memcpy(o->device, value, strlen(value) + 1);
    return STET_OK;
}

static stet_status set_device_index(struct api_options *o, const char *key, const char *value,
                                    stet_error *err)
{
    (void)key;
    return device_list_parse(value, &o->devices, err);
}

static stet_status set_compute(struct api_options *o, const char *key, const char *value,
                               stet_error *err)
{
    enum steti_dtype type;
    if (strcmp(value, "auto") == 0) {
        o->compute = API_COMPUTE_AUTO;
        return STET_OK;
    }
    if (!compute_type_find(value, &type) || type == STETI_F16) { /* no device sums in it */
        return wrong(key, value, "auto, int8, float32 or bfloat16", err);
    }
    o->compute = (int)type;
    return STET_OK;
}

static stet_status set_stored(struct api_options *o, const char *key, const char *value,
                              stet_error *err)
{
    enum steti_dtype type;
    if (!compute_type_find(value, &type)) {
        return wrong(key, value, "int8, bfloat16, float16 or float32", err);
    }
    o->stored = (int)type;
    return STET_OK;
}

static stet_status set_threads(struct api_options *o, const char *key, const char *value,
                               stet_error *err)
{
    return parse_int(key, value, 1, 256, &o->threads, err);
}

static stet_status set_decoding(struct api_options *o, const char *key, const char *value,
                                stet_error *err)
{
    if (strcmp(value, "aggressive") != 0 && strcmp(value, "greedy") != 0) {
        return wrong(key, value, "aggressive or greedy", err);
    }
    o->greedy = value[0] == 'g';
    return STET_OK;
}

static stet_status set_draft(struct api_options *o, const char *key, const char *value,
                             stet_error *err)
{
    o->draft = steti_draft_find(value);
    return o->draft != NULL ? STET_OK : wrong(key, value, "edit, tree, sad or none", err);
}

static int policy_index(const char *name, size_t len)
{
    const struct steti_draft_ops *const *list = steti_draft_list();
    for (int i = 0; list[i] != NULL; i++) {
        if (strlen(list[i]->name) == len && memcmp(list[i]->name, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

static stet_status set_drafts(struct api_options *o, const char *key, const char *value,
                              stet_error *err)
{
    unsigned chosen = 0;
    if (strcmp(value, "all") == 0) {
        o->drafts = API_ALL_DRAFTS;
        return STET_OK;
    }
    for (const char *p = value;; p++) {
        size_t len = strcspn(p, ",");
        int i = policy_index(p, len);
        if (i < 0) {
            return wrong(key, value, "all, or some of edit, tree, sad and none with commas", err);
        }
        chosen |= 1u << i;
        p += len;
        if (*p == '\0') {
            break;
        }
    }
    o->drafts = chosen;
    return STET_OK;
}

static stet_status set_window(struct api_options *o, const char *key, const char *value,
                              stet_error *err)
{
    if (strcmp(value, "auto") == 0) {
        o->draft_window = STETI_WINDOW_AUTO;
        return STET_OK;
    }
    if (parse_int(key, value, 0, API_MAX_TOKENS, &o->draft_window, NULL) != STET_OK) {
        return wrong(key, value, "auto or a whole number from 0 (no limit) to 65536", err);
    }
    return STET_OK;
}

static stet_status set_batch(struct api_options *o, const char *key, const char *value,
                             stet_error *err)
{
    if (parse_int(key, value, 1, API_MAX_BATCH_TOKENS, &o->batch_size, NULL) != STET_OK) {
        return wrong(key, value, "a whole number from 1 to 1024, with batch_type tokens to 65536",
                     err);
    }
    return STET_OK;
}

static stet_status set_batch_type(struct api_options *o, const char *key, const char *value,
                                  stet_error *err)
{
    o->counts_tokens = strcmp(value, "tokens") == 0;
    return o->counts_tokens || strcmp(value, "examples") == 0
               ? STET_OK
               : wrong(key, value, "examples or tokens", err);
}

/* batch_size means what batch_type says, whichever comes first. */
static stet_status resolve_batch(struct api_options *o, stet_error *err)
{
    if (!o->counts_tokens && o->batch_size > API_MAX_BATCH) {
        return steti_fail(err, STET_E_INVALID,
                          "option batch_size: \"%d\" is not possible, use a whole number from 1 to "
                          "%d, or option batch_type tokens",
                          o->batch_size, API_MAX_BATCH);
    }
    if (o->counts_tokens) {
        int slots = (o->batch_size + TOKENS_A_SLOT - 1) / TOKENS_A_SLOT;
        o->batch_tokens = o->batch_size;
        o->batch_size = slots < API_MAX_BATCH ? slots : API_MAX_BATCH;
    }
    return STET_OK;
}

static stet_status set_replay_batch(struct api_options *o, const char *key, const char *value,
                                    stet_error *err)
{
    return parse_int(key, value, 1, MAX_REPLAY_BATCH, &o->batch_size, err);
}

static stet_status set_max_input(struct api_options *o, const char *key, const char *value,
                                 stet_error *err)
{
    return parse_int(key, value, API_LEAST_ROOM, API_MAX_TOKENS, &o->max_input, err);
}

static stet_status set_max_output(struct api_options *o, const char *key, const char *value,
                                  stet_error *err)
{
    return parse_int(key, value, 8, API_MAX_TOKENS, &o->max_output, err);
}

static stet_status set_memory(struct api_options *o, const char *key, const char *value,
                              stet_error *err)
{
    static const char legal[] = "a number of bytes, with K, M or G (such as 256M)";
    char *end;
    unsigned long long v, unit = 1;
    errno = 0;
    v = strtoull(value, &end, 10);
    if (!starts_with_digit(value) || errno != 0) {
        return wrong(key, value, legal, err);
    }
    if (*end == 'K' || *end == 'M' || *end == 'G') {
        unit = *end == 'K' ? 1u << 10 : *end == 'M' ? 1u << 20 : 1u << 30;
        end++;
    }
    if (*end != '\0' || v == 0 || v > SIZE_MAX / unit) {
        return wrong(key, value, legal, err);
    }
    o->memory_limit = (size_t)(v * unit);
    return STET_OK;
}

static stet_status set_queue_size(struct api_options *o, const char *key, const char *value,
                                  stet_error *err)
{
    return parse_int(key, value, 1, API_MAX_QUEUE, &o->queue_size, err);
}

static stet_status set_queue_tokens(struct api_options *o, const char *key, const char *value,
                                    stet_error *err)
{
    return parse_int(key, value, 1, INT32_MAX, &o->queue_tokens, err);
}

static stet_status set_queue_delay(struct api_options *o, const char *key, const char *value,
                                   stet_error *err)
{
    return parse_int(key, value, 0, INT32_MAX, &o->queue_delay_ms, err);
}

static stet_status set_verify(struct api_options *o, const char *key, const char *value,
                              stet_error *err)
{
    return parse_switch(key, value, &o->verify, err);
}

static stet_status set_scores(struct api_options *o, const char *key, const char *value,
                              stet_error *err)
{
    return parse_switch(key, value, &o->scores, err);
}

static stet_status set_misspellings(struct api_options *o, const char *key, const char *value,
                                    stet_error *err)
{
    return parse_switch(key, value, &o->misspellings, err);
}

/* Digits with at most one point among them, in any locale. */
static int parse_decimal(const char *text, double *out)
{
    double v = 0.0, unit = 1.0;
    int seen_point = 0;
    if (!starts_with_digit(text)) {
        return 0;
    }
    for (; starts_with_digit(text) || (*text == '.' && !seen_point); text++) {
        if (*text == '.') {
            seen_point = 1;
            continue;
        }
        v = v * 10.0 + (*text - '0');
        unit *= seen_point ? 10.0 : 1.0;
    }
    *out = v / unit;
    return *text == '\0' && v < 1e15;
}

static stet_status set_min_score(struct api_options *o, const char *key, const char *value,
                                 stet_error *err)
{
    int negative = value[0] == '-';
    double v = 0.0;
    if (strcmp(value, "none") == 0) {
        o->min_edit_score = -INFINITY;
        return STET_OK;
    }
    if (!parse_decimal(value + negative, &v) || (!negative && v > 0.0) || v > STETI_LOWEST_SCORE) {
        return wrong(key, value, "none or a number from -1000 to 0, such as -0.6", err);
    }
    o->min_edit_score = (float)-v;
    return STET_OK;
}

static stet_status set_prompt(struct api_options *o, const char *key, const char *value,
                              stet_error *err)
{
    o->prompt = value;
    return api_check_prompt(key, value, err);
}

static stet_status set_task(struct api_options *o, const char *key, const char *value,
                            stet_error *err)
{
    (void)key; /* which there are the model says */
    (void)err;
    o->task = value;
    return STET_OK;
}

static stet_status set_source_language(struct api_options *o, const char *key, const char *value,
                                       stet_error *err)
{
    o->source_language = value;
    return value[0] != '\0' ? STET_OK : wrong(key, value, "the name of a language", err);
}

static stet_status set_target_language(struct api_options *o, const char *key, const char *value,
                                       stet_error *err)
{
    o->target_language = value;
    return value[0] != '\0' ? STET_OK : wrong(key, value, "the name of a language", err);
}

static const struct {
    const char *key;
    int scope;
    setter set;
} table[] = {
    {"device", API_SCOPE_MODEL | API_SCOPE_QUANTIZE, set_device},
    {"device_index", API_SCOPE_MODEL | API_SCOPE_QUANTIZE, set_device_index},
    {"compute_type", API_SCOPE_MODEL, set_compute},
    {"compute_type", API_SCOPE_QUANTIZE, set_stored},
    {"intra_threads", API_SCOPE_MODEL | API_SCOPE_QUANTIZE, set_threads},
    {"decoding", API_SCOPE_ENGINE, set_decoding},
    {"draft", API_SCOPE_ENGINE, set_draft},
    {"draft", API_SCOPE_REPLAY, set_drafts},
    {"draft_window", API_SCOPE_ENGINE | API_SCOPE_REPLAY, set_window},
    {"batch_size", API_SCOPE_ENGINE, set_batch},
    {"batch_type", API_SCOPE_ENGINE, set_batch_type},
    {"batch_size", API_SCOPE_REPLAY, set_replay_batch},
    {"max_input_length", API_SCOPE_ENGINE, set_max_input},
    {"max_decoding_length", API_SCOPE_ENGINE, set_max_output},
    {"memory_limit", API_SCOPE_ENGINE, set_memory},
    {"queue_size", API_SCOPE_ENGINE, set_queue_size},
    {"queue_tokens", API_SCOPE_ENGINE, set_queue_tokens},
    {"queue_delay_ms", API_SCOPE_ENGINE, set_queue_delay},
    {"verify", API_SCOPE_ENGINE, set_verify},
    {"scores", API_SCOPE_ENGINE, set_scores},
    {"misspellings", API_SCOPE_ENGINE, set_misspellings},
    {"min_edit_score", API_SCOPE_ENGINE, set_min_score},
    {"prompt", API_SCOPE_ENGINE, set_prompt},
    {"task", API_SCOPE_ENGINE, set_task},
    {"source_language", API_SCOPE_ENGINE, set_source_language},
    {"target_language", API_SCOPE_ENGINE, set_target_language},
};

static const char *owner(int scope)
{
    return scope & API_SCOPE_MODEL    ? "stet_model_load"
           : scope & API_SCOPE_ENGINE ? "stet_engine_create"
                                      : "stet_replay";
}

/* A key may stand in several rows, each for calls of its own. */
static stet_status apply(const stet_option *opt, int scopes, struct api_options *o, stet_error *err)
{
    int elsewhere = 0;
    if (opt->key == NULL || opt->value == NULL) {
        return steti_fail(err, STET_E_INVALID, "an option has no key or no value (NULL)");
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].key, opt->key) != 0) {
            continue;
        }
        if ((table[i].scope & scopes) != 0) {
            return table[i].set(o, opt->key, opt->value, err);
        }
        elsewhere |= table[i].scope;
    }
    if (elsewhere != 0) {
        return steti_fail(err, STET_E_INVALID, "option %s belongs to %s", opt->key,
                          owner(elsewhere));
    }
    return steti_fail(err, STET_E_INVALID, "there is no option \"%.60s\"", opt->key);
}

stet_status api_options_parse(const stet_option *list, size_t n, int scopes, struct api_options *o,
                              stet_error *err)
{
    if (list == NULL && n > 0) {
        return steti_fail(err, STET_E_INVALID, "%zu options announced, but the list is NULL", n);
    }
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(apply(&list[i], scopes, o, err));
    }
    if (o->greedy) {
        o->draft = &steti_draft_none;
    }
    if (o->prompt != NULL && o->task != NULL) {
        return steti_fail(err, STET_E_INVALID, "options prompt and task: use one of them");
    }
    if (strcmp(o->device, "cpu") == 0 && device_list_stray(&o->devices) >= 0) {
        return steti_fail(err, STET_E_INVALID,
                          "option device_index: \"%d\" is not possible with device cpu, use 0, for "
                          "several engines 0-1, 0-2 and so on, or device cuda",
                          device_list_stray(&o->devices));
    }
    return scopes & API_SCOPE_ENGINE ? resolve_batch(o, err) : STET_OK;
}
