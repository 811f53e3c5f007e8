/* backends.h - which hardware this build can use. backends.c is the only file that names a
 * backend. */
#ifndef STETI_BACKENDS_H
#define STETI_BACKENDS_H

#include "backend.h"

/* device: "auto", "cpu" or "cuda". STET_E_DEVICE says what is missing. "auto" falls back to the
 * processor. */
stet_status steti_backend_select(const char *device, const struct steti_backend_ops **out,
                                 stet_error *err);

#endif
