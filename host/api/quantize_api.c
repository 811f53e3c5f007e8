/* stet_quantize: a model folder with weights of another type. Everything is written into a folder
 * with a name of its own, which gets its real name when it was read again and is good. */
#include <string.h>
#include <sys/stat.h>

#include "alloc.h"
#include "bind_check.h"
#include "file_map.h"
#include "file_out.h"
#include "quantize_internal.h"
#include "weights_convert.h"

#define WEIGHTS_FILE "model.safetensors"

struct job {
    const stet_quantize_input *in;
    struct api_options options;
    enum steti_dtype type;
    struct steti_new_folder folder;
    struct quantize_outputs before, after;
    stet_quantize_report report;
};

static stet_status check_input(const stet_quantize_input *in, const stet_quantize_report *report,
                               stet_error *err)
{
    if (in == NULL || in->struct_size < sizeof *in || report == NULL ||
        report->struct_size < sizeof *report) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_quantize: the input or the report is NULL, or its struct_size is "
                          "smaller than this version of stet expects");
    }
    if (in->from == NULL || in->to == NULL || in->to[0] == '\0') {
        return steti_fail(err, STET_E_INVALID, "stet_quantize: both folders must be named");
    }
    if (in->n_texts > 0 && (in->texts == NULL || in->texts_name == NULL)) {
        return steti_fail(err, STET_E_INVALID,
                          "stet_quantize: texts and their name must not be NULL");
    }
    return STET_OK;
}

static stet_status check_folders(const stet_quantize_input *in, stet_error *err)
{
    struct stat a, b;
    STETI_TRY(steti_folder_check(in->from, err));
    if (stat(in->from, &a) == 0 && stat(in->to, &b) == 0 && a.st_dev == b.st_dev &&
        a.st_ino == b.st_ino) {
        return steti_fail(err, STET_E_IO,
                          "%s: is the folder that is read; name another one for the result",
                          in->to);
    }
    return STET_OK;
}

static void note_conversion(struct job *j, const struct steti_convert_report *c)
{
    stet_quantize_report *r = &j->report;
    r->quantized = c->quantized;
    r->converted = c->rounded;
    r->kept = c->kept;
    r->left_out = c->left_out;
    r->error = c->error;
    r->worst_error = c->worst_error;
    _Static_assert(sizeof r->worst_tensor == sizeof c->worst, "the names have the same room");
    memcpy(r->worst_tensor, c->worst, sizeof r->worst_tensor);
}

static stet_status convert(struct job *j, const struct steti_weights *w, const uint8_t *uses,
                           stet_error *err)
{
    struct steti_convert_report c;
    char *path = steti_path_join(j->folder.temp, WEIGHTS_FILE);
    stet_status st;
    if (path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(j->folder.temp) + sizeof WEIGHTS_FILE + 1);
    }
    st = steti_weights_convert(w, uses, j->type, j->in->from, path, &c, err);
    steti_free(path);
    if (st == STET_OK) {
        note_conversion(j, &c);
    }
    return st;
}

/* What was written can be read, and is a whole model. */
static stet_status check_result(struct job *j, stet_error *err)
{
    struct steti_weights *w = NULL;
    uint8_t *uses = NULL;
    STETI_TRY(
        bind_check(j->folder.temp, j->type == STETI_I8 ? STETI_I8 : STETI_F32, &w, &uses, err));
    j->report.bytes_after = steti_weights_file_bytes(w);
    j->report.files_after = steti_weights_file_count(w);
    steti_free(uses);
    steti_weights_close(w);
    return STET_OK;
}

static stet_status fill_folder(struct job *j, const struct steti_weights *w, const uint8_t *uses,
                               stet_error *err)
{
    STETI_TRY(quantize_files(j->in->from, j->folder.temp, j->type, &j->report.copied_files, err));
    STETI_TRY(convert(j, w, uses, err));
    STETI_TRY(check_result(j, err));
    if (j->in->n_texts == 0) {
        return STET_OK;
    }
    STETI_TRY(quantize_decode(j->in, j->folder.temp, &j->options, &j->after, err));
    return quantize_compare(&j->before, &j->after, &j->report, err);
}

static stet_status write_folder(struct job *j, const struct steti_weights *w, const uint8_t *uses,
                                stet_error *err)
{
    stet_status st;
    j->report.bytes_before = steti_weights_file_bytes(w);
    j->report.files_before = steti_weights_file_count(w);
    STETI_TRY(steti_new_folder_begin(&j->folder, j->in->to, err));
    st = fill_folder(j, w, uses, err);
    if (st != STET_OK) {
        steti_new_folder_abandon(&j->folder);
        return st;
    }
    return steti_new_folder_commit(&j->folder, err);
}

static stet_status run(struct job *j, stet_error *err)
{
    struct steti_weights *w = NULL;
    uint8_t *uses = NULL;
    stet_status st;
    STETI_TRY(check_folders(j->in, err));
    STETI_TRY(bind_check(j->in->from, j->type == STETI_I8 ? STETI_I8 : STETI_F32, &w, &uses, err));
    st = j->in->n_texts > 0 ? quantize_decode(j->in, j->in->from, &j->options, &j->before, err)
                            : STET_OK;
    if (st == STET_OK) {
        st = write_folder(j, w, uses, err);
    }
    steti_free(uses);
    steti_weights_close(w);
    return st;
}

stet_status stet_quantize(const stet_quantize_input *input, const stet_option *options,
                          size_t n_options, stet_quantize_report *report, stet_error *err)
{
    struct job j;
    stet_error local;
    stet_status st;
    err = api_error(err, &local);
    STETI_TRY(check_input(input, report, err));
    memset(&j, 0, sizeof j);
    j.in = input;
    api_options_defaults(&j.options);
    STETI_TRY(api_options_parse(options, n_options, API_SCOPE_QUANTIZE, &j.options, err));
    j.type = (enum steti_dtype)j.options.stored;
    st = run(&j, err);
    quantize_outputs_free(&j.before);
    quantize_outputs_free(&j.after);
    if (st == STET_OK) {
        j.report.struct_size = report->struct_size;
        memcpy(report, &j.report, sizeof *report);
    }
    return st;
}
