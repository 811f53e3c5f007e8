/* cli_reader.h - cuts a stream of bytes into units of work, in bounded memory, without losing a
 * byte.
 *
 *   lines:    Tom go home. CR LF | <empty> LF | She go too.
 *             [--- text --] tail   text tail    [-- text -]
 *   wrapped:  a paragraph is one unit, its inner line ends included; every empty line is a unit
 *             without text.
 *
 * text + tail of all units, in order, is the input. A unit of more than STETI_UNIT_MAX bytes is cut
 * into pieces, after the end of a sentence where there is one, else after white space.
 */
#ifndef STETI_CLI_READER_H
#define STETI_CLI_READER_H

#include <stdint.h>

#include "buf.h"

#define STETI_UNIT_MAX (1u << 20)

struct steti_unit {
    const char *text;
    size_t len;
    size_t tail;          /* bytes right after the text that belong to no sentence: the line end */
    uint64_t line;        /* 1, 2, ...: where it begins */
    uint64_t byte_offset; /* of text in the input */
    int continues;        /* the next unit belongs to the same line or paragraph */
};

struct steti_reader {
    int fd;
    const char *name; /* for messages */
    int wrapped;
    int eof;
    struct steti_buf data;
    size_t pos;                 /* the first byte that was not handed out */
    size_t scan;                /* nothing between pos and scan ends a unit */
    uint64_t line, byte_offset; /* of pos */
};

void steti_reader_init(struct steti_reader *r, int fd, const char *name, int wrapped);
void steti_reader_free(struct steti_reader *r); /* does not close fd */

/* The next unit of what was read: 1, and *u points into the reader until the next
 * steti_reader_read. 0: more must be read, or the input has ended (eof). Never reads. */
int steti_reader_next(struct steti_reader *r, struct steti_unit *u);

/* Reads once, some more bytes or the end of the input. Only when steti_reader_next gave 0. Waits
 * only where a poll of fd would. */
stet_status steti_reader_read(struct steti_reader *r, stet_error *err);

#endif
