/* The report of stet_model_inspect as lines "name value" and as JSON. */
#include <stdio.h>
#include <string.h>

#include "compute_types.h"
#include "inspect_internal.h"

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
    if (s->positions == STETI_POS_RELATIVE) {
        return steti_buf_printf(b, err, "%-18s %d tokens, positions without limit\n", "vocabulary",
                                s->vocab_size);
    }
    return steti_buf_printf(b, err, "%-18s %d tokens, %d positions\n", "vocabulary", s->vocab_size,
                            s->max_positions);
}

/* One special token, or "#7" where the tokenizer has no piece for it. */
static stet_status put_token(const struct report *r, int32_t id, struct steti_buf *b,
                             stet_error *err)
{
    size_t len = 0;
    const char *s = r->tokenizer != NULL ? steti_tokenizer_piece(r->tokenizer, id, &len) : NULL;
    return s != NULL && len > 0 ? steti_buf_append(b, s, len, err)
                                : steti_buf_printf(b, err, "#%d", (int)id);
}

static stet_status put_wrap(const struct report *r, const struct steti_wrap *w, const char *before,
                            struct steti_buf *b, stet_error *err)
{
    for (int i = 0; i < w->n; i++) {
        STETI_TRY(steti_buf_puts(b, i > 0 ? " " : before, err));
        STETI_TRY(put_token(r, w->id[i], b, err));
    }
    return STET_OK;
}

/* prefix TEXT suffix */
static stet_status put_around(const struct report *r, struct steti_buf *b, stet_error *err)
{
    STETI_TRY(put_wrap(r, &r->around.src_prefix, "", b, err));
    STETI_TRY(steti_buf_puts(b, r->around.src_prefix.n > 0 ? " TEXT" : "TEXT", err));
    return put_wrap(r, &r->around.src_suffix, " ", b, err);
}

static int has_languages(const struct report *r)
{
    return r->n_languages > 0 && r->has_spec &&
           (r->spec.language_place != STETI_LANGUAGE_NONE || r->spec.family == STETI_FAMILY_MARIAN);
}

static stet_status write_tokens(const struct report *r, struct steti_buf *b, stet_error *err)
{
    STETI_TRY(steti_buf_printf(b, err, "%-18s ", "source"));
    STETI_TRY(put_around(r, b, err));
    STETI_TRY(steti_buf_printf(b, err, "\n%-18s ", "decoder start"));
    STETI_TRY(put_wrap(r, &r->around.start, "", b, err));
    STETI_TRY(steti_buf_puts(b, "\n", err));
    if (has_languages(r)) {
        STETI_TRY(steti_buf_printf(b, err, "%-18s %d, such as %s\n", "languages", r->n_languages,
                                   r->languages));
    }
    if (r->n_misspellings > 0) {
        STETI_TRY(steti_buf_printf(b, err, "%-18s %u are mended before the model reads a text\n",
                                   "misspellings", r->n_misspellings));
    }
    if (r->prompt[0] == '\0') {
        return STET_OK;
    }
    STETI_TRY(steti_buf_printf(b, err, "%-18s ", "prompt"));
    STETI_TRY(steti_buf_json_string(b, r->prompt, strlen(r->prompt), err));
    return steti_buf_puts(b, "\n", err);
}

static stet_status write_problems(const struct report *r, struct steti_buf *b, stet_error *err)
{
    STETI_TRY(steti_buf_printf(b, err, "%-18s no: %s\n", "can be run", r->error.message));
    for (int i = 0; i < r->n_problems; i++) {
        if (strcmp(r->problems[i], r->error.message) != 0) {
            STETI_TRY(steti_buf_printf(b, err, "%-18s %s\n", "problem", r->problems[i]));
        }
    }
    return STET_OK;
}

