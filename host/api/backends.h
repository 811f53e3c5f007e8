/* backends.h - which hardware this build can use. backends.c is the only file that names a
 * backend. */
#ifndef STETI_BACKENDS_H
#define STETI_BACKENDS_H

#include "backend.h"

/* "cpu" and the devices of plug-ins, NULL behind the last. Static storage. */
const char *const *steti_device_names(void);

struct steti_device {
    const char *name;
    const struct steti_backend_ops *ops;
    struct steti_backend *backend; /* ops->close ends it */
};

/* Opens one of these, or "auto": cuda if it can be opened, else the processor, of which a warning
 * to the host program tells the reason. `name` need not stay. On failure *out is all zero.
 * STET_E_DEVICE says what is missing. */
stet_status steti_device_open(const char *name, const struct steti_backend_options *o,
                              struct steti_device *out, stet_error *err);

#endif
