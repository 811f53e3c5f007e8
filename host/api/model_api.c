#include <string.h>

#include "alloc.h"
#include "api_internal.h"
#include "compute_types.h"
#include "file_map.h"
#include "languages.h"
#include "log.h"
#include "model_devices.h"

uint64_t stet_clock_ns(void)
{
    return steti_now(steti_clock_system());
}

const char *stet_version(void)
{
    return STET_VERSION;
}

static _Atomic int hooks_closed; /* set once a handle exists: hooks must come first */

void api_close_hooks(void)
{
    atomic_store(&hooks_closed, 1);
}

stet_status stet_set_hooks(const stet_hooks *hooks, stet_error *err)
{
    if (hooks == NULL || hooks->struct_size < sizeof *hooks) {
        return steti_fail(err, STET_E_INVALID,
                          "hooks: struct_size is smaller than this version of stet expects");
    }
    if ((hooks->mem_alloc == NULL) != (hooks->mem_free == NULL)) {
        return steti_fail(err, STET_E_INVALID,
                          "hooks: mem_alloc and mem_free must be set together");
    }
    if (atomic_load(&hooks_closed)) {
        return steti_fail(
            err, STET_E_INVALID,
            "hooks: must be set before the first model is loaded and the first queue made");
    }
    steti_log_set_hook(hooks->log, hooks->log_ctx, hooks->log_level);
    steti_alloc_set_hooks(hooks->mem_alloc, hooks->mem_free, hooks->mem_ctx);
    return STET_OK;
}

stet_error *api_error(stet_error *err, stet_error *local)
{
    memset(local, 0, sizeof *local);
    local->struct_size = sizeof *local;
    return err != NULL ? err : local;
}

static enum steti_dtype compute_type(const struct api_options *o, const struct steti_weights *w)
{
    if (o->compute == API_COMPUTE_AUTO) {
        return steti_model_stored_type(w) == STETI_I8 ? STETI_I8 : STETI_F32;
    }
    return (enum steti_dtype)o->compute;
}

/* Before the weights are read: a large model takes its time. */
static stet_status check_compute(const stet_model *m, stet_error *err)
{
    struct steti_backend_caps caps;
    int compute = m->options.compute;
    char list[COMPUTE_LIST];
    m->ops->caps(m->backend, &caps);
    if (compute == API_COMPUTE_AUTO || (caps.compute_types >> compute & 1u) != 0) {
        return STET_OK;
    }
    return steti_fail(err, STET_E_INVALID,
                      "option compute_type: \"%s\" is not possible on device %s, which computes in "
                      "%s: use auto or one of these, or another device",
                      compute_type_name((enum steti_dtype)compute), m->options.device,
                      compute_type_list(caps.compute_types, list));
}

static stet_status check_vocabulary(const stet_model *m, const struct steti_spec *spec,
                                    const char *path, stet_error *err)
{
    int pieces = steti_tokenizer_vocab_size(m->tokenizer);
    if (pieces > spec->vocab_size) {
        return steti_fail(
            err, STET_E_MODEL,
            "%s: the tokenizer has %d pieces, but config.json says vocab_size %d; they "
            "are of different models",
            path, pieces, spec->vocab_size);
    }
    return STET_OK;
}

static stet_status check_language(const stet_model *m, const char *path, const char *key,
                                  const char *name, int32_t *id, stet_error *err)
{
    *id = language_find(m->tokenizer, name);
    return *id >= 0 ? STET_OK
                    : steti_fail(err, STET_E_MODEL,
                                 "%s/tokenizer_config.json: %s: \"%s\" is not a language of the "
                                 "tokenizer, but the model is told that of its %s",
                                 path, key, name, key[0] == 's' ? "input" : "output");
}

