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

/* Units that are worked on together. They point into the reader, until its next batch. */
struct steti_batch {
    struct steti_unit *units;
    size_t n, cap;
    size_t bytes, bytes_wanted; /* a batch is full at cap units or bytes_wanted bytes */
};

/* cap units; a batch holds about 256 bytes for each. */
stet_status steti_batch_init(struct steti_batch *b, size_t cap, stet_error *err);
void steti_batch_free(struct steti_batch *b); /* legal on a zeroed batch */

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

/* Fills the batch; b->n is 0 at the end of the input. Never waits for more input while it has a
 * unit to hand out: a line typed on a terminal is answered at once. */
stet_status steti_reader_batch(struct steti_reader *r, struct steti_batch *b, stet_error *err);

#endif
