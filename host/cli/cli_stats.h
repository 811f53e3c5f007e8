/* cli_stats.h - what --stats shows. */
#ifndef STETI_CLI_STATS_H
#define STETI_CLI_STATS_H

#include "buf.h"

struct steti_cli_counts {
    uint64_t lines; /* of input */
    uint64_t bytes;
    uint64_t edits;
    uint64_t load_ns; /* loading the model and making the engine */
    uint64_t wall_ns; /* reading, correcting and writing */
};

/* json: one object and a line end; else a table. Values that would be a division by zero are
 * null or "-". */
stet_status steti_stats_format(struct steti_buf *b, int json, const stet_stats *s,
                               const struct steti_cli_counts *c, stet_error *err);

#endif
