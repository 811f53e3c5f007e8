/* cli_help.h - the help texts. */
#ifndef STETI_CLI_HELP_H
#define STETI_CLI_HELP_H

#include "buf.h"

/* What stet is and which commands it has. */
stet_status steti_help_overview(struct steti_buf *b, stet_error *err);

/* A command (an STETI_CMD_ bit) with examples and all its options. */
stet_status steti_help_command(struct steti_buf *b, unsigned command, stet_error *err);

#endif
