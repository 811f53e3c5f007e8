/* cli_report.h - exit codes, and messages on standard error. */
#ifndef STETI_CLI_REPORT_H
#define STETI_CLI_REPORT_H

#include "status.h"

enum steti_exit {
    STETI_EXIT_OK = 0,
    STETI_EXIT_USAGE = 1,  /* the command line is wrong */
    STETI_EXIT_INPUT = 2,  /* input, output, model or memory */
    STETI_EXIT_VERIFY = 3, /* drafted decoding differed from greedy decoding */
    STETI_EXIT_DEVICE = 4
};

/* The exit code for a status. An STET_E_INVALID that comes from the user's options is a usage
 * error; from anything else it is an input error. */
int steti_exit_of(stet_status st, int from_options);

/* One line "stet: ..." on standard error. */
void steti_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Sends the library's warnings to standard error. */
stet_status steti_report_install(stet_error *err);

/* An empty error, ready to be filled. */
stet_error steti_error_init(void);

#endif
