/* cli_writer.h - one interface, one file for every form of output.
 *
 *   steti_writer_open   choose the format
 *   for every file:     steti_writer_begin, steti_writer_unit ..., steti_writer_end
 *   steti_writer_close
 *
 * Writers append to a buffer; the caller writes it out between units.
 */
#ifndef STETI_CLI_WRITER_H
#define STETI_CLI_WRITER_H

#include "buf.h"
#include "cli_reader.h"

/* Edits of one result, in memory that is used again. */
struct steti_edit_list {
    stet_edit *edits;
    size_t n, cap;
};

/* One unit with its correction. */
struct steti_item {
    const struct steti_unit *unit;
    const stet_result *result; /* NULL: left as it is */
    const char *out;           /* the corrected text */
    size_t out_len;
    const stet_edit *edits; /* byte offsets */
    size_t n_edits;
};

struct steti_writer;

/* What is NULL has nothing to do; item is always there. */
struct steti_writer_ops {
    stet_status (*open)(struct steti_writer *w, stet_error *err);
    stet_status (*begin)(struct steti_writer *w, stet_error *err);
    stet_status (*item)(struct steti_writer *w, const struct steti_item *item, stet_error *err);
    stet_status (*end)(struct steti_writer *w, stet_error *err);
    void (*close)(struct steti_writer *w);
};

struct steti_writer {
    const struct steti_writer_ops *ops;
    struct steti_buf *out;
    const char *file; /* "-" is standard input */
    int color;
    int wrapped;
    uint32_t unit;    /* STET_UNIT_ of offsets in json */
    uint64_t n_edits; /* seen so far */
    struct steti_edit_list byte_edits, unit_edits;
    void *state; /* of the format */
};

extern const struct steti_writer_ops steti_writer_plain; /* the corrected text */
extern const struct steti_writer_ops steti_writer_marks; /* --edits=text */
extern const struct steti_writer_ops steti_writer_json;
extern const struct steti_writer_ops steti_writer_diff;
extern const struct steti_writer_ops steti_writer_m2;

/* format: enum steti_edits_format. Fill color, wrapped and unit afterwards. */
stet_status steti_writer_open(struct steti_writer *w, int format, struct steti_buf *out,
                              stet_error *err);
void steti_writer_close(struct steti_writer *w); /* legal on a zeroed writer, and twice */

stet_status steti_writer_begin(struct steti_writer *w, const char *file, stet_error *err);
stet_status steti_writer_unit(struct steti_writer *w, const struct steti_unit *unit,
                              const stet_result *result, stet_error *err);
stet_status steti_writer_end(struct steti_writer *w, stet_error *err);

/* All edits of a result; result NULL gives none. */
stet_status steti_edit_list_fetch(struct steti_edit_list *list, const stet_result *result,
                                  uint32_t unit, stet_error *err);

/* 1 if the unit holds nothing but ASCII white space: nothing to correct. */
int steti_unit_is_blank(const struct steti_unit *unit);

#endif