static stet_status write_memory(const struct report *r, struct steti_buf *b, stet_error *err)
{
    const char *where = r->n_used > 1 ? " on each device" : "";
    STETI_TRY(put_size(b, "memory, weights", r->weight_bytes, err));
    STETI_TRY(steti_buf_printf(b, err, "%-18s %.1f MB for %d sentences of %d tokens in flight%s\n",
                               "memory, engine", (double)r->engine_bytes / 1e6,
                               r->options.batch_size, r->options.max_input, where));
    for (int i = 0; i < INSPECT_FLIGHTS; i++) {
        STETI_TRY(steti_buf_printf(b, err, "%-18s %.1f MB in all with %d in flight%s\n",
                                   "memory, requests", (double)r->flight_bytes[i] / 1e6,
                                   inspect_flights[i], where));
    }
    return steti_buf_printf(b, err, "%-18s %zu bytes is the least memory_limit for it\n",
                            "memory, in all", r->least_bytes);
}

static stet_status write_devices(const struct report *r, struct steti_buf *b, stet_error *err)
{
    for (int i = 0; i < r->n_devices; i++) {
        const struct inspect_device *d = &r->devices[i];
        char label[32], list[COMPUTE_LIST];
        snprintf(label, sizeof label, d->index < 0 ? "device, %s" : "device, %s:%d", d->name,
                 d->index);
        STETI_TRY(steti_buf_printf(b, err, "%-18s %s: %s\n", label, d->is_usable ? "yes" : "no",
                                   d->text));
        if (d->is_usable) {
            snprintf(label, sizeof label, d->index < 0 ? "device, %s has" : "device, %s:%d has",
                     d->name, d->index);
            STETI_TRY(steti_buf_printf(b, err, "%-18s %s\n", label,
                                       compute_type_list(d->compute_types, list)));
        }
    }
    return STET_OK;
}

stet_status inspect_write_text(const struct report *r, struct steti_buf *b, stet_error *err)
{
    char list[COMPUTE_LIST];
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
    if (r->has_spec && r->has_weights) {
        STETI_TRY(steti_buf_printf(b, err, "%-18s %s\n", "compute types",
                                   compute_type_list(r->weight_types & r->device_types, list)));
    }
    if (r->tokenizer != NULL) {
        STETI_TRY(steti_buf_printf(b, err, "%-18s %s, %d pieces\n", "tokenizer",
                                   steti_tokenizer_kind(r->tokenizer),
                                   steti_tokenizer_vocab_size(r->tokenizer)));
    }
    if (r->has_spec) {
        STETI_TRY(write_tokens(r, b, err));
    }
    STETI_TRY(write_devices(r, b, err));
    if (r->status != STET_OK) {
        return write_problems(r, b, err);
    }
    STETI_TRY(steti_buf_printf(b, err, "%-18s %s", "device", r->backend));
    STETI_TRY(r->n_used > 1 ? steti_buf_printf(b, err, ", the first of %d\n", r->n_used)
                            : steti_buf_puts(b, "\n", err));
    STETI_TRY(write_memory(r, b, err));
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
    STETI_TRY(steti_buf_printf(b, err,
                               ",\"encoder_ffn_dim\":%d,\"decoder_ffn_dim\":%d,\"vocab_size\":%d",
                               s->enc_ffn, s->dec_ffn, s->vocab_size));
    return s->positions == STETI_POS_RELATIVE
               ? steti_buf_puts(b, ",\"max_positions\":null", err)
               : steti_buf_printf(b, err, ",\"max_positions\":%d", s->max_positions);
}

static stet_status json_ids(struct steti_buf *b, const char *key, const struct steti_wrap *w,
                            stet_error *err)
{
    STETI_TRY(steti_buf_printf(b, err, ",\"%s\":[", key));
    for (int i = 0; i < w->n; i++) {
        STETI_TRY(steti_buf_printf(b, err, i > 0 ? ",%d" : "%d", (int)w->id[i]));
    }
    return steti_buf_puts(b, "]", err);
}

