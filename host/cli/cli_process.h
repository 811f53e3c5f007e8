/* cli_process.h - the loop of `stet correct`: read, hand in, write what is done, all at the same
 * time. */
#ifndef STETI_CLI_PROCESS_H
#define STETI_CLI_PROCESS_H

#include "cli_args.h"
#include "cli_flight.h"
#include "cli_input.h"
#include "cli_progress.h"
#include "cli_sink.h"
#include "cli_stats.h"
#include "cli_writer.h"

struct steti_process {
    const struct steti_args *args;
    stet_engine *engine;
    struct steti_sink sink;
    struct steti_writer writer;
    struct steti_progress progress;
    struct steti_cli_counts counts;
    struct steti_input input;
    struct steti_flight flight;
    /* Of what was reported and left behind: unreadable files, lines that are too long. */
    int exit_code;
};

/* engine, sink and writer are set up by the caller. */
stet_status steti_process_init(struct steti_process *p, stet_error *err);
/* Only what steti_process_init made. The engine is idle afterwards. */
void steti_process_free(struct steti_process *p);

/* Corrects all files of the arguments, or standard input. A status that is not STET_OK ends the
 * work; its message names file and line. */
stet_status steti_process_files(struct steti_process *p, stet_error *err);

#endif
