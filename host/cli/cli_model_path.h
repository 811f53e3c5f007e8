/* cli_model_path.h - which model is used when the command line names none. */
#ifndef STETI_CLI_MODEL_PATH_H
#define STETI_CLI_MODEL_PATH_H

#include "status.h"

/* given (--model, may be NULL), else $STET_MODEL, else the first of these that holds a
 * config.json:
 *   PROGRAMME/../models/stet-edge-en               a build folder inside the source tree
 *   PROGRAMME/../share/stet/models/stet-edge-en    an installation, wherever it was moved
 *   PREFIX/share/stet/models/stet-edge-en          where it was installed
 * *out is freed with steti_free. STET_E_IO: not found; the message lists the places. */
stet_status steti_model_path(const char *given, char **out, stet_error *err);

#endif
