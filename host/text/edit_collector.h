/* edit_collector.h - turns raw replacements, in source order, into edits of whole words.
 *
 * A raw replacement is trimmed to what differs, then widened to the words it touches; replacements
 * that come to lie side by side become one edit. Time is linear in the source whatever the words'
 * length.
 */
#ifndef STETI_EDIT_COLLECTOR_H
#define STETI_EDIT_COLLECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "edits.h"

struct steti_replacement {
    size_t begin, end; /* source bytes; replacements come in order and do not overlap */
    const char *text;
    size_t len;
    uint32_t out_first, out_last;
    int is_unknown; /* the text is not known: the edit it becomes part of is dropped */
};

struct steti_edit_collector {
    const char *src;
    size_t src_len;
    size_t base;
    struct steti_edits *out;
    stet_error *err;
    /* The edit that is being built; its end is not widened yet. */
    int is_open, is_unknown;
    size_t begin, end;
    size_t text_begin;
    uint32_t out_first, out_last;
};

stet_status steti_collect(struct steti_edit_collector *c, const struct steti_replacement *r);
stet_status steti_collect_finish(struct steti_edit_collector *c);

#endif
