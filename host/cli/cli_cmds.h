/* cli_cmds.h - the commands. Each returns the exit code. */
#ifndef STETI_CLI_CMDS_H
#define STETI_CLI_CMDS_H

#include "cli_args.h"

int steti_cmd_correct(const struct steti_args *args);
int steti_cmd_inspect(const struct steti_args *args);
int steti_cmd_quantize(const struct steti_args *args);
int steti_cmd_replay(const struct steti_args *args);

#endif
