/* What a model folder holds and whether this build can run it. Every part is examined even when an
 * earlier one failed, so that one report shows all that is known. */
#include <string.h>

#include "api_internal.h"
#include "weights.h"

struct report {
    const char *path;
    struct api_options options;
    stet_status status; /* of loading */
    stet_error error;
    int has_spec, has_weights;
    struct steti_spec spec;
    enum steti_dtype stored;
    size_t n_tensors, n_files, file_bytes;
    uint64_t parameters;
    char tokenizer[48];
    int pieces;
    size_t weight_bytes, engine_bytes, least_bytes;
    char backend[64];
};

/* What is broken is left out of the report, but a report must not lack what is there. */
static stet_status only_nomem(stet_status st)
{
    return st == STET_E_NOMEM ? st : STET_OK;
}

static stet_status examine_weights(struct report *r, stet_error *err)
{
    struct steti_weights *w = NULL;
    stet_status st = steti_weights_open(r->path, &w, err);
    if (st != STET_OK) {
        return only_nomem(st);
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
    struct steti_tokenizer *t = NULL;
    stet_status st = steti_tokenizer_open(r->path, &t, err);
    if (st != STET_OK) {
        return only_nomem(st);
    }
    r->pieces = steti_tokenizer_vocab_size(t);
    strncpy(r->tokenizer, steti_tokenizer_kind(t), sizeof r->tokenizer - 1);
    steti_tokenizer_close(t);
    return STET_OK;
}

/* What an engine on this device would be called and reserve. */
static stet_status examine_engine(struct report *r, const stet_model *m)
{
    struct steti_backend_options bo = {.threads = api_threads(&r->options)};
    struct steti_backend *b = NULL;
    struct steti_backend_caps caps;
    struct api_plan plan;
    stet_status st;
    STETI_TRY(m->ops->open(&bo, &b, &r->error));
    m->ops->caps(b, &caps);
    memcpy(r->backend, caps.name, sizeof r->backend);
    st = api_plan_engine(m, &r->options, b, &plan, &r->error);
    r->engine_bytes = plan.bytes;
    r->least_bytes = api_least_memory(m, &r->options, plan.bytes);
    m->ops->close(b);
    return st;
}

/* Binds the whole model, which is the only sure answer, and measures what it and an engine take. */
static void examine_loading(struct report *r)
{
    stet_model *m = NULL;
    struct steti_backend_caps caps;
    r->status = api_model_open(r->path, &r->options, &m, &r->error);
    if (r->status != STET_OK) {
        return;
    }
    m->ops->caps(m->backend, &caps);
    r->weight_bytes = caps.weight_bytes;
    r->status = examine_engine(r, m);
    api_model_close(m);
}

static stet_status put_size(struct steti_buf *b, const char *label, size_t bytes, stet_error *err)
{
    return steti_buf_printf(b, err, "%-18s %.1f MB\n", label, (double)bytes / 1e6);
}

static stet_status write_spec(const struct report *r, struct steti_buf *b, stet_error *err)
{
    const struct steti_spec *s = &r->spec;
    STETI_TRY(steti_buf_printf(b, err, "%-18s %s\n", "family", steti_family_name(s->family)));
    STETI_TRY(steti_buf_printf(
        b, err, "%-18s %d encoder + %d decoder, width %d, heads %d + %d, inner %d + %d\n", "layers",
        s->enc_layers, s->dec_layers, s->d_model, s->enc_heads, s->dec_heads, s->enc_ffn,
        s->dec_ffn));
    STETI_TRY(steti_buf_printf(b, err, "%-18s %d tokens, %d positions\n", "vocabulary",
                               s->vocab_size, s->max_positions));
    return STET_OK;
}

static stet_status write_text(const struct report *r, struct steti_buf *b, stet_error *err)
{
    STETI_TRY(steti_buf_printf(b, err, "%-18s %s\n", "folder", r->path));
    if (r->has_spec) {
        STETI_TRY(write_spec(r, b, err));
    }
    if (r->has_weights) {
        STETI_TRY(steti_buf_printf(b, err, "%-18s %.2f million in %zu tensors, stored as %s\n",
                                   "parameters", (double)r->parameters / 1e6, r->n_tensors,
                                   steti_dtype_name(r->stored)));
        STETI_TRY(steti_buf_printf(b, err, "%-18s %.1f MB in %zu file%s\n", "weights on disk",
                                   (double)r->file_bytes / 1e6, r->n_files,
                                   r->n_files == 1 ? "" : "s"));
    }
    if (r->pieces > 0) {
        STETI_TRY(steti_buf_printf(b, err, "%-18s %s, %d pieces\n", "tokenizer", r->tokenizer,
                                   r->pieces));
    }
    if (r->status != STET_OK) {
        return steti_buf_printf(b, err, "%-18s no: %s\n", "can be run", r->error.message);
    }
    STETI_TRY(steti_buf_printf(b, err, "%-18s %s\n", "device", r->backend));
    STETI_TRY(put_size(b, "memory, weights", r->weight_bytes, err));
    STETI_TRY(steti_buf_printf(b, err, "%-18s %.1f MB for %d sentences of %d tokens in flight\n",
                               "memory, engine", (double)r->engine_bytes / 1e6,
                               r->options.batch_size, r->options.max_input));
    STETI_TRY(steti_buf_printf(b, err, "%-18s %zu bytes is the least memory_limit for it\n",
                               "memory, in all", r->least_bytes));
    return steti_buf_printf(b, err, "%-18s yes\n", "can be run");
}

static stet_status json_text(struct steti_buf *b, const char *key, const char *value,
                             stet_error *err)
{
    STETI_TRY(steti_buf_printf(b, err, "\"%s\":", key));
    return steti_buf_json_string(b, value, strlen(value), err);
}

static stet_status json_spec(const struct report *r, struct steti_buf *b, stet_error *err)
{
    const struct steti_spec *s = &r->spec;
    STETI_TRY(steti_buf_printf(
        b, err, ",\"family\":\"%s\",\"encoder_layers\":%d,\"decoder_layers\":%d,\"d_model\":%d",
        steti_family_name(s->family), s->enc_layers, s->dec_layers, s->d_model));
    STETI_TRY(steti_buf_printf(b, err,
                               ",\"encoder_attention_heads\":%d,\"decoder_attention_heads\":%d",
                               s->enc_heads, s->dec_heads));
    return steti_buf_printf(
        b, err,
        ",\"encoder_ffn_dim\":%d,\"decoder_ffn_dim\":%d,\"vocab_size\":%d,\"max_positions\":%d",
        s->enc_ffn, s->dec_ffn, s->vocab_size, s->max_positions);
}

static stet_status write_json(const struct report *r, struct steti_buf *b, stet_error *err)
{
    STETI_TRY(steti_buf_puts(b, "{", err));
    STETI_TRY(json_text(b, "folder", r->path, err));
    if (r->has_spec) {
        STETI_TRY(json_spec(r, b, err));
    }
    if (r->has_weights) {
        STETI_TRY(steti_buf_printf(
            b, err, ",\"parameters\":%llu,\"tensors\":%zu,\"stored_type\":\"%s\"",
            (unsigned long long)r->parameters, r->n_tensors, steti_dtype_name(r->stored)));
        STETI_TRY(steti_buf_printf(b, err, ",\"weight_files\":%zu,\"weight_file_bytes\":%zu",
                                   r->n_files, r->file_bytes));
    }
    if (r->pieces > 0) {
        STETI_TRY(steti_buf_printf(b, err, ",\"tokenizer\":\"%s\",\"pieces\":%d", r->tokenizer,
                                   r->pieces));
    }
    STETI_TRY(
        steti_buf_printf(b, err, ",\"can_be_run\":%s", r->status == STET_OK ? "true" : "false"));
    if (r->status != STET_OK) {
        STETI_TRY(steti_buf_puts(b, ",", err));
        STETI_TRY(json_text(b, "reason", r->error.message, err));
    } else {
        STETI_TRY(steti_buf_puts(b, ",", err));
        STETI_TRY(json_text(b, "device", r->backend, err));
        STETI_TRY(steti_buf_printf(b, err,
                                   ",\"weight_bytes\":%zu,\"engine_bytes\":%zu,"
                                   "\"least_memory_limit\":%zu,\"batch_size\":%d",
                                   r->weight_bytes, r->engine_bytes, r->least_bytes,
                                   r->options.batch_size));
    }
    return steti_buf_puts(b, "}\n", err);
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
    STETI_TRY(only_nomem(st));
    STETI_TRY(examine_weights(r, err));
    STETI_TRY(examine_tokenizer(r, err));
    examine_loading(r);
    return format == STET_REPORT_JSON ? write_json(r, b, err) : write_text(r, b, err);
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
    if (st == STET_OK && r.status != STET_OK) {
        return steti_fail(err, r.status, "%s", r.error.message);
    }
    return st;
}
