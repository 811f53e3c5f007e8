#include "offsets.h"

#include "stet.h"
#include "utf8.h"

void steti_offset_cursor_init(struct steti_offset_cursor *c, const char *text, size_t len,
                              uint32_t kind)
{
    c->text = text;
    c->len = len;
    c->byte = 0;
    c->unit = 0;
    c->kind = kind;
}

uint64_t steti_offset_at(struct steti_offset_cursor *c, size_t byte)
{
    if (c->kind == STET_UNIT_BYTE) {
        return byte;
    }
    while (c->byte < byte) {
        uint32_t cp;
        int k = steti_utf8_decode(c->text + c->byte, c->len - c->byte, &cp);
        size_t n = (size_t)(k < 0 ? -k : k);
        if (n > byte - c->byte) {
            break; /* inside a code point */
        }
        c->byte += n;
        c->unit += c->kind == STET_UNIT_UTF16 && cp > 0xFFFF ? 2 : 1;
    }
    return c->unit;
}
