/* safetensors_write.h - writes one .safetensors file, tensors in any order and piece by piece.
 *
 * The header comes first and fixes every place, so that nothing but the caller's pieces is in
 * memory. Its length is such that the data begins at a multiple of 64 bytes. In the order of
 * steti_safetensors_sort every tensor begins at a multiple of its element size, and those whose
 * size is a multiple of 64 at a multiple of 64.
 */
#ifndef STETI_SAFETENSORS_WRITE_H
#define STETI_SAFETENSORS_WRITE_H

#include "file_out.h"
#include "safetensors.h"

struct steti_st_writer {
    struct steti_file_out file;
    uint64_t *begin; /* [n + 1] where tensors begin in the file */
    size_t n;
    uint64_t missing; /* bytes of tensors not written yet */
};

/* Order in the file; of a view only type and shape count. */
int steti_safetensors_order(const struct steti_st_entry *a, const struct steti_st_entry *b);

/* Makes the file and writes its header: these tensors in this order. Names are different and valid
 * UTF-8. On failure there is nothing to close, but the file may be there. */
stet_status steti_st_writer_open(struct steti_st_writer *w, const char *path,
                                 const struct steti_st_entry *entries, size_t n, stet_error *err);
/* `len` bytes of tensor i, from its byte `offset` on. Every byte is written once. */
stet_status steti_st_writer_put(struct steti_st_writer *w, size_t i, uint64_t offset,
                                const void *data, size_t len, stet_error *err);
/* STET_E_INVALID: bytes are missing or were written twice. Nothing is left to close in any case. */
stet_status steti_st_writer_close(struct steti_st_writer *w, stet_error *err);
/* Gives up; legal on a zeroed struct. The file stays where it is. */
void steti_st_writer_drop(struct steti_st_writer *w);

#endif
