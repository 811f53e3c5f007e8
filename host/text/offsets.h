/* offsets.h - byte offsets to UTF-16 or code point offsets, in one pass over sorted offsets. */
#ifndef STETI_OFFSETS_H
#define STETI_OFFSETS_H

#include <stddef.h>
#include <stdint.h>

struct steti_offset_cursor {
    const char *text;
    size_t len;
    size_t byte;   /* where the cursor stands */
    uint64_t unit; /* the same place in units */
    uint32_t kind; /* STET_UNIT_... */
};

void steti_offset_cursor_init(struct steti_offset_cursor *c, const char *text, size_t len,
                              uint32_t kind);
/* Moves to `byte` (>= the last one asked for; <= len) and returns its offset in units. Each invalid
 * UTF-8 subpart counts one unit. A byte inside a code point gives the offset of the code point's
 * start. */
uint64_t steti_offset_at(struct steti_offset_cursor *c, size_t byte);

#endif