static stet_status json_requests(const struct report *r, struct steti_buf *b, stet_error *err)
{
    char list[COMPUTE_LIST];
    if (r->has_spec) {
        STETI_TRY(json_ids(b, "source_prefix_ids", &r->around.src_prefix, err));
        STETI_TRY(json_ids(b, "source_suffix_ids", &r->around.src_suffix, err));
        STETI_TRY(json_ids(b, "start_ids", &r->around.start, err));
    }
    if (r->has_spec && r->has_weights) {
        STETI_TRY(steti_buf_puts(b, ",", err));
        STETI_TRY(json_text(b, "compute_types",
                            compute_type_list(r->weight_types & r->device_types, list), err));
    }
    STETI_TRY(steti_buf_printf(b, err, ",\"languages\":%d,\"misspellings\":%u,",
                               has_languages(r) ? r->n_languages : 0, r->n_misspellings));
    return json_text(b, "prompt", r->prompt, err);
}

static stet_status json_problems(const struct report *r, struct steti_buf *b, stet_error *err)
{
    STETI_TRY(steti_buf_puts(b, ",\"problems\":[", err));
    for (int i = 0; i < r->n_problems; i++) {
        STETI_TRY(steti_buf_puts(b, i > 0 ? "," : "", err));
        STETI_TRY(steti_buf_json_string(b, r->problems[i], strlen(r->problems[i]), err));
    }
    return steti_buf_puts(b, "]", err);
}

static stet_status json_devices(const struct report *r, struct steti_buf *b, stet_error *err)
{
    STETI_TRY(steti_buf_puts(b, ",\"devices\":[", err));
    for (int i = 0; i < r->n_devices; i++) {
        const struct inspect_device *d = &r->devices[i];
        char list[COMPUTE_LIST];
        STETI_TRY(steti_buf_printf(b, err, "%s{\"device\":\"%s\",\"can_be_used\":%s,",
                                   i > 0 ? "," : "", d->name, d->is_usable ? "true" : "false"));
        STETI_TRY(json_text(b, d->is_usable ? "name" : "reason", d->text, err));
        if (d->is_usable) {
            STETI_TRY(steti_buf_puts(b, ",", err));
            STETI_TRY(
                json_text(b, "compute_types", compute_type_list(d->compute_types, list), err));
        }
        STETI_TRY(d->index < 0 ? steti_buf_puts(b, "}", err)
                               : steti_buf_printf(b, err, ",\"device_index\":%d}", d->index));
    }
    return steti_buf_puts(b, "]", err);
}

static stet_status json_memory(const struct report *r, struct steti_buf *b, stet_error *err)
{
    STETI_TRY(steti_buf_puts(b, ",\"memory_in_flight\":{", err));
    for (int i = 0; i < INSPECT_FLIGHTS; i++) {
        STETI_TRY(steti_buf_printf(b, err, "%s\"%d\":%zu", i > 0 ? "," : "", inspect_flights[i],
                                   r->flight_bytes[i]));
    }
    return steti_buf_puts(b, "}", err);
}

stet_status inspect_write_json(const struct report *r, struct steti_buf *b, stet_error *err)
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
    if (r->tokenizer != NULL) {
        STETI_TRY(steti_buf_printf(b, err, ",\"tokenizer\":\"%s\",\"pieces\":%d",
                                   steti_tokenizer_kind(r->tokenizer),
                                   steti_tokenizer_vocab_size(r->tokenizer)));
    }
    STETI_TRY(json_requests(r, b, err));
    STETI_TRY(json_devices(r, b, err));
    STETI_TRY(
        steti_buf_printf(b, err, ",\"can_be_run\":%s", r->status == STET_OK ? "true" : "false"));
    if (r->status != STET_OK) {
        STETI_TRY(steti_buf_puts(b, ",", err));
        STETI_TRY(json_text(b, "reason", r->error.message, err));
        STETI_TRY(json_problems(r, b, err));
    } else {
        STETI_TRY(steti_buf_puts(b, ",", err));
        STETI_TRY(json_text(b, "device", r->backend, err));
        STETI_TRY(steti_buf_printf(b, err,
                                   ",\"device_count\":%d,\"weight_bytes\":%zu,\"engine_bytes\":%zu,"
                                   "\"least_memory_limit\":%zu,\"batch_size\":%d",
                                   r->n_used, r->weight_bytes, r->engine_bytes, r->least_bytes,
                                   r->options.batch_size));
        STETI_TRY(json_memory(r, b, err));
    }
    return steti_buf_puts(b, "}\n", err);
}
