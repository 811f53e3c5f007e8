/* bind_check.h - whether a folder's weights are those of its config.json, found out without keeping
 * any. Private to host/api. */
#ifndef STETI_BIND_CHECK_H
#define STETI_BIND_CHECK_H

#include "model.h"

/* Opens the weights of a folder and binds every tensor, as loading does, to nothing. `compute`:
 * STETI_I8 also checks what only quantised matrices must keep to. *uses (steti_free) tells
 * what each tensor is for, enum steti_weight_use. On failure both are NULL. */
stet_status bind_check(const char *folder, enum steti_dtype compute, struct steti_weights **out,
                       uint8_t **uses, stet_error *err);

#endif
