/* bytes.h - a reader over (pointer, length) that cannot run past its end. Every parser of files
 * uses it.
 *
 * A failed read moves nothing and returns 0; a successful one returns 1. Little-endian.
 */
#ifndef STETI_BYTES_H
#define STETI_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct steti_bytes {
    const uint8_t *p;
    const uint8_t *end;
    const uint8_t *start; /* for offsets in messages */
};

void steti_bytes_init(struct steti_bytes *b, const void *data, size_t len);
size_t steti_bytes_left(const struct steti_bytes *b);
size_t steti_bytes_offset(const struct steti_bytes *b);

int steti_bytes_u8(struct steti_bytes *b, uint8_t *out);
int steti_bytes_u32le(struct steti_bytes *b, uint32_t *out);
int steti_bytes_u64le(struct steti_bytes *b, uint64_t *out);
/* Protocol-buffers varint: at most 10 bytes, and the value must fit 64 bits. */
int steti_bytes_varint(struct steti_bytes *b, uint64_t *out);
int steti_bytes_skip(struct steti_bytes *b, uint64_t n);
/* Takes the next n bytes as a reader of their own. Offsets of `out` count from the same start. */
int steti_bytes_sub(struct steti_bytes *b, uint64_t n, struct steti_bytes *out);

/* a * b and a + b with overflow reported as 0. */
int steti_mul_size(size_t a, size_t b, size_t *out);
int steti_add_size(size_t a, size_t b, size_t *out);

#endif
