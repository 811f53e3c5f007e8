/* cli_model_path.h - which model is used when the command line names none. */
#ifndef STETI_CLI_MODEL_PATH_H
#define STETI_CLI_MODEL_PATH_H

#include "status.h"

/* given (--model, may be NULL), else $STET_MODEL, else the first of these that holds a config.json:
 *   <folder of the programme>/../models/stet-edge-en            a build folder inside the source tree
 *   <folder of the programme>/../share/stet/models/stet-edge-en an installation, wherever it was moved
 *   <where it was installed>/share/stet/models/stet-edge-en
 * *out is freed with steti_free. STET_E_IO: not found; the message lists the places. */
stet_status steti_model_path(const char *given, char **out, stet_error *err);

#endif
