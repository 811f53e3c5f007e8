#include <string.h>

#include "alloc.h"
#include "cli_cmds.h"
#include "cli_model_path.h"
#include "cli_report.h"
#include "cli_sink.h"

/* Both kinds of options in one list: inspect takes them together. */
static size_t all_options(const struct steti_args *args, stet_option *out)
{
    size_t n = 0;
    for (size_t i = 0; i < args->n_model_options; i++) {
        out[n++] = args->model_options[i];
    }
    for (size_t i = 0; i < args->n_engine_options; i++) {
        out[n++] = args->engine_options[i];
    }
    return n;
}

/* Appends the report to b. The model's status goes to *model, that of the work is returned. */
static stet_status fetch_report(const struct steti_args *args, const char *path,
                                struct steti_buf *b, stet_status *model, stet_error *err)
{
    stet_option options[2 * STETI_ARGS_MAX_OPTIONS];
    uint32_t format = args->json ? STET_REPORT_JSON : STET_REPORT_TEXT;
    size_t n = all_options(args, options), needed = 4096;
    do {
        STETI_TRY(steti_buf_reserve(b, needed + 1, err));
        needed = 0;
        *model = stet_model_inspect(path, options, n, format, b->data, b->cap, &needed, err);
    } while (needed >= b->cap);
    b->len = needed;
    if (b->len > 0 && b->data[b->len - 1] != '\n') {
        return steti_buf_puts(b, "\n", err);
    }
    return STET_OK;
}

static int inspect_folder(const struct steti_args *args, const char *path)
{
    struct steti_sink sink;
    stet_error err = steti_error_init(), write_err = steti_error_init();
    stet_status model = STET_OK, st, closed;
    steti_sink_stdout(&sink);
    st = fetch_report(args, path, &sink.buf, &model, &err);
    closed = steti_sink_close(&sink, &write_err);
    if (st != STET_OK || model != STET_OK) {
        steti_say("%s", err.message);
    }
    if (closed != STET_OK && !sink.broken_pipe) {
        steti_say("%s", write_err.message);
    }
    if (st == STET_OK) {
        st = model != STET_OK ? model : closed;
    }
    return steti_exit_of(st, model == STET_E_INVALID);
}

int steti_cmd_inspect(const struct steti_args *args)
{
    stet_error err = steti_error_init();
    char *path = NULL;
    int code;
    if (args->n_files > 1) {
        steti_say("inspect takes one folder, not %zu", args->n_files);
        return STETI_EXIT_USAGE;
    }
    if (steti_model_path(args->n_files == 1 ? args->files[0] : NULL, &path, &err) != STET_OK) {
        steti_say("%s", err.message);
        return STETI_EXIT_INPUT;
    }
    code = inspect_folder(args, path);
    steti_free(path);
    return code;
}
