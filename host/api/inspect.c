/* What a model folder holds and whether this build can run it. Every part is examined even when an
 * earlier one failed, so that one report shows all that is known. */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "backends.h"
#include "bind_check.h"
#include "compute_types.h"
#include "inspect_internal.h"
#include "languages.h"
#include "utf8.h"
#include "weights.h"

const int inspect_flights[INSPECT_FLIGHTS] = {1, 8, 32, 128};

static void add_problem(struct report *r, const char *message)
{
    for (int i = 0; i < r->n_problems; i++) {
        if (strcmp(r->problems[i], message) == 0) {
            return;
        }
    }
    if (r->n_problems < INSPECT_PROBLEMS) {
        snprintf(r->problems[r->n_problems++], sizeof r->problems[0], "%s", message);
    }
}

/* What is broken is left out of the report, but a report must not lack what is there. */
static stet_status note(struct report *r, stet_status st, const stet_error *err)
{
    if (st != STET_OK && st != STET_E_NOMEM) {
        add_problem(r, err->message);
    }
    return st == STET_E_NOMEM ? st : STET_OK;
}

static stet_status examine_weights(struct report *r, stet_error *err)
{
    struct steti_weights *w = NULL;
    stet_status st = steti_weights_open(r->path, &w, err);
    if (st != STET_OK) {
        return note(r, st, err);
    }
    r->has_weights = 1;
    r->stored = steti_model_stored_type(w);
    r->n_tensors = steti_weights_count(w);
    r->n_files = steti_weights_file_count(w);
    r->file_bytes = steti_weights_file_bytes(w);
    for (size_t i = 0; i < r->n_tensors; i++) {
        const char *name = steti_weights_name(w, i);
        size_t len = strlen(name);
        if (len < 6 || strcmp(name + len - 6, "_scale") != 0) {
            r->parameters += (uint64_t)steti_tensor_count(steti_weights_at(w, i));
        }
    }
    steti_weights_close(w);
    return STET_OK;
}

static stet_status examine_tokenizer(struct report *r, stet_error *err)
{
    stet_status st = steti_tokenizer_open(r->path, &r->tokenizer, err);
    if (st != STET_OK) {
        return note(r, st, err);
    }
    r->n_languages = language_list(r->tokenizer, r->languages, sizeof r->languages);
    return STET_OK;
}

static stet_status examine_settings(struct report *r, stet_error *err)
{
    struct steti_folder_settings s;
    stet_status st = steti_folder_settings_read(r->path, &s, err);
    if (st != STET_OK) {
        return note(r, st, err);
    }
    steti_folder_settings_free(&s);
    return STET_OK;
}

static stet_status examine_misspellings(struct report *r, stet_error *err)
{
    struct steti_misspellings t;
    stet_status st = steti_misspellings_open(r->path, &t, err);
    r->n_misspellings = t.n_rows;
    steti_misspellings_close(&t);
    return st != STET_OK ? note(r, st, err) : STET_OK;
}

static stet_status try_binding(struct report *r, enum steti_dtype compute, stet_error *err)
{
    struct steti_weights *w = NULL;
    uint8_t *uses = NULL;
    stet_status st = bind_check(r->path, compute, &w, &uses, err);
    r->weight_types |= st == STET_OK ? 1u << compute : 0;
    steti_weights_close(w);
    steti_free(uses);
    return note(r, st, err);
}

/* Are the tensors those of config.json? Whatever the tokenizer is. */
static stet_status examine_binding(struct report *r, stet_error *err)
{
    if (!r->has_spec || !r->has_weights) {
        return STET_OK;
    }
    STETI_TRY(try_binding(r, STETI_F32, err));
    STETI_TRY(try_binding(r, STETI_I8, err));
    return try_binding(r, STETI_BF16, err);
}

/* Engines with other numbers of requests, without a limit of memory. */
static stet_status examine_flights(struct report *r, const stet_model *m,
                                   const struct steti_backend *b)
{
    for (int i = 0; i < INSPECT_FLIGHTS; i++) {
        struct api_options o = r->options;
        struct api_plan plan;
        o.batch_size = inspect_flights[i];
        o.batch_tokens = 0;
        o.memory_limit = 0;
        STETI_TRY(api_plan_engine(m, &o, b, &plan, &r->error));
        r->flight_bytes[i] = api_least_memory(m, &o, plan.bytes);
    }
    return STET_OK;
}

/* Describes one device; *all is how many there are of its kind, where that can be told. */
static stet_status examine_device(struct report *r, const char *name, int index, int *all,
                                  stet_error *err)
{
    struct inspect_device *out = &r->devices[r->n_devices++];
    struct steti_backend_options o = {.threads = api_threads(&r->options), .device_index = index};
    struct steti_backend_caps caps;
    struct steti_device d;
    stet_status st = steti_device_open(name, &o, &d, err);
    if (st == STET_E_NOMEM) {
        return st;
    }
    out->name = name;
    out->index = -1;
    out->is_usable = st == STET_OK;
    if (st == STET_OK) {
        d.ops->caps(d.backend, &caps);
        d.ops->close(d.backend);
        out->compute_types = caps.compute_types;
        if (d.ops->count_devices != NULL && d.ops->count_devices(all, NULL) != STET_OK) {
            *all = 1;
        }
    }
    snprintf(out->text, sizeof out->text, "%s", st == STET_OK ? caps.name : err->message);
    return STET_OK;
}

