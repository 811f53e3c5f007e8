/* device_swap.h - puts another backend under a loaded model. In C, as the inside of a handle is. */
#ifndef STET_TEST_DEVICE_SWAP_H
#define STET_TEST_DEVICE_SWAP_H

#include "backend.h"
#include "stet.h"

/* `ops` must work on what the model's own backend has made. `folder` is the model's. */
stet_status swap_device(stet_model *m, const char *folder, const struct steti_backend_ops *ops);

#endif
