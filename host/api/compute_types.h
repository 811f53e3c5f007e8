/* compute_types.h - what option compute_type calls element types. Private to host/api. */
#ifndef STETI_COMPUTE_TYPES_H
#define STETI_COMPUTE_TYPES_H

#include <stddef.h>

#include "tensor.h"

/* Sets of types have bit 1u << type, as steti_backend_caps.compute_types. */
#define COMPUTE_EVERYWHERE (1u << STETI_F32 | 1u << STETI_I8) /* what every device has */
#define COMPUTE_LIST 64                                       /* bytes for a list of all */

/* "float32", "int8", "bfloat16" or "float16". 0 when it is another word. */
int compute_type_find(const char *name, enum steti_dtype *out);
const char *compute_type_name(enum steti_dtype type); /* "?" for what has no such name */
/* "float32, int8" into buf, "none" for the empty set; returns buf. */
const char *compute_type_list(unsigned types, char buf[COMPUTE_LIST]);

#endif