/* The devices of a kind that the options ask for, or would if they asked for this kind. */
static stet_status examine_kind(struct report *r, const char *name, stet_error *err)
{
    struct api_device_list list = r->options.devices;
    int first = r->n_devices, all = 1;
    if (strcmp(name, "cpu") == 0) {
        return examine_device(r, name, 0, &all, err);
    }
    for (int i = 0; i < list.n; i++) {
        STETI_TRY(examine_device(r, name, list.index[i], &all, err));
        if (list.is_all) {
            device_list_first(&list, all);
        }
        r->devices[first + i].index = list.n > 1 ? list.index[i] : -1;
    }
    return STET_OK;
}

/* All that an option could ask for, whatever the folder. */
static stet_status examine_devices(struct report *r, stet_error *err)
{
    const char *const *names = steti_device_names();
    for (int i = 0; names[i] != NULL; i++) {
        STETI_TRY(examine_kind(r, names[i], err));
    }
    return STET_OK;
}

/* Of the device that loading takes; where it cannot be used, what any would do. */
static unsigned device_types(const struct report *r)
{
    const char *wanted = r->options.device;
    unsigned found = COMPUTE_EVERYWHERE;
    for (int i = 0; i < r->n_devices; i++) {
        const struct inspect_device *d = &r->devices[i];
        /* auto takes the last that works */
        if (d->is_usable && (strcmp(wanted, "auto") == 0 || strcmp(wanted, d->name) == 0)) {
            found = d->compute_types;
        }
    }
    return found;
}

/* What an engine on this device would be called and reserve. */
static stet_status examine_engine(struct report *r, const stet_model *m)
{
    struct steti_backend *b = NULL;
    struct steti_backend_caps caps;
    struct api_plan plan;
    stet_status st;
    STETI_TRY(api_context_open(m, 0, &b, &r->error));
    m->ops->caps(b, &caps);
    memcpy(r->backend, caps.name, sizeof r->backend);
    r->n_used = m->options.devices.n;
    st = api_plan_engine(m, &r->options, b, &plan, &r->error);
    r->engine_bytes = plan.bytes;
    r->least_bytes = api_least_memory(m, &r->options, plan.bytes);
    if (st == STET_OK) {
        r->around = plan.around;
        snprintf(r->prompt, sizeof r->prompt, "%s",
                 r->options.prompt != NULL ? r->options.prompt : "");
        r->prompt[steti_utf8_valid_prefix(r->prompt, strlen(r->prompt))] = '\0';
        st = examine_flights(r, m, b);
    }
    m->ops->close(b);
    return st;
}

/* Binds the whole model, which is the only sure answer, and measures what it and an engine take. */
static void examine_loading(struct report *r)
{
    stet_model *m = NULL;
    r->status = api_model_open(r->path, &r->options, &m, &r->error);
    if (r->status != STET_OK) {
        add_problem(r, r->error.message);
        return;
    }
    r->weight_bytes = api_model_weight_bytes(m);
    r->status = examine_engine(r, m);
    if (r->status != STET_OK) {
        add_problem(r, r->error.message);
    }
    api_model_close(m);
}

void api_copy_report(const struct steti_buf *b, char *buf, size_t cap, size_t *needed)
{
    size_t n = b->len < cap ? b->len : cap > 0 ? cap - 1 : 0;
    if (cap > 0) {
        memcpy(buf, b->len > 0 ? b->data : "", n);
        buf[n] = '\0';
    }
    if (needed != NULL) {
        *needed = b->len;
    }
}

static stet_status make_report(struct report *r, uint32_t format, struct steti_buf *b,
                               stet_error *err)
{
    stet_status st = steti_spec_read(r->path, &r->spec, err);
    r->has_spec = st == STET_OK;
    r->around = steti_spec_around(&r->spec);
    STETI_TRY(note(r, st, err));
    STETI_TRY(examine_weights(r, err));
    STETI_TRY(examine_tokenizer(r, err));
    STETI_TRY(examine_settings(r, err));
    STETI_TRY(examine_misspellings(r, err));
    STETI_TRY(examine_binding(r, err));
    STETI_TRY(examine_devices(r, err));
    r->device_types = device_types(r);
    examine_loading(r);
    return format == STET_REPORT_JSON ? inspect_write_json(r, b, err)
                                      : inspect_write_text(r, b, err);
}

stet_status stet_model_inspect(const char *path, const stet_option *options, size_t n_options,
                               uint32_t format, char *buf, size_t cap, size_t *needed,
                               stet_error *err)
{
    struct report r;
    struct steti_buf text;
    stet_error local;
    stet_status st;
    err = api_error(err, &local);
    if (path == NULL || format > STET_REPORT_JSON || (buf == NULL && cap > 0)) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_model_inspect: path or buffer is NULL, or the format is unknown");
    }
    memset(&r, 0, sizeof r);
    r.path = path;
    r.error.struct_size = sizeof r.error;
    api_options_defaults(&r.options);
    STETI_TRY(
        api_options_parse(options, n_options, API_SCOPE_MODEL | API_SCOPE_ENGINE, &r.options, err));
    steti_buf_init(&text);
    st = make_report(&r, format, &text, err);
    api_copy_report(&text, buf, cap, needed);
    steti_buf_free(&text);
    steti_tokenizer_close(r.tokenizer);
    if (st == STET_OK && r.status != STET_OK) {
        return steti_fail(err, r.status, "%s", r.error.message);
    }
    return st;
}
