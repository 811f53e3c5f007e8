#include "cli_main.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli_args.h"
#include "cli_cmds.h"
#include "cli_help.h"
#include "cli_report.h"
#include "cli_sink.h"

static const struct {
    const char *name;
    unsigned bit;
    int (*run)(const struct steti_args *args);
} commands[] = {
    {"correct", STETI_CMD_CORRECT, steti_cmd_correct},
    {"inspect", STETI_CMD_INSPECT, steti_cmd_inspect},
    {"quantize", STETI_CMD_QUANTIZE, steti_cmd_quantize},
    {"replay", STETI_CMD_REPLAY, steti_cmd_replay},
};

#define N_COMMANDS (sizeof commands / sizeof commands[0])

static size_t find_command(const char *name)
{
    size_t i = 0;
    while (i < N_COMMANDS && strcmp(commands[i].name, name) != 0) {
        i++;
    }
    return i;
}

static int unknown_command(const char *name)
{
    steti_say("there is no command \"%s\"; the commands are: correct inspect quantize replay help. "
              "`stet --help` explains them.",
              name);
    return STETI_EXIT_USAGE;
}

/* Help is asked for, so it is data: standard output. command 0: the overview. */
static int print_help(unsigned command)
{
    struct steti_sink sink;
    stet_error err = steti_error_init();
    stet_status st, closed;
    steti_sink_stdout(&sink);
    st = command == 0 ? steti_help_overview(&sink.buf, &err)
                      : steti_help_command(&sink.buf, command, &err);
    closed = steti_sink_close(&sink, st == STET_OK ? &err : NULL);
    st = st == STET_OK ? closed : st;
    if (st != STET_OK && !sink.broken_pipe) {
        steti_say("%s", err.message);
    }
    return steti_exit_of(st, 0);
}

static int print_version(void)
{
    struct steti_sink sink;
    stet_error err = steti_error_init();
    stet_status st, closed;
    steti_sink_stdout(&sink);
    st = steti_buf_puts(&sink.buf, "stet " STET_VERSION, &err);
    if (st == STET_OK && strcmp(stet_version(), STET_VERSION) != 0) {
        st = steti_buf_printf(&sink.buf, &err, " (libstet %s)", stet_version());
    }
    if (st == STET_OK) {
        st = steti_buf_puts(&sink.buf, "\n", &err);
    }
    closed = steti_sink_close(&sink, st == STET_OK ? &err : NULL);
    st = st == STET_OK ? closed : st;
    if (st != STET_OK && !sink.broken_pipe) {
        steti_say("%s", err.message);
    }
    return steti_exit_of(st, 0);
}

static int run_help(int argc, char **argv)
{
    size_t i;
    if (argc < 2) {
        return print_help(0);
    }
    i = find_command(argv[1]);
    return i < N_COMMANDS ? print_help(commands[i].bit) : unknown_command(argv[1]);
}

static int run_command(size_t i, int argc, char **argv)
{
    struct steti_args args;
    stet_error err = steti_error_init();
    int rc = steti_args_parse(commands[i].bit, argc, argv, &args);
    if (rc != 0) {
        return rc;
    }
    if (args.help) {
        return print_help(commands[i].bit);
    }
    if (steti_report_install(&err) != STET_OK) {
        steti_say("%s", err.message);
        return STETI_EXIT_INPUT;
    }
    return commands[i].run(&args);
}

/* Where standard input or output is closed, the next file that is opened, or the descriptor of a
 * queue, would be taken for it. Its place is filled with what still gives EBADF. */
static void fill_standard_places(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            /* open() takes the lowest free number. Without /dev/null nothing can be done. */
            int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
            (void)opened;
        }
    }
}

int steti_cli_main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    size_t i = find_command(first);
    fill_standard_places();
    if (i < N_COMMANDS) {
        return run_command(i, argc - 1, argv + 1);
    }
    if (strcmp(first, "help") == 0) {
        return run_help(argc - 1, argv + 1);
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        return print_help(0);
    }
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        return print_version();
    }
    if (argc < 2) {
        steti_say("what should be done? Try `stet correct FILE`, or `stet --help`.");
        return STETI_EXIT_USAGE;
    }
    return unknown_command(first);
}
