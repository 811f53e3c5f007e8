#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "cli_cmds.h"
#include "cli_model_path.h"
#include "cli_process.h"
#include "cli_report.h"
#include "cli_terminal.h"
#include "clock.h"

static uint64_t now(void)
{
    return steti_now(steti_clock_system());
}

/* Loads the model and makes the engine. Returns the exit code, after a message where it is not
 * 0. */
static int open_engine(const struct steti_args *args, stet_engine **engine)
{
    stet_error err = steti_error_init();
    stet_model *model = NULL;
    char *path = NULL;
    stet_status st = steti_model_path(args->model, &path, &err);
    if (st == STET_OK) {
        st = stet_model_load(path, args->model_options, args->n_model_options, &model, &err);
    }
    if (st == STET_OK) {
        st = stet_engine_create(model, args->engine_options, args->n_engine_options, engine, &err);
    }
    stet_model_release(model);
    steti_free(path);
    if (st != STET_OK) {
        steti_say("%s", err.message);
    }
    return steti_exit_of(st, 1);
}

/* An output file is emptied only when it is none of the inputs. */
static int open_output(const struct steti_args *args, struct steti_sink *sink)
{
    stet_error err = steti_error_init();
    if (args->output == NULL || strcmp(args->output, "-") == 0) {
        steti_sink_stdout(sink);
        return STETI_EXIT_OK;
    }
    if (steti_sink_open(sink, args->output, &err) != STET_OK) {
        steti_say("%s", err.message);
        return STETI_EXIT_INPUT;
    }
    for (size_t i = 0; i < args->n_files; i++) {
        if (steti_sink_is(sink, args->files[i], -1)) {
            steti_say("--output %s is also an input; write to another file and rename it",
                      args->output);
            return STETI_EXIT_USAGE;
        }
    }
    if (args->n_files == 0 && steti_sink_is(sink, NULL, STDIN_FILENO)) {
        steti_say("--output %s is also the input; write to another file and rename it",
                  args->output);
        return STETI_EXIT_USAGE;
    }
    if (steti_sink_truncate(sink, &err) != STET_OK) {
        steti_say("%s", err.message);
        return STETI_EXIT_INPUT;
    }
    return STETI_EXIT_OK;
}

static stet_status print_stats(struct steti_process *p, stet_error *err)
{
    struct steti_sink to_stderr;
    stet_stats stats;
    stet_status st, closed;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    st = stet_engine_stats(p->engine, &stats);
    if (st != STET_OK) {
        return steti_fail(err, st, "no statistics: %s", stet_status_text(st));
    }
    steti_sink_stdout(&to_stderr);
    to_stderr.fd = STDERR_FILENO;
    to_stderr.name = "standard error";
    st = steti_stats_format(&to_stderr.buf, p->args->stats == STETI_STATS_JSON, &stats, &p->counts,
                            err);
    if (st != STET_OK) {
        steti_buf_clear(&to_stderr.buf); /* half an object is of no use */
    }
    closed = steti_sink_close(&to_stderr, st == STET_OK ? err : NULL);
    return st != STET_OK ? st : closed;
}

/* Corrects everything. Returns the exit code; messages are written. */
static int run(struct steti_process *p)
{
    const struct steti_args *args = p->args;
    stet_error err = steti_error_init();
    uint64_t start = now();
    stet_status st = steti_writer_open(&p->writer, args->edits, &p->sink.buf, &err);
    if (st == STET_OK) {
        st = steti_process_init(p, &err);
    }
    if (st == STET_OK) {
        p->writer.color = steti_color_wanted(args->color, p->sink.fd);
        p->writer.wrapped = args->wrapped;
        p->writer.unit = (uint32_t)args->units;
        steti_progress_begin(&p->progress, steti_progress_wanted(args->progress, p->sink.fd),
                             args->files, args->n_files);
        st = steti_process_files(p, &err);
        steti_progress_end(&p->progress, p->counts.bytes, p->counts.lines);
    }
    p->counts.edits = p->writer.n_edits;
    p->counts.wall_ns = now() - start;
    steti_writer_close(&p->writer);
    steti_process_free(p);
    if (st != STET_OK && !p->sink.broken_pipe) {
        steti_say("%s", err.message);
    }
    return st != STET_OK ? steti_exit_of(st, 0) : p->exit_code;
}

static int close_all(struct steti_process *p, int code)
{
    stet_error err = steti_error_init();
    if (steti_sink_close(&p->sink, &err) != STET_OK && code == STETI_EXIT_OK) {
        steti_say("%s", err.message);
        code = STETI_EXIT_INPUT;
    }
    if (p->args->stats != STETI_STATS_NONE) {
        stet_status st = print_stats(p, &err);
        if (st != STET_OK) {
            steti_say("%s", err.message);
            code = code == STETI_EXIT_OK ? steti_exit_of(st, 0) : code;
        }
    }
    stet_engine_destroy(p->engine);
    return code;
}

int steti_cmd_correct(const struct steti_args *args)
{
    struct steti_process p;
    uint64_t start = now();
    int code;
    memset(&p, 0, sizeof p);
    p.args = args;
    code = open_engine(args, &p.engine);
    if (code != STETI_EXIT_OK) {
        return code;
    }
    p.counts.load_ns = now() - start;
    code = open_output(args, &p.sink);
    if (code == STETI_EXIT_OK) {
        code = run(&p);
    } else {
        stet_error ignored = steti_error_init(); /* the reason was reported */
        steti_sink_close(&p.sink, &ignored);
        stet_engine_destroy(p.engine);
        return code;
    }
    return close_all(&p, code);
}
