#include <string.h>

#include "alloc.h"
#include "cli_cmds.h"
#include "cli_lines.h"
#include "cli_model_path.h"
#include "cli_report.h"
#include "cli_sink.h"

/* The files of one run: the source first, then the answers. */
struct files {
    const struct steti_args *args;
    struct steti_lines *lines; /* [n_files] */
    stet_replay_answers *answers;
    char *folder; /* NULL: none is needed */
};

static const char *shown(const char *name)
{
    return strcmp(name, "-") == 0 ? "standard input" : name;
}

static stet_status check_lines(const struct files *f, size_t i, stet_error *err)
{
    const char *name = shown(f->args->files[i]);
    size_t n = f->lines[i].n, want = f->lines[0].n;
    if (n == 0) {
        return steti_fail(err, STET_E_FORMAT, "%s is empty; it should have a sentence a line",
                          name);
    }
    if (n != want) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s has %zu line%s, but %s has %zu; every line must answer the line of "
                          "the source with the same number",
                          name, n, n == 1 ? "" : "s", shown(f->args->files[0]), want);
    }
    return STET_OK;
}

static stet_status read_files(struct files *f, stet_error *err)
{
    size_t n = f->args->n_files;
    f->lines = steti_calloc(n, sizeof *f->lines);
    f->answers = steti_calloc(n, sizeof *f->answers);
    if (f->lines == NULL || f->answers == NULL) {
        return steti_fail_nomem(err, "a list of files", n * sizeof *f->lines);
    }
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(steti_lines_read(&f->lines[i], f->args->files[i], err));
        STETI_TRY(check_lines(f, i, err));
        if (i > 0) {
            f->answers[i - 1] = (stet_replay_answers){shown(f->args->files[i]), f->lines[i].line};
        }
    }
    /* Token ids need no folder: only one that was asked for is opened. */
    if (f->args->ids && f->args->model == NULL) {
        return STET_OK;
    }
    return steti_model_path(f->args->model, &f->folder, err);
}

static void free_files(struct files *f)
{
    for (size_t i = 0; f->lines != NULL && i < f->args->n_files; i++) {
        steti_lines_free(&f->lines[i]);
    }
    steti_free(f->lines);
    steti_free(f->answers);
    steti_free(f->folder);
}

/* Appends the report to b. */
static stet_status fetch_report(const struct files *f, struct steti_buf *b, stet_error *err)
{
    const struct steti_args *args = f->args;
    uint32_t format = args->json ? STET_REPORT_JSON : STET_REPORT_TEXT;
    /* A guess that spares the second call: four policies and up to four numbers of each pair. */
    size_t pairs = args->per_sentence ? f->lines[0].n * args->n_files : 0;
    size_t needed = 16384 + 4096 * args->n_files + 128 * pairs;
    stet_replay_input in = {
        .struct_size = sizeof in,
        .flags =
            (args->ids ? STET_REPLAY_IDS : 0) | (args->per_sentence ? STET_REPLAY_PER_SENTENCE : 0),
        .folder = f->folder,
        .source_name = shown(args->files[0]),
        .sources = f->lines[0].line,
        .n_sources = f->lines[0].n,
        .answers = f->answers,
        .n_answers = args->n_files - 1,
    };
    do {
        STETI_TRY(steti_buf_reserve(b, needed + 1, err));
        needed = 0;
        STETI_TRY(stet_replay(&in, args->engine_options, args->n_engine_options, format, b->data,
                              b->cap, &needed, err));
    } while (needed >= b->cap);
    b->len = needed;
    return STET_OK;
}

static int check_usage(const struct steti_args *args)
{
    size_t from_stdin = 0;
    if (args->n_files < 2) {
        steti_say("replay needs a file with the sources and at least one with answers; `stet help "
                  "replay` explains it.");
        return STETI_EXIT_USAGE;
    }
    for (size_t i = 0; i < args->n_files; i++) {
        from_stdin += strcmp(args->files[i], "-") == 0;
    }
    if (from_stdin > 1) {
        steti_say("replay can read only one of its files from standard input");
        return STETI_EXIT_USAGE;
    }
    if (args->per_sentence && !args->json) {
        steti_say("option --per_sentence belongs to --json");
        return STETI_EXIT_USAGE;
    }
    return STETI_EXIT_OK;
}

int steti_cmd_replay(const struct steti_args *args)
{
    struct files f = {.args = args};
    struct steti_sink sink;
    stet_error err = steti_error_init(), write_err = steti_error_init();
    stet_status st, closed;
    int code = check_usage(args);
    if (code != STETI_EXIT_OK) {
        return code;
    }
    steti_sink_stdout(&sink);
    st = read_files(&f, &err);
    if (st == STET_OK) {
        st = fetch_report(&f, &sink.buf, &err);
    }
    free_files(&f);
    closed = steti_sink_close(&sink, &write_err);
    if (st != STET_OK) {
        steti_say("%s", err.message);
    } else if (closed != STET_OK && !sink.broken_pipe) {
        steti_say("%s", write_err.message);
    }
    /* What is invalid can only be an option: everything else was checked here. */
    return steti_exit_of(st != STET_OK ? st : closed, 1);
}