/* Families that are told a source's language get it as the folder says. */
static stet_status set_language(const stet_model *m, struct steti_spec *spec, const char *path,
                                stet_error *err)
{
    int32_t id;
    if (spec->language_place == STETI_LANGUAGE_NONE) {
        return STET_OK;
    }
    if (steti_spec_wants_target(spec) && spec->target_language[0] != '\0') {
        STETI_TRY(check_language(m, path, "tgt_lang", spec->target_language, &id, err));
    }
    if (spec->source_language[0] == '\0') {
        return STET_OK; /* an engine's option may say it */
    }
    STETI_TRY(check_language(m, path, "src_lang", spec->source_language, &id, err));
    steti_spec_set_source_language(spec, id);
    return STET_OK;
}

static stet_status open_net(stet_model *m, struct steti_spec *spec, const char *path,
                            stet_error *err)
{
    struct steti_model_options mo = {.ops = m->ops, .backend = m->backend};
    struct steti_weights *weights = NULL;
    stet_status st;
    STETI_TRY(check_vocabulary(m, spec, path, err));
    STETI_TRY(set_language(m, spec, path, err));
    STETI_TRY(steti_weights_open(path, &weights, err));
    mo.compute = compute_type(&m->options, weights);
    mo.max_positions = API_MAX_TOKENS + 1;
    st = steti_weights_check_finite(weights, err);
    if (st == STET_OK) {
        st = steti_model_open(spec, weights, path, &mo, &m->net, err);
    }
    steti_weights_close(weights);
    return st;
}

void api_model_close(stet_model *m)
{
    if (m == NULL) {
        return;
    }
    model_devices_close(m);
    piece_table_free(&m->pieces);
    steti_misspellings_close(&m->misspellings);
    steti_folder_settings_free(&m->settings);
    steti_tokenizer_close(m->tokenizer);
    steti_free(m);
}

stet_status api_model_open(const char *path, const struct api_options *o, stet_model **out,
                           stet_error *err)
{
    int64_t before = steti_alloc_thread_balance();
    stet_model *m = steti_calloc(1, sizeof *m);
    struct steti_spec spec;
    stet_status st;
    *out = NULL;
    if (m == NULL) {
        return steti_fail_nomem(err, "a model", sizeof *m);
    }
    atomic_store(&m->refs, 1);
    m->options = *o;
    STETI_TRY_GOTO(steti_folder_check(path, err), st, fail);
    STETI_TRY_GOTO(model_devices_open(m, err), st, fail);
    STETI_TRY_GOTO(check_compute(m, err), st, fail);
    STETI_TRY_GOTO(steti_spec_read(path, &spec, err), st, fail);
    STETI_TRY_GOTO(steti_tokenizer_open(path, &m->tokenizer, err), st, fail);
    STETI_TRY_GOTO(piece_table_init(&m->pieces, m->tokenizer, err), st, fail);
    STETI_TRY_GOTO(open_net(m, &spec, path, err), st, fail);
    STETI_TRY_GOTO(model_devices_share(m, err), st, fail);
    STETI_TRY_GOTO(steti_folder_settings_read(path, &m->settings, err), st, fail);
    STETI_TRY_GOTO(steti_misspellings_open(path, &m->misspellings, err), st, fail);
    m->bytes = (size_t)(steti_alloc_thread_balance() - before) + model_devices_elsewhere(m) +
               m->misspellings.map.len; /* a mapped file, but all of it was read */
    *out = m;
    return STET_OK;
fail:
    api_model_close(m);
    return st;
}

stet_status stet_model_load(const char *path, const stet_option *options, size_t n_options,
                            stet_model **out, stet_error *err)
{
    struct api_options o;
    stet_error local;
    err = api_error(err, &local);
    if (out != NULL) {
        *out = NULL;
    }
    if (out == NULL || path == NULL) {
        return steti_fail(err, STET_E_INVALID, "stet_model_load: path and out must not be NULL");
    }
    api_options_defaults(&o);
    STETI_TRY(api_options_parse(options, n_options, API_SCOPE_MODEL, &o, err));
    STETI_TRY(api_model_open(path, &o, out, err));
    api_close_hooks();
    return STET_OK;
}

void stet_model_retain(stet_model *model)
{
    if (model != NULL) {
        atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
    }
}

void stet_model_release(stet_model *model)
{
    if (model != NULL && atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) == 1) {
        api_model_close(model);
    }
}
