/* cli_input.h - the files of the command line, one after the other, into the flight. */
#ifndef STETI_CLI_INPUT_H
#define STETI_CLI_INPUT_H

#include "cli_args.h"
#include "cli_flight.h"
#include "cli_sink.h"

struct steti_input {
    const struct steti_args *args;
    const struct steti_sink *sink; /* a file that is also the output is not read */
    size_t next_file;
    int is_open, is_ended;
    int fd;
    struct steti_reader reader;
};

void steti_input_init(struct steti_input *in, const struct steti_args *args,
                      const struct steti_sink *sink);
void steti_input_free(struct steti_input *in); /* legal on a zeroed struct */

/* Adds what can be had without waiting, as long as there is room: units that were read, and the
 * beginnings and ends of files. A file that cannot be read is left behind with a notice. */
stet_status steti_input_take(struct steti_input *in, struct steti_flight *f, stet_error *err);

/* What to wait for before steti_input_read; -1 when nothing should be read now. */
int steti_input_fd(const struct steti_input *in, const struct steti_flight *f);
stet_status steti_input_read(struct steti_input *in, struct steti_flight *f, stet_error *err);

/* How messages call a file; in data, standard input is "-". */
const char *steti_input_shown(const char *name);

#endif
