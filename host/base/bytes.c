#include "bytes.h"

void steti_bytes_init(struct steti_bytes *b, const void *data, size_t len)
{
    b->start = data;
    b->p = data;
    b->end = len > 0 ? b->p + len : b->p;
}

size_t steti_bytes_left(const struct steti_bytes *b)
{
    return (size_t)(b->end - b->p);
}

size_t steti_bytes_offset(const struct steti_bytes *b)
{
    return (size_t)(b->p - b->start);
}

int steti_bytes_u8(struct steti_bytes *b, uint8_t *out)
{
    if (b->p == b->end) {
        return 0;
    }
    *out = *b->p++;
    return 1;
}

static int read_le(struct steti_bytes *b, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    if (steti_bytes_left(b) < n) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        v |= (uint64_t)b->p[i] << (8 * i);
    }
    b->p += n;
    *out = v;
    return 1;
}

int steti_bytes_u32le(struct steti_bytes *b, uint32_t *out)
{
    uint64_t v;
    if (!read_le(b, 4, &v)) {
        return 0;
    }
    *out = (uint32_t)v;
    return 1;
}

int steti_bytes_u64le(struct steti_bytes *b, uint64_t *out)
{
    return read_le(b, 8, out);
}

int steti_bytes_varint(struct steti_bytes *b, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 10 && i < steti_bytes_left(b); i++) {
        uint8_t c = b->p[i];
        if (i == 9 && c > 1) {
            return 0; /* the tenth byte may only carry bit 63 */
        }
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if ((c & 0x80) == 0) {
            b->p += i + 1;
            *out = v;
            return 1;
        }
    }
    return 0;
}

int steti_bytes_skip(struct steti_bytes *b, uint64_t n)
{
    if (n > steti_bytes_left(b)) {
        return 0;
    }
    b->p += n;
    return 1;
}

int steti_bytes_sub(struct steti_bytes *b, uint64_t n, struct steti_bytes *out)
{
    if (n > steti_bytes_left(b)) {
        return 0;
    }
    out->start = b->start;
    out->p = b->p;
    out->end = b->p + n;
    b->p += n;
    return 1;
}

int steti_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

int steti_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
