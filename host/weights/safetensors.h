/* safetensors.h - one .safetensors file: header checked, tensors as views into the mapping.
 *
 * Format: 8 bytes little-endian N (N <= 100,000,000), N bytes of JSON that start with '{'
 * (right-padded with spaces), then the buffer. Checked before anything is handed out: known dtypes;
 * ranges sorted by offset start at 0, touch each other without hole or overlap, and end at the end
 * of the file; e - b equals the product of the shape times the element size, computed without
 * overflow; no duplicate names (after unescaping); __metadata__ holds only strings; a tensor has
 * its three fields and no others, and at most STETI_MAX_RANK dimensions.
 * Empty tensors, scalars, an empty name and any float value are legal.
 */
#ifndef STETI_SAFETENSORS_H
#define STETI_SAFETENSORS_H

#include <stddef.h>

#include "file_map.h"
#include "status.h"
#include "tensor.h"

struct steti_st_entry {
    const char *name; /* inside `names` below */
    struct steti_tensor view;
};

struct steti_safetensors {
    struct steti_file_map map;      /* zero when parsed from memory */
    struct steti_st_entry *entries; /* sorted by name */
    size_t n;
    char *names; /* the names of all entries, one block */
    size_t file_len;
};

/* STET_E_IO: cannot be read, or is not a regular file. STET_E_FORMAT: breaks a rule above.
 * On failure there is nothing to close. */
stet_status steti_safetensors_open(const char *path, struct steti_safetensors *out,
                                   stet_error *err);
/* From memory that stays valid while *out is in use. `name` is used in messages. */
stet_status steti_safetensors_parse(const void *data, size_t len, const char *name,
                                    struct steti_safetensors *out, stet_error *err);
void steti_safetensors_close(struct steti_safetensors *st); /* legal when zeroed, and twice */
/* NULL when absent. */
const struct steti_tensor *steti_safetensors_find(const struct steti_safetensors *st,
                                                  const char *name);

#endif
